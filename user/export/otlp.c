// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * OTLP profiles: message ProfilesData, as protobuf, not compressed. base/otlp_proto.h says of which version.
 *
 * - One Profile per sample type (a profile has one), named as in pprof files; the first is what a reader should show.
 * - All profiles refer to one dictionary by index. Element 0 of each table is the empty one and means "none"; what is in
 *   a table is there once, and referred to.
 * - What is equal by stack and attributes is one sample: its identity, and what it counts is the sum.
 * - Attributes of a sample: allocsnoop.source, .type, .goroutine and, with several targets, .pid, and the program's
 *   own labels by their own keys. A key comes once per sample: a second one, as two that differ only in bytes that are
 *   no text do, is left out and counted in dropped_attributes_count.
 * - What was lost is attributes of each profile, allocsnoop.lost.NAME.
 * - A stack that was lost is one location "[lost stack]", so that samples add up.
 * - Strings are UTF-8 without control characters: protobuf libraries refuse anything that is no UTF-8.
 *
 * Stacks and sets of attributes are kept as what their packed field will hold. No index in it is 0, so no byte is, and
 * a string table finds the equal ones: its ids are the indices, with the empty stack as 0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/otlp_proto.h"
#include "base/protow.h"
#include "base/vec.h"
#include "export/formats.h"

/* The one to show first comes first. */
static const enum metric types[] = { METRIC_LIVE_BYTES, METRIC_ALLOC_BYTES, METRIC_LIVE_OBJECTS, METRIC_ALLOC_OBJECTS,
				     METRIC_RSS_BYTES };

#define N_TYPES (sizeof(types) / sizeof(types[0]))
#define MAX_SET 64 /* attributes of a sample: ours, and labels, of which the capture takes fewer */

struct attribute {
	uint32_t key; /* string */
	uint32_t is_int;
	uint64_t value; /* id in values, or the number */
};

struct function {
	uint32_t name, file;
};

struct sample {
	uint32_t stack, attributes; /* in stacks, in sets */
};

struct otlp {
	const struct profile *prof;
	const struct export_opts *opts;
	struct protow w;
	struct names names; /* string_table */
	struct names values; /* of attributes, which have them in themselves */
	struct strtab *stacks; /* stack_table: packed indices of locations */
	struct strtab *sets; /* packed indices of attributes */
	struct hmap *attributes, *functions, *samples; /* the first two: index in their table, less 1 */
	struct hmap *locs; /* index of a location of the profile (nlocs: the lost stack's): index in the table, less 1 */
	struct hmap *mappings; /* index of a module: the same */
	int64_t (*sums)[N_TYPES]; /* by sample */
	size_t sums_cap;
	struct protow packed; /* the set or stack that is being made */
	uint32_t keys[MAX_SET], nkeys; /* of that set */
	uint64_t dropped; /* attributes */
	int err; /* sticks: -ENOMEM */
};

static uint32_t str(struct otlp *o, const char *s)
{
	return names_add(&o->names, s, 0, 0);
}

/* Index of @key in the table that @map stands for, whose element 0 is the empty one. */
static uint32_t table_index(struct otlp *o, struct hmap *map, const void *key)
{
	uint32_t i = hmap__add(map, key, NULL);

	if (i != HMAP_NONE)
		return i + 1;
	o->err = -ENOMEM;
	return 0;
}

/* The id of what was packed, which is forgotten then. */
static uint32_t packed_id(struct otlp *o, struct strtab *tab)
{
	uint32_t id = o->packed.err ? 0 : strtab__add(tab, (const char *)o->packed.data, o->packed.len);

	if (!id && o->packed.len)
		o->err = -ENOMEM;
	o->nkeys = 0;
	protow_reset(&o->packed);
	return id;
}

/* One more in the set that is being made, unless it has one of that key. */
static void add_attribute(struct otlp *o, const struct attribute *attribute)
{
	for (uint32_t i = 0; i < o->nkeys; i++) {
		if (o->keys[i] == attribute->key) {
			o->dropped++;
			return;
		}
	}
	if (o->nkeys == MAX_SET) {
		o->dropped++;
		return;
	}
	o->keys[o->nkeys++] = attribute->key;
	protow_varint(&o->packed, table_index(o, o->attributes, attribute));
}

static void add_string(struct otlp *o, const char *key, const char *value)
{
	if (*value)
		add_attribute(o, &(struct attribute){ .key = str(o, key), .value = names_add(&o->values, value, 0, 0) });
}

/* See sample_labels(). */
static void add_label(void *ctx, bool ours, const char *key, const char *value)
{
	char buf[64];

	if (ours)
		snprintf(buf, sizeof(buf), "allocsnoop.%s", key);
	else
		snprintf(buf, sizeof(buf), "?"); /* of a key that could not be read: one has to have a name */
	add_string(ctx, ours || !*key ? buf : key, value);
}

static uint32_t add_stack(struct otlp *o, uint32_t index)
{
	const struct prof_stack *stack = &o->prof->stacks[index];

	for (uint32_t i = 0; i < stack->nlocs; i++)
		protow_varint(&o->packed, table_index(o, o->locs, &o->prof->stack_locs[stack->first + i]));
	if (!stack->nlocs)
		protow_varint(&o->packed, table_index(o, o->locs, &o->prof->nlocs));
	return packed_id(o, o->stacks);
}

static void add_sample(struct otlp *o, const struct prof_row *row, const struct prof_counts *counts)
{
	struct sample sample;
	uint32_t index;
	bool added;

	sample_labels(o->prof, row, add_label, o);
	sample.attributes = packed_id(o, o->sets);
	sample.stack = add_stack(o, row->stack);
	index = hmap__add(o->samples, &sample, &added);
	if (index == HMAP_NONE || vec_reserve((void **)&o->sums, &o->sums_cap, (size_t)index + 1, sizeof(*o->sums))) {
		o->err = -ENOMEM;
		return;
	}
	if (added)
		memset(o->sums[index], 0, sizeof(o->sums[index]));
	for (size_t i = 0; i < N_TYPES; i++)
		o->sums[index][i] += sample_value(counts, types[i]);
}

/* Is there a profile that @counts has something for? */
static bool is_in_a_profile(const struct otlp *o, const struct prof_counts *counts)
{
	for (size_t i = 0; i < N_TYPES; i++) {
		if (has_sample_type(o->prof, types[i]) && sample_value(counts, types[i]))
			return true;
	}
	return false;
}

static void add_samples(struct otlp *o)
{
	struct prof_counts counts;

	for (uint32_t i = 0; i < o->prof->nrows && !o->err; i++) {
		if (sample_counts(&o->prof->rows[i], o->opts->window, &counts) && is_in_a_profile(o, &counts))
			add_sample(o, &o->prof->rows[i], &counts);
	}
}

/* ---- profiles ---- */

static void put_value_type(struct otlp *o, uint32_t field, enum metric metric)
{
	const struct sample_type type = sample_type(metric);
	size_t open = protow_open(&o->w, field);

	protow_u64(&o->w, OTLP_VALUE_TYPE_TYPE, str(o, type.type));
	protow_u64(&o->w, OTLP_VALUE_TYPE_UNIT, str(o, type.unit));
	protow_close(&o->w, open);
}

static void put_samples(struct otlp *o, size_t type)
{
	const struct sample *sample;
	size_t open, packed;

	for (uint32_t i = 0; i < hmap__len(o->samples); i++) {
		if (!o->sums[i][type])
			continue;
		sample = hmap__key(o->samples, i);
		open = protow_open(&o->w, OTLP_PROFILE_SAMPLES);
		protow_u64(&o->w, OTLP_SAMPLE_STACK_INDEX, sample->stack);
		protow_str(&o->w, OTLP_SAMPLE_ATTRIBUTE_INDICES, strtab__get(o->sets, sample->attributes));
		packed = protow_open(&o->w, OTLP_SAMPLE_VALUES);
		protow_varint(&o->w, (uint64_t)o->sums[i][type]);
		protow_close(&o->w, packed);
		protow_close(&o->w, open);
	}
}

/* The attributes of each profile: what was lost. Returns the set. */
static uint32_t add_losses(struct otlp *o)
{
	const bool interval = o->opts->window == WINDOW_INTERVAL;
	const struct prof_loss *loss;
	uint64_t count;
	char key[128];

	for (uint32_t i = 0; i < o->prof->nlosses; i++) {
		loss = &o->prof->losses[i];
		count = loss->count - (interval ? loss->marked : 0);
		snprintf(key, sizeof(key), "allocsnoop.lost.%s", loss->name);
		if (count)
			add_attribute(o, &(struct attribute){ .key = str(o, key), .is_int = true, .value = count });
	}
	return packed_id(o, o->sets);
}

static void put_profile(struct otlp *o, size_t type, uint32_t losses)
{
	const uint64_t start_ns = window_start_ns(o->prof, o->opts->window);
	size_t open = protow_open(&o->w, SCOPE_PROFILES_PROFILES);

	put_value_type(o, OTLP_PROFILE_SAMPLE_TYPE, types[type]);
	put_samples(o, type);
	protow_fixed64(&o->w, OTLP_PROFILE_TIME_UNIX_NANO, start_ns);
	protow_u64(&o->w, OTLP_PROFILE_DURATION_NANO, o->prof->now_unix_ns - start_ns);
	put_value_type(o, OTLP_PROFILE_PERIOD_TYPE, types[type]);
	protow_u64(&o->w, OTLP_PROFILE_PERIOD, 1); /* every one is counted */
	protow_u64(&o->w, OTLP_PROFILE_DROPPED_ATTRIBUTES_COUNT, o->dropped < UINT32_MAX ? o->dropped : UINT32_MAX);
	if (losses)
		protow_str(&o->w, OTLP_PROFILE_ATTRIBUTE_INDICES, strtab__get(o->sets, losses));
	protow_close(&o->w, open);
}

/* Of a Resource, which has its strings in it. */
static void put_string_attribute(struct otlp *o, const char *key, const char *value)
{
	size_t open, any;
	uint32_t id = names_add(&o->values, value, 0, 0);

	if (!id)
		return;
	open = protow_open(&o->w, RESOURCE_ATTRIBUTES);
	protow_str(&o->w, KEY_VALUE_KEY, key);
	any = protow_open(&o->w, KEY_VALUE_VALUE);
	protow_str(&o->w, ANY_VALUE_STRING, strtab__get(o->values.strs, id));
	protow_close(&o->w, any);
	protow_close(&o->w, open);
}

static void put_int_attribute(struct otlp *o, const char *key, uint64_t value)
{
	size_t open = protow_open(&o->w, RESOURCE_ATTRIBUTES), any;

	protow_str(&o->w, KEY_VALUE_KEY, key);
	any = protow_open(&o->w, KEY_VALUE_VALUE);
	protow_u64(&o->w, ANY_VALUE_INT, value);
	protow_close(&o->w, any);
	protow_close(&o->w, open);
}

/* Names of the semantic conventions. Of several processes only the kernel is the same. */
static void put_resource(struct otlp *o)
{
	const struct prof_target *target = o->prof->ntargets == 1 ? &o->prof->targets[0] : NULL;
	size_t open = protow_open(&o->w, RESOURCE_PROFILES_RESOURCE);
	char kernel[sizeof(o->prof->kernel) + 8];

	if (target) {
		put_string_attribute(o, "service.name", strtab__get(o->prof->strs, target->comm));
		put_int_attribute(o, "process.pid", target->pid);
		put_string_attribute(o, "process.executable.path", strtab__get(o->prof->strs, target->exe));
	}
	put_string_attribute(o, "os.type", "linux");
	snprintf(kernel, sizeof(kernel), "Linux %s", o->prof->kernel);
	put_string_attribute(o, "os.description", kernel);
	protow_close(&o->w, open);
}

static void put_scope(struct otlp *o)
{
	size_t open = protow_open(&o->w, SCOPE_PROFILES_SCOPE), name_len = strcspn(o->opts->tool, " ");

	protow_bytes(&o->w, SCOPE_NAME, o->opts->tool, name_len);
	protow_str(&o->w, SCOPE_VERSION, o->opts->tool + name_len + (o->opts->tool[name_len] == ' '));
	protow_close(&o->w, open);
}

static void put_profiles(struct otlp *o)
{
	size_t resource = protow_open(&o->w, PROFILES_DATA_RESOURCE_PROFILES), scope;
	uint32_t losses = add_losses(o);

	put_resource(o);
	scope = protow_open(&o->w, RESOURCE_PROFILES_SCOPE_PROFILES);
	put_scope(o);
	for (size_t i = 0; i < N_TYPES; i++) {
		if (has_sample_type(o->prof, types[i]))
			put_profile(o, i, losses);
	}
	protow_close(&o->w, scope);
	protow_close(&o->w, resource);
}

/* ---- the dictionary ---- */

static void put_line(struct otlp *o, const char *func, const char *file, uint32_t line)
{
	struct function key = { str(o, func), str(o, file) };
	size_t open = protow_open(&o->w, OTLP_LOCATION_LINES);

	protow_u64(&o->w, OTLP_LINE_FUNCTION, table_index(o, o->functions, &key));
	protow_u64(&o->w, OTLP_LINE_LINE, line);
	protow_close(&o->w, open);
}

static void put_location(struct otlp *o, uint32_t index)
{
	size_t open = protow_open(&o->w, DICTIONARY_LOCATION_TABLE);
	const struct prof_loc *loc;
	struct frame_view view;

	if (index == o->prof->nlocs) {
		put_line(o, LOST_STACK_NAME, "", 0);
	} else {
		loc = &o->prof->locs[index];
		if (loc->module != PROF_NONE)
			protow_u64(&o->w, OTLP_LOCATION_MAPPING, table_index(o, o->mappings, &loc->module));
		protow_u64(&o->w, OTLP_LOCATION_ADDRESS, loc->addr);
		for (uint32_t i = 0; i < prof_loc_nframes(o->prof, index); i++) {
			prof_loc_frame(o->prof, index, i, &view);
			put_line(o, view.func, view.file, view.line);
		}
	}
	protow_close(&o->w, open);
}

static void put_mapping(struct otlp *o, const struct prof_module *mod)
{
	size_t open = protow_open(&o->w, DICTIONARY_MAPPING_TABLE);
	uint32_t set;

	add_string(o, "process.executable.build_id.gnu", strtab__get(o->prof->strs, mod->build_id));
	set = packed_id(o, o->sets);
	protow_u64(&o->w, OTLP_MAPPING_MEMORY_START, mod->start);
	protow_u64(&o->w, OTLP_MAPPING_MEMORY_LIMIT, mod->end);
	protow_u64(&o->w, OTLP_MAPPING_FILE_OFFSET, mod->file_off);
	protow_u64(&o->w, OTLP_MAPPING_FILENAME, str(o, strtab__get(o->prof->strs, mod->path)));
	if (set)
		protow_str(&o->w, OTLP_MAPPING_ATTRIBUTE_INDICES, strtab__get(o->sets, set));
	protow_close(&o->w, open);
}

static void put_function(struct otlp *o, const struct function *function)
{
	size_t open = protow_open(&o->w, DICTIONARY_FUNCTION_TABLE);

	protow_u64(&o->w, OTLP_FUNCTION_NAME, function->name);
	protow_u64(&o->w, OTLP_FUNCTION_SYSTEM_NAME, function->name);
	protow_u64(&o->w, OTLP_FUNCTION_FILENAME, function->file);
	protow_close(&o->w, open);
}

static void put_attribute(struct otlp *o, const struct attribute *attribute)
{
	size_t open = protow_open(&o->w, DICTIONARY_ATTRIBUTE_TABLE), any;

	protow_u64(&o->w, KEY_VALUE_AND_UNIT_KEY, attribute->key);
	any = protow_open(&o->w, KEY_VALUE_AND_UNIT_VALUE);
	if (attribute->is_int)
		protow_u64(&o->w, ANY_VALUE_INT, attribute->value);
	else
		protow_str(&o->w, ANY_VALUE_STRING, strtab__get(o->values.strs, (uint32_t)attribute->value));
	protow_close(&o->w, any);
	protow_close(&o->w, open);
}

/* Each table before the one that it fills: strings are last. */
static void put_dictionary(struct otlp *o)
{
	size_t open = protow_open(&o->w, PROFILES_DATA_DICTIONARY), stack;

	protow_bytes(&o->w, DICTIONARY_LINK_TABLE, "", 0);
	for (uint32_t i = 0; i < strtab__len(o->stacks); i++) {
		stack = protow_open(&o->w, DICTIONARY_STACK_TABLE);
		if (i)
			protow_str(&o->w, STACK_LOCATION_INDICES, strtab__get(o->stacks, i));
		protow_close(&o->w, stack);
	}
	protow_bytes(&o->w, DICTIONARY_LOCATION_TABLE, "", 0);
	for (uint32_t i = 0; i < hmap__len(o->locs); i++)
		put_location(o, *(const uint32_t *)hmap__key(o->locs, i));
	protow_bytes(&o->w, DICTIONARY_MAPPING_TABLE, "", 0);
	for (uint32_t i = 0; i < hmap__len(o->mappings); i++)
		put_mapping(o, &o->prof->modules[*(const uint32_t *)hmap__key(o->mappings, i)]);
	protow_bytes(&o->w, DICTIONARY_FUNCTION_TABLE, "", 0);
	for (uint32_t i = 0; i < hmap__len(o->functions); i++)
		put_function(o, hmap__key(o->functions, i));
	protow_bytes(&o->w, DICTIONARY_ATTRIBUTE_TABLE, "", 0);
	for (uint32_t i = 0; i < hmap__len(o->attributes); i++)
		put_attribute(o, hmap__key(o->attributes, i));
	for (uint32_t i = 0; i < strtab__len(o->names.strs); i++)
		protow_str(&o->w, DICTIONARY_STRING_TABLE, strtab__get(o->names.strs, i));
	protow_close(&o->w, open);
}

static int open_otlp(struct otlp *o)
{
	int err = names_init(&o->names);

	err = err ? err : names_init(&o->values);
	err = err ? err : strtab__new(&o->stacks);
	err = err ? err : strtab__new(&o->sets);
	err = err ? err : hmap__new(sizeof(struct attribute), &o->attributes);
	err = err ? err : hmap__new(sizeof(struct function), &o->functions);
	err = err ? err : hmap__new(sizeof(struct sample), &o->samples);
	err = err ? err : hmap__new(sizeof(uint32_t), &o->locs);
	return err ? err : hmap__new(sizeof(uint32_t), &o->mappings);
}

static void close_otlp(struct otlp *o)
{
	names_free(&o->names);
	names_free(&o->values);
	strtab__free(o->stacks);
	strtab__free(o->sets);
	hmap__free(o->attributes);
	hmap__free(o->functions);
	hmap__free(o->samples);
	hmap__free(o->locs);
	hmap__free(o->mappings);
	protow_free(&o->w);
	protow_free(&o->packed);
	free(o->sums);
}

int otlp_write(const struct profile *prof, const struct export_opts *opts, FILE *out)
{
	struct otlp o = { .prof = prof, .opts = opts };
	int err = open_otlp(&o);

	if (!err) {
		add_samples(&o);
		err = o.err;
	}
	if (!err) {
		put_profiles(&o);
		put_dictionary(&o);
		err = o.err ? o.err : o.w.err ? o.w.err : o.names.err ? o.names.err : o.values.err;
	}
	if (!err)
		fwrite(o.w.data, 1, o.w.len, out);
	close_otlp(&o);
	return err;
}

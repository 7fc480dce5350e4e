// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A pprof file as a profile.
 *
 * The parts of the message come in any order and name each other by numbers. So they are gathered first (spans
 * of the file, nothing is copied), then the samples are turned into rows, taking what they name as they need it.
 *
 * What would make the numbers lies is refused with a line that says what it is: a file that ends early, a sample with another
 * number of values than there are sample types, a name or place that is not there, negative allocations (such a file is a
 * difference itself), sums that no memory can have. What is only odd (unknown fields, functions without a name) is passed over.
 */
#include "store/pprof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/hmap.h"
#include "base/pprof_proto.h"
#include "base/protor.h"
#include "base/units.h"
#include "base/vec.h"
#include "profile/frames.h"
#include "profile/labels.h"
#include "profile/plumbing.h"

#define MAX_FILE_BYTES (256u << 20)
#define MAX_UNPACKED_BYTES (512u << 20)
#define MAX_STACK 1024 /* locations; those further out are left out */
#define MAX_FRAMES 256 /* of a location */
#define MAX_LABELS 32
#define MAX_TYPES 32
#define MAX_NAME_BYTES 4096
#define MAX_SUM (1ull << 62)

/* What a column of values is. */
enum column { COLUMN_OTHER, COLUMN_ALLOC_OBJECTS, COLUMN_ALLOC_BYTES, COLUMN_LIVE_OBJECTS, COLUMN_LIVE_BYTES, COLUMN_RSS_BYTES, COLUMN__N };

/* Messages of one kind, by their id. */
struct table {
	struct hmap *ids; /* uint64_t -> index in items */
	struct span *items;
	size_t cap;
};

struct parser {
	const char *name;
	struct err *err;
	struct span bytes;
	struct profile *prof;
	struct span *strings, *samples;
	size_t nstrings, cap_strings, nsamples, cap_samples;
	struct table mappings, locations, functions;
	struct span types[MAX_TYPES];
	enum column columns[MAX_TYPES];
	size_t ntypes;
	bool has[COLUMN__N];
	uint32_t *locs; /* by index of the location: that of the profile + 1, 0: not made yet */
	enum source source; /* of samples that do not say theirs */
	uint64_t time_ns, duration_ns;
	uint64_t sums[MAX_TYPES]; /* of magnitudes */
	char text[MAX_NAME_BYTES];
};

static int bad(struct parser *p, const char *why)
{
	return err_set(p->err, FAIL_GENERAL, -EBADMSG, "%s is no whole pprof file: %s", p->name, why);
}

static int no_memory(struct parser *p)
{
	return err_set(p->err, FAIL_GENERAL, -ENOMEM, "out of memory while reading %s", p->name);
}

/* ---- names ---- */

/* String @nr in p->text, cut to its size; "" where there is none. A file may have bytes of 0 in a name: they end it. */
static const char *string_at(struct parser *p, uint64_t nr)
{
	size_t len = nr < p->nstrings ? p->strings[nr].len : 0;

	if (len >= sizeof(p->text))
		len = sizeof(p->text) - 1;
	if (len)
		memcpy(p->text, p->strings[nr].data, len);
	p->text[len] = 0;
	return p->text;
}

static bool string_is(const struct parser *p, uint64_t nr, const char *want)
{
	return nr < p->nstrings && p->strings[nr].len == strlen(want) && memcmp(p->strings[nr].data, want, strlen(want)) == 0;
}

/* The number @field of @msg, 0 if it is not there. */
static uint64_t number_of(struct span msg, uint32_t field)
{
	struct proto_field f;
	uint64_t off = 0, value = 0;

	while (protor_next(msg, &off, &f) > 0)
		if (f.number == field && f.wire == PROTO_VARINT)
			value = f.value;
	return value;
}

/* ---- gathering ---- */

static int gather(struct parser *p, struct table *table, struct span msg)
{
	uint64_t id = number_of(msg, MAPPING_ID); /* LOCATION_ID and FUNCTION_ID are the same */
	uint32_t index;
	bool added;

	if (!id)
		return bad(p, "a function, place or mapping has the number 0");
	index = hmap__add(table->ids, &id, &added);
	if (index == HMAP_NONE || vec_reserve((void **)&table->items, &table->cap, (size_t)index + 1, sizeof(*table->items)))
		return no_memory(p);
	if (!added)
		return bad(p, "two functions, places or mappings have the same number");
	table->items[index] = msg;
	return 0;
}

static int push(struct parser *p, struct span **items, size_t *n, size_t *cap, struct span item)
{
	if (vec_reserve((void **)items, cap, *n + 1, sizeof(**items)))
		return no_memory(p);
	(*items)[(*n)++] = item;
	return 0;
}

static int gather_field(struct parser *p, const struct proto_field *f)
{
	const enum proto_wire want = f->number == PROFILE_TIME_NANOS || f->number == PROFILE_DURATION_NANOS ? PROTO_VARINT : PROTO_LEN;

	if (f->number > PROFILE_STRING_TABLE && want == PROTO_LEN)
		return 0;
	if (f->wire != want)
		return bad(p, "a field has the wrong kind");
	switch (f->number) {
	case PROFILE_SAMPLE_TYPE:
		if (p->ntypes == MAX_TYPES)
			return bad(p, "it has too many sample types");
		p->types[p->ntypes++] = f->bytes;
		return 0;
	case PROFILE_SAMPLE:
		return push(p, &p->samples, &p->nsamples, &p->cap_samples, f->bytes);
	case PROFILE_MAPPING:
		return gather(p, &p->mappings, f->bytes);
	case PROFILE_LOCATION:
		return gather(p, &p->locations, f->bytes);
	case PROFILE_FUNCTION:
		return gather(p, &p->functions, f->bytes);
	case PROFILE_STRING_TABLE:
		return push(p, &p->strings, &p->nstrings, &p->cap_strings, f->bytes);
	case PROFILE_TIME_NANOS:
		p->time_ns = f->value < MAX_SUM ? f->value : 0;
		return 0;
	case PROFILE_DURATION_NANOS:
		p->duration_ns = f->value < MAX_SUM ? f->value : 0;
		return 0;
	}
	return 0;
}

static int gather_all(struct parser *p)
{
	struct proto_field f;
	uint64_t off = 0;
	int more, err = 0;

	while (!err && (more = protor_next(p->bytes, &off, &f)) != 0)
		err = more < 0 ? bad(p, "it ends early, or is something else") : gather_field(p, &f);
	if (err)
		return err;
	if (!p->ntypes || !p->nstrings || p->strings[0].len)
		return bad(p, "it has no sample types or no strings");
	return 0;
}

/* ---- what is measured ---- */

static enum column column_of(const struct parser *p, uint64_t type, uint64_t unit)
{
	static const struct {
		const char *type, *unit;
		enum column column;
	} known[] = {
		{ "alloc_objects", "count", COLUMN_ALLOC_OBJECTS }, { "alloc_space", "bytes", COLUMN_ALLOC_BYTES },
		{ "inuse_objects", "count", COLUMN_LIVE_OBJECTS },  { "inuse_space", "bytes", COLUMN_LIVE_BYTES },
		{ "objects", "count", COLUMN_LIVE_OBJECTS },	    { "space", "bytes", COLUMN_LIVE_BYTES }, /* gperftools, jemalloc */
		{ "rss_space", "bytes", COLUMN_RSS_BYTES },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (string_is(p, type, known[i].type) && string_is(p, unit, known[i].unit))
			return known[i].column;
	return COLUMN_OTHER;
}

static int find_columns(struct parser *p)
{
	char names[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < p->ntypes; i++) {
		uint64_t type = number_of(p->types[i], VALUE_TYPE_TYPE), unit = number_of(p->types[i], VALUE_TYPE_UNIT);
		enum column column = column_of(p, type, unit);

		p->columns[i] = p->has[column] ? COLUMN_OTHER : column;
		p->has[column] |= column != COLUMN_OTHER;
		if (len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%.40s", i ? ", " : "", string_at(p, type));
	}
	for (int c = COLUMN_OTHER + 1; c < COLUMN__N; c++)
		if (p->has[c])
			return 0;
	return err_set(p->err, FAIL_GENERAL, -EBADMSG, "%s says nothing of memory: its sample types are %s", p->name, names);
}

static void find_source(struct parser *p)
{
	uint32_t n = hmap__len(p->functions.ids);

	p->source = SOURCE_MALLOC;
	for (uint32_t i = 0; i < n; i++)
		if (strncmp(string_at(p, number_of(p->functions.items[i], FUNCTION_NAME)), "runtime.", 8) == 0)
			p->source = SOURCE_GO;
}

/* ---- places ---- */

static const struct span *find(const struct table *table, uint64_t id)
{
	uint32_t index = hmap__find(table->ids, &id);

	return index == HMAP_NONE ? NULL : &table->items[index];
}

static uint32_t add_mapping(struct parser *p, uint64_t id)
{
	const struct span *msg = id ? find(&p->mappings, id) : NULL;
	struct prof_module mod = { 0 };
	const char *path, *slash;

	if (!msg)
		return PROF_NONE;
	mod.start = number_of(*msg, MAPPING_START);
	mod.end = number_of(*msg, MAPPING_LIMIT);
	mod.file_off = number_of(*msg, MAPPING_OFFSET);
	mod.build_id = strtab__adds(p->prof->strs, string_at(p, number_of(*msg, MAPPING_BUILD_ID)));
	path = string_at(p, number_of(*msg, MAPPING_FILENAME));
	slash = strrchr(path, '/');
	mod.path = strtab__adds(p->prof->strs, path);
	mod.name = strtab__adds(p->prof->strs, slash ? slash + 1 : path);
	return profile__add_module(p->prof, &mod);
}

/* A Line of a location: false if its function is not there. */
static bool read_line(struct parser *p, struct span msg, struct prof_frame *ret)
{
	uint64_t id = number_of(msg, LINE_FUNCTION_ID), line = number_of(msg, LINE_LINE);
	const struct span *func = find(&p->functions, id);
	const char *name;

	*ret = (struct prof_frame){ .line = line <= UINT32_MAX ? (uint32_t)line : 0 };
	if (!func)
		return false;
	name = string_at(p, number_of(*func, FUNCTION_NAME));
	if (!*name)
		name = string_at(p, number_of(*func, FUNCTION_SYSTEM_NAME));
	if (!*name)
		name = "[no name]";
	ret->func = strtab__adds(p->prof->strs, name);
	ret->flags = (plumbing_is(name) ? FRAME_PLUMBING : 0) | (name[0] == '[' ? FRAME_UNKNOWN : 0);
	ret->file = strtab__adds(p->prof->strs, string_at(p, number_of(*func, FUNCTION_FILENAME)));
	return true;
}

static void name_unknown(struct parser *p, uint32_t module, uint64_t address, struct prof_frame *ret)
{
	const struct prof_module *mod = module == PROF_NONE ? NULL : &p->prof->modules[module];
	char buf[320];

	prof_name_address(prof_module_name(p->prof, module), mod ? address - mod->start + mod->file_off : address, buf);
	*ret = (struct prof_frame){ .func = strtab__adds(p->prof->strs, buf), .flags = FRAME_UNKNOWN };
}

/* The location of the profile for location @index of the file. */
static int add_location(struct parser *p, uint32_t index, uint32_t *ret)
{
	const struct span msg = p->locations.items[index];
	struct prof_frame frames[MAX_FRAMES];
	uint32_t n = 0, module, loc;
	struct proto_field f;
	uint64_t off = 0;
	int more;

	if (p->locs[index]) {
		*ret = p->locs[index] - 1;
		return 0;
	}
	module = add_mapping(p, number_of(msg, LOCATION_MAPPING_ID));
	while ((more = protor_next(msg, &off, &f)) > 0) {
		if (f.number != LOCATION_LINE || f.wire != PROTO_LEN || n == MAX_FRAMES)
			continue;
		if (!read_line(p, f.bytes, &frames[n]))
			return bad(p, "a place is in a function that is not there");
		if (n)
			frames[n - 1].flags |= FRAME_INLINED;
		n++;
	}
	if (more < 0)
		return bad(p, "a place cannot be read");
	if (!n)
		name_unknown(p, module, number_of(msg, LOCATION_ADDRESS), &frames[n++]);
	/* Its number is its place: addresses may be missing. */
	loc = profile__add_loc(p->prof, module, (uint64_t)index + 1, number_of(msg, LOCATION_ADDRESS));
	if (loc == PROF_NONE || profile__set_frames(p->prof, loc, frames, n))
		return no_memory(p);
	p->locs[index] = loc + 1;
	*ret = loc;
	return 0;
}

/* ---- samples ---- */

struct sample {
	uint64_t places[MAX_STACK];
	uint32_t nplaces;
	bool cut;
	uint64_t values[MAX_TYPES];
	uint32_t nvalues;
	struct span labels[MAX_LABELS];
	uint32_t nlabels;
};

static bool take_place(void *ctx, uint64_t value)
{
	struct sample *s = ctx;

	if (s->nplaces < MAX_STACK)
		s->places[s->nplaces++] = value;
	else
		s->cut = true;
	return true;
}

static bool take_value(void *ctx, uint64_t value)
{
	struct sample *s = ctx;

	if (s->nvalues < MAX_TYPES)
		s->values[s->nvalues] = value;
	return s->nvalues++ < MAX_TYPES;
}

static int read_sample(struct parser *p, struct span msg, struct sample *s)
{
	struct proto_field f;
	uint64_t off = 0;
	int more;
	bool good = true;

	s->nplaces = s->nvalues = s->nlabels = 0;
	s->cut = false;
	while (good && (more = protor_next(msg, &off, &f)) != 0) {
		good = more > 0;
		if (good && f.number == SAMPLE_LOCATION_ID)
			good = protor_each(&f, take_place, s);
		else if (good && f.number == SAMPLE_VALUE)
			good = protor_each(&f, take_value, s);
		else if (good && f.number == SAMPLE_LABEL && f.wire == PROTO_LEN && s->nlabels < MAX_LABELS)
			s->labels[s->nlabels++] = f.bytes;
	}
	if (!good)
		return bad(p, "a sample cannot be read");
	return s->nvalues == p->ntypes ? 0 : bad(p, "a sample has another number of values than there are sample types");
}

static int add_values(struct parser *p, const struct sample *s, uint32_t row)
{
	struct prof_counts *c = &p->prof->rows[row].total;

	for (size_t i = 0; i < p->ntypes; i++) {
		int64_t value = (int64_t)s->values[i];
		uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;

		if (p->columns[i] == COLUMN_OTHER)
			continue;
		if (size > MAX_SUM || p->sums[i] > MAX_SUM - size)
			return bad(p, "its numbers are larger than any memory");
		p->sums[i] += size;
		if (value < 0 && p->columns[i] <= COLUMN_ALLOC_BYTES)
			return err_set(p->err, FAIL_GENERAL, -EBADMSG, "%s has less than nothing allocated: it is a difference itself",
				       p->name);
		switch (p->columns[i]) {
		case COLUMN_ALLOC_OBJECTS:
			c->alloc_objects += size;
			break;
		case COLUMN_ALLOC_BYTES:
			c->alloc_bytes += size;
			c->requested_bytes += size;
			break;
		case COLUMN_LIVE_OBJECTS:
			c->live_objects += (double)value;
			c->live_objects_var = -1;
			break;
		case COLUMN_LIVE_BYTES:
			c->live_bytes += (double)value;
			c->live_bytes_var = -1;
			break;
		default:
			*(value < 0 ? &c->rss[RSS_ANON].released_bytes : &c->rss[RSS_ANON].grown_bytes) += size;
			break;
		}
	}
	return 0;
}

/* What the labels of @s say: source and context. 0 or -ENOMEM. */
static int read_labels(struct parser *p, const struct sample *s, enum source *ret_source, struct prof_context *ret)
{
	static const char *const own[] = { "source", "type", "goroutine", "pid" };
	struct event_label labels[MAX_LABELS];
	uint32_t keys[MAX_LABELS], values[MAX_LABELS];
	struct strtab *strs = p->prof->strs;
	uint32_t n = 0;

	*ret_source = p->source;
	*ret = (struct prof_context){ .creator = PROF_NONE };
	for (uint32_t i = 0; i < s->nlabels; i++) {
		uint64_t key = number_of(s->labels[i], LABEL_KEY);
		uint32_t value = strtab__adds(strs, string_at(p, number_of(s->labels[i], LABEL_STR))), which = 0;

		while (which < 4 && !string_is(p, key, own[which]))
			which++;
		if (!value)
			continue; /* a number, as Go's "bytes" */
		if (which == 0) {
			for (int source = 0; source < SOURCE__N; source++)
				if (strcmp(strtab__get(strs, value), source_name(source)) == 0)
					*ret_source = source;
		} else if (which == 1) {
			ret->typing = TYPING_KIND;
			ret->type_vaddr = value;
		} else if (which == 2) {
			struct prof_frame frame = { .func = value };

			ret->creator = profile__add_loc(p->prof, PROF_NONE, UINT64_MAX - value, 0);
			if (ret->creator == PROF_NONE || profile__set_frames(p->prof, ret->creator, &frame, 1))
				return -ENOMEM;
		} else if (which == 4) {
			keys[n] = strtab__adds(strs, string_at(p, key));
			values[n++] = value;
		}
	}
	for (uint32_t i = 0; i < n; i++)
		labels[i] = (struct event_label){ strtab__get(strs, keys[i]), strtab__get(strs, values[i]) };
	ret->labels = labels_add(strs, labels, n);
	return 0;
}

static int add_sample(struct parser *p, const struct sample *s)
{
	uint32_t locs[MAX_STACK], row, stack;
	struct prof_context context;
	enum source source;

	for (uint32_t i = 0; i < s->nplaces; i++) {
		uint32_t index = hmap__find(p->locations.ids, &s->places[i]);
		int err = index == HMAP_NONE ? bad(p, "a sample names a place that is not there") : add_location(p, index, &locs[i]);

		if (err)
			return err;
	}
	if (read_labels(p, s, &source, &context))
		return no_memory(p);
	stack = profile__add_stack(p->prof, locs, s->nplaces, !s->nplaces ? STACK_LOST : s->cut ? STACK_TRUNCATED : 0);
	row = profile__add_row(p->prof, 0, source, profile__add_context(p->prof, &context), stack);
	if (row == PROF_NONE)
		return no_memory(p);
	p->prof->rows[row].type = context.typing == TYPING_KIND ? (uint32_t)context.type_vaddr : 0;
	p->prof->has_source[source] = true;
	return add_values(p, s, row);
}

static int add_samples(struct parser *p)
{
	struct sample *s = malloc(sizeof(*s));
	int err = s ? 0 : no_memory(p);

	for (size_t i = 0; i < p->nsamples && !err; i++) {
		err = read_sample(p, p->samples[i], s);
		if (!err)
			err = add_sample(p, s);
	}
	free(s);
	return err;
}

/* ---- all of it ---- */

static int describe(struct parser *p)
{
	bool allocs = p->has[COLUMN_ALLOC_OBJECTS] || p->has[COLUMN_ALLOC_BYTES];
	bool lives = p->has[COLUMN_LIVE_OBJECTS] || p->has[COLUMN_LIVE_BYTES];
	struct profile *prof = p->prof;
	uint32_t target = profile__add_target(prof, 0);

	if (target == PROF_NONE)
		return no_memory(p);
	prof->targets[target].comm = prof->nmodules ? prof->modules[0].name : 0;
	prof->mode = "exact";
	prof->start_unix_ns = prof->mark_unix_ns = p->time_ns;
	prof->now_unix_ns = p->time_ns + p->duration_ns;
	if (p->has[COLUMN_RSS_BYTES])
		prof->rss_method = RSS_BY_COUNTERS;
	prof->has_source[SOURCE_RSS] = p->has[COLUMN_RSS_BYTES];
	if (!prof->has_source[SOURCE_GO] && !prof->has_source[SOURCE_MALLOC] && !prof->has_source[SOURCE_MMAP])
		prof->has_source[p->source] = allocs || lives;
	for (int s = 0; s < SOURCE_RSS; s++) {
		prof->live[s].measured = prof->has_source[s] && lives;
		prof->live[s].how = "by the file";
		prof->has_source[s] &= allocs;
	}
	return 0;
}

static void parser_free(struct parser *p)
{
	struct table *tables[] = { &p->mappings, &p->locations, &p->functions };

	for (size_t i = 0; i < 3; i++) {
		hmap__free(tables[i]->ids);
		free(tables[i]->items);
	}
	free(p->strings);
	free(p->samples);
	free(p->locs);
	profile__free(p->prof);
}

int pprof_parse(struct span bytes, const char *name, struct profile **ret, struct err *err)
{
	struct parser p = { .name = name, .err = err, .bytes = bytes };
	int code = 0;

	if (hmap__new(sizeof(uint64_t), &p.mappings.ids) || hmap__new(sizeof(uint64_t), &p.locations.ids) ||
	    hmap__new(sizeof(uint64_t), &p.functions.ids) || profile__new(&p.prof))
		code = no_memory(&p);
	if (!code)
		code = gather_all(&p);
	if (!code)
		code = find_columns(&p);
	if (!code) {
		p.locs = calloc((size_t)hmap__len(p.locations.ids) + 1, sizeof(*p.locs));
		code = p.locs ? 0 : no_memory(&p);
	}
	if (!code) {
		find_source(&p);
		code = add_samples(&p);
	}
	if (!code)
		code = describe(&p);
	if (!code) {
		*ret = p.prof;
		p.prof = NULL;
	}
	parser_free(&p);
	return code;
}

/* ---- the file ---- */

static bool is_packed(struct span bytes)
{
	return bytes.len >= 2 && bytes.data[0] == 0x1f && bytes.data[1] == 0x8b;
}

/* Of one gzip member, as pprof files are. */
static int unpack(struct span packed, const char *name, uint8_t **ret, size_t *ret_len, struct err *err)
{
	z_stream z = { .next_in = (uint8_t *)packed.data, .avail_in = (uInt)packed.len };
	uint8_t *out = NULL;
	size_t cap = 0, len = 0;
	int zerr = inflateInit2(&z, 16 + MAX_WBITS), code = zerr == Z_OK ? 0 : -ENOMEM;

	while (!code && zerr == Z_OK) {
		if (len == MAX_UNPACKED_BYTES)
			code = -E2BIG;
		else if (vec_reserve((void **)&out, &cap, len + (64 << 10), 1))
			code = -ENOMEM;
		if (code)
			break;
		z.next_out = out + len;
		z.avail_out = (uInt)(cap - len < MAX_UNPACKED_BYTES - len ? cap - len : MAX_UNPACKED_BYTES - len);
		zerr = inflate(&z, Z_NO_FLUSH);
		len = (size_t)(z.next_out - out);
	}
	inflateEnd(&z);
	if (!code && zerr != Z_STREAM_END)
		code = zerr == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
	if (!code) {
		*ret = out;
		*ret_len = len;
		return 0;
	}
	free(out);
	if (code == -EBADMSG)
		return err_set(err, FAIL_GENERAL, code, "%s is no whole pprof file: its gzip data %s", name,
			       zerr == Z_BUF_ERROR ? "ends early" : "is damaged");
	return err_set(err, FAIL_GENERAL, code, "%s does not fit in memory when it is unpacked", name);
}

int pprof_read(struct span bytes, const char *name, struct profile **ret, struct err *err)
{
	uint8_t *out = NULL;
	size_t len = 0;
	int code;

	if (!is_packed(bytes))
		return pprof_parse(bytes, name, ret, err);
	code = unpack(bytes, name, &out, &len, err);
	if (code)
		return code;
	code = pprof_parse((struct span){ out, len }, name, ret, err);
	free(out);
	return code;
}

bool pprof_is(const char *path)
{
	static const char *const endings[] = { ".pb", ".pprof", ".gz" };
	uint8_t magic[2] = { 0 };
	size_t len = strlen(path);
	int fd;
	bool is;

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (len > strlen(endings[i]) && strcmp(path + len - strlen(endings[i]), endings[i]) == 0)
			return true;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	is = read(fd, magic, sizeof(magic)) == sizeof(magic) && is_packed((struct span){ magic, sizeof(magic) });
	close(fd);
	return is;
}

int pprof_load(const char *path, struct profile **ret, struct err *err)
{
	uint8_t *data = NULL;
	size_t cap = 0, len = 0, got;
	FILE *in = fopen(path, "re");
	struct stat st;
	int code = 0;

	if (!in || fstat(fileno(in), &st)) {
		code = err_set(err, FAIL_GENERAL, -errno, "cannot read %s: %s", path, strerror(errno));
	} else if (S_ISDIR(st.st_mode)) {
		code = err_set(err, FAIL_GENERAL, -EISDIR, "cannot read %s: %s", path, strerror(EISDIR));
	}
	while (!code) {
		if (vec_reserve((void **)&data, &cap, len + (64 << 10), 1))
			code = err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory while reading %s", path);
		else if (len > MAX_FILE_BYTES)
			code = err_set(err, FAIL_GENERAL, -EFBIG, "%s is larger than a pprof file of memory is (256 MiB)", path);
		if (code)
			break;
		got = fread(data + len, 1, cap - len, in);
		len += got;
		if (!got)
			break;
	}
	if (!code && ferror(in))
		code = err_set(err, FAIL_GENERAL, -EIO, "cannot read %s: %s", path, strerror(EIO));
	if (!code)
		code = pprof_read((struct span){ data, len }, path, ret, err);
	if (in)
		fclose(in);
	free(data);
	return code;
}

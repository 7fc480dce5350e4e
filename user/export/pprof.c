// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pprof: gzipped profile.proto. Source of the rules: proto/profile.proto of
 * google/pprof, and what its parser checks (profile.CheckValid: ids are not 0, every
 * sample has as many values as there are sample types).
 *
 * - Sample types are the measured ones: alloc_objects, alloc_space when an allocator was captured
 *   (or nothing was), rss_space when RSS was. rss_space is signed.
 * - One sample per row, told apart by the labels source, type (if known) and, with several
 *   targets, pid.
 * - A location keeps the address it had in the target; its lines are the inlined frames,
 *   innermost first. Where we have no symbol the function is "[module+0xOFFSET]", and the
 *   mapping does not claim functions, so pprof can still find names if it has the file.
 * - The mapping of the first target's executable comes first: pprof takes that as the program's.
 * - A stack that was lost is one location "[lost stack]", so that samples add up.
 * - What was lost stands in comments (pprof -comments).
 * - Strings are UTF-8 without control characters: protobuf libraries refuse anything else, and
 *   `pprof -top` prints names as they are.
 *
 * The message is written field by field through the compressor, samples first; strings,
 * which number themselves as they are met, last. Their order in the file is free.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/hmap.h"
#include "base/pprof_proto.h"
#include "base/protow.h"
#include "base/units.h"
#include "export/formats.h"
#include "profile/frames.h"
#include "profile/timeline.h"

/*
 * The doors of the allocators, as pprof drops them: with what they call, so that `-top` names their callers,
 * as it does for Go's own heap profiles. They stay in the file (`go tool pprof -raw`).
 */
#define DROP_FRAMES                                                                                                     \
	"runtime\\.(mallocgc.*|newobject|newarray|makeslice.*|growslice.*|makechan.*|makemap.*|mapassign.*|hashGrow|"     \
	"makeBucketArray|rawstring.*|rawbyteslice|rawruneslice|slicebytetostring|stringtoslice.*|concatstring.*|convT.*|"   \
	"intstring|slicerunetostring)|"                                                                                     \
	"malloc|calloc|realloc|reallocarray|posix_memalign|aligned_alloc|memalign|p?valloc|operator new.*"

#define FLUSH_BYTES (64u << 10)

/* In the order in which Go's heap profiles have them. */
static const enum metric types[] = { METRIC_ALLOC_OBJECTS, METRIC_ALLOC_BYTES, METRIC_LIVE_OBJECTS, METRIC_LIVE_BYTES,
				     METRIC_RSS_BYTES };

#define N_TYPES (sizeof(types) / sizeof(types[0]))

/* What frames told about a module. */
struct mapping_facts {
	bool used, functions, files, lines, inlines;
};

struct pprof {
	const struct profile *prof;
	const struct export_opts *opts;
	FILE *out;
	struct protow w;
	z_stream z;
	uint8_t *zbuf; /* FLUSH_BYTES */
	struct names names; /* the string table: ids are indices */
	struct hmap *functions; /* {name, file} -> id - 1 */
	bool *loc_used; /* by location */
	bool lost_used; /* the location of lost stacks */
	struct mapping_facts *facts; /* by module */
};

struct function_key {
	uint32_t name, file;
};

/* What is in the protobuf buffer goes to the compressor, its output to the file. */
static int flush(struct pprof *p, int how)
{
	int zerr;

	p->z.next_in = p->w.data;
	p->z.avail_in = (uInt)p->w.len;
	do {
		p->z.next_out = p->zbuf;
		p->z.avail_out = FLUSH_BYTES;
		zerr = deflate(&p->z, how);
		if (zerr == Z_STREAM_ERROR)
			return -EIO;
		fwrite(p->zbuf, 1, FLUSH_BYTES - p->z.avail_out, p->out);
	} while (p->z.avail_out == 0);
	protow_reset(&p->w);
	return 0;
}

/* Between two fields of Profile. */
static int field_done(struct pprof *p)
{
	if (p->w.err || p->names.err)
		return p->w.err ? p->w.err : p->names.err;
	return p->w.len >= FLUSH_BYTES ? flush(p, Z_NO_FLUSH) : 0;
}

static uint32_t str(struct pprof *p, const char *s)
{
	return names_add(&p->names, s, 0, 0);
}

static void put_value_type(struct pprof *p, uint32_t field, enum metric metric)
{
	const struct sample_type type = sample_type(metric);
	size_t open = protow_open(&p->w, field);

	protow_u64(&p->w, VALUE_TYPE_TYPE, str(p, type.type));
	protow_u64(&p->w, VALUE_TYPE_UNIT, str(p, type.unit));
	protow_close(&p->w, open);
}

static void put_comment(struct pprof *p, const char *text)
{
	protow_u64(&p->w, PROFILE_COMMENT, str(p, text));
}

/* Only stacks have a place in the format: what RSS did as a whole, and when, is told here. */
static void put_rss_comments(struct pprof *p)
{
	const struct profile *prof = p->prof;
	const struct prof_counts sum = profile__sum(prof, SOURCE_RSS, p->opts->window);
	const struct prof_moved moved = prof_rss_moved(&sum);
	const struct timeline *tl = prof->timeline;
	uint64_t start = 0, now = 0;
	char buf[1024];
	size_t len;

	if (!prof->rss_method)
		return;
	for (uint32_t i = 0; i < prof->ntargets; i++) {
		start += p->opts->window == WINDOW_INTERVAL ? prof->targets[i].rss_marked_bytes : prof->targets[i].rss_start_bytes;
		now += prof->targets[i].rss_now_bytes;
	}
	len = (size_t)snprintf(buf, sizeof(buf), "rss by %s: start %llu, end %llu", rss_method_name(prof->rss_method),
			       (unsigned long long)start, (unsigned long long)now);
	if (prof->rss_method >= RSS_BY_FAULTS)
		len += (size_t)snprintf(buf + len, sizeof(buf) - len, ", grown %llu, unexplained %lld",
					(unsigned long long)moved.grown_bytes,
					(long long)(now - start - moved.grown_bytes + moved.released_bytes));
	if (prof->rss_method == RSS_BY_COUNTERS)
		snprintf(buf + len, sizeof(buf) - len, ", released %llu", (unsigned long long)moved.released_bytes);
	put_comment(p, buf);
	len = (size_t)snprintf(buf, sizeof(buf), "rss timeline (seconds:KiB)");
	for (size_t i = 0; tl && i < tl->n && len < sizeof(buf); i++)
		len += (size_t)snprintf(buf + len, sizeof(buf) - len, " %.1f:%llu",
					((double)tl->points[i].unix_ns - (double)prof->start_unix_ns) / 1e9,
					(unsigned long long)(tl->points[i].rss_bytes >> 10));
	if (tl && tl->n)
		put_comment(p, buf);
}

static void put_comments(struct pprof *p)
{
	const struct profile *prof = p->prof;
	uint64_t before, count;
	char buf[512];

	snprintf(buf, sizeof(buf), "%s, mode %s, Linux %s", p->opts->tool, prof->mode, prof->kernel);
	put_comment(p, buf);
	put_rss_comments(p);
	for (uint32_t i = 0; i < prof->nlosses; i++) {
		before = p->opts->window == WINDOW_INTERVAL ? prof->losses[i].marked : 0;
		count = prof->losses[i].count - before;
		if (!count)
			continue;
		snprintf(buf, sizeof(buf), "lost %s: %llu (%s)", prof->losses[i].name, (unsigned long long)count,
			 prof->losses[i].text);
		put_comment(p, buf);
	}
}

static void put_head(struct pprof *p)
{
	const bool has_live = has_sample_type(p->prof, METRIC_LIVE_BYTES);
	const enum metric period = has_sample_type(p->prof, METRIC_ALLOC_BYTES) ? METRIC_ALLOC_BYTES : METRIC_RSS_BYTES;
	struct protow *w = &p->w;

	for (size_t i = 0; i < N_TYPES; i++) {
		if (has_sample_type(p->prof, types[i]))
			put_value_type(p, PROFILE_SAMPLE_TYPE, types[i]);
	}
	protow_u64(w, PROFILE_DEFAULT_SAMPLE_TYPE, str(p, sample_type(has_live ? METRIC_LIVE_BYTES : period).type));
	protow_u64(w, PROFILE_TIME_NANOS, window_start_ns(p->prof, p->opts->window));
	protow_u64(w, PROFILE_DURATION_NANOS, p->prof->now_unix_ns - window_start_ns(p->prof, p->opts->window));
	put_value_type(p, PROFILE_PERIOD_TYPE, period);
	protow_u64(w, PROFILE_PERIOD, 1); /* every byte is counted */
	put_comments(p);
	protow_u64(&p->w, PROFILE_DROP_FRAMES, str(p, DROP_FRAMES));
}

/* See sample_labels(): the program's own as runtime/pprof writes them. */
static void put_label(void *ctx, bool ours, const char *key, const char *value)
{
	struct pprof *p = ctx;
	size_t open;

	(void)ours;
	if (!*value)
		return;
	open = protow_open(&p->w, SAMPLE_LABEL);
	protow_u64(&p->w, LABEL_KEY, str(p, key));
	protow_u64(&p->w, LABEL_STR, str(p, value));
	protow_close(&p->w, open);
}

static void put_sample(struct pprof *p, const struct prof_row *row, const struct prof_counts *counts)
{
	const struct prof_stack *stack = &p->prof->stacks[row->stack];
	size_t sample = protow_open(&p->w, PROFILE_SAMPLE), packed;

	packed = protow_open(&p->w, SAMPLE_LOCATION_ID);
	for (uint32_t i = 0; i < stack->nlocs; i++) {
		uint32_t loc = p->prof->stack_locs[stack->first + i];

		p->loc_used[loc] = true;
		protow_varint(&p->w, (uint64_t)loc + 1);
	}
	if (!stack->nlocs) {
		p->lost_used = true;
		protow_varint(&p->w, (uint64_t)p->prof->nlocs + 1);
	}
	protow_close(&p->w, packed);
	packed = protow_open(&p->w, SAMPLE_VALUE);
	for (size_t i = 0; i < N_TYPES; i++) {
		if (has_sample_type(p->prof, types[i]))
			protow_varint(&p->w, (uint64_t)sample_value(counts, types[i]));
	}
	protow_close(&p->w, packed);
	sample_labels(p->prof, row, put_label, p);
	protow_close(&p->w, sample);
}

static int put_samples(struct pprof *p)
{
	struct prof_counts counts;
	int err = 0;

	for (uint32_t i = 0; i < p->prof->nrows && !err; i++) {
		if (!sample_counts(&p->prof->rows[i], p->opts->window, &counts))
			continue;
		put_sample(p, &p->prof->rows[i], &counts);
		err = field_done(p);
	}
	return err;
}

/* A Line of the location that is open. */
static int put_line(struct pprof *p, const char *func, const char *file, uint32_t line)
{
	struct function_key key = { str(p, func), str(p, file) };
	uint32_t id = hmap__add(p->functions, &key, NULL);
	size_t open;

	if (id == HMAP_NONE)
		return -ENOMEM;
	open = protow_open(&p->w, LOCATION_LINE);
	protow_u64(&p->w, LINE_FUNCTION_ID, (uint64_t)id + 1);
	protow_u64(&p->w, LINE_LINE, line);
	protow_close(&p->w, open);
	return 0;
}

static int put_location(struct pprof *p, uint32_t index)
{
	const struct prof_loc *loc = &p->prof->locs[index];
	size_t open = protow_open(&p->w, PROFILE_LOCATION);
	struct mapping_facts none = { 0 }, *facts = &none;
	struct frame_view view;
	int err = 0;

	if (loc->module != PROF_NONE)
		facts = &p->facts[loc->module];
	facts->used = true;
	protow_u64(&p->w, LOCATION_ID, (uint64_t)index + 1);
	protow_u64(&p->w, LOCATION_MAPPING_ID, loc->module == PROF_NONE ? 0 : (uint64_t)loc->module + 1);
	protow_u64(&p->w, LOCATION_ADDRESS, loc->addr);
	for (uint32_t i = 0; i < prof_loc_nframes(p->prof, index) && !err; i++) {
		prof_loc_frame(p->prof, index, i, &view);
		facts->functions |= !(view.flags & FRAME_UNKNOWN);
		facts->files |= *view.file != 0;
		facts->lines |= view.line != 0;
		facts->inlines |= (view.flags & FRAME_INLINED) != 0;
		err = put_line(p, view.func, view.file, view.line);
	}
	protow_close(&p->w, open);
	return err;
}

static int put_locations(struct pprof *p)
{
	size_t open;
	int err = 0;

	for (uint32_t i = 0; i < p->prof->nlocs && !err; i++) {
		if (!p->loc_used[i])
			continue;
		err = put_location(p, i);
		if (!err)
			err = field_done(p);
	}
	if (!err && p->lost_used) {
		open = protow_open(&p->w, PROFILE_LOCATION);
		protow_u64(&p->w, LOCATION_ID, (uint64_t)p->prof->nlocs + 1);
		err = put_line(p, LOST_STACK_NAME, "", 0);
		protow_close(&p->w, open);
	}
	return err;
}

static void put_mapping(struct pprof *p, uint32_t index)
{
	const struct prof_module *mod = &p->prof->modules[index];
	const struct mapping_facts *facts = &p->facts[index];
	size_t open;

	if (!facts->used)
		return;
	open = protow_open(&p->w, PROFILE_MAPPING);
	protow_u64(&p->w, MAPPING_ID, (uint64_t)index + 1);
	protow_u64(&p->w, MAPPING_START, mod->start);
	protow_u64(&p->w, MAPPING_LIMIT, mod->end);
	protow_u64(&p->w, MAPPING_OFFSET, mod->file_off);
	protow_u64(&p->w, MAPPING_FILENAME, str(p, strtab__get(p->prof->strs, mod->path)));
	protow_u64(&p->w, MAPPING_BUILD_ID, str(p, strtab__get(p->prof->strs, mod->build_id)));
	protow_bool(&p->w, MAPPING_HAS_FUNCTIONS, facts->functions);
	protow_bool(&p->w, MAPPING_HAS_FILENAMES, facts->files);
	protow_bool(&p->w, MAPPING_HAS_LINE_NUMBERS, facts->lines);
	protow_bool(&p->w, MAPPING_HAS_INLINE_FRAMES, facts->inlines);
	protow_close(&p->w, open);
}

static int put_mappings(struct pprof *p)
{
	const struct profile *prof = p->prof;
	uint32_t exe = prof->ntargets ? prof->targets[0].exe : 0, first = PROF_NONE;
	int err = 0;

	for (uint32_t i = 0; i < prof->nmodules && first == PROF_NONE; i++) {
		if (exe && prof->modules[i].path == exe)
			first = i;
	}
	if (first != PROF_NONE)
		put_mapping(p, first);
	for (uint32_t i = 0; i < prof->nmodules && !err; i++) {
		if (i != first)
			put_mapping(p, i);
		err = field_done(p);
	}
	return err;
}

static int put_functions(struct pprof *p)
{
	const struct function_key *key;
	size_t open;
	int err = 0;

	for (uint32_t i = 0; i < hmap__len(p->functions) && !err; i++) {
		key = hmap__key(p->functions, i);
		open = protow_open(&p->w, PROFILE_FUNCTION);
		protow_u64(&p->w, FUNCTION_ID, (uint64_t)i + 1);
		protow_u64(&p->w, FUNCTION_NAME, key->name);
		protow_u64(&p->w, FUNCTION_SYSTEM_NAME, key->name);
		protow_u64(&p->w, FUNCTION_FILENAME, key->file);
		protow_close(&p->w, open);
		err = field_done(p);
	}
	return err;
}

static int put_strings(struct pprof *p)
{
	int err = 0;

	for (uint32_t i = 0; i < strtab__len(p->names.strs) && !err; i++) {
		protow_str(&p->w, PROFILE_STRING_TABLE, strtab__get(p->names.strs, i));
		err = field_done(p);
	}
	return err;
}

static int put_profile(struct pprof *p)
{
	int err;

	put_head(p);
	err = put_samples(p);
	if (!err)
		err = put_locations(p);
	if (!err)
		err = put_mappings(p);
	if (!err)
		err = put_functions(p);
	if (!err)
		err = put_strings(p);
	if (!err)
		err = p->w.err ? p->w.err : p->names.err;
	return err ? err : flush(p, Z_FINISH);
}

static int open_pprof(struct pprof *p)
{
	int err = names_init(&p->names);

	if (err)
		return err;
	err = hmap__new(sizeof(struct function_key), &p->functions);
	if (err)
		return err;
	p->zbuf = malloc(FLUSH_BYTES);
	p->loc_used = calloc((size_t)p->prof->nlocs + 1, sizeof(*p->loc_used));
	p->facts = calloc((size_t)p->prof->nmodules + 1, sizeof(*p->facts));
	if (!p->zbuf || !p->loc_used || !p->facts)
		return -ENOMEM;
	/* 15 + 16: the largest window, with gzip's header (which has no time in it: equal profiles are equal files). */
	return deflateInit2(&p->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK ?
		       0 :
		       -ENOMEM;
}

int pprof_write(const struct profile *prof, const struct export_opts *opts, FILE *out)
{
	struct pprof p = { .prof = prof, .opts = opts, .out = out };
	int err;

	protow_init(&p.w);
	err = open_pprof(&p);
	if (!err)
		err = put_profile(&p);
	deflateEnd(&p.z); /* refuses one that was never begun */
	protow_free(&p.w);
	names_free(&p.names);
	hmap__free(p.functions);
	free(p.zbuf);
	free(p.loc_used);
	free(p.facts);
	return err;
}

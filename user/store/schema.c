// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/schema.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define COLUMN(type, member, kind, name, doc) { name, kind, offsetof(struct type, member), doc, NULL }

static const struct column run_columns[] = {
	COLUMN(run_record, tool, COLUMN_TEXT, "tool", "what recorded"),
	COLUMN(run_record, kernel, COLUMN_TEXT, "kernel", "release of the kernel"),
	COLUMN(run_record, mode, COLUMN_TEXT, "mode", "exact: every allocation was counted"),
	COLUMN(run_record, host, COLUMN_TEXT, "host", "name of the machine"),
	COLUMN(run_record, when, COLUMN_TEXT, "when_text", "the condition around which rows are kept; empty: always"),
	COLUMN(run_record, start_unix_ns, COLUMN_COUNT, "start_unix_ns", "when the probes were armed"),
	COLUMN(run_record, interval_ns, COLUMN_COUNT, "interval_ns", "how long an interval was meant to be"),
	COLUMN(run_record, end_unix_ns, COLUMN_COUNT, "end_unix_ns", "when it ended; 0: not in order, or it still runs"),
	COLUMN(run_record, ending, COLUMN_TEXT, "ending", "why it ended; empty: not in order, or it still runs"),
	COLUMN(run_record, has_goroutines, COLUMN_BOOL, "has_goroutines", "were goroutines counted?"),
	COLUMN(run_record, has_rss_kinds, COLUMN_BOOL, "has_rss_kinds", "is it known what RSS was made of?"),
	COLUMN(run_record, has_touches, COLUMN_BOOL, "has_touches", "was it looked for, who had asked for memory that became resident?"),
	COLUMN(run_record, rss_method, COLUMN_INT, "rss_method", "0 RSS was not watched, 1 by /proc, 2 by page faults (an estimate), 3 by the kernel's counters"),
};

static const struct column text_columns[] = {
	COLUMN(text_record, text, COLUMN_TEXT, "text", "as it came from the target: it may hold control characters"),
};

static const struct column name_columns[] = {
	COLUMN(text_record, text, COLUMN_TEXT, "name", "its name"),
};

static const struct column module_columns[] = {
	COLUMN(prof_module, path, COLUMN_STRING, "path", "string: path of the file"),
	COLUMN(prof_module, name, COLUMN_STRING, "name", "string: its last part"),
	COLUMN(prof_module, build_id, COLUMN_STRING, "build_id", "string: hex; empty: it has none"),
	COLUMN(prof_module, start, COLUMN_ADDR, "start", "where a target had its code mapped"),
	COLUMN(prof_module, end, COLUMN_ADDR, "end", "the first address behind it"),
	COLUMN(prof_module, file_off, COLUMN_ADDR, "file_off", "offset of start in the file"),
};

static const struct column loc_columns[] = {
	COLUMN(prof_loc, module, COLUMN_REF, "module", "module; NULL: in none"),
	COLUMN(prof_loc, vaddr, COLUMN_ADDR, "vaddr", "ELF address for look-ups: a return address less one, others as they are"),
	COLUMN(prof_loc, addr, COLUMN_ADDR, "addr", "as it stood in the target"),
};

static const struct column frame_columns[] = {
	COLUMN(prof_frame, func, COLUMN_STRING, "func", "string: function; empty: no symbol"),
	COLUMN(prof_frame, file, COLUMN_STRING, "file", "string: source file; empty: not known"),
	COLUMN(prof_frame, line, COLUMN_U32, "line", "0: not known"),
	COLUMN(prof_frame, flags, COLUMN_U32, "flags", "1 inlined into the next, 2 plumbing of an allocator or runtime, 4 no symbol, 8 kernel"),
};

static const struct column stack_columns[] = {
	COLUMN(prof_stack, flags, COLUMN_U32, "flags", "1 lost, 2 too deep, 4 broken off, 8 by frame pointers, 16 by unwind tables, 32 another task's doing"),
};

static const struct column stack_loc_columns[] = {
	COLUMN(stack_loc_record, loc, COLUMN_U32, "loc", "loc"),
};

static const struct column context_columns[] = {
	COLUMN(context_record, typing, COLUMN_INT, "typing", "0 nobody asked, 1 memory without pointers, 2 a type of the program, 3 a kind"),
	COLUMN(context_record, type_module, COLUMN_REF, "type_module", "module that has the type's descriptor; NULL: made at run time"),
	COLUMN(context_record, type_vaddr, COLUMN_ADDR, "type_vaddr", "its address there; the name is in table row"),
	COLUMN(context_record, kind, COLUMN_STRING, "kind", "string: what it is in one word"),
	COLUMN(context_record, creator, COLUMN_REF, "creator", "loc of the go statement that made the goroutine"),
	COLUMN(context_record, labels, COLUMN_STRING, "labels", "string: pprof labels, KEY x1f VALUE x1e ..."),
};

static const struct column target_columns[] = {
	COLUMN(prof_target, comm, COLUMN_STRING, "comm", "string: name of the process"),
	COLUMN(prof_target, exe, COLUMN_STRING, "exe", "string: path of its program"),
	COLUMN(prof_target, runtime, COLUMN_STRING, "runtime", "string: go1.19.8 or native"),
	COLUMN(prof_target, rss_start_bytes, COLUMN_COUNT, "rss_start_bytes", "RSS when the probes were armed"),
};

static const struct column row_columns[] = {
	COLUMN(prof_row, pid, COLUMN_U32, "pid", "target"),
	COLUMN(prof_row, source, COLUMN_INT, "source", "source"),
	COLUMN(prof_row, context, COLUMN_U32, "context", "context"),
	COLUMN(prof_row, type, COLUMN_STRING, "type", "string: name of the type or kind; empty: not known"),
	COLUMN(prof_row, stack, COLUMN_U32, "stack", "stack"),
	COLUMN(prof_row, total.alloc_objects, COLUMN_COUNT, "alloc_objects", "allocations since the attach"),
	COLUMN(prof_row, total.alloc_bytes, COLUMN_COUNT, "alloc_bytes", "their bytes; of Go as the runtime charges them"),
	COLUMN(prof_row, total.requested_bytes, COLUMN_COUNT, "requested_bytes", "what was asked for"),
	COLUMN(prof_row, total.free_objects, COLUMN_COUNT, "free_objects", "given back, where frees are counted"),
	COLUMN(prof_row, total.free_bytes, COLUMN_COUNT, "free_bytes", "their bytes"),
	COLUMN(prof_row, total.rss[RSS_FILE].grown_bytes, COLUMN_COUNT, "file_grown_bytes", "pages of files that were added"),
	COLUMN(prof_row, total.rss[RSS_FILE].released_bytes, COLUMN_COUNT, "file_released_bytes", "and given back"),
	COLUMN(prof_row, total.rss[RSS_ANON].grown_bytes, COLUMN_COUNT, "anon_grown_bytes", "anonymous pages that were added"),
	COLUMN(prof_row, total.rss[RSS_ANON].released_bytes, COLUMN_COUNT, "anon_released_bytes", "and given back"),
	COLUMN(prof_row, total.rss[RSS_SWAP].grown_bytes, COLUMN_COUNT, "swap_grown_bytes", "pages moved out to swap (in no RSS)"),
	COLUMN(prof_row, total.rss[RSS_SWAP].released_bytes, COLUMN_COUNT, "swap_released_bytes", "and back"),
	COLUMN(prof_row, total.rss[RSS_SHMEM].grown_bytes, COLUMN_COUNT, "shmem_grown_bytes", "shared memory that was added"),
	COLUMN(prof_row, total.rss[RSS_SHMEM].released_bytes, COLUMN_COUNT, "shmem_released_bytes", "and given back"),
	COLUMN(prof_row, total.live_objects, COLUMN_REAL, "live_objects", "what is still there; an estimate where objects are sampled"),
	COLUMN(prof_row, total.live_bytes, COLUMN_REAL, "live_bytes", "its bytes"),
	COLUMN(prof_row, total.live_objects_var, COLUMN_REAL, "live_objects_var", "variance of the estimate; the standard error is its root"),
	COLUMN(prof_row, total.live_bytes_var, COLUMN_REAL, "live_bytes_var", "the same of the bytes"),
	COLUMN(prof_row, total.peak_objects, COLUMN_REAL, "peak_objects", "live when most was live"),
	COLUMN(prof_row, total.peak_bytes, COLUMN_REAL, "peak_bytes", "its bytes"),
	COLUMN(prof_row, total.peak_rss_bytes, COLUMN_SIGNED, "peak_rss_bytes", "RSS added until RSS was highest"),
	COLUMN(prof_row, total.aged_objects, COLUMN_COUNT, "aged_objects", "live objects whose age is known"),
	COLUMN(prof_row, total.oldest_s, COLUMN_REAL, "oldest_s", "age of the oldest of them"),
	COLUMN(prof_row, total.median_age_s, COLUMN_REAL, "median_age_s", "and of the median"),
	COLUMN(prof_row, goroutines, COLUMN_COUNT, "goroutines", "whose first allocation seen was one of these, if they are counted"),
};

static const struct column touch_columns[] = {
	COLUMN(touch_record, row, COLUMN_U32, "row", "row of source rss that made it resident"),
	COLUMN(touch_record, touch.source, COLUMN_INT, "source", "source: a block, an object, or the mapping that it lies in"),
	COLUMN(touch_record, touch.stack, COLUMN_U32, "stack", "stack that had asked for the memory"),
	COLUMN(touch_record, touch.bytes, COLUMN_COUNT, "bytes", "since the attach"),
};

static const struct column loss_columns[] = {
	COLUMN(loss_record, name, COLUMN_TEXT, "name", "its name"),
	COLUMN(loss_record, text, COLUMN_TEXT, "text", "what it means"),
	COLUMN(loss_record, is_note, COLUMN_BOOL, "is_note", "nothing is missing from the counts"),
};

static const struct column peak_columns[] = {
	COLUMN(prof_peak, measured, COLUMN_BOOL, "measured", "was it asked for?"),
	COLUMN(prof_peak, bytes, COLUMN_REAL, "bytes", "at the highest snapshot"),
	COLUMN(prof_peak, objects, COLUMN_REAL, "objects", "at the highest snapshot"),
	COLUMN(prof_peak, unix_ns, COLUMN_COUNT, "unix_ns", "when that was"),
	COLUMN(prof_peak, snapshots, COLUMN_COUNT, "snapshots", "that were higher than all before"),
	COLUMN(prof_peak, high_bytes, COLUMN_COUNT, "high_bytes", "the most at a time, also between snapshots; 0: not known"),
};

static const struct column interval_columns[] = {
	COLUMN(interval_record, unix_ns, COLUMN_COUNT, "unix_ns", "its end"),
	COLUMN(interval_record, cost.hits, COLUMN_COUNT, "hits", "probes hit since the attach"),
	COLUMN(interval_record, cost.trap_ns, COLUMN_COUNT, "trap_ns", "CPU time that the traps took since the attach"),
	COLUMN(interval_record, cost.bpf_ns, COLUMN_COUNT, "bpf_ns", "and the programs behind them"),
	COLUMN(interval_record, has_rows, COLUMN_BOOL, "has_rows", "0: its history was added to that of the next interval that has some"),
	COLUMN(interval_record, is_kept, COLUMN_BOOL, "is_kept", "the condition held nearby"),
	COLUMN(interval_record, has_hugetlb, COLUMN_BOOL, "has_hugetlb", "is it known what there was of hugetlbfs?"),
	COLUMN(interval_record, hugetlb_bytes, COLUMN_COUNT, "hugetlb_bytes", "memory of hugetlbfs, which is in no RSS"),
};

static const struct column target_at_columns[] = {
	COLUMN(target_at_record, rss_bytes, COLUMN_COUNT, "rss_bytes", "RSS at the end of the interval"),
	COLUMN(target_at_record, cpu_ns, COLUMN_COUNT, "cpu_ns", "CPU time since the attach"),
	COLUMN(target_at_record, exit_code, COLUMN_INT, "exit_code", "-1 it runs, -2 it ended and nobody knows how, else its exit code or 128 + signal"),
	COLUMN(target_at_record, has_go_rss, COLUMN_BOOL, "has_go_rss", "a Go program whose memory was looked at: go_* mean something"),
	COLUMN(target_at_record, go_rss_unknown, COLUMN_STRING, "go_unknown", "string: why they do not; empty: they do"),
	COLUMN(target_at_record, go_rss.heap_inuse_bytes, COLUMN_COUNT, "go_heap_inuse_bytes", "in use by spans of the heap"),
	COLUMN(target_at_record, go_rss.heap_idle_bytes, COLUMN_COUNT, "go_heap_idle_bytes", "kept for spans to come"),
	COLUMN(target_at_record, go_rss.heap_released_bytes, COLUMN_COUNT, "go_heap_released_bytes", "of these given back"),
	COLUMN(target_at_record, go_rss.objects_bytes, COLUMN_COUNT, "go_objects_bytes", "objects, garbage that was not swept included"),
	COLUMN(target_at_record, go_rss.objects_missing_bytes, COLUMN_COUNT, "go_objects_missing_bytes", "that may be missing in it"),
	COLUMN(target_at_record, go_rss.stacks_bytes, COLUMN_COUNT, "go_stacks_bytes", "stacks of goroutines"),
	COLUMN(target_at_record, go_rss.gc_work_bytes, COLUMN_COUNT, "go_gc_work_bytes", "work buffers of the GC"),
	COLUMN(target_at_record, go_rss.runtime_bytes, COLUMN_COUNT, "go_runtime_bytes", "the runtime's books"),
	COLUMN(target_at_record, go_rss.runtime_used_bytes, COLUMN_COUNT, "go_runtime_used_bytes", "of these what was written to"),
	COLUMN(target_at_record, go_rss.rss_bytes, COLUMN_COUNT, "go_rss_bytes", "RSS when that was looked at"),
	COLUMN(target_at_record, go_rss.arenas_bytes, COLUMN_COUNT, "go_arenas_bytes", "pages in the arenas of the heap"),
	COLUMN(target_at_record, go_rss.arenas_lazy_bytes, COLUMN_COUNT, "go_arenas_lazy_bytes", "of these given back by MADV_FREE"),
	COLUMN(target_at_record, go_rss.arenas_huge_bytes, COLUMN_COUNT, "go_arenas_huge_bytes", "of these in huge pages"),
	COLUMN(target_at_record, go_rss.other_anon_bytes, COLUMN_COUNT, "go_other_anon_bytes", "anonymous pages elsewhere"),
	COLUMN(target_at_record, go_rss.has_cgo, COLUMN_BOOL, "go_has_cgo", "there is C in it"),
};

static const struct column rss_kind_at_columns[] = {
	COLUMN(prof_rss_kind, start_bytes, COLUMN_COUNT, "start_bytes", "when the probes were armed, of all targets"),
	COLUMN(prof_rss_kind, now_bytes, COLUMN_COUNT, "bytes", "at the end of the interval"),
};

static const struct column source_at_columns[] = {
	COLUMN(source_at_record, captured, COLUMN_BOOL, "captured", "was it captured at all?"),
	COLUMN(source_at_record, sum.alloc_objects, COLUMN_COUNT, "alloc_objects", "since the attach"),
	COLUMN(source_at_record, sum.alloc_bytes, COLUMN_COUNT, "alloc_bytes", "since the attach"),
	COLUMN(source_at_record, sum.requested_bytes, COLUMN_COUNT, "requested_bytes", "since the attach"),
	COLUMN(source_at_record, sum.free_objects, COLUMN_COUNT, "free_objects", "since the attach"),
	COLUMN(source_at_record, sum.free_bytes, COLUMN_COUNT, "free_bytes", "since the attach"),
	COLUMN(source_at_record, sum.live_objects, COLUMN_REAL, "live_objects", "at the end of the interval"),
	COLUMN(source_at_record, sum.live_bytes, COLUMN_REAL, "live_bytes", "at the end of the interval"),
	COLUMN(source_at_record, live.measured, COLUMN_BOOL, "live_measured", "else live numbers mean nothing"),
	COLUMN(source_at_record, how, COLUMN_STRING, "live_how", "string: where the live numbers come from"),
	COLUMN(source_at_record, live.rate_bytes, COLUMN_COUNT, "live_rate_bytes", "one sample in so many bytes; 0: every object"),
	COLUMN(source_at_record, live.samples, COLUMN_COUNT, "live_samples", "samples"),
	COLUMN(source_at_record, live.unjudged_bytes, COLUMN_COUNT, "live_unjudged_bytes", "younger than the last garbage collection"),
	COLUMN(source_at_record, live.unsure, COLUMN_COUNT, "live_unsure", "samples looked at too late to be sure"),
	COLUMN(source_at_record, live.before_gone_bytes, COLUMN_COUNT, "before_gone_bytes", "there before the attach, given back since"),
	COLUMN(source_at_record, live.frees_counted, COLUMN_BOOL, "frees_counted", "else free numbers mean nothing"),
	COLUMN(source_at_record, live.ages_known, COLUMN_BOOL, "ages_known", "is it known how old live objects are?"),
	COLUMN(source_at_record, live.high_bytes, COLUMN_COUNT, "live_high_bytes", "the most that was live at a time; 0: not known"),
	COLUMN(source_at_record, live.older_s, COLUMN_REAL, "live_older_s", "what is younger does not count as live"),
};

static const struct column loss_at_columns[] = {
	COLUMN(loss_at_record, count, COLUMN_COUNT, "count", "since the attach"),
};

static const struct column alloc_columns[] = {
	COLUMN(prof_row, total.alloc_objects, COLUMN_COUNT, "objects", "allocations"),
	COLUMN(prof_row, total.alloc_bytes, COLUMN_COUNT, "bytes", "their bytes"),
	{ "waste_bytes", COLUMN_COUNT, offsetof(struct prof_row, total.requested_bytes), "bytes less those that were asked for",
	  "requested_bytes" },
};

static const struct column freed_columns[] = {
	COLUMN(prof_row, total.free_objects, COLUMN_COUNT, "objects", "given back"),
	COLUMN(prof_row, total.free_bytes, COLUMN_COUNT, "bytes", "their bytes"),
};

static const struct column live_columns[] = {
	COLUMN(prof_row, total.live_objects, COLUMN_REAL, "objects", "live more (less, negative) than before"),
	COLUMN(prof_row, total.live_bytes, COLUMN_REAL, "bytes", "their bytes"),
	COLUMN(prof_row, total.live_objects_var, COLUMN_REAL, "objects_var", "by how much the variance grew"),
	COLUMN(prof_row, total.live_bytes_var, COLUMN_REAL, "bytes_var", "the same of the bytes"),
};

static const struct column rss_columns[] = {
	COLUMN(prof_row, total.rss[RSS_ANON].grown_bytes, COLUMN_COUNT, "anon_grown_bytes", "anonymous pages that were added"),
	COLUMN(prof_row, total.rss[RSS_ANON].released_bytes, COLUMN_COUNT, "anon_released_bytes", "and given back"),
	COLUMN(prof_row, total.rss[RSS_FILE].grown_bytes, COLUMN_COUNT, "file_grown_bytes", "pages of files that were added"),
	COLUMN(prof_row, total.rss[RSS_FILE].released_bytes, COLUMN_COUNT, "file_released_bytes", "and given back"),
	COLUMN(prof_row, total.rss[RSS_SHMEM].grown_bytes, COLUMN_COUNT, "shmem_grown_bytes", "shared memory that was added"),
	COLUMN(prof_row, total.rss[RSS_SHMEM].released_bytes, COLUMN_COUNT, "shmem_released_bytes", "and given back"),
	COLUMN(prof_row, total.rss[RSS_SWAP].grown_bytes, COLUMN_COUNT, "swap_grown_bytes", "pages moved out to swap (in no RSS)"),
	COLUMN(prof_row, total.rss[RSS_SWAP].released_bytes, COLUMN_COUNT, "swap_released_bytes", "and back"),
};

static const struct column goroutines_columns[] = {
	COLUMN(prof_row, goroutines, COLUMN_COUNT, "goroutines", "that allocated for the first time"),
};

static const struct column touched_columns[] = {
	COLUMN(prof_touch, bytes, COLUMN_COUNT, "bytes", "that became resident"),
};

#define COLUMNS(name) .columns = name##_columns, .ncolumns = LENGTH(name##_columns)
#define KEY(name, doc) .keys = { name }, .key_docs = { doc }
#define KEYS(name, doc, other, other_doc) .keys = { name, other }, .key_docs = { doc, other_doc }
#define AT_ROW KEY("at", "interval * 2097152 + row")
#define AT_INTERVAL(other, other_doc) KEYS("interval", "interval", other, other_doc)

const struct table store_tables[TABLE__N] = {
	[TABLE_RUN] = { "run", "the recording; one row", KEY("id", "1"), COLUMNS(run) },
	[TABLE_STRING] = { "string", "names; each once", KEY("id", "0 is the empty string, which has no row"), COLUMNS(text) },
	[TABLE_SOURCE] = { "source", "who allocates", KEY("id", "as row.source has it"), COLUMNS(name) },
	[TABLE_RSS_KIND] = { "rss_kind", "kinds of pages", KEY("id", "as rss_kind_at.kind has it"), COLUMNS(name) },
	[TABLE_MODULE] = { "module", "files with code", KEY("id", ""), COLUMNS(module) },
	[TABLE_LOC] = { "loc", "places in code", KEY("id", ""), COLUMNS(loc) },
	[TABLE_FRAME] = { "frame", "functions at a place, the inlined ones first",
			  KEYS("loc", "loc", "pos", "0 is the innermost"), COLUMNS(frame) },
	[TABLE_STACK] = { "stack", "call stacks; each once", KEY("id", ""), COLUMNS(stack) },
	[TABLE_STACK_LOC] = { "stack_loc", "the places of a stack", KEYS("stack", "stack", "pos", "0 is the innermost"),
			      COLUMNS(stack_loc) },
	[TABLE_CONTEXT] = { "context", "what an allocation has besides its stack", KEY("id", ""), COLUMNS(context) },
	[TABLE_TARGET] = { "target", "processes", KEY("pid", ""), COLUMNS(target) },
	[TABLE_ROW] = { "row", "what one stack did, for one process, source and context: totals at the end of the last interval",
			KEY("id", ""), COLUMNS(row) },
	[TABLE_TOUCH] = { "touch", "whose memory it was that a row of source rss made resident", KEY("id", ""), COLUMNS(touch) },
	[TABLE_LOSS] = { "loss", "what could be missing", KEY("id", ""), COLUMNS(loss) },
	[TABLE_PEAK] = { "peak", "when most was there", KEY("id", "0 live blocks of malloc, 1 RSS"), COLUMNS(peak) },
	[TABLE_INTERVAL] = { "interval", "moments at which everything was written; each is the end of an interval",
			     KEY("id", "1, 2, ..."), COLUMNS(interval) },
	[TABLE_TARGET_AT] = { "target_at", "processes at the end of an interval", AT_INTERVAL("pid", "target"),
			      COLUMNS(target_at) },
	[TABLE_RSS_KIND_AT] = { "rss_kind_at", "what RSS was made of at the end of an interval", AT_INTERVAL("kind", "rss_kind"),
				COLUMNS(rss_kind_at) },
	[TABLE_SOURCE_AT] = { "source_at", "sums at the end of an interval", AT_INTERVAL("source", "source"), COLUMNS(source_at) },
	[TABLE_LOSS_AT] = { "loss_at", "losses that grew in an interval", AT_INTERVAL("loss", "loss"), COLUMNS(loss_at) },
	[TABLE_ALLOC] = { "alloc", "allocated in the interval", AT_ROW, COLUMNS(alloc) },
	[TABLE_FREED] = { "freed", "given back in the interval, of what the row allocated", AT_ROW, COLUMNS(freed) },
	[TABLE_LIVE] = { "live", "by how much what is live grew in the interval", AT_ROW, COLUMNS(live) },
	[TABLE_RSS] = { "rss", "pages added and given back in the interval", AT_ROW, COLUMNS(rss) },
	[TABLE_GOROUTINES] = { "goroutines", "goroutines first seen in the interval", AT_ROW, COLUMNS(goroutines) },
	[TABLE_TOUCHED] = { "touched", "made resident in the interval; row is a touch", AT_ROW, COLUMNS(touched) },
};

const char store_views[] =
	"CREATE VIEW stack_frame AS -- the frames of every stack, by name; depth 0 is the innermost place\n"
	"  SELECT sl.stack AS stack, sl.pos AS depth, f.pos AS inlined_depth,\n"
	"    ifnull(func.text, printf('[%s+0x%x]', ifnull(mod.text, 'unknown'), l.vaddr)) AS func,\n"
	"    file.text AS file, f.line AS line, mod.text AS module, ifnull(f.flags, 4) AS flags\n"
	"  FROM stack_loc sl JOIN loc l ON l.id = sl.loc LEFT JOIN frame f ON f.loc = l.id\n"
	"    LEFT JOIN string func ON func.id = f.func LEFT JOIN string file ON file.id = f.file\n"
	"    LEFT JOIN module m ON m.id = l.module LEFT JOIN string mod ON mod.id = m.name;\n"
	"CREATE VIEW named_row AS -- rows with their source, type and blamed function: the innermost that is not plumbing\n"
	"  SELECT r.id AS row, r.pid AS pid, s.name AS source, ty.text AS type, r.stack AS stack,\n"
	"    (SELECT func FROM stack_frame sf WHERE sf.stack = r.stack\n"
	"       ORDER BY (sf.flags & 2) != 0, sf.depth, sf.inlined_depth LIMIT 1) AS func,\n"
	"    r.alloc_objects AS alloc_objects, r.alloc_bytes AS alloc_bytes, r.live_objects AS live_objects,\n"
	"    r.live_bytes AS live_bytes, r.anon_grown_bytes + r.file_grown_bytes + r.shmem_grown_bytes\n"
	"      - r.anon_released_bytes - r.file_released_bytes - r.shmem_released_bytes AS rss_bytes\n"
	"  FROM row r JOIN source s ON s.id = r.source LEFT JOIN string ty ON ty.id = r.type;\n"
	"CREATE VIEW timeline AS -- a line for each interval\n"
	"  SELECT i.id AS interval, datetime(i.unix_ns / 1000000000, 'unixepoch') AS utc,\n"
	"    (i.unix_ns - lag(i.unix_ns, 1, r.start_unix_ns) OVER w) / 1e9 AS seconds,\n"
	"    (SELECT sum(rss_bytes) FROM target_at WHERE interval = i.id) AS rss_bytes,\n"
	"    s.live_bytes AS live_bytes, s.alloc_bytes - lag(s.alloc_bytes, 1, 0) OVER w AS alloc_bytes,\n"
	"    s.alloc_objects - lag(s.alloc_objects, 1, 0) OVER w AS alloc_objects,\n"
	"    (i.trap_ns + i.bpf_ns - lag(i.trap_ns + i.bpf_ns, 1, 0) OVER w) / 1e9 AS cost_s\n"
	"  FROM run r, interval i JOIN (SELECT interval, sum(alloc_bytes) AS alloc_bytes, sum(alloc_objects) AS alloc_objects,\n"
	"    sum(live_bytes) FILTER (WHERE live_measured) AS live_bytes FROM source_at WHERE source < 2 GROUP BY interval) s\n"
	"    ON s.interval = i.id\n"
	"  WINDOW w AS (ORDER BY i.id);\n";

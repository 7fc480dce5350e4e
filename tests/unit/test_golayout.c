// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of runtime layouts against a program built here by the installed Go
 * (and, with ALLOCSNOOP_LAB set, by each toolchain unpacked there): offsets as
 * gdb reads them from its DWARF, rounded sizes as its own MemStats charge them.
 */
#include "go/golayout.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

static const char source[] =
	"package main\n"
	"import (\"context\"; \"fmt\"; \"os\"; \"runtime\"; \"runtime/debug\"; \"runtime/pprof\")\n"
	"var bytes []byte\n"
	"var pointers []*int\n"
	"func charged(f func()) uint64 {\n"
	"	best := ^uint64(0)\n"
	"	for i := 0; i < 5; i++ {\n"
	"		var a, b runtime.MemStats\n"
	"		runtime.ReadMemStats(&a)\n"
	"		f()\n"
	"		runtime.ReadMemStats(&b)\n"
	"		if n := b.TotalAlloc - a.TotalAlloc; n < best { best = n }\n"
	"	}\n"
	"	return best\n"
	"}\n"
	"func main() {\n"
	"	debug.SetGCPercent(-1)\n"
	"	if len(os.Args) > 1 {\n" /* never, but types nobody uses are in no DWARF */
	"		runtime.MemProfile(nil, true)\n"
	"		pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(\"a\", \"b\")))\n"
	"	}\n"
	"	for n := 16; n < 45000; n += 1 + n/90 {\n"
	"		fmt.Println(n, 0, charged(func() { bytes = make([]byte, n) }))\n"
	"		fmt.Println(n/8*8, 1, charged(func() { pointers = make([]*int, n/8) }))\n"
	"	}\n"
	"	for _, n := range []int{512, 520, 32752, 32760, 32768, 32776} {\n"
	"		fmt.Println(n, 0, charged(func() { bytes = make([]byte, n) }))\n"
	"		fmt.Println(n, 1, charged(func() { pointers = make([]*int, n/8) }))\n"
	"	}\n"
	"}\n";

#define ROW(member, expr) { #member, offsetof(struct go_layout, member), sizeof((struct go_layout){ 0 }.member), expr }
#define AT(type, path) "((('" type "' *)0)->" path ")"
#define F(member, type, path) ROW(member, "&" AT(type, path))
#define BYTES(member, type, path) ROW(member, "sizeof" AT(type, path))
#define COUNT(member, type, path) ROW(member, "sizeof" AT(type, path) "/sizeof" AT(type, path "[0]"))

/* What gdb is to evaluate, with names as one version has them: a row of the same member may follow for another. */
static const struct {
	const char *member;
	size_t at, bytes;
	const char *expr;
} fields[] = {
	F(g_stack_lo, "runtime.g", "stack.lo"),
	F(g_stack_hi, "runtime.g", "stack.hi"),
	F(g_stackguard0, "runtime.g", "stackguard0"),
	F(g_m, "runtime.g", "m"),
	F(g_sched_sp, "runtime.g", "sched.sp"),
	F(g_sched_pc, "runtime.g", "sched.pc"),
	F(g_sched_bp, "runtime.g", "sched.bp"),
	F(g_goid, "runtime.g", "goid"),
	F(g_gopc, "runtime.g", "gopc"),
	F(g_startpc, "runtime.g", "startpc"),
	F(g_labels, "runtime.g", "labels"),
	F(g_syscallsp, "runtime.g", "syscallsp"),
	F(g_syscallpc, "runtime.g", "syscallpc"),
	F(g_syscallbp, "runtime.g", "syscallbp"),
	F(g_parent_goid, "runtime.g", "parentGoid"),
	F(g_secret, "runtime.g", "secret"),
	F(m_g0, "runtime.m", "g0"),
	F(m_gsignal, "runtime.m", "gsignal"),
	F(m_procid, "runtime.m", "procid"),
	F(m_curg, "runtime.m", "curg"),
	F(m_p, "runtime.m", "p"),
	F(m_id, "runtime.m", "id"),
	F(m_mallocing, "runtime.m", "mallocing"),
	F(m_locks, "runtime.m", "locks"),
	F(p_id, "runtime.p", "id"),
	F(p_mcache, "runtime.p", "mcache"),
	F(mcache_next_sample, "runtime.mcache", "nextSample"),
	F(mcache_next_sample, "runtime.mcache", "next_sample"),
	F(mcache_tiny, "runtime.mcache", "tiny"),
	F(mcache_tinyoffset, "runtime.mcache", "tinyoffset"),
	F(mcache_tiny_allocs, "runtime.mcache", "tinyAllocs"),
	F(mcache_tiny_allocs, "runtime.mcache", "local_tinyallocs"),
	F(mcache_alloc, "runtime.mcache", "alloc"),
	F(mcache_flush_gen, "runtime.mcache", "flushGen"),
	F(mheap_sweepgen, "runtime.mheap", "sweepgen"),
	F(mheap_pages_in_use, "runtime.mheap", "pagesInUse"),
#ifdef __x86_64__
	F(mheap_arenas_amd64, "runtime.mheap", "heapArenas"),
	F(mheap_arenas_amd64, "runtime.mheap", "allArenas"),
#else
	F(mheap_arenas_arm64, "runtime.mheap", "heapArenas"),
	F(mheap_arenas_arm64, "runtime.mheap", "allArenas"),
#endif
	ROW(mheap_caches_behind_spans, "(long)&" AT("runtime.mheap", "cachealloc") " - (long)&" AT("runtime.mheap", "spanalloc")),
	ROW(fixalloc_bytes, "sizeof('runtime.fixalloc')"),
	F(fixalloc_size, "runtime.fixalloc", "size"),
	F(fixalloc_arg, "runtime.fixalloc", "arg"),
	F(fixalloc_inuse, "runtime.fixalloc", "inuse"),
	F(fixalloc_stat, "runtime.fixalloc", "stat"),
	F(memstats_heap_inuse, "runtime.mstats", "heap_inuse"),
	F(memstats_heap_idle, "runtime.mstats", "heap_idle"),
	F(memstats_heap_released, "runtime.mstats", "heap_released"),
	F(memstats_heap_live, "runtime.mstats", "heap_live"),
	F(memstats_stacks_inuse, "runtime.mstats", "stacks_inuse"),
	F(memstats_stacks_sys, "runtime.mstats", "stacks_sys"),
	F(memstats_mspan_sys, "runtime.mstats", "mspan_sys"),
	F(memstats_mcache_sys, "runtime.mstats", "mcache_sys"),
	F(memstats_buckhash_sys, "runtime.mstats", "buckhash_sys"),
	F(memstats_gc_sys, "runtime.mstats", "gcMiscSys"),
	F(memstats_gc_sys, "runtime.mstats", "gc_sys"),
	F(memstats_other_sys, "runtime.mstats", "other_sys"),
	F(memstats_deltas, "runtime.mstats", "heapStats.stats"),
	COUNT(memstats_ndeltas, "runtime.mstats", "heapStats.stats"),
	ROW(delta_bytes, "sizeof('runtime.heapStatsDelta')"),
	F(delta_committed, "runtime.heapStatsDelta", "committed"),
	F(delta_released, "runtime.heapStatsDelta", "released"),
	F(delta_in_heap, "runtime.heapStatsDelta", "inHeap"),
	F(delta_in_stacks, "runtime.heapStatsDelta", "inStacks"),
	F(delta_in_work_bufs, "runtime.heapStatsDelta", "inWorkBufs"),
	F(delta_in_scalar_bits, "runtime.heapStatsDelta", "inPtrScalarBits"),
	F(delta_large_alloc, "runtime.heapStatsDelta", "largeAlloc"),
	F(delta_large_free, "runtime.heapStatsDelta", "largeFree"),
	F(delta_small_alloc_count, "runtime.heapStatsDelta", "smallAllocCount"),
	F(delta_small_free_count, "runtime.heapStatsDelta", "smallFreeCount"),
	F(mspan_start_addr, "runtime.mspan", "startAddr"),
	F(mspan_npages, "runtime.mspan", "npages"),
	F(mspan_elemsize, "runtime.mspan", "elemsize"),
	F(mspan_spanclass, "runtime.mspan", "spanclass"),
	F(mspan_freeindex, "runtime.mspan", "freeindex"),
	BYTES(mspan_freeindex_bytes, "runtime.mspan", "freeindex"),
	F(mspan_nelems, "runtime.mspan", "nelems"),
	BYTES(mspan_nelems_bytes, "runtime.mspan", "nelems"),
	F(mspan_free_index_for_scan, "runtime.mspan", "freeIndexForScan"),
	BYTES(mspan_free_index_for_scan_bytes, "runtime.mspan", "freeIndexForScan"),
	F(mspan_alloc_cache, "runtime.mspan", "allocCache"),
	F(mspan_alloc_bits, "runtime.mspan", "allocBits"),
	F(mspan_gcmark_bits, "runtime.mspan", "gcmarkBits"),
	F(mspan_sweepgen, "runtime.mspan", "sweepgen"),
	F(mspan_state, "runtime.mspan", "state"),
	ROW(mspan_in_use, "'runtime.mSpanInUse'"),
	F(mspan_specials, "runtime.mspan", "specials"),
	F(special_next, "runtime.special", "next"),
	F(special_offset, "runtime.special", "offset"),
	BYTES(special_offset_bytes, "runtime.special", "offset"),
	F(special_kind, "runtime.special", "kind"),
	ROW(special_kind_profile, "'runtime._KindSpecialProfile'"),
	F(specialprofile_b, "runtime.specialprofile", "b"),
	F(bucket_next, "runtime.bucket", "next"),
	F(bucket_allnext, "runtime.bucket", "allnext"),
	F(bucket_typ, "runtime.bucket", "typ"),
	F(bucket_hash, "runtime.bucket", "hash"),
	F(bucket_size, "runtime.bucket", "size"),
	F(bucket_nstk, "runtime.bucket", "nstk"),
	ROW(bucket_bytes, "sizeof('runtime.bucket')"),
	F(memrecord_active, "runtime.memRecord", "active"),
	F(memrecord_future, "runtime.memRecord", "future"),
	COUNT(memrecord_nfuture, "runtime.memRecord", "future"),
	ROW(memcycle_bytes, "sizeof('runtime.memRecordCycle')"),
	F(memcycle_allocs, "runtime.memRecordCycle", "allocs"),
	F(memcycle_frees, "runtime.memRecordCycle", "frees"),
	F(memcycle_alloc_bytes, "runtime.memRecordCycle", "alloc_bytes"),
	F(memcycle_free_bytes, "runtime.memRecordCycle", "free_bytes"),
	F(labels_list, "runtime/pprof.labelMap", "LabelSet.list"),
	F(labels_list, "runtime/pprof.labelMap", "Set.List"),
	F(hmap_count, "runtime.hmap", "count"),
	F(hmap_b, "runtime.hmap", "B"),
	F(hmap_buckets, "runtime.hmap", "buckets"),
	F(hmap_oldbuckets, "runtime.hmap", "oldbuckets"),
	F(md_text, "runtime.moduledata", "text"),
	F(md_etext, "runtime.moduledata", "etext"),
	F(md_noptrdata, "runtime.moduledata", "noptrdata"),
	F(md_data, "runtime.moduledata", "data"),
	F(md_bss, "runtime.moduledata", "bss"),
	F(md_noptrbss, "runtime.moduledata", "noptrbss"),
	F(md_types, "runtime.moduledata", "types"),
	F(md_etypes, "runtime.moduledata", "etypes"),
	F(md_rodata, "runtime.moduledata", "rodata"),
	F(md_gofunc, "runtime.moduledata", "gofunc"),
	F(type_size, "runtime._type", "size"),
	F(type_size, "internal/abi.Type", "Size_"),
	F(type_ptrdata, "runtime._type", "ptrdata"),
	F(type_ptrdata, "internal/abi.Type", "PtrBytes"),
	F(type_tflag, "runtime._type", "tflag"),
	F(type_tflag, "internal/abi.Type", "TFlag"),
	F(type_kind, "runtime._type", "kind"),
	F(type_kind, "internal/abi.Type", "Kind_"),
	F(type_str, "runtime._type", "str"),
	F(type_str, "internal/abi.Type", "Str"),
};

#define NFIELDS (sizeof(fields) / sizeof(fields[0]))

struct built {
	char dir[64], program[96];
	const struct go_layout *layout;
};

static void built__free(struct built *b)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", b->dir);
	if (system(cmd) != 0)
		fprintf(stderr, "%s: not removed\n", b->dir);
}

/* Minor version of the go command, 0 if it does not run. */
static int go_minor(const char *env)
{
	char cmd[512];
	int minor = 0;
	FILE *out;

	snprintf(cmd, sizeof(cmd), "%s go version 2>/dev/null", env);
	out = popen(cmd, "r");
	if (!out)
		return 0;
	if (fscanf(out, "go version go1.%d", &minor) != 1)
		minor = 0;
	pclose(out);
	return minor;
}

/* @env: assignments in front of the go command. */
static bool build(struct built *b, const char *env)
{
	char cmd[1024], path[128];
	FILE *file;

	*b = (struct built){ .dir = "/tmp/test_golayout.XXXXXX" };
	b->layout = go_layout_for(go_minor(env), NULL, NULL);
	if (!CHECK(b->layout) || !CHECK(mkdtemp(b->dir)))
		return false;
	snprintf(b->program, sizeof(b->program), "%s/program", b->dir);
	snprintf(path, sizeof(path), "%s/main.go", b->dir);
	file = fopen(path, "w");
	if (!CHECK(file))
		return false;
	fputs(source, file);
	fclose(file);
	snprintf(cmd, sizeof(cmd),
		 "cd %s && %s GO111MODULE=off GOTOOLCHAIN=local GOFLAGS= GOEXPERIMENT= CGO_ENABLED=0"
		 " GOCACHE=${GOCACHE:-/tmp/allocsnoop-test-gocache} go build -o program main.go",
		 b->dir, env);
	return CHECK_INT(system(cmd), 0);
}

static void write_gdb_commands(const struct go_layout *layout, FILE *out)
{
	fprintf(out, "set language c\nset confirm off\n");
	for (size_t i = 0; i < NFIELDS; i++)
		fprintf(out, "printf \"field %zu %%ld\\n\", (long)(%s)\n", i, fields[i].expr);
	for (unsigned int i = 0; i < layout->nclasses; i++) {
		fprintf(out, "printf \"class %u %%ld\\n\", (long)'runtime.class_to_size'[%u]\n", i, i);
		fprintf(out, "printf \"class %u %%ld\\n\", (long)'internal/runtime/gc.SizeClassToSize'[%u]\n", i, i);
	}
	fprintf(out, "quit\n");
}

static uint32_t field_of(const struct go_layout *layout, size_t i)
{
	const char *at = (const char *)layout + fields[i].at;

	switch (fields[i].bytes) {
	case 1:
		return *(const uint8_t *)at;
	case 2:
		return *(const uint16_t *)at;
	default:
		return *(const uint32_t *)at;
	}
}

static void check_against_gdb(const struct built *b)
{
	const struct go_layout *layout = b->layout;
	bool seen[NFIELDS] = { false };
	char cmd[512], line[256];
	unsigned int index, nclasses = 0;
	FILE *gdb, *file;
	long value;

	snprintf(cmd, sizeof(cmd), "%s/commands", b->dir);
	file = fopen(cmd, "w");
	if (!CHECK(file))
		return;
	write_gdb_commands(layout, file);
	fclose(file);
	/* From its standard input gdb goes on after a command that failed: a field that is not there. */
	snprintf(cmd, sizeof(cmd), "gdb -nx -q %s <%s/commands 2>%s/errors", b->program, b->dir, b->dir);
	gdb = popen(cmd, "r");
	if (!CHECK(gdb))
		return;
	while (fgets(line, sizeof(line), gdb)) {
		char *at = strstr(line, "field "), *class = strstr(line, "class ");

		if (at && sscanf(at, "field %u %ld", &index, &value) == 2 && index < NFIELDS) {
			if (!CHECK_INT(field_of(layout, index), value))
				fprintf(stderr, "  go1.%d %s\n", layout->minor, fields[index].member);
			for (size_t i = 0; i < NFIELDS; i++)
				seen[i] |= fields[i].at == fields[index].at;
		} else if (class && sscanf(class, "class %u %ld", &index, &value) == 2 && index < layout->nclasses) {
			CHECK_INT(layout->class_to_size[index], value);
			nclasses++;
		}
	}
	pclose(gdb);
	CHECK_INT(nclasses, layout->nclasses);
	for (size_t i = 0; i < NFIELDS; i++) {
		if (!seen[i] && !CHECK_INT(field_of(layout, i), GO_NO_FIELD))
			fprintf(stderr, "  go1.%d has no %s\n", layout->minor, fields[i].member);
	}
}

static void check_rounded(const struct built *b)
{
	unsigned long long size, charged;
	int has_pointers, n = 0;
	FILE *out = popen(b->program, "r");

	if (!CHECK(out))
		return;
	while (fscanf(out, "%llu %d %llu", &size, &has_pointers, &charged) == 3) {
		if (!CHECK_INT(go_layout__rounded(b->layout, size, has_pointers), charged))
			fprintf(stderr, "  go1.%d, %llu bytes, pointers %d\n", b->layout->minor, size, has_pointers);
		n++;
	}
	CHECK_INT(pclose(out), 0);
	CHECK(n > 500);
}

static bool have(const char *program)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null", program);
	return system(cmd) == 0;
}

TEST(installed_go_has_the_offsets_of_the_table)
{
	struct built b;

	if (!have("go") || !have("gdb")) {
		SKIP("go and gdb are needed (packages golang-go, gdb)");
		return;
	}
	if (build(&b, ""))
		check_against_gdb(&b);
	built__free(&b);
}

TEST(installed_go_charges_what_the_table_says)
{
	struct built b;

	if (!have("go")) {
		SKIP("go is needed (package golang-go)");
		return;
	}
	if (build(&b, ""))
		check_rounded(&b);
	built__free(&b);
}

TEST(every_toolchain_of_the_lab)
{
	const char *lab = getenv("ALLOCSNOOP_LAB");
	char path[256], env[600];
	const struct dirent *entry;
	DIR *dir;

	if (!lab || !have("gdb")) {
		SKIP("wants ALLOCSNOOP_LAB (tools/fetch-lab.sh) and gdb");
		return;
	}
	snprintf(path, sizeof(path), "%s/go", lab);
	dir = opendir(path);
	if (!CHECK(dir))
		return;
	while ((entry = readdir(dir))) {
		struct built b;

		if (strncmp(entry->d_name, "1.", 2) != 0)
			continue;
		snprintf(env, sizeof(env), "GOROOT=%s/%.32s PATH=%s/%.32s/bin:$PATH", path, entry->d_name, path,
			 entry->d_name);
		if (build(&b, env)) {
			check_against_gdb(&b);
			check_rounded(&b);
		}
		built__free(&b);
	}
	closedir(dir);
}

TEST(layout_for_picks_version_and_experiment)
{
	const struct go_layout *layout;
	bool is_guess = true;

	CHECK(!go_layout_for(14, NULL, &is_guess));
	CHECK(!go_layout_for(0, "", NULL));
	CHECK(!go_layout_for(-1, NULL, NULL));
	CHECK(is_guess); /* untouched */
	for (int minor = 15; minor <= 27; minor++) {
		layout = go_layout_for(minor, NULL, &is_guess);
		if (CHECK(layout))
			CHECK_INT(layout->minor, minor);
		CHECK(!is_guess);
	}
	layout = go_layout_for(1000, "", &is_guess);
	CHECK(is_guess);
	CHECK_INT(layout->minor, go_layouts[go_nlayouts - 1].minor);

	CHECK(go_layout_for(22, "", NULL)->malloc_headers);
	CHECK(!go_layout_for(22, "noallocheaders", NULL)->malloc_headers);
	CHECK(!go_layout_for(22, "arenas,noallocheaders ", NULL)->malloc_headers);
	CHECK(go_layout_for(22, "arenas,noallocheader,xnoallocheaders", NULL)->malloc_headers);
	CHECK(go_layout_for(23, "noallocheaders", NULL)->malloc_headers);
}

TEST(table_is_sorted_and_plausible)
{
	for (size_t i = 0; i < go_nlayouts; i++) {
		const struct go_layout *layout = &go_layouts[i];

		if (i)
			CHECK(strcmp(layout->experiment, "") == 0 ? layout->minor > layout[-1].minor :
								    layout->minor == layout[-1].minor);
		CHECK_INT(layout->class_to_size[0], 0);
		for (unsigned int c = 1; c < layout->nclasses; c++)
			CHECK(layout->class_to_size[c] > layout->class_to_size[c - 1]);
		CHECK_INT(layout->class_to_size[layout->nclasses - 1], layout->max_small_size);
		CHECK_INT(layout->md_rodata == GO_NO_FIELD, layout->minor < 18);
		CHECK_INT(layout->g_parent_goid == GO_NO_FIELD, layout->minor < 21);
		CHECK_INT(layout->g_syscallbp == GO_NO_FIELD, layout->minor < 23);
		CHECK_INT(layout->mspan_nelems_bytes, layout->minor < 22 ? 8 : 2);
		CHECK_INT(layout->special_offset_bytes, layout->minor < 24 ? 2 : 8);
		CHECK_INT(layout->special_kind_profile, layout->minor < 23 ? 2 : layout->minor < 25 ? 3 : 4);
		CHECK_INT(layout->memcycle_alloc_bytes == GO_NO_FIELD, layout->minor >= 27);
		CHECK_INT(layout->labels_are_list, layout->minor >= 24);
		CHECK_INT(layout->labels_list == GO_NO_FIELD, !layout->labels_are_list);
		CHECK_INT(layout->hmap_b == GO_NO_FIELD, layout->labels_are_list);
	}
	/* runtime/sizeclasses.go: 24 came with 1.16; malloc headers with 1.22 */
	CHECK_INT(go_layout__rounded(go_layout_for(15, NULL, NULL), 17, false), 32);
	CHECK_INT(go_layout__rounded(go_layout_for(16, NULL, NULL), 17, false), 24);
	CHECK_INT(go_layout__rounded(go_layout_for(21, NULL, NULL), 576, true), 576);
	CHECK_INT(go_layout__rounded(go_layout_for(22, NULL, NULL), 576, true), 640);
	CHECK_INT(go_layout__rounded(go_layout_for(22, NULL, NULL), 0, true), 0);
}

TEST_MAIN()

// SPDX-License-Identifier: GPL-2.0-or-later
/* Names for why RSS of a Go program is high: each by numbers that make it sure, none by others. */
#include "export/go_memory.h"

#include "test.h"

#define MIB (1ull << 20)

/* 100 MiB of objects and nothing else. */
static struct go_rss plain(void)
{
	return (struct go_rss){
		.heap_inuse_bytes = 101 * MIB,
		.heap_idle_bytes = 20 * MIB,
		.heap_released_bytes = 20 * MIB,
		.objects_bytes = 100 * MIB,
		.stacks_bytes = MIB,
		.runtime_bytes = 4 * MIB,
		.runtime_used_bytes = MIB,
		.rss_bytes = 110 * MIB,
		.arenas_bytes = 102 * MIB,
		.other_anon_bytes = 3 * MIB,
	};
}

/* The causes of one process as "name MIB, name MIB". */
static const char *causes(const struct go_rss *rss, char text[static 256])
{
	struct profile *prof;
	struct go_memory mem;
	uint32_t target;

	text[0] = 0;
	if (!CHECK(!profile__new(&prof)))
		return text;
	target = profile__add_target(prof, 1);
	prof->targets[target].has_go_rss = true;
	prof->targets[target].go_rss = *rss;
	CHECK(go_memory(prof, &mem));
	CHECK(!mem.unknown);
	for (size_t i = 0; i < mem.ncauses; i++)
		snprintf(text + strlen(text), 256 - strlen(text), "%s%s %llu", i ? ", " : "", mem.causes[i].name,
			 (unsigned long long)(mem.causes[i].bytes / MIB));
	profile__free(prof);
	return text;
}

#define TEXT ((char[256]){ 0 })

TEST(objects_are_no_cause)
{
	struct go_rss rss = plain();

	CHECK_STR(causes(&rss, TEXT), "");
	CHECK_STR(causes(&(struct go_rss){ 0 }, TEXT), "");
}

TEST(fragmentation)
{
	struct go_rss rss = plain();

	rss.objects_bytes = 10 * MIB;
	CHECK_STR(causes(&rss, TEXT), "fragmentation 91");
	/* Not what Ps may have allocated from the spans that they cache. */
	rss.objects_missing_bytes = 70 * MIB;
	CHECK_STR(causes(&rss, TEXT), "fragmentation 21");
	rss.objects_missing_bytes = 90 * MIB;
	CHECK_STR(causes(&rss, TEXT), "");
	/* Spans that were never touched: what is absent may be any part. */
	rss.objects_missing_bytes = 0;
	rss.arenas_bytes = 32 * MIB;
	rss.rss_bytes = 40 * MIB;
	CHECK_STR(causes(&rss, TEXT), "fragmentation 21");
	rss.arenas_bytes = 11 * MIB;
	CHECK_STR(causes(&rss, TEXT), "");
}

TEST(not_scavenged)
{
	struct go_rss rss = plain();

	rss.heap_idle_bytes = 70 * MIB;
	rss.arenas_bytes += 50 * MIB;
	rss.rss_bytes += 50 * MIB;
	CHECK_STR(causes(&rss, TEXT), "not_scavenged 50");
	/* It was never there. */
	rss.arenas_bytes -= 50 * MIB;
	CHECK_STR(causes(&rss, TEXT), "");
	/* More released than there is idle is refused where it is read; here it is nothing. */
	rss.heap_released_bytes = 90 * MIB;
	CHECK_STR(causes(&rss, TEXT), "");
}

TEST(madv_free_pending)
{
	struct go_rss rss = plain();

	rss.arenas_bytes += 20 * MIB;
	rss.rss_bytes += 20 * MIB;
	rss.arenas_lazy_bytes = 20 * MIB;
	CHECK_STR(causes(&rss, TEXT), "madv_free_pending 20");
	/* Lazy pages are there, but are none of those that the runtime counts as its own. */
	rss.heap_released_bytes = 0;
	CHECK_STR(causes(&rss, TEXT), "madv_free_pending 20");
}

TEST(huge_pages)
{
	struct go_rss rss = plain();

	rss.arenas_bytes += 20 * MIB;
	rss.rss_bytes += 20 * MIB;
	CHECK_STR(causes(&rss, TEXT), ""); /* more than the runtime counts, and no huge pages: nobody knows */
	rss.arenas_huge_bytes = 90 * MIB;
	CHECK_STR(causes(&rss, TEXT), "huge_pages 20");
	rss.arenas_huge_bytes = 14 * MIB;
	CHECK_STR(causes(&rss, TEXT), "huge_pages 14");
}

TEST(stacks_and_what_is_not_the_heap)
{
	struct go_rss rss = plain();

	rss.stacks_bytes = 40 * MIB;
	rss.arenas_bytes += 39 * MIB;
	rss.rss_bytes += 39 * MIB;
	CHECK_STR(causes(&rss, TEXT), "goroutine_stacks 40");
	rss = plain();
	rss.runtime_bytes = 60 * MIB;
	rss.other_anon_bytes = 50 * MIB;
	rss.rss_bytes += 47 * MIB;
	CHECK_STR(causes(&rss, TEXT), "off_heap 50");
	/* With C, or more than the runtime can have, it may be another's but for what the runtime has written to. */
	rss.has_cgo = true;
	CHECK_STR(causes(&rss, TEXT), "");
	rss.runtime_used_bytes = 30 * MIB;
	CHECK_STR(causes(&rss, TEXT), "off_heap 30");
	/* More than the runtime can have. */
	rss.runtime_bytes = rss.runtime_used_bytes = 4 * MIB;
	CHECK_STR(causes(&rss, TEXT), "not_go 46");
	rss.has_cgo = false;
	CHECK_STR(causes(&rss, TEXT), "not_go 46");
}

TEST(several_at_once_the_largest_first)
{
	struct go_rss rss = plain();

	rss.objects_bytes = 71 * MIB;
	rss.arenas_lazy_bytes = 20 * MIB;
	rss.arenas_bytes += 20 * MIB;
	rss.other_anon_bytes = 54 * MIB;
	rss.rss_bytes = 180 * MIB;
	CHECK_STR(causes(&rss, TEXT), "not_go 50, fragmentation 30, madv_free_pending 20");
	/* Less than a tenth of RSS, less than 1 MiB: no reason. */
	rss.rss_bytes = 210 * MIB;
	CHECK_STR(causes(&rss, TEXT), "not_go 50, fragmentation 30");
	rss = (struct go_rss){
		.heap_inuse_bytes = MIB, .arenas_bytes = MIB, .objects_bytes = MIB / 8, .rss_bytes = MIB
	};
	CHECK_STR(causes(&rss, TEXT), "");
}

TEST(sums_of_processes)
{
	struct go_rss rss = plain();
	struct profile *prof;
	struct go_memory mem;

	if (!CHECK(!profile__new(&prof)))
		return;
	CHECK(!go_memory(prof, &mem));
	for (uint32_t pid = 1; pid <= 4; pid++)
		profile__add_target(prof, pid);
	CHECK(!go_memory(prof, &mem)); /* no Go program, or not looked at */
	for (int i = 0; i < 3; i++) {
		prof->targets[i].has_go_rss = true;
		prof->targets[i].go_rss = rss;
	}
	prof->targets[2].exit_code = 0; /* it has ended, and has no RSS */
	prof->targets[0].go_rss.objects_bytes = 41 * MIB;
	CHECK(go_memory(prof, &mem));
	CHECK_INT(mem.sum.rss_bytes, 220 * MIB);
	CHECK_INT(mem.sum.heap_inuse_bytes, 202 * MIB);
	CHECK_INT(mem.ncauses, 1);
	CHECK_STR(mem.causes[0].name, "fragmentation");
	/* Each process's own: a small one's free places are there, whatever of another is not. */
	CHECK_INT(mem.causes[0].bytes, 61 * MIB);
	prof->targets[1].go_rss_unknown = "nobody knows";
	CHECK(go_memory(prof, &mem));
	CHECK_STR(mem.unknown, "nobody knows");
	CHECK_INT(mem.unknown_pid, 2);
	CHECK_INT(mem.ncauses, 0);
	profile__free(prof);
}

TEST_MAIN()

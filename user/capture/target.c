// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int target__new(pid_t pid, uint32_t slot, struct target **ret)
{
	struct target *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	err = proc_read_info(pid, &t->info);
	if (err) {
		free(t);
		return err;
	}
	t->slot = slot;
	t->go_module = MODULE_NONE;
	t->exit_code = TARGET_RUNNING;
	snprintf(t->runtime, sizeof(t->runtime), "native");
	*ret = t;
	return 0;
}

static void free_next(struct target *t)
{
	for (size_t i = 0; i < t->nnext; i++)
		aspace__free(&t->next[i]);
	free(t->next);
	t->next = NULL;
	t->nnext = 0;
}

void target__free(struct target *t)
{
	if (!t)
		return;
	aspace__free(&t->as);
	mmaps__free(t->mmaps);
	touches__free(t->touches);
	free_next(t);
	free(t);
}

void target__announce_image(struct target *t)
{
	struct aspace *next = realloc(t->next, (t->nnext + 1) * sizeof(*next));

	if (!next)
		return; /* its frames will have no names */
	t->next = next;
	next[t->nnext++] = (struct aspace){ 0 };
}

/* The file at this path, is it the mapped one? Then there is no need of the process, which may be gone. */
static bool is_our_file(const struct mapping *map)
{
	struct stat st;

	return !stat(map->path, &st) && st.st_ino == map->inode && major(st.st_dev) == map->dev_major &&
	       minor(st.st_dev) == map->dev_minor;
}

uint32_t target__add_mapping(struct target *t, struct modules *mods, const struct mapping *map)
{
	uint32_t module = modules__add(mods, is_our_file(map) ? getpid() : t->info.pid, map);

	if (module != MODULE_NONE)
		aspace__add(t->nnext ? &t->next[t->nnext - 1] : &t->as, map, module);
	return module;
}

void target__begin_image(struct target *t, uint32_t image)
{
	aspace__free(&t->as);
	t->image = image;
	if (!t->nnext)
		return;
	t->as = t->next[0];
	t->nnext--;
	memmove(&t->next[0], &t->next[1], t->nnext * sizeof(*t->next));
}

void target__refresh(struct target *t, struct session *session, struct modules *mods)
{
	bool replaced = false;

	t->may_be_stale = false;
	if (!target__is_running(t) || t->nnext || session__image(session, t->slot) != t->image)
		return;
	if (!aspace__read(&t->as, mods, t->info.pid, &replaced) && replaced)
		session__set_loader(session, t->slot, ++t->loader);
}

static struct proc_rss rss_of_pages(const __s64 pages[static ABI_RSS__N])
{
	const int64_t page_bytes = sysconf(_SC_PAGESIZE);
	struct proc_rss rss = {
		.file_bytes = pages[ABI_RSS_FILE] * page_bytes,
		.anon_bytes = pages[ABI_RSS_ANON] * page_bytes,
		.swap_bytes = pages[ABI_RSS_SWAP] * page_bytes,
		.shmem_bytes = pages[ABI_RSS_SHMEM] * page_bytes,
	};

	rss.rss_bytes = rss.file_bytes + rss.anon_bytes + rss.shmem_bytes;
	return rss;
}

void target__note_counters(struct target *t, struct session *session)
{
	t->has_mm = !session__rss(session, t->slot, &t->mm);
}

/*
 * With the ledger, RSS is the kernel's counters as the programs saw them last: exact, and it costs the
 * target nothing. A process that shares its parent's memory until it executes has none of its own.
 */
static void follow_rss(struct target *t, struct session *session)
{
	struct abi_mm mm = t->mm;

	if (!session__has_rss(session)) {
		target__check_rss(t, session);
	} else if (t->has_mm || !session__rss(session, t->slot, &mm)) {
		t->has_ledger = true;
		/* What a new image began with is a row of the ledger: it starts from nothing. */
		if (!t->has_rss_start && !t->image)
			t->rss_start = rss_of_pages(mm.start_pages);
		t->rss = rss_of_pages(mm.pages);
		t->has_rss_start = true;
		return;
	}
	if (!t->has_rss_start)
		t->rss_start = t->rss;
	t->has_rss_start = true;
}

void target__follow_cpu(struct target *t)
{
	uint64_t cpu = proc_cpu_ns(t->info.pid);

	if (!t->cpu_start_ns)
		t->cpu_start_ns = cpu;
	if (cpu > t->cpu_start_ns)
		t->cpu_ns = cpu - t->cpu_start_ns;
}

void target__follow(struct target *t, struct session *session)
{
	target__follow_cpu(t);
	follow_rss(t, session);
	if (target__is_running(t) && proc_read_hugetlb(t->info.pid, &t->hugetlb_bytes))
		t->has_hugetlb = true;
}

/* Between the two, in pages: as far from the one as from the other. */
static void add_half(__s64 sum[static ABI_RSS__N], const struct abi_mm *mm)
{
	for (int i = 0; i < ABI_RSS__N; i++)
		sum[i] += mm->pages[i];
}

static uint64_t moved_back(uint64_t bytes, __s64 twice_pages)
{
	const int64_t back = twice_pages * sysconf(_SC_PAGESIZE) / 2;

	return (int64_t)bytes > back ? bytes - (uint64_t)back : 0;
}

/*
 * Reading takes the longer the larger the process is, and meanwhile it goes on: what the counters did from @at, when
 * the sites were read, to the middle of the reading is taken off.
 */
static void move_back(struct proc_rss *rss, const struct abi_mm *at, const __s64 sum[static ABI_RSS__N])
{
	rss->file_bytes = moved_back(rss->file_bytes, sum[ABI_RSS_FILE] - 2 * at->pages[ABI_RSS_FILE]);
	rss->anon_bytes = moved_back(rss->anon_bytes, sum[ABI_RSS_ANON] - 2 * at->pages[ABI_RSS_ANON]);
	rss->swap_bytes = moved_back(rss->swap_bytes, sum[ABI_RSS_SWAP] - 2 * at->pages[ABI_RSS_SWAP]);
	rss->shmem_bytes = moved_back(rss->shmem_bytes, sum[ABI_RSS_SHMEM] - 2 * at->pages[ABI_RSS_SHMEM]);
	rss->rss_bytes = rss->file_bytes + rss->anon_bytes + rss->shmem_bytes;
}

void target__check_rss(struct target *t, struct session *session)
{
	__s64 sum[ABI_RSS__N] = { 0 };
	struct proc_rss rss;
	struct abi_mm mm;
	bool has_ledger = t->has_mm && !session__rss(session, t->slot, &mm);

	if (has_ledger)
		add_half(sum, &mm);
	if (proc_read_rss(t->info.pid, &rss) || !rss.rss_bytes)
		return;
	if (has_ledger && !session__rss(session, t->slot, &mm)) {
		add_half(sum, &mm);
		move_back(&rss, &t->mm, sum);
	}
	t->rss = rss;
}

uint64_t target_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + ts.tv_nsec;
}

void target__end(struct target *t, int exit_code, uint64_t cpu_ns)
{
	t->exit_code = exit_code;
	t->end_ns = target_clock_ns();
	if (cpu_ns > t->cpu_start_ns && cpu_ns - t->cpu_start_ns > t->cpu_ns)
		t->cpu_ns = cpu_ns - t->cpu_start_ns;
	if (t->has_ledger)
		t->rss = (struct proc_rss){ 0 }; /* the ledger has a row for it */
}

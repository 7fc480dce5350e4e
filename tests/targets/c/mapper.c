// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Address space, mapped and given back by functions of known names: whole, in parts,
 * replaced, moved, grown, shrunk, by calls that fail, and by many threads at once.
 * The ledger: for each function what it mapped and what of that is still there, and
 * VmSize - VmStk of /proc/self/status at "go" and at "done".
 *
 * mapper [ROUNDS [THREADS]]
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "ledger.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum site_id {
	MAP_KEPT, MAP_FREED, MAP_HOLED, MAP_UNDER, MAP_OVER, MAP_MOVED, GROW_MOVED, MAP_SHRUNK, MAP_FILE_PART, MAP_STACK_LIKE,
	MAP_RAW, MAP_COPIED, COPY, GROW_BRK, MAP_FAILING, RACE, SITES
};

static const char *const names[SITES] = {
	"map_kept", "map_freed", "map_holed", "map_under", "map_over", "map_moved", "grow_moved", "map_shrunk", "map_file_part",
	"map_stack_like", "map_raw", "map_copied", "copy", "grow_brk", "map_failing", "race",
};

static struct {
	uint64_t objects, bytes, requested, live_objects;
	int64_t live_bytes;
} sites[SITES];

static uint64_t page;
static volatile int after; /* something to do behind a call: it is no tail call */

static uint64_t up(uint64_t bytes)
{
	return (bytes + page - 1) & ~(page - 1);
}

static void *mapped(enum site_id id, void *mem, uint64_t bytes)
{
	if (mem == MAP_FAILED)
		_exit(4);
	__sync_fetch_and_add(&sites[id].objects, 1);
	__sync_fetch_and_add(&sites[id].bytes, up(bytes));
	__sync_fetch_and_add(&sites[id].requested, bytes);
	__sync_fetch_and_add(&sites[id].live_objects, 1);
	__sync_fetch_and_add(&sites[id].live_bytes, (int64_t)up(bytes));
	return mem;
}

static void gone(enum site_id id, uint64_t bytes, bool last)
{
	__sync_fetch_and_sub(&sites[id].live_bytes, (int64_t)bytes);
	__sync_fetch_and_sub(&sites[id].live_objects, last);
}

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

#define MAP_SITE(func, id, flags, fd)                                            \
	static SITE void *func(void *at, uint64_t bytes)                         \
	{                                                                        \
		void *mem = mmap(at, bytes, RW, (flags), (fd), 0);               \
		after = 1;                                                       \
		return mapped(id, mem, bytes);                                   \
	}

static int exe;

MAP_SITE(map_kept, MAP_KEPT, ANON, -1)
MAP_SITE(map_freed, MAP_FREED, ANON, -1)
MAP_SITE(map_holed, MAP_HOLED, ANON, -1)
MAP_SITE(map_under, MAP_UNDER, ANON, -1)
MAP_SITE(map_over, MAP_OVER, ANON | MAP_FIXED, -1)
MAP_SITE(map_moved, MAP_MOVED, ANON, -1)
MAP_SITE(map_shrunk, MAP_SHRUNK, ANON, -1)
MAP_SITE(map_file_part, MAP_FILE_PART, MAP_PRIVATE, exe)
MAP_SITE(map_stack_like, MAP_STACK_LIKE, ANON | MAP_STACK, -1)
MAP_SITE(map_copied, MAP_COPIED, ANON, -1)
MAP_SITE(race, RACE, ANON, -1)

static SITE void *map_raw(uint64_t bytes)
{
	void *mem = (void *)syscall(SYS_mmap, NULL, bytes, RW, ANON, -1, 0);

	after = 1;
	return mapped(MAP_RAW, mem, bytes);
}

static SITE void *grow_moved(void *mem, uint64_t from, uint64_t to, void *at)
{
	void *moved = (void *)syscall(SYS_mremap, mem, from, to, MREMAP_MAYMOVE | MREMAP_FIXED, at);

	after = 1;
	if (moved == MAP_FAILED)
		_exit(4);
	mapped(GROW_MOVED, moved, to - from);
	return moved;
}

static SITE void copy(void *mem, uint64_t bytes)
{
	void *to = (void *)syscall(SYS_mremap, mem, bytes, bytes, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);

	after = 1;
	mapped(COPY, to, bytes);
}

static SITE void grow_brk(uint64_t bytes)
{
	void *end = sbrk(0);
	int err = brk((char *)end + bytes);

	after = 1;
	mapped(GROW_BRK, err ? MAP_FAILED : end, bytes);
}

static SITE void map_failing(void *mem)
{
	after += mmap(NULL, 0, RW, ANON, -1, 0) != MAP_FAILED;
	after += mmap(NULL, page, RW, MAP_PRIVATE, -1, 0) != MAP_FAILED;
	after += mmap(NULL, 1ull << 62, RW, ANON, -1, 0) != MAP_FAILED;
	after += munmap((char *)mem + 1, page) == 0;
	after += mremap((char *)mem, page, 1ull << 62, 0) != MAP_FAILED;
	after += sbrk(1ll << 46) != (void *)-1;
}

static void one_round(uint64_t i)
{
	uint64_t n = 4 + i % 13;
	char *mem, *place;

	after = 0;
	map_kept(NULL, n * page - i % page);
	mem = map_freed(NULL, n * page);
	munmap(mem, n * page - 1); /* the kernel rounds up */
	gone(MAP_FREED, n * page, true);
	munmap(mem, n * page); /* nothing is there */
	mem = map_holed(NULL, n * page);
	munmap(mem + page, 2 * page);
	gone(MAP_HOLED, 2 * page, false);
	mem = map_under(NULL, n * page);
	map_over(mem + page, page);
	gone(MAP_UNDER, page, false);
	if (i % 2) { /* one call for two sites */
		munmap(mem, n * page);
		gone(MAP_UNDER, (n - 1) * page, true);
		gone(MAP_OVER, page, true);
	}
	mem = map_moved(NULL, n * page);
	place = map_freed(NULL, 2 * n * page);
	mem = grow_moved(mem, n * page, (n + 3) * page, place); /* over the front of another */
	gone(MAP_FREED, (n + 3) * page, false);
	munmap(mem + (n - 1) * page, 2 * page); /* the last of the moved, the first of the grown */
	gone(MAP_MOVED, page, false);
	gone(GROW_MOVED, page, false);
	mem = map_shrunk(NULL, n * page);
	mem = mremap(mem, n * page, (n - 2) * page, 0);
	gone(MAP_SHRUNK, 2 * page, false);
	map_file_part(NULL, page);
	map_stack_like(NULL, n * page);
	map_raw(n * page);
	copy(map_copied(NULL, n * page), n * page);
	grow_brk(8 * page);
	sbrk(-(intptr_t)(3 * page));
	gone(GROW_BRK, 3 * page, false);
	map_failing(mem);
	if (after > 1)
		_exit(5); /* a call that must fail has not */
}

static uint64_t rounds;

/* Addresses that one thread gives back the next gets at once. */
static void *racer(void *arg)
{
	uint64_t bytes = page * (1 + (uintptr_t)arg % 3);
	void *mem;

	for (uint64_t i = 0; i < 20 * rounds; i++) {
		mem = race(NULL, bytes);
		munmap(mem, bytes);
		gone(RACE, bytes, true);
	}
	race(NULL, bytes);
	return NULL;
}

/* No stdio: it would map, too. */
static long long status_bytes(const char *key)
{
	static char buf[8192];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	const char *p;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		_exit(6);
	buf[n] = 0;
	p = strstr(buf, key);
	return p ? strtoll(p + strlen(key), NULL, 10) * 1024 : -1;
}

static long long size_bytes(void)
{
	return status_bytes("VmSize:") - status_bytes("VmStk:");
}

int main(int argc, char **argv)
{
	size_t nthreads = argc > 2 ? strtoul(argv[2], NULL, 10) : 4;
	pthread_t threads[64];
	long long size[2];

	rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
	page = (uint64_t)sysconf(_SC_PAGESIZE);
	exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (exe < 0 || nthreads > 64)
		return 3;
	say_ready();
	await_line();
	size[0] = size_bytes();
	for (uint64_t i = 0; i < rounds; i++)
		one_round(i);
	for (size_t i = 0; i < nthreads; i++)
		if (pthread_create(&threads[i], NULL, racer, (void *)(uintptr_t)i))
			return 3;
	for (size_t i = 0; i < nthreads; i++)
		pthread_join(threads[i], NULL);
	size[1] = size_bytes();
	say("done\n");
	await_line();
	printf("{ \"size_start\": %lld, \"size_end\": %lld, \"sites\": {", size[0], size[1]);
	for (int i = 0; i < SITES; i++)
		printf("%s\"%s\": { \"alloc_objects\": %llu, \"alloc_bytes\": %llu, \"requested_bytes\": %llu, "
		       "\"live_objects\": %llu, \"live_bytes\": %lld }",
		       i ? ", " : " ", names[i], (unsigned long long)sites[i].objects, (unsigned long long)sites[i].bytes,
		       (unsigned long long)sites[i].requested, (unsigned long long)sites[i].live_objects,
		       (long long)sites[i].live_bytes);
	printf(" } }\n");
	return 0;
}

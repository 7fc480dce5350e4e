// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What it costs to learn that a function returned, by each way there is: a child calls malloc
 * and free in a tight loop, its malloc is probed in turn in each way by programs that do
 * nothing, and the child's CPU time is taken. free is not probed. Rounds go through all
 * ways, so that what else the machine does meets each of them.
 */
#include <bpf/bpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capture/link.h"
#include "capture/returns.h"
#include "capture/spot.h"
#include "target/elf.h"
#include "target/proc.h"

#define ROUNDS_MAX 101

enum { PROG_MULTI, PROG_SESSION, PROG_SESSION_SKIPS, PROG__N };

struct way {
	const char *name, *text;
	int pairs; /* a round */
	double ns[ROUNDS_MAX];
};

enum { WAY_NONE, WAY_ENTRY, WAY_TWO, WAY_SESSION, WAY_SKIPPED, WAY_RET, WAY__N };

static struct way ways[WAY__N] = {
	[WAY_NONE] = { "none", "nothing is probed", 1000000, { 0 } },
	[WAY_ENTRY] = { "entry", "a uprobe at the entry, the return is not seen", 100000, { 0 } },
	[WAY_TWO] = { "two", "a uprobe and a uretprobe", 100000, { 0 } },
	[WAY_SESSION] = { "session", "one program for both (uprobe session)", 100000, { 0 } },
	[WAY_SKIPPED] = { "skipped", "a session that does not want to see the return", 100000, { 0 } },
	[WAY_RET] = { "ret", "a uprobe at the entry, one on each ret, single-stepped", 10000, { 0 } },
};

struct bench {
	int progs[PROG__N];
	struct elf_file *libc;
	char path[64];
	unsigned long entry, rets[RETURNS_MAX];
	int nrets;
	pid_t child;
	int to_child, from_child;
	int links[2];
};

static void die(const char *what)
{
	fprintf(stderr, "return: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A program that returns @value. */
static int load(int value, enum bpf_attach_type type)
{
	const struct bpf_insn insns[] = { { .code = 0xb7 /* mov r0 */, .imm = value }, { .code = 0x95 /* exit */ } };
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "bench_return", "GPL", insns, 2, &opts);
}

static size_t read_code(void *ctx, uint64_t vaddr, uint8_t *buf, size_t size)
{
	ssize_t n = elf_file__is_code(ctx, vaddr) ? elf_file__read_vaddr(ctx, vaddr, buf, size) : 0;

	return n > 0 ? (size_t)n : 0;
}

/* Where our own malloc, which is the child's, is in its file. */
static void find_malloc(struct bench *b)
{
	struct code_reader reader = { NULL, read_code };
	uint64_t vaddr, rets[RETURNS_MAX];
	const struct mapping *map;
	struct mappings maps;
	struct spot spot;
	uint8_t code[64];
	ssize_t len;

	if (proc_read_maps(getpid(), &maps) || !(map = mappings__find(&maps, (uintptr_t)dlsym(RTLD_DEFAULT, "malloc"))))
		die("cannot find malloc");
	if (elf_file__open(open(map->path, O_RDONLY | O_CLOEXEC), map->path, &b->libc, NULL))
		die(map->path);
	b->entry = (uintptr_t)dlsym(RTLD_DEFAULT, "malloc") - map->start + map->file_off;
	mappings__free(&maps);
	snprintf(b->path, sizeof(b->path), "/proc/self/fd/%d", elf_file__fd(b->libc));
	if (!elf_file__off_to_vaddr(b->libc, b->entry, &vaddr))
		die("malloc is in no segment");
	len = elf_file__read_vaddr(b->libc, vaddr, code, sizeof(code));
	if (len < 0 || spot_find_c((struct span){ code, (size_t)len }, &spot))
		die("malloc begins with code that is not understood");
	b->entry += spot.offset;
	reader.ctx = b->libc;
	b->nrets = returns_find(&reader, vaddr, rets);
	for (int i = 0; i < b->nrets; i++) {
		uint64_t off;

		if (!elf_file__vaddr_to_off(b->libc, rets[i], &off))
			die("a return is in no segment");
		b->rets[i] = off;
	}
}

static double cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void run_child(int in, int out)
{
	static void *volatile sink;
	int n;

	while (read(in, &n, sizeof(n)) == sizeof(n)) {
		double start = cpu_ns(), ns;

		for (int i = 0; i < n; i++) {
			sink = malloc(32);
			free(sink);
		}
		ns = (cpu_ns() - start) / n;
		if (write(out, &ns, sizeof(ns)) != sizeof(ns))
			break;
	}
	_exit(0);
}

static void start_child(struct bench *b)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		die("pipe");
	b->child = fork();
	if (b->child < 0)
		die("fork");
	if (!b->child) {
		close(to[1]);
		run_child(to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	b->to_child = to[1];
	b->from_child = from[0];
}

static int attach(const struct bench *b, int prog, const unsigned long *offsets, uint32_t n, enum link_when when)
{
	int fd = link_uprobe_multi(b->progs[prog], b->path, offsets, NULL, n, when, b->child);

	if (fd < 0)
		die("cannot attach");
	return fd;
}

static bool is_possible(const struct bench *b, int way)
{
	if (way == WAY_RET)
		return b->nrets > 0;
	return (way != WAY_SESSION && way != WAY_SKIPPED) || b->progs[PROG_SESSION] >= 0;
}

static void arm(struct bench *b, int way)
{
	b->links[0] = b->links[1] = -1;
	if (way == WAY_TWO)
		b->links[1] = attach(b, PROG_MULTI, &b->entry, 1, LINK_RETURN);
	else if (way == WAY_RET)
		b->links[1] = attach(b, PROG_MULTI, b->rets, (uint32_t)b->nrets, LINK_ENTRY);
	if (way == WAY_SESSION || way == WAY_SKIPPED)
		b->links[0] = attach(b, way == WAY_SESSION ? PROG_SESSION : PROG_SESSION_SKIPS, &b->entry, 1, LINK_SESSION);
	else if (way != WAY_NONE)
		b->links[0] = attach(b, PROG_MULTI, &b->entry, 1, LINK_ENTRY);
}

static void disarm(struct bench *b)
{
	for (int i = 0; i < 2; i++)
		if (b->links[i] >= 0)
			close(b->links[i]);
}

static double measure(const struct bench *b, int n)
{
	double ns;

	if (write(b->to_child, &n, sizeof(n)) != sizeof(n) || read(b->from_child, &ns, sizeof(ns)) != sizeof(ns))
		die("the child is gone");
	return ns;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 15;
	struct bench b = { .nrets = 0 };

	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: return [ROUNDS]\n");
		return 2;
	}
	find_malloc(&b);
	b.progs[PROG_MULTI] = load(0, ATTACH_TYPE_UPROBE_MULTI);
	b.progs[PROG_SESSION] = load(0, ATTACH_TYPE_UPROBE_SESSION);
	b.progs[PROG_SESSION_SKIPS] = load(1, ATTACH_TYPE_UPROBE_SESSION);
	if (b.progs[PROG_MULTI] < 0)
		die("cannot load a program");
	start_child(&b);
	for (int round = 0; round < rounds; round++) {
		for (int way = 0; way < WAY__N; way++) {
			if (!is_possible(&b, way))
				continue;
			arm(&b, way);
			measure(&b, ways[way].pairs / 10); /* warm */
			ways[way].ns[round] = measure(&b, ways[way].pairs);
			disarm(&b);
		}
	}
	close(b.to_child);
	waitpid(b.child, NULL, 0);
	printf("%-8s %9s %9s %9s  ns for a malloc and a free, median, fastest and slowest of %d rounds\n", "way", "median", "min",
	       "max", rounds);
	for (int way = 0; way < WAY__N; way++) {
		double *ns = ways[way].ns;

		qsort(ns, rounds, sizeof(*ns), compare_double);
		if (is_possible(&b, way))
			printf("%-8s %9.0f %9.0f %9.0f  %s\n", ways[way].name, ns[rounds / 2], ns[0], ns[rounds - 1], ways[way].text);
		else
			printf("%-8s %9s %9s %9s  %s: not on this machine\n", ways[way].name, "-", "-", "-", ways[way].text);
	}
	elf_file__free(b.libc);
	return 0;
}

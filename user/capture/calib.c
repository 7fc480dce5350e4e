// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/calib.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bpf/calib.skel.h"
#include "capture/link.h"
#include "target/proc.h"

#define ROUNDS 5
#define CALLS 400

/* Functions whose first instruction is of a known kind. */
extern void calib_emulated(void);
extern void calib_stepped(void);

#if defined(__x86_64__)
__asm__(".text\n"
	".globl calib_emulated\n"
	".type calib_emulated,@function\n"
	"calib_emulated: push %rbp; pop %rbp; ret\n"
	".size calib_emulated,.-calib_emulated\n"
	".globl calib_stepped\n"
	".type calib_stepped,@function\n"
	"calib_stepped: test %rax,%rax; nop; nop; ret\n"
	".size calib_stepped,.-calib_stepped\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl calib_emulated\n"
	".type calib_emulated,@function\n"
	"calib_emulated: b 1f\n1: ret\n"
	".size calib_emulated,.-calib_emulated\n"
	".globl calib_stepped\n"
	".type calib_stepped,@function\n"
	"calib_stepped: add x9, x9, #1; ret\n"
	".size calib_stepped,.-calib_stepped\n");
#endif

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + ts.tv_nsec;
}

/* The fastest of a few rounds: what disturbs only adds. */
static double call_ns(void (*fn)(void))
{
	double best = 0;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns();
		double ns;

		for (int i = 0; i < CALLS; i++)
			fn();
		ns = (double)(now_ns() - start) / CALLS;
		if (!round || ns < best)
			best = ns;
	}
	return best;
}

static bool own_file_off(void (*fn)(void), unsigned long *ret)
{
	uint64_t addr = (uintptr_t)fn;
	struct mappings maps;
	const struct mapping *map;

	if (proc_read_maps(getpid(), &maps))
		return false;
	map = mappings__find(&maps, addr);
	if (map)
		*ret = addr - map->start + map->file_off;
	mappings__free(&maps);
	return map != NULL;
}

/* One probe on one of our functions. */
struct own_probe {
	int fd;
	struct bpf_link *link;
};

static int attach(struct own_probe *probe, struct calib_bpf *skel, bool multi, void (*fn)(void), bool at_return)
{
	unsigned long off;

	*probe = (struct own_probe){ -1, NULL };
	if (!own_file_off(fn, &off))
		return -ENOENT;
	if (multi) {
		probe->fd = link_uprobe_multi(bpf_program__fd(skel->progs.calib), "/proc/self/exe", &off, NULL, 1,
					      at_return ? LINK_RETURN : LINK_ENTRY, getpid());
		return probe->fd < 0 ? -errno : 0;
	}
	probe->link = bpf_program__attach_uprobe(skel->progs.calib, at_return, getpid(), "/proc/self/exe", off);
	return probe->link ? 0 : -errno;
}

static void detach(struct own_probe *probe)
{
	if (probe->fd >= 0)
		close(probe->fd);
	bpf_link__destroy(probe->link);
}

static int measure(struct calib_bpf *skel, bool multi, struct calib *ret)
{
	double base = call_ns(calib_emulated);
	struct own_probe emulated, stepped, at_return;
	int err;

	err = attach(&emulated, skel, multi, calib_emulated, false);
	if (err)
		return err;
	ret->emulated_ns = call_ns(calib_emulated) - base;
	err = attach(&at_return, skel, multi, calib_emulated, true);
	if (!err) {
		ret->return_ns = call_ns(calib_emulated) - base - ret->emulated_ns;
		detach(&at_return);
	}
	detach(&emulated);
	if (err)
		return err;
	err = attach(&stepped, skel, multi, calib_stepped, false);
	if (err)
		return err;
	ret->stepped_ns = call_ns(calib_stepped) - base;
	detach(&stepped);
	return skel->bss->hits ? 0 : -EIO;
}

int calib_run(bool uprobe_multi, struct calib *ret, struct err *err)
{
	struct calib_bpf *skel = calib_bpf__open();
	struct calib calib = { 0 };
	int code;

	if (!skel)
		return err_set(err, FAIL_KERNEL, -errno, "cannot open the calibration program: %s", strerror(errno));
	if (uprobe_multi)
		bpf_program__set_expected_attach_type(skel->progs.calib, ATTACH_TYPE_UPROBE_MULTI);
	code = calib_bpf__load(skel);
	if (!code)
		code = measure(skel, uprobe_multi, &calib);
	calib_bpf__destroy(skel);
	if (code)
		return err_set(err, FAIL_KERNEL, code, "cannot measure what a probe costs here: %s", strerror(-code));
	*ret = calib;
	return 0;
}

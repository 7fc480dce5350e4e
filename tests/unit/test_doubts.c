// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said to be unsure of made-up processes; the facts of real files that it rests on. */
#include "capture/doubts.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/elf_fp.h"
#include "test.h"

struct heard {
	char kinds[512]; /* "kind kind " */
	char text[2048]; /* of the last */
	int n;
};

static void hear(void *ctx, const char *kind, const char *text)
{
	struct heard *h = ctx;

	snprintf(h->kinds + strlen(h->kinds), sizeof(h->kinds) - strlen(h->kinds), "%s ", kind);
	snprintf(h->text, sizeof(h->text), "%s", text);
	h->n++;
}

/* A Go program of a known version, in which nothing is wrong. */
static struct inspection sound_go(void)
{
	return (struct inspection){
		.exe_module = 0,
		.wants_c = true,
		.exe_is_static = true,
		.exe_is_stripped = true,
		.go = { .module = 0, .version = "go1.22.12", .layout_minor = 22, .experiment = "", .has_layout = true,
			.pclntab_section = ".gopclntab", .has_moduledata = true, .types = 0x1000, .etypes = 0x2000 },
	};
}

static struct heard judge(const struct inspection *in)
{
	struct heard heard = { .n = 0 };
	struct modules *mods;

	if (CHECK_INT(modules__new(NULL, &mods), 0)) {
		doubts_each(in, mods, 12345, hear, &heard);
		modules__free(mods);
	}
	return heard;
}

static void with_door(struct inspection *in, struct inspect_door *door)
{
	in->doors = door;
	in->ndoors = 1;
}

TEST(nothing_to_doubt)
{
	struct inspect_door door = { .name = "runtime.mallocgc", .is_go = true, .is_hot = true };
	struct inspection in = sound_go();
	struct heard h;

	with_door(&in, &door);
	h = judge(&in);
	CHECK_STR(h.kinds, "");
}

TEST(go_tables)
{
	struct inspection in = sound_go();
	struct heard h;

	in.go.has_moduledata = false;
	in.go.types = 0;
	CHECK_STR(judge(&in).kinds, "go_moduledata ");
	in.go.has_moduledata = true;
	CHECK_STR(judge(&in).kinds, "go_types ");
	in.go.types = 1;
	in.go.layout_is_derived = true;
	h = judge(&in);
	CHECK_STR(h.kinds, "go_layout ");
	CHECK(strstr(h.text, "1.22"));
	/* The plan has said already that it is a guess. */
	in.go.layout_is_guess = true;
	CHECK_STR(judge(&in).kinds, "");
	in.go.has_special_doors = true;
	CHECK_STR(judge(&in).kinds, "go_sizes ");
	in = sound_go();
	in.go.module = MODULE_NONE;
	in.exe_is_static = false;
	snprintf(in.go.error, sizeof(in.go.error), "x: its table is broken");
	h = judge(&in);
	CHECK_STR(h.kinds, "go_tables ");
	CHECK(strstr(h.text, "its table is broken"));
}

TEST(strange_functions_are_told)
{
	struct inspection in = sound_go();
	struct heard h;

	snprintf(in.go.strangers[in.go.nstrangers++], 64, "runtime.mallocgcArena");
	h = judge(&in);
	CHECK_STR(h.kinds, "go_door ");
	CHECK(strstr(h.text, "runtime.mallocgcArena"));
}

TEST(what_is_a_stranger)
{
	CHECK(inspect_is_stranger("runtime.mallocgcArena"));
	CHECK(inspect_is_stranger("runtime.mallocgcSmallNoScanSC6")); /* unless it is a door */
	CHECK(!inspect_is_stranger("runtime.mallocgc"));
	CHECK(!inspect_is_stranger("runtime.mallocgcTiny"));
	CHECK(!inspect_is_stranger("runtime.mallocgcSmallScanNoHeader"));
	CHECK(!inspect_is_stranger("runtime.mallocgcLarge"));
	CHECK(!inspect_is_stranger("runtime.mallocgcTinySC2SlowPath"));
	CHECK(!inspect_is_stranger("runtime.mallocgc.func1"));
	CHECK(!inspect_is_stranger("runtime.malloc"));
	CHECK(!inspect_is_stranger("main.mallocgcArena"));
	CHECK(!inspect_is_stranger(""));
}

TEST(doors)
{
	static const struct {
		enum image_state image;
		const char *kinds;
	} rows[] = {
		{ IMAGE_AS_FILE, "" },	      { IMAGE_BREAKPOINT, "breakpoint " }, { IMAGE_DIFFERS, "image " },
		{ IMAGE_WRITABLE, "image " }, { IMAGE_GONE, "image " },
	};
	struct inspect_door door = { .name = "malloc", .is_hot = true };
	struct inspection in = { .go = { .module = MODULE_NONE } };
	struct heard h;

	with_door(&in, &door);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		door.image = rows[i].image;
		CHECK_STR(judge(&in).kinds, rows[i].kinds);
	}
	door.image = IMAGE_AS_FILE;
	door.spot = SPOT_STEPPED;
	h = judge(&in);
	CHECK_STR(h.kinds, "stepped ");
	CHECK(strstr(h.text, "12.3 us"));
	/* Nobody minds a dear probe on pvalloc. */
	door.is_hot = false;
	CHECK_STR(judge(&in).kinds, "");
}

TEST(process)
{
	struct inspect_door door = { .name = "malloc" };
	struct inspection in = { .go = { .module = MODULE_NONE }, .wants_c = true, .exe_is_static = true,
				 .exe_is_stripped = true, .seccomp = 2 };

	CHECK_STR(judge(&in).kinds, "no_symbols ");
	in.wants_c = false;
	CHECK_STR(judge(&in).kinds, "");
	in.wants_c = true;
	with_door(&in, &door);
	CHECK_STR(judge(&in).kinds, "seccomp ");
	in.seccomp = -1; /* not known */
	CHECK_STR(judge(&in).kinds, "");
	door.is_go = true; /* Go doors have no return probe */
	in.seccomp = 2;
	in.exe_is_static = false;
	in.jit_bytes = 8192;
	CHECK_STR(judge(&in).kinds, "generated_code ");
}

TEST(deleted_files)
{
	struct inspect_module mod = { .id = 0, .deleted = true, .fp_pct = -1 };
	struct inspection in = sound_go();

	in.modules = &mod;
	in.nmodules = 1;
	CHECK_STR(judge(&in).kinds, "deleted ");
}

TEST(warnings_of_the_plan_come_first)
{
	char first[] = "x: Go version go1.99 is not known", *warnings[] = { first };
	struct inspection in = sound_go();

	in.warnings = warnings;
	in.nwarnings = 1;
	in.jit_bytes = 4096;
	CHECK_STR(judge(&in).kinds, "plan generated_code ");
}

TEST(stacks)
{
	struct inspect_module mods[] = { { .id = 7, .unwind_pct = -1 }, { .id = 8, .unwind_pct = -1 } };
	struct inspect_door door = { .name = "malloc" };
	struct inspection in = { .go = { .module = MODULE_NONE }, .modules = mods, .nmodules = 2 };
	char buf[256];

	CHECK(strstr(doubts_stacks(&in, buf, sizeof(buf)), "no doors"));
	with_door(&in, &door);
	CHECK_STR(doubts_stacks(&in, buf, sizeof(buf)), "by frame pointers: no file has an unwind table");
	mods[0].unwind_pct = 97;
	mods[0].unwind_bytes = 3 << 19;
	CHECK_STR(doubts_stacks(&in, buf, sizeof(buf)),
		  "by unwind tables of 1 file, 1.5 MiB; 1 has none: a stack may end there");
	mods[1].unwind_pct = 100;
	mods[1].unwind_bytes = 1 << 19;
	CHECK_STR(doubts_stacks(&in, buf, sizeof(buf)), "by unwind tables of 2 files, 2.0 MiB");
	/* Go's own file needs none. */
	mods[0].unwind_pct = -1;
	in.go.module = 7;
	CHECK_STR(doubts_stacks(&in, buf, sizeof(buf)),
		  "Go's by frame pointers, C's by unwind tables of 1 file, 2.0 MiB");
	door.is_go = true;
	CHECK_STR(doubts_stacks(&in, buf, sizeof(buf)), "by frame pointers, which all Go code has");
}

/* elf_fp_percent() of a program of many functions, built with @flags; -2: no compiler. */
static int fp_of_built(const char *flags)
{
	char dir[] = "/tmp/allocsnoop-fp.XXXXXX", cmd[1024];
	struct elf_file *elf;
	int pct = -2;

	if (!CHECK(mkdtemp(dir)))
		return pct;
	snprintf(cmd, sizeof(cmd),
		 "cd %s && { for i in $(seq 100); do echo \"int g$i(int *); int f$i(int n) { int a = n; return g$i(&a) + a; }\";"
		 " echo \"int g$i(int *p) { return *p + $i; }\"; done; } >x.c &&"
		 " cc -O1 -shared -fPIC -fno-inline -Wl,--no-gc-sections %s -o x.so x.c 2>err",
		 dir, flags);
	if (system(cmd) == 0) {
		snprintf(cmd, sizeof(cmd), "%s/x.so", dir);
		if (CHECK_INT(elf_file__open(open(cmd, O_RDONLY | O_CLOEXEC), "x.so", &elf, NULL), 0)) {
			pct = elf_fp_percent(elf);
			elf_file__free(elf);
		}
	}
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	CHECK_INT(system(cmd), 0);
	return pct;
}

TEST(frame_pointers)
{
	int with = fp_of_built("-fno-omit-frame-pointer"), without = fp_of_built("-fomit-frame-pointer");
	int none = fp_of_built("-fno-asynchronous-unwind-tables -nostdlib -Wl,--no-eh-frame-hdr");

	if (with == -2 || without == -2 || none == -2) {
		SKIP("no C compiler");
		return;
	}
	/* Half of the functions call through the PLT, which has an entry for all of its stubs. */
	CHECK(with >= 90 && with <= 100);
	CHECK(without >= 0 && without < 10);
	CHECK_INT(none, -1);
}

TEST(seccomp_mode)
{
	int ready[2], end[2], status;
	char byte;
	pid_t pid;

	CHECK(proc_seccomp_mode(getpid()) >= 0);
	if (!CHECK_INT(pipe(ready), 0) || !CHECK_INT(pipe(end), 0))
		return;
	pid = fork();
	if (!pid) {
		close(end[1]);
		/* Strict: read(2), write(2), exit(2). */
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) || write(ready[1], "x", 1) != 1)
			_exit(1);
		while (read(end[0], &byte, 1) > 0)
			;
		syscall(SYS_exit, 0);
	}
	close(ready[1]);
	if (CHECK_INT(read(ready[0], &byte, 1), 1))
		CHECK_INT(proc_seccomp_mode(pid), 1);
	close(end[1]);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(proc_seccomp_mode(pid), -1);
	close(ready[0]);
	close(end[0]);
}

TEST_MAIN()

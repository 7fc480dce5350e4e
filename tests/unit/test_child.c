// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands that are started and held. What a program will load is compared with
 * what the kernel says that it has mapped once it runs.
 */
#include "cmd/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/proc.h"
#include "test.h"

struct place {
	char dir[64];
};

static bool setup(struct place *p)
{
	snprintf(p->dir, sizeof(p->dir), "/tmp/test_child.XXXXXX");
	return CHECK(mkdtemp(p->dir));
}

static void teardown(struct place *p)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", p->dir);
	CHECK_INT(system(cmd), 0);
}

static const char *put(const struct place *p, const char *name, const char *text, mode_t mode, char path[256])
{
	FILE *f;

	snprintf(path, 256, "%s/%s", p->dir, name);
	f = fopen(path, "w");
	if (CHECK(f)) {
		fputs(text, f);
		fchmod(fileno(f), mode);
		fclose(f);
	}
	return path;
}

/* Open descriptors of ours. */
static int nfds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static bool has_children(void)
{
	return waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
}

/* Waits until it has ended, 10 s at most. Its exit code, or -1. */
static int reap(struct child *child)
{
	int code = -1;

	for (int i = 0; i < 10000 && !child__reap(child, &code); i++)
		poll(NULL, 0, 1);
	return code;
}

static int run(char **command, struct err *err)
{
	struct child child;
	int code = -1;

	memset(err, 0, sizeof(*err));
	if (!CHECK_INT(child__start(command, &child, err), 0)) {
		fprintf(stderr, "  %s\n", err->msg);
		return -1;
	}
	if (CHECK_INT(child__release(&child, err), 0))
		code = reap(&child);
	CHECK_INT(child.pid, 0);
	child__free(&child);
	CHECK(!has_children());
	return code;
}

#define ARGV(...) ((char *[]){ __VA_ARGS__, NULL })

TEST(exit_codes)
{
	struct err err;
	int before = nfds();

	CHECK_INT(run(ARGV("true"), &err), 0);
	CHECK_INT(run(ARGV("false"), &err), 1);
	CHECK_INT(run(ARGV("sh", "-c", "exit 255"), &err), 255);
	CHECK_INT(run(ARGV("sh", "-c", "kill -KILL $$"), &err), 128 + SIGKILL);
	CHECK_INT(run(ARGV("sh", "-c", "kill -TERM $$"), &err), 128 + SIGTERM);
	CHECK_INT(nfds(), before);
}

/* It runs as it would without us: signals as usual, no descriptor more. */
TEST(a_clean_start)
{
	struct err err;
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old);
	signal(SIGPIPE, SIG_IGN);
	CHECK_INT(run(ARGV("sh", "-c", "kill -TERM $$; exit 3"), &err), 128 + SIGTERM);
	CHECK_INT(run(ARGV("sh", "-c", "kill -PIPE $$; exit 3"), &err), 128 + SIGPIPE);
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* ls has one open for the folder; what our own parent left us is not the point. */
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	CHECK_INT(run(ARGV("sh", "-c", "[ $(ls /proc/self/fd | awk '$1 > 2' | wc -l) = 1 ]"), &err), 0);
}

static void resolved_exe(pid_t pid, char buf[4096])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, buf, 4095);
	buf[n < 0 ? 0 : n] = 0;
}

TEST(held_until_it_is_released)
{
	char path[256], ours[4096], theirs[4096];
	struct child child;
	struct place p;
	struct err err;
	int code;

	if (!setup(&p))
		return;
	snprintf(path, sizeof(path), "%s/ran", p.dir);
	if (!CHECK_INT(child__start(ARGV("touch", path), &child, &err), 0))
		return;
	CHECK(child.pid > 0);
	poll(NULL, 0, 50);
	CHECK(!child__reap(&child, &code));
	CHECK(access(path, F_OK));
	resolved_exe(getpid(), ours);
	resolved_exe(child.pid, theirs);
	CHECK(strcmp(theirs, ours) == 0); /* not executed yet */
	CHECK_INT(child__release(&child, &err), 0);
	CHECK_INT(reap(&child), 0);
	CHECK(!access(path, F_OK));
	child__free(&child);
	teardown(&p);
}

TEST(never_released)
{
	char path[256];
	int before = nfds();
	struct child child;
	struct place p;
	struct err err;
	pid_t pid;

	if (!setup(&p))
		return;
	snprintf(path, sizeof(path), "%s/ran", p.dir);
	if (!CHECK_INT(child__start(ARGV("touch", path), &child, &err), 0))
		return;
	pid = child.pid;
	child__free(&child);
	CHECK(kill(pid, 0) && errno == ESRCH); /* not even a zombie */
	CHECK(!has_children());
	CHECK(access(path, F_OK));
	CHECK_INT(child.pid, 0);
	child__free(&child);
	CHECK_INT(nfds(), before);
	teardown(&p);
}

TEST(no_such_command)
{
	int before = nfds();
	char path[256], dir[256];
	struct child child = { .pid = 4242 };
	struct place p;
	struct err err;

	if (!setup(&p))
		return;
	put(&p, "data", "#!/bin/sh\n", 0644, path);
	snprintf(dir, sizeof(dir), "%s", p.dir);
	for (int i = 0; i < 5; i++) {
		char *names[] = { "no-such-command-here", "/no/such/file", path, dir, "" };

		err = (struct err){ 0 };
		CHECK_INT(child__start(ARGV(names[i]), &child, &err), -ENOENT);
		CHECK_INT(err.kind, FAIL_TARGET);
		CHECK(err.msg[0] && strstr(err.msg, names[i]));
		CHECK_INT(child.pid, 4242); /* untouched */
	}
	CHECK(!has_children());
	CHECK_INT(nfds(), before);
	teardown(&p);
}

/* As execvp(3): the first of PATH that is a file to be executed; an empty part is here. */
TEST(search_in_path)
{
	char first[256], second[256], value[1024], *old = strdup(getenv("PATH"));
	struct child child;
	struct place p;
	struct err err;

	if (!setup(&p))
		return;
	snprintf(value, sizeof(value), "mkdir %s/1 %s/2 %s/3 %s/1/prog", p.dir, p.dir, p.dir, p.dir);
	CHECK_INT(system(value), 0);
	put(&p, "2/prog", "not to be executed", 0644, first);
	put(&p, "3/prog", "#!/bin/sh\nexit 33\n", 0755, second);
	snprintf(value, sizeof(value), "%s/none:%s/1:%s/2:%s/3:%s", p.dir, p.dir, p.dir, p.dir, old);
	setenv("PATH", value, 1);
	CHECK_INT(run(ARGV("prog"), &err), 33);
	/* Not in PATH: only by its path. */
	setenv("PATH", old, 1);
	CHECK_INT(child__start(ARGV("prog"), &child, &err), -ENOENT);
	CHECK_INT(run(ARGV(second), &err), 33);
	snprintf(value, sizeof(value), "%s/3", p.dir);
	if (CHECK_INT(chdir(value), 0)) {
		setenv("PATH", ":/bin", 1);
		CHECK_INT(run(ARGV("prog"), &err), 33);
		CHECK_INT(run(ARGV("./prog"), &err), 33);
		unsetenv("PATH");
		CHECK_INT(run(ARGV("true"), &err), 0);
		CHECK_INT(chdir("/"), 0);
	}
	setenv("PATH", old, 1);
	free(old);
	teardown(&p);
}

/* What cannot be executed is told at the release, with its reason. */
TEST(exec_fails)
{
	int before = nfds();
	char path[256];
	struct child child;
	struct place p;
	struct err err = { 0 };

	if (!setup(&p))
		return;
	put(&p, "script", "#!/no/such/interpreter\n", 0755, path);
	if (CHECK_INT(child__start(ARGV(path), &child, &err), 0)) {
		CHECK_INT(child__release(&child, &err), -ENOENT);
		CHECK_INT(err.kind, FAIL_TARGET);
		CHECK(strstr(err.msg, strerror(ENOENT)));
		CHECK_INT(reap(&child), 127);
		child__free(&child);
	}
	CHECK(!has_children());
	CHECK_INT(nfds(), before);
	teardown(&p);
}

static bool same_file(const char *path, const struct stat *want)
{
	struct stat st;

	return !stat(path, &st) && st.st_dev == want->st_dev && st.st_ino == want->st_ino;
}

static bool lists(const struct child *child, const char *path)
{
	struct stat want;

	if (stat(path, &want))
		return false;
	for (size_t i = 0; i < child->npaths; i++)
		if (same_file(child->paths[i], &want))
			return true;
	return false;
}

/* Every file that the running program has mapped as code was foretold. */
static void compare_with_maps(char **command)
{
	struct mappings maps = { 0 };
	struct child child;
	struct err err;
	size_t ncode = 0;
	char exe[4096];

	if (!CHECK_INT(child__start(command, &child, &err), 0))
		return;
	CHECK_INT(child__release(&child, &err), 0);
	/* It sleeps in its main(): everything is loaded when the first thread waits in nanosleep or so. */
	poll(NULL, 0, 300);
	resolved_exe(child.pid, exe);
	CHECK(child.npaths > 0 && lists(&child, exe));
	if (CHECK_INT(proc_read_maps(child.pid, &maps), 0))
		for (size_t i = 0; i < maps.len; i++) {
			const struct mapping *map = &maps.items[i];

			if (!map->executable || map->path[0] != '/')
				continue;
			ncode++;
			if (!CHECK(lists(&child, map->path)))
				fprintf(stderr, "  %s: not told: %s\n", command[0], map->path);
		}
	CHECK(ncode >= 1);
	fprintf(stderr, "# %s: %zu code mappings, %zu paths foretold\n", command[0], ncode, child.npaths);
	mappings__free(&maps);
	kill(child.pid, SIGKILL);
	CHECK_INT(reap(&child), 128 + SIGKILL);
	child__free(&child);
}

TEST(foretells_what_will_be_mapped)
{
	char path[256], deep[256], text[600];
	struct place p;

	if (!setup(&p))
		return;
	compare_with_maps(ARGV("sleep", "100"));
	compare_with_maps(ARGV("sh", "-c", "sleep 100; true"));
	if (!system("command -v gdb >/dev/null")) /* many libraries */
		compare_with_maps(ARGV("gdb", "-nx", "-q", "-batch", "-ex", "shell sleep 100"));
	/* A script: its interpreter, which may be a script, too. */
	compare_with_maps(ARGV((char *)put(&p, "script", "#! /bin/sh -e\nsleep 100\ntrue\n", 0755, path)));
	snprintf(text, sizeof(text), "#!%s\n", path);
	compare_with_maps(ARGV((char *)put(&p, "deep", text, 0755, deep)));
	/* LD_PRELOAD is the loader's business, so it is foretold as well. */
	if (!access("/lib/x86_64-linux-gnu/libz.so.1", R_OK)) {
		setenv("LD_PRELOAD", "/lib/x86_64-linux-gnu/libz.so.1", 1);
		compare_with_maps(ARGV("sleep", "100"));
		unsetenv("LD_PRELOAD");
	}
	CHECK(!has_children());
	teardown(&p);
}

TEST(libc_is_told_and_nothing_of_the_program_runs)
{
	struct child child;
	struct err err;
	bool libc = false;

	/* ld.so --list on a program that would print: our output stays as it is. */
	if (!CHECK_INT(child__start(ARGV("echo", "not printed"), &child, &err), 0))
		return;
	for (size_t i = 0; i < child.npaths; i++) {
		libc |= strstr(child.paths[i], "/libc.so") || strstr(child.paths[i], "/ld-musl");
		CHECK_INT(child.paths[i][0], '/');
		CHECK(!access(child.paths[i], R_OK)); /* no "(0x7f...)" behind it */
	}
	CHECK(libc);
	child__free(&child);
	CHECK(!has_children());
}

TEST(static_programs_have_no_libraries)
{
	struct child child;
	struct err err;

	if (access("/sbin/ldconfig", X_OK) || !system("readelf -lW /sbin/ldconfig 2>/dev/null | grep -q INTERP")) {
		SKIP("no static program at hand");
		return;
	}
	if (!CHECK_INT(child__start(ARGV("/sbin/ldconfig", "--version"), &child, &err), 0))
		return;
	CHECK_INT(child.npaths, 1);
	child__free(&child);
}

TEST_MAIN()

// SPDX-License-Identifier: GPL-2.0-or-later
/* Where results go: whole files or none, errors told, with an exporter of the test's own. */
#include "cmd/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

/* Writes opts->top times "document\n", or fails after that with -opts->width. */
static int write_document(const struct profile *prof, const struct export_opts *opts, FILE *out)
{
	(void)prof;
	for (uint32_t i = 0; i < opts->top; i++)
		fputs("document\n", out);
	return -(int)opts->width;
}

static const struct exporter exporter = { .name = "test", .suffixes = ".test", .write = write_document };
static const struct export_opts once = { .top = 1 };

struct place {
	char dir[64], path[96];
};

static bool setup(struct place *p)
{
	snprintf(p->dir, sizeof(p->dir), "/tmp/test_output.XXXXXX");
	if (!CHECK(mkdtemp(p->dir)))
		return false;
	snprintf(p->path, sizeof(p->path), "%s/result.test", p->dir);
	return true;
}

static void teardown(struct place *p)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", p->dir);
	CHECK_INT(system(cmd), 0);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (CHECK(f)) {
		fputs(text, f);
		fclose(f);
	}
}

/* The content of a file, "(none)" when there is no such file. */
static const char *content(const char *path, char buf[256])
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return "(none)";
	n = fread(buf, 1, 255, f);
	buf[n] = 0;
	fclose(f);
	return buf;
}

static int nfiles(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int n = 0;

	while (dir && (e = readdir(dir)))
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	if (dir)
		closedir(dir);
	return n;
}

TEST(puts_the_whole_file_in_place)
{
	struct place p;
	struct output out;
	struct err err = { 0 };
	char buf[256];
	struct stat st;

	if (!setup(&p))
		return;
	put(p.path, "old");
	CHECK_INT(output__open(&out, &exporter, p.path, false, &err), 0);
	CHECK_STR(content(p.path, buf), "old"); /* not even emptied */
	CHECK_INT(output__write(&out, NULL, &once, &err), 0);
	CHECK_STR(content(p.path, buf), "old");
	CHECK_INT(nfiles(p.dir), 2);
	umask(027);
	CHECK_INT(output__commit(&out, &err), 0);
	CHECK_STR(content(p.path, buf), "document\n");
	CHECK_INT(nfiles(p.dir), 1);
	output__abort(&out); /* nothing is left to give up */
	CHECK_STR(content(p.path, buf), "document\n");
	CHECK_INT(err.kind, FAIL_NONE);
	/* The mode of any new file, not mkstemp's. */
	unlink(p.path);
	CHECK_INT(output__open(&out, &exporter, p.path, false, &err), 0);
	CHECK_INT(output__commit(&out, &err), 0);
	CHECK(!stat(p.path, &st));
	CHECK_INT(st.st_mode & 07777, 0640);
	CHECK_INT(umask(022), 027); /* as it was */
	teardown(&p);
}

TEST(gives_up_without_a_trace)
{
	struct place p;
	struct output out;
	struct err err = { 0 };
	char buf[256];

	if (!setup(&p))
		return;
	CHECK_INT(output__open(&out, &exporter, p.path, false, &err), 0);
	CHECK_INT(output__write(&out, NULL, &once, &err), 0);
	output__abort(&out);
	CHECK_INT(nfiles(p.dir), 0);
	output__abort(&out);
	put(p.path, "old");
	CHECK_INT(output__open(&out, &exporter, p.path, false, &err), 0);
	output__abort(&out);
	CHECK_STR(content(p.path, buf), "old");
	CHECK_INT(nfiles(p.dir), 1);
	out = (struct output){ 0 }; /* never opened */
	output__abort(&out);
	teardown(&p);
}

TEST(cannot_be_put_in_place)
{
	struct place p;
	struct output out;
	struct err err = { 0 };

	if (!setup(&p))
		return;
	CHECK_INT(output__open(&out, &exporter, p.path, false, &err), 0);
	CHECK_INT(mkdir(p.path, 0755), 0); /* meanwhile */
	CHECK_INT(output__commit(&out, &err), -EISDIR);
	CHECK_INT(err.kind, FAIL_GENERAL);
	CHECK(strstr(err.msg, p.path));
	output__abort(&out);
	CHECK_INT(nfiles(p.dir), 1);
	teardown(&p);
}

TEST(told_at_the_start)
{
	struct place p;
	struct output out;
	struct err err = { 0 };
	char path[160];

	if (!setup(&p))
		return;
	for (int streams = 0; streams < 2; streams++) {
		CHECK_INT(output__open(&out, &exporter, p.dir, streams, &err), -EISDIR);
		CHECK_INT(err.kind, FAIL_GENERAL);
		CHECK(strstr(err.msg, "cannot write") && strstr(err.msg, p.dir));
		output__abort(&out);
		snprintf(path, sizeof(path), "%s/none/result.test", p.dir);
		CHECK_INT(output__open(&out, &exporter, path, streams, &err), -ENOENT);
		CHECK(strstr(err.msg, path) && strstr(err.msg, strerror(ENOENT)));
		output__abort(&out);
		put(p.path, "a file");
		snprintf(path, sizeof(path), "%s/below", p.path);
		CHECK_INT(output__open(&out, &exporter, path, streams, &err), -ENOTDIR);
		output__abort(&out);
		CHECK_INT(nfiles(p.dir), 1);
	}
	teardown(&p);
}

TEST(streams_grow_in_place)
{
	struct place p;
	struct output out;
	struct err err = { 0 };
	char buf[256];

	if (!setup(&p))
		return;
	put(p.path, "old");
	CHECK_INT(output__open(&out, &exporter, p.path, true, &err), 0);
	CHECK_INT(output__write(&out, NULL, &once, &err), 0);
	/* Whoever follows the file has each document when it is done. */
	CHECK_STR(content(p.path, buf), "document\n");
	CHECK_INT(output__write(&out, NULL, &once, &err), 0);
	CHECK_STR(content(p.path, buf), "document\ndocument\n");
	CHECK_INT(nfiles(p.dir), 1);
	CHECK_INT(output__commit(&out, &err), 0);
	CHECK_STR(content(p.path, buf), "document\ndocument\n");
	CHECK_INT(nfiles(p.dir), 1);
	teardown(&p);
}

/* Also when the error came in the middle of a document and not with its last bytes. */
TEST(a_full_disk)
{
	const struct export_opts sizes[] = { { .top = 1 }, { .top = 100000 } };
	struct output out;
	struct err err = { 0 };
	struct stat st;

	if (stat("/dev/full", &st) || !S_ISCHR(st.st_mode)) {
		SKIP("no /dev/full");
		return;
	}
	for (size_t i = 0; i < 2; i++)
		for (int streams = 0; streams < 2; streams++) {
			CHECK_INT(output__open(&out, &exporter, "/dev/full", streams, &err), 0);
			CHECK(!out.tmp_path); /* a device is not replaced */
			CHECK_INT(output__write(&out, NULL, &sizes[i], &err), -ENOSPC);
			CHECK_INT(err.kind, FAIL_GENERAL);
			CHECK(strstr(err.msg, "/dev/full") && strstr(err.msg, strerror(ENOSPC)));
			output__abort(&out);
		}
	CHECK(!stat("/dev/full", &st) && S_ISCHR(st.st_mode));
}

TEST(an_exporter_that_fails)
{
	const struct export_opts fails = { .top = 1, .width = ENOMEM };
	struct place p;
	struct output out;
	struct err err = { 0 };

	if (!setup(&p))
		return;
	CHECK_INT(output__open(&out, &exporter, p.path, false, &err), 0);
	CHECK_INT(output__write(&out, NULL, &fails, &err), -ENOMEM);
	CHECK_INT(err.kind, FAIL_GENERAL);
	CHECK(strstr(err.msg, "test") && strstr(err.msg, strerror(ENOMEM)));
	output__abort(&out);
	CHECK_INT(nfiles(p.dir), 0);
	teardown(&p);
}

/* A pipe is written, not replaced. */
TEST(named_pipes)
{
	struct place p;
	struct output out;
	struct err err = { 0 };
	char buf[64] = "";
	int fd;

	if (!setup(&p))
		return;
	CHECK_INT(mkfifo(p.path, 0600), 0);
	fd = open(p.path, O_RDWR | O_CLOEXEC);
	CHECK_INT(output__open(&out, &exporter, p.path, false, &err), 0);
	CHECK_INT(output__write(&out, NULL, &once, &err), 0);
	CHECK_INT(output__commit(&out, &err), 0);
	CHECK_INT(read(fd, buf, sizeof(buf) - 1), 9);
	CHECK_STR(buf, "document\n");
	CHECK_INT(nfiles(p.dir), 1);
	close(fd);
	teardown(&p);
}

/* Runs one open-write-commit to "-" with descriptor 1 being @fd. The write's result. */
static int write_to_stdout(int fd, struct err *err)
{
	int old = dup(1), code;
	struct output out;

	fflush(stdout);
	dup2(fd, 1);
	CHECK_INT(output__open(&out, &exporter, "-", false, err), 0);
	code = output__write(&out, NULL, &once, err);
	if (!code)
		CHECK_INT(output__commit(&out, err), 0);
	output__abort(&out);
	/* stdout is not ours to close; what could not be written is not to come later. */
	CHECK(fcntl(1, F_GETFD) >= 0);
	__fpurge(stdout);
	clearerr(stdout);
	dup2(old, 1);
	close(old);
	return code;
}

TEST(standard_output)
{
	struct err err = { 0 };
	char buf[64] = "";
	int pipe_fds[2], full;

	signal(SIGPIPE, SIG_IGN);
	if (!CHECK(!pipe(pipe_fds)))
		return;
	CHECK_INT(write_to_stdout(pipe_fds[1], &err), 0);
	CHECK_INT(read(pipe_fds[0], buf, sizeof(buf) - 1), 9);
	CHECK_STR(buf, "document\n");
	/* Nobody reads any more: no message, only the code. */
	close(pipe_fds[0]);
	CHECK_INT(write_to_stdout(pipe_fds[1], &err), -EPIPE);
	CHECK_INT(err.kind, FAIL_NONE);
	close(pipe_fds[1]);
	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	if (full < 0)
		return;
	CHECK_INT(write_to_stdout(full, &err), -ENOSPC);
	CHECK_INT(err.kind, FAIL_GENERAL);
	CHECK(strstr(err.msg, "standard output"));
	close(full);
}

/* Nothing leaks into what we start. */
TEST(descriptors_are_closed_on_exec)
{
	struct place p;
	struct output out;
	struct err err = { 0 };

	if (!setup(&p))
		return;
	for (int streams = 0; streams < 2; streams++) {
		CHECK_INT(output__open(&out, &exporter, p.path, streams, &err), 0);
		CHECK_INT(fcntl(fileno(out.file), F_GETFD), FD_CLOEXEC);
		output__abort(&out);
	}
	teardown(&p);
}

TEST_MAIN()

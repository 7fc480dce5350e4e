// SPDX-License-Identifier: GPL-2.0-or-later
#include "target/perfmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/proc.h"
#include "test.h"

static const char *name_at(struct perfmap *map, uint64_t addr)
{
	static char name[2048];
	const char *found;
	size_t len;

	if (!perfmap__find(map, addr, &found, &len))
		return "";
	memcpy(name, found, len);
	name[len] = 0;
	return name;
}

static struct perfmap *of_text(const char *text)
{
	struct perfmap *map = NULL;

	CHECK_INT(perfmap__new(-1, &map), 0);
	perfmap__feed(map, text, strlen(text));
	return map;
}

TEST(lines)
{
	struct perfmap *map = of_text("1000 10 JS:*f /a b.js:1:2\n0x2000 0xA0 hexed\n3000 10\n4000 0 nothing\nzz 10 bad\n"
				      "5000 10 \nffffffffffffffff 10 wraps\n10000000000000000 1 too long\n\n-1 10 minus\n"
				      "6000 10 windows\r\n\x10 10 control\n7000  10 two blanks\n8000 10 no end of line");

	CHECK_STR(name_at(map, 0x1000), "JS:*f /a b.js:1:2");
	CHECK_STR(name_at(map, 0x100f), "JS:*f /a b.js:1:2");
	CHECK_STR(name_at(map, 0x1010), "");
	CHECK_STR(name_at(map, 0xfff), "");
	CHECK_STR(name_at(map, 0x209f), "hexed");
	CHECK_STR(name_at(map, 0x3000), "");
	CHECK_STR(name_at(map, 0x4000), "");
	CHECK_STR(name_at(map, 0x5000), "");
	CHECK_STR(name_at(map, 0x6000), "windows");
	CHECK_STR(name_at(map, 0x7000), "");
	CHECK_STR(name_at(map, 0x8000), "");
	CHECK_STR(name_at(map, 0), "");
	CHECK_STR(name_at(map, UINT64_MAX), "");
	perfmap__free(map);
	map = of_text("");
	CHECK_STR(name_at(map, 0x1000), "");
	perfmap__free(map);
}

TEST(later_lines_win)
{
	struct perfmap *map = of_text("1000 1000 big\n1400 100 middle\n1380 100 over its start\n");

	CHECK_STR(name_at(map, 0x1000), "big");
	CHECK_STR(name_at(map, 0x137f), "big");
	CHECK_STR(name_at(map, 0x1380), "over its start");
	CHECK_STR(name_at(map, 0x147f), "over its start");
	CHECK_STR(name_at(map, 0x1480), "middle");
	CHECK_STR(name_at(map, 0x14ff), "middle");
	CHECK_STR(name_at(map, 0x1500), "big");
	CHECK_STR(name_at(map, 0x1fff), "big");
	CHECK_STR(name_at(map, 0x2000), "");
	perfmap__feed(map, "1000 1000 all anew\n", 19);
	CHECK_STR(name_at(map, 0x1480), "all anew");
	perfmap__free(map);
}

/* Ranges that all overlap: a search, or an index made pair by pair, would take minutes. */
TEST(many_nested_ranges)
{
	struct perfmap *map = NULL;
	char line[64];

	CHECK_INT(perfmap__new(-1, &map), 0);
	for (unsigned int i = 0; i < 300000; i++) {
		int n = snprintf(line, sizeof(line), "%x %x f%u\n", 0x10000000 - i, 2 * i + 2, i);

		perfmap__feed(map, line, (size_t)n);
	}
	CHECK_STR(name_at(map, 0x10000000), "f299999");
	CHECK_STR(name_at(map, 0x10000000 - 299999), "f299999");
	CHECK_STR(name_at(map, 0x10000000 + 300001), "");
	perfmap__free(map);
}

static void append(int fd, const char *text)
{
	CHECK_INT(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

TEST(a_file_that_grows)
{
	char path[] = "/tmp/test_perfmap.XXXXXX", *filler;
	struct perfmap *map = NULL;
	int fd = mkstemp(path);
	bool full;

	CHECK_INT(perfmap__new(open(path, O_RDONLY), &map), 0);
	CHECK_INT(perfmap__refresh(map, &full), 0);
	CHECK_STR(name_at(map, 0x1000), "");
	append(fd, "1000 10 first\n2000 10 sec");
	CHECK_INT(perfmap__refresh(map, &full), 0);
	CHECK_STR(name_at(map, 0x1000), "first");
	CHECK_STR(name_at(map, 0x2000), "");
	append(fd, "ond\n");
	CHECK_INT(perfmap__refresh(map, &full), 0);
	CHECK_STR(name_at(map, 0x2000), "second");
	/* A line longer than any, then one that is well. */
	filler = malloc(3 << 20);
	memset(filler, 'x', 3 << 20);
	CHECK_INT(write(fd, filler, 3 << 20), 3 << 20);
	free(filler);
	append(fd, "\n3000 10 third\n");
	CHECK_INT(perfmap__refresh(map, &full), 0);
	CHECK_STR(name_at(map, 0x3000), "third");
	CHECK(!full);
	/* Another program under the same PID. */
	CHECK_INT(ftruncate(fd, 0), 0);
	CHECK_INT(lseek(fd, 0, SEEK_SET), 0);
	append(fd, "1000 10 anew\n");
	CHECK_INT(perfmap__refresh(map, &full), 0);
	CHECK_STR(name_at(map, 0x1000), "anew");
	CHECK_STR(name_at(map, 0x2000), "");
	perfmap__free(map);
	close(fd);
	unlink(path);
}

TEST(bounds)
{
	struct perfmap *map = NULL;
	char path[] = "/tmp/test_perfmap.XXXXXX", line[64];
	bool full = false;
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	fprintf(f, "1000 10 ");
	for (int i = 0; i < 3000; i++)
		fputc('n', f);
	fprintf(f, "\n");
	for (unsigned int i = 0; i < (1u << 20) + 5; i++)
		fprintf(f, "%x 10 f%u\n", 0x100000 + 16 * i, i);
	fclose(f);
	CHECK_INT(perfmap__new(open(path, O_RDONLY), &map), 0);
	CHECK_INT(perfmap__refresh(map, &full), 0);
	CHECK(full);
	CHECK_INT(strlen(name_at(map, 0x1000)), 1024);
	snprintf(line, sizeof(line), "f%u", (1u << 20) - 2);
	CHECK_STR(name_at(map, 0x100000 + 16 * ((1u << 20) - 2)), line);
	CHECK_STR(name_at(map, 0x100000 + 16 * ((1u << 20) + 1)), "");
	perfmap__free(map);
	unlink(path);
}

TEST(only_a_file_of_the_process_or_of_root)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	unlink(path);
	CHECK_INT(proc_open_perf_map(getpid()), -ENOENT);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	append(fd, "1000 10 f\n");
	close(fd);
	fd = proc_open_perf_map(getpid());
	CHECK(fd >= 0);
	close(fd);
	if (geteuid() == 0) {
		CHECK_INT(chown(path, 12345, 0), 0);
		CHECK_INT(proc_open_perf_map(getpid()), -EPERM);
	} else {
		SKIP("only root gives files away");
	}
	unlink(path);
	CHECK_INT(symlink("/etc/passwd", path), 0);
	CHECK(proc_open_perf_map(getpid()) < 0);
	unlink(path);
	CHECK_INT(mkfifo(path, 0644), 0); /* must not wait */
	CHECK(proc_open_perf_map(getpid()) < 0);
	unlink(path);
	CHECK_INT(mkdir(path, 0755), 0);
	CHECK(proc_open_perf_map(getpid()) < 0);
	rmdir(path);
}

TEST_MAIN()

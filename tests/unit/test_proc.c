// SPDX-License-Identifier: GPL-2.0-or-later
/* /proc reading: our own process and children, compared with what the C library and the kernel say otherwise. */
#include "target/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

static void spin(double seconds)
{
	clock_t until = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);

	while (clock() < until)
		;
}

static int check_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
	const struct mappings *maps = ctx;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
		const struct mapping *map;

		if (phdr->p_type != PT_LOAD || !(phdr->p_flags & PF_X))
			continue;
		map = mappings__find(maps, info->dlpi_addr + phdr->p_vaddr);
		if (!CHECK(map))
			continue;
		CHECK(map->executable);
		CHECK(!map->writable);
		if (info->dlpi_name[0] == '/') {
			char *real = realpath(info->dlpi_name, NULL);

			CHECK_STR(map->path, real);
			CHECK_INT(info->dlpi_addr + phdr->p_vaddr - map->start + map->file_off, phdr->p_offset);
			free(real);
		}
	}
	return 0;
}

TEST(maps_of_ourselves)
{
	struct mappings maps = { 0 };
	const struct mapping *map;
	int on_stack;

	CHECK_INT(proc_read_maps(getpid(), &maps), 0);
	dl_iterate_phdr(check_object, &maps);
	map = mappings__find(&maps, (uintptr_t)&on_stack);
	if (CHECK(map))
		CHECK_STR(map->path, "[stack]");
	CHECK(!mappings__find(&maps, 0));
	CHECK(!mappings__find(&maps, UINT64_MAX));
	for (size_t i = 0; i < maps.len; i++) {
		CHECK(mappings__find(&maps, maps.items[i].start) == &maps.items[i]);
		CHECK(mappings__find(&maps, maps.items[i].end - 1) == &maps.items[i]);
	}
	mappings__free(&maps);
}

TEST(maps_text)
{
	static const char text[] =
		"00400000-00452000 r-xp 00001000 fe:01 1234567                    /usr/bin/with space (x)\n"
		"nonsense\n"
		"00452000-00453000 rw-p 00000000 00:00 0 \n"
		"00453000-00453000 rw-p 00000000 00:00 0 \n" /* empty range */
		"00453000-00454000 rwxp 00000000 00:00 0                          [anon: a b]\n"
		"00450000-00460000 r--p 00000000 00:00 0                          /behind/the/order\n"
		"00460000-00461000 r--s 00000000 00:2d 18446744073709551615       /tmp/a\\012b\\040c (deleted)\n"
		"00461000-00462000 r--s 00000000 00:2d 18446744073709551616       /tmp/inode-overflow\n"
		"00462000-1ffffffffffffffff r--s 00000000 00:2d 1 /tmp/address-overflow\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]";
	struct mappings maps = { 0 };

	CHECK_INT(proc_parse_maps(text, sizeof(text) - 1, &maps), 0);
	if (CHECK_INT(maps.len, 5)) {
		CHECK_STR(maps.items[0].path, "/usr/bin/with space (x)");
		CHECK_INT(maps.items[0].start, 0x400000);
		CHECK_INT(maps.items[0].end, 0x452000);
		CHECK_INT(maps.items[0].file_off, 0x1000);
		CHECK_INT(maps.items[0].dev_major, 0xfe);
		CHECK_INT(maps.items[0].dev_minor, 1);
		CHECK_INT(maps.items[0].inode, 1234567);
		CHECK(maps.items[0].readable && !maps.items[0].writable && maps.items[0].executable);
		CHECK(!maps.items[0].deleted);
		CHECK_STR(maps.items[1].path, "");
		CHECK_STR(maps.items[2].path, "[anon: a b]");
		CHECK_STR(maps.items[3].path, "/tmp/a\nb\\040c");
		CHECK(maps.items[3].deleted);
		CHECK_INT(maps.items[3].inode, -1);
		CHECK_STR(maps.items[4].path, "[vsyscall]");
		CHECK_INT(maps.items[4].start, 0xffffffffff600000);
	}
	mappings__free(&maps);
	CHECK_INT(proc_parse_maps("", 0, &maps), 0);
	CHECK_INT(maps.len, 0);
	mappings__free(&maps);
}

TEST(info_with_an_ugly_name)
{
	struct proc_info info;
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n] = 0;
	prctl(PR_SET_NAME, "a) R 1 (b\n");
	if (CHECK_INT(proc_read_info(getpid(), &info), 0)) {
		CHECK_STR(info.comm, "a) R 1 (b\n");
		CHECK(strcmp(info.exe, exe) == 0);
		CHECK(!info.is_kernel_thread);
		CHECK(!info.is_zombie);
		CHECK(info.start_ticks > 0);
	}
	prctl(PR_SET_NAME, "test_proc");
}

TEST(info_of_zombie_kernel_thread_and_nobody)
{
	struct mappings maps = { 0 };
	struct proc_info info;
	struct proc_rss rss;
	siginfo_t si;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT);
	CHECK_INT(proc_read_info(pid, &info), 0);
	CHECK(info.is_zombie);
	CHECK_INT(proc_read_maps(pid, &maps), 0);
	CHECK_INT(maps.len, 0);
	CHECK_INT(proc_read_rss(pid, &rss), 0);
	CHECK_INT(rss.rss_bytes, 0);
	waitpid(pid, NULL, 0);
	CHECK_INT(proc_read_info(pid, &info), -ESRCH);
	CHECK_INT(proc_read_maps(pid, &maps), -ESRCH);
	CHECK_INT(proc_read_rss(pid, &rss), -ESRCH);
	CHECK(!proc_read_hugetlb(pid, &rss.rss_bytes));
	CHECK_INT(proc_cpu_ns(pid), 0);
	CHECK_INT(proc_read_mem(pid, 0x1000, &rss, 1), -ESRCH);
	if (proc_read_info(2, &info) == 0 && strcmp(info.comm, "kthreadd") == 0)
		CHECK(info.is_kernel_thread);
	else
		SKIP("no kthreadd in this PID namespace");
}

TEST(cpu_time_as_getrusage)
{
	struct rusage ru;
	uint64_t ours, theirs;

	spin(0.2);
	ours = proc_cpu_ns(getpid());
	getrusage(RUSAGE_SELF, &ru);
	theirs = (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000000ull +
		 (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000;
	CHECK(ours > 150000000);
	CHECK(ours < theirs + 20000000 && theirs < ours + 20000000);
}

TEST(rss_follows_what_we_touch)
{
	const size_t len = 64u << 20, shared = 16u << 20;
	struct proc_rss before, after;
	char *anon, *shm;

	CHECK_INT(proc_read_rss(getpid(), &before), 0);
	anon = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shm = mmap(NULL, shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(anon, 1, len);
	memset(shm, 1, shared);
	CHECK_INT(proc_read_rss(getpid(), &after), 0);
	CHECK_INT(after.anon_bytes + after.file_bytes + after.shmem_bytes, after.rss_bytes);
	/* The sanitizers' own memory moves by some pages in between. */
	CHECK(after.anon_bytes - before.anon_bytes >= len && after.anon_bytes - before.anon_bytes < len + (2u << 20));
	CHECK(after.shmem_bytes - before.shmem_bytes > shared - (1u << 20) &&
	      after.shmem_bytes - before.shmem_bytes < shared + (1u << 20));
	munmap(anon, len);
	munmap(shm, shared);
	CHECK_INT(proc_read_rss(getpid(), &after), 0);
	CHECK(after.rss_bytes < before.rss_bytes + (4u << 20));
}

TEST(memory_of_a_child)
{
	static volatile uint64_t word = 0x1122334455667788ull;
	long page = sysconf(_SC_PAGESIZE);
	uint8_t buf[16384];
	uint64_t got = 0;
	char *hole;
	pid_t pid;

	hole = mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	hole[page - 1] = 42;
	munmap(hole + page, (size_t)page);
	pid = fork();
	if (pid == 0) {
		word = 99;
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, WUNTRACED);
	CHECK_INT(proc_read_mem(pid, (uintptr_t)&word, &got, sizeof(got)), sizeof(got));
	CHECK_INT(got, 99);
	CHECK_INT(proc_read_mem(pid, (uintptr_t)hole + (uint64_t)page - 8, buf, sizeof(buf)), 8);
	CHECK_INT(buf[7], 42);
	CHECK(proc_read_mem(pid, 8, buf, 8) < 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	munmap(hole, (size_t)page);
}

/* Map the file at @path and give its line of maps. */
static const struct mapping *map_file(const char *path, void **ret_addr, struct mappings *maps)
{
	int fd = open(path, O_RDONLY);

	*ret_addr = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	proc_read_maps(getpid(), maps);
	return mappings__find(maps, (uintptr_t)*ret_addr);
}

TEST(mapping_of_deleted_file_with_newline_in_name)
{
	char dir[] = "/tmp/test_proc.XXXXXX", path[128], buf[16] = "";
	struct mappings maps = { 0 };
	const struct mapping *map;
	struct stat st;
	void *addr;
	int fd;

	if (!mkdtemp(dir))
		return;
	snprintf(path, sizeof(path), "%s/a\nb c", dir);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	CHECK_INT(write(fd, "hello", 5), 5);
	fstat(fd, &st);
	close(fd);
	map = map_file(path, &addr, &maps);
	if (CHECK(map)) {
		CHECK_STR(map->path, path);
		CHECK(!map->deleted);
		CHECK_INT(map->inode, st.st_ino);
		/* By name, as without map_files. */
		fd = proc_open_in_root("/proc/self/root", map->path);
		CHECK(fd >= 0);
		close(fd);
	}
	mappings__free(&maps);
	unlink(path);
	/* Another file under the same name must not be taken for it. */
	fd = open(path, O_CREAT | O_RDWR, 0600);
	CHECK_INT(write(fd, "wrong", 5), 5);
	close(fd);
	proc_read_maps(getpid(), &maps);
	map = mappings__find(&maps, (uintptr_t)addr);
	if (CHECK(map)) {
		CHECK(map->deleted);
		CHECK_STR(map->path, path);
		fd = proc_open_mapping(getpid(), map);
		CHECK(fd >= 0);
		CHECK_INT(read(fd, buf, sizeof(buf)), 5);
		CHECK_STR(buf, "hello");
		close(fd);
	}
	/* A range that map_files does not have leaves the name, and the inode tells that it is not the file. */
	if (map) {
		struct mapping moved = *map;

		moved.end += 4096;
		CHECK_INT(proc_open_mapping(getpid(), &moved), -ESTALE);
	}
	mappings__free(&maps);
	munmap(addr, 4096);
	unlink(path);
	rmdir(dir);
}

TEST(open_in_root_stays_inside_and_never_waits)
{
	char dir[] = "/tmp/test_proc.XXXXXX", path[128];
	int fd;

	if (!mkdtemp(dir))
		return;
	snprintf(path, sizeof(path), "%s/fifo", dir);
	mkfifo(path, 0600);
	snprintf(path, sizeof(path), "%s/out", dir);
	CHECK_INT(symlink("/etc/passwd", path), 0);
	snprintf(path, sizeof(path), "%s/up", dir);
	CHECK_INT(symlink("../../etc/passwd", path), 0);
	snprintf(path, sizeof(path), "%s/file", dir);
	close(open(path, O_CREAT | O_RDWR, 0600));
	snprintf(path, sizeof(path), "%s/in", dir);
	CHECK_INT(symlink("/file", path), 0);
	CHECK_INT(proc_open_in_root(dir, "/fifo"), -EINVAL);
	CHECK_INT(proc_open_in_root("/", "/dev/zero"), -EINVAL);
	CHECK_INT(proc_open_in_root(dir, "/out"), -ENOENT);
	CHECK_INT(proc_open_in_root(dir, "/up"), -ENOENT);
	CHECK_INT(proc_open_in_root(dir, "/../../etc/passwd"), -ENOENT);
	fd = proc_open_in_root(dir, "/in");
	CHECK(fd >= 0);
	close(fd);
	snprintf(path, sizeof(path), "rm -r %s", dir);
	CHECK_INT(system(path), 0);
}

TEST(mapping_in_another_mount_namespace)
{
	char dir[] = "/tmp/test_proc.XXXXXX", path[128];
	struct mappings maps = { 0 };
	int ready[2], fd;
	char byte;
	pid_t pid;

	if (!mkdtemp(dir) || pipe(ready))
		return;
	snprintf(path, sizeof(path), "%s/only-here", dir);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("none", dir, "tmpfs", 0, NULL))
			_exit(3);
		fd = open(path, O_CREAT | O_RDWR, 0600);
		if (write(fd, "inner", 5) != 5)
			_exit(3);
		mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
		close(fd);
		if (write(ready[1], "x", 1) != 1)
			_exit(3);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		SKIP("no right to make a mount namespace");
	} else {
		bool found = false;

		CHECK_INT(proc_read_maps(pid, &maps), 0);
		for (size_t i = 0; i < maps.len; i++) {
			char buf[8] = "", root[32];

			if (strcmp(maps.items[i].path, path) != 0)
				continue;
			found = true;
			fd = proc_open_mapping(pid, &maps.items[i]);
			CHECK(fd >= 0);
			CHECK_INT(read(fd, buf, 7), 5);
			CHECK_STR(buf, "inner");
			close(fd);
			snprintf(root, sizeof(root), "/proc/%d/root", pid);
			fd = proc_open_in_root(root, path);
			CHECK(fd >= 0);
			close(fd);
		}
		CHECK(found);
		mappings__free(&maps);
	}
	close(ready[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	rmdir(dir);
}

struct children {
	pid_t pids[64];
	int n;
};

static int collect_child(void *ctx, pid_t child)
{
	struct children *children = ctx;

	if (children->n < 64)
		children->pids[children->n++] = child;
	return 0;
}

TEST(children)
{
	struct children got = { .n = 0 };
	pid_t pids[3];

	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			for (;;)
				pause();
		}
	}
	CHECK_INT(proc_each_child(getpid(), collect_child, &got), 0);
	CHECK_INT(got.n, 3);
	for (int i = 0; i < 3; i++) {
		bool found = false;

		for (int j = 0; j < got.n; j++)
			found |= got.pids[j] == pids[i];
		CHECK(found);
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	got.n = 0;
	CHECK_INT(proc_each_child(pids[0], collect_child, &got), -ESRCH);
}

TEST_MAIN()

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /proc of a process. Formats: proc(5), fs/proc/task_mmu.c, fs/proc/array.c.
 *
 * Everything here can disappear between two calls; a process that is gone reads
 * as -ESRCH whatever the kernel said (ENOENT from the directory, ESRCH from a
 * file that was already open).
 */
#include "target/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/vec.h"

#define MAX_PROC_FILE_BYTES (256u << 20)
#define MAX_MAP_LINE_BYTES (2 * PATH_MAX * 4) /* a path with every byte escaped, and the numbers */
#define PF_KTHREAD 0x00200000u /* include/linux/sched.h */

/* errno of a failed access to /proc/PID/...: gone is gone. */
static int proc_errno(int error)
{
	return error == ENOENT ? -ESRCH : -error;
}

/* All of the file at @path, NUL-terminated; the caller frees *ret. */
static int read_whole(const char *path, char **ret, size_t *ret_len)
{
	char *buf = NULL;
	size_t cap = 0, len = 0;
	int fd, err = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return proc_errno(errno);
	for (;;) {
		ssize_t n;

		if (len > MAX_PROC_FILE_BYTES) {
			err = -EFBIG;
			break;
		}
		err = vec_reserve((void **)&buf, &cap, len + 8192, 1);
		if (err)
			break;
		n = read(fd, buf + len, cap - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = proc_errno(errno);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	if (err) {
		free(buf);
		return err;
	}
	buf[len] = 0;
	*ret = buf;
	*ret_len = len;
	return 0;
}

static int read_pid_file(pid_t pid, const char *file, char **ret, size_t *ret_len)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return read_whole(path, ret, ret_len);
}

/* A number at *@s of at most @max, digits of @base; moves *@s past it. No sign, no blanks: unlike strtoull. */
static bool eat_number(const char **s, const char *end, unsigned int base, uint64_t max, uint64_t *ret)
{
	const char *p = *s;
	uint64_t value = 0;

	for (; p < end; p++) {
		unsigned int digit;

		if (*p >= '0' && *p <= '9')
			digit = (unsigned int)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			digit = (unsigned int)(*p - 'a') + 10;
		else
			break;
		if (digit >= base)
			break;
		if (value > (max - digit) / base)
			return false;
		value = value * base + digit;
	}
	if (p == *s)
		return false;
	*s = p;
	*ret = value;
	return true;
}

static bool eat_char(const char **s, const char *end, char c)
{
	if (*s >= end || **s != c)
		return false;
	(*s)++;
	return true;
}

/*
 * The path column. The kernel writes a newline in a path as "\012" and leaves
 * everything else, backslashes included, as it is (seq_path(m, path, "\n")): the
 * rare name that really contains these four characters reads wrongly, and then
 * only the /proc/PID/map_files way finds the file.
 */
static char *copy_path(const char *s, size_t len, bool *deleted)
{
	static const char suffix[] = " (deleted)";
	const size_t suffix_len = sizeof(suffix) - 1;
	char *path, *out;

	*deleted = len > suffix_len && memcmp(s + len - suffix_len, suffix, suffix_len) == 0;
	if (*deleted)
		len -= suffix_len;
	path = malloc(len + 1);
	if (!path)
		return NULL;
	out = path;
	for (size_t i = 0; i < len; i++) {
		if (len - i >= 4 && memcmp(s + i, "\\012", 4) == 0) {
			*out++ = '\n';
			i += 3;
		} else {
			*out++ = s[i] ? s[i] : '?'; /* the kernel writes no NUL */
		}
	}
	*out = 0;
	return path;
}

/*
 * 7f1c2a200000-7f1c2a226000 r-xp 00026000 fe:01 1234   /usr/lib/libc.so.6
 * 1: a mapping, 0: not a line that makes sense, -ENOMEM.
 */
static int parse_map_line(const char *s, const char *end, struct mapping *ret)
{
	struct mapping map = { 0 };
	uint64_t major, minor;

	if (!eat_number(&s, end, 16, UINT64_MAX, &map.start) || !eat_char(&s, end, '-') ||
	    !eat_number(&s, end, 16, UINT64_MAX, &map.end) || !eat_char(&s, end, ' ') || map.end <= map.start)
		return 0;
	if (end - s < 5 || s[4] != ' ')
		return 0;
	map.readable = s[0] == 'r';
	map.writable = s[1] == 'w';
	map.executable = s[2] == 'x';
	s += 5;
	if (!eat_number(&s, end, 16, UINT64_MAX, &map.file_off) || !eat_char(&s, end, ' ') ||
	    !eat_number(&s, end, 16, UINT32_MAX, &major) || !eat_char(&s, end, ':') ||
	    !eat_number(&s, end, 16, UINT32_MAX, &minor) || !eat_char(&s, end, ' ') ||
	    !eat_number(&s, end, 10, UINT64_MAX, &map.inode))
		return 0;
	if (s < end && *s != ' ')
		return 0;
	while (s < end && *s == ' ')
		s++;
	map.dev_major = (uint32_t)major;
	map.dev_minor = (uint32_t)minor;
	map.path = copy_path(s, (size_t)(end - s), &map.deleted);
	if (!map.path)
		return -ENOMEM;
	*ret = map;
	return 1;
}

int proc_parse_maps(const char *text, size_t len, struct mappings *ret)
{
	struct mappings maps = { 0 };
	const char *end = text + len;
	size_t cap = 0;

	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		struct mapping map;
		int got = 0;

		if (!eol)
			eol = end;
		if (eol - text <= MAX_MAP_LINE_BYTES)
			got = parse_map_line(text, eol, &map);
		text = eol < end ? eol + 1 : end;
		if (got == 0)
			continue;
		/* Searches rely on the order; the kernel keeps it even when the maps change while we read. */
		if (got > 0 && maps.len && map.start < maps.items[maps.len - 1].end) {
			free(map.path);
			continue;
		}
		if (got < 0 || vec_reserve((void **)&maps.items, &cap, maps.len + 1, sizeof(map))) {
			if (got > 0)
				free(map.path);
			mappings__free(&maps);
			return -ENOMEM;
		}
		maps.items[maps.len++] = map;
	}
	*ret = maps;
	return 0;
}

int proc_read_maps(pid_t pid, struct mappings *ret)
{
	size_t len;
	char *text;
	int err;

	err = read_pid_file(pid, "maps", &text, &len);
	if (err)
		return err;
	err = proc_parse_maps(text, len, ret);
	free(text);
	return err;
}

void mappings__free(struct mappings *maps)
{
	if (!maps)
		return;
	for (size_t i = 0; i < maps->len; i++)
		free(maps->items[i].path);
	free(maps->items);
	*maps = (struct mappings){ 0 };
}

const struct mapping *mappings__find(const struct mappings *maps, uint64_t addr)
{
	size_t lo = 0, hi = maps->len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr >= maps->items[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < maps->len && addr >= maps->items[lo].start ? &maps->items[lo] : NULL;
}

/* What /proc/PID/stat tells, as far as we ask. */
struct stat_fields {
	char comm[64];
	char state;
	pid_t parent;
	uint64_t flags, cpu_ticks, start_ticks;
};

/* "1234 (any) thing) S 1 ...": the name may hold blanks and parentheses, so its end is the last one. */
static int read_stat(pid_t pid, struct stat_fields *ret)
{
	unsigned long long flags, utime, stime, start;
	struct stat_fields stat = { 0 };
	char *text, *open_paren, *close_paren;
	size_t len;
	int err;

	err = read_pid_file(pid, "stat", &text, &len);
	if (err)
		return err;
	open_paren = strchr(text, '(');
	close_paren = strrchr(text, ')');
	/* Fields 3 state, 4 ppid, 9 flags, 14 utime, 15 stime, 22 starttime. */
	if (!open_paren || !close_paren || close_paren < open_paren ||
	    sscanf(close_paren + 1, " %c %d %*d %*d %*d %*d %llu %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu",
		   &stat.state, &stat.parent, &flags, &utime, &stime, &start) != 6) {
		free(text);
		return -EPROTO;
	}
	*close_paren = 0;
	snprintf(stat.comm, sizeof(stat.comm), "%s", open_paren + 1);
	stat.flags = flags;
	stat.cpu_ticks = utime + stime;
	stat.start_ticks = start;
	free(text);
	*ret = stat;
	return 0;
}

int proc_read_info(pid_t pid, struct proc_info *ret)
{
	struct proc_info info = { .pid = pid };
	struct stat_fields stat;
	char path[64];
	ssize_t n;
	int err;

	err = read_stat(pid, &stat);
	if (err)
		return err;
	memcpy(info.comm, stat.comm, sizeof(info.comm));
	info.is_kernel_thread = stat.flags & PF_KTHREAD;
	info.is_zombie = stat.state == 'Z' || stat.state == 'X';
	info.start_ticks = stat.start_ticks;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, info.exe, sizeof(info.exe) - 1);
	info.exe[n > 0 ? n : 0] = 0;
	*ret = info;
	return 0;
}

int proc_seccomp_mode(pid_t pid)
{
	static const char key[] = "\nSeccomp:\t";
	const char *at;
	char *status;
	size_t len;
	int mode = -1;

	if (read_pid_file(pid, "status", &status, &len))
		return -1;
	at = strstr(status, key);
	if (at && at[sizeof(key) - 1] >= '0' && at[sizeof(key) - 1] <= '9')
		mode = at[sizeof(key) - 1] - '0';
	free(status);
	return mode;
}

uint64_t proc_cpu_ns(pid_t pid)
{
	struct stat_fields stat;
	struct timespec ts;
	clockid_t clock;
	long hz;

	if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &ts) == 0)
		return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
	hz = sysconf(_SC_CLK_TCK);
	if (hz <= 0 || read_stat(pid, &stat))
		return 0;
	return stat.cpu_ticks * (1000000000ull / (uint64_t)hz);
}

/* "Name:   123 kB" at the start of a line, in bytes. */
static bool find_kb(const char *text, const char *name, uint64_t *ret)
{
	const size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *end;
		uint64_t value;

		line += *line == '\n';
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		end = line + strspn(line, "0123456789");
		if (!eat_number(&line, end, 10, UINT64_MAX >> 10, &value))
			return false;
		*ret = value << 10;
		return true;
	}
	return false;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int proc_read_rss(pid_t pid, struct proc_rss *ret)
{
	char *status, *rollup = NULL;
	struct proc_rss rss = { 0 };
	size_t len;
	int err;

	err = read_pid_file(pid, "status", &status, &len);
	if (err)
		return err;
	/* A zombie or kernel thread has no memory and none of these lines. */
	find_kb(status, "RssAnon", &rss.anon_bytes);
	find_kb(status, "RssFile", &rss.file_bytes);
	find_kb(status, "RssShmem", &rss.shmem_bytes);
	find_kb(status, "VmSwap", &rss.swap_bytes);
	free(status);
	rss.rss_bytes = rss.anon_bytes + rss.file_bytes + rss.shmem_bytes;

	/*
	 * status reads the counters cheaply: each may be off by up to (batch x CPUs) pages from Linux 6.2 on
	 * until it was made to sum, and by 63 pages a thread before. The page tables do not lie: total and anonymous
	 * part come from them; of the rest, shmem is as status says and file is what remains, so the parts always
	 * add up to the total.
	 */
	if (read_pid_file(pid, "smaps_rollup", &rollup, &len) == 0) {
		uint64_t total, anon, swap;

		if (find_kb(rollup, "Rss", &total) && find_kb(rollup, "Anonymous", &anon)) {
			rss.rss_bytes = total;
			rss.anon_bytes = min_u64(anon, total);
			rss.shmem_bytes = min_u64(rss.shmem_bytes, total - rss.anon_bytes);
			rss.file_bytes = total - rss.anon_bytes - rss.shmem_bytes;
			if (find_kb(rollup, "Swap", &swap))
				rss.swap_bytes = swap;
		}
		free(rollup);
	}
	*ret = rss;
	return 0;
}

bool proc_read_hugetlb(pid_t pid, uint64_t *ret_bytes)
{
	char *status;
	size_t len;
	bool known;

	if (read_pid_file(pid, "status", &status, &len))
		return false;
	known = find_kb(status, "HugetlbPages", ret_bytes);
	free(status);
	return known;
}

ssize_t proc_read_mem(pid_t pid, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = { buf, len }, remote = { (void *)(uintptr_t)addr, len };
	char path[64];
	ssize_t n;
	int fd;

	n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	if (n >= 0)
		return n;
	if (errno == ESRCH)
		return -ESRCH;
	/* Refused by a seccomp filter around us, or a mapping that only ptrace access may read. */
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return proc_errno(errno);
	n = pread(fd, buf, len, (off_t)addr);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

#define READS_AT_ONCE 256

/* Number of @reads that were done, in order; 0: the first one failed. */
static size_t read_some(pid_t pid, struct mem_read *reads, size_t n)
{
	struct iovec local[READS_AT_ONCE] = { 0 }, remote[READS_AT_ONCE] = { 0 };
	ssize_t got;
	size_t i;

	if (n > READS_AT_ONCE)
		n = READS_AT_ONCE;
	for (i = 0; i < n; i++) {
		local[i] = (struct iovec){ reads[i].buf, reads[i].len };
		remote[i] = (struct iovec){ (void *)(uintptr_t)reads[i].addr, reads[i].len };
	}
	got = process_vm_readv(pid, local, n, remote, n, 0);
	for (i = 0; i < n && got >= (ssize_t)reads[i].len; i++) {
		reads[i].ok = true;
		got -= (ssize_t)reads[i].len;
	}
	return i;
}

static void read_many(void *ctx, struct mem_read *reads, size_t n)
{
	pid_t pid = *(const pid_t *)ctx;
	size_t done;

	for (size_t i = 0; i < n; i++)
		reads[i].ok = false;
	for (; n; reads += done, n -= done) {
		done = read_some(pid, reads, n);
		if (done)
			continue;
		/* The one that stopped it: on its own, by the other way if need be. */
		reads->ok = proc_read_mem(pid, reads->addr, reads->buf, reads->len) == (ssize_t)reads->len;
		done = 1;
	}
}

struct mem_reader proc_mem_reader(const pid_t *pid)
{
	return (struct mem_reader){ (void *)pid, read_many };
}

/*
 * Turn an O_PATH descriptor into one to read from (and close it), if it is a
 * regular file: opening a fifo could wait for ever, opening a device could do anything.
 */
static int reopen_regular(int path_fd, struct stat *st)
{
	char path[64];
	int fd;

	if (fstat(path_fd, st) < 0) {
		fd = -errno;
	} else if (!S_ISREG(st->st_mode)) {
		fd = -EINVAL;
	} else {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd < 0)
			fd = -errno;
	}
	close(path_fd);
	return fd;
}

/* @flags: O_NOFOLLOW, or 0. */
static int open_in_root(const char *root, const char *path, int flags, struct stat *st)
{
	struct open_how how = { .flags = (uint64_t)(O_PATH | O_CLOEXEC | flags), .resolve = RESOLVE_IN_ROOT };
	int root_fd, fd;

	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
		/*
		 * Linux before 5.6, or a seccomp filter that does not know the call. Absolute links and ".." then
		 * lead out into our own root, which is why callers check what they got against a device and
		 * inode, a build ID or a checksum.
		 */
		while (*path == '/')
			path++;
		fd = openat(root_fd, path, O_PATH | O_CLOEXEC | flags);
	}
	if (fd < 0)
		fd = -errno;
	close(root_fd);
	return fd < 0 ? fd : reopen_regular(fd, st);
}

int proc_open_in_root(const char *root, const char *path)
{
	struct stat st;

	return open_in_root(root, path, 0, &st);
}

/* The number at the end (@last) or start of the line "Name:\t1\t2\t3" of a status file. */
static bool find_id(const char *text, const char *name, bool last, uint64_t *ret)
{
	const char *line = strstr(text, name), *end;
	bool found = false;

	if (!line)
		return false;
	line += strlen(name);
	end = line + strcspn(line, "\n");
	do {
		line += strspn(line, "\t");
		if (!eat_number(&line, end, 10, UINT32_MAX, ret))
			break;
		found = true;
	} while (last);
	return found;
}

int proc_open_perf_map(pid_t pid)
{
	uint64_t inner_pid, uid;
	char root[64], path[64], *status;
	struct stat st;
	size_t len;
	bool known;
	int fd;

	fd = read_pid_file(pid, "status", &status, &len);
	if (fd)
		return fd;
	/* NSpid ends with the PID in the innermost namespace, which is what getpid() gave the program. */
	known = find_id(status, "\nNSpid:", true, &inner_pid) && find_id(status, "\nUid:", false, &uid);
	free(status);
	if (!known)
		return -EPROTO;
	snprintf(root, sizeof(root), "/proc/%d/root", pid);
	snprintf(path, sizeof(path), "/tmp/perf-%u.map", (unsigned int)inner_pid);
	/* In a folder that anybody writes to: no link to a file that somebody else wrote. */
	fd = open_in_root(root, path, O_NOFOLLOW, &st);
	if (fd >= 0 && st.st_uid != 0 && st.st_uid != uid) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

/* Overlayfs and btrfs say other things to fstat(2), and what depends on the kernel: so it is mapped here for a look. */
int proc_mapped_origin(int fd, struct mapping *ret)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *addr = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);
	const struct mapping *map;
	struct mappings maps;
	int err;

	if (addr == MAP_FAILED)
		return -errno;
	err = proc_read_maps(getpid(), &maps);
	if (!err) {
		map = mappings__find(&maps, (uintptr_t)addr);
		if (map) {
			ret->inode = map->inode;
			ret->dev_major = map->dev_major;
			ret->dev_minor = map->dev_minor;
		}
		err = map && map->inode ? 0 : -ENOENT;
		mappings__free(&maps);
	}
	munmap(addr, page);
	return err;
}

int proc_open_mapping(pid_t pid, const struct mapping *map)
{
	char path[128];
	struct stat st;
	bool same_dev;
	int fd;

	if (map->inode == 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)map->start,
		 (unsigned long long)map->end);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd >= 0)
		fd = reopen_regular(fd, &st);
	if (fd >= 0) {
		/*
		 * The kernel's own link for this very range, so what differs is the view: overlayfs and btrfs show
		 * another device in maps than stat(2) does, overlayfs also another inode. Only the same device with
		 * another inode tells that the range was mapped anew since maps was read.
		 */
		same_dev = major(st.st_dev) == map->dev_major && minor(st.st_dev) == map->dev_minor;
		if (st.st_ino == map->inode || !same_dev)
			return fd;
		close(fd);
		return -ESTALE;
	}
	if (map->path[0] != '/')
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	fd = open_in_root(path, map->path, 0, &st);
	if (fd < 0)
		return fd;
	/* By name it could be any file. The device may differ (see above), the inode then is all the proof there is. */
	if (st.st_ino != map->inode) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

/* PIDs in the text of a children file. */
static int each_pid_in(const char *text, size_t len, int (*fn)(void *ctx, pid_t child), void *ctx)
{
	const char *s = text, *end = text + len;
	uint64_t pid;

	while (s < end) {
		int stop;

		if (!eat_number(&s, end, 10, INT_MAX, &pid)) {
			s++;
			continue;
		}
		stop = fn(ctx, (pid_t)pid);
		if (stop)
			return stop;
	}
	return 0;
}

/* Without CONFIG_PROC_CHILDREN: everybody's parent. */
static int each_child_by_parent(pid_t pid, int (*fn)(void *ctx, pid_t child), void *ctx)
{
	struct dirent *entry;
	int stop = 0;
	DIR *dir;

	dir = opendir("/proc");
	if (!dir)
		return -errno;
	while (!stop && (entry = readdir(dir))) {
		const char *s = entry->d_name;
		struct stat_fields stat;
		uint64_t child;

		if (eat_number(&s, s + strlen(s), 10, INT_MAX, &child) && !*s && !read_stat((pid_t)child, &stat) &&
		    stat.parent == pid)
			stop = fn(ctx, (pid_t)child);
	}
	closedir(dir);
	return stop;
}

int proc_each_child(pid_t pid, int (*fn)(void *ctx, pid_t child), void *ctx)
{
	bool has_children_files = false;
	struct dirent *entry;
	char path[64];
	int stop = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return proc_errno(errno);
	while (!stop && (entry = readdir(dir))) {
		char file[64];
		char *text;
		size_t len;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "task/%.20s/children", entry->d_name);
		if (read_pid_file(pid, file, &text, &len))
			continue;
		has_children_files = true;
		stop = each_pid_in(text, len, fn, ctx);
		free(text);
	}
	closedir(dir);
	return has_children_files ? stop : each_child_by_parent(pid, fn, ctx);
}

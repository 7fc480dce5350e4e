/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc tells of a process. Text of the target (names, paths) is copied as it is: hostile. */
#ifndef ALLOCSNOOP_TARGET_PROC_H
#define ALLOCSNOOP_TARGET_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct mapping {
	uint64_t start, end;
	uint64_t file_off;
	uint64_t inode; /* 0: anonymous */
	uint32_t dev_major, dev_minor;
	bool readable, writable, executable;
	char *path; /* "" when there is none; as the target sees it, " (deleted)" cut off */
	bool deleted;
};

struct mappings {
	struct mapping *items; /* ascending */
	size_t len;
};

/* All of /proc/@pid/maps. -ESRCH when the process is gone. Empty for a kernel thread or zombie. */
int proc_read_maps(pid_t pid, struct mappings *ret);
/* The same from the text of a maps file (for tests and fuzzers). Lines that make no sense are left out. */
int proc_parse_maps(const char *text, size_t len, struct mappings *ret);
void mappings__free(struct mappings *maps);
/* The mapping that holds @addr, or NULL. */
const struct mapping *mappings__find(const struct mappings *maps, uint64_t addr);

struct proc_info {
	pid_t pid;
	char comm[64];
	char exe[4096]; /* readlink of exe, "" for kernel threads */
	bool is_kernel_thread;
	bool is_zombie;
	uint64_t start_ticks; /* field 22 of stat: tells a recycled PID */
};

int proc_read_info(pid_t pid, struct proc_info *ret);

/* 0: none, 1: strict, 2: a filter; -1 when it cannot be known. */
int proc_seccomp_mode(pid_t pid);

/* CPU time of the whole process, ns; 0 when it is gone. */
uint64_t proc_cpu_ns(pid_t pid);

struct proc_rss {
	uint64_t rss_bytes, anon_bytes, file_bytes, shmem_bytes, swap_bytes;
};

/* /proc/PID/smaps_rollup where it is readable (exact), else statm and status. */
int proc_read_rss(pid_t pid, struct proc_rss *ret);

/*
 * Memory of hugetlbfs that the process has touched, which is in no RSS: HugetlbPages of /proc/PID/status.
 * false: not known.
 */
bool proc_read_hugetlb(pid_t pid, uint64_t *ret_bytes);

/* One of many reads of a process's memory. */
struct mem_read {
	uint64_t addr;
	void *buf;
	size_t len;
	bool ok; /* all of it was read */
};

/* Where reads go to: a process, or what a test has made of one. */
struct mem_reader {
	void *ctx;
	void (*read)(void *ctx, struct mem_read *reads, size_t n);
};

/* Reads go to @pid, in order, many with one system call. */
struct mem_reader proc_mem_reader(const pid_t *pid);

/* Read the target's memory; number of bytes read (may be short) or -errno. */
ssize_t proc_read_mem(pid_t pid, uint64_t addr, void *buf, size_t len);

/* Open the file behind @map (map_files, else /proc/PID/root/path checked against device and inode). fd or -errno. */
int proc_open_mapping(pid_t pid, const struct mapping *map);

/* What maps will say of the file @fd where it is mapped: into @ret's device and inode. 0 or -errno. */
int proc_mapped_origin(int fd, struct mapping *ret);

/*
 * Open the regular file @path as a process would whose root is @root ("/proc/PID/root", "/"): symbolic
 * links do not lead out where the kernel has openat2(2). Never waits. fd or -errno.
 */
int proc_open_in_root(const char *root, const char *path);

/*
 * Open the perf map of @pid, "/tmp/perf-PID.map" as the process sees /tmp and its PID: a regular file of the
 * process's user or of root. fd, -ENOENT when there is none, or another -errno.
 */
int proc_open_perf_map(pid_t pid);

/* Children of all threads of @pid (one level): calls @fn for each. */
int proc_each_child(pid_t pid, int (*fn)(void *ctx, pid_t child), void *ctx);

#endif

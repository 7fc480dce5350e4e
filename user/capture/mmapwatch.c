// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/mmapwatch.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/span.h"

#define DATA_PAGES 64 /* of each CPU's ring: some thousand mappings between two looks */

struct ring {
	int fd;
	struct perf_event_mmap_page *page; /* NULL: none */
};

struct mmapwatch {
	struct ring *rings;
	int n;
	size_t page_bytes;
	uint8_t record[UINT16_MAX + 1]; /* one record, in one piece */
};

/* PERF_RECORD_MMAP2 (linux/perf_event.h): what stands behind the header, before the name. */
struct mmap2_body {
	uint32_t pid, tid;
	uint64_t addr, len, pgoff;
	uint32_t maj, min;
	uint64_t ino, ino_generation;
	uint32_t prot, flags;
};

static int open_ring(struct mmapwatch *watch, struct ring *ring, pid_t pid, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.inherit = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
	};
	void *page;

	ring->fd = (int)syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (ring->fd < 0)
		return errno == ENODEV ? 0 : -errno; /* a CPU that is off */
	page = mmap(NULL, (1 + DATA_PAGES) * watch->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	ring->page = page;
	return 0;
}

int mmapwatch__open(pid_t pid, int ncpus, struct mmapwatch **ret)
{
	struct mmapwatch *watch = calloc(1, sizeof(*watch));
	int err;

	if (!watch)
		return -ENOMEM;
	watch->page_bytes = sysconf(_SC_PAGESIZE);
	watch->rings = calloc(ncpus, sizeof(*watch->rings));
	if (!watch->rings) {
		free(watch);
		return -ENOMEM;
	}
	for (; watch->n < ncpus; watch->n++) {
		struct ring *ring = &watch->rings[watch->n];

		ring->fd = -1;
		err = open_ring(watch, ring, pid, watch->n);
		if (err) {
			watch->n++;
			mmapwatch__free(watch);
			return err;
		}
	}
	*ret = watch;
	return 0;
}

void mmapwatch__free(struct mmapwatch *watch)
{
	if (!watch)
		return;
	for (int i = 0; i < watch->n; i++) {
		if (watch->rings[i].page)
			munmap(watch->rings[i].page, (1 + DATA_PAGES) * watch->page_bytes);
		if (watch->rings[i].fd >= 0)
			close(watch->rings[i].fd);
	}
	free(watch->rings);
	free(watch);
}

static bool decode_mmap(struct span record, struct mmapwatch_event *ret)
{
	struct mmap2_body body;
	const char *path;

	if (!span_read(record, sizeof(struct perf_event_header), &body, sizeof(body)) ||
	    !span_cstr(record, sizeof(struct perf_event_header) + sizeof(body), &path))
		return false;
	ret->pid = body.pid;
	ret->map = (struct mapping){
		.start = body.addr,
		.end = body.addr + body.len,
		.file_off = body.pgoff,
		.inode = body.ino,
		.dev_major = body.maj,
		.dev_minor = body.min,
		.readable = body.prot & PROT_READ,
		.writable = body.prot & PROT_WRITE,
		.executable = true, /* the only ones that attr.mmap asks for */
		.path = (char *)(path[0] == '/' ? path : ""),
	};
	return body.len && body.addr + body.len > body.addr;
}

/* The record at the ring's @tail, copied together where it runs over the end. */
static struct span take_record(struct mmapwatch *watch, const struct ring *ring, uint64_t tail)
{
	size_t bytes = DATA_PAGES * watch->page_bytes;
	const uint8_t *data = (const uint8_t *)ring->page + watch->page_bytes;
	struct perf_event_header header;

	/* Records are multiples of eight bytes, so a header is in one piece. */
	memcpy(&header, data + tail % bytes, sizeof(header));
	for (size_t i = 0; i < header.size; i++)
		watch->record[i] = data[(tail + i) % bytes];
	return (struct span){ watch->record, header.size };
}

uint64_t mmapwatch__read(struct mmapwatch *watch, void (*fn)(void *ctx, const struct mmapwatch_event *event), void *ctx)
{
	uint64_t lost = 0;

	for (int i = 0; i < watch->n; i++) {
		struct perf_event_mmap_page *page = watch->rings[i].page;
		uint64_t head, tail;

		if (!page)
			continue;
		head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
		for (tail = page->data_tail; tail < head;) {
			struct mmapwatch_event event = { 0 };
			struct perf_event_header header;
			struct span record = take_record(watch, &watch->rings[i], tail);
			uint64_t n;
			uint32_t pid;

			if (!span_read(record, 0, &header, sizeof(header)) || header.size < sizeof(header))
				break;
			if (header.type == PERF_RECORD_MMAP2 && decode_mmap(record, &event))
				fn(ctx, &event);
			if (header.type == PERF_RECORD_COMM && header.misc & PERF_RECORD_MISC_COMM_EXEC &&
			    span_u32(record, sizeof(header), &pid)) {
				event.pid = pid;
				event.is_exec = true;
				fn(ctx, &event);
			}
			/* struct { header; u64 id, lost; } */
			if (header.type == PERF_RECORD_LOST && span_u64(record, sizeof(header) + 8, &n))
				lost += n;
			tail += header.size;
		}
		__atomic_store_n(&page->data_tail, head, __ATOMIC_RELEASE);
	}
	return lost;
}

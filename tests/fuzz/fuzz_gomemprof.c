// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: a process whose memory is the input, as the runtime's memory profile is read from it and as the spans
 * of objects are looked at. Addresses are offsets into the input; what the objects are is taken from it, too.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "capture/goheap.h"
#include "go/gomemprof.h"

#define MAX_READS (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	const uint8_t *data;
	size_t size;
	uint64_t nreads;
};

static void read_input(void *ctx, struct mem_read *reads, size_t n)
{
	struct memory *mem = ctx;

	mem->nreads += n;
	if (mem->nreads > MAX_READS)
		abort(); /* no end to it */
	for (size_t i = 0; i < n; i++) {
		reads[i].ok = reads[i].addr < mem->size && reads[i].len <= mem->size - reads[i].addr;
		if (reads[i].ok)
			memcpy(reads[i].buf, mem->data + reads[i].addr, reads[i].len);
	}
}

static void on_bucket(void *ctx, const struct gomemprof_bucket *bucket)
{
	uint64_t *sum = ctx;

	if (bucket->nstack > GOMEMPROF_MAX_STACK)
		abort();
	for (uint32_t i = 0; i < bucket->nstack; i++)
		*sum += bucket->stack[i];
}

static int on_live(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		   const struct event_live *live)
{
	double *bytes = ctx;

	(void)pid, (void)source, (void)stack_id, (void)context_id;
	*bytes += live->bytes;
	return 0;
}

static void read_profile(const struct go_layout *layout, const struct mem_reader *reader)
{
	struct gomemprof_vars vars = { { 8, 16, 24, 32 }, GOMEMPROF_MAX_RATES, 8 };
	uint64_t rate, sum = 0;

	gomemprof_rate(&vars, reader, 0, &rate);
	gomemprof_each(&vars, layout, reader, 0, on_bucket, &sum);
}

static void follow_objects(const struct go_layout *layout, const struct mem_reader *reader, const uint8_t *data,
			   size_t size)
{
	double bytes = 0;
	struct event_sink sink = { .ctx = &bytes, .on_live = on_live };
	struct goheap_stats stats;
	struct goheap *heap = NULL;
	uint8_t fields[8];

	if (goheap__new(&sink, &heap))
		return;
	for (size_t at = 0; at + sizeof(fields) <= size && at < 8 * 600; at += sizeof(fields)) {
		struct abi_rec_object rec = { .rec = { ABI_REC_SAMPLE, 1 } };

		memcpy(fields, data + at, sizeof(fields));
		rec.addr = 8u * fields[0];
		rec.span = fields[1] | (fields[2] & 15u) << 8;
		rec.bytes = 8u * (fields[3] & 7u) + 8;
		rec.sweepgen = fields[4];
		goheap__add(heap, fields[5] & 1, &rec, 1);
		if (fields[6] & 1)
			goheap__check(heap, 0, layout, reader);
	}
	goheap__check(heap, 0, layout, reader);
	goheap__stats(heap, &stats);
	if (stats.samples > 600 || bytes < 0 || isnan(bytes))
		abort();
	goheap__drop(heap, 0);
	goheap__drop(heap, 1);
	if (bytes != 0)
		abort();
	goheap__free(heap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory mem = { data, size, 0 };
	struct mem_reader reader = { &mem, read_input };
	const struct go_layout *layout;

	if (!size)
		return 0;
	layout = &go_layouts[data[0] % go_nlayouts];
	read_profile(layout, &reader);
	mem.nreads = 0;
	follow_objects(layout, &reader, data, size);
	return 0;
}

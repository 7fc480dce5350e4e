// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/areas.h"

#include <stddef.h>

/* The mmap source has context ids of its own below. */
#define FIRST_CONTEXT 64

enum kind {
	KIND_UNKNOWN,
	KIND_FILE,
	KIND_FILE_COPY,
	KIND_SHARED,
	KIND_STACK,
	KIND_C_HEAP,
	KIND_GO_HEAP,
	KIND_GO_STACKS,
	KIND_GO_RUNTIME,
	KIND_ANON,
	KIND__N,
};

void areas_tell_contexts(const struct event_sink *sink)
{
	static const char *const names[KIND__N] = {
		[KIND_FILE] = "file",
		[KIND_FILE_COPY] = "file copy",
		[KIND_SHARED] = "shared",
		[KIND_STACK] = "thread stack",
		[KIND_C_HEAP] = "C heap",
		[KIND_GO_HEAP] = "Go heap",
		[KIND_GO_STACKS] = "goroutine stacks",
		[KIND_GO_RUNTIME] = "Go runtime",
		[KIND_ANON] = "anonymous",
	};

	for (uint64_t kind = KIND_UNKNOWN + 1; kind < KIND__N; kind++) {
		const struct event_context context = { .type_module = UINT32_MAX, .kind = names[kind] };

		sink->on_context(sink->ctx, FIRST_CONTEXT + kind, &context);
	}
}

static enum kind kind_of(uint64_t area, enum area_runtime runtime)
{
	switch (area) {
	case ABI_AREA_FILE:
		return KIND_FILE;
	case ABI_AREA_SHARED:
		return KIND_SHARED;
	case ABI_AREA_FILE_COPY:
		return KIND_FILE_COPY;
	case ABI_AREA_STACK:
		return KIND_STACK;
	case ABI_AREA_C_HEAP:
		return KIND_C_HEAP;
	case ABI_AREA_GO_ARENA:
		return runtime == AREA_NATIVE ? KIND_ANON : KIND_GO_HEAP;
	case ABI_AREA_GO_STACK:
		return runtime == AREA_NATIVE ? KIND_ANON : KIND_GO_STACKS;
	case ABI_AREA_GO_WORK:
		return runtime == AREA_NATIVE ? KIND_ANON : KIND_GO_RUNTIME;
	case ABI_AREA_ANON:
		/* Spans, bitmaps and the like; where there is C as well, nobody knows whose it is. */
		return runtime == AREA_GO ? KIND_GO_RUNTIME : KIND_ANON;
	}
	return KIND_UNKNOWN;
}

uint64_t area_context(uint64_t area, enum area_runtime runtime)
{
	enum kind kind = kind_of(area, runtime);

	return kind == KIND_UNKNOWN ? 0 : FIRST_CONTEXT + kind;
}

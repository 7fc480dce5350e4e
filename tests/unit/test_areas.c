// SPDX-License-Identifier: GPL-2.0-or-later
/* What pages are for, by where they lie and in what program. */
#include "capture/areas.h"
#include "test.h"

static const char *names[256];

static int on_context(void *ctx, uint64_t context_id, const struct event_context *context)
{
	(void)ctx;
	CHECK(context_id > 0 && context_id < 256);
	names[context_id & 255] = context->kind;
	return 0;
}

static const char *name(uint64_t area, enum area_runtime runtime)
{
	uint64_t context = area_context(area, runtime);

	return context ? names[context & 255] : "";
}

TEST(names)
{
	const struct event_sink sink = { .on_context = on_context };

	areas_tell_contexts(&sink);
	CHECK_STR(name(ABI_AREA_FILE, AREA_GO), "file");
	CHECK_STR(name(ABI_AREA_FILE_COPY, AREA_NATIVE), "file copy");
	CHECK_STR(name(ABI_AREA_SHARED, AREA_NATIVE), "shared");
	CHECK_STR(name(ABI_AREA_STACK, AREA_GO_AND_C), "thread stack");
	CHECK_STR(name(ABI_AREA_C_HEAP, AREA_GO_AND_C), "C heap");
	/* An address where Go's arenas would be says nothing of a program that has none. */
	CHECK_STR(name(ABI_AREA_GO_ARENA, AREA_NATIVE), "anonymous");
	CHECK_STR(name(ABI_AREA_GO_ARENA, AREA_GO), "Go heap");
	CHECK_STR(name(ABI_AREA_GO_ARENA, AREA_GO_AND_C), "Go heap");
	CHECK_STR(name(ABI_AREA_GO_STACK, AREA_GO), "goroutine stacks");
	CHECK_STR(name(ABI_AREA_GO_STACK, AREA_GO_AND_C), "goroutine stacks");
	CHECK_STR(name(ABI_AREA_GO_WORK, AREA_GO_AND_C), "Go runtime");
	CHECK_STR(name(ABI_AREA_GO_WORK, AREA_NATIVE), "anonymous");
	/* Whose a mapping is can be told only where there is nobody but the runtime. */
	CHECK_STR(name(ABI_AREA_ANON, AREA_GO), "Go runtime");
	CHECK_STR(name(ABI_AREA_ANON, AREA_GO_AND_C), "anonymous");
	CHECK_STR(name(ABI_AREA_ANON, AREA_NATIVE), "anonymous");
}

TEST(not_known)
{
	CHECK_INT(area_context(ABI_AREA_UNKNOWN, AREA_GO), 0);
	CHECK_INT(area_context(ABI_AREA__N, AREA_GO), 0);
	CHECK_INT(area_context(~0ULL, AREA_NATIVE), 0);
}

TEST_MAIN()

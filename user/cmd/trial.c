// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/trial.h"

#include <poll.h>
#include <string.h>
#include <time.h>

#include "capture/capture.h"

#define STEP_MS 100

static int drop_stack(void *ctx, uint64_t stack_id, const struct event_frame *frames, uint32_t nframes, uint32_t flags)
{
	(void)ctx, (void)stack_id, (void)frames, (void)nframes, (void)flags;
	return 0;
}

static int drop_context(void *ctx, uint64_t context_id, const struct event_context *context)
{
	(void)ctx, (void)context_id, (void)context;
	return 0;
}

static int drop_counts(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		       const struct event_counts *counts)
{
	(void)ctx, (void)pid, (void)source, (void)stack_id, (void)context_id, (void)counts;
	return 0;
}

static int drop_live(void *ctx, uint32_t pid, enum event_source source, uint64_t stack_id, uint64_t context_id,
		     const struct event_live *live)
{
	(void)ctx, (void)pid, (void)source, (void)stack_id, (void)context_id, (void)live;
	return 0;
}

static int drop_cause(void *ctx, uint64_t stack_id, const char *name)
{
	(void)ctx, (void)stack_id, (void)name;
	return 0;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int watch(struct capture *capture, double seconds, struct trial *ret, struct err *err)
{
	struct pollfd fd = { capture__fd(capture), POLLIN, 0 };
	const double start = now_s();
	double left = seconds;
	int code = 0;

	while (!code && left > 0 && capture__alive(capture)) {
		poll(&fd, 1, left * 1000 < STEP_MS ? (int)(left * 1000) + 1 : STEP_MS);
		capture__step(capture);
		if (capture__wants_sweep(capture))
			code = capture__sweep(capture);
		left = seconds - (now_s() - start);
	}
	if (!code)
		code = capture__sweep(capture);
	ret->seconds = now_s() - start;
	return code ? err_set(err, FAIL_GENERAL, code, "cannot read the counts: %s", strerror(-code)) : 0;
}

int trial_run(const struct options *opts, pid_t pid, struct modules *mods, struct gomods *gomods, struct trial *ret,
	      struct err *err)
{
	const struct event_sink sink = { NULL, drop_stack, drop_context, drop_counts, drop_live, NULL, drop_cause, NULL, NULL }; /* no --live: nobody tells of ages */
	const struct capture_opts capture_opts = {
		.want_go = opts->want_go,
		.want_malloc = opts->want_malloc,
		.want_rss = opts->want_rss,
		.want_mmap = opts->want_mmap,
		.max_size_bytes = UINT64_MAX,
	};
	struct capture_target target;
	struct capture *capture = NULL;
	struct capture_cost cost;
	int code;

	code = capture__open(&capture_opts, mods, gomods, &sink, &capture, err);
	if (!code)
		code = capture__attach_pid(capture, pid, err);
	if (!code)
		code = watch(capture, opts->duration_s, ret, err);
	if (!code) {
		capture__cost(capture, &cost);
		capture__target(capture, 0, &target);
		ret->hits = cost.hits;
		ret->cost_ns = cost.trap_ns + cost.bpf_ns;
		ret->cpu_ns = target.cpu_ns;
	}
	capture__free(capture);
	return code;
}

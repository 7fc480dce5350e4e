// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/vec.h"
#include "capture/areas.h"
#include "capture/aside.h"
#include "capture/blocks.h"
#include "capture/bursts.h"
#include "capture/drain.h"
#include "capture/goasker.h"
#include "capture/gotally.h"
#include "capture/image.h"
#include "capture/kfeat.h"
#include "capture/mmapwatch.h"
#include "capture/plan.h"
#include "capture/refusals.h"
#include "capture/session.h"
#include "capture/target.h"
#include "capture/unwind_load.h"

#define MAX_INLINED 64
#define MAX_LABELLED 65536 /* contexts of a process with labels: more is a label for each request */

struct pending_map {
	pid_t pid;
	bool is_exec;
	struct mapping map; /* path is ours */
};

#define MAX_PENDING 65536

struct capture {
	struct capture_opts opts;
	struct modules *mods;
	struct gomods *gomods;
	struct refusals refusals;
	struct event_sink sink; /* through them */
	struct kfeat feat;
	struct calib calib;
	struct session *session;
	struct drain *drain;
	struct golive *live; /* NULL: objects are not followed */
	struct unwind_load *unwind;
	struct blocks *blocks; /* NULL: neither are C blocks */
	struct bursts bursts; /* if the mode is not exact: */
	struct gotally tally; /* what a burst has seen of Go */
	struct goasker *goasker; /* NULL: it is not looked for, whose the memory is that becomes resident */
	struct target **targets;
	size_t ntargets, cap_targets;
	struct plan *plans; /* by module id */
	bool *planned;
	size_t nplans;
	bool has_go, has_c;
	struct mmapwatch *mmaps; /* of a command; NULL: none */
	struct pending_map *pending; /* mappings of processes of which we have not heard yet */
	size_t npending, cap_pending;
	bool wants_sweep;
	int sweep_err; /* of a burst; told by the next sweep */
	uint64_t step;
	uint64_t lost_late_attach, lost_mmap, lost_not_followed;
	uint64_t lost_image, lost_truncated, lost_unreadable; /* stacks */
	uint64_t lost_loop, lost_no_table, lost_rule[ABI_UNWIND__N]; /* stacks that unwind tables lead no further */
	uint64_t lost_labels;
	struct mmaps_stats mmaps_ended; /* of processes whose address space is not kept any more */
	uint64_t exec_blocks;
};

static void follow_children(struct capture *c, const struct target *t);
static void on_rec(void *ctx, const struct abi_rec *rec, size_t len);
static enum area_runtime area_runtime(const struct target *t)
{
	if (!t || t->go_module == MODULE_NONE)
		return AREA_NATIVE;
	return t->go.cgocall ? AREA_GO_AND_C : AREA_GO;
}

static void on_site(void *ctx, const struct abi_site_key *key, const struct abi_site *site);

/* 0, or -EOPNOTSUPP when nothing else was asked for. */
static int check_mmap(const struct capture *c, struct err *err)
{
	static const char why[] = "this kernel does not tell when mmap and its like return: neither by syscalls:sys_exit_mmap"
				  " (CONFIG_FTRACE_SYSCALLS=y, and tracefs mounted on /sys/kernel/tracing) nor by"
				  " raw_syscalls:sys_exit";
	const struct capture_opts *o = &c->opts;

	if (!o->want_mmap || c->feat.syscall_tps)
		return 0;
	if (c->feat.sys_exit_tp) {
		diag_emit(o->diag, DIAG_WARN,
			  "without tracefs every system call of the host costs twice as much more as with it:"
			  " mount -t tracefs nodev /sys/kernel/tracing");
		return 0;
	}
	if (!o->want_go && !o->want_malloc && !o->want_rss)
		return err_set(err, FAIL_KERNEL, -EOPNOTSUPP, "%s", why);
	diag_emit(o->diag, DIAG_WARN, "%s: no source mmap", why);
	return 0;
}

/* What the ledger cannot see here. */
static void warn_of_rss(const struct capture *c)
{
	switch (session__rss_method(c->session)) {
	case EVENT_RSS_BY_COUNTERS:
		return;
	case EVENT_RSS_BY_FAULTS:
		diag_emit(c->opts.diag, DIAG_WARN,
			  "this kernel does not let kmem:rss_stat be read: who grew RSS is an estimate, one page for each page"
			  " fault; who gave back is not seen");
		return;
	case EVENT_RSS_BY_PROC:
		diag_emit(c->opts.diag, DIAG_WARN,
			  "this kernel does not let kmem:rss_stat be read: RSS is looked up in /proc now and then;"
			  " who grew it, who gave back, and what came and went in between is not seen");
	}
}

int capture__open(const struct capture_opts *opts, struct modules *mods, struct gomods *gomods,
		  const struct event_sink *sink, struct capture **ret, struct err *err)
{
	struct capture *c = calloc(1, sizeof(*c));
	struct session_opts session_opts = { 0 };
	struct drain_sink drain_sink = { c, on_rec, on_site };
	int code;

	if (!c)
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	c->opts = *opts;
	c->mods = mods;
	c->gomods = gomods;
	c->refusals.to = *sink;
	c->sink = refusals__sink(&c->refusals);
	code = kfeat_probe(&c->feat, err);
	if (code)
		goto fail;
	code = check_mmap(c, err);
	if (code)
		goto fail;
	session_opts.feat = &c->feat;
	session_opts.mmap = opts->want_mmap;
	session_opts.min_size_bytes = opts->min_size_bytes;
	session_opts.max_size_bytes = opts->max_size_bytes;
	session_opts.only_tid = opts->only_tid;
	session_opts.count_goroutines = opts->count_goroutines;
	session_opts.go_rooms = opts->mode != CAPTURE_EXACT;
	session_opts.no_rss_stacks = opts->no_rss_stacks;
	session_opts.no_rss_areas = opts->no_rss_areas;
	session_opts.kernel_stacks = opts->kernel_stacks;
	session_opts.live = opts->want_live;
	session_opts.blocks = opts->want_live && opts->want_malloc;
	session_opts.peak = opts->want_peak;
	session_opts.block_rate_bytes = opts->block_rate_bytes;
	session_opts.max_blocks = opts->max_blocks;
	session_opts.go = opts->want_go;
	session_opts.malloc = opts->want_malloc;
	session_opts.rss = opts->want_rss;
	session_opts.touches = opts->want_rss && (opts->want_mmap || session_opts.blocks || (opts->want_live && opts->want_go));
	session_opts.kernel_log = opts->kernel_log;
	code = session__open(&session_opts, &c->session, err);
	if (code)
		goto fail;
	if (opts->mode != CAPTURE_EXACT)
		session__disarm(c->session);
	if (opts->want_rss)
		warn_of_rss(c);
	code = drain__new(c->session, &drain_sink, &c->drain);
	if (code) {
		err_set(err, FAIL_GENERAL, code, "cannot read the BPF maps: %s", strerror(-code));
		goto fail;
	}
	code = unwind_load__new(&(struct unwind_load_opts){ UNWIND_MAX_BYTES, opts->diag }, c->session, mods, gomods,
				&c->unwind);
	if (code) {
		err_set(err, FAIL_GENERAL, code, "out of memory");
		goto fail;
	}
	if (opts->want_live) {
		const struct golive_opts live_opts = { opts->live_rate_bytes, opts->min_size_bytes, opts->max_size_bytes,
						       opts->only_tid == 0 };

		code = golive__new(&c->sink, &live_opts, &c->live);
		if (code) {
			err_set(err, FAIL_GENERAL, code, "out of memory");
			goto fail;
		}
	}
	if (session__has_mmap(c->session))
		mmaps_tell_contexts(&c->sink);
	areas_tell_contexts(&c->sink);
	if (session_opts.blocks) {
		const struct blocks_opts blocks_opts = { opts->block_rate_bytes, (uint64_t)(opts->older_s * 1e9) };

		code = blocks__new(&c->sink, &blocks_opts, &c->blocks);
		if (code) {
			err_set(err, FAIL_GENERAL, code, "out of memory");
			goto fail;
		}
	}
	if (session__has_touches(c->session)) {
		code = goasker__new(&c->sink, gomods, &c->goasker);
		if (code) {
			err_set(err, FAIL_GENERAL, code, "out of memory");
			goto fail;
		}
	}
	code = calib_run(c->feat.uprobe_multi, &c->calib, err);
	if (code)
		goto fail;
	diag_emit(opts->diag, DIAG_DEBUG, "a trap costs %.0f ns here, a single-stepped one %.0f ns, a return %.0f ns more",
		  c->calib.emulated_ns, c->calib.stepped_ns, c->calib.return_ns);
	*ret = c;
	return 0;
fail:
	capture__free(c);
	return code;
}

void capture__free(struct capture *capture)
{
	if (!capture)
		return;
	mmapwatch__free(capture->mmaps);
	golive__free(capture->live);
	unwind_load__free(capture->unwind);
	blocks__free(capture->blocks);
	goasker__free(capture->goasker);
	drain__free(capture->drain);
	gotally__free(&capture->tally);
	session__free(capture->session);
	for (size_t i = 0; i < capture->ntargets; i++)
		target__free(capture->targets[i]);
	for (size_t i = 0; i < capture->nplans; i++)
		plan__clear(&capture->plans[i]);
	for (size_t i = 0; i < capture->npending; i++)
		free(capture->pending[i].map.path);
	free(capture->pending);
	free(capture->targets);
	free(capture->plans);
	free(capture->planned);
	free(capture);
}

static struct target *find_target(const struct capture *c, pid_t pid)
{
	/* The newest first: a PID can come again. */
	for (size_t i = c->ntargets; i > 0; i--)
		if (c->targets[i - 1]->info.pid == pid)
			return c->targets[i - 1];
	return NULL;
}

/* The plan of a module, made once. NULL when memory is out. */
static const struct plan *plan_of(struct capture *c, uint32_t module)
{
	unsigned int want = (c->opts.want_go ? PLAN_GO : 0) | (c->opts.want_malloc ? PLAN_C : 0) |
			    (c->opts.want_live ? PLAN_LIVE : 0) | (session__has_touches(c->session) ? PLAN_GO_SPANS : 0);

	if (module >= c->nplans) {
		size_t n = modules__len(c->mods);
		struct plan *plans = realloc(c->plans, n * sizeof(*plans));
		bool *planned;

		if (!plans)
			return NULL;
		c->plans = plans;
		planned = realloc(c->planned, n * sizeof(*planned));
		if (!planned)
			return NULL;
		c->planned = planned;
		memset(plans + c->nplans, 0, (n - c->nplans) * sizeof(*plans));
		memset(planned + c->nplans, 0, (n - c->nplans) * sizeof(*planned));
		c->nplans = n;
	}
	if (!c->planned[module]) {
		c->planned[module] = true;
		c->plans[module].malloc_prefixes = c->opts.malloc_prefixes;
		if (plan__add_module(&c->plans[module], c->gomods, modules__get(c->mods, module), want, c->opts.diag))
			return NULL;
	}
	return &c->plans[module];
}

/* Is the spot mapped, not writable, and what its file says? */
static bool is_as_planned(const struct capture *c, const struct target *t, uint32_t module, const struct probe_site *site)
{
	uint64_t addr;
	enum image_state state = image_check(&t->as, t->info.pid, module, site, &addr);

	/* Gone: it has ended, or unloaded this. */
	if (state == IMAGE_DIFFERS || state == IMAGE_WRITABLE)
		diag_emit(c->opts.diag, DIAG_WARN, "%s in process %d at 0x%llx is %s: not probed", site->name, t->info.pid,
			  (unsigned long long)addr, state == IMAGE_WRITABLE ? "writable code" : "not what its file says");
	return state == IMAGE_AS_FILE || state == IMAGE_BREAKPOINT;
}

/* Arm the sites of @plan, all of them if the process has not mapped anything yet. Number of probes or -errno. */
static int arm(struct capture *c, struct target *t, uint32_t module, const struct plan *plan, bool is_mapped,
	       struct err *err)
{
	const struct module *mod = modules__get(c->mods, module);
	struct probe_site *sites = calloc(plan->len + 1, sizeof(*sites));
	size_t n = 0;
	int code;

	if (!sites)
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	for (size_t i = 0; i < plan->len; i++) {
		const struct probe_site *site = &plan->sites[i];

		if (is_mapped && !is_as_planned(c, t, module, site))
			continue;
		if (site->spot_flags & ABI_SPOT_STEPPED && site->prog != PROBE_MAPS)
			diag_emit(c->opts.diag, probe_site__is_hot(site) ? DIAG_WARN : DIAG_DEBUG,
				  "%s: %s has no cheap place for a probe: each hit costs about %.1f us", mod->name, site->name,
				  c->calib.stepped_ns / 1000);
		sites[n++] = *site;
	}
	code = n ? session__attach(c->session, t->info.pid, t->slot, module, elf_file__fd(mod->elf), sites, n, err) : 0;
	free(sites);
	return code;
}

/* What the probes must know of the Go program in @module: told once for each image, after that it is kept up to date. */
static void note_runtime(struct capture *c, struct target *t, uint32_t module, const struct plan *plan)
{
	uint64_t bias;

	if (t->go_module == module && t->go_image == t->image)
		return;
	t->go = plan->go;
	t->go_module = module;
	t->go_image = t->image;
	t->nlabelled = 0;
	t->nheap_looks = 0;
	if (c->live && (t->is_command || t->image))
		golive__begin(c->live, t->slot, &t->go); /* from its first allocation on */
	if (t->go.cgocall && aspace__find_bias(&t->as, c->mods, module, &bias))
		t->go.cgocall += bias; /* not mapped yet: where it will be, unless the file is a PIE */
	snprintf(t->runtime, sizeof(t->runtime), "%s", plan->runtime);
	session__set_go(c->session, t->slot, &t->go);
}

static void note_plan(struct capture *c, struct target *t, uint32_t module, const struct plan *plan)
{
	c->has_go |= plan->has_go;
	c->has_c |= plan->has_c;
	if (plan->has_runtime)
		note_runtime(c, t, module, plan);
}

static bool is_go(const struct target *t)
{
	return strncmp(t->runtime, "go", 2) == 0;
}

/*
 * Arm every module of @t that is not armed yet; with @ahead also those that any target has mapped: a child
 * that will execute another program most likely maps the same libraries. Number of new probes or -errno.
 */
static int arm_modules(struct capture *c, struct target *t, bool ahead, struct err *err)
{
	int total = 0;

	for (uint32_t module = 0; module < modules__len(c->mods); module++) {
		bool mapped = aspace__has_module(&t->as, module);
		const struct plan *plan;
		int n;

		if ((!mapped && !ahead) || !modules__get(c->mods, module)->elf)
			continue;
		plan = plan_of(c, module);
		if (!plan)
			return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
		if (!plan->len && !plan->has_runtime)
			continue;
		/* Also of one that was armed ahead: now it is this process's program. */
		if (mapped)
			note_plan(c, t, module, plan);
		else if (plan->has_runtime && !is_go(t))
			session__set_go(c->session, t->slot, &plan->go);
		if (session__is_attached(c->session, t->info.pid, module))
			continue;
		n = arm(c, t, module, plan, mapped, err);
		if (n < 0)
			return n;
		total += n;
	}
	t->nprobes += total;
	return total;
}

/* Watch who maps address space in a new target. Its calls are told from before this on. */
static int watch_mmaps(const struct capture *c, struct target *t)
{
	const struct mmaps_opts opts = { (uint64_t)sysconf(_SC_PAGESIZE), c->opts.min_size_bytes, c->opts.max_size_bytes };
	uint64_t from_ns = target_clock_ns();
	struct mappings maps;
	int err;

	if (!session__has_mmap(c->session))
		return 0;
	err = mmaps__new(&c->sink, (uint32_t)t->info.pid, &opts, &t->mmaps);
	if (err || proc_read_maps(t->info.pid, &maps))
		return err;
	mmaps__seed(t->mmaps, &maps, from_ns, target_clock_ns());
	mappings__free(&maps);
	return 0;
}

/* Find out whose the memory is that a new target makes resident. */
static int watch_touches(const struct capture *c, struct target *t)
{
	const struct touches_opts opts = { (uint64_t)sysconf(_SC_PAGESIZE), c->blocks != NULL };

	return session__has_touches(c->session) ? touches__new(&c->sink, (uint32_t)t->info.pid, &opts, &t->touches) : 0;
}

static void forget_mmaps(struct capture *c, struct target *t)
{
	struct mmaps_stats stats;

	if (!t->mmaps)
		return;
	mmaps__stats(t->mmaps, &stats);
	c->mmaps_ended.before_bytes += stats.before_bytes;
	c->mmaps_ended.not_kept += stats.not_kept;
	mmaps__free(t->mmaps);
	t->mmaps = NULL;
}

/* A new target with a slot, known to the BPF side, nothing armed. */
static int new_target(struct capture *c, pid_t pid, struct target **ret, struct err *err)
{
	struct abi_target abi = { .tgid = pid, .slot = c->ntargets };
	struct target *t;
	int code;

	if (c->ntargets >= ABI_MAX_TARGETS)
		return err_set(err, FAIL_GENERAL, -ENOSPC, "more than %d processes", ABI_MAX_TARGETS);
	if (vec_reserve((void **)&c->targets, &c->cap_targets, c->ntargets + 1, sizeof(*c->targets)))
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	code = target__new(pid, c->ntargets, &t);
	if (code)
		return err_set(err, FAIL_TARGET, code, "no such process: PID %d", pid);
	code = session__add_target(c->session, t->slot, &abi);
	if (!code)
		code = watch_mmaps(c, t);
	if (!code)
		code = watch_touches(c, t);
	if (code) {
		session__remove_target(c->session, pid);
		target__free(t);
		return err_set(err, FAIL_GENERAL, code, "cannot make process %d known to the BPF programs: %s", pid,
			       strerror(-code));
	}
	c->targets[c->ntargets++] = t;
	*ret = t;
	return 0;
}

static void drop_target(struct capture *c, struct target *t)
{
	unwind_load__forget(c->unwind, t->slot);
	session__remove_target(c->session, t->info.pid);
	if (c->ntargets && c->targets[c->ntargets - 1] == t) {
		c->ntargets--;
		target__free(t);
	}
}

/* Its mappings are known, or known anew: how its stacks are walked. */
static void tell_space(struct capture *c, const struct target *t)
{
	int err = unwind_load__space(c->unwind, t->slot, &t->as);

	if (err)
		diag_emit(c->opts.diag, DIAG_WARN, "process %d: no unwind tables, stacks of native code may be wrong or cut: %s", t->info.pid, strerror(-err));
}

/* The reasons for which a process cannot be a target, before anything is done to it. */
static int check_process(struct capture *c, pid_t pid, struct err *err)
{
	struct proc_info info;
	struct elf_file *elf;
	char path[64];
	int fd, code;

	if (proc_read_info(pid, &info))
		return err_set(err, FAIL_TARGET, -ESRCH, "no such process: PID %d", pid);
	if (info.is_kernel_thread)
		return err_set(err, FAIL_TARGET, -EINVAL, "PID %d (%s) is a kernel thread: it has no user memory", pid,
			       info.comm);
	if (info.is_zombie)
		return err_set(err, FAIL_TARGET, -ESRCH, "PID %d (%s) has exited and waits for its parent", pid, info.comm);
	if (pid == getpid())
		return err_set(err, FAIL_TARGET, -EINVAL, "PID %d is allocsnoop itself", pid);
	snprintf(path, sizeof(path), "/proc/%d/task/%u", pid, c->opts.only_tid);
	if (c->opts.only_tid && access(path, F_OK))
		return err_set(err, FAIL_TARGET, -ESRCH, "PID %d (%s) has no thread %u", pid, info.comm, c->opts.only_tid);
	if (find_target(c, pid))
		return err_set(err, FAIL_USAGE, -EEXIST, "PID %d is given twice", pid);
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno == ENOENT ? FAIL_TARGET : FAIL_KERNEL, -errno, "cannot open %s: %s", path,
			       strerror(errno));
	code = elf_file__open(fd, info.exe, &elf, err);
	if (!code)
		elf_file__free(elf);
	return code;
}

static int nothing_to_probe(const struct capture *c, const struct target *t, struct err *err)
{
	return err_set(err, FAIL_TARGET, -ENOENT, "nothing to probe in PID %d (%s): %s%s%s", t->info.pid, t->info.comm,
		       c->opts.want_go ? "no Go runtime" : "", c->opts.want_go && c->opts.want_malloc ? ", and " : "",
		       c->opts.want_malloc ? "no file that it maps has a malloc by name (a static program must keep its symbols)" :
					     "");
}

struct live_frames {
	const struct capture *capture;
	const struct target *target;
};

/* Functions at a place in the code: one, and those that are inlined there. */
static uint32_t logical_frames(const struct capture *c, const struct event_frame *frame)
{
	const struct gobin *bin = gomods__get(c->gomods, frame->module);
	struct go_frame frames[MAX_INLINED];
	int n = bin && gobin__pclntab(bin) ? gopclntab__frames(gobin__pclntab(bin), frame->vaddr, frames, MAX_INLINED) : 0;

	return n > 1 ? (uint32_t)n : 1;
}

static uint32_t resolve_calls(void *ctx, const uint64_t *return_addrs, uint32_t n, struct event_frame *ret)
{
	const struct live_frames *lf = ctx;
	uint32_t kept = 0;

	/* The runtime wrote down an address for each inlined call, too: these come of themselves with the innermost. */
	for (uint32_t i = 0; i < n; i += logical_frames(lf->capture, &ret[kept - 1]))
		if (!aspace__find_call(&lf->target->as, lf->capture->mods, return_addrs[i], &ret[kept++]))
			return kept - 1;
	return kept;
}

/* Of a Go program that runs: how its live objects are followed, and which of them are gone. */
static void find_go_heap(struct capture *c, struct target *t);

static void follow_live(struct capture *c, struct target *t)
{
	struct live_frames ctx = { c, t };
	struct golive_frames frames = { &ctx, resolve_calls };
	const struct plan *plan;
	uint64_t bias;

	if (!c->live || t->go_module == MODULE_NONE || t->is_command ||
	    !aspace__find_bias(&t->as, c->mods, t->go_module, &bias))
		return;
	plan = plan_of(c, t->go_module);
	if (plan && golive__follow(c->live, t->slot, t->info.pid, plan, bias, &frames, &t->go))
		session__set_go(c->session, t->slot, &t->go);
}

int capture__attach_pid(struct capture *capture, pid_t pid, struct err *err)
{
	struct target *t;
	int code;

	code = check_process(capture, pid, err);
	if (!code)
		code = new_target(capture, pid, &t, err);
	if (code)
		return code;
	code = aspace__read(&t->as, capture->mods, pid, NULL);
	if (code) {
		err_set(err, code == -EACCES || code == -EPERM ? FAIL_KERNEL : FAIL_TARGET, code,
			"cannot read /proc/%d/maps: %s", pid, strerror(-code));
		goto fail;
	}
	tell_space(capture, t);
	code = arm_modules(capture, t, false, err);
	if (code < 0)
		goto fail;
	if (!t->nprobes && (capture->opts.want_go || capture->opts.want_malloc)) {
		code = nothing_to_probe(capture, t, err);
		goto fail;
	}
	/* The breakpoints' own pages are in the start value, not in the growth. */
	session__seed_rss(capture->session, pid);
	target__follow(t, capture->session);
	follow_live(capture, t);
	find_go_heap(capture, t);
	if (capture->opts.follow)
		follow_children(capture, t);
	return 0;
fail:
	drop_target(capture, t);
	return code;
}

int capture__attach_command(struct capture *capture, pid_t pid, char *const *paths, size_t npaths, struct err *err)
{
	struct target *t;
	int code = new_target(capture, pid, &t, err);

	if (code)
		return code;
	t->is_command = true;
	unwind_load__expect(capture->unwind, t->slot);
	for (size_t i = 0; i < npaths; i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		const struct plan *plan;
		uint32_t module;
		int n;

		module = fd < 0 ? MODULE_NONE : modules__add_file(capture->mods, fd, paths[i]);
		unwind_load__module(capture->unwind, module);
		if (module == MODULE_NONE || !modules__get(capture->mods, module)->elf ||
		    session__is_attached(capture->session, pid, module))
			continue;
		plan = plan_of(capture, module);
		if (!plan || !plan->len)
			continue;
		note_plan(capture, t, module, plan);
		n = arm(capture, t, module, plan, false, err);
		if (n < 0) {
			drop_target(capture, t);
			return n;
		}
		t->nprobes += n;
	}
	if (!t->nprobes && (capture->opts.want_go || capture->opts.want_malloc))
		diag_emit(capture->opts.diag, DIAG_WARN,
			  "nothing to probe in the command itself: only what its children allocate will be seen");
	code = mmapwatch__open(pid, session__ncpus(capture->session), &capture->mmaps);
	if (code)
		diag_emit(capture->opts.diag, DIAG_WARN,
			  "perf does not tell of mappings (%s): stacks of processes that end at once have no names",
			  strerror(-code));
	return 0;
}

int capture__fd(const struct capture *capture)
{
	return drain__fd(capture->drain);
}

/* Why the stack is not whole. */
static void count_loss(struct capture *c, const struct abi_rec_stack *rec, uint32_t flags, uint32_t nframes)
{
	uint32_t cause = rec->flags >> ABI_STACK_CAUSE_SHIFT;

	if (flags & EVENT_STACK_TRUNCATED)
		c->lost_truncated++;
	else if (flags & EVENT_STACK_BROKEN && rec->flags & ABI_STACK_LOOP)
		c->lost_loop++;
	else if (flags & EVENT_STACK_BROKEN && rec->flags & ABI_STACK_NO_RULE && cause < ABI_UNWIND__N)
		c->lost_rule[cause]++;
	else if (flags & EVENT_STACK_BROKEN && rec->flags & ABI_STACK_NO_TABLE)
		c->lost_no_table++;
	else if (flags & EVENT_STACK_BROKEN && rec->flags & ABI_STACK_LEAF_GUESS && rec->nframes > 1 && !rec->frames[1])
		c->lost_unreadable++; /* the caller of the innermost */
	else if (rec->flags & ABI_STACK_UNREADABLE && nframes == rec->nframes)
		c->lost_unreadable++;
}

/* The kernel's frames of @rec in @ret, which stand before those of the process; their number. */
static uint32_t kernel_frames(struct capture *c, const struct abi_rec_stack *rec, struct event_frame *ret)
{
	uint32_t n = 0, module = rec->nkernel ? modules__add_kernel(c->mods) : MODULE_NONE;

	for (; n < rec->nkernel && n < ABI_MAX_KERNEL_FRAMES; n++) {
		uint64_t addr = rec->frames[rec->nframes + n];

		/* All are return addresses: those inside of the innermost are tracing itself. */
		ret[n] = (struct event_frame){ .module = module, .vaddr = addr - 1, .addr = addr };
	}
	return n;
}

static void on_stack(struct capture *c, const struct abi_rec_stack *rec)
{
	struct event_frame frames[ABI_MAX_KERNEL_FRAMES + ABI_MAX_FRAMES + 1];
	struct target *t = find_target(c, rec->rec.tgid);
	uint32_t n, flags, nkernel;
	bool unmapped;

	if (!t)
		return;
	if (rec->image != t->image) {
		/* Its address space is gone and nobody has told what was in it. */
		c->lost_image++;
		c->sink.on_stack(c->sink.ctx, rec->stack_id, NULL, 0, EVENT_STACK_BROKEN);
		return;
	}
	nkernel = kernel_frames(c, rec, frames);
	n = aspace__resolve_stack(&t->as, c->mods, c->gomods, rec, frames + nkernel, &flags, &unmapped);
	if (unmapped && t->may_be_stale) {
		target__refresh(t, c->session, c->mods);
		n = aspace__resolve_stack(&t->as, c->mods, c->gomods, rec, frames + nkernel, &flags, NULL);
	}
	count_loss(c, rec, flags, n);
	c->sink.on_stack(c->sink.ctx, rec->stack_id, frames, nkernel + n, flags);
	if (c->goasker && t->go_module != MODULE_NONE)
		goasker__stack(c->goasker, rec->stack_id, frames, nkernel + n, flags);
}

/* A label's text, cut where the record ends it. */
static const char *label_text(char *buf, const char *text, uint64_t len, size_t max)
{
	size_t n = len < max ? len : max;

	memcpy(buf, text, n);
	buf[n] = 0;
	for (size_t i = 0; i < n; i++)
		if (!buf[i])
			buf[i] = '?';
	return buf;
}

/* Labels that are never the same again would fill all memory: from now on they are not looked at. */
static void forget_labels(struct capture *c, struct target *t)
{
	if (!t->go.labels)
		return;
	c->lost_labels++;
	t->go.labels = ABI_GO_LABELS_UNKNOWN;
	session__set_go(c->session, t->slot, &t->go);
	diag_emit(c->opts.diag, DIAG_WARN, "process %d: too many different pprof labels: no more of them are told apart",
		  t->info.pid);
}

static void on_context(struct capture *c, const struct abi_rec_context *rec)
{
	char keys[ABI_MAX_LABELS][ABI_LABEL_KEY_BYTES + 1], values[ABI_MAX_LABELS][ABI_LABEL_VALUE_BYTES + 1];
	struct event_label labels[ABI_MAX_LABELS];
	struct event_context context = { .type_module = UINT32_MAX, .labels = labels };
	struct target *t = find_target(c, rec->rec.tgid);

	if (!t)
		return;
	context.type_vaddr = rec->type;
	if (rec->image != t->image) {
		c->lost_image++;
	} else {
		if (rec->type)
			aspace__find_go_type(&t->as, c->mods, c->gomods, rec->type, &context.type_module, &context.type_vaddr);
		context.has_creator = rec->gopc && aspace__find_call(&t->as, c->mods, rec->gopc, &context.creator);
	}
	for (uint32_t i = 0; i < rec->nlabels && i < ABI_MAX_LABELS; i++) {
		const struct abi_label *from = &rec->labels[i];

		c->lost_labels += from->key_len > ABI_LABEL_KEY_BYTES || from->value_len > ABI_LABEL_VALUE_BYTES;
		labels[i].key = label_text(keys[i], from->key, from->key_len, ABI_LABEL_KEY_BYTES);
		labels[i].value = label_text(values[i], from->value, from->value_len, ABI_LABEL_VALUE_BYTES);
		context.nlabels++;
	}
	c->lost_labels += rec->more_labels;
	c->sink.on_context(c->sink.ctx, rec->context_id, &context);
	if (context.nlabels && ++t->nlabelled >= MAX_LABELLED)
		forget_labels(c, t);
}

/* What stands in the way of a new image or child is a warning: the rest of the capture goes on. */
static void arm_late(struct capture *c, struct target *t, bool ahead)
{
	struct proc_info info;
	struct err err = { 0 };
	int n = arm_modules(c, t, ahead, &err);

	if (n < 0 && !proc_read_info(t->info.pid, &info) && !info.is_zombie)
		diag_emit(c->opts.diag, DIAG_WARN, "%s", err.msg);
	if (n > 0) {
		c->lost_late_attach++;
		diag_emit(c->opts.diag, DIAG_INFO, "attached to %d (%s), %d probes, while it was running", t->info.pid,
			  t->info.comm, n);
	}
}

static void on_mmap(void *ctx, const struct mmapwatch_event *event)
{
	struct capture *c = ctx;
	struct target *t = find_target(c, event->pid);
	struct pending_map pending = { event->pid, event->is_exec, event->map };

	if (t && event->is_exec) {
		target__announce_image(t);
	} else if (t) {
		unwind_load__module(c->unwind, target__add_mapping(t, c->mods, &event->map));
	} else if (c->npending < MAX_PENDING) {
		pending.map.path = strdup(event->map.path ? event->map.path : "");
		if (pending.map.path &&
		    !vec_reserve((void **)&c->pending, &c->cap_pending, c->npending + 1, sizeof(pending)))
			c->pending[c->npending++] = pending;
		else
			free(pending.map.path);
	}
}

static void take_pending(struct capture *c, struct target *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->npending; i++) {
		struct pending_map *pending = &c->pending[i];

		if (pending->pid != t->info.pid) {
			c->pending[kept++] = *pending;
			continue;
		}
		if (pending->is_exec)
			target__announce_image(t);
		else
			target__add_mapping(t, c->mods, &pending->map);
		free(pending->map.path);
	}
	c->npending = kept;
}

static void on_exec(struct capture *c, const struct abi_rec_proc *rec)
{
	struct target *t = find_target(c, rec->rec.tgid);

	if (!t)
		return;
	if (rec->leader_changed)
		session__detach(c->session, t->info.pid, false);
	/* When it has ended already, what the record says is all there is. */
	if (proc_read_info(t->info.pid, &t->info))
		t->info.exe[0] = 0;
	snprintf(t->info.comm, sizeof(t->info.comm), "%s", rec->comm);
	target__begin_image(t, rec->image);
	if (t->mmaps)
		mmaps__drop(t->mmaps);
	if (t->touches)
		touches__drop(t->touches);
	target__refresh(t, c->session, c->mods);
	tell_space(c, t);
	if (!t->is_command) {
		t->go_module = MODULE_NONE;
		if (c->live)
			golive__drop(c->live, t->slot);
	}
	if (!t->is_command)
		snprintf(t->runtime, sizeof(t->runtime), "native");
	t->is_command = false;
	target__follow(t, c->session);
	arm_late(c, t, false);
}

/* @pid is a child of a target: make it one, unless it is. */
static void follow_child(struct capture *c, const struct target *parent, pid_t pid)
{
	struct target *t = find_target(c, pid);
	struct err err;

	if (t && target__is_running(t))
		return;
	if (new_target(c, pid, &t, &err)) {
		c->lost_not_followed++; /* it has ended already, or there is no place for it */
		return;
	}
	if (aspace__read(&t->as, c->mods, pid, NULL))
		aspace__copy(&t->as, &parent->as);
	take_pending(c, t);
	tell_space(c, t);
	session__seed_rss(c->session, pid);
	target__follow(t, c->session); /* its start, before it can be gone */
	arm_late(c, t, true);
	if (!t->nprobes && (c->opts.want_go || c->opts.want_malloc))
		c->lost_not_followed++; /* it ended meanwhile */
	c->lost_late_attach += t->mmaps != NULL; /* what it mapped until now was not seen */
	follow_children(c, t);
}

struct child_walk {
	struct capture *capture;
	const struct target *parent;
};

static int on_child(void *ctx, pid_t pid)
{
	const struct child_walk *walk = ctx;

	follow_child(walk->capture, walk->parent, pid);
	return 0;
}

/* The children that it has already: the tracepoint tells of those that come. */
static void follow_children(struct capture *c, const struct target *t)
{
	struct child_walk walk = { c, t };

	proc_each_child(t->info.pid, on_child, &walk);
}

static void on_fork(struct capture *c, const struct abi_rec_proc *rec)
{
	struct target *parent = find_target(c, rec->rec.tgid);

	if (c->opts.follow && parent)
		follow_child(c, parent, rec->child_tgid);
}

static void on_exit_rec(struct capture *c, const struct abi_rec_proc *rec)
{
	struct target *t = find_target(c, rec->rec.tgid);
	int status = (int)rec->exit_code;

	if (!t || t->exit_code >= 0)
		return;
	target__end(t, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), rec->cpu_ns);
	if (c->live)
		golive__forget(c->live, t->slot);
	unwind_load__forget(c->unwind, t->slot);
	session__remove_target(c->session, t->info.pid);
}

static void look_at_maps(struct capture *c, struct target *t)
{
	t->maps_changed = false;
	target__refresh(t, c->session, c->mods);
	tell_space(c, t);
	arm_late(c, t, false);
}

/*
 * The code that was mapped runs at once, and stacks through it need its table: so the first event is followed without
 * delay. Those that come in the same step are looked at together behind it.
 */
static void on_maps(struct capture *c, const struct abi_rec_proc *rec)
{
	struct target *t = find_target(c, rec->rec.tgid);

	if (!t || t->is_command || !target__is_running(t))
		return;
	t->maps_changed = true;
	if (t->maps_step == c->step)
		return;
	t->maps_step = c->step;
	look_at_maps(c, t);
}

static void on_gc(struct capture *c, const struct abi_rec_proc *rec)
{
	struct target *t = find_target(c, rec->rec.tgid);

	if (!t || !c->live)
		return;
	t->gc_started = true;
	golive__gc(c->live, t->slot);
}

/* While the collector marks, the mark bits of the collection before it stand still. */
static void look_at_heaps(struct capture *c)
{
	for (size_t i = 0; i < c->ntargets; i++) {
		struct target *t = c->targets[i];

		if (t->gc_started && target__is_running(t))
			follow_live(c, t);
		t->gc_started = false;
	}
}

/* What the loader mapped since the last step: once for all that it told. */
static void look_at_new_maps(struct capture *c)
{
	for (size_t i = 0; i < c->ntargets; i++) {
		struct target *t = c->targets[i];

		if (!t->maps_changed || !target__is_running(t))
			continue;
		look_at_maps(c, t);
	}
}

static void on_object(struct capture *c, const struct abi_rec_object *rec)
{
	const struct target *t = find_target(c, rec->rec.tgid);

	if (t && c->live && rec->image == t->image)
		golive__on_object(c->live, t->slot, rec);
}

static void on_mmap_call(struct capture *c, const struct abi_rec_mmap *rec)
{
	struct target *t = find_target(c, rec->rec.tgid);

	if (!t || !t->mmaps || rec->image != t->image)
		return;
	mmaps__apply(t->mmaps, rec);
	if (t->touches)
		touches__call(t->touches, rec, t->mmaps);
}

static bool is_go_heap(uint8_t area)
{
	return area == ABI_AREA_GO_ARENA || area == ABI_AREA_GO_STACK || area == ABI_AREA_GO_WORK;
}

/* Of the memory of an allocator that is followed it says nothing who had it mapped: that was for many to come. */
static bool mapping_tells(const struct capture *c, const struct abi_rec_touch *rec)
{
	return !(rec->area == ABI_AREA_C_HEAP && c->blocks) && !(is_go_heap(rec->area) && c->has_go);
}

static void on_touch(struct capture *c, const struct target *t, const struct abi_rec_touch *rec)
{
	const uint64_t context = area_context(rec->area, area_runtime(t));
	uint64_t go_stack = rec->area == ABI_AREA_GO_ARENA ? goasker__find(c->goasker, rec->stack_id) : 0;

	uint64_t span_stack = !go_stack && rec->span_is_object ? goasker__find(c->goasker, rec->span_stack_id) : rec->span_stack_id;

	if (go_stack)
		touches__add_known(t->touches, rec, context, EVENT_GO, go_stack);
	else if (span_stack)
		touches__add_in_span(t->touches, rec, context, span_stack);
	else
		touches__add(t->touches, rec, context, mapping_tells(c, rec) ? t->mmaps : NULL);
}

/* Whose touches @image of @tgid's are; NULL: it is not looked for, or that image is gone. */
static const struct target *touching(const struct capture *c, uint32_t tgid, uint32_t image)
{
	const struct target *t = find_target(c, tgid);

	return t && t->touches && t->image == image ? t : NULL;
}

static void on_touch_rec(struct capture *c, const struct abi_rec *rec, size_t len)
{
	const struct abi_rec_touch *touch = (const void *)rec;
	const struct abi_rec_door *door = (const void *)rec;
	const struct abi_rec_freed *freed = (const void *)rec;
	const struct target *t = NULL;

	switch (rec->kind) {
	case ABI_REC_TOUCH:
		if (len >= sizeof(*touch))
			t = touching(c, rec->tgid, touch->image);
		if (t)
			on_touch(c, t, touch);
		break;
	case ABI_REC_DOOR:
		if (len >= sizeof(*door))
			t = touching(c, rec->tgid, door->image);
		if (t)
			touches__door(t->touches, door);
		break;
	case ABI_REC_FREED:
		if (len >= sizeof(*freed))
			t = touching(c, rec->tgid, freed->image);
		if (t)
			touches__freed(t->touches, freed);
		break;
	}
}

static void on_cause(struct capture *c, const struct abi_rec_cause *rec)
{
	static const char *const tasks[] = {
		[ABI_CAUSE_KERNEL] = "kernel",
		[ABI_CAUSE_WORKER] = "worker",
		[ABI_CAUSE_PROCESS] = "process",
	};
	char name[64];

	if (rec->task >= sizeof(tasks) / sizeof(tasks[0]))
		return;
	/* "kworker/u8:3-mm_percpu_wq", "ksoftirqd/0", "iou-wrk-1234": which of them is of no interest. */
	snprintf(name, sizeof(name), "[%s: %.*s]", tasks[rec->task],
		 rec->task == ABI_CAUSE_PROCESS ? 16 : (int)strcspn(rec->comm, "/0123456789"), rec->comm);
	c->sink.on_cause(c->sink.ctx, rec->stack_id, name);
}

static void on_rec(void *ctx, const struct abi_rec *rec, size_t len)
{
	struct capture *c = ctx;

	if (rec->kind == ABI_REC_STACK) {
		const struct abi_rec_stack *stack = (const void *)rec;

		if (len >= ABI_REC_STACK_BYTES(0) && len >= ABI_REC_STACK_BYTES(stack->nframes + stack->nkernel))
			on_stack(c, stack);
		return;
	}
	if (rec->kind == ABI_REC_CONTEXT) {
		const struct abi_rec_context *context = (const void *)rec;

		if (len >= ABI_REC_CONTEXT_BYTES(0) && len >= ABI_REC_CONTEXT_BYTES(context->nlabels))
			on_context(c, context);
		return;
	}
	if (rec->kind == ABI_REC_SAMPLE || rec->kind == ABI_REC_FREE) {
		if (len >= sizeof(struct abi_rec_object))
			on_object(c, (const void *)rec);
		return;
	}
	if (rec->kind == ABI_REC_MMAP) {
		if (len >= sizeof(struct abi_rec_mmap))
			on_mmap_call(c, (const void *)rec);
		return;
	}
	if (rec->kind == ABI_REC_TOUCH || rec->kind == ABI_REC_DOOR || rec->kind == ABI_REC_FREED) {
		on_touch_rec(c, rec, len);
		return;
	}
	if (rec->kind == ABI_REC_CAUSE) {
		if (len >= sizeof(struct abi_rec_cause))
			on_cause(c, (const void *)rec);
		return;
	}
	if (rec->kind == ABI_REC_SWEEP)
		c->wants_sweep = true;
	if (len < sizeof(struct abi_rec_proc))
		return;
	switch (rec->kind) {
	case ABI_REC_EXEC:
		on_exec(c, (const void *)rec);
		break;
	case ABI_REC_FORK:
		on_fork(c, (const void *)rec);
		break;
	case ABI_REC_EXIT:
		on_exit_rec(c, (const void *)rec);
		break;
	case ABI_REC_MAPS:
		on_maps(c, (const void *)rec);
		break;
	case ABI_REC_GC:
		on_gc(c, (const void *)rec);
		break;
	}
}

static uint64_t event_stack_id(uint64_t abi_stack_id)
{
	switch (abi_stack_id) {
	case ABI_STACK_OTHERS:
		return EVENT_STACK_OTHERS;
	case ABI_STACK_EXEC:
		return EVENT_STACK_EXEC;
	case ABI_STACK_EXIT:
		return EVENT_STACK_EXIT;
	case ABI_STACK_NONE:
		return EVENT_STACK_NONE;
	}
	return abi_stack_id;
}

static const enum event_rss_kind rss_kinds[ABI_RSS__N] = {
	[ABI_RSS_FILE] = EVENT_RSS_FILE,
	[ABI_RSS_ANON] = EVENT_RSS_ANON,
	[ABI_RSS_SWAP] = EVENT_RSS_SWAP,
	[ABI_RSS_SHMEM] = EVENT_RSS_SHMEM,
};

static bool is_of_doors(uint16_t abi_source)
{
	return abi_source == ABI_SOURCE_GO || abi_source == ABI_SOURCE_MALLOC;
}

static void tell_site(void *ctx, const struct abi_site_key *key, const struct abi_site *site, const struct event_scale *scale)
{
	static const enum event_source sources[] = {
		[ABI_SOURCE_GO] = EVENT_GO,
		[ABI_SOURCE_MALLOC] = EVENT_MALLOC,
		[ABI_SOURCE_RSS] = EVENT_RSS,
	};
	struct capture *c = ctx;
	struct event_counts counts = { .objects = site->objects,
				       .bytes = site->bytes,
				       .requested_bytes = site->requested_bytes,
				       .goroutines = site->goroutines,
				       .free_objects = site->free_objects,
				       .free_bytes = site->free_bytes,
				       .is_sampled = c->bursts.is_sampling && is_of_doors(key->source),
				       .scale = *scale };
	struct event_live live = { (double)site->live_objects, (double)site->live_bytes, 0, 0 };
	uint64_t context = key->context_id;

	if (key->source >= sizeof(sources) / sizeof(sources[0]))
		return;
	if (key->source == ABI_SOURCE_RSS) {
		counts.rss_kind = rss_kinds[ABI_RSS_MEMBER(key->detail)];
		counts.bytes *= sysconf(_SC_PAGESIZE);
		context = area_context(context, area_runtime(find_target(c, key->tgid)));
	}
	c->sink.on_counts(c->sink.ctx, key->tgid, sources[key->source], event_stack_id(key->stack_id), context,
			   &counts);
	if ((site->live_objects || site->live_bytes) && c->blocks && !blocks__counts_live(c->blocks))
		c->sink.on_live(c->sink.ctx, key->tgid, EVENT_MALLOC, event_stack_id(key->stack_id), key->context_id, &live);
}

static void on_site(void *ctx, const struct abi_site_key *key, const struct abi_site *site)
{
	struct capture *c = ctx;
	struct target *t = key->source == ABI_SOURCE_GO && c->bursts.is_sampling ? find_target(c, key->tgid) : NULL;

	if (!t || !gotally__hold(&c->tally, &t->totals, key, site))
		tell_site(c, key, site, &(struct event_scale){ 0 });
}

/* The Go program that runs in @t, with its bias; NULL: none, or it has not begun. */
static const struct gobin *go_program(const struct capture *c, struct target *t, uint64_t *ret_bias)
{
	const struct gobin *bin = t->go_module == MODULE_NONE ? NULL : gomods__get(c->gomods, t->go_module);

	if (!target__is_running(t) || t->is_command || !bin || !aspace__find_bias(&t->as, c->mods, t->go_module, ret_bias))
		return NULL;
	return bin;
}

#define HEAP_LOOKS 32 /* of a program that does not begin to have a heap */

/* Tell the RSS ledger where Go's heap lies. */
static void find_go_heap(struct capture *c, struct target *t)
{
	const struct gobin *bin;
	uint64_t bias, map = 0;

	if (!c->opts.want_rss || t->go.heap_start || t->nheap_looks >= HEAP_LOOKS)
		return;
	bin = go_program(c, t, &bias);
	if (!bin)
		return;
	t->nheap_looks++;
	t->go.heap_start = gomem__heap_start(&t->gomem, t->info.pid, t->go_image, bin, bias, &map);
	t->go.arena_map = map;
	if (t->go.heap_start)
		session__set_go(c->session, t->slot, &t->go);
}

static void look_after_targets(struct capture *c)
{
	for (size_t i = 0; i < c->ntargets; i++) {
		struct target *t = c->targets[i];
		struct proc_info info;

		if (!target__is_running(t)) {
			aspace__free(&t->as); /* its last stacks have come */
			forget_mmaps(c, t);
			continue;
		}
		target__follow(t, c->session);
		/* The tracepoint tells of an exit, with its code; this is for a lost record. */
		if (proc_read_info(t->info.pid, &info) || info.start_ticks != t->info.start_ticks) {
			target__end(t, TARGET_EXIT_UNKNOWN, 0);
			if (c->live)
				golive__forget(c->live, t->slot);
			unwind_load__forget(c->unwind, t->slot);
			session__remove_target(c->session, t->info.pid);
			continue;
		}
		follow_live(c, t); /* reads its memory: not that of another with its PID */
		find_go_heap(c, t);
	}
}

static struct governor_reading take_reading(struct capture *c)
{
	struct governor_reading ret = { .now_ns = target_clock_ns() };
	struct capture_cost cost;

	capture__cost(c, &cost);
	ret.cost_ns = cost.trap_ns + cost.bpf_ns;
	ret.inside_ns = ret.cost_ns - cost.outside_ns;
	for (size_t i = 0; i < c->ntargets; i++) {
		target__follow_cpu(c->targets[i]);
		ret.cpu_ns += c->targets[i]->cpu_ns;
	}
	return ret;
}

static void sleep_until(uint64_t ns)
{
	const struct timespec ts = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/*
 * Ask Go's runtimes what they have allocated by now: @share of what is new is the open burst's, the rest the next one's.
 * @again: nothing is, from now on it counts.
 */
static void ask_runtimes(struct capture *c, double share, bool again)
{
	for (size_t i = 0; i < c->ntargets; i++) {
		struct target *t = c->targets[i];
		struct gostats_allocs allocs;
		const struct gobin *bin;
		uint64_t bias;

		bin = go_program(c, t, &bias);
		if (!bin || !gomem__allocs(&t->gomem, t->info.pid, t->go_image, bin, bias, &allocs))
			t->totals.is_known = false; /* by time then */
		else if (again || !t->totals.is_known || t->totals.image != t->go_image)
			gototals__restart(&t->totals, t->go_image, &allocs);
		else
			gototals__add(&t->totals, gobin__layout(bin, &(bool){ false }), &allocs, share);
	}
}

/* Read the counts; those of a burst stand for the time until @until_ns, and what was asked for Go. */
static int sweep_until(struct capture *c, uint64_t until_ns)
{
	struct event_burst burst = { .scale = { 1, 1, 0 } };
	bool was_open = bursts__end(&c->bursts, until_ns, &burst);
	int err;

	if (was_open)
		c->sink.on_burst(c->sink.ctx, &burst);
	err = drain__sweep(c->drain);
	gotally__tell(&c->tally, &burst.scale, tell_site, c);
	if (!was_open && c->bursts.is_sampling)
		gotally__tell_more(&c->tally, tell_site, c);
	for (size_t i = 0; i < c->ntargets; i++)
		gototals__turn(&c->targets[i]->totals);
	return err;
}

/* The doors are in for a moment; or, if the governor has said so, they stay, and that moment stands for the time before. */
static int run_burst(struct capture *c)
{
	struct governor *g = &c->bursts.governor;
	struct governor_reading before, from, to;
	const int nice_was = getpriority(PRIO_PROCESS, 0);
	bool stays = g->state == GOVERNOR_BEGIN_EXACT;
	int err;

	/* Half of what came between two bursts is each one's. */
	ask_runtimes(c, c->bursts.is_open ? 0.5 : 1, false);
	if (c->bursts.is_open) {
		err = sweep_until(c, bursts__middle(&c->bursts, target_clock_ns()));
		if (err)
			return err;
	}
	before = take_reading(c);
	session__set_window(c->session, 0);
	err = session__arm(c->session);
	if (err < 0)
		return err;
	from = take_reading(c);
	to.now_ns = from.now_ns + (uint64_t)g->window_ns;
	session__set_window(c->session, stays ? UINT64_MAX : to.now_ns);
	if (nice_was > ASIDE_NICE)
		setpriority(PRIO_PROCESS, 0, ASIDE_NICE);
	sleep_until(to.now_ns);
	/* We may have slept longer: the programs have not. */
	if (stays) {
		to = take_reading(c);
	} else {
		/* They are out as soon as may be; what was hit in the meantime is told apart. */
		uint64_t end_ns = to.now_ns;

		session__disarm(c->session);
		to = take_reading(c);
		to.now_ns = end_ns;
	}
	setpriority(PRIO_PROCESS, 0, nice_was);
	c->bursts.is_sampling = true;
	ask_runtimes(c, 1, false);
	bursts__add(&c->bursts, &from, &to);
	if (!stays) {
		to = take_reading(c);
		governor__burst(g, (uint64_t)g->window_ns, &before, &to);
		return 0;
	}
	err = sweep_until(c, to.now_ns);
	c->bursts.is_sampling = false;
	governor__begin_exact(g, &to);
	return err;
}

/* What was seen until now was all; from here on there are bursts. */
static int leave_exact(struct capture *c)
{
	uint64_t now_ns = target_clock_ns();

	session__set_window(c->session, now_ns);
	ask_runtimes(c, 0, true);
	session__disarm(c->session);
	c->bursts.covered_ns = now_ns;
	return drain__sweep(c->drain);
}

static int follow_governor(struct capture *c)
{
	struct governor *g = &c->bursts.governor;
	bool was_exact = g->state == GOVERNOR_EXACT;
	struct governor_reading reading;

	if (target_clock_ns() < g->due_ns || !capture__alive(c))
		return 0;
	reading = take_reading(c);
	governor__look(g, &reading);
	if (was_exact)
		return g->state == GOVERNOR_EXACT ? 0 : leave_exact(c);
	return reading.now_ns < g->due_ns ? 0 : run_burst(c);
}

void capture__start(struct capture *capture)
{
	const struct capture_opts *o = &capture->opts;
	struct governor_opts opts = { .budget = o->budget, .may_be_exact = o->mode == CAPTURE_AUTO };
	struct governor_reading reading;

	if (o->mode == CAPTURE_EXACT)
		return;
	for (size_t i = 0; i < capture->ntargets; i++)
		opts.begins_exact |= capture->targets[i]->is_command && o->mode == CAPTURE_AUTO;
	if (getrandom(&opts.seed, sizeof(opts.seed), 0) != sizeof(opts.seed))
		opts.seed = target_clock_ns();
	reading = take_reading(capture);
	governor__init(&capture->bursts.governor, &opts, &reading);
	capture->bursts.covered_ns = reading.now_ns;
	ask_runtimes(capture, 0, true);
	if (opts.begins_exact)
		session__arm(capture->session);
}

uint64_t capture__due_ns(const struct capture *capture)
{
	return capture->opts.mode == CAPTURE_EXACT ? UINT64_MAX : capture->bursts.governor.due_ns;
}

struct gototals_amount capture__unseen(const struct capture *capture)
{
	struct gototals_amount sum = { 0 };

	for (size_t i = 0; i < capture->ntargets; i++) {
		const struct gototals_amount unseen = gototals__unseen(&capture->targets[i]->totals);

		sum.objects += unseen.objects;
		sum.bytes += unseen.bytes;
	}
	return sum;
}

double capture__uncovered_s(const struct capture *capture)
{
	const struct bursts *b = &capture->bursts;
	uint64_t now_ns = target_clock_ns();

	if (capture->opts.mode == CAPTURE_EXACT || session__is_armed(capture->session) || now_ns < b->covered_ns)
		return 0;
	return (double)(now_ns - b->covered_ns) / 1e9;
}

void capture__step(struct capture *capture)
{
	capture->step++;
	if (capture->opts.mode != CAPTURE_EXACT && !capture->sweep_err)
		capture->sweep_err = follow_governor(capture);
	for (size_t i = 0; i < capture->ntargets; i++)
		capture->targets[i]->may_be_stale = true;
	/* Mappings first: the stacks that follow walk through them. */
	if (capture->mmaps)
		capture->lost_mmap += mmapwatch__read(capture->mmaps, on_mmap, capture);
	drain__ring(capture->drain);
	look_at_heaps(capture);
	look_at_new_maps(capture);
}

/* So many touches wait for their blocks that these are looked at now, without a report. */
static int look_if_due(struct capture *c)
{
	bool is_due = false;

	for (size_t i = 0; i < c->ntargets; i++)
		is_due |= c->targets[i]->touches && touches__wants_look(c->targets[i]->touches);
	return is_due ? capture__look_at_blocks(c) : 0;
}

int capture__sweep(struct capture *capture)
{
	int err;

	capture__step(capture);
	capture->wants_sweep = false;
	for (size_t i = 0; i < capture->ntargets; i++)
		target__note_counters(capture->targets[i], capture->session);
	if (capture->opts.mode != CAPTURE_EXACT && capture->bursts.governor.state == GOVERNOR_BURSTS)
		ask_runtimes(capture, 1, false);
	err = sweep_until(capture, target_clock_ns());
	if (!err)
		err = capture->sweep_err;
	if (!err)
		unwind_load__settle(capture->unwind); /* the sweep has waited for the programs */
	look_after_targets(capture);
	return err ? err : look_if_due(capture);
}

void capture__mark_heaps(struct capture *capture, uint64_t step_bytes)
{
	struct abi_heap heap;

	for (size_t i = 0; i < capture->ntargets; i++)
		if (target__is_running(capture->targets[i]) && !session__heap(capture->session, i, &heap))
			session__set_heap_mark(capture->session, i, heap.live_bytes + (int64_t)step_bytes);
}

void capture__mark_rss(struct capture *capture, uint64_t step_bytes)
{
	const uint64_t page_bytes = sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < capture->ntargets; i++)
		if (target__is_running(capture->targets[i]))
			session__set_rss_mark(capture->session, i, (capture->targets[i]->rss.rss_bytes + step_bytes) / page_bytes);
}

uint64_t capture__rss_high(const struct capture *capture)
{
	if (capture->ntargets != 1 || !session__has_rss(capture->session))
		return 0;
	return session__rss_high(capture->session, 0) * sysconf(_SC_PAGESIZE);
}

struct block_scan {
	struct capture *capture;
	uint64_t now_ns;
	int err;
};

static bool on_block(void *ctx, const struct abi_block_key *key, const struct abi_block *block)
{
	struct block_scan *scan = ctx;
	struct capture *c = scan->capture;
	const struct event_live gone = { -1, -(double)block->bytes, 0, 0 };
	const struct target *t = key->slot < c->ntargets ? c->targets[key->slot] : NULL;
	bool has_ended = t && !target__is_running(t);
	uint64_t now_ns = has_ended ? t->end_ns : scan->now_ns;

	if (!t)
		return true;
	/* The address space of an image that executed another is gone, with all that was in it. */
	if ((int32_t)(key->image - t->image) < 0) {
		c->exec_blocks++;
		if (!blocks__counts_live(c->blocks))
			c->sink.on_live(c->sink.ctx, t->info.pid, EVENT_MALLOC, block->stack_id, 0, &gone);
		return true;
	}
	if (t->touches)
		touches__block(t->touches, key->addr, block);
	if (!scan->err)
		scan->err = blocks__add(c->blocks, t->info.pid, block,
					now_ns > block->time_ns ? now_ns - block->time_ns : 0, has_ended);
	return has_ended; /* what it had at its end is known now */
}

int capture__look_at_blocks(struct capture *capture)
{
	struct block_scan scan = { .capture = capture };
	int err;

	if (!capture->blocks)
		return 0;
	scan.now_ns = target_clock_ns();
	blocks__begin(capture->blocks);
	for (size_t i = 0; i < capture->ntargets; i++)
		if (capture->targets[i]->touches)
			touches__begin(capture->targets[i]->touches);
	err = drain__blocks(capture->drain, on_block, &scan);
	capture__step(capture); /* which blocks were given back meanwhile */
	for (size_t i = 0; i < capture->ntargets; i++)
		if (capture->targets[i]->touches)
			touches__end(capture->targets[i]->touches, scan.now_ns);
	if (!err)
		err = scan.err;
	return err ? err : blocks__end(capture->blocks);
}

void capture__look_at_go_memory(struct capture *capture)
{
	for (size_t i = 0; i < capture->ntargets; i++) {
		struct target *t = capture->targets[i];
		uint64_t bias;
		const struct gobin *bin = capture->opts.want_rss ? go_program(capture, t, &bias) : NULL;

		if (bin)
			gomem__look(&t->gomem, t->info.pid, t->go_image, bin, bias);
		else
			gomem__forget(&t->gomem);
	}
}

int capture__finish(struct capture *capture)
{
	int err = capture__sweep(capture);

	for (size_t i = 0; i < capture->ntargets; i++)
		if (target__is_running(capture->targets[i]))
			target__check_rss(capture->targets[i], capture->session);
	return err;
}

bool capture__wants_sweep(const struct capture *capture)
{
	return capture->wants_sweep;
}

uint32_t capture__ntargets(const struct capture *capture)
{
	return capture->ntargets;
}

void capture__target(struct capture *capture, uint32_t index, struct capture_target *ret)
{
	struct target *t = capture->targets[index];

	memset(ret, 0, sizeof(*ret));
	ret->pid = t->info.pid;
	snprintf(ret->comm, sizeof(ret->comm), "%s", t->info.comm);
	ret->exe = t->info.exe;
	ret->runtime = t->runtime;
	ret->nprobes = t->nprobes;
	ret->exit_code = t->exit_code;
	ret->cpu_ns = t->cpu_ns;
	ret->rss_start = t->rss_start;
	ret->has_hugetlb = t->has_hugetlb;
	ret->hugetlb_bytes = t->hugetlb_bytes;
	ret->rss = t->rss;
	ret->go_memory = t->gomem.looked ? &t->gomem : NULL;
}

bool capture__alive(const struct capture *capture)
{
	for (size_t i = 0; i < capture->ntargets; i++)
		if (target__is_running(capture->targets[i]))
			return true;
	return false;
}

void capture__set_exit(struct capture *capture, pid_t pid, int exit_code)
{
	struct target *t = find_target(capture, pid);

	if (!t)
		return;
	if (target__is_running(t))
		target__end(t, exit_code, 0);
	t->exit_code = exit_code;
}

bool capture__has_source(const struct capture *capture, enum event_source source)
{
	switch (source) {
	case EVENT_GO:
		return capture->has_go;
	case EVENT_MALLOC:
		return capture->has_c;
	case EVENT_MMAP:
		return session__has_mmap(capture->session);
	default:
		return session__rss_method(capture->session) != EVENT_RSS_BY_PROC;
	}
}

enum event_rss_method capture__rss_method(const struct capture *capture)
{
	return session__rss_method(capture->session);
}

void capture__cost(struct capture *capture, struct capture_cost *ret)
{
	const struct calib *calib = &capture->calib;
	struct abi_stats st = { 0 };
	const __u64 *v = st.v;
	uint64_t probes;

	memset(ret, 0, sizeof(*ret));
	if (drain__stats(capture->drain, &st))
		return;
	probes = v[ABI_STAT_HITS] + v[ABI_STAT_HITS_STEPPED] + v[ABI_STAT_HITS_RETURN];
	ret->hits = probes + v[ABI_STAT_HITS_RSS] + v[ABI_STAT_HITS_MMAP];
	ret->trap_ns = v[ABI_STAT_HITS] * calib->emulated_ns + v[ABI_STAT_HITS_STEPPED] * calib->stepped_ns +
		       v[ABI_STAT_HITS_RETURN] * calib->return_ns;
	ret->outside_ns = v[ABI_STAT_OUTSIDE] * calib->emulated_ns;
	if (v[ABI_STAT_TIMED])
		ret->bpf_ns += (double)v[ABI_STAT_TIMED_NS] / v[ABI_STAT_TIMED] * probes;
	if (v[ABI_STAT_TIMED_RSS])
		ret->bpf_ns += (double)v[ABI_STAT_TIMED_RSS_NS] / v[ABI_STAT_TIMED_RSS] * v[ABI_STAT_HITS_RSS];
	if (v[ABI_STAT_TIMED_MMAP])
		ret->bpf_ns += (double)v[ABI_STAT_TIMED_MMAP_NS] / v[ABI_STAT_TIMED_MMAP] * v[ABI_STAT_HITS_MMAP];
}

bool capture__has_touches(const struct capture *capture)
{
	return session__has_touches(capture->session);
}

bool capture__live(const struct capture *capture, struct golive_stats *ret)
{
	if (!capture->live)
		return false;
	golive__stats(capture->live, ret);
	return true;
}

bool capture__mmaps(const struct capture *capture, struct mmaps_stats *ret)
{
	struct mmaps_stats one;

	*ret = capture->mmaps_ended;
	for (size_t i = 0; i < capture->ntargets; i++) {
		if (!capture->targets[i]->mmaps)
			continue;
		mmaps__stats(capture->targets[i]->mmaps, &one);
		ret->before_bytes += one.before_bytes;
		ret->not_kept += one.not_kept;
	}
	return session__has_mmap(capture->session);
}

bool capture__blocks(const struct capture *capture, struct capture_blocks *ret)
{
	struct abi_heap heap;

	if (!capture->blocks)
		return false;
	*ret = (struct capture_blocks){ blocks__len(capture->blocks), !capture->opts.block_rate_bytes, 0 };
	if (ret->counted && capture->ntargets == 1 && !session__heap(capture->session, 0, &heap))
		ret->high_bytes = heap.high_bytes;
	return true;
}

struct loss_row {
	const char *name, *text;
	enum abi_stat stat;
	bool is_uncounted;
};

static const struct loss_row loss_rows[] = {
	{ "site_map_full", "more different stacks than the map holds", ABI_STAT_LOST_SITE_MAP_FULL, true },
	{ "thread_table_full", "more threads than the table holds", ABI_STAT_LOST_THREAD_TABLE_FULL, true },
	{ "return_missed", "the allocating function's return was not seen", ABI_STAT_LOST_RETURN_MISSED, true },
	{ "args_unreadable", "size or caller were not readable", ABI_STAT_LOST_ARGS_UNREADABLE, true },
	{ "burst_ended", "allocations under way when their burst ended: not in the estimates", ABI_STAT_BURST_ENDED, false },
	{ "mmap_lost", "a call of mmap, munmap, mremap or brk was not told: what is mapped is off by it", ABI_STAT_LOST_MMAP, true },
	{ "block_table_full", "live blocks that are not followed, for lack of room: live counts are too low",
	  ABI_STAT_LOST_BLOCK, true },
	{ "free_uncounted", "frees that found no room among the counts: live counts are too high",
	  ABI_STAT_LOST_FREE_SITE, true },
	{ "block_table_full_bytes", "bytes of the blocks of block_table_full", ABI_STAT_LOST_BLOCK_BYTES, false },
	{ "free_before_attach", "frees of what was allocated before the attach or the fork, or is glibc's own, as its caches at a thread's end",
	  ABI_STAT_FREE_BEFORE, false },
	{ "free_missed", "blocks whose memory was handed out again: when they were given back was not seen",
	  ABI_STAT_FREE_MISSED, false },
	{ "site_map_full_bytes", "bytes of what is not counted because of site_map_full", ABI_STAT_LOST_SITE_BYTES, false },
	{ "ring_full", "stacks that could not be handed out at the first try", ABI_STAT_LOST_RING_FULL_STACK, false },
	{ "sample_lost", "objects chosen to be followed that could not be", ABI_STAT_LOST_SAMPLE, false },
	{ "touch_spans", "spans of Go's heap of which it is not known who had them taken: the ring was full, or the table",
	  ABI_STAT_TOUCH_SPANS, false },
	{ "touch_untold", "pages of which it is not known whose memory they are: the ring was full", ABI_STAT_TOUCH_UNTOLD, false },
	{ "tiny_unreadable", "small Go objects charged a whole block of 16 bytes",
	  ABI_STAT_LOST_GO_TINY_UNREADABLE, false },
};

/* By enum abi_unwind_cause. */
static const struct {
	const char *name, *text;
} unwind_losses[ABI_UNWIND__N] = {
	[ABI_UNWIND_GAP] = { "unwind_gap", "stacks cut in code without unwind information" },
	[ABI_UNWIND_REGISTER] = { "unwind_register", "stacks cut where unwind information needs a register that is not followed" },
	[ABI_UNWIND_EXPRESSION] = { "unwind_expression", "stacks cut at unwind information that is a program of its own" },
	[ABI_UNWIND_RETURN_ADDRESS] = { "unwind_return_address", "stacks cut where the return address is in no known place" },
	[ABI_UNWIND_MALFORMED] = { "unwind_malformed", "stacks cut at unwind information that makes no sense" },
	[ABI_UNWIND_TOO_MANY] = { "unwind_too_many", "stacks cut in a file with more unwind information than is kept" },
};

static uint64_t touches_not_kept(const struct capture *c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->ntargets; i++)
		n += c->targets[i]->touches ? touches__not_kept(c->targets[i]->touches) : 0;
	return n;
}

void capture__each_loss(struct capture *capture, capture_loss_fn *fn, void *ctx)
{
	struct unwind_load_stats unwind;
	struct abi_stats st = { 0 };
	struct mmaps_stats mmaps;

	drain__stats(capture->drain, &st);
	for (size_t i = 0; i < sizeof(loss_rows) / sizeof(loss_rows[0]); i++)
		fn(ctx, loss_rows[i].name, loss_rows[i].text, st.v[loss_rows[i].stat], loss_rows[i].is_uncounted);
	fn(ctx, "no_memory", "counts that allocsnoop had no memory left for", capture->refusals.objects, true);
	fn(ctx, "no_memory_names", "stacks, types and labels that allocsnoop had no memory left for", capture->refusals.names, false);
	fn(ctx, "no_memory_live", "changes of what is live that allocsnoop had no memory left for", capture->refusals.live, false);
	capture__mmaps(capture, &mmaps);
	fn(ctx, "mmap_not_followed", "mapped parts that were not followed: too many", mmaps.not_kept, false);
	fn(ctx, "touch_not_kept", "pages whose block was not looked for: too many at a time", touches_not_kept(capture), false);
	fn(ctx, "no_memory_touches", "pages whose allocation allocsnoop had no memory left to tell of", capture->refusals.touches, false);
	fn(ctx, "scratch_busy", "probes interrupted each other too often", session__lost_scratch_busy(capture->session), true);
	fn(ctx, "stack_truncated", "stacks deeper than 127 frames: the outermost are missing", capture->lost_truncated, false);
	fn(ctx, "stack_unreadable", "stacks cut at a page that was not in memory", capture->lost_unreadable, false);
	for (size_t i = 0; i < ABI_UNWIND__N; i++)
		fn(ctx, unwind_losses[i].name, unwind_losses[i].text, capture->lost_rule[i], false);
	fn(ctx, "unwind_no_table", "stacks cut in code without an unwind table, or mapped too short a time ago to have it",
	   capture->lost_no_table, false);
	fn(ctx, "stack_loop", "stacks whose unwind tables led back down: cut there", capture->lost_loop, false);
	unwind_load__stats(capture->unwind, &unwind);
	fn(ctx, "unwind_no_room", "files whose unwind tables found no room: stacks through them may be broken", unwind.no_room,
	   false);
	fn(ctx, "unwind_unmapped", "code mappings beyond those that stacks are walked through", unwind.unmapped, false);
	fn(ctx, "stack_image_gone", "stacks of a program that had executed another before it could be looked at",
	   capture->lost_image, false);
	fn(ctx, "exec_blocks", "live blocks of programs that executed another: gone, but not given back", capture->exec_blocks, false);
	fn(ctx, "label_cut", "pprof labels that are longer than what is kept, or too many to be told apart", capture->lost_labels, false);
	fn(ctx, "process_event_lost", "an exec, fork or exit was not seen", session__lost_ring_full_proc(capture->session), false);
	fn(ctx, "not_followed", "children that ended before they could be attached to, or too many of them",
	   capture->lost_not_followed, false);
	fn(ctx, "mapping_lost", "code mappings that were not told: frames in them have no names", capture->lost_mmap, false);
	fn(ctx, "late_attach", "programs or libraries that ran before their probes were armed", capture->lost_late_attach, false);
}

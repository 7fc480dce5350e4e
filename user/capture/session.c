// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/vec.h"
#include "bpf/allocsnoop.skel.h"
#include "capture/aside.h"
#include "capture/link.h"

/* Either kind of link. */
struct probe_link {
	pid_t pid;
	uint32_t module;
	int fd; /* uprobe_multi, or -1 */
	struct bpf_link *single;
	bool is_door;
};

/* The probes of one program in one module of one process. */
struct attach_job {
	struct bpf_program *prog;
	bool at_return;
	bool is_door; /* armed and disarmed with the bursts */
	pid_t pid;
	uint32_t module;
	int module_fd; /* borrowed, open as long as the module is known */
	unsigned long *offsets;
	uint64_t *cookies; /* behind the offsets */
	uint32_t n;
};

struct session {
	struct allocsnoop_bpf *skel;
	struct probe_link *links;
	size_t nlinks, cap_links;
	struct probe_link *old; /* of processes that have ended, to be closed many at a time */
	size_t nold, cap_old;
	struct attach_job *doors; /* what session__arm() attaches */
	size_t ndoors, cap_doors;
	bool is_disarmed;
	struct aside *closing; /* links that are being closed */
	bool uprobe_multi, has_rss;
	bool has_faults; /* their addresses, for the RSS ledger */
	bool has_touches;
	bool has_fault_events; /* in place of the ledger */
	struct bpf_link **fault_links; /* of each CPU that is on */
	bool mmap_by_call, mmap_by_any; /* by which tracepoints address space is watched; neither: it is not */
	int ncpus;
};

/* The one message of a failure is ours; libbpf's are many. */
static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

static void set_constants(struct session *session, const struct session_opts *opts)
{
	struct allocsnoop_bpf__rodata *ro = session->skel->rodata;
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = 0x9e3779b97f4a7c15u; /* stacks are then merely predictable */
	ro->hash_seed = seed;
	ro->min_size_bytes = opts->min_size_bytes;
	ro->max_size_bytes = opts->max_size_bytes;
	ro->only_tid = opts->only_tid;
	ro->count_goroutines = opts->count_goroutines;
	ro->go_rooms = opts->go_rooms;
	ro->rss_stacks = !opts->no_rss_stacks;
	ro->rss_areas = !opts->no_rss_areas;
	ro->kernel_stacks = opts->kernel_stacks && session->has_rss;
	ro->nr_cpus = session->ncpus;
	ro->follow_blocks = opts->blocks;
	ro->watch_peak = opts->peak;
	ro->block_rate_bytes = opts->block_rate_bytes;
	ro->watch_rss = session->has_rss;
	ro->watch_faults = session->has_faults;
	ro->tell_touches = session->has_touches;
	ro->sweep_mark = bpf_map__max_entries(session->skel->maps.sites_a) / 2;
}

static void choose_programs(struct session *session, const struct session_opts *opts)
{
	struct allocsnoop_bpf *skel = session->skel;
	struct {
		struct bpf_program *prog;
		bool wanted;
	} uprobes[] = {
		{ skel->progs.maps_changed, true },
		{ skel->progs.go_malloc, opts->go },
		{ skel->progs.go_profile_malloc, opts->go && opts->live },
		{ skel->progs.go_profile_free, opts->go && opts->live },
		{ skel->progs.go_span_push, opts->go && opts->live },
		{ skel->progs.go_gc_start, opts->go && opts->live },
		{ skel->progs.go_span_taken, session->has_touches },
		{ skel->progs.c_malloc, opts->malloc },
		{ skel->progs.c_malloc_return, opts->malloc },
		{ skel->progs.c_free, opts->malloc && opts->blocks },
		{ skel->progs.c_new_return, opts->malloc },
		{ skel->progs.c_throw, opts->malloc },
	};

	bpf_program__set_autoload(skel->progs.rss_stat, session->has_rss);
	bpf_program__set_autoload(skel->progs.mm_seed, session->has_rss);
	bpf_program__set_autoload(skel->progs.page_fault, session->has_fault_events);
	bpf_program__set_autoload(skel->progs.fault_user, session->has_faults);
	bpf_program__set_autoload(skel->progs.fault_kernel, session->has_faults);
	bpf_program__set_autoload(skel->progs.sys_exit_mmap, session->mmap_by_call);
	bpf_program__set_autoload(skel->progs.sys_exit_munmap, session->mmap_by_call);
	bpf_program__set_autoload(skel->progs.sys_exit_mremap, session->mmap_by_call);
	bpf_program__set_autoload(skel->progs.sys_exit_brk, session->mmap_by_call);
	bpf_program__set_autoload(skel->progs.sys_exit_any, session->mmap_by_any);
	for (size_t i = 0; i < sizeof(uprobes) / sizeof(uprobes[0]); i++) {
		bpf_program__set_autoload(uprobes[i].prog, uprobes[i].wanted);
		if (session->uprobe_multi)
			bpf_program__set_expected_attach_type(uprobes[i].prog, ATTACH_TYPE_UPROBE_MULTI);
	}
}

static int attach_mmap(struct session *session)
{
	struct allocsnoop_bpf *skel = session->skel;

	if (session->mmap_by_any) {
		skel->links.sys_exit_any = bpf_program__attach(skel->progs.sys_exit_any);
		return skel->links.sys_exit_any ? 0 : -errno;
	}
	if (!session->mmap_by_call)
		return 0;
	skel->links.sys_exit_mmap = bpf_program__attach(skel->progs.sys_exit_mmap);
	skel->links.sys_exit_munmap = bpf_program__attach(skel->progs.sys_exit_munmap);
	skel->links.sys_exit_mremap = bpf_program__attach(skel->progs.sys_exit_mremap);
	skel->links.sys_exit_brk = bpf_program__attach(skel->progs.sys_exit_brk);
	return skel->links.sys_exit_mmap && skel->links.sys_exit_munmap && skel->links.sys_exit_mremap &&
			       skel->links.sys_exit_brk ?
		       0 :
		       -errno;
}

/* On every CPU, for every process: threads and children that come need no event of their own. */
static int attach_fault_events(struct session *session)
{
	session->fault_links = calloc(session->ncpus, sizeof(*session->fault_links));
	if (!session->fault_links)
		return -ENOMEM;
	for (int cpu = 0; cpu < session->ncpus; cpu++) {
		int fd = link_fault_event(-1, cpu), err;

		if (fd < 0 && errno == ENODEV)
			continue;
		if (fd < 0)
			return -errno;
		session->fault_links[cpu] = bpf_program__attach_perf_event(session->skel->progs.page_fault, fd);
		if (!session->fault_links[cpu]) {
			err = -errno;
			close(fd);
			return err;
		}
	}
	return 0;
}

static int attach_tracepoints(struct session *session)
{
	int err;

	struct allocsnoop_bpf *skel = session->skel;

	skel->links.proc_exec = bpf_program__attach(skel->progs.proc_exec);
	skel->links.proc_fork = bpf_program__attach(skel->progs.proc_fork);
	skel->links.proc_exit = bpf_program__attach(skel->progs.proc_exit);
	if (!skel->links.proc_exec || !skel->links.proc_fork || !skel->links.proc_exit)
		return -errno;
	if (session->has_rss) {
		skel->links.rss_stat = bpf_program__attach(skel->progs.rss_stat);
		if (!skel->links.rss_stat)
			return -errno;
	}
	if (session->has_fault_events) {
		err = attach_fault_events(session);
		if (err)
			return err;
	}
	if (session->has_faults) {
		skel->links.fault_user = bpf_program__attach(skel->progs.fault_user);
		skel->links.fault_kernel = bpf_program__attach(skel->progs.fault_kernel);
		if (!skel->links.fault_user || !skel->links.fault_kernel)
			return -errno;
	}
	return attach_mmap(session);
}

int session__open(const struct session_opts *opts, struct session **ret, struct err *err)
{
	/* Named, libbpf does not look through the modules' BTF, for which it would need CAP_SYS_ADMIN. */
	LIBBPF_OPTS(bpf_object_open_opts, open_opts, .btf_custom_path = "/sys/kernel/btf/vmlinux");
	struct session *session = calloc(1, sizeof(*session));
	int code;

	if (!session)
		return err_set(err, FAIL_GENERAL, -ENOMEM, "out of memory");
	if (!opts->kernel_log)
		libbpf_set_print(quiet);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	session->uprobe_multi = opts->feat->uprobe_multi;
	code = aside__new(&session->closing);
	if (code) {
		err_set(err, FAIL_GENERAL, code, "out of memory");
		goto fail;
	}
	session->ncpus = libbpf_num_possible_cpus();
	if (session->ncpus < 1) {
		code = err_set(err, FAIL_GENERAL, session->ncpus, "cannot tell the number of CPUs: %s",
			       strerror(-session->ncpus));
		goto fail;
	}
	session->has_rss = opts->rss && opts->feat->rss_tp && session->ncpus <= ABI_RSS_MAX_CPUS;
	session->has_faults = session->has_rss && opts->feat->fault_tps && !opts->no_rss_areas;
	session->has_fault_events = opts->rss && !session->has_rss && opts->feat->fault_event;
	session->mmap_by_call = opts->mmap && opts->feat->syscall_tps;
	session->mmap_by_any = opts->mmap && !opts->feat->syscall_tps && opts->feat->sys_exit_tp;
	session->has_touches = opts->touches && session->has_faults && opts->feat->rss_by_fault;
	session->skel = allocsnoop_bpf__open_opts(&open_opts);
	if (!session->skel) {
		code = err_set(err, FAIL_KERNEL, -errno, "cannot open the BPF programs: %s", strerror(errno));
		goto fail;
	}
	set_constants(session, opts);
	/* A map that nobody looks at needs no memory. */
	if (!opts->count_goroutines)
		bpf_map__set_max_entries(session->skel->maps.goroutines, 1);
	if (!opts->live) {
		bpf_map__set_max_entries(session->skel->maps.waiting, 1);
		bpf_map__set_max_entries(session->skel->maps.doors, 1);
	}
	if (!session->has_touches)
		bpf_map__set_max_entries(session->skel->maps.go_spans, 1);
	if (!opts->no_rss_stacks)
		bpf_map__set_max_entries(session->skel->maps.rss_totals, 1);
	bpf_map__set_max_entries(session->skel->maps.blocks, !opts->blocks ? 1 : opts->max_blocks ? opts->max_blocks : ABI_BLOCKS);
	choose_programs(session, opts);
	code = allocsnoop_bpf__load(session->skel);
	if (code) {
		err_set(err, FAIL_KERNEL, code,
			"the kernel refuses the BPF programs: %s; with -v its own words are shown",
			strerror(-code));
		goto fail;
	}
	code = attach_tracepoints(session);
	if (code) {
		err_set(err, FAIL_KERNEL, code, "cannot attach to the kernel's tracepoints: %s", strerror(-code));
		goto fail;
	}
	/* It also learns where the CPUs' parts of counters are. */
	session__seed_rss(session, getpid());
	*ret = session;
	return 0;
fail:
	session__free(session);
	return code;
}

static void close_link(struct probe_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	bpf_link__destroy(link->single);
}

/* Every link closed costs a grace period of the kernel: wait for many at a time. */
#define CLOSERS 16

struct close_job {
	pthread_t thread;
	struct probe_link *links;
	size_t n, first;
	bool running;
};

static void *close_some(void *arg)
{
	struct close_job *job = arg;

	for (size_t i = job->first; i < job->n; i += CLOSERS)
		close_link(&job->links[i]);
	return NULL;
}

static void close_links(struct probe_link *links, size_t n)
{
	struct close_job jobs[CLOSERS];

	for (size_t i = 0; i < CLOSERS; i++) {
		jobs[i] = (struct close_job){ .links = links, .n = n, .first = i };
		jobs[i].running = i < n && n > 1 && !pthread_create(&jobs[i].thread, NULL, close_some, &jobs[i]);
		if (!jobs[i].running)
			close_some(&jobs[i]);
	}
	for (size_t i = 0; i < CLOSERS; i++)
		if (jobs[i].running)
			pthread_join(jobs[i].thread, NULL);
}

void session__free(struct session *session)
{
	if (!session)
		return;
	close_links(session->links, session->nlinks);
	close_links(session->old, session->nold);
	aside__free(session->closing);
	for (size_t i = 0; i < session->ndoors; i++)
		free(session->doors[i].offsets);
	free(session->doors);
	free(session->links);
	free(session->old);
	for (int cpu = 0; session->fault_links && cpu < session->ncpus; cpu++)
		bpf_link__destroy(session->fault_links[cpu]);
	free(session->fault_links);
	allocsnoop_bpf__destroy(session->skel);
	free(session);
}

bool session__has_rss(const struct session *session)
{
	return session->has_rss;
}

bool session__has_touches(const struct session *session)
{
	return session->has_touches;
}

enum event_rss_method session__rss_method(const struct session *session)
{
	return session->has_rss ? EVENT_RSS_BY_COUNTERS : session->has_fault_events ? EVENT_RSS_BY_FAULTS : EVENT_RSS_BY_PROC;
}

bool session__has_mmap(const struct session *session)
{
	return session->mmap_by_call || session->mmap_by_any;
}

int session__add_target(struct session *session, uint32_t slot, const struct abi_target *target)
{
	if (bpf_map_update_elem(bpf_map__fd(session->skel->maps.targets), &slot, target, BPF_ANY) ||
	    bpf_map_update_elem(bpf_map__fd(session->skel->maps.slots), &target->tgid, &slot, BPF_ANY))
		return -errno;
	return 0;
}

uint32_t session__image(struct session *session, uint32_t slot)
{
	struct abi_target target = { 0 };

	bpf_map_lookup_elem(bpf_map__fd(session->skel->maps.targets), &slot, &target);
	return target.image;
}

void session__set_loader(struct session *session, uint32_t slot, uint32_t loader)
{
	bpf_map_update_elem(bpf_map__fd(session->skel->maps.loaders), &slot, &loader, BPF_ANY);
}

int session__set_go(struct session *session, uint32_t slot, const struct abi_go *go)
{
	return bpf_map_update_elem(bpf_map__fd(session->skel->maps.runtimes), &slot, go, BPF_ANY) ? -errno : 0;
}

void session__set_heap_mark(struct session *session, uint32_t slot, int64_t bytes)
{
	bpf_map_update_elem(bpf_map__fd(session->skel->maps.heap_marks), &slot, &bytes, BPF_ANY);
}

void session__set_rss_mark(struct session *session, uint32_t slot, int64_t pages)
{
	bpf_map_update_elem(bpf_map__fd(session->skel->maps.rss_marks), &slot, &pages, BPF_ANY);
}

int64_t session__rss_high(struct session *session, uint32_t slot)
{
	int64_t pages = 0;

	bpf_map_lookup_elem(bpf_map__fd(session->skel->maps.rss_highs), &slot, &pages);
	return pages;
}

int session__heap(struct session *session, uint32_t slot, struct abi_heap *ret)
{
	return bpf_map_lookup_elem(bpf_map__fd(session->skel->maps.heaps), &slot, ret) ? -errno : 0;
}

/* Samples of a process that will not come to take their addresses any more. */
static void forget_waiting(struct session *session, uint32_t slot)
{
	int fd = bpf_map__fd(session->skel->maps.waiting);
	struct abi_waiting_key key, next;
	/* Bounded, should others keep coming. */
	bool more = !bpf_map_get_next_key(fd, NULL, &next);

	for (uint32_t i = 0; more && i < ABI_MAX_WAITING; i++) {
		key = next;
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (key.slot == slot)
			bpf_map_delete_elem(fd, &key);
	}
}

void session__remove_target(struct session *session, pid_t pid)
{
	uint32_t tgid = pid, slot;

	session__detach(session, pid, true);
	if (!bpf_map_lookup_elem(bpf_map__fd(session->skel->maps.slots), &tgid, &slot))
		forget_waiting(session, slot);
	bpf_map_delete_elem(bpf_map__fd(session->skel->maps.slots), &tgid);
}

int session__seed_rss(struct session *session, pid_t pid)
{
	union bpf_iter_link_info info = { .task.pid = pid };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link;
	char buf[64];
	int fd;

	if (!session->has_rss)
		return 0;
	link = bpf_program__attach_iter(session->skel->progs.mm_seed, &opts);
	if (!link) /* before 6.1: all tasks of the system */
		link = bpf_program__attach_iter(session->skel->progs.mm_seed, NULL);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	while (fd >= 0 && read(fd, buf, sizeof(buf)) > 0)
		;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return fd < 0 ? fd : 0;
}

bool session__is_attached(const struct session *session, pid_t pid, uint32_t module)
{
	for (size_t i = 0; i < session->nlinks; i++)
		if (session->links[i].pid == pid && session->links[i].module == module)
			return true;
	for (size_t i = 0; i < session->ndoors; i++)
		if (session->doors[i].pid == pid && session->doors[i].module == module)
			return true;
	return false;
}

int session__rss(struct session *session, uint32_t slot, struct abi_mm *ret)
{
	struct abi_target target;

	if (!session->has_rss || bpf_map_lookup_elem(bpf_map__fd(session->skel->maps.targets), &slot, &target) ||
	    !target.mm || bpf_map_lookup_elem(bpf_map__fd(session->skel->maps.mms), &target.mm, ret))
		return -ENOENT;
	return 0;
}

static void forget_doors(struct session *session, pid_t pid, uint32_t module)
{
	size_t kept = 0;

	for (size_t i = 0; i < session->ndoors; i++) {
		struct attach_job *door = &session->doors[i];

		if (door->pid == pid && (module == MODULE_NONE || door->module == module))
			free(door->offsets);
		else
			session->doors[kept++] = *door;
	}
	session->ndoors = kept;
}

static int keep_link(struct session *session, struct probe_link link)
{
	if (vec_reserve((void **)&session->links, &session->cap_links, session->nlinks + 1, sizeof(link))) {
		close_link(&link);
		return -ENOMEM;
	}
	session->links[session->nlinks++] = link;
	return 0;
}

static void path_of(const struct attach_job *job, char *ret, size_t size)
{
	snprintf(ret, size, "/proc/self/fd/%d", job->module_fd);
}

static int attach_multi(struct session *session, const struct attach_job *job)
{
	struct probe_link link = { .pid = job->pid, .module = job->module, .is_door = job->is_door };
	char path[64];

	path_of(job, path, sizeof(path));
	link.fd = link_uprobe_multi(bpf_program__fd(job->prog), path, job->offsets, job->cookies, job->n,
				    job->at_return ? LINK_RETURN : LINK_ENTRY, job->pid);
	return link.fd < 0 ? -errno : keep_link(session, link);
}

static int attach_singles(struct session *session, const struct attach_job *job)
{
	char path[64];

	path_of(job, path, sizeof(path));
	for (uint32_t i = 0; i < job->n; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = job->at_return, .bpf_cookie = job->cookies[i]);
		struct probe_link link = { .pid = job->pid, .module = job->module, .fd = -1, .is_door = job->is_door };
		int err;

		link.single = bpf_program__attach_uprobe_opts(job->prog, job->pid, path, job->offsets[i], &opts);
		if (!link.single)
			return -errno;
		err = keep_link(session, link);
		if (err)
			return err;
	}
	return 0;
}

static int attach_job(struct session *session, const struct attach_job *job)
{
	return session->uprobe_multi ? attach_multi(session, job) : attach_singles(session, job);
}

/* Attach; what bursts attach again is remembered, and while they are out only that. Takes what @job owns. */
static int begin_job(struct session *session, struct attach_job *job)
{
	int err;

	if (!job->is_door) {
		err = attach_job(session, job);
		free(job->offsets);
		return err;
	}
	err = vec_reserve((void **)&session->doors, &session->cap_doors, session->ndoors + 1, sizeof(*job));
	if (err) {
		free(job->offsets);
		return err;
	}
	session->doors[session->ndoors++] = *job;
	return session->is_disarmed ? 0 : attach_job(session, job);
}

static bool is_door(enum probe_prog prog)
{
	return prog == PROBE_GO || prog == PROBE_C_FREE || prog == PROBE_C_RETURN || prog == PROBE_C || prog == PROBE_C_THROW ||
	       prog == PROBE_C_NEW;
}

/* The sites among @sites that are of @prog, as a job; n is 0 when there are none. */
static int make_job(uint32_t slot, const struct probe_site *sites, size_t n, enum probe_prog prog, struct attach_job *job)
{
	job->n = 0;
	job->offsets = calloc(n + 1, sizeof(*job->offsets) + sizeof(*job->cookies));
	if (!job->offsets)
		return -ENOMEM;
	job->cookies = (uint64_t *)(job->offsets + n + 1);
	job->is_door = is_door(prog);
	for (size_t i = 0; i < n; i++) {
		if (sites[i].prog != prog)
			continue;
		job->offsets[job->n] = sites[i].file_off;
		job->cookies[job->n++] = ABI_COOKIE(slot, sites[i].spot_flags, sites[i].door);
	}
	if (!job->n)
		free(job->offsets);
	return 0;
}

/* Close the links of @pid, of one module or (MODULE_NONE) of all, and forget their doors. */
static void detach_links(struct session *session, pid_t pid, uint32_t module)
{
	size_t kept = 0;

	for (size_t i = 0; i < session->nlinks; i++) {
		struct probe_link *link = &session->links[i];

		if (link->pid == pid && (module == MODULE_NONE || link->module == module))
			close_link(link);
		else
			session->links[kept++] = *link;
	}
	session->nlinks = kept;
	forget_doors(session, pid, module);
}

int session__attach(struct session *session, pid_t pid, uint32_t slot, uint32_t module, int module_fd,
		    const struct probe_site *sites, size_t n, struct err *err)
{
	struct allocsnoop_bpf *skel = session->skel;
	/* A program for what stands at a return is attached first, so that no entry is seen without it. */
	const struct {
		enum probe_prog sites;
		struct bpf_program *prog;
		bool at_return;
	} order[] = {
		{ PROBE_GO, skel->progs.go_malloc, false },
		{ PROBE_C_FREE, skel->progs.c_free, false },
		{ PROBE_C_RETURN, skel->progs.c_new_return, false },
		{ PROBE_C, skel->progs.c_malloc_return, true },
		{ PROBE_C, skel->progs.c_malloc, false },
		{ PROBE_C_THROW, skel->progs.c_throw, false },
		{ PROBE_C_NEW, skel->progs.c_malloc, false },
		{ PROBE_MAPS, skel->progs.maps_changed, false },
		{ PROBE_GO_SAMPLED, skel->progs.go_profile_malloc, false },
		{ PROBE_GO_FREED, skel->progs.go_profile_free, false },
		{ PROBE_GO_SPAN, skel->progs.go_span_push, false },
		{ PROBE_GO_GC, skel->progs.go_gc_start, false },
		{ PROBE_GO_SPAN_TAKEN, skel->progs.go_span_taken, false },
	};
	int code = 0;

	for (size_t i = 0; !code && i < sizeof(order) / sizeof(order[0]); i++) {
		struct attach_job job = { .prog = order[i].prog, .at_return = order[i].at_return, .pid = pid,
					  .module = module, .module_fd = module_fd };

		code = make_job(slot, sites, n, order[i].sites, &job);
		if (!code && job.n)
			code = begin_job(session, &job);
	}
	if (code)
		detach_links(session, pid, module);
	if (code)
		return err_set(err, code == -ESRCH ? FAIL_TARGET : FAIL_KERNEL, code, "cannot probe %s in process %d: %s",
			       n ? sites[0].name : "", pid, strerror(-code));
	return (int)n;
}

static void close_one(void *arg)
{
	close_link(arg);
	free(arg);
}

static void close_apart(struct session *session, const struct probe_link *link)
{
	struct probe_link *copy = malloc(sizeof(*copy));

	if (copy) {
		*copy = *link;
		aside__run(session->closing, close_one, copy);
	} else {
		close_link((struct probe_link *)link);
	}
}

void session__disarm(struct session *session)
{
	size_t kept = 0;

	session->is_disarmed = true;
	for (size_t i = 0; i < session->nlinks; i++) {
		if (session->links[i].is_door)
			close_apart(session, &session->links[i]);
		else
			session->links[kept++] = session->links[i];
	}
	session->nlinks = kept;
}

int session__arm(struct session *session)
{
	int n = 0;

	session->is_disarmed = false;
	for (size_t i = 0; i < session->ndoors; i++) {
		int err = attach_job(session, &session->doors[i]);

		/* A process that has just ended: its doors are forgotten when that is known. */
		if (err && err != -ESRCH)
			return err;
		n += err ? 0 : (int)session->doors[i].n;
	}
	return n;
}

bool session__is_armed(const struct session *session)
{
	return !session->is_disarmed;
}

void session__set_window(struct session *session, uint64_t end_ns)
{
	__atomic_store_n(&session->skel->data->window_end_ns, end_ns, __ATOMIC_RELAXED);
}

#define OLD_LINKS_MAX 256

void session__detach(struct session *session, pid_t pid, bool has_ended)
{
	size_t kept = 0, before = session->nold;

	if (!has_ended || vec_reserve((void **)&session->old, &session->cap_old, before + session->nlinks, sizeof(*session->old))) {
		detach_links(session, pid, MODULE_NONE);
		return;
	}
	for (size_t i = 0; i < session->nlinks; i++) {
		if (session->links[i].pid == pid)
			session->old[session->nold++] = session->links[i];
		else
			session->links[kept++] = session->links[i];
	}
	session->nlinks = kept;
	forget_doors(session, pid, MODULE_NONE);
	if (session->nold >= OLD_LINKS_MAX) {
		close_links(session->old, session->nold);
		session->nold = 0;
	}
}

static void slab_types(const struct session *session, struct session_maps *ret)
{
	int btf = bpf_object__btf_fd(session->skel->obj);

	*ret = (struct session_maps){ 0 };
	if (btf <= 0)
		return; /* libbpf made the maps without */
	ret->slab_btf = btf;
	ret->slab_key_type = bpf_map__btf_key_type_id(session->skel->maps.slab_first);
	ret->slab_value_type = bpf_map__btf_value_type_id(session->skel->maps.slab_first);
}

void session__maps(const struct session *session, struct session_maps *ret)
{
	slab_types(session, ret);
	ret->targets = bpf_map__fd(session->skel->maps.targets);
	ret->sites = bpf_map__fd(session->skel->maps.sites);
	ret->sites_inner[0] = bpf_map__fd(session->skel->maps.sites_a);
	ret->sites_inner[1] = bpf_map__fd(session->skel->maps.sites_b);
	ret->ring = bpf_map__fd(session->skel->maps.ring);
	ret->scratches = bpf_map__fd(session->skel->maps.scratches);
	ret->slabs = bpf_map__fd(session->skel->maps.slabs);
	ret->rules = bpf_map__fd(session->skel->maps.rules);
	ret->spaces = bpf_map__fd(session->skel->maps.spaces);
	ret->unwind_files = bpf_map__fd(session->skel->maps.unwind_files);
	ret->blocks = bpf_map__fd(session->skel->maps.blocks);
	ret->rss_totals = session->skel->rodata->rss_stacks ? -1 : bpf_map__fd(session->skel->maps.rss_totals);
}

uint64_t session__lost_scratch_busy(const struct session *session)
{
	return __atomic_load_n(&session->skel->bss->lost_scratch_busy, __ATOMIC_RELAXED);
}

uint64_t session__lost_ring_full_proc(const struct session *session)
{
	return __atomic_load_n(&session->skel->bss->lost_ring_full_proc, __ATOMIC_RELAXED);
}

void session__reset_sites_used(struct session *session)
{
	__atomic_store_n(&session->skel->bss->sites_used, 0, __ATOMIC_RELAXED);
}

int session__ncpus(const struct session *session)
{
	return session->ncpus;
}

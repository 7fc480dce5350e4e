// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/kfeat.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/link.h"

struct cap {
	const char *name;
	unsigned int bit;
	unsigned int instead; /* another capability that includes it */
	const char *what_for;
};

#define INITIAL_PID_NS 0xEFFFFFFCu /* PROC_PID_INIT_INO of include/linux/proc_ns.h */
#define CAP_SYS_ADMIN_BIT 21
#define CAP_SYS_PTRACE_BIT 19

static const struct cap caps[] = {
	{ "CAP_BPF", 39, CAP_SYS_ADMIN_BIT, "load the programs" },
	{ "CAP_PERFMON", 38, CAP_SYS_ADMIN_BIT, "attach them" },
	{ "CAP_SYS_PTRACE", CAP_SYS_PTRACE_BIT, CAP_SYS_PTRACE_BIT, "read the target's memory map" },
};

static uint64_t effective_caps(void)
{
	unsigned long long bits = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &bits) == 1)
			break;
	fclose(f);
	return bits;
}

static bool has_cap(uint64_t have, const struct cap *cap)
{
	return have >> cap->bit & 1 || have >> cap->instead & 1;
}

static bool in_host_pid_ns(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == INITIAL_PID_NS;
}

static int check_caps(struct err *err)
{
	uint64_t have;
	char missing[256] = "";
	size_t len = 0;

	if (access("/proc/self/status", R_OK))
		return err_set(err, FAIL_KERNEL, -ENOENT, "/proc is not mounted: nothing can be known of a process");
	if (!in_host_pid_ns())
		return err_set(err, FAIL_KERNEL, -EOPNOTSUPP,
			       "in a PID namespace of its own: BPF programs see the host's PIDs, so run it on the host"
			       " (docker: --pid=host)");
	have = effective_caps();
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		if (has_cap(have, &caps[i]))
			continue;
		len += snprintf(missing + len, sizeof(missing) - len, "%s%s (to %s)", len ? ", " : "", caps[i].name,
				caps[i].what_for);
	}
	if (!len)
		return 0;
	return err_set(err, FAIL_KERNEL, -EPERM,
		       "missing privileges: %s; run it with sudo, or give it CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE", missing);
}

/* The error of a uprobe_multi link with @prog on a folder, filtered by process @pid; 0 were one to come about. */
static int multi_error(int prog, pid_t pid)
{
	unsigned long offset = 0;
	int link = link_uprobe_multi(prog, "/", &offset, NULL, 1, LINK_ENTRY, pid);
	int error = errno;

	if (link < 0)
		return error;
	close(link);
	return 0;
}

/*
 * Does a uprobe_multi link filter by process? The first kernels with it filtered by
 * thread; the fix (kernel commit 46ba0e49b642) also made a negative PID an -EINVAL
 * that comes before the path is looked at. So is everything where there is no such link:
 * where there is, a folder is -EBADF.
 */
static bool probe_uprobe_multi(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = 0xb7 /* mov r0, 0 */ },
		{ .code = 0x95 /* exit */ },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = ATTACH_TYPE_UPROBE_MULTI);
	int prog = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "uprobe_multi", "GPL", insns, 2, &opts);
	bool filters;

	if (prog < 0)
		return false;
	filters = multi_error(prog, 0) == EBADF && multi_error(prog, -1) == EINVAL;
	close(prog);
	return filters;
}

static bool has_btf_func(struct btf *btf, const char *name, uint32_t kind)
{
	return btf__find_by_name_kind(btf, name, kind) > 0;
}

/* Where libbpf looks for the number of a tracepoint: debugfs first. */
static bool has_syscall_tps(void)
{
	static const char *const calls[] = { "mmap", "munmap", "mremap", "brk" };
	const char *tracefs = access("/sys/kernel/debug/tracing", F_OK) ? "/sys/kernel/tracing" : "/sys/kernel/debug/tracing";
	char path[128];

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		snprintf(path, sizeof(path), "%s/events/syscalls/sys_exit_%s/id", tracefs, calls[i]);
		if (access(path, R_OK))
			return false;
	}
	return true;
}

static bool probe_fault_event(void)
{
	int fd = link_fault_event(0, -1);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static enum kfeat_state state_of(bool have)
{
	return have ? KFEAT_YES : KFEAT_NO;
}

/* Of a helper or program type: a negative answer of libbpf's is none. */
static enum kfeat_state probe_cookie(void)
{
	int answer = libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie, NULL);

	return answer < 0 ? KFEAT_UNKNOWN : state_of(answer);
}

int kfeat_probe(struct kfeat *ret, struct err *err)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	/* For tests, as on a kernel without the better ones: "page_faults" or "proc". */
	const char *method = getenv("ALLOCSNOOP_RSS_METHOD");
	struct kfeat feat = { 0 };
	struct btf *btf;
	int code = check_caps(err);

	if (code)
		return code;
	/* Kernels before 5.11 charge maps to it. */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return err_set(err, FAIL_KERNEL, -EOPNOTSUPP,
			       "this kernel has no BTF (/sys/kernel/btf/vmlinux): one built with CONFIG_DEBUG_INFO_BTF=y is needed");
	feat.rss_tp = !method && has_btf_func(btf, "btf_trace_rss_stat", BTF_KIND_TYPEDEF) &&
		      has_btf_func(btf, "bpf_iter__task", BTF_KIND_STRUCT);
	feat.rss_by_fault = !has_btf_func(btf, "mm_rss_stat", BTF_KIND_STRUCT); /* gone with the batches: f1a7941243c1 */
	feat.fault_event = !(method && strcmp(method, "proc") == 0) && probe_fault_event();
	feat.fault_tps = has_btf_func(btf, "btf_trace_page_fault_user", BTF_KIND_TYPEDEF) &&
			 has_btf_func(btf, "btf_trace_page_fault_kernel", BTF_KIND_TYPEDEF);
	feat.sys_exit_tp = has_btf_func(btf, "btf_trace_sys_exit", BTF_KIND_TYPEDEF);
	feat.syscall_tps = has_syscall_tps();
	btf__free(btf);
	if (access("/sys/bus/event_source/devices/uprobe/type", R_OK) && access("/proc/kallsyms", R_OK))
		return err_set(err, FAIL_KERNEL, -EOPNOTSUPP, "/sys is not mounted: uprobes cannot be found");
	feat.uprobe_multi = probe_uprobe_multi();
	if (!feat.uprobe_multi && access("/sys/bus/event_source/devices/uprobe/type", R_OK))
		return err_set(err, FAIL_KERNEL, -EOPNOTSUPP,
			       "this kernel has no uprobes: one built with CONFIG_UPROBE_EVENTS=y is needed");
	if (probe_cookie() == KFEAT_NO)
		return err_set(err, FAIL_KERNEL, -EOPNOTSUPP,
			       "this kernel's probes cannot tell what they are on (no bpf_get_attach_cookie): one from 5.15 on is needed");
	*ret = feat;
	return 0;
}

static size_t add_privileges(struct kfeat_row *rows, bool *ret_complete)
{
	const uint64_t have = effective_caps();
	size_t n = 0;

	*ret_complete = true;
	for (; n < sizeof(caps) / sizeof(caps[0]); n++) {
		rows[n] = (struct kfeat_row){ caps[n].name, caps[n].what_for,
					      "run it with sudo, or give it this capability", true, state_of(has_cap(have, &caps[n])) };
		*ret_complete &= rows[n].state == KFEAT_YES;
	}
	rows[n++] = (struct kfeat_row){ "host_pid_namespace", "PIDs that mean the same to BPF programs",
					"run it on the host (docker: --pid=host)", true, state_of(in_host_pid_ns()) };
	return n;
}

/* What the kernel's BTF tells; without BTF nothing of it. */
static size_t add_btf(struct kfeat_row *rows)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool rss = btf && has_btf_func(btf, "btf_trace_rss_stat", BTF_KIND_TYPEDEF) &&
		   has_btf_func(btf, "bpf_iter__task", BTF_KIND_STRUCT);
	bool preempt = btf && has_btf_func(btf, "bpf_preempt_disable", BTF_KIND_FUNC);

	rows[0] = (struct kfeat_row){ "btf", "types of this kernel (/sys/kernel/btf/vmlinux)",
				      "a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed", true, state_of(btf) };
	rows[1] = (struct kfeat_row){ "rss_stat", "RSS growth by stack (tp_btf on kmem:rss_stat)",
				      "RSS growth by stack is an estimate from page faults", false, state_of(rss) };
	rows[2] = (struct kfeat_row){ "preempt_kfuncs", "probes that do not interrupt each other (bpf_preempt_disable)",
				      "probes that interrupt each other too often are counted as lost", false,
				      state_of(preempt) };
	rows[3] = (struct kfeat_row){ "sys_exit", "who maps address space, --source mmap (tp_btf on raw_syscalls:sys_exit)",
				      "--source mmap needs the next", false,
				      state_of(btf && has_btf_func(btf, "btf_trace_sys_exit", BTF_KIND_TYPEDEF)) };
	btf__free(btf);
	return 4;
}

size_t kfeat_rows(struct kfeat_row ret[static KFEAT_MAX_ROWS])
{
	bool uprobes = !access("/sys/bus/event_source/devices/uprobe/type", R_OK);
	bool complete, multi;
	size_t n = add_privileges(ret, &complete);

	n += add_btf(ret + n);
	ret[n++] = (struct kfeat_row){ "syscall_tracepoints", "the same, cheaper for the rest of the host (syscalls:sys_exit_mmap, tracefs)",
				       "--source mmap costs every system call of the host twice as much", false,
				       state_of(has_syscall_tps()) };
	multi = complete && probe_uprobe_multi();
	ret[n++] = (struct kfeat_row){ "page_faults", "RSS growth by page faults where rss_stat is missing (perf's software event)",
				       "without rss_stat no RSS growth by stack, RSS from /proc only", false,
				       complete ? state_of(probe_fault_event()) : KFEAT_UNKNOWN };
	ret[n++] = (struct kfeat_row){ "uprobes", "breakpoints in user programs",
				       "a kernel built with CONFIG_UPROBE_EVENTS=y, and /sys, are needed", true,
				       state_of(uprobes || multi) };
	ret[n++] = (struct kfeat_row){ "attach_cookie", "probes that know what they are on (bpf_get_attach_cookie)",
				       "a kernel from 5.15 on is needed", true,
				       complete ? probe_cookie() : KFEAT_UNKNOWN };
	ret[n++] = (struct kfeat_row){ "uprobe_multi", "all probes of a file in one link, filtered by process",
				       "a link for each probe: taking out many takes longer", false,
				       complete ? state_of(multi) : KFEAT_UNKNOWN };
	return n;
}

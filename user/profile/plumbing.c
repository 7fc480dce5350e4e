// SPDX-License-Identifier: GPL-2.0-or-later
#include "profile/plumbing.h"

#include <string.h>

/* Exact names: where threads start and how C code asks for memory. */
static const char *const exact_names[] = {
	"malloc", "calloc", "realloc", "reallocarray", "free", "posix_memalign", "aligned_alloc", "memalign", "valloc",
	"pvalloc", "_start", "start_thread", "clone", "clone3", "__clone", "__clone3", "__clone_internal",
	"_int_malloc", "_int_realloc", "_int_memalign", "_int_free", "sysmalloc", "malloc_consolidate", "_mid_memalign",
	"tcache_init", "mmap", "mmap64", "__mmap", "__mmap64", "munmap", "__munmap", "mremap", "__mremap", "syscall", "brk", "__brk", "sbrk", "__sbrk",
	/* Go's doors into its allocator that live in other packages. */
	"reflect.unsafe_New", "reflect.unsafe_NewArray", "reflect.growslice", "reflect.makemap", "reflect.mapassign0",
	"reflect.mapassign_faststr0", "reflect.makechan", "internal/reflectlite.unsafe_New",
	"internal/bytealg.MakeNoZero", "gogo", "gosave_systemstack_switch", "crosscall2", "crosscall_amd64",
	"_rt0_amd64_linux", "_rt0_arm64_linux",
};

/*
 * Beginnings of names. All of Go's package runtime is plumbing: whoever allocates
 * is a caller of it. The dot matters: runtime/debug and runtime/pprof are ordinary packages.
 */
static const char *const prefixes[] = {
	"runtime.", "internal/runtime/", "runtime/internal/", "runtime/cgo.", "_cgoexp_", "x_cgo_",
	"__libc_start_", "__libc_malloc", "__libc_calloc", "__libc_realloc", "__libc_memalign", "__libc_free",
	"operator new(", "operator new[](", "operator delete(", "operator delete[](", "_Znwm", "_Znam",
	"__gnu_cxx::new_allocator<", "std::__new_allocator<", "std::allocator<", "std::allocator_traits<",
	"__rust_alloc", "__rust_realloc", "__rdl_", "__rg_", "alloc::alloc::", "<alloc::alloc::Global as ",
	"bpf_get_stack", "bpf_prog_", "bpf_trace_run", "bpf_trampoline_", "__bpf_trace_", "__traceiter_",
	"mm_trace_rss_stat",
	"std::rt::lang_start", "std::sys_common::backtrace::__rust_begin_short_backtrace",
	"std::sys::backtrace::__rust_begin_short_backtrace",
};

bool plumbing_is(const char *func)
{
	for (size_t i = 0; i < sizeof(exact_names) / sizeof(exact_names[0]); i++) {
		if (strcmp(func, exact_names[i]) == 0)
			return true;
	}
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (strncmp(func, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	return false;
}

const char *plumbing_public_name(const char *func)
{
	static const char inner[] = "__GI_", libc[] = "__libc_";

	if (strncmp(func, inner, sizeof(inner) - 1) == 0)
		func += sizeof(inner) - 1;
	if (strncmp(func, libc, sizeof(libc) - 1) == 0 && plumbing_is(func + sizeof(libc) - 1))
		func += sizeof(libc) - 1;
	return func;
}

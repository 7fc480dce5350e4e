// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Address spaces and stacks that make it hard to walk:
 *
 *	hostile libs FOLDER N CALLS     N libraries (plug.c), all loaded before "ready", CALLS allocations in each
 *	hostile maps FILE N CALLS       the code of FILE mapped N times; one library behind all that
 *	hostile churn A B N             load, call, unload; says "half" after N cycles and does 9 N more at the next line
 *	hostile stacks                  threads, alternate signal stacks, coroutines, own stacks, generated code
 *	hostile plain                   three functions
 *
 * The ledger has the functions that were active at each allocation, innermost first.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "ledger.h"

#define STAY() __asm__ volatile("" ::: "memory")
#define MAX_LIBS 4096

typedef void plug_fn(int n);

static void *volatile sink;
static bool first_path = true;

static void begin_ledger(void)
{
	printf("{ \"paths\": [");
}

/* @funcs: as in JSON, without the brackets. */
static void print_path(uint64_t objects, const char *funcs)
{
	printf("%s{ \"objects\": %llu, \"funcs\": [%s] }", first_path ? " " : ", ", (unsigned long long)objects, funcs);
	first_path = false;
}

static void end_ledger(void)
{
	printf(" ] }\n");
	fflush(stdout);
}

static plug_fn *load(const char *path, void **ret_lib)
{
	plug_fn *fn = NULL;

	*ret_lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (*ret_lib)
		*(void **)&fn = dlsym(*ret_lib, "plug_entry");
	if (!fn) {
		fprintf(stderr, "%s\n", dlerror());
		_exit(4);
	}
	return fn;
}

static SITE void call_plug(plug_fn *fn, int n)
{
	fn(n);
	STAY();
}

static void print_plug(int number, uint64_t objects)
{
	char funcs[128];

	snprintf(funcs, sizeof(funcs), "\"plug_%04d\", \"plug_entry\", \"call_plug\"", number);
	print_path(objects, funcs);
}

static int libs(const char *folder, int n, int calls)
{
	static plug_fn *fns[MAX_LIBS];
	char path[512];
	void *lib;

	for (int i = 0; i < n && i < MAX_LIBS; i++) {
		snprintf(path, sizeof(path), "%s/plug%04d.so", folder, i);
		fns[i] = load(path, &lib);
	}
	say_ready();
	await_line();
	for (int i = 0; i < n; i++)
		call_plug(fns[i], calls);
	say("done\n");
	await_line();
	begin_ledger();
	for (int i = 0; i < n; i++)
		print_plug(i, calls);
	end_ledger();
	return 0;
}

static int maps(const char *file, int n, int calls)
{
	void *lib, *at = NULL;
	plug_fn *fn = load(file, &lib);
	int fd = open(file, O_RDONLY);
	struct stat st;

	if (fstat(fd, &st))
		return 4;
	for (int i = 0; i < n; i++) {
		/* Upwards from a place below everything else: the library comes behind the last. */
		at = mmap((void *)(0x100000000ul + i * 0x100000ul), st.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
		if (at == MAP_FAILED)
			return 5;
	}
	say_ready();
	await_line();
	call_plug(fn, calls);
	say("done\n");
	await_line();
	begin_ledger();
	print_plug(0, calls);
	end_ledger();
	return 0;
}

static void cycles(const char *a, const char *b, int n)
{
	for (int i = 0; i < n; i++) {
		void *lib;
		plug_fn *fn = load(i & 1 ? b : a, &lib);

		call_plug(fn, 1);
		dlclose(lib);
	}
}

static int churn(const char *a, const char *b, int n)
{
	void *lib;
	plug_fn *fn;

	say_ready();
	await_line();
	cycles(a, b, n);
	say("half\n");
	await_line();
	cycles(a, b, 9 * n);
	say("done\n");
	await_line();
	fn = load(a, &lib);
	say("loaded\n");
	await_line();
	call_plug(fn, 777);
	say("done\n");
	await_line();
	begin_ledger();
	if (strcmp(a, b)) {
		print_plug(0, 5 * n + 777);
		print_plug(1, 5 * n);
	} else {
		print_plug(0, 10 * n + 777);
	}
	end_ledger();
	return 0;
}

#define CALLS 100

/* NAME, a function that allocates, and NAME_mid, which calls it. */
#define LEAF(name)                                     \
	static SITE void name(void)                    \
	{                                              \
		for (int i = 0; i < CALLS; i++) {      \
			sink = malloc(40);             \
			free(sink);                    \
		}                                      \
	}                                              \
	static SITE void name##_mid(void)              \
	{                                              \
		name();                                \
		STAY();                                \
	}

LEAF(plain)
LEAF(in_thread)
LEAF(in_signal)
LEAF(in_coroutine)
LEAF(in_clone)
LEAF(in_jit)
LEAF(in_bare_jit)

static void *thread_main(void *arg)
{
	in_thread_mid();
	STAY();
	return arg;
}

static SITE void do_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_main, NULL))
		_exit(4);
	pthread_join(thread, NULL);
}

static void on_signal(int sig)
{
	(void)sig;
	in_signal_mid();
	STAY();
}

static SITE void do_signal(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	static char room[1 << 16];
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	STAY();
}

static ucontext_t back, there;

static void coroutine(void)
{
	in_coroutine_mid();
	swapcontext(&there, &back);
	in_coroutine_mid();
	STAY();
}

static SITE void do_coroutine(void)
{
	static char room[1 << 16];

	getcontext(&there);
	there.uc_stack.ss_sp = room;
	there.uc_stack.ss_size = sizeof(room);
	there.uc_link = &back;
	makecontext(&there, coroutine, 0);
	swapcontext(&back, &there);
	swapcontext(&back, &there);
}

static volatile int cloned;

static int clone_main(void *arg)
{
	(void)arg;
	in_clone_mid();
	__atomic_store_n(&cloned, 1, __ATOMIC_RELEASE);
	syscall(SYS_exit, 0);
	return 0;
}

/* A task without anything of its own but a stack; it borrows this thread's malloc while that waits. */
static SITE void do_clone(void)
{
	static char room[1 << 16] __attribute__((aligned(16)));

	if (clone(clone_main, room + sizeof(room),
		  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, NULL) < 0)
		_exit(4);
	while (!__atomic_load_n(&cloned, __ATOMIC_ACQUIRE))
		sched_yield();
}

static SITE void do_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

typedef void jit_fn(void (*call)(void));

static jit_fn *make_jit(const void *code, size_t len)
{
	void *room = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		_exit(4);
	memcpy(room, code, len);
	return (jit_fn *)room;
}

static SITE void do_jit(jit_fn *fn)
{
	fn(in_jit_mid);
	STAY();
}

static SITE void do_bare_jit(jit_fn *fn)
{
	fn(in_bare_jit_mid);
	STAY();
}

static SITE void do_plain(void)
{
	plain_mid();
	STAY();
}

static int stacks(void)
{
	/* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret */
	jit_fn *framed = make_jit("\x55\x48\x89\xe5\xff\xd7\x5d\xc3", 8);
	/* push %rbp; mov $0x1234567,%ebp; call *%rdi; pop %rbp; ret */
	jit_fn *bare = make_jit("\x55\xbd\x67\x45\x23\x01\xff\xd7\x5d\xc3", 10);

	say_ready();
	await_line();
	do_plain();
	do_thread();
	do_signal();
	do_coroutine();
	do_clone();
	do_vfork();
	do_jit(framed);
	do_bare_jit(bare);
	say("done\n");
	await_line();
	begin_ledger();
	print_path(CALLS, "\"plain\", \"plain_mid\", \"do_plain\", \"stacks\", \"main\"");
	print_path(CALLS, "\"in_thread\", \"in_thread_mid\", \"thread_main\", \"start_thread\"");
	print_path(CALLS, "\"in_signal\", \"in_signal_mid\", \"on_signal\", \"*\", \"do_signal\", \"stacks\", \"main\"");
	print_path(2 * CALLS, "\"in_coroutine\", \"in_coroutine_mid\", \"coroutine\", \"*\", \"!\"");
	print_path(CALLS, "\"in_clone\", \"in_clone_mid\", \"clone_main\", \"*\", \"\"");
	print_path(CALLS, "\"in_jit\", \"in_jit_mid\", \"*\", \"do_jit\", \"stacks\", \"main\"");
	print_path(CALLS, "\"in_bare_jit\", \"in_bare_jit_mid\", \"*\", \"!\"");
	end_ledger();
	return 0;
}

static int only_plain(void)
{
	say_ready();
	await_line();
	do_plain();
	say("done\n");
	await_line();
	begin_ledger();
	print_path(CALLS, "\"plain\", \"plain_mid\", \"do_plain\", \"only_plain\", \"main\"");
	end_ledger();
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "libs") && argc > 4)
		return libs(argv[2], atoi(argv[3]), atoi(argv[4]));
	if (!strcmp(what, "maps") && argc > 4)
		return maps(argv[2], atoi(argv[3]), atoi(argv[4]));
	if (!strcmp(what, "churn") && argc > 4)
		return churn(argv[2], argv[3], atoi(argv[4]));
	if (!strcmp(what, "stacks"))
		return stacks();
	if (!strcmp(what, "plain"))
		return only_plain();
	return 2;
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Names in the report: of generated code (perf maps), of modules that were replaced or deleted on disk, of
# C++ and Rust, of lines behind which the caller goes on, from debuginfod, of the kernel.

# A program in JavaScript that touches PAGES pages of fresh arrays in one function once that is compiled.
js_program() {
	cat >touch.js <<'EOF'
const readline = require('readline');
const kept = [];
function touchPages(a) {
	let n = 0;
	for (let i = 0; i < a.length; i += 512) { a[i] = i; n++; }
	return n;
}
let pages = 0;
for (let i = 0; i < 20000; i++) touchPages(new Float64Array(1024));
function work() {
	for (let i = 0; i < 40; i++) { const a = new Float64Array(1 << 20); pages += touchPages(a); kept.push(a); }
}
console.log('ready ' + process.pid);
readline.createInterface({ input: process.stdin }).on('line', (line) => {
	if (line === 'go') { work(); console.log('done'); }
	if (line === 'quit') { console.log(JSON.stringify({ pages })); process.exit(0); }
});
EOF
}

jit_report() { # PID
	snoop -p "$1" --source rss --format json -o js.json
	target_work js
	snoop_stop
	target_end js
	check jit js.json js.ledger touchPages
}

test_perf_map_of_node() {
	need node
	js_program
	target js node --perf-basic-prof touch.js
	target_ready js
	jit_report "${target_pid[js]}"
	rm -f "/tmp/perf-${target_pid[js]}.map"
}

# With PID and mount namespaces of its own: the map has another number, in another /tmp.
test_perf_map_in_a_container() {
	local pid
	need node unshare
	js_program
	mkdir tmp
	target js unshare --pid --fork --mount --mount-proc --kill-child sh -c \
		"mount --make-rprivate / && cp touch.js /var/tmp/touch-$$.js && mount --bind tmp /tmp && exec node --perf-basic-prof /var/tmp/touch-$$.js"
	target_ready js
	is "$heard" "ready 1" "what it knows of its PID"
	pid=$(pgrep -P "${target_pid[js]}")
	jit_report "$pid"
	rm -f "/var/tmp/touch-$$.js"
	[ -e tmp/perf-1.map ] || fail "no perf map where it was looked for"
}

# A map that another user wrote is not believed.
test_perf_map_of_somebody_else() {
	need node
	js_program
	target js node touch.js
	target_ready js
	printf '1 7fffffffffff forged\n' >"/tmp/perf-${target_pid[js]}.map"
	chown 12345 "/tmp/perf-${target_pid[js]}.map"
	snoop -p "${target_pid[js]}" --source rss --format json -o js.json
	target_work js
	snoop_stop
	target_end js
	rm -f "/tmp/perf-${target_pid[js]}.map"
	has js.json '"func":"\[jit\+0x'
	! grep -q forged js.json || fail "names of a forged map"
}

# serve FOLDER: debuginfod over it on a free port of this machine, its address in $served.
serve() {
	local port
	need debuginfod
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	debuginfod -d "$PWD/served.sqlite" -p "$port" -F "$1" >served.log 2>&1 </dev/null &
	pids+=($!)
	served=http://127.0.0.1:$port
}

build_id() {
	readelf -n "$1" | sed -n 's/.*Build ID: //p'
}

# alloc_report NAME OPTION...: NAME.json is what ./alloc did.
alloc_report() {
	local name=$1
	shift
	target "$name" ./alloc 10 0
	target_ready "$name"
	snoop -p "${target_pid[$name]}" --source malloc --format json -o "$name.json" "$@"
	target_work "$name"
	snoop_stop
	target_end "$name"
}

# A program whose debug file only the server has: its lines are in the report when it was asked for, else not.
test_debuginfod() {
	local id line
	need gcc objcopy
	mkdir served
	gcc -O1 -g -fno-omit-frame-pointer -pthread -Wl,--build-id=sha1 -I"$ROOT/tests/targets/c" -o alloc "$ROOT/tests/targets/c/alloc.c"
	objcopy --only-keep-debug alloc served/alloc.debug
	objcopy --strip-all alloc
	id=$(build_id alloc)
	line='"file":"[^"]*/alloc.c","line":[1-9]'
	export DEBUGINFOD_CACHE_PATH=$PWD/cache
	serve served
	until_ok curl -sf -o /dev/null "$served/buildid/$id/debuginfo"
	export DEBUGINFOD_URLS=$served
	alloc_report without
	alloc_report with --debuginfod
	! grep -Eq "$line" without.json || fail "lines that nobody asked for"
	has with.json "$line"
	has snoop.err 'asking debuginfod for the debug file of alloc'
}

# One that does not answer is said once, and the report comes all the same.
test_debuginfod_errors() {
	need "$TARGETS/alloc"
	DEBUGINFOD_URLS='' expect_error 2 'DEBUGINFOD_URLS' --debuginfod -p $$
	cp "$TARGETS/alloc" alloc
	strip alloc
	export DEBUGINFOD_CACHE_PATH=$PWD/cache DEBUGINFOD_URLS=http://127.0.0.1:1
	alloc_report c --debuginfod
	check schema c.json
	is "$(grep -c 'warning: debuginfod' snoop.err)" 1 "warnings about it"
}

# The ledger is the same with the kernel's frames, which stand before the program's and are names of kallsyms.
test_kernel_stacks() {
	target c "$TARGETS/touch" 2000
	target_ready c
	snoop -p "${target_pid[c]}" --source rss --kernel-stacks --format json -o c.json -o c.folded -m rss_bytes
	target_work c
	snoop_stop
	target_end c
	check rss c.json c.ledger
	check kernel c.json touch_many
	has c.folded 'touch_many;.*handle_mm_fault_\[k\]'
	expect_error 2 'needs the source rss' --kernel-stacks --source malloc -p $$
}

test_no_kernel_stacks_unless_asked() {
	target c "$TARGETS/touch" 100
	target_ready c
	snoop -p "${target_pid[c]}" --source rss --format json -o c.json
	target_work c
	snoop_stop
	! grep -q '"module":"\[kernel\]"' c.json || fail "kernel frames that nobody asked for"
}

# The file of a running program is replaced by another, or deleted: the names are those of the file it runs.
replaced_by() { # COMMAND that changes ./alloc
	cp "$TARGETS/alloc" alloc
	target c ./alloc 10 0
	target_ready c
	eval "$1"
	snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	check c c.json c.ledger total
}

test_module_replaced_on_disk() {
	# The other one has other functions at the same addresses.
	gcc -O0 -g -o other -x c - <<<'#include <stdlib.h>
	int wrong_name(int n) { return n ? wrong_name(n - 1) + 1 : 0; } int main(void) { return !malloc(wrong_name(9)); }'
	replaced_by "cp other new && mv new alloc"
	! grep -q wrong_name c.json || fail "names of the new file"
}

test_module_deleted() {
	replaced_by "rm alloc"
}

# A debug file beside the program that is of the new one is refused.
test_debug_file_of_the_new_program() {
	need gcc objcopy
	gcc -O1 -g -fno-omit-frame-pointer -pthread -Wl,--build-id=sha1 -I"$ROOT/tests/targets/c" -o alloc "$ROOT/tests/targets/c/alloc.c"
	gcc -O0 -g -Wl,--build-id=sha1 -o other -x c - <<<'#include <stdlib.h>
	int wrong_name(int n) { return n ? wrong_name(n - 1) + 1 : 0; } int main(void) { return !malloc(wrong_name(9)); }'
	objcopy --only-keep-debug alloc alloc.debug
	objcopy --strip-all --add-gnu-debuglink=alloc.debug alloc
	target c ./alloc 10 0
	target_ready c
	objcopy --only-keep-debug other alloc.debug
	snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	has c.json '\[alloc\+0x'
	! grep -q wrong_name c.json || fail "names of the new file"
}

# A return address lies behind the call, often on another line: each frame must be the line of its call.
test_line_of_the_call() {
	need gcc
	cat >calls.c <<'EOF'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noinline, noreturn)) static void leave(void *p)
{
	printf("done\n");
	fflush(stdout);
	free(p);
	char line[16];
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "quit\n")) ;
	puts("{}");
	exit(0);
}
__attribute__((noinline, noreturn)) static void last_is_a_call(int n)
{
	leave(malloc(n)); /* line 17: nothing of the function stands behind the call of leave() */
}
__attribute__((noinline)) static void *in_loop(int n)
{
	void *p = NULL;
	for (int i = 0; i < n; i++) {
		free(p);
		p = malloc(100 + i); /* line 24, and then the loop's head */
	}
	return p;
}
__attribute__((noinline)) static void outer(int n)
{
	in_loop(n); /* line 30 */
	last_is_a_call(n); /* line 31: the last instruction of outer() */
}
int main(void)
{
	char line[16];
	printf("ready\n");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin))
		outer(7); /* line 39 */
}
EOF
	gcc -O2 -g -fno-omit-frame-pointer -fno-optimize-sibling-calls -o calls calls.c
	target c ./calls
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	check lines c.json calls.c in_loop:24 outer:30 main:39
	check lines c.json calls.c last_is_a_call:17 outer:31 main:39
}

# Inlined templates, lambdas, operator() and anonymous namespaces of C++.
test_names_of_cxx() {
	need g++
	cat >cxx.cc <<'EOF'
#include <cstdio>
#include <cstdlib>
#include <cstring>
namespace {
template <typename T> struct maker {
	T *operator()(int n) const { return static_cast<T *>(std::malloc(n * sizeof(T))); } // line 6
};
template <typename T> inline T *make_many(int n) { return maker<T>()(n); } // line 8
struct hidden { static __attribute__((noinline, noclone)) void *work(int n) { return make_many<double>(n); } }; // line 9
}
template <typename F> __attribute__((noinline, noclone)) void *apply(F f, int n) { void *p = f(n); asm volatile("" ::: "memory"); return p; } // line 11
int main()
{
	char line[16];
	std::puts("ready"); std::fflush(stdout);
	std::fgets(line, sizeof(line), stdin);
	void *a = apply([](int n) { void *p = hidden::work(n); asm volatile("" ::: "memory"); return p; }, 7); // line 17
	std::free(a);
	std::puts("done"); std::fflush(stdout);
	while (std::fgets(line, sizeof(line), stdin) && std::strcmp(line, "quit\n")) ;
	std::puts("{}");
}
EOF
	g++ -O2 -g -fno-omit-frame-pointer -fno-optimize-sibling-calls -o cxx cxx.cc
	target c ./cxx
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	# What was inlined and is not linked has no linkage name in DWARF: its own, without those around it.
	check lines c.json cxx.cc 'operator():6:inlined' 'make_many<double>:8:inlined' '(anonymous namespace)::hidden::work(int):9' \
		'operator():17:inlined' 'void* apply<main::{lambda(int)#1}>(main::{lambda(int)#1}, int):11' main:17
}

# Rust with both manglings: the closure that was inlined, the generic method, the caller.
test_names_of_rust() {
	local mangling
	need rustc
	cat >names.rs <<'EOF'
use std::io::{stdin, BufRead};
struct Shop<T> { items: Vec<T> }
impl<T: Clone> Shop<T> {
    #[inline(never)] fn stock(&mut self, n: usize, one: T) { // line 4
        self.items = vec![one; n]; // line 5
    }
}
#[inline(never)] fn boxed(n: u64) -> Box<[u64; 16]> { let f = |k: u64| Box::new([k; 16]); f(std::hint::black_box(n)) } // line 8
fn main() {
    let mut lines = stdin().lock().lines();
    println!("ready");
    lines.next();
    let mut shop = Shop { items: Vec::new() };
    shop.stock(100, 7u64); // line 14
    let b = boxed(3); // line 15
    println!("done");
    lines.next();
    println!("{{}}");
    std::hint::black_box((shop.items, b));
}
EOF
	for mangling in legacy v0; do
		# The older one is an unstable option by now.
		RUSTC_BOOTSTRAP=1 rustc -Z unstable-options -g -C opt-level=2 -C force-frame-pointers=yes \
			-C symbol-mangling-version=$mangling -o names-$mangling names.rs
		nm names-$mangling | grep -E "$([ $mangling = v0 ] && echo ' _RN.*names5boxed' || echo ' _ZN5names5boxed')" >/dev/null ||
			fail "not $mangling mangling"
		target $mangling ./names-$mangling
		target_ready $mangling
		snoop -p "${target_pid[$mangling]}" --source malloc --format json -o $mangling.json
		target_work $mangling
		snoop_stop
		target_end $mangling
		check rust $mangling.json
	done
}

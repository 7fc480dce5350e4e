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

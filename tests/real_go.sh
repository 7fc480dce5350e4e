#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# real_go.sh [PROGRAM[/SUITE]...]
#
# Go programs that other people wrote, built and stripped, under the tool: services of
# three Debian releases, and compilers that npm delivers (tools/fetch-lab.sh). Each
# is attached to while it runs (attach) and started by the tool (start), put
# under load, and asked for its own runtime.MemStats: objects and bytes must agree, all
# frames have names, nothing is lost or warned of, and the program works on. Prints a
# table; the last line is "N passed, N failed, N skipped".
#
# A program is a handful of functions below:
#   NAME_files      fetches what it needs, and sets bin
#   NAME_command    sets the array command, which runs it in the current folder
#   NAME_up         does it answer?
#   NAME_count FILE its own counters, as check.py memstats reads them; no file: it tells none
#   NAME_load       LOAD_SECONDS of work
#   start_NAME      the test of its start, where that is not one of a service
set -u
cd "$(dirname "$0")/.." || exit 1
export ROOT=$PWD O=${O:-.output} LC_ALL=C.UTF-8
case $O in /*) export OUT=$O ;; *) export OUT=$ROOT/$O ;; esac
export ALLOCSNOOP_LAB=${ALLOCSNOOP_LAB:-/var/cache/allocsnoop-lab}
LAB=$ALLOCSNOOP_LAB
SUITES="bookworm trixie sid"
PERCENT=0.1 # of deviation from the program's own counters
LOAD_SECONDS=5
COUNTS=4 # before the load, and after it
passed=0 failed=0 skipped=0

programs=("$@")
if [ $# -eq 0 ]; then
	for name in prometheus etcd caddy syncthing dockerd; do
		for suite in $SUITES; do
			programs+=("$name/$suite")
		done
	done
	programs+=(esbuild/npm tsgo/npm)
fi
if [ "$(id -u)" != 0 ]; then
	echo "real_go.sh: probes need root: nothing was tested" >&2
	echo "0 passed, 0 failed, $((2 * ${#programs[@]})) skipped"
	exit 0
fi
tmp=$(mktemp -d "${TMPDIR:-/tmp}/allocsnoop-real.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

# --- services of Debian ------------------------------------------------------

# deb PACKAGE PATH: that program of the suite, fetched; its path on standard output.
deb() {
	"$ROOT/tools/fetch-lab.sh" deb "$suite" "$1" >fetch.log 2>&1 || skip "$(tail -1 fetch.log)" >&2
	echo "$LAB/deb/$suite/$1/$2"
}

# memstats FILE URL CURL-OPTION...: of a program that serves net/http/pprof. It reads the counters before all else.
memstats() {
	local file=$1 url=$2
	shift 2
	curl -sf -m 20 "$@" -o "$file.heap" "$url/debug/pprof/heap?debug=1" || fail "no answer from $url"
	grep -a '^# \(Mallocs\|TotalAlloc\) = ' "$file.heap" >"$file"
}

http_load() { # URL WRK-OPTION...
	local url=$1
	shift
	wrk -t1 -c4 -d${LOAD_SECONDS}s "$@" "$url" >wrk.log
	! grep -q 'Non-2xx\|Socket errors' wrk.log || fail "the service answers with errors: $(cat wrk.log)"
}

PROMETHEUS=127.0.0.1:19400
prometheus_files() {
	bin=$(deb prometheus usr/bin/prometheus)
}
prometheus_command() {
	echo 'global: { scrape_interval: 1h, evaluation_interval: 1h }' >prometheus.yml
	command=("$bin" --config.file=prometheus.yml "--storage.tsdb.path=$T/data" --web.listen-address="$PROMETHEUS"
		--log.level=warn)
}
prometheus_up() {
	curl -sf -m 5 -o up "$PROMETHEUS/-/ready"
}
prometheus_count() {
	memstats "$1" $PROMETHEUS
}
prometheus_load() {
	http_load "http://$PROMETHEUS/api/v1/query?query=sum(rate(prometheus_http_requests_total%5B5m%5D))by(handler)"
}

ETCD=127.0.0.1:19410
etcd_files() {
	bin=$(deb etcd-server usr/bin/etcd)
}
etcd_command() {
	local peer=http://127.0.0.1:19411
	command=("$bin" --data-dir "$T/data" --enable-pprof
		--listen-client-urls "http://$ETCD" --advertise-client-urls "http://$ETCD"
		--listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer")
}
etcd_up() {
	curl -sf -m 5 -o up "$ETCD/health" && grep -q true up
}
etcd_count() {
	memstats "$1" $ETCD
}
etcd_load() {
	echo 'wrk.method = "POST"; wrk.body = [[{"key":"a2V5","value":"dmFsdWU="}]]' >put.lua
	http_load http://$ETCD/v3/kv/put -s put.lua
}

CADDY=127.0.0.1:19420 CADDY_ADMIN=127.0.0.1:19421
caddy_files() {
	bin=$(deb caddy usr/bin/caddy)
}
caddy_command() {
	mkdir -p www
	seq 2000 >www/index.html
	cat >caddy.json <<-J
	{ "admin": { "listen": "$CADDY_ADMIN" },
	  "apps": { "http": { "servers": { "s": { "listen": ["$CADDY"],
	    "routes": [ { "handle": [ { "handler": "encode", "encodings": { "gzip": {} } },
	                              { "handler": "file_server", "root": "$T/www" } ] } ] } } } } }
	J
	command=("$bin" run --config caddy.json)
}
caddy_up() {
	curl -sf -m 5 -o up $CADDY/ && cmp -s up www/index.html
}
caddy_count() {
	memstats "$1" $CADDY_ADMIN
}
caddy_load() {
	http_load http://$CADDY/ -H 'Accept-Encoding: gzip'
}

SYNCTHING=127.0.0.1:19430 SYNCTHING_PPROF=127.0.0.1:19431
syncthing_files() {
	bin=$(deb syncthing usr/bin/syncthing)
}
syncthing_command() {
	rm -rf home
	"$bin" generate --home="$T/home" --no-default-folder >generate.log 2>&1 || fail "$(cat generate.log)"
	# Nobody outside is asked for anything.
	sed -i -e 's,<listenAddress>.*<,<listenAddress>tcp://127.0.0.1:19432<,' \
		-e 's,<\(globalAnnounceEnabled\|localAnnounceEnabled\|relaysEnabled\|natEnabled\|crashReportingEnabled\)>true,<\1>false,' \
		-e 's,<urAccepted>0,<urAccepted>-1,' -e 's,<autoUpgradeIntervalH>12,<autoUpgradeIntervalH>0,' home/config.xml
	export STPROFILER=$SYNCTHING_PPROF STMONITORED=yes # no parent that watches it
	command=("$bin" serve --home="$T/home" --no-browser --no-restart
		--gui-address="$SYNCTHING" --gui-apikey=key)
}
syncthing_up() {
	curl -sf -m 5 -o up -H 'X-API-Key: key' $SYNCTHING/rest/system/ping && grep -q pong up
}
syncthing_count() {
	memstats "$1" $SYNCTHING_PPROF
}
syncthing_load() {
	http_load http://$SYNCTHING/rest/system/status -H 'X-API-Key: key'
}

# With a containerd that it does not start itself: one that it does would be a child under the probes.
dockerd_files() {
	bin=$(deb docker.io usr/sbin/dockerd)
	containerd=$(deb containerd usr/bin/containerd)
	# That of other suites may need another libc; nothing but its version is asked for.
	PATH=$PATH:$(dirname "$(suite=bookworm deb runc usr/sbin/runc)")
}
dockerd_command() {
	rm -rf docker
	mkdir docker
	echo '{}' >docker/empty.json
	cat >docker/containerd.toml <<-T
	version = 2
	root = "$T/docker/root"
	state = "$T/docker/state"
	disabled_plugins = ["io.containerd.grpc.v1.cri"]
	[grpc]
	address = "$T/docker/containerd.sock"
	[ttrpc]
	address = "$T/docker/ttrpc.sock"
	T
	"$containerd" -c docker/containerd.toml >containerd.log 2>&1 </dev/null &
	pids+=($!)
	until_ok test -S docker/containerd.sock
	command=("$bin" -D --config-file=docker/empty.json --data-root "$T/docker/data" --exec-root "$T/docker/exec"
		-p "$T/docker/pid" -H "unix://$T/docker/sock" --containerd "$T/docker/containerd.sock" --storage-driver vfs
		--iptables=false --ip6tables=false --bridge=none --userland-proxy=false)
}
dockerd_up() {
	curl -sf -m 5 -o up --unix-socket docker/sock http://docker/_ping && grep -q OK up
}
dockerd_count() {
	memstats "$1" http://docker --unix-socket "$T/docker/sock"
}
dockerd_load() {
	local rc=0
	timeout $LOAD_SECONDS curl -sf --unix-socket docker/sock 'http://docker/info?[1-100000]' >load || rc=$?
	[ $rc = 124 ] || fail "curl ends with $rc before its time"
}

# --- compilers that npm delivers ---------------------------------------------

npm_package() { # NAME PATH
	"$ROOT/tools/fetch-lab.sh" npm "$1" >fetch.log 2>&1 || skip "$(tail -1 fetch.log)" >&2
	echo "$LAB/npm/$1/$2"
}

npm_machine() {
	uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/'
}

# A program in TypeScript that takes the compilers a second: $1 modules.
typescript() {
	local i j
	mkdir -p src
	for i in $(seq "$1"); do
		{
			[ "$i" = 1 ] || echo "import { f$((i - 1)) } from './m$((i - 1))';"
			for j in $(seq 20); do
				echo "export interface I$j<A> { k: 'k$j'; a: A; b: Promise<A[]>; c(x: Partial<A>): Record<string, A> }"
			done
			echo "export type T = $(seq -s ' | ' -f 'I%g<string>' 20);"
			echo "export function f$i(x: T) {"
			[ "$i" = 1 ] || echo "	if (x.a === '') return f$((i - 1))(x);"
			echo "	switch (x.k) {"
			for j in $(seq 20); do
				echo "	case 'k$j': return x.b.then(r => r.map(e => [e, x.k, $j] as const));"
			done
			printf '\t}\n}\n'
		} >"src/m$i.ts"
	done
	echo '{ "compilerOptions": { "strict": true, "target": "esnext", "lib": ["esnext", "dom"], "noEmit": true },
		"include": ["src"] }' >tsconfig.json
}

ESBUILD=127.0.0.1:19440
esbuild_files() {
	bin=$(npm_package "@esbuild/linux-$(npm_machine)" bin/esbuild)
}
esbuild_command() {
	typescript 60
	command=("$bin" src/m60.ts --bundle --outfile=out/m.js --servedir=out --serve="$ESBUILD" --log-level=warning)
}
esbuild_up() {
	curl -sf -m 5 -o up $ESBUILD/m.js && grep -q k20 up
}
# It tells nothing of itself while it serves.
esbuild_count() {
	:
}
esbuild_load() {
	http_load http://$ESBUILD/m.js
}
# A build, with every allocation in its memory profile, which ends the run.
start_esbuild() {
	esbuild_command
	GODEBUG=memprofilerate=1 GOGC=off snoop_launch --format json -o start.json -- "$bin" src/m60.ts --bundle \
		--outfile=out/m.js --heap=heap.pb.gz
	snoop_wait
	grep -q k20 out/m.js || fail "no output"
	check memprofile start.json $PERCENT heap.pb.gz
}

tsgo_files() {
	bin=$(npm_package "@typescript/native-preview-linux-$(npm_machine)" lib/tsgo)
}
tsgo_command() {
	typescript 60
	command=("$bin" -p . --watch --preserveWatchOutput)
}
# How often it has built.
tsgo_builds() {
	grep -c 'Watching for file changes' program.log
}
tsgo_up() {
	[ "$(tsgo_builds)" -gt "${built:-0}" ]
}
# It tells nothing of itself while it watches.
tsgo_count() {
	:
}
tsgo_load() {
	local end=$((SECONDS + LOAD_SECONDS))
	while [ $SECONDS -lt $end ]; do
		built=$(tsgo_builds)
		echo "export const more$built = $built;" >>src/m60.ts
		until_ok tsgo_up
	done
}
start_tsgo() {
	tsgo_command
	snoop_launch --format json -o start.json -- "$bin" -p . --extendedDiagnostics
	snoop_wait
	check memstats start.json $PERCENT start snoop.out
}

# --- the test ----------------------------------------------------------------

count_all() { # LETTER
	local i
	for i in $(seq $COUNTS); do
		"${name}_count" "count.$1$i"
	done
}

end_program() { # PID
	kill -TERM "$1"
	until_ok gone "$1"
}
gone() {
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null
}

armed() { # SINCE
	note "armed $((($(date +%s%N) - $1) / 1000000))"
}

quiet() {
	! grep '^allocsnoop: warning' snoop.err >warnings || fail "$(cat warnings)"
}

attach() {
	local pid t0
	"${name}_command"
	# The compilers end when their input does.
	mkfifo input
	exec {input}<>input
	"${command[@]}" >program.log 2>&1 <&"$input" &
	pid=$!
	pids+=("$pid")
	until_ok "${name}_up"
	# Whatever is made once is made now.
	"${name}_count" warm
	"${name}_load"
	t0=$(date +%s%N)
	snoop -p $pid --format json -o attach.json
	armed "$t0"
	count_all a
	"${name}_load"
	count_all b
	snoop_stop
	quiet
	kill -0 $pid || fail "the program died: $(tail -5 program.log)"
	"${name}_up" || fail "the program does not answer any more"
	check memstats attach.json $PERCENT count.??
	check names attach.json go 99 own
	end_program $pid
}

start() {
	local pid t0
	if declare -F "start_$name" >/dev/null; then
		"start_$name"
		quiet
		check names start.json go 99 own
		return
	fi
	"${name}_command"
	t0=$(date +%s%N)
	snoop --format json -o start.json -- "${command[@]}"
	armed "$t0"
	pid=$(sed -n 's/^allocsnoop: attached to \([0-9]*\).*/\1/p' snoop.err)
	pids+=("$pid")
	until_ok "${name}_up"
	"${name}_load"
	count_all a
	snoop_stop
	quiet
	"${name}_up" || fail "the program does not answer any more"
	check memstats start.json $PERCENT start count.??
	check names start.json go 99 own
	end_program "$pid"
}

# In a shell of its own, as an end-to-end test.
run() { # MODE
	(
		. tests/lib.sh
		T=$(mktemp -d "$tmp/t.XXXXXX")
		cd "$T" || exit 1
		export HOME=$T
		# dockerd leaves one behind.
		trap 'at_exit; ! mountpoint -q "$T/docker/data" || umount -l "$T/docker/data"' EXIT
		shopt -s nullglob
		need curl wrk go
		"${name}_files"
		[ -x "$bin" ] || skip "no $bin"
		note "shape $(shape "$bin")"
		"$1"
	)
}

shape() {
	local type
	type=$(readelf -hW "$1" | sed -n 's/^ *Type: *\([A-Z]*\).*/\1/p')
	readelf -SW "$1" | grep -q '[ .]gopclntab ' || type+=",no .gopclntab"
	echo "${type/DYN/PIE}"
}

noted() { # WHAT
	sed -n "s/^note: $1 //p" "$tmp/log" | head -1
}

columns() {
	printf '%-11s %-9s %-7s %-10s %-18s %-35s %-39s %-9s %-6s %s\n' "$@"
}

row() { # MODE VERDICT
	columns "$name" "$suite" "$1" "$(noted runtime)" "$(noted shape)" "$(noted alloc_objects)" "$(noted alloc_bytes)" \
		"$(noted named)" "$(noted armed)" "$2"
}

columns program suite run Go shape "objects, of its own" "bytes, of its own" "named, %" "ms" ""
for program in "${programs[@]}"; do
	name=${program%%/*} suite=${program#*/}
	for mode in attach start; do
		run $mode >"$tmp/log" 2>&1
		case $? in
		0)
			passed=$((passed + 1))
			row $mode ok
			;;
		77)
			skipped=$((skipped + 1))
			row $mode "skip: $(sed -n 's/^skip: //p' "$tmp/log" | tail -1)"
			;;
		*)
			failed=$((failed + 1))
			row $mode "NOT OK"
			grep -v '^note: ' "$tmp/log" | tail -20 | cut -c1-400 | sed 's/^/    /'
			;;
		esac
	done
done
printf '\n%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What tracing costs the target: allocsnoop beside memleak, bpftrace and heaptrack.
# Run by `make bench` as root. Prints Markdown tables; see README.md in this folder.
#
#   BENCH_ROUNDS=3           how often everything is measured, each tool in turn
#   BENCH_PARTS="pairs hit programs go"
#
# Each round gives one number for each tool; a table shows the median of the rounds and
# the least and the greatest. Ratios are taken within a round. Nothing is judged here.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
O=$(cd "${O:-.output}" && pwd)
snoop=${BENCH_SNOOP:-$O/allocsnoop}
bin=$O/tools/bench
ROUNDS=${BENCH_ROUNDS:-3}
PARTS=${BENCH_PARTS:-pairs hit programs go}
TOOLS="base snoop live memleak bpftrace bpftrace-free heaptrack"
DEPTHS="3 10 30"
RUN_MS=100

say() {
	printf 'bench: %s\n' "$*" >&2
}

if [ "$(id -u)" != 0 ]; then
	echo "bench.sh: probes need root; run: sudo make bench" >&2
	exit 3
fi

"$here/../install-deps.sh" bench || say "not all tools could be installed"
(cd "$here/jsonloop" && CGO_ENABLED=0 GOFLAGS='' GOWORK=off GO111MODULE=on GOTOOLCHAIN=local \
	GOCACHE="${GOCACHE:-$bin/gocache}" go build -buildvcs=false -o "$bin/jsonloop" .) || say "no Go program to measure"

T=$(mktemp -d)
target_pid=""
work_pid=""
wrap=()
# shellcheck source=tools/bench/tools.sh
. "$here/tools.sh"

cleanup() {
	tool_stop
	target_stop
	rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

nap() {
	read -rt "$1" <> <(:) || true
}

# Told at once, and with the results.
skipped() {
	say "skipped: $*"
	echo "- Skipped: $*" >>"$T/skipped"
}

field() { # JSON-FILE DOTTED.PATH
	python3 -c 'import json, sys
doc = json.load(open(sys.argv[1]))
for key in sys.argv[2].split("."):
    doc = doc[int(key)] if key.isdigit() else doc[key]
print(doc)' "$1" "$2" 2>/dev/null || echo None
}

# --- A program that waits for orders, and the process of it that allocates

hear() { # into $heard
	heard=
	IFS= read -rt 60 -u 4 heard
}

hear_line() { # TEXT: skips what comes before
	while hear; do
		case $heard in *"$1"*) return 0 ;; esac
	done
	return 1
}

target_start() { # COMMAND...; ready when it says so, or a line that has $ready; $first is said to it before
	rm -f "$T/in" "$T/out"
	mkfifo "$T/in" "$T/out"
	"${wrap[@]}" "$@" <"$T/in" >"$T/out" 2>"$T/target.err" &
	target_pid=$! work_pid=$!
	exec 3>"$T/in" 4<"$T/out"
	[ -z "${first:-}" ] || printf '%s\n' "$first" >&3
	hear_line "${ready:-ready}" || return 1
	# heaptrack is a script that has the program as a child.
	[ ${#wrap[@]} = 0 ] || work_pid=$(pgrep -P "$target_pid" -x -- "$(basename "$1")" | head -n 1)
	[ -n "$work_pid" ] || return 1
	malloc_file=$(awk '$2 ~ /x/ && $6 ~ /\/libjemalloc\.so/ { je = $6 } $2 ~ /x/ && $6 ~ /\/libc\.so\.6/ { c = $6 }
		END { print je ? je : c }' "/proc/$work_pid/maps")
}

target_stop() {
	[ -n "$target_pid" ] || return 0
	exec 3>&- 4<&-
	# Under heaptrack it is a child of the script, which ends when it has: nothing of it may disturb what comes next.
	[ -z "$work_pid" ] || kill "$work_pid" 2>/dev/null
	[ ${#wrap[@]} = 0 ] || timeout 20 tail --pid="$work_pid" -f /dev/null
	[ ${#wrap[@]} = 0 ] || timeout 20 tail --pid="$target_pid" -f /dev/null
	kill "$target_pid" 2>/dev/null
	wait "$target_pid" 2>/dev/null
	target_pid=
}

record() { # TABLE ROW COLUMN TOOL VALUE
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@" "$round" >>"$T/data"
}

# The tools of $@ that are here, those that are not being told once.
usable() {
	local name why
	for name; do
		why=$(tool_missing "$name")
		if [ -n "$why" ]; then
			skipped "$(tool_label "$name"): $why"
		else
			echo "$name"
		fi
	done
}

in_turn() { # the words of $@, each round beginning with another
	local n=$(($# > 0 ? round % $# : 0))
	echo "${@:n+1}" "${@:1:n}"
}

# --- Parts

measure_pairs() { # BUILD TOOL
	local depth
	tool_wrap "$2"
	target_start "$bin/pairs-$1" || return 1
	if tool_start "$2" "$work_pid" "$malloc_file"; then
		for depth in $DEPTHS; do
			echo "$depth $RUN_MS" >&3
			hear || break
			record pairs "$1" "$depth" "$2" "${heard% *}"
		done
	else
		skipped "$(tool_label "$2") did not attach to pairs: $(tool_said)"
	fi
	tool_stop
	target_stop
}

# The probes that allocsnoop sets for $door of pairs, from its own preflight: "ADDRESS STEPPED".
door() { # NAME
	python3 -c 'import json, sys
for door in json.load(open(sys.argv[1]))["targets"][0]["doors"]:
    if door["name"] == sys.argv[2]:
        print(hex(door["address"]), door["single_stepped"])' "$T/check.json" "$1"
}

measure_floor() { # LABEL PROBE...
	local label=$1 pid
	shift
	rm -f "$T/tool.out"
	mkfifo "$T/floor.in"
	"$bin/floor" "$work_pid" "$@" <"$T/floor.in" >"$T/tool.out" 2>"$T/floor.err" &
	pid=$!
	exec 5>"$T/floor.in"
	if wait_line "$T/tool.out" armed "$pid"; then
		echo "3 $RUN_MS" >&3
		hear && record floor "$label" ns "" "${heard% *}"
	else
		skipped "$label: $(cat "$T/floor.err")"
	fi
	exec 5>&-
	wait "$pid"
	rm -f "$T/floor.in"
}

# What a hit consists of: the traps alone, our program without its walk, the whole.
measure_hit() {
	local build depth malloc free live=()
	wrap=()
	has_live && live=(--live)
	target_start "$bin/pairs-fp" || return 1
	"$snoop" check -p "$work_pid" --source malloc "${live[@]}" -d 0 --format json >"$T/check.json" 2>/dev/null
	malloc=$(door malloc) free=$(door free)
	malloc=${malloc% *}
	echo "3 $RUN_MS" >&3
	hear && record floor "no probe" ns "" "${heard% *}"
	measure_floor "malloc's entry, as chosen by allocsnoop" entry "$malloc"
	measure_floor "malloc's entry and return" entry "$malloc" return "$malloc"
	[ -z "$free" ] ||
		measure_floor "malloc's entry and return, free as chosen by allocsnoop" entry "$malloc" return "$malloc" entry "${free% *}"
	free=$(symbol_address free)
	[ -z "$free" ] ||
		measure_floor "malloc's entry and return, free's first instruction" entry "$malloc" return "$malloc" entry "$free"
	target_stop
	for build in fp nofp; do
		for depth in $DEPTHS; do
			measure_body "$build" "$depth" whole
			[ "$depth" != 3 ] || measure_body "$build" "$depth" bare --min-size 1G
		done
	done
}

# In the process as pairs sees it: the mapping's start less its file offset, and the symbol's value (libc is a shared object).
symbol_address() {
	local base value
	base=$(awk -v f="$malloc_file" '$6 == f { print $1; exit }' "/proc/$work_pid/maps")
	value=$(readelf -W --dyn-syms "$malloc_file" 2>/dev/null | awk -v s="$1" '{ sub(/@.*/, "", $8) } $8 == s { print $2; exit }')
	[ -n "$base" ] && [ -n "$value" ] && printf '%#x\n' $((0x${base%-*} + 0x$value))
}

measure_body() { # BUILD DEPTH NAME ARGS: times of a pair, by pairs and by allocsnoop's own account
	local build=$1 depth=$2 name=$3 pairs
	shift 3
	target_start "$bin/pairs-$build" || return 1
	if snoop_start "$work_pid" --source malloc "$@"; then
		echo "$depth $RUN_MS" >&3
		hear && record body "$build" "$depth" "$name.ns" "${heard% *}"
		pairs=${heard#* }
		tool_stop
		python3 - "$T/snoop.json" "$pairs" <<'P' >"$T/body"
import json, sys
doc, pairs = json.load(open(sys.argv[1])), int(sys.argv[2])
cost = doc["overhead"]
print("trap", round(cost["trap_ns"] / pairs, 1))
print("bpf", round(cost["bpf_ns"] / pairs, 1))
if doc["stacks"]:
    print("frames", len(max(doc["stacks"], key=lambda s: s["alloc_objects"])["frames"]))
P
		while read -r key value; do
			record body "$build" "$depth" "$name.$key" "$value"
		done <"$T/body"
	fi
	tool_stop
	target_stop
}

program_missing() {
	case $1 in
	sqlite3) command -v sqlite3 >/dev/null || echo "no sqlite3" ;;
	python) command -v python3.11 >/dev/null || command -v python3 >/dev/null || echo "no python3" ;;
	redis) command -v redis-server >/dev/null && command -v redis-benchmark >/dev/null || echo "no redis" ;;
	esac
}

sqlite_script() {
	awk 'BEGIN {
		print "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, value REAL);\nBEGIN;"
		for (i = 0; i < 12000; i++)
			printf "INSERT INTO t (name, value) VALUES (\047row %d of the table\047, %d.5);\n", i, i * 7 % 1000
		print "COMMIT;"
		for (i = 0; i < 600; i++)
			printf "SELECT count(*), sum(value), max(name) FROM t WHERE id BETWEEN %d AND %d;\n", i * 20, i * 20 + 50
	}'
}

# It writes to a pipe in blocks, unless an output is closed.
SQLITE_SAY='.output /dev/stdout
.print %s
.output /dev/null
'

program_start() {
	local python first='' ready=ready
	case $1 in
	sqlite3)
		# shellcheck disable=SC2059 # the format is ours
		first=$(printf "$SQLITE_SAY" ready)
		target_start sqlite3 -batch :memory:
		;;
	python)
		python=$(command -v python3.11 || command -v python3)
		# Not the shell script that some version managers put before it.
		python=$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')
		target_start "$python" "$here/jsonloop.py"
		;;
	redis)
		ready="eady to accept" # the letter before depends on where it listens
		target_start redis-server --port 0 --unixsocket "$T/redis" --save '' --appendonly no --daemonize no
		;;
	esac
}

program_run() { # PROGRAM: does its work
	case $1 in
	sqlite3)
		# shellcheck disable=SC2059
		printf ".read %s\n$SQLITE_SAY" "$T/script.sql" "done" >&3
		hear_line "done"
		;;
	python)
		echo 1500 >&3
		hear_line "done"
		;;
	redis) timeout 60 redis-benchmark -s "$T/redis" -t set,lpush -d 100 -c 20 -n 12000 -q >"$T/redis.log" 2>&1 ;;
	esac
}

cpu_of() { # ns that the first thread of the program ran
	cut -d' ' -f1 "/proc/$1/schedstat"
}

measure_program() { # PROGRAM TOOL
	local start cpu
	tool_wrap "$2"
	program_start "$1" || {
		skipped "$1 under $(tool_label "$2") did not start: $(tail -n 1 "$T/target.err")"
		target_stop
		return
	}
	if tool_start "$2" "$work_pid" "$malloc_file"; then
		start=${EPOCHREALTIME/./} cpu=$(cpu_of "$work_pid")
		if program_run "$1" && { [ -z "$tool_pid" ] || alive "$tool_pid"; }; then
			record programs "$1" wall "$2" $((${EPOCHREALTIME/./} - start))
			record programs "$1" cpu "$2" $((($(cpu_of "$work_pid") - cpu) / 1000))
		else
			skipped "$1 under $(tool_label "$2"): it, or the tool, ended early"
		fi
	else
		skipped "$(tool_label "$2") did not attach to $1: $(tool_said)"
	fi
	tool_stop
	target_stop
}

measure_go() { # TOOL
	wrap=()
	target_start "$bin/jsonloop" || return 1
	case $1 in
	base) tool_pid= ;;
	snoop) snoop_start "$work_pid" --source go ;;
	live) snoop_start "$work_pid" --source go --live ;;
	bpftrace) bpftrace_start "$work_pid" "uprobe:$bin/jsonloop:\"runtime.mallocgc\" { @[ustack] = sum(reg(\"ax\")); }" ;;
	esac || {
		skipped "$(tool_label "$1") did not attach to a Go program: $(tool_said)"
		tool_stop
		target_stop
		return
	}
	echo "${GO_LOOPS:-2000}" >&3
	hear && record go jsonloop ns "$1" "${heard% *}"
	tool_stop
	target_stop
}

has_live() {
	case " $c_tools " in *" live "*) return 0 ;; *) return 1 ;; esac
}

wants() {
	case " $PARTS " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

# --- All of it

say "$ROUNDS rounds of: $PARTS"
: >"$T/data"
: >"$T/skipped"
memleak_find
for tool in $TOOLS; do
	round=0 record label "" "" "$tool" "$(tool_label "$tool")"
done
# shellcheck disable=SC2086 # a list of words
c_tools=$(usable $TOOLS | xargs)
sqlite_script >"$T/script.sql"
programs=
for program in sqlite3 python redis; do
	why=$(program_missing $program)
	[ -n "$why" ] && skipped "$program: $why" || programs+=" $program"
done

for ((round = 0; round < ROUNDS; round++)); do
	say "round $((round + 1)) of $ROUNDS"
	# shellcheck disable=SC2046,SC2086 # lists of words
	{
		wants pairs && for build in fp nofp; do
			for tool in $(in_turn $c_tools); do
				measure_pairs $build "$tool"
			done
		done
		wants hit && measure_hit
		wants programs && for program in $programs; do
			for tool in $(in_turn ${c_tools/bpftrace-free/}); do
				measure_program "$program" "$tool"
			done
		done
		wants go && [ -x "$bin/jsonloop" ] && for tool in $(in_turn base snoop live bpftrace); do
			case $tool in bpftrace) command -v bpftrace >/dev/null || continue ;; esac
			measure_go "$tool"
		done
	}
done
"$here/report.py" "$T/data" "$ROUNDS"
[ ! -s "$T/skipped" ] || { echo && sort -u "$T/skipped"; }

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the end-to-end tests share. A test is a function test_NAME, run with its
# own empty folder $T as the current one. It fails by returning non-zero, which
# any command under `set -e` does, and skips by `skip WHY`.
#
# Wait for events, never for time: every wait below ends when the thing is there,
# and fails after WAIT seconds.

set -euo pipefail
export NO_COLOR=1
TARGETS=$OUT/tests/targets
SNOOP=${SNOOP:-$OUT/allocsnoop}
WAIT=${WAIT:-60}

skip() {
	echo "skip: $*"
	exit 77
}

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# Shown behind the name of a test that passed: numbers worth reading.
note() {
	echo "note: $*"
}

need() {
	local what
	for what in "$@"; do
		case $what in
		*/*) [ -e "$what" ] || skip "no $what" ;;
		*) command -v "$what" >/dev/null || skip "no $what" ;;
		esac
	done
}

is() { # GOT WANT WHAT
	[ "$1" = "$2" ] || fail "$3 is '$1', want '$2'"
}

has() { # FILE REGEX
	grep -Eq -- "$2" "$1" || {
		echo "--- $1:"
		cat "$1"
		fail "$1 does not have: $2"
	} >&2
}

# In a guest it is noted, for the host to do (tests/vm/run.sh).
check() {
	if [ -n "${LATER-}" ]; then
		printf '%q ' "$@" >>checks
		echo >>checks
		return
	fi
	python3 "$ROOT/tests/check.py" "$@"
}

# Runs COMMAND until it succeeds.
until_ok() {
	local end=$((SECONDS + WAIT))
	until "$@"; do
		[ $SECONDS -lt $end ] || fail "waited $WAIT s for: $*"
		read -rt 0.05 <> <(:) || true
	done
}

# Pages by which a function of an RSS ledger may be off: before Linux 6.2 a thread's faults are counted 64 at a time.
rss_batch=0
! grep -aq mm_rss_stat /sys/kernel/btf/vmlinux || rss_batch=72

pids=()
at_exit() {
	local pid
	for pid in "${pids[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
	done
}
trap at_exit EXIT

# target NAME COMMAND...: starts it with its input and output in our hands.
# target_say NAME LINE, target_hear NAME (into $heard), $NAME_pid, target_end NAME > LEDGER
declare -A target_in target_out target_pid
target() {
	local name=$1 in out
	shift
	mkfifo "$name.in" "$name.out"
	"$@" <"$name.in" >"$name.out" 2>"$name.err" &
	target_pid[$name]=$!
	pids+=($!)
	exec {in}>"$name.in" {out}<"$name.out"
	target_in[$name]=$in
	target_out[$name]=$out
}

target_say() {
	echo "$2" >&"${target_in[$1]}"
}

target_hear() {
	heard=
	IFS= read -r -t "$WAIT" -u "${target_out[$1]}" heard || {
		cat "$1.err" >&2
		fail "$1 says nothing"
	}
}

target_ready() {
	target_hear "$1"
	[ "${heard%% *}" = ready ] || fail "$1 said '$heard', want ready"
}

target_work() {
	target_say "$1" go
	target_hear "$1"
	is "$heard" "done" "$1's answer to go"
}

# Ends it; its ledger is in NAME.ledger.
target_end() {
	target_say "$1" quit
	cat <&"${target_out[$1]}" >"$1.ledger"
	wait "${target_pid[$1]}" || fail "$1 ended with $?"
}

# all_of_it ARG...: into $whole, with --mode exact where nothing else is said: ledgers are compared with every allocation.
all_of_it() {
	case " $* " in
	*" --mode "* | *" --max-overhead "* | *" --live "*) whole=("$@") ;;
	" record "*) whole=("$1" --mode exact "${@:2}") ;;
	*) whole=(--mode exact "$@") ;;
	esac
}

# snoop ARG...: starts allocsnoop and returns when every probe is armed. One at a time.
snoop() {
	snoop_launch "$@"
	snoop_attached
}

snoop_launch() {
	[ -x "$SNOOP" ] || fail "no $SNOOP"
	: >snoop.err
	all_of_it "$@"
	"$SNOOP" "${whole[@]}" >snoop.out 2>snoop.err </dev/null &
	snoop_pid=$!
	pids+=($!)
}

snoop_attached() {
	local end=$((SECONDS + WAIT))
	until grep -q '^allocsnoop: attached to [0-9]' snoop.err; do
		kill -0 "$snoop_pid" 2>/dev/null || {
			cat snoop.err >&2
			fail "allocsnoop ended before it was attached"
		}
		[ $SECONDS -lt $end ] || fail "allocsnoop is not attached after $WAIT s"
		read -rt 0.02 <> <(:) || true
	done
}

# Waits until allocsnoop is gone; fails unless with exit code $1 (0).
snoop_wait() {
	local rc=0
	wait "$snoop_pid" || rc=$?
	[ $rc = "${1:-0}" ] || {
		cat snoop.err >&2
		fail "allocsnoop's exit code is $rc, want ${1:-0}"
	}
}

snoop_stop() {
	kill -INT "$snoop_pid"
	snoop_wait 0
}

# expect_error CODE REGEX ARG...: allocsnoop ARG... ends at once with CODE, and says
# why in one line that matches REGEX; standard output stays empty.
expect_error() {
	local code=$1 regex=$2 rc=0
	shift 2
	timeout "$WAIT" "${as[@]}" "$SNOOP" "$@" >error.out 2>error.err </dev/null || rc=$?
	cat error.err
	[ $rc = "$code" ] || fail "allocsnoop $*: exit code $rc, want $code"
	[ ! -s error.out ] || fail "allocsnoop $*: writes to standard output"
	grep -Eiq -- "$regex" error.err || fail "allocsnoop $*: the message does not match: $regex"
	is "$(wc -l <error.err)" 1 "number of lines of the message"
}
as=()

# Ids of everything of BPF in the kernel, sorted.
bpf_objects() {
	local kind
	for kind in prog link map; do
		bpftool $kind show -j | python3 -c 'import json, sys
for o in json.load(sys.stdin): print(sys.argv[1], o["id"], o.get("name", ""), o.get("type", ""))' $kind
	done | sort
}

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# rss.sh [REPEATS]: what the RSS ledger costs a program that faults as fast as it can,
# against perf and bpftrace, as root. All in one run, in turn, so that what the machine does meanwhile
# meets all of them: nanoseconds of CPU a page, the median and the range, and the ratio
# to the round without anybody just before. Programs that are missing are left out.
set -euo pipefail
cd "$(dirname "$0")/../.."
snoop=${O:-.output}/allocsnoop
repeats=${1:-7}
tmp=$(mktemp -d)
tracer=
cleanup() {
	[ -z "$tracer" ] || kill -TERM "$tracer" 2>/dev/null || true
	[ -z "${target:-}" ] || kill "$target" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT

gcc -O1 -fno-omit-frame-pointer -o "$tmp/faults" tools/bench/faults.c
mkfifo "$tmp/in" "$tmp/out"
"$tmp/faults" 5000 20 12 <"$tmp/in" >"$tmp/out" &
target=$!
exec 3>"$tmp/in" 4<"$tmp/out"

measure() { # NAME
	local ns
	echo go >&3
	read -r ns <&4
	echo "$ns" >>"$tmp/$1"
}

said() { # REGEX
	grep -Eq "$1" "$tmp/log"
}

has_events() {
	ls -l "/proc/$tracer/fd" 2>/dev/null | grep -q perf_event
}

# trace NAME "READY..." COMMAND...: a round without it and one with it, once it is ready.
trace() {
	local name=$1 ready=$2 end=$((SECONDS + 30))
	shift 2
	measure "$name.without"
	: >"$tmp/log"
	"$@" >"$tmp/log" 2>&1 </dev/null &
	tracer=$!
	until $ready; do
		kill -0 "$tracer" 2>/dev/null && [ $SECONDS -lt $end ] || {
			cat "$tmp/log" >&2
			exit 1
		}
		read -rt 0.05 <> <(:) || true
	done
	measure warm # what is set up at the first events
	measure "$name"
	kill -TERM "$tracer"
	wait "$tracer" || true
	tracer=
}

tools=(ledger asked)
command -v perf >/dev/null && tools+=(perf)
command -v bpftrace >/dev/null && tools+=(bpftrace)
measure warm
for _ in $(seq "$repeats"); do
	trace ledger 'said attached' "$snoop" -p "$target" --source rss --format json -o "$tmp/json"
	for tool in "${tools[@]:1}"; do
		case $tool in
		# The same, and whose memory it is.
		asked) trace asked 'said attached' "$snoop" -p "$target" --source mmap,rss --format json -o "$tmp/json" ;;
		perf) trace perf has_events perf record -q -e page-faults -c 1 -g -p "$target" -o "$tmp/perf.data" ;;
		bpftrace) trace bpftrace 'said Attach' bpftrace -p "$target" -e \
			"software:page-faults:1 /pid == $target/ { @[ustack(perf)] = count(); }" ;;
		esac
	done
done

python3 - "$tmp" "${tools[@]}" <<-'P'
import statistics, sys
def read(name):
    with open("%s/%s" % (sys.argv[1], name)) as f:
        return [float(line) for line in f]
print("%-10s %12s %22s %9s %16s" % ("tracer", "ns a page", "range", "ratio", "range"))
bare = [x for tool in sys.argv[2:] for x in read(tool + ".without")]
print("%-10s %12.0f %22s" % ("none", statistics.median(bare), "%.0f-%.0f" % (min(bare), max(bare))))
for tool in sys.argv[2:]:
    got = read(tool)
    ratios = [a / b for a, b in zip(got, read(tool + ".without"))]
    print("%-10s %12.0f %22s %9.2f %16s" % (tool, statistics.median(got), "%.0f-%.0f" % (min(got), max(got)),
                                             statistics.median(ratios), "%.2f-%.2f" % (min(ratios), max(ratios))))
P

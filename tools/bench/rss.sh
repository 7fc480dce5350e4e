#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# rss.sh [REPEATS]: what the RSS ledger costs a program that faults as fast as it can,
# against perf and bpftrace, as root. All in one run, in turn, so that what the machine does meanwhile
# meets all of them: nanoseconds of CPU a page, the median and the range, and the ratio
# to the round without anybody just before. Programs that are missing are left out.
#
# rss.sh prometheus [REPEATS]: prometheus under load, in turn without and with the ledger: requests a
# second and their ratio, and what the report says that tracing cost (overhead.pct).
set -euo pipefail
cd "$(dirname "$0")/../.."
snoop=${O:-.output}/allocsnoop
program=faults
if [ "${1:-}" = prometheus ]; then
	program=prometheus
	shift
fi
repeats=${1:-7}
tmp=$(mktemp -d)
tracer=
target=
cleanup() {
	[ -z "$tracer" ] || kill -TERM "$tracer" 2>/dev/null || true
	[ -z "$target" ] || kill "$target" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT

tracer_ready() { # READY...: waits
	local end=$((SECONDS + 60))
	until "$@"; do
		kill -0 "$tracer" 2>/dev/null && [ $SECONDS -lt $end ] || {
			cat "$tmp/log" >&2
			exit 1
		}
		read -rt 0.05 <> <(:) || true
	done
}

said() { # REGEX
	grep -Eq "$1" "$tmp/log"
}

start_tracer() { # COMMAND...
	: >"$tmp/log"
	"$@" >"$tmp/log" 2>&1 </dev/null &
	tracer=$!
}

stop_tracer() {
	kill -TERM "$tracer"
	wait "$tracer" || true
	tracer=
}

# --- prometheus

URL=http://127.0.0.1:19392

requests() { # NAME: a second, for five seconds of load
	wrk -t1 -c4 -d5s "$URL/api/v1/query?query=sum(rate(prometheus_http_requests_total%5B5m%5D))by(handler)" >"$tmp/wrk"
	awk '/^Requests\/sec/ { print $2 }' "$tmp/wrk" >>"$tmp/$1"
}

bench_prometheus() {
	local end=$((SECONDS + 60))
	echo 'global: { scrape_interval: 1h, evaluation_interval: 1h }' >"$tmp/prometheus.yml"
	prometheus --config.file="$tmp/prometheus.yml" --storage.tsdb.path="$tmp/data" \
		--web.listen-address=${URL#http://} --log.level=warn >"$tmp/prometheus.log" 2>&1 </dev/null &
	target=$!
	until curl -sf -m 5 -o "$tmp/ready" "$URL/-/ready"; do
		[ $SECONDS -lt $end ] || exit 1
		read -rt 0.1 <> <(:) || true
	done
	requests warm
	for _ in $(seq "$repeats"); do
		requests untraced
		start_tracer "$snoop" -p "$target" --source rss --format json -o "$tmp/json"
		tracer_ready said attached
		requests traced
		stop_tracer
		python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["overhead"]["pct"])' "$tmp/json" >>"$tmp/pct"
	done
	python3 - "$tmp" <<-'P'
	import statistics, sys
	def read(name):
	    with open("%s/%s" % (sys.argv[1], name)) as f:
	        return [float(line) for line in f]
	def row(name, values, digits):
	    print("%-34s %10.*f  %.*f-%.*f" % (name, digits, statistics.median(values), digits, min(values), digits, max(values)))
	untraced, traced = read("untraced"), read("traced")
	row("requests/s untraced", untraced, 0)
	row("requests/s with --source rss", traced, 0)
	row("ratio to the one just before", [b / a for a, b in zip(untraced, traced)], 3)
	row("% of its CPU, as reported", read("pct"), 2)
	P
}

if [ $program = prometheus ]; then
	bench_prometheus
	exit
fi

# --- faults

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

has_events() {
	ls -l "/proc/$tracer/fd" 2>/dev/null | grep -q perf_event
}

# trace NAME "READY..." COMMAND...: a round without it and one with it, once it is ready.
trace() {
	local name=$1 ready=$2
	shift 2
	measure "$name.without"
	start_tracer "$@"
	# shellcheck disable=SC2086 # a command and its argument
	tracer_ready $ready
	measure warm # what is set up at the first events
	measure "$name"
	stop_tracer
}

tools=(no-areas no-stacks ledger asked by-faults)
command -v perf >/dev/null && tools+=(perf)
command -v bpftrace >/dev/null && tools+=(bpftrace)
measure warm
for _ in $(seq "$repeats"); do
	for tool in "${tools[@]}"; do
		case $tool in
		# The same, and whose memory it is.
		asked) trace asked 'said attached' "$snoop" -p "$target" --source mmap,rss --format json -o "$tmp/json" ;;
		no-areas) trace no-areas 'said attached' "$snoop" -p "$target" --source rss --no-stacks --no-areas --format json -o "$tmp/json" ;;
		no-stacks) trace no-stacks 'said attached' "$snoop" -p "$target" --source rss --no-stacks --format json -o "$tmp/json" ;;
		ledger) trace ledger 'said attached' "$snoop" -p "$target" --source rss --format json -o "$tmp/json" ;;
		by-faults) trace by-faults 'said attached' env ALLOCSNOOP_RSS_METHOD=page_faults \
			"$snoop" -p "$target" --source rss --format json -o "$tmp/json" ;;
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

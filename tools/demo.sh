#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The demo: a small Go service that grows, and what allocsnoop says about it while
# it runs. Everything stays on 127.0.0.1, and the service ends by itself after a
# minute whatever happens to this script. DEMO_RATE: orders per second.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."
O=${O:-.output}

say() {
	printf '\n== %s\n' "$*"
}

if [ "$(id -u)" != 0 ]; then
	echo "demo.sh: probes need root; run: sudo make demo" >&2
	exit 3
fi

say "installing what is missing, building"
tools/install-deps.sh build demo
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -j"$(nproc)" O="$O" "$O/allocsnoop"
mkdir -p "$O/demo"
bin=$(cd "$O/demo" && pwd)
snoop=$(cd "$O" && pwd)/allocsnoop
(cd tools/demo && CGO_ENABLED=0 GOFLAGS='' GOWORK=off GO111MODULE=on GOTOOLCHAIN=local \
	GOCACHE="${GOCACHE:-$bin/gocache}" go build -buildvcs=false -o "$bin/orders" .)

tmp=$(mktemp -d)
service=
cleanup() {
	if [ -n "$service" ]; then
		kill "$service" 2>/dev/null || true
		wait "$service" 2>/dev/null || true
	fi
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

rss_kib() {
	awk '/^VmRSS:/ { print $2 }' "/proc/$service/status"
}

say "starting a service that takes orders as JSON (tools/demo/main.go)"
mkfifo "$tmp/out"
"$bin/orders" -rate "${DEMO_RATE:-1500}" -for 60s >"$tmp/out" 2>"$tmp/err" </dev/null &
service=$!
exec 3<"$tmp/out"
if ! read -r -t 20 _ _ url <&3; then
	cat "$tmp/err" >&2
	echo "demo.sh: the service did not start" >&2
	exit 1
fi
echo "PID $service at $url; RSS now $(rss_kib) kB"

say "allocsnoop -p $service --live -n 4 -o - -o demo.folded -o demo.pb.gz 3 3"
cd "$here"
before=$(rss_kib)
"$snoop" -p "$service" --live -n 4 -o - -o demo.folded -o demo.pb.gz 3 3
after=$(rss_kib)

say "RSS by /proc/$service/status: $before kB before, $after kB after: $((after - before)) kB more"
if ! curl -sf -m 5 "$url/sales" >"$tmp/sales" 2>/dev/null && command -v curl >/dev/null; then
	echo "demo.sh: the service does not answer any more" >&2
	exit 1
fi

say "written"
ls -l demo.folded demo.pb.gz
cat <<T

Now try:
  go tool pprof -top -sample_index=alloc_space demo.pb.gz
  go tool pprof -http=127.0.0.1:8080 demo.pb.gz
  flamegraph.pl demo.folded > demo.svg          (or drop demo.folded onto speedscope.app)
The leak is in (*Server).remember: keys that nobody finds again.
T

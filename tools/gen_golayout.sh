#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Regenerate user/go/golayout_table.c: build a small program with every Go toolchain
# that tools/fetch-lab.sh knows, for amd64 and arm64, and with the experiments that
# change the runtime's structures; tools/golayout reads their DWARF.
#
#   gen_golayout.sh [FILE]       "-": standard output
#
# A new version of Go: add it to fetch-lab.sh and run this. A new field: a line in
# tools/golayout/main.go and a member in user/go/golayout.h.
set -eu
cd "$(dirname "$0")/.."

out=${1:-user/go/golayout_table.c}
LAB=${ALLOCSNOOP_LAB:-/var/cache/allocsnoop-lab}

# Those that the runtime's code asks for and that are not compiled out of its data. Not noswissmap
# (1.24, 1.25): it brings hmap back, but labels are no map any more.
experiments()
{
	case $1 in
	1.15) ;;
	1.19) echo staticlockranking ;;
	1.21) echo staticlockranking pagetrace ;;
	1.22) echo staticlockranking pagetrace noallocheaders noexectracer2 ;;
	1.23) echo staticlockranking ;;
	1.24) echo staticlockranking nospinbitmutex ;;
	1.26) echo staticlockranking sizespecializedmalloc runtimesecret runtimefreegc nogreenteagc ;;
	*) echo staticlockranking nosizespecializedmalloc runtimesecret runtimefreegc nogreenteagc ;;
	esac
}

# build VERSION ARCH EXPERIMENT FILE
build()
{
	GOROOT=$LAB/go/$1 GOARCH=$2 GOEXPERIMENT=$3 GOTOOLCHAIN=local GO111MODULE=off CGO_ENABLED=0 GOFLAGS="" \
		GOOS=linux GOCACHE="$work/cache" "$LAB/go/$1/bin/go" build -o "$4" "$work/main.go"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$work/main.go" <<'END'
package main

import (
	"context"
	"os"
	"runtime"
	"runtime/pprof"
)

var sink []byte

func main() {
	sink = make([]byte, len(os.Args))
	pprof.Do(context.Background(), pprof.Labels("key", "value"), func(context.Context) { runtime.GC() })
	runtime.MemProfile(nil, true)
}
END

versions=$(tools/fetch-lab.sh list | sed -n 's/^go: //p')
# shellcheck disable=SC2086 # a list
tools/fetch-lab.sh go $versions >&2
set --
for v in $versions; do
	for arch in amd64 arm64; do
		build "$v" $arch "" "$work/$v-$arch"
		set -- "$@" "${v#1.}::$work/$v-$arch"
	done
	for x in $(experiments "$v"); do
		build "$v" amd64 "$x" "$work/$v-$x"
		set -- "$@" "${v#1.}:$x:$work/$v-$x"
	done
	newest=$v
done
GOROOT=$LAB/go/$newest GOTOOLCHAIN=local GO111MODULE=off GOFLAGS='' GOCACHE="$work/cache" \
	"$LAB/go/$newest/bin/go" build -o "$work/golayout" tools/golayout/*.go
"$work/golayout" tools/golayout/derived.txt "$@" >"$work/table.c"
if [ "$out" = - ]; then
	cat "$work/table.c"
else
	cp "$work/table.c" "$out"
fi

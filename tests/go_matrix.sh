#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# go_matrix.sh [VERSION...]
#
# The Go test program (tests/targets/go/alloc) built by every toolchain of the lab
# (tools/fetch-lab.sh go), in every shape, under the tool: objects and bytes equal to
# runtime.MemStats, each stack equal to the memory profile's at rate 1. Prints a
# table; the last line is "N passed, N failed, N skipped".
#
# VERSION+EXPERIMENT is a version with a GOEXPERIMENT. The GC is off (-1) in the
# table's numbers, so that bytes are equal to the byte, and on (GOGC=10) in a second
# run, where a GC assist between probe and tiny allocator may move 16 bytes.
set -u
cd "$(dirname "$0")/.."
export ROOT=$PWD O=${O:-.output}
case $O in /*) export OUT=$O ;; *) export OUT=$ROOT/$O ;; esac
LAB=${ALLOCSNOOP_LAB:-/var/cache/allocsnoop-lab}
versions=("$@")
[ $# -gt 0 ] || versions=(1.15 1.19 1.21 1.22 1.23 1.24 1.26 1.26+sizespecializedmalloc 1.27)
passed=0 failed=0 skipped=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/allocsnoop-go.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

if [ "$(id -u)" != 0 ]; then
	echo "go_matrix.sh: probes need root: nothing was tested" >&2
	echo "0 passed, 0 failed, ${#versions[@]} skipped"
	exit 0
fi

# shape CGO FLAGS...
shape() {
	case $1 in
	plain) echo 0 ;;
	stripped) echo 0 -ldflags=-s\ -w ;;
	pie) echo 0 -buildmode=pie ;;
	cgo) echo 1 ;;
	esac
}

build() { # VERSION SHAPE
	local goroot experiment='' flags
	goroot=$(readlink -f "$LAB/go/${1%%+*}") || return
	[ "${1#*+}" = "$1" ] || experiment=${1#*+}
	read -r cgo flags <<<"$(shape "$2")"
	(cd tests/targets/go/alloc && CGO_ENABLED=$cgo GOROOT=$goroot GOEXPERIMENT=$experiment GOFLAGS='' GO111MODULE=on \
		GOTOOLCHAIN=local GOWORK=off GOCACHE="$LAB/gocache/$1" "$goroot/bin/go" build ${flags:+"$flags"} \
		-o "$tmp/alloc-$1-$2" .) >"$tmp/build.log" 2>&1
}

run() { # PROGRAM ARG...
	(
		. tests/lib.sh
		T=$(mktemp -d "$tmp/t.XXXXXX")
		cd "$T" || exit 1
		trap at_exit EXIT
		target go "$@"
		target_ready go
		snoop -p "${target_pid[go]}" --format json -o go.json
		target_work go
		snoop_stop
		target_end go
		check go go.json go.ledger
	)
}

note() { # FILE WHAT
	sed -n "s/^note: $2 //p" "$1" | head -1
}

tools/fetch-lab.sh go "${versions[@]%%+*}" || exit 1
# The table of runtime layouts against the DWARF of every toolchain (without root it would do as well).
if ALLOCSNOOP_LAB=$LAB "$OUT/tests/unit/test_golayout" >"$tmp/golayout" 2>&1 && ! grep -q '^skip' "$tmp/golayout"; then
	passed=$((passed + 1))
	echo "runtime layouts: ok"
else
	failed=$((failed + 1))
	echo "runtime layouts: NOT OK"
	sed 's/^/    /' "$tmp/golayout"
fi
printf '%-28s %-9s %-26s %-32s %s\n' "Go" shape "objects" "bytes" "stacks"
for version in "${versions[@]}"; do
	for shape in plain stripped pie cgo; do
		if ! build "$version" $shape; then
			skipped=$((skipped + 1))
			printf '%-28s %-9s skip: does not build: %s\n' "$version" $shape "$(grep -v '^#' "$tmp/build.log" | head -1)"
			continue
		fi
		verdict=ok
		run "$tmp/alloc-$version-$shape" -gogc -1 >"$tmp/off" 2>&1 || verdict="NOT OK"
		run "$tmp/alloc-$version-$shape" -gogc 10 >"$tmp/on" 2>&1 || verdict="NOT OK"
		stacks=$(sed -n 's/^note: \([0-9]*\) stacks equal.*/\1 equal/p' "$tmp/off")
		printf '%-28s %-9s %-26s %-32s %-10s %s\n' "$version" $shape "$(note "$tmp/off" alloc_objects)" \
			"$(note "$tmp/off" alloc_bytes)" "$stacks" "$verdict"
		if [ "$verdict" = ok ]; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			grep -h FAILED "$tmp/off" "$tmp/on" | head -20 | cut -c1-400 | sed 's/^/    /'
		fi
	done
done
printf '\n%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# go_matrix.sh [--markdown FILE] [VERSION...]
#
# The Go test program (tests/targets/go/alloc) built by every toolchain of the lab
# (tools/fetch-lab.sh go), in every shape, under the tool: objects and bytes equal to
# runtime.MemStats, each stack equal to the memory profile's at rate 1. Prints a
# table (and writes it to FILE, in Markdown); the last line is "N passed, N failed,
# N skipped".
#
# VERSION+EXPERIMENT is a version with a GOEXPERIMENT, of which only the plain shape
# is built. Each build runs three times:
#   off   GC off, one P: nothing can come between the probe and the allocator, all
#         numbers of the table are from here and equal to the byte;
#   par   GC off, two Ps: in Go 1.21 to 1.23 a preemption there may move 16 bytes of tiny objects;
#   gc    GOGC=10, two Ps: so may a GC assist, but in 1.24 to 1.26 without size-specialised
#         doors. Their columns are bytes off MemStats.
# And once as tests/targets/go/memory, whose RSS has a name and whose numbers are MemStats' (the verdict tells), and as
# tests/targets/go/spans, whose pages are stacks' or of who asked for them.
set -u
cd "$(dirname "$0")/.." || exit 1
export ROOT=$PWD O=${O:-.output}
case $O in /*) export OUT=$O ;; *) export OUT=$ROOT/$O ;; esac
LAB=${ALLOCSNOOP_LAB:-/var/cache/allocsnoop-lab}
markdown=
if [ "${1-}" = --markdown ]; then
	markdown=${2:?--markdown needs a file}
	shift 2
fi
# The experiments that change what the allocator or a map does, in one direction or the other.
versions=("$@")
[ $# -gt 0 ] || versions=(1.15 1.19 1.21 1.22 1.22+noallocheaders 1.23 1.24 1.24+noswissmap
	1.26 1.26+sizespecializedmalloc 1.26+nogreenteagc 1.26+runtimefreegc 1.26+sizespecializedmalloc,runtimefreegc 1.26+arenas
	1.27 1.27+nosizespecializedmalloc 1.27+nogreenteagc 1.27+runtimefreegc 1.27+mapsplitgroup 1.27+runtimesecret)
passed=0 failed=0 skipped=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/allocsnoop-go.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

if [ "$(id -u)" != 0 ]; then
	echo "go_matrix.sh: probes need root: nothing was tested" >&2
	echo "0 passed, 0 failed, ${#versions[@]} skipped"
	exit 0
fi

shapes() { # VERSION
	case $1 in
	*+*) echo plain ;;
	*) echo plain stripped pie cgo ;;
	esac
}

# shape CGO FLAGS...
shape() {
	case $1 in
	plain) echo 0 ;;
	stripped) echo 0 -ldflags=-s\ -w ;;
	pie) echo 0 -buildmode=pie ;;
	cgo) echo 1 ;;
	esac
}

build() { # VERSION SHAPE PROGRAM
	local goroot experiment='' flags
	goroot=$(readlink -e "$LAB/go/${1%%+*}") || return 77
	[ "${1#*+}" = "$1" ] || experiment=${1#*+}
	read -r cgo flags <<<"$(shape "$2")"
	case $experiment in *runtimefreegc*) flags=-ldflags=-checklinkname=0 ;; esac
	(cd "tests/targets/go/$3" && CGO_ENABLED=$cgo GOROOT=$goroot GOEXPERIMENT=$experiment GOFLAGS='' GO111MODULE=on \
		GOTOOLCHAIN=local GOWORK=off GOCACHE="$LAB/gocache/$1" "$goroot/bin/go" build ${flags:+"$flags"} \
		-o "$tmp/$3" .) >"$tmp/build.log" 2>&1
}

# The version that the program states ends with the experiments it was built with, in the runtime's own order.
has_experiments() { # VERSION LEDGER
	local experiment
	case $1 in *+*) ;; *) return ;; esac
	for experiment in $(tr , ' ' <<<"${1#*+}"); do
		grep -q "\"go\":\"[^\"]*\b$experiment\b" "$2" || fail "the program is built without $experiment"
	done
}

run() { # VERSION PROGRAM ARG...: prints what check.py says
	local version=$1
	shift
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
		has_experiments "$version" go.ledger
		check go go.json go.ledger
	)
}

note() { # FILE WHAT
	sed -n "s/^note: $2 //p" "$tmp/$1" | head -1
}

memory() { # VERSION SHAPE: prints what check.py says
	build "$1" "$2" memory || return
	(
		. tests/lib.sh
		T=$(mktemp -d "$tmp/t.XXXXXX")
		cd "$T" || exit 1
		trap at_exit EXIT
		target go "$tmp/memory" fragmented
		target_ready go
		snoop -p "${target_pid[go]}" --source rss --format json -o go.json
		snoop_stop
		target_end go
		check go-memory go.json go.ledger fragmentation off_heap?
	)
}

spans() { # VERSION SHAPE: prints what check.py says
	build "$1" "$2" spans || return
	(
		. tests/lib.sh
		T=$(mktemp -d "$tmp/t.XXXXXX")
		cd "$T" || exit 1
		trap at_exit EXIT
		for what in stacks large small; do
			target s "$tmp/spans" $what
			target_ready s
			snoop -p "${target_pid[s]}" --source go,rss --live --format json -o s.json
			target_work s
			snoop_stop
			target_end s
			check touched-spans s.json s.ledger $what
			rm s.in s.out
		done
	)
}

# Bytes off MemStats: 0, or what check.py has in parentheses; of reused objects, how many.
off_by() { # FILE
	local reused
	reused=$(note "$1" reused)
	[ -z "$reused" ] || {
		echo "reused ${reused%% *}"
		return
	}
	note "$1" alloc_bytes | sed -n 's/.*(\([-+][0-9]*\))$/\1/p' | grep . || echo 0
}

# One row, in both forms. Cells: Go shape objects bytes worst stacks par gc seconds verdict
print_row() {
	printf '%-34s %-8s %-28s %-40s %-22s %-11s %-10s %-10s %5s  %s\n' "$@"
	[ -z "$markdown" ] || printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$@" >>"$markdown"
}

print_head() {
	[ -z "$markdown" ] || : >"$markdown"
	print_row Go shape objects bytes "worst site" stacks "2 Ps" "GOGC=10" s verdict
	[ -z "$markdown" ] || echo '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |' >>"$markdown"
}

since() { # MILLISECONDS
	local ms=$(($(date +%s%N) / 1000000 - $1))
	printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

one() { # VERSION SHAPE
	local t0 verdict=ok rc=0
	t0=$(($(date +%s%N) / 1000000))
	build "$1" "$2" alloc || rc=$?
	case $rc in
	0) ;;
	77)
		skipped=$((skipped + 1))
		printf '%-34s %-8s skip: no toolchain\n' "$1" "$2"
		return
		;;
	*)
		failed=$((failed + 1))
		printf '%-34s %-8s NOT OK: does not build\n' "$1" "$2"
		head -20 "$tmp/build.log" | sed 's/^/    /' | cut -c1-400
		return
		;;
	esac
	run "$1" "$tmp/alloc" -gogc -1 -procs 1 >"$tmp/off" 2>&1 || verdict="NOT OK"
	run "$1" "$tmp/alloc" -gogc -1 >"$tmp/par" 2>&1 || verdict="NOT OK"
	run "$1" "$tmp/alloc" -gogc 10 >"$tmp/gc" 2>&1 || verdict="NOT OK"
	memory "$1" "$2" >"$tmp/memory.out" 2>&1 || verdict="NOT OK"
	: >"$tmp/spans.out"
	case $1-$2 in
	*+*) ;; # of most experiments it is not known where spans are
	*-plain) spans "$1" "$2" >"$tmp/spans.out" 2>&1 || verdict="NOT OK" ;;
	esac
	print_row "$1" "$2" "$(note off alloc_objects)" "$(note off alloc_bytes)" "$(note off 'worst site' | sed 's/ (.*//')" \
		"$(note off stacks)" "$(off_by par)" "$(off_by gc)" "$(since "$t0")" "$verdict"
	if [ "$verdict" = ok ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		{
			echo "$1 $2"
			grep -H FAILED "$tmp/off" "$tmp/par" "$tmp/gc" "$tmp/memory.out" "$tmp/spans.out" | head -20 | sed "s|^$tmp/|    |" | cut -c1-400
		} | tee -a "$tmp/failures"
	fi
	rm -rf "$tmp"/t.*
}

# One that cannot be fetched is skipped build by build.
fetched=yes
for version in $(printf '%s\n' "${versions[@]%%+*}" | uniq); do
	tools/fetch-lab.sh go "$version" || fetched=no
done
# The table of runtime layouts against the DWARF of every toolchain (without root it would do as well).
if [ $fetched = no ]; then
	skipped=$((skipped + 1))
	echo "runtime layouts: skip: not all toolchains are there"
elif ALLOCSNOOP_LAB=$LAB "$OUT/tests/unit/test_golayout" >"$tmp/golayout" 2>&1 && ! grep -q '^skip' "$tmp/golayout"; then
	passed=$((passed + 1))
	echo "runtime layouts: ok"
else
	failed=$((failed + 1))
	echo "runtime layouts: NOT OK"
	sed 's/^/    /' "$tmp/golayout"
fi
begun=$(($(date +%s%N) / 1000000))
print_head
for version in "${versions[@]}"; do
	for shape in $(shapes "$version"); do
		one "$version" "$shape"
	done
done
printf '\n%s s\n' "$(since "$begun")"
# Once more at the end: of a long log often only that is kept.
[ ! -e "$tmp/failures" ] || sed '1i\not ok:' "$tmp/failures"
printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped | tee "$OUT/tests/summary-go"
[ $failed -eq 0 ]

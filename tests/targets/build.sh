#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# build.sh FOLDER: every target program of the tests, in each way it is wanted.
# A target that this system cannot build (32-bit, static, cgo) is left out; the
# tests that need it skip.
set -euo pipefail
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")"

warn="-Wall -Wextra -Werror"
common="-std=gnu11 -D_GNU_SOURCE -g $warn"

# newer TARGET SOURCE...: must it be made?
newer() {
	local target=$1 src
	shift
	[ -e "$target" ] || return 0
	for src in "$@" build.sh; do
		[ "$src" -nt "$target" ] && return 0
	done
	return 1
}

# cc NAME SOURCE FLAGS...
cc() {
	local name=$1 src=$2
	shift 2
	newer "$out/$name" "c/$src" c/*.h || return 0
	# shellcheck disable=SC2086 # flags
	gcc $common "$@" -o "$out/$name" "c/$src" -lpthread
}

fp="-O1 -fno-omit-frame-pointer"
nofp="-O2 -fomit-frame-pointer"
for name in advise alloc asker peak stay touch pages mapper loop shares fork exec short dlopen; do
	# shellcheck disable=SC2086
	cc $name $name.c $fp
done
# shellcheck disable=SC2086
cc crowd crowd.c $fp -g0 # its names are in the symbol table
# shellcheck disable=SC2086
{
	cc alloc-nofp alloc.c $nofp
	# At fixed addresses: one program's are another's.
	cc odd odd.c $fp -fno-builtin -fno-pie -no-pie
	cc short-fixed short.c $fp -fno-pie -no-pie
	cc hostile hostile.c $nofp -ldl
	cc plug.so plug.c $nofp -shared -fPIC -Wl,--build-id=0x0123456789abcdef0123456789abcdef01234567
	cc libplugin.so plugin.c $fp -shared -fPIC
	cc alloc-static alloc.c $fp -static || rm -f "$out/alloc-static"
	cc mapper-static mapper.c $fp -static || rm -f "$out/mapper-static"
}
if command -v musl-gcc >/dev/null; then
	for static in "" -static; do
		# shellcheck disable=SC2086
		newer "$out/alloc-musl$static" c/alloc.c c/ledger.h && musl-gcc $common $fp $static -o "$out/alloc-musl$static" c/alloc.c
	done
	# Of other allocators, linked and static.
	for lib in jemalloc tcmalloc_minimal mimalloc; do
		newer "$out/alloc-$lib" c/alloc.c c/ledger.h || continue
		# shellcheck disable=SC2086
		gcc $common $fp -fno-builtin -o "$out/alloc-$lib" c/alloc.c -l$lib -lpthread 2>/dev/null || rm -f "$out/alloc-$lib"
	done
	if newer "$out/alloc-jemalloc-static" c/alloc.c c/ledger.h; then
		# shellcheck disable=SC2086
		gcc $common $fp -fno-builtin -o "$out/alloc-jemalloc-static" c/alloc.c -Wl,-Bstatic -ljemalloc -lstdc++ -Wl,-Bdynamic -lpthread -lm -ldl 2>/dev/null ||
			rm -f "$out/alloc-jemalloc-static"
	fi
fi
newer "$out/leak" c/leak.cc && g++ -std=c++17 -O1 -fno-omit-frame-pointer -g $warn -o "$out/leak" c/leak.cc
newer "$out/throw" c/throw.cc && g++ -std=c++17 -O1 -fno-omit-frame-pointer -g $warn -Wno-alloc-size-larger-than -o "$out/throw" c/throw.cc
cp "$out/alloc-static" "$out/alloc-static-stripped" 2>/dev/null && strip "$out/alloc-static-stripped"
newer "$out/new" c/new.cc c/ledger.h && g++ -O1 -fno-omit-frame-pointer -g $warn -o "$out/new" c/new.cc
gcc -nostdlib -static -o "$out/bare" c/bare.S
gcc -m32 -nostdlib -static -o "$out/bare32" c/bare.S 2>/dev/null || rm -f "$out/bare32"

# gobuild FOLDER NAME CGO FLAGS...
gobuild() {
	local folder=$1 name=$2 cgo=$3
	shift 3
	newer "$out/$name" go/go.mod go/talk/* "go/$folder"/* || return 0
	(cd "go/$folder" && CGO_ENABLED=$cgo GOFLAGS='' GOWORK=off GO111MODULE=on GOTOOLCHAIN=local \
		GOCACHE="${GOCACHE:-$out/gocache}" go build -buildvcs=false "$@" -o "$out/$name" .)
}

gobuild alloc go-plain 0
gobuild alloc go-stripped 0 -ldflags '-s -w'
gobuild alloc go-pie 0 -buildmode=pie
gobuild alloc go-pie-stripped 0 -buildmode=pie -ldflags '-s -w'
gobuild alloc go-cgo 1
gobuild ../../../tools/bench/jsonloop go-jsonloop 0
gobuild context context-plain 0
gobuild context context-stripped 0 -ldflags '-s -w'
gobuild cgo cgo 1
gobuild cgo cgo-pie 1 -buildmode=pie
gobuild cgo cgo-stripped 1 -ldflags '-s -w'
gobuild grow grow 0
gobuild memory memory-plain 0
gobuild memory memory-stripped 0 -ldflags '-s -w'
gobuild memory memory-pie-stripped 0 -buildmode=pie -ldflags '-s -w'
gobuild spans spans-plain 0
gobuild spans spans-stripped 0 -ldflags '-s -w'
gobuild live live-plain 0
gobuild live live-stripped 0 -ldflags '-s -w'
gobuild live live-noprofile 0 -tags noprofile
gobuild heap heap 0

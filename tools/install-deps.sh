#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# install-deps.sh [build|test|demo|fuzz|bench|vm ...]: what building (the default), testing,
# the demo, the fuzzers, the benchmark or guests with other kernels need. Debian and Ubuntu: installs what is missing, and only that, by
# apt-get; silent when nothing is. Elsewhere: names what is missing, exit code 1.
#
# Services that come with a package (prometheus, redis) are kept from starting,
# and one that runs already is left alone.
set -euo pipefail

BUILD_PKGS="clang llvm libbpf-dev bpftool libelf-dev libdw-dev zlib1g-dev libiberty-dev make gcc libc6-dev pkg-config
	liblzma-dev libbz2-dev libzstd-dev libsqlite3-dev nodejs npm"
TEST_PKGS="golang-go prometheus wrk curl python3 redis-server redis-tools gdb valgrind perl binutils elfutils g++
	util-linux procps psmisc strace nginx-light postgresql cppcheck ripgrep dwz xz-utils
	nodejs chromium fonts-dejavu-core debuginfod sqlite3 heaptrack musl-tools libjemalloc-dev libgoogle-perftools-dev
	libtcmalloc-minimal4 libmimalloc-dev python3-dbg python3-jsonschema
	man-db mandoc zsh fish dpkg-dev lintian python3-yaml"
DEMO_PKGS="golang-go"
# bcc's memleak needs kernel headers; that of libbpf-tools comes by fetch-lab.sh.
BENCH_PKGS="golang-go python3 bpftrace heaptrack sqlite3 redis-server redis-tools procps binutils"
# qemu-system-common brings virtiofsd, or it is a package of its own.
VM_PKGS="qemu-system-x86 busybox-static cpio e2fsprogs util-linux perl zstd lz4 xz-utils"
# Runtime of the sanitizers and of libFuzzer for the clang that `clang` is.
clang_major=$(clang -dumpversion 2>/dev/null | cut -d. -f1 || true)
FUZZ_PKGS="clang libclang-rt-${clang_major:-14}-dev"

# What stands for the package on a system without dpkg: a program, or a header.
WANTED="build:clang build:llvm-strip build:bpftool build:make build:gcc build:/usr/include/bpf/libbpf.h
	build:/usr/include/libelf.h build:/usr/include/elfutils/libdw.h build:/usr/include/zlib.h
	build:/usr/include/zstd.h build:/usr/include/lzma.h build:/usr/include/sqlite3.h
	build:/usr/include/libiberty/demangle.h|/usr/include/demangle.h
	test:go test:prometheus test:wrk test:curl test:python3 test:redis-server test:redis-benchmark test:gdb test:valgrind test:strace
	test:perl test:readelf test:eu-readelf test:g++ test:setpriv
	demo:go fuzz:clang
	bench:go bench:python3 bench:bpftrace bench:heaptrack bench:sqlite3 bench:redis-server bench:redis-benchmark bench:readelf
	vm:qemu-system-x86_64 vm:busybox vm:cpio vm:mke2fs vm:perl vm:/usr/lib/qemu/virtiofsd|/usr/libexec/virtiofsd"

PATH=$PATH:/usr/sbin:/sbin
sets=${*:-build}
for set in $sets; do
	case $set in
	build | test | demo | fuzz | bench | vm) ;;
	*)
		echo "usage: install-deps.sh [build|test|demo|fuzz|bench|vm ...]" >&2
		exit 2
		;;
	esac
done

have() { # PROGRAM or /HEADER or /ONE|/OTHER
	local alt alts
	IFS='|' read -ra alts <<<"$1"
	for alt in "${alts[@]}"; do
		case $alt in
		/*) [ -e "$alt" ] && return 0 ;;
		*) command -v "$alt" >/dev/null && return 0 ;;
		esac
	done
	return 1
}

# A table of what is not there; 1 if anything is.
report_missing() {
	local entry missing=0
	for entry in $WANTED; do
		case " $sets " in
		*" ${entry%%:*} "*) ;;
		*) continue ;;
		esac
		have "${entry#*:}" && continue
		[ $missing = 1 ] || echo "install-deps.sh: no apt-get here; missing, by whatever name your distribution has it:"
		printf '  to %-6s %s\n' "${entry%%:*}" "${entry#*:}"
		missing=1
	done >&2
	return $missing
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	report_missing
	exit
fi

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

wanted=
for set in $sets; do
	case $set in
	build) wanted+=" $BUILD_PKGS" ;;
	test) wanted+=" $TEST_PKGS" ;;
	demo) wanted+=" $DEMO_PKGS" ;;
	fuzz) wanted+=" $FUZZ_PKGS" ;;
	bench) wanted+=" $BENCH_PKGS" ;;
	vm) wanted+=" $VM_PKGS" ;;
	esac
done

missing=
for pkg in $wanted; do
	is_installed "$pkg" && continue
	# Ubuntu before 25.04 has bpftool in linux-tools-*, Debian a package of its own.
	if [ "$pkg" = bpftool ] && [ -x /usr/sbin/bpftool ] && /usr/sbin/bpftool version >/dev/null 2>&1; then
		continue
	fi
	# A toolchain that is not from a package will do as well.
	if [ "$pkg" = golang-go ] && command -v go >/dev/null; then
		continue
	fi
	if [ "$pkg" = npm ] && command -v npm >/dev/null; then
		continue # others' nodejs brings it along, and excludes Debian's
	fi
	case " $missing " in *" $pkg "*) ;; *) missing+=" $pkg" ;; esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "install-deps.sh: missing:$missing" >&2
	echo "install-deps.sh: run it as root, or: sudo apt-get install$missing" >&2
	exit 1
fi

log=$(mktemp)
policy=
cleanup() {
	rm -f "$log"
	[ -z "$policy" ] || rm -f "$policy"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# invoke-rc.d asks this file; 101 means no. One that is there already is its owner's.
if [ ! -e /usr/sbin/policy-rc.d ]; then
	policy=/usr/sbin/policy-rc.d
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi

run() {
	"$@" >"$log" 2>&1 </dev/null && return
	echo "install-deps.sh: failed: $*" >&2
	cat "$log" >&2
	return 1
}

apt_install() {
	DEBIAN_FRONTEND=noninteractive run apt-get install -y -q --no-install-recommends "$@"
}

echo "install-deps.sh: installing$missing" >&2
run apt-get update -q
if [[ " $missing " == *" bpftool "* ]] && [ -z "$(apt-cache madison bpftool 2>/dev/null)" ]; then
	# Ubuntu: /usr/sbin/bpftool is a wrapper that insists on linux-tools-$(uname -r), also
	# where that kernel has no such package (cloud, container); the newest generic one works too.
	missing=${missing/ bpftool/}
	apt_install linux-tools-common linux-tools-generic
	if ! /usr/sbin/bpftool version >/dev/null 2>&1; then
		real=$(ls -1 /usr/lib/linux-tools/*/bpftool /usr/lib/linux-tools-*/bpftool 2>/dev/null | sort -V | tail -1 || true)
		if [ -z "$real" ]; then
			echo "install-deps.sh: no bpftool for this kernel: linux-tools-generic has none" >&2
			exit 1
		fi
		echo "install-deps.sh: /usr/sbin/bpftool refuses this kernel; build with: make BPFTOOL=$real" >&2
	fi
fi
# shellcheck disable=SC2086 # a list of words
[ -z "$missing" ] || apt_install $missing

# Should another policy-rc.d have let it start: a service that came with a package which
# only we installed is stopped again. One that was there before is not in the list.
if command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then
	for unit in prometheus redis-server nginx postgresql; do
		[[ " $missing " == *" $unit "* ]] || continue
		systemctl list-unit-files "$unit.service" >/dev/null 2>&1 || continue
		run systemctl disable --now "$unit.service" || true
	done
fi

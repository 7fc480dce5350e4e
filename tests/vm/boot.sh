#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# boot.sh [-c CPUS] [-m MIB] [-t SEC] [-k "KERNEL OPTIONS"] KERNEL FOLDER COMMAND [ARG...]
#
# Boots a kernel of the lab (tools/fetch-lab.sh kernel) under emulation, with this system's
# own files, and runs COMMAND in it as root: the guest is this system with another kernel.
#
# It sees the root file system read-only, by virtiofs, under the same paths; /tmp is an
# ext4 of its own in memory, /dev/ram1 a disk in memory that nobody uses, and FOLDER,
# which must lie outside /tmp, /run and /dev, the one place that it can write to. COMMAND's
# output is in FOLDER/log.
#
# The exit code is COMMAND's; 124: out of time, 125: the guest went down before COMMAND ended.
# The guest's console is then shown.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
LAB=${ALLOCSNOOP_LAB:-/var/cache/allocsnoop-lab}
cpus=2 mib=2048 limit=600 options=

usage() {
	sed -n '4s/^# //p' "$0" >&2
	exit 2
}

while getopts c:m:t:k: opt; do
	case $opt in
	c) cpus=$OPTARG ;;
	m) mib=$OPTARG ;;
	t) limit=$OPTARG ;;
	k) options=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 3 ] || usage
kernel=$LAB/kernel/$1
[ -d "$kernel/modules" ] || {
	echo "boot.sh: no kernel $1 in $LAB: tools/fetch-lab.sh kernel $1 gets it" >&2
	exit 2
}
mkdir -p "$2"
folder=$(cd "$2" && pwd)
shift 2
for virtiofsd in /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd; do
	[ ! -x "$virtiofsd" ] || break
done

tmp=$(mktemp -d "${TMPDIR:-/tmp}/allocsnoop-vm.XXXXXX")
fs_pid=
finish() {
	[ -z "$fs_pid" ] || kill "$fs_pid" 2>/dev/null || true
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 130' INT TERM

# The initrd does no more than to find the root file system. Not packed: every kernel takes that.
mkdir -p "$tmp"/initrd/{bin,dev,proc,sys,root,host,modules}
cp "$(command -v busybox)" "$tmp/initrd/bin/busybox"
find "$kernel/modules" -name '*.ko' -exec cp -t "$tmp/initrd/modules" {} +
cp tests/vm/init "$tmp/initrd/init"
{
	printf 'folder=%q\ninside=%q\n' "$folder" "$PWD/tests/vm/inside.sh"
} >"$tmp/initrd/settings"
(cd "$tmp/initrd" && find . | cpio -o -H newc --quiet) >"$tmp/initrd.cpio"

rm -f "$folder"/{log,rc,command,started}
printf '%q ' "$@" >"$folder/command"

start_fs() {
	local end=$((SECONDS + 30))
	rm -f "$tmp/fs"
	if "$virtiofsd" --help 2>&1 | grep -q shared-dir; then
		"$virtiofsd" --socket-path="$tmp/fs" --shared-dir=/ --sandbox=chroot --cache=always >"$tmp/fs.log" 2>&1 &
	else
		"$virtiofsd" --socket-path="$tmp/fs" -o source=/ -o sandbox=chroot -o cache=always >"$tmp/fs.log" 2>&1 &
	fi
	fs_pid=$!
	until [ -S "$tmp/fs" ]; do
		[ $SECONDS -lt $end ] && kill -0 $fs_pid 2>/dev/null || {
			cat "$tmp/fs.log" >&2
			echo "boot.sh: $virtiofsd does not come up" >&2
			exit 125
		}
		read -rt 0.05 <> <(:) || true
	done
}

# tsc and no_timer_check: an emulated clock on a busy machine is late, which is no reason to give it up.
run() {
	rc=0
	timeout --foreground -k 5 "$limit" qemu-system-x86_64 -M q35 -nodefaults -no-reboot -display none \
		-accel tcg,thread=multi -cpu max,la57=off -smp "$cpus" -m "$mib" \
		-object memory-backend-memfd,id=memory,size="${mib}M",share=on -numa node,memdev=memory \
		-chardev socket,id=fs,path="$tmp/fs" -device vhost-user-fs-pci,chardev=fs,tag=root -serial file:"$tmp/console" \
		-kernel "$kernel/vmlinuz" -initrd "$tmp/initrd.cpio" \
		-append "console=ttyS0 rdinit=/init panic=-1 quiet loglevel=5 tsc=reliable no_timer_check $options" \
		>"$tmp/qemu.log" 2>&1 </dev/null || rc=$?
}

# The emulator sometimes shows one CPU the breakpoint that the kernel put into its own code for a moment, on the other
# ("Oops: int3"), as the kernel starts its CPUs: a guest that dies before COMMAND may try again.
for attempt in 1 2 3; do
	start_fs
	run
	[ ! -e "$folder/started" ] && [ $rc != 124 ] && [ $rc != 137 ] || break
	echo "boot.sh: kernel $(cat "$kernel/version") went down as it started (attempt $attempt): $(
		grep -m1 -aoE '(Oops|BUG|Kernel panic).*' "$tmp/console" || echo "no word on its console")" >&2
done
[ ! -e "$folder/rc" ] || exit "$(cat "$folder/rc")"
{
	echo "boot.sh: the guest with kernel $(cat "$kernel/version") did not come to its end; its console:"
	tail -n 60 "$tmp/console"
	cat "$tmp/qemu.log" "$tmp/fs.log"
} >&2
[ $rc != 124 ] && [ $rc != 137 ] || exit 124
exit 125

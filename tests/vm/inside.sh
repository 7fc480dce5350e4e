#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# inside.sh FOLDER: the second program of a guest (boot.sh), which has the host's files by
# now. Makes what a running system has, runs FOLDER/command and ends the machine.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp/home LC_ALL=C.UTF-8
exec >/dev/console 2>&1 </dev/null
folder=$1
mke2fs -q -t ext4 -m 0 /dev/ram0
mount -t ext4 -o nodiscard /dev/ram0 /tmp
chmod 1777 /tmp
mkdir /tmp/home
mount -t tmpfs run /run
mkdir -p /dev/pts /dev/shm
ln -s /proc/self/fd /dev/fd
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup /sys/fs/cgroup
ip link set lo up
cd /
: >"$folder/started"
bash "$folder/command" >"$folder/log" 2>&1
echo $? >"$folder/rc"
sync
echo o >/proc/sysrq-trigger
while :; do sleep 1; done

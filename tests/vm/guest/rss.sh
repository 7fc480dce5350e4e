# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What other tasks do to the pages of a process: reclaim, khugepaged, KSM. All need a machine
# that may be changed, which a guest is.

# Some pages that went to swap are of nobody's function: stacks, data of libc.
slack=$((32 + rss_batch))

group=/sys/fs/cgroup/test
in_group() { # COMMAND...
	mkdir -p $group
	echo $BASHPID >$group/cgroup.procs
	exec "$@"
}

limit=max
# begin PAGES_ARG...: the target in a memory cgroup, allocsnoop on it, its pages touched.
begin() {
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	grep -q /dev/ram1 /proc/swaps || {
		mkswap /dev/ram1 >/dev/null
		swapon /dev/ram1
	}
	target c in_group "$TARGETS/pages" "$@"
	target_ready c
	snoop -p "${target_pid[c]}" --source rss -o c.json -o c.txt
	echo $limit >$group/memory.max
	target_say c go
}

on() {
	target_say c on
	target_hear c
	is "$heard" "done" "its answer"
	snoop_stop
	target_end c
}

in_swap() { # KIB
	[ "$(awk '$1 == "Swap:" { print $2 }' "/proc/${target_pid[c]}/smaps_rollup")" -ge "$1" ]
}

test_pushed_out_by_another_process() {
	begin swap 10000
	target_hear c
	# Before 5.19 there is no memory.reclaim.
	if [ -e $group/memory.reclaim ]; then
		echo 20M >$group/memory.reclaim
	else
		echo 20M >$group/memory.high
	fi
	in_swap 16000 || fail "nothing went to swap"
	echo max >$group/memory.high
	on
	check rss-swap c.json c.ledger '^\[process: bash\]$' touch_back $slack
	has c.txt ' to swap, '
}

# The limit is lower than what it touches: the process itself has to make room.
test_pushed_out_by_itself() {
	limit=20M
	begin swap 10000
	target_hear c
	in_swap 16000 || fail "nothing went to swap"
	echo max >$group/memory.max
	on
	check rss-own-swap c.json c.ledger touch touch_back $slack
}

test_pushed_out_by_kswapd() {
	begin swap 10000
	target_hear c
	local old
	old=$(cat /proc/sys/vm/min_free_kbytes)
	echo 200 >/proc/sys/vm/swappiness # anonymous pages first
	# kswapd begins below 5/4 of it and wants 3/2; who allocates has to help only below the number itself.
	awk '$1 == "MemFree:" { printf "%d\n", $2 * 0.85 }' /proc/meminfo >/proc/sys/vm/min_free_kbytes
	until_ok in_swap 16000
	echo "$old" >/proc/sys/vm/min_free_kbytes
	on
	# It may go on for a moment while the program looks at its swap.
	check rss-swap c.json c.ledger '^\[(kernel: kswapd|process: .*)\]$' touch_back $((slack + 500))
	check rss-row c.json '^\[kernel: kswapd\]$' 0 0 $((1000 * 4096)) $((10200 * 4096))
}

test_khugepaged() {
	local knobs=/sys/kernel/mm/transparent_hugepage
	grep -q '\[never\]' $knobs/enabled && skip "huge pages are off"
	echo 1 >$knobs/khugepaged/defrag
	echo 511 >$knobs/khugepaged/max_ptes_none
	begin wait 64
	target_hear c
	echo 100000 >$knobs/khugepaged/pages_to_scan
	echo 10 >$knobs/khugepaged/scan_sleep_millisecs
	until_ok collapsed "${heard##* }"
	on
	# Where a fault brings its neighbours in the file, 16 pages, so much more is in a batch.
	check ledger c.json c.ledger $((8 + 15 * rss_batch)) more
	check rss-row c.json '^\[kernel: khugepaged\]$' $((511 * 4096)) $((511 * 4096)) 0 4096
}

# khugepaged leaves alone what nobody has looked at lately.
collapsed() { # ADDRESS
	dd if="/proc/${target_pid[c]}/mem" of=/dev/null bs=4096 count=1 skip=$(($1 / 4096)) 2>/dev/null
	grep -Eq '^AnonHugePages: *2048 kB' "/proc/${target_pid[c]}/smaps_rollup"
}

# Pages of zeros are merged into one that is nobody's.
test_ksm() {
	need /sys/kernel/mm/ksm/use_zero_pages
	begin zeros 4000
	target_hear c
	cd /sys/kernel/mm/ksm
	echo 1 >use_zero_pages
	echo 10000 >pages_to_scan
	echo 10 >sleep_millisecs
	echo 1 >run
	cd "$T"
	until_ok anon_below 8000
	on
	echo 0 >/sys/kernel/mm/ksm/run
	check ledger c.json c.ledger $slack more
	check rss-row c.json '^\[kernel: ksmd\]$' 0 $((64 * 4096)) $((2000 * 4096)) $((4001 * 4096))
}

anon_below() { # KIB
	[ "$(awk '$1 == "Anonymous:" { print $2 }' "/proc/${target_pid[c]}/smaps_rollup")" -lt "$1" ]
}

test_hugetlb() {
	echo 16 >/proc/sys/vm/nr_hugepages
	[ "$(cat /proc/sys/vm/nr_hugepages)" = 16 ] || skip "no 16 huge pages to be had"
	begin hugetlb 16
	target_hear c
	snoop_stop
	target_end c
	echo 0 >/proc/sys/vm/nr_hugepages
	check hugetlb c.json c.ledger $((32 << 20))
	has c.txt '^ +.*hugetlb 32\.0 MiB \(not in RSS\)'
}

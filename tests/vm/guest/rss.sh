# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What other tasks do to the pages of a process: reclaim, khugepaged, KSM. All need a machine
# that may be changed, which a guest is; each test leaves it as it was.

# Some pages that went to swap are of nobody's function: stacks, data of libc.
slack=$((32 + rss_batch))

group=/sys/fs/cgroup/test-$$
in_group() { # COMMAND...
	mkdir -p $group
	echo $BASHPID >$group/cgroup.procs
	exec "$@"
}

# knob FILE VALUE: until the test ends.
knobs=()
knob() {
	local old
	old=$(cat "$1")
	[[ $old != *\[*\]* ]] || old=${old#*[} old=${old%%]*}
	knobs=("$1" "$old" "${knobs[@]}")
	echo "$2" >"$1"
}
restore() {
	set -- "${knobs[@]}"
	while [ $# -gt 0 ]; do
		echo "$2" >"$1" || true
		shift 2
	done
}
trap 'at_exit; restore' EXIT

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

# In KiB, by smaps_rollup.
rollup_kib() { # KEY
	awk -v key="$1:" '$1 == key { print $2 }' "/proc/${target_pid[c]}/smaps_rollup"
}

in_swap() { # KIB
	[ "$(rollup_kib Swap)" -ge "$1" ]
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
	knob /proc/sys/vm/swappiness 200 # anonymous pages first
	# kswapd begins below 5/4 of it and wants 3/2; who allocates has to help only below the number itself.
	knob /proc/sys/vm/min_free_kbytes "$(awk '$1 == "MemFree:" { printf "%d", $2 * 0.85 }' /proc/meminfo)"
	until_ok in_swap 16000
	restore
	on
	# It may go on for a moment while the program looks at its swap.
	check rss-swap c.json c.ledger '^\[(kernel: kswapd|process: .*)\]$' touch_back $((slack + 500))
	check rss-row c.json '^\[kernel: kswapd\]$' 0 0 $((1000 * 4096)) $((10200 * 4096))
}

# row_kib REGEX GROWN RELEASED: a row of these KiB, but for the pages by which who counts is off.
row_kib() {
	local off=$((slack * 4))
	check rss-row c.json "$1" $((($2 > off ? $2 - off : 0) << 10)) $((($2 + off) << 10)) \
		$((($3 > off ? $3 - off : 0) << 10)) $((($3 + off) << 10))
}

# The only area that it may make huge is the program's, and the kernel's counters know of one.
test_khugepaged() {
	local thp=/sys/kernel/mm/transparent_hugepage before counted
	need $thp/khugepaged
	knob $thp/enabled madvise
	knob $thp/khugepaged/defrag 1
	knob $thp/khugepaged/max_ptes_none 511
	before=$(cat $thp/khugepaged/pages_collapsed)
	begin wait 64
	target_hear c # it may be huge by now: the first area that khugepaged hears of wakes it
	knob $thp/khugepaged/pages_to_scan 100000
	knob $thp/khugepaged/alloc_sleep_millisecs 10
	knob $thp/khugepaged/scan_sleep_millisecs 10
	until_ok collapsed "${heard##* }" "$before"
	counted=$(($(cat $thp/khugepaged/pages_collapsed) - before))
	on
	is $counted 1 "the pages that the kernel says it made huge"
	# Where a fault brings its neighbours in the file, 16 pages, so much more is in a batch.
	check ledger c.json c.ledger $((8 + 15 * rss_batch)) more
	check rss-row c.json '^\[kernel: khugepaged\]$' $((511 * 4096)) $((511 * 4096)) 0 4096
}

# khugepaged leaves alone what nobody has looked at lately.
collapsed() { # ADDRESS COUNTED_BEFORE
	dd if="/proc/${target_pid[c]}/mem" of=/dev/null bs=4096 count=1 skip=$(($1 / 4096)) 2>/dev/null
	[ "$(rollup_kib AnonHugePages)" = 2048 ] &&
		[ "$(cat /sys/kernel/mm/transparent_hugepage/khugepaged/pages_collapsed)" -gt "$2" ] # counted a moment later
}

# Pages of zeros are merged into one that is nobody's, and come back when they are parted (Linux 6.6; it left them before).
test_ksm() {
	local ksm=/sys/kernel/mm/ksm all merged parted
	need $ksm/use_zero_pages
	begin zeros 4000
	target_hear c
	all=$(rollup_kib Anonymous)
	knob $ksm/use_zero_pages 1
	knob $ksm/pages_to_scan 10000
	knob $ksm/sleep_millisecs 10
	knob $ksm/run 1
	until_ok anon_below 8000
	echo 0 >$ksm/run # returns when ksmd is not at it
	merged=$(rollup_kib Anonymous)
	echo 2 >$ksm/run
	parted=$(rollup_kib Anonymous)
	on
	[ ! -e $ksm/ksm_zero_pages ] || [ $((parted - merged)) -gt 8000 ] || fail "nothing was parted"
	note "anonymous by smaps: $all KiB, merged $merged, parted $parted"
	check ledger c.json c.ledger $slack more
	row_kib '^\[kernel: ksmd\]$' 0 $((all - merged))
	row_kib '^\[process: bash\]$' $((parted - merged)) 0
}

anon_below() { # KIB
	[ "$(rollup_kib Anonymous)" -lt "$1" ]
}

test_hugetlb() {
	echo 1 >/proc/sys/vm/compact_memory
	knob /proc/sys/vm/nr_hugepages 16
	[ "$(cat /proc/sys/vm/nr_hugepages)" = 16 ] || skip "no 16 huge pages to be had"
	begin hugetlb 16
	target_hear c
	is "$(awk '$1 == "HugePages_Free:" { print $2 }' /proc/meminfo)" 0 "huge pages that are free"
	snoop_stop
	target_end c
	check hugetlb c.json c.ledger $((32 << 20))
	has c.txt '^ +.*hugetlb 32\.0 MiB \(not in RSS\)'
}

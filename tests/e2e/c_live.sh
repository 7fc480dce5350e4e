# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Blocks of the C allocator that are given back and that stay, at the stacks that
# allocated them: equal to the ledger of our own program, to valgrind's totals on
# programs that others wrote, and to heaptrack's leaks.

# live PROGRAM FLAGS ARG...
live() {
	local program=$TARGETS/$1 flags=$2
	need "$program"
	shift 2
	target c "$program" "$@"
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --live --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	# shellcheck disable=SC2086 # words
	check live-sites c.json c.ledger $flags
	check schema c.json
}

test_frame_pointers() {
	live alloc threads 1000 4
}

test_no_frame_pointers() {
	live alloc-nofp threads 1000 4
}

test_many_threads() {
	live alloc threads 3000 16
}

test_static() {
	live alloc-static threads 1000 4
}

# Of one thread no call of free is left over.
test_one_thread() {
	live alloc "" 2000 0
}

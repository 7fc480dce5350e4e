# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Every call of the C allocator's family: objects and requested bytes of each
# site equal to the program's ledger (tests/targets/c/alloc.c), failures not
# counted, nested doors once, the caller of the door in every stack.

# exact PROGRAM FLAGS ARG...
exact() {
	local program=$TARGETS/$1 flags=$2
	need "$program"
	shift 2
	target c "$program" "$@"
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	# shellcheck disable=SC2086 # words
	check c c.json c.ledger $flags
	check schema c.json
}

test_frame_pointers() {
	exact alloc "total roots" 1000 4
}

test_no_frame_pointers() {
	exact alloc-nofp total 1000 4
}

test_one_thread() {
	exact alloc "total roots" 5000 0
}

test_many_threads() {
	exact alloc "total roots" 5000 16
}

test_static() {
	exact alloc-static total 1000 4
}

# No symbols at all: it is found some other way, or refused; never half counted.
test_static_stripped() {
	need "$TARGETS/alloc-static-stripped"
	target c "$TARGETS/alloc-static-stripped"
	target_ready c
	expect_error 4 'nothing to probe|no allocator|no .*malloc' -p "${target_pid[c]}" --source malloc --format json -o c.json -d 1
}

test_cplusplus() {
	exact new total 1000
}

test_dlopen() {
	target c "$TARGETS/dlopen" "$TARGETS/libplugin.so" 2000
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	check c c.json c.ledger roots
	check frame-module c.json plugin_work libplugin.so
}

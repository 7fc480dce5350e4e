# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 240
#
# What the RSS of a Go program is made of, and the name of why it is high: against the program's own
# MemStats and smaps at the same quiet moment (tests/targets/go/memory).

# memory BUILD SHAPE CAUSE...: all causes that are to be named, the largest first. Of small programs the runtime's own
# books may be a tenth.
memory() {
	local build=$1 shape=$2
	shift 2
	need "$TARGETS/$build"
	target go "$TARGETS/$build" "$shape"
	target_ready go
	snoop -p "${target_pid[go]}" --source rss -o go.json -o go.txt
	snoop_stop
	target_end go
	check go-memory go.json go.ledger "$@"
	rm go.in go.out
	has go.txt '^    of it Go.s heap [0-9.]+ [KMG]iB  in use [0-9.]+ [KMG]iB, objects '
}

test_objects() {
	memory memory-plain objects off_heap?
	memory memory-stripped objects off_heap?
}

test_fragmented() {
	memory memory-plain fragmented fragmentation off_heap?
	memory memory-stripped fragmented fragmentation off_heap?
	memory memory-pie-stripped fragmented fragmentation off_heap?
	has go.txt '[0-9.]+ MiB fragmentation  free places between objects'
}

test_idle() {
	memory memory-plain idle not_scavenged off_heap?
	memory memory-stripped idle not_scavenged off_heap?
}

# Spans that were never touched are no reason for RSS.
test_untouched() {
	memory memory-plain untouched off_heap?
}

test_returned() {
	memory memory-stripped returned off_heap?
}

test_madv_free() {
	GODEBUG=madvdontneed=0 memory memory-stripped returned madv_free_pending off_heap?
}

test_stacks() {
	memory memory-stripped stacks goroutine_stacks off_heap?
}

test_off_heap() {
	memory memory-stripped spans off_heap
}

test_not_go() {
	memory memory-stripped mapped not_go
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Who maps address space: calls, bytes and what is still there of each site equal to
# the program's ledger (tests/targets/c/mapper.c), the whole to VmSize, a program of
# others to what strace sees of the same run.

size_of() { # PID: of its address space, without the stack, which grows by itself
	awk '/^VmSize:/ { n = $2 } /^VmStk:/ { n -= $2 } END { print n * 1024 }' "/proc/$1/status"
}

# mapper PROGRAM SOURCES ARG...
mapper() {
	local program=$TARGETS/$1 sources=$2
	need "$program"
	shift 2
	target c "$program" "$@"
	target_ready c
	snoop -p "${target_pid[c]}" --source "$sources" --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	case $sources in
	mmap) check mmap c.json c.ledger ;;
	*) check mmap c.json c.ledger uprobes ;;
	esac
	check schema c.json
}

test_one_thread() {
	mapper mapper mmap 300 0
}

# Ranges that one thread gives back are given to the next before the record of the first has come.
test_threads_that_pass_on_addresses() {
	mapper mapper mmap 200 8
}

test_static() {
	mapper mapper-static mmap 100 2
}

test_with_all_sources() {
	mapper mapper go,malloc,mmap,rss 100 2
}

# Through the tracepoints of the four calls, where tracefs is there to find them.
test_with_tracefs() {
	unshare -m true || skip "no mount namespaces"
	SNOOP=./with-tracefs
	cat >"$SNOOP" <<-EOF
		#!/bin/sh
		exec unshare -m sh -c 'mountpoint -q /sys/kernel/tracing || mount -t tracefs nodev /sys/kernel/tracing; exec "\$0" "\$@"' "$OUT/allocsnoop" "\$@"
	EOF
	chmod +x "$SNOOP"
	mapper mapper mmap 100 4
	! grep -q tracefs snoop.err || fail "it does not see tracefs"
}

test_without_tracefs() {
	unshare -m true || skip "no mount namespaces"
	SNOOP=./without-tracefs
	cat >"$SNOOP" <<-EOF
		#!/bin/sh
		exec unshare -m sh -c 'mount -t tmpfs none /sys/kernel/tracing; mount -t tmpfs none /sys/kernel/debug; exec "\$0" "\$@"' "$OUT/allocsnoop" "\$@"
	EOF
	chmod +x "$SNOOP"
	mapper mapper mmap 100 4
	has snoop.err 'warning: .*tracefs'
}

# Only of one thread: its mappings, whoever unmaps them.
test_one_thread_of_many() {
	target c "$TARGETS/mapper" 20 4
	target_ready c
	snoop -p "${target_pid[c]}" -t "${target_pid[c]}" --source mmap --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	check no-losses c.json
	check mmap-only-not c.json c.ledger race
}

test_sizes() {
	target c "$TARGETS/mapper" 50 0
	target_ready c
	snoop -p "${target_pid[c]}" --min-size 4K --max-size 4K --source mmap --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	check mmap-sizes c.json 4096
}

test_go() {
	local start
	target c "$TARGETS/go-plain"
	target_ready c
	start=$(size_of "${target_pid[c]}")
	snoop -p "${target_pid[c]}" --source go,mmap --format json -o c.json
	target_work c
	snoop_stop
	check mmap-size c.json "$start" "$(size_of "${target_pid[c]}")" runtime.sysMmap
	target_end c
}

test_python_against_strace() {
	need strace python3
	strace -f -o log -e trace=mmap,munmap,mremap,brk,execve "$SNOOP" --source mmap --format json -o c.json -- \
		"$(python3 -c 'import sys; print(sys.executable)')" -S -c 'x = [bytearray(1 << 20) for i in range(50)]; del x[10:40]' >out 2>err
	check mmap-strace c.json log
	check schema c.json
}

test_sort_against_strace() {
	need strace
	seq 200000 >numbers
	strace -f -o log -e trace=mmap,munmap,mremap,brk,execve "$SNOOP" --source mmap --format json -o c.json -- \
		sort -S 8M -rn --parallel=2 numbers -o sorted >out 2>err
	check mmap-strace c.json log
}

# A child is seen from when it is followed on; that it ran before is said.
test_children() {
	"$SNOOP" --source mmap --format json -o c.json -- sh -c 'sort -S 16M /dev/null; exec sort -S 16M /dev/null' >out 2>err
	check mmap-children c.json sort
}

test_text() {
	target c "$TARGETS/mapper" 20 0
	target_ready c
	snoop -p "${target_pid[c]}" --source mmap -s live -n 30 -d 30 -o - -o c.folded
	target_work c
	snoop_stop
	target_end c
	has snoop.out '^mmap .* objects'
	has snoop.out '^live .*by mmap, munmap, mremap and brk'
	has snoop.out 'map_kept .* via (__)?mmap(64)?$'
	has c.folded 'map_kept;.*mmap[0-9]* [0-9]+$'
}

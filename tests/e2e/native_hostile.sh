# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 300
#
# Stacks by unwind tables where it is hard: thousands of libraries, libraries that come and go, files that
# are replaced, tables that lie, stacks that are none of the usual, programs that have just begun. What was allocated,
# and by whom, is what the program itself says.

# plugs FOLDER N: libraries plug0000.so ..., no two alike.
plugs() {
	mkdir -p "$1"
	python3 - "$TARGETS/plug.so" "$1" "$2" <<-'P'
	import sys
	base = open(sys.argv[1], "rb").read()
	build_id = bytes.fromhex("0123456789abcdef0123456789abcdef01234567")
	assert base.count(build_id) == 1 and b"plug_0000" in base
	for i in range(int(sys.argv[3])):
	    data = base.replace(build_id, b"%020d" % i).replace(b"plug_0000", b"plug_%04d" % i)
	    open("%s/plug%04d.so" % (sys.argv[2], i), "wb").write(data)
	P
}

# Kilobytes of memory that process $1 has of its own.
memory_kb() {
	awk '/^RssAnon:/ { print $2 }' "/proc/$1/status"
}

# Kilobytes of the BPF maps of process $1.
bpf_kb() {
	awk '/^memlock:/ { bytes += $2 } END { printf "%d", bytes / 1024 }' "/proc/$1"/fdinfo/*
}

# work_and_check LOSS...: what the target "hostile" does now is counted, and its stacks are right.
work_and_check() {
	target_work hostile
	snoop_stop
	target_end hostile
	check sites hostile.json hostile.ledger "$@"
	[ $# != 0 ] || check schema hostile.json
}

test_2000_libraries() {
	local start
	plugs libs 2000
	target hostile "$TARGETS/hostile" libs libs 2000 3
	target_ready hostile
	start=${EPOCHREALTIME/./}
	snoop -p "${target_pid[hostile]}" --source malloc --format json -o hostile.json
	note "attached after $(((${EPOCHREALTIME/./} - start) / 1000)) ms, $(memory_kb "$snoop_pid") KiB"
	work_and_check
	check frame-module hostile.json plug_1234 plug1234.so
}

test_more_maps_than_are_kept() {
	plugs libs 1
	target hostile "$TARGETS/hostile" maps libs/plug0000.so 4500 1000
	target_ready hostile
	snoop -p "${target_pid[hostile]}" --source malloc --format json -o hostile.json
	work_and_check unwind_unmapped unwind_no_table cut
	grep -Eq '"unwind_unmapped": *[1-9]' hostile.json || fail "unwind_unmapped is not counted"
}

# churning A B LOSS...
churning() {
	local half_kb half_bpf_kb
	plugs libs 2
	target hostile "$TARGETS/hostile" churn libs/plug000{$1,$2}.so 1000
	target_ready hostile
	snoop -p "${target_pid[hostile]}" --source malloc --format json -o hostile.json
	target_say hostile go
	target_hear hostile
	is "$heard" half "the answer"
	half_kb=$(memory_kb "$snoop_pid")
	half_bpf_kb=$(bpf_kb "$snoop_pid")
	target_say hostile go
	target_hear hostile
	is "$heard" "done" "the answer"
	note "after 1000 cycles $half_kb KiB and $half_bpf_kb KiB of maps," \
		"after 10000 $(memory_kb "$snoop_pid") and $(bpf_kb "$snoop_pid")"
	[ "$(memory_kb "$snoop_pid")" -lt $((half_kb + 16384)) ] || fail "allocsnoop grows"
	# Each look makes a new list of code; the old ones' room is free again after the next sweep, so some slabs are needed.
	[ "$(bpf_kb "$snoop_pid")" -le $((half_bpf_kb + 4096)) ] || fail "its maps grow"
	target_say hostile go
	target_hear hostile
	is "$heard" loaded "the answer"
	work_and_check unwind_no_table cut "${@:3}"
}

test_churn_of_one_library() {
	churning 0 0 together
}

# A library that is gone before anybody has looked leaves objects without a name; one may take the other's address within a tenth of a millisecond: what is not looked at in time has the other's name.
test_churn_of_two_libraries() {
	churning 0 1 together
}

# overwrite FILE: its unwind information, in place.
overwrite_tables() {
	python3 - "$1" <<-'P'
	import re, subprocess, sys
	text = subprocess.run(["readelf", "-SW", sys.argv[1]], capture_output=True, text=True).stdout
	off, size = (int(x, 16) for x in re.search(r"\.eh_frame +PROGBITS +\w+ (\w+) (\w+)", text).groups())
	with open(sys.argv[1], "r+b") as f:
	    f.seek(off)
	    f.write(b"\xa5" * size)
	P
}

test_replaced_file() {
	need readelf
	plugs libs 1
	plugs other 3
	overwrite_tables other/plug0002.so
	target hostile "$TARGETS/hostile" libs libs 1 1000
	target_ready hostile
	mv other/plug0002.so libs/plug0000.so
	snoop -p "${target_pid[hostile]}" --source malloc --format json -o hostile.json
	work_and_check
}

test_overwritten_file() {
	need readelf
	plugs libs 1
	target hostile "$TARGETS/hostile" libs libs 1 1000
	target_ready hostile
	overwrite_tables libs/plug0000.so
	snoop -p "${target_pid[hostile]}" --source malloc --format json -o hostile.json
	work_and_check unwind_malformed unwind_gap unwind_no_table cut
	grep -Eq '"unwind_(malformed|gap|no_table)": *[1-9]' hostile.json || fail "no loss says why"
}

test_truncated_file() {
	plugs libs 2
	target hostile "$TARGETS/hostile" libs libs 2 1000
	target_ready hostile
	truncate -s 100 libs/plug0001.so
	snoop -p "${target_pid[hostile]}" --source malloc --format json -o hostile.json
	target_say hostile go
	wait "${target_pid[hostile]}" || true # by SIGBUS, which is no doing of ours
	snoop_wait
	check site hostile.json malloc plug_0000 1000 48000
}

test_stacks() {
	target hostile "$TARGETS/hostile" stacks
	target_ready hostile
	snoop -p "${target_pid[hostile]}" --source malloc --format json -o hostile.json
	work_and_check unwind_no_table unwind_gap # generated code without frame pointers; makecontext()'s start
}

# The same program with unwind information that does not tell the truth: what is counted stays exact, nobody dies.
test_tables_that_lie() {
	need readelf
	python3 - "$TARGETS/hostile" <<-'P'
	import random, re, subprocess, sys
	base = open(sys.argv[1], "rb").read()
	text = subprocess.run(["readelf", "-SW", sys.argv[1]], capture_output=True, text=True).stdout
	off, size = (int(x, 16) for x in re.search(r"\.eh_frame +PROGBITS +\w+ (\w+) (\w+)", text).groups())
	table = base[off:off + size]
	def entries():
	    at = 0
	    while at + 8 <= size and int.from_bytes(table[at:at + 4], "little"):
	        n = int.from_bytes(table[at:at + 4], "little")
	        yield at, n, int.from_bytes(table[at + 4:at + 8], "little") != 0
	        at += 4 + n
	def write(name, new):
	    assert len(new) == size and new != table
	    open(name, "wb").write(base[:off] + bytes(new) + base[off + size:])
	def rules(insns):
	    """Each FDE says @insns from its first instruction on."""
	    new = bytearray(table)
	    for at, n, is_fde in entries():
	        if is_fde and n >= 13 + len(insns):
	            new[at + 17:at + 4 + n] = insns + bytes(at + 4 + n - at - 17 - len(insns))
	    return new
	write("far", rules(b"\x0e\xf8\xff\x03"))        # CFA: sp + 65528
	write("near", rules(b"\x0e\x00"))               # sp + 0: below its own frame
	write("odd", rules(b"\x0e\x09"))                # no multiple of 8
	write("by-fp", rules(b"\x0c\x06\x10"))          # by whatever is in rbp
	write("deref", rules(b"\x0f\x03\x77\x00\x06"))  # where the word at sp says
	write("wild", rules(b"\x0f\x03\x76\x7f\x06"))
	write("end", rules(b"\x07\x10"))                # no return address
	write("ff", b"\xff" * size)
	write("zero", bytes(size))
	huge = bytearray(table)
	for at, n, is_fde in entries():
	    if is_fde:
	        huge[at + 12:at + 16] = b"\xff\xff\xff\x7f"
	write("huge", huge)
	for seed in range(6):
	    r = random.Random(seed)
	    new = bytearray(table)
	    for i in range(size // 20):
	        new[r.randrange(size)] = r.randrange(256)
	    write("random%d" % seed, new)
	P
	local lie
	for lie in far near odd by-fp deref wild end ff zero huge random{0..5}; do
		chmod +x "$lie"
		target "$lie" "./$lie" plain
		target_ready "$lie"
		snoop -p "${target_pid[$lie]}" --source malloc --format json -o "$lie.json"
		target_work "$lie"
		snoop_stop
		target_end "$lie"
		check sites "$lie.json" "$lie.ledger" wild stack_{loop,unreadable} \
			unwind_{malformed,gap,no_table,expression,register,return_address,too_many} || fail "$lie"
	done
	has near.json '"stack_loop": *[1-9]'
	has odd.json '"stack_loop": *[1-9]'
	has ff.json '"unwind_(malformed|no_table|gap)": *[1-9]'
}

# whole NAME COMMAND...: from its first instruction on.
whole() {
	local name=$1
	shift
	"$SNOOP" --mode exact --source malloc --format json -o "$name.json" -- "$@" >"$name.out" 2>"$name.err" </dev/null || {
		cat "$name.err"
		fail "$*"
	}
	check whole "$name.json" "${losses[@]}"
}

test_commands() {
	local losses=()
	whole sort sort /etc/services
	whole ls ls / # libselinux allocates in a constructor, called by the dynamic linker
	[ ! -e /usr/bin/python3.11 ] || whole python /usr/bin/python3.11 -c pass
	! command -v sqlite3 >/dev/null || whole sqlite3 sqlite3 :memory: 'select 1'
	[ ! -e "$TARGETS/alloc-static" ] || whole static "$TARGETS/alloc-static" <<<$'go\nquit'
}

# Libraries that nobody could foresee begin to run before their tables are there; each stack that is cut by it is counted.
test_command_loads_libraries() {
	need /usr/bin/python3.11
	local losses=(unwind_no_table)
	whole python /usr/bin/python3.11 -c 'import json, decimal, sqlite3'
}

test_overlayfs() {
	need unshare
	local losses=() program
	cat >inside.sh <<-'S'
	mkdir mnt && mount -t tmpfs none mnt && mkdir mnt/{lower,upper,work,merged} && cp "$1" mnt/lower/program &&
	mount -t overlay none -o lowerdir=mnt/lower,upperdir=mnt/upper,workdir=mnt/work mnt/merged || exit 77
	shift
	"$@"
	S
	for program in short alloc-static; do
		[ -e "$TARGETS/$program" ] || continue
		rm -rf mnt
		unshare -m bash inside.sh "$TARGETS/$program" true || skip "no overlayfs"
		rm -rf mnt
		unshare -m bash inside.sh "$TARGETS/$program" "$SNOOP" --mode exact --source malloc --format json -o $program.json -- \
			mnt/merged/program </dev/null >$program.out 2>$program.err
		check whole $program.json
	done
}

# musl's own code has no unwind information: stacks end in it, and that is counted.
test_musl() {
	need musl-gcc
	cat >small.c <<-'C'
	#include <stdlib.h>
	__attribute__((noinline, noipa)) void leaf(void) { for (int i = 0; i < 100; i++) free(malloc(30)); }
	__attribute__((noinline, noipa)) void middle(void) { leaf(); __asm__ volatile("" ::: "memory"); }
	int main(void) { middle(); return 0; }
	C
	musl-gcc -O1 -fno-builtin -o small small.c
	musl-gcc -O1 -fno-builtin -static -o small-static small.c
	local losses=(unwind_gap) program
	for program in small small-static; do
		whole $program ./$program
		check site $program.json malloc leaf 100 3000
		check top $program.json malloc leaf middle main
	done
}

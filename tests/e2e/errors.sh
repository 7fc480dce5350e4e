# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Wrong input and wrong places: the exit code, and one line that says why.

test_no_such_pid() {
	local free
	free=$(cat /proc/sys/kernel/pid_max) # never given out: one past the largest
	expect_error 4 "(no such process|no process).*$free" -p "$free" -d 1
	sleep 0 &
	wait $!
	expect_error 4 "(no such process|no process).*$!" -p $! -d 1
}

test_kernel_thread() {
	[ "$(ps -o comm= -p 2)" = kthreadd ] || skip "PID 2 is not a kernel thread here"
	expect_error 4 'kernel thread' -p 2 -d 1
}

test_zombie() {
	bash -c 'sleep 0 & echo $! >zombie; exec sleep 600' &
	pids+=($!)
	until_ok test -s zombie
	until_ok grep -q '^State:.Z' "/proc/$(cat zombie)/status"
	expect_error 4 'exited|zombie|no such process|no process|gone' -p "$(cat zombie)" -d 1
}

test_usage() {
	target c "$TARGETS/loop"
	target_ready c
	local pid=${target_pid[c]}
	expect_error 2 'pid' -d 1
	expect_error 2 "'?-p'?.*(value|argument|PID)" -p
	expect_error 2 'abc' -p abc
	expect_error 2 'pid|-5' -p -5
	expect_error 2 '12x' -p 12x
	expect_error 2 '0' -p 0
	expect_error 2 '99999999999999999999' -p 99999999999999999999
	expect_error 2 'no-such-option' -p "$pid" --no-such-option
	expect_error 2 'xml' -p "$pid" --format xml
	expect_error 2 'heap' -p "$pid" --source heap
	expect_error 2 'weight' -p "$pid" -m weight --format folded
	expect_error 2 'soon' -p "$pid" soon
	expect_error 2 '0|interval' -p "$pid" 0
	expect_error 2 '-1' -p "$pid" -d -1
	expect_error 2 'many' -p "$pid" 1 many
	expect_error 2 'extra' -p "$pid" 1 1 extra
	expect_error 2 'command' -p "$pid" -- true
	expect_error 2 'command' --
	check text "$pid" same
}

test_not_root() {
	need setpriv
	target c "$TARGETS/loop"
	target_ready c
	# The build may lie where nobody may look.
	cp "$SNOOP" ./snoop
	chmod 755 . snoop
	SNOOP=$PWD/snoop
	as=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all)
	"${as[@]}" test -x "$SNOOP" || skip "nobody cannot reach $SNOOP"
	expect_error 3 'CAP_BPF' -p "${target_pid[c]}" -d 1
	has error.err 'CAP_PERFMON'
	has error.err 'CAP_SYS_PTRACE'
	as=()
	check text "${target_pid[c]}" same
}

test_32_bit_target() {
	need "$TARGETS/bare32"
	"$TARGETS/bare32" &
	local pid=$!
	pids+=($pid)
	until_ok grep -q bare32 "/proc/$pid/comm"
	kill -0 $pid 2>/dev/null || skip "this kernel runs no 32-bit programs"
	expect_error 4 '32.bit' -p $pid -d 1
}

test_nothing_to_probe() {
	"$TARGETS/bare" &
	local pid=$!
	pids+=($pid)
	until_ok grep -q '^bare$' "/proc/$pid/comm"
	expect_error 4 'nothing|no allocator|allocator' -p $pid --source go,malloc -d 1
}

test_source_not_there() {
	target c "$TARGETS/loop"
	target_ready c
	expect_error 4 'go' -p "${target_pid[c]}" --source go -d 1
}

# Before anything is armed, not after an hour of capture.
test_output_cannot_be_written() {
	target c "$TARGETS/loop"
	target_ready c
	expect_error 1 'no/such/folder' -p "${target_pid[c]}" -o no/such/folder/x.json
	expect_error 1 '/proc' -p "${target_pid[c]}" -o /proc/x.json
	mkdir folder.json
	expect_error 1 'folder.json' -p "${target_pid[c]}" -o folder.json
	check text "${target_pid[c]}" same
}

# The disk is full when the report is written: told, not swallowed.
test_output_full() {
	target c "$TARGETS/loop"
	target_ready c
	local rc=0
	"$SNOOP" --mode exact -p "${target_pid[c]}" --source malloc --format json -d 1 >/dev/full 2>err </dev/null || rc=$?
	is $rc 1 "exit code"
	has err 'space|write|full'
}

# damage NAME PROGRAM: a damaged copy that still runs (the kernel looks at program
# headers only). Python on standard input changes the bytearray f; u16(), u64() read,
# p64(), p16() write.
damage() {
	python3 - "$TARGETS/$2" "$1" <<-P
	import struct, sys, random, os
	f = bytearray(open(sys.argv[1], "rb").read())
	u16 = lambda o: struct.unpack_from("<H", f, o)[0]
	u64 = lambda o: struct.unpack_from("<Q", f, o)[0]
	def p16(o, v): struct.pack_into("<H", f, o, v)
	def p32(o, v): struct.pack_into("<I", f, o, v)
	def p64(o, v): struct.pack_into("<Q", f, o, v % 2**64)
	shoff, shnum = u64(0x28), u16(0x3c)
	rnd = random.Random(1)
	$(cat)
	open(sys.argv[2], "wb").write(f)
	os.chmod(sys.argv[2], 0o755)
	P
}

# survives NAME ARG...: our damaged program under the tool.
survives() {
	local name=$1 rc=0 pid
	shift
	target "$name" "./$name" "$@"
	target_ready "$name"
	pid=${target_pid[$name]}
	[ $# = 0 ] || target_say "$name" go
	timeout -s ABRT 60 "$SNOOP" --mode exact -p "$pid" --format json -o "$name.json" -d 1 >"$name.so" 2>"$name.se" </dev/null || rc=$?
	case $rc in
	0) python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$name.json" ;;
	1 | 4) [ -s "$name.se" ] || fail "$name: exit code $rc without a word" ;;
	*)
		cat "$name.se" >&2
		fail "$name: exit code $rc"
		;;
	esac
	echo "$name: $rc $(tail -1 "$name.se")"
	! LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" "$name.se" || fail "$name: control characters on the terminal"
	check text "$pid" same
	target_say "$name" "?"
	target_hear "$name"
	kill -KILL "$pid" # it is busy, and the next one wants the CPU
}

test_damaged_section_headers() {
	damage shoff loop <<<'p64(0x28, 2**63 + 8)'
	survives shoff
	damage shnum loop <<<'p16(0x3c, 0xffff)'
	survives shnum
	damage shentsize loop <<<'p16(0x3a, 1)'
	survives shentsize
	damage shstrndx loop <<<'p16(0x3e, 0xfff0)'
	survives shstrndx
	damage shgarbage loop <<<'f[shoff:shoff + 64 * shnum] = bytes(rnd.randrange(256) for _ in range(64 * shnum))'
	survives shgarbage
	damage shsizes loop <<<'[p64(shoff + 64 * i + 0x20, 2**62 + i) for i in range(shnum)]'
	survives shsizes
	damage shlinks loop <<<'[p32(shoff + 64 * i + 0x28, i) for i in range(shnum)]'
	survives shlinks
	damage truncated loop <<<'del f[shoff + 100:]'
	survives truncated
}

test_damaged_debug_info() {
	local s
	for s in 1 2 3; do
		damage "dwarf$s" loop <<-P
		names = u64(shoff + 64 * u16(0x3e) + 0x18)
		rnd = random.Random($s)
		for i in range(shnum):
		    h = shoff + 64 * i
		    name = bytes(f[names + struct.unpack_from("<I", f, h)[0]:][:30]).split(b"\0")[0]
		    if name.startswith(b".debug") or name in (b".symtab", b".strtab", b".eh_frame_hdr", b".note.gnu.build-id"):
		        off, size = u64(h + 0x18), u64(h + 0x20)
		        for _ in range(max(4, size // 20)):
		            f[off + rnd.randrange(size)] = rnd.randrange(256)
		P
		survives "dwarf$s"
	done
}

test_damaged_pclntab() {
	local s
	for s in 1 2 3; do
		# The running program needs the table itself (the GC walks stacks): what it does
		# not read are the file names and line tables at a distance.
		damage "pcln$s" go-plain <<-P
		names = u64(shoff + 64 * u16(0x3e) + 0x18)
		for i in range(shnum):
		    h = shoff + 64 * i
		    name = bytes(f[names + struct.unpack_from("<I", f, h)[0]:][:30]).split(b"\0")[0]
		    off, size = u64(h + 0x18), u64(h + 0x20)
		    if name == b".gopclntab":
		        # funcnametab to cutab, see struct pcHeader of Go 1.18 on
		        nametab, cutab, filetab, pctab = (u64(off + 8 * n) for n in (4, 5, 6, 7))
		        rnd = random.Random($s)
		        for _ in range(2000):
		            f[off + cutab + rnd.randrange(pctab - cutab)] = rnd.randrange(256)
		    elif name.startswith(b".debug") or name in (b".symtab", b".strtab"):
		        for _ in range(500):
		            f[off + rnd.randrange(size)] = rnd.randrange(256)
		P
		survives "pcln$s" -loop -answer
	done
}

# Names with escape sequences in them reach no terminal.
test_hostile_names() {
	local name=$'evil\e[31m;x\ny'
	cp "$TARGETS/loop" "$name"
	target evil "./$name"
	target_ready evil
	# Whatever it allocates in a second; all text goes through standard output.
	"$SNOOP" --mode exact -p "${target_pid[evil]}" --source malloc -d 1 >text.out 2>text.err </dev/null
	"$SNOOP" --mode exact -p "${target_pid[evil]}" --source malloc --format folded -d 1 >folded.out 2>folded.err </dev/null
	! LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" text.out text.err folded.out folded.err ||
		fail "control characters in the output"
	has folded.out '^[^;]+(;[^;]+)+ [0-9]+$'
	! grep -Evq '^[^;]+(;[^;]+)+ [0-9]+$' folded.out || fail "a line that is not a folded stack"
}

# Processes that come and go while we attach: an answer each time, no crash, no hang.
test_exits_while_attaching() {
	local i rc
	for i in $(seq 16); do
		sleep "0.0$((i % 8))" &
		rc=0
		timeout -s ABRT 30 "$SNOOP" --mode exact -p $! --format json -o x.json -d 5 >x.out 2>x.err </dev/null || rc=$?
		case $rc in
		0 | 4) ;;
		*)
			cat x.err >&2
			fail "round $i: exit code $rc"
			;;
		esac
	done
}

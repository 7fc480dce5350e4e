# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The preflight: what it says of programs of known shapes, of damaged ones, and of a
# Go version that nobody knows yet; and that it leaves nothing behind.

# preflight CODE ARG...: allocsnoop check --format json ARG... ends with CODE; its document is in check.json.
preflight() {
	local code=$1 rc=0
	shift
	timeout "$WAIT" "$SNOOP" check --format json "$@" >check.json 2>check.err </dev/null || rc=$?
	cat check.err >&2
	[ $rc = "$code" ] || fail "allocsnoop check $*: exit code $rc, want $code"
}

# told PYTHON: of the document d and its first target t; kinds are those of its doubts.
told() {
	python3 - "$1" <<-'P' || fail "check.json: not true: $1"
	import json, sys
	d = json.load(open("check.json"))
	t = (d["targets"] or [None])[0]
	kinds = [u["kind"] for u in t["unsure"]] if t and "unsure" in t else []
	doors = {x["name"]: x for x in t["doors"]} if t and "doors" in t else {}
	if not eval(sys.argv[1]):
	    print(json.dumps(d, indent=1), file=sys.stderr)
	    sys.exit(1)
	P
}

# start PROGRAM ARG...: as the target "t".
start() {
	need "$1"
	target t "$@"
	target_ready t
	pid=${target_pid[t]}
}

# patched NAME PROGRAM: a copy that Python on standard input has changed: f, u16(), u64(), p32(), p64(), and
# section(NAME), which gives (offset, size) in the file.
patched() {
	python3 - "$TARGETS/$2" "$1" <<-P
	import os, struct, sys
	f = bytearray(open(sys.argv[1], "rb").read())
	u16 = lambda o: struct.unpack_from("<H", f, o)[0]
	u32 = lambda o: struct.unpack_from("<I", f, o)[0]
	u64 = lambda o: struct.unpack_from("<Q", f, o)[0]
	def p32(o, v): struct.pack_into("<I", f, o, v)
	def p64(o, v): struct.pack_into("<Q", f, o, v)
	def cstr(o): return bytes(f[o:f.index(0, o)])
	def section(name):
	    names = u64(u64(0x28) + 64 * u16(0x3e) + 0x18)
	    for h in range(u64(0x28), u64(0x28) + 64 * u16(0x3c), 64):
	        if cstr(names + u32(h)) == name: return u64(h + 0x18), u64(h + 0x20)
	$(cat)
	open(sys.argv[2], "wb").write(f)
	os.chmod(sys.argv[2], 0o755)
	P
}

test_machine() {
	preflight 0
	told 'd["schema"] == 1 and d["kernel"]["can_run"] and d["targets"] == []'
	told 'd["kernel"]["trap_ns"]["emulated"] > 50 and all(r["available"] for r in d["kernel"]["features"] if r["needed"])'
	"$SNOOP" check >out
	has out "^Linux $(uname -r) .*can run here"
	has out 'a trap costs [0-9.]+ us here'
}

test_not_root() {
	need setpriv
	cp "$SNOOP" ./snoop
	chmod 755 . snoop
	local rc=0
	setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$PWD/snoop" check --format json >check.json 2>err || rc=$?
	[ $rc != 126 ] || skip "nobody cannot reach the program"
	is $rc 3 "exit code"
	has err 'CAP_BPF'
	told 'not d["kernel"]["can_run"] and "CAP_BPF" in d["kernel"]["error"] and d["kernel"]["trap_ns"] is None'
	told '{r["name"]: r["available"] for r in d["kernel"]["features"]}["uprobe_multi"] is None'
}

test_no_such_process() {
	local free
	free=$(cat /proc/sys/kernel/pid_max)
	preflight 4 -p "$free"
	told "t['pid'] == $free and 'no such process' in t['error']"
	has check.err 'no such process'
}

test_go_pie_stripped() {
	start "$TARGETS/go-pie-stripped"
	preflight 0 -p "$pid" -d 0
	told 't["file"]["type"] == "PIE" and t["file"]["stripped"] and t["runtime"].startswith("go1.") and t["error"] is None'
	told 't["go"]["layout"]["origin"] == "measured" and t["go"]["moduledata"] and t["go"]["types"] and not t["go"]["cgo"]'
	told 't["go"]["functions"] > 1000 and t["cost"] is None and not kinds'
	told 'doors["runtime.mallocgc"]["instruction"] == "branch" and doors["runtime.mallocgc"]["source"] == "pclntab"'
	told 't["go"]["mem_profile_rate"] == 1' # without a symbol: what its code reads
	"$SNOOP" check -p "$pid" -d 0 >out
	has out "^go-pie-stripped \(pid $pid, go1\."
	has out '^  file +PIE, .*stripped'
	has out '^  doors +runtime.mallocgc +0x[0-9a-f]+ +emulated jump after the stack check'
	! grep -q unsure out || fail "it is unsure of a program that it knows"
	check text "$pid" same
}

# Its own value of the variable, and C beside Go.
test_go_cgo() {
	start "$TARGETS/go-cgo"
	preflight 0 -p "$pid" -d 0
	told 't["go"]["cgo"] and t["go"]["mem_profile_rate"] == 1'
	told 'doors["malloc"]["source"] in ("dynsym", "symtab") and "unwind tables" in t["stacks"]'
}

# The trial costs what a capture would, and leaves the program and the kernel as they were.
test_trial() {
	need bpftool
	start "$TARGETS/loop"
	bpf_objects >before
	preflight 0 -p "$pid"
	told 't["cost"]["hits"] > 1000 and t["cost"]["cost_ns"] > 0 and t["cost"]["cpu_ns"] > 0 and t["cost"]["pct"] > 1'
	told '0.9 < t["cost"]["duration_s"] < 5 and t["runtime"] == "native" and t["go"] is None'
	told 'doors["malloc"]["module"].startswith("libc") and "dwarf" in t["modules"][0]["symbols"]'
	bpf_objects | comm -13 before - >left # others on this machine may have theirs for a while
	until_ok nothing_left
	check text "$pid" same
	note "predicted $(python3 -c 'import json; print(json.load(open("check.json"))["targets"][0]["cost"]["pct"])') %"
}

nothing_left() {
	bpf_objects >now
	[ -z "$(comm -12 left now)" ]
}

test_static() {
	start "$TARGETS/alloc-static"
	preflight 0 -p "$pid" -d 0
	told 't["file"]["static"] and not t["file"]["stripped"] and doors["malloc"]["source"] == "symtab"'
}

test_static_stripped() {
	start "$TARGETS/alloc-static-stripped"
	preflight 4 -p "$pid"
	told 'kinds == ["no_symbols"] and "nothing to probe" in t["error"] and not doors'
}

test_32_bit() {
	need "$TARGETS/bare32"
	"$TARGETS/bare32" &
	pid=$!
	pids+=("$pid")
	until_ok grep -q bare32 "/proc/$pid/comm"
	kill -0 "$pid" 2>/dev/null || skip "this kernel runs no 32-bit programs"
	preflight 4 -p "$pid"
	told '"32" in t["error"]'
}

test_deleted() {
	cp "$TARGETS/loop" ./gone
	start ./gone
	rm gone
	preflight 0 -p "$pid" -d 0
	told 't["file"]["deleted"] and "deleted" in kinds and "malloc" in doors'
}

# Code in memory that is not the file's: at a door that this program does not use.
test_image_differs() {
	start "$TARGETS/alloc-static"
	preflight 0 -p "$pid" -d 0
	told '"image" not in kinds'
	python3 - "$pid" <<-'P'
	import json, os, sys
	door = [d for d in json.load(open("check.json"))["targets"][0]["doors"] if d["name"] == "pvalloc"][0]
	fd = os.open("/proc/%s/mem" % sys.argv[1], os.O_RDWR)
	assert os.pwrite(fd, b"\x90\x90", door["address"] + 2) == 2
	P
	preflight 0 -p "$pid" -d 0
	told 'kinds.count("image") == 1 and not doors["pvalloc"]["as_file"] and doors["malloc"]["as_file"]'
}

# A version to come: doubted, and counted all the same.
test_unknown_go_version() {
	patched future go-plain <<-'P'
	import re
	f[:] = re.sub(rb"go1\.\d\d(?=[\x00-\x1f.\x80-\xff])", b"go1.99", bytes(f))
	P
	start ./future
	preflight 0 -p "$pid" -d 0
	told 't["runtime"].startswith("go1.99") and t["go"]["layout"]["origin"] == "guess" and "plan" in kinds'
	told 'any("go1.99" in u["text"] and "not known" in u["text"] for u in t["unsure"])'
	snoop -p "$pid" --source go --format json -o go.json
	target_work t
	snoop_stop
	target_end t
	has snoop.err 'warning: .*go1\.99.* is not known'
	check site go.json go main.siteNode 1000 24000
	check site go.json go main.siteParallel 16000 384000
}

# The program is held at its first instruction: the runtime would not live long.
test_zeroed_pclntab() {
	patched zeroed go-plain <<-'P'
	off, size = section(b".gopclntab")
	f[off:off + size] = bytes(size)
	P
	mkfifo hold
	python3 - 3<hold >pid <<-'P' &
	import ctypes, os, signal
	child = os.fork()
	if not child:
	    ctypes.CDLL(None).ptrace(0, 0, 0, 0) # PTRACE_TRACEME
	    os.execv("./zeroed", ["./zeroed"])
	os.waitpid(child, 0)
	print(child, flush=True)
	os.read(3, 1)
	os.kill(child, signal.SIGKILL)
	P
	local holder=$!
	pids+=("$holder")
	exec 4>hold
	until_ok test -s pid
	pid=$(cat pid)
	preflight 4 -p "$pid"
	told 'kinds == ["go_tables"] and "function table cannot be read" in t["unsure"][0]["text"] and not doors'
	exec 4>&-
	wait $holder
}

# Names that lie outside of the name table: addresses instead, of exactly these functions.
test_wrong_names() {
	patched wrong go-stripped <<-'P'
	tab, _ = section(b".gopclntab")
	if u32(tab) not in (0xfffffff0, 0xfffffff1): sys.exit("not a table of 1.18 or later")
	names, funcs = tab + u64(tab + 32), tab + u64(tab + 64)
	for i in range(u64(tab + 8)):
	    func = funcs + u32(funcs + 8 * i + 4)
	    if cstr(names + u32(func + 4)) == b"main.siteNode": p32(func + 4, 0x7fffffff)
	P
	# To preempt by signal the runtime looks names up, and dies of these by itself.
	export GODEBUG=asyncpreemptoff=1
	start ./wrong -loop
	preflight 0 -p "$pid" -d 0
	told 'list(doors) == ["runtime.mallocgc"]'
	target_say t go
	"$SNOOP" --mode exact -p "$pid" --source go -d 1 --format folded >go.folded </dev/null
	has go.folded ';\[wrong\+0x[0-9a-f]+\]'
	has go.folded ';runtime\.mallocgc[^;]* [0-9]+$'
	! grep -q 'main\.siteNode;' go.folded || fail "a name that is not there"
	"$SNOOP" --mode exact -p "$pid" --source go -d 1 --format json >go.json </dev/null
	python3 -c 'import json; l = json.load(open("go.json"))["losses"]; assert l["code_unnamed"] > 0 and l["events"] == 0, l' ||
		fail "what has no name is not told"
	kill -0 "$pid" || fail "the program is dead"
	check text "$pid" same
}

# Without section headers the tables are searched for.
test_no_sections() {
	patched bare go-stripped <<-'P'
	p64(0x28, 0)
	f[0x3c:0x40] = bytes(4)
	P
	start ./bare
	preflight 0 -p "$pid" -d 0
	told 't["go"]["pclntab_section"] is None and t["go"]["moduledata"] and "runtime.mallocgc" in doors'
	"$SNOOP" check -p "$pid" -d 0 >out
	has out 'pclntab by its magic'
}

# Escape sequences of the target reach no terminal.
test_hostile_names() {
	local name=$'evil\e[31m;x\ny'
	cp "$TARGETS/loop" "$name"
	start "./$name"
	"$SNOOP" check -p "$pid" -d 0 >out 2>err
	! LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" out err || fail "control characters in the output"
	preflight 0 -p "$pid" -d 0
	told 't["exe"].endswith("\x1b[31m;x\ny")'
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 240
#
# Differences of pprof files, ours and Go's own: what `go tool pprof -diff_base` says of the same two.

# "FUNC BYTES" of each function by `go tool pprof -diff_base A B`, those that changed.
pprof_diff() { # A B INDEX
	go tool pprof -raw -diff_base "$1" -sample_index="$3" "$2" 2>/dev/null |
		python3 -c 'import re, sys
column, total, names, in_samples = None, 0, {}, False
for line in sys.stdin:
    if column is None and "/" in line and line.split()[0].count("/") == 1 and "objects" in line:
        column = [t.split("/")[0] for t in line.split()].index(sys.argv[1])
        in_samples = True
    elif line.startswith("Locations"):
        in_samples = False
    elif in_samples and re.match(r"^[\s\d-]+:", line):
        total += int(line.split(":")[0].split()[column])
print(total)' "$3"
}

json_change() { # SOURCE METRIC
	python3 -c 'import json, sys
d = json.load(open("d.json"))
c = d["totals"][sys.argv[1]][sys.argv[2]]
assert c["change"] == c["after"] - c["before"]
assert sum(r[sys.argv[2]]["change"] for r in d["rows"] if r["source"] == sys.argv[1]) == c["change"]
print(int(c["change"]))' "$@"
}

test_go_heap() {
	need go
	"$TARGETS/heap" 100 a.pb.gz cpu.pb.gz
	"$TARGETS/heap" 300 b.pb.gz
	"$SNOOP" diff a.pb.gz b.pb.gz --format json -o d.json
	is "$(json_change go alloc_bytes)" "$(pprof_diff a.pb.gz b.pb.gz alloc_space)" alloc_space
	is "$(json_change go live_bytes)" "$(pprof_diff a.pb.gz b.pb.gz inuse_space)" inuse_space
	is "$(json_change go live_objects)" "$(pprof_diff a.pb.gz b.pb.gz inuse_objects)" inuse_objects
	# Nobody wrote down for how long: no rates.
	python3 -c 'import json
d = json.load(open("d.json"))
assert d["before"]["duration_s"] is None and d["totals"]["go"]["alloc_bytes_per_s"] is None
assert any(f["func"] == "main.keep" and f["line"] for r in d["rows"] for f in r["frames"])'
	"$SNOOP" diff a.pb.gz b.pb.gz -g func -n 1 >d.txt
	has d.txt '^ +1 .*KiB .*%' # relative
	has d.txt 'main\.keep$'
	! grep -q '/s' d.txt || fail "a rate of an unknown time"
	"$SNOOP" diff a.pb.gz b.pb.gz -m live_bytes -o d.folded
	has d.folded 'main.main;main.keep [0-9]+ [0-9]+$'
	# The difference as a file has what the two have, for -top.
	"$SNOOP" diff a.pb.gz b.pb.gz -o d.pb.gz
	is "$(pprof_diff a.pb.gz a.pb.gz alloc_space)" 0 "nothing"
	go tool pprof -top -sample_index=inuse_space -unit=B d.pb.gz >top.txt 2>/dev/null
	go tool pprof -top -sample_index=inuse_space -unit=B -diff_base a.pb.gz b.pb.gz >base.txt 2>/dev/null
	is "$(awk '$NF == "main.keep" { print $1 }' top.txt)" "$(awk '$NF == "main.keep" { print $1 }' base.txt)" "main.keep"
	expect_error 1 'cpu.pb.gz says nothing of memory: its sample types are samples, cpu' diff a.pb.gz cpu.pb.gz
}

# Ours: as the recordings of the same captures say.
test_ours() {
	local name n
	for name in a b; do
		n=100
		[ $name = a ] || n=250
		target $name "$TARGETS/alloc" $n 0
		target_ready $name
		snoop -p "${target_pid[$name]}" --source malloc,rss --live -o $name.pb.gz -o $name.json -o $name.db
		target_work $name
		snoop_stop
		target_end $name
	done
	"$SNOOP" diff a.pb.gz b.pb.gz --format json -o d.json
	python3 - <<-'P'
	import json
	a, b, d = (json.load(open(p)) for p in ("a.json", "b.json", "d.json"))
	t = d["totals"]["malloc"]
	for key in "alloc_bytes", "alloc_objects", "live_bytes", "live_objects":
	    assert t[key]["before"] == a["totals"]["malloc"][key], key
	    assert t[key]["after"] == b["totals"]["malloc"][key], key
	rate = t["alloc_bytes_per_s"]
	assert abs(rate["after"] - b["totals"]["malloc"]["alloc_bytes"] / b["duration_s"]) <= 0.01 + 2e-6 / b["duration_s"] * rate["after"]
	rss = d["totals"]["rss"]["rss_bytes"]
	assert rss["after"] == sum(s["rss_bytes"] for s in b["stacks"] if s["source"] == "rss"), rss
	P
	# With a recording on one side; and line by line the folded difference of the recordings.
	"$SNOOP" diff a.pb.gz b.db >mixed.txt
	has mixed.txt 'malloc in all'
	"$SNOOP" diff a.pb.gz b.pb.gz -o pprof.folded
	"$SNOOP" diff a.db b.db -o db.folded
	cut -d';' -f2- pprof.folded | sort >pprof.lines
	cut -d';' -f2- db.folded | sort >db.lines
	cmp pprof.lines db.lines
}

# Files that are cut, damaged, or something else: one line, exit code 1.
test_bad_files() {
	need go
	local cut size
	"$TARGETS/heap" 50 a.pb.gz
	gunzip -c a.pb.gz >a.pb
	"$SNOOP" diff a.pb a.pb.gz >same.txt # not packed is a pprof file, too
	size=$(stat -c %s a.pb.gz)
	for cut in 1 10 $((size / 2)) $((size - 9)) $((size - 1)); do
		head -c "$cut" a.pb.gz >cut.pb.gz
		expect_error 1 'cut.pb.gz is no whole pprof file' diff a.pb.gz cut.pb.gz
	done
	head -c $(($(stat -c %s a.pb) - 3)) a.pb >cut.pb
	expect_error 1 'cut.pb is no whole pprof file: it ends early' diff cut.pb a.pb
	: >empty.pb.gz
	expect_error 1 'empty.pb.gz is no whole pprof file' diff a.pb.gz empty.pb.gz
	head -c 5000 /dev/zero | gzip >zero.pb.gz
	expect_error 1 'zero.pb.gz is no whole pprof file' diff zero.pb.gz a.pb.gz
	gzip -c "$SNOOP" >elf.gz
	expect_error 1 'elf.gz is no whole pprof file' diff a.pb.gz elf.gz
	# Half a GiB and more out of a small file.
	head -c 600000000 /dev/zero | gzip -1 >bomb.pb.gz
	expect_error 1 'bomb.pb.gz (does not fit|is no)' diff a.pb.gz bomb.pb.gz
	expect_error 1 'No such file' diff a.pb.gz none.pb.gz
	expect_error 1 'it is no file' diff a.pb.gz .
}

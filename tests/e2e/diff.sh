# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 240
#
# Differences of recordings: the numbers are those of the two reports, in every format.

# The ledger program at work, recorded.
record_work() { # NAME.db N
	target "$1" "$TARGETS/alloc" "$2" 2
	target_ready "$1"
	snoop record -p "${target_pid[$1]}" --source malloc --live -o "$1.db" -o "$1.json"
	target_work "$1"
	snoop_stop
	target_end "$1"
}

test_c() {
	record_work a 100
	record_work b 200
	"$SNOOP" diff a.db b.db --format json -o d.json
	"$SNOOP" diff a.db b.db -o d.folded
	"$SNOOP" diff a.db b.db -n 5 >d.txt
	has d.txt 'malloc allocates'
	has d.txt 'site_'
	"$SNOOP" diff a.db b.db -o d.pb.gz
	python3 - <<-'P'
	import json
	a, b, d = (json.load(open(p)) for p in ("a.json", "b.json", "d.json"))
	def close(got, want):
	    # Durations are told to the microsecond.
	    assert abs(got - want) <= 0.002 + 2e-6 / min(a["duration_s"], b["duration_s"]) * abs(want), (got, want)
	t = d["totals"]["malloc"]
	for key in "alloc_bytes", "alloc_objects":
	    c = t[key + "_per_s"]
	    close(c["before"], a["totals"]["malloc"][key] / a["duration_s"])
	    close(c["after"], b["totals"]["malloc"][key] / b["duration_s"])
	    close(c["change"], c["after"] - c["before"])
	close(t["live_bytes"]["after"], b["totals"]["malloc"]["live_bytes"])
	# Each row: by the names of its functions, whatever the addresses were.
	def rows(doc):
	    r = {}
	    for s in doc["stacks"]:
	        if s["source"] == "malloc":
	            key = tuple(f["func"] for f in s["frames"])
	            r[key] = r.get(key, 0) + s["alloc_bytes"]
	    return r
	ra, rb = rows(a), rows(b)
	seen = set()
	for r in d["rows"]:
	    key = tuple(f["func"] for f in r["frames"])
	    assert key not in seen
	    seen.add(key)
	    close(r["alloc_bytes_per_s"]["before"], ra.get(key, 0) / a["duration_s"])
	    close(r["alloc_bytes_per_s"]["after"], rb.get(key, 0) / b["duration_s"])
	    assert r["live_bytes"]["noise"] is False and r["live_bytes"]["change_se"] == 0  # every block was followed
	assert seen == set(ra) | set(rb)
	# Two columns, and their sums.
	lines = [l.rsplit(" ", 2) for l in open("d.folded")]
	assert sum(int(l[1]) for l in lines) == a["totals"]["malloc"]["alloc_bytes"]
	assert sum(int(l[2]) for l in lines) == b["totals"]["malloc"]["alloc_bytes"]
	print("note: %d rows" % len(seen))
	P
	if command -v go >/dev/null; then
		want=$(python3 -c 'import json; print(json.load(open("b.json"))["totals"]["malloc"]["alloc_bytes"] - json.load(open("a.json"))["totals"]["malloc"]["alloc_bytes"])')
		got=$(go tool pprof -raw d.pb.gz 2>/dev/null | awk '/^Samples/ { s = 1; next } /^Locations/ { s = 0 } s && /:/ { sum += $2 } END { printf "%d", sum }')
		is "$got" "$want" "pprof's sum"
	fi
	# The other way round there is less.
	"$SNOOP" diff b.db a.db -o back.pb.gz
	"$SNOOP" diff a.db a.db --format json | python3 -c 'import json, sys
d = json.load(sys.stdin)
assert all(c["change"] == 0 for r in d["rows"] for c in r.values() if isinstance(c, dict))'
}

has_intervals() { # DB N
	[ -e "$1" ] && [ "$(sqlite3 "$1" 'SELECT count(*) FROM interval' 2>/dev/null || echo 0)" -ge "$2" ]
}

# Two windows of one recording.
test_windows() {
	need sqlite3
	target c "$TARGETS/loop"
	target_ready c
	snoop record -p "${target_pid[c]}" -o run.db 0.1
	until_ok has_intervals run.db 12
	snoop_stop
	at() { sqlite3 run.db "SELECT printf('%.6f', (unix_ns - start_unix_ns) / 1e9) FROM interval, run WHERE interval.id = $1"; }
	"$SNOOP" diff "run.db@..+$(at 5)" "run.db@+$(at 6)..+$(at 11)" --format json >d.json
	python3 - d.json <<-'P'
	import json, sys
	d = json.load(open(sys.argv[1]))
	c = d["totals"]["malloc"]["alloc_bytes_per_s"]
	assert c["before"] > 0 and c["after"] > 0 and c["change_se"] is not None
	assert d["before"]["duration_s"] > 0 and d["before"]["start"] < d["after"]["start"]
	print("note: change %.0f, standard error %.0f, noise %s" % (c["change"], c["change_se"], c["noise"]))
	P
	for g in stack func line type module goroutine labels; do
		"$SNOOP" diff run.db@..-0.1 run.db -g $g -n 2 >by.$g
		has by.$g 'RSS at the end'
	done
	expect_error 2 'nothing in that window' diff run.db@+100000.. run.db
	expect_error 2 "is no window" diff run.db@yesterday..now run.db
	expect_error 2 'diff takes two recordings or pprof files' diff run.db
	expect_error 1 'No such file' diff run.db none.db
}

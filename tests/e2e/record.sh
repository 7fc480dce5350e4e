# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 300
#
# Recordings: what was recorded is what the live tool prints of the same capture, whole at any time, bounded, and
# readable with a plain sqlite3.

sql() {
	sqlite3 -batch -bail "$@"
}

# Everything is the same but what comes from moments between the intervals.
same_json() { # RECORDED LIVE
	python3 - "$1" "$2" <<-'P'
	import json, sys
	got, want = (json.load(open(p)) for p in sys.argv[1:])
	def plain(d):
	    d["rss"]["timeline"] = None
	    for s in d["stacks"]:
	        s.pop("rss_trend", None), s.pop("rss_trend_bytes_per_s", None)
	    return d
	bad = []
	def compare(path, a, b):
	    if type(a) is not type(b):
	        bad.append((path, a, b))
	    elif isinstance(a, dict):
	        for k in sorted(set(a) | set(b)):
	            compare(path + "." + k, a.get(k, "missing"), b.get(k, "missing"))
	    elif isinstance(a, list):
	        if len(a) != len(b):
	            bad.append((path, len(a), len(b)))
	        for i, (x, y) in enumerate(zip(a, b)):
	            compare("%s[%d]" % (path, i), x, y)
	    elif a != b:
	        bad.append((path, a, b))
	compare("", plain(got), plain(want))
	for b in bad[:20]:
	    print("FAILED: %s is %r, live %r" % b)
	assert want["stacks"] and not bad, len(bad)
	print("note: %d stacks, equal" % len(want["stacks"]))
	P
}

# The other formats of the whole run are the same bytes.
same_formats() { # DB LIVE-PREFIX
	"$SNOOP" report "$1" -q --format folded >got.folded
	cmp got.folded "$2.folded"
	"$SNOOP" report "$1" -q -o got.pb.gz
	if command -v go >/dev/null; then
		# All but the comment on moments between the intervals.
		go tool pprof -top -sample_index=alloc_space "$2.pb.gz" 2>/dev/null | grep -v '^rss timeline' >want.top
		go tool pprof -top -sample_index=alloc_space got.pb.gz 2>/dev/null | grep -v '^rss timeline' >got.top
		cmp got.top want.top
	fi
}

test_c() {
	need sqlite3
	target c "$TARGETS/alloc" 500 2
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc -o run.db -o all.json -o all.folded -o all.pb.gz -o all.txt
	target_work c
	snoop_stop
	target_end c
	check c all.json c.ledger total roots
	"$SNOOP" report run.db --format json >got.json 2>report.err
	has report.err 'its end: stopped'
	same_json got.json all.json
	same_formats run.db all
	"$SNOOP" report run.db -q >got.txt
	cmp got.txt all.txt
	is "$(ls run.db*)" run.db "what is left beside the recording"
	is "$(sql run.db 'PRAGMA integrity_check')" ok "integrity"
}

test_go() {
	need sqlite3
	target go "$TARGETS/go-cgo" -n 500
	target_ready go
	snoop record -p "${target_pid[go]}" -o run.db -o all.json -o all.folded -o all.pb.gz 1
	target_work go
	until_ok has_intervals run.db 3
	snoop_stop
	target_end go
	is "$(stat -c %s snoop.out)" 0 "bytes on standard output"
	"$SNOOP" report run.db -q --format json >got.json
	same_json got.json all.json
	same_formats run.db all
	# Each way to group, and each window of it, adds up.
	for g in stack func line type goroutine labels module; do
		"$SNOOP" report run.db -q -g $g -n 3 >by.$g
		has by.$g '^go  '
	done
	sums_of_intervals run.db got.json
}

has_intervals() { # DB N
	[ -e "$1" ] && [ "$(sql "$1" 'SELECT count(*) FROM interval' 2>/dev/null || echo 0)" -ge "$2" ]
}

# The windows between any two neighbours add up to the whole; so does the timeline.
sums_of_intervals() { # DB JSON
	local n i
	n=$(sql "$1" 'SELECT count(*) FROM interval')
	for i in $(seq "$n"); do
		local from to
		from=$(sql "$1" "SELECT ifnull((SELECT printf('%.9f', (unix_ns - start_unix_ns) / 1e9 + 0.000001) FROM interval, run
			WHERE interval.id = $i - 1), '0')")
		to=$(sql "$1" "SELECT printf('%.9f', (unix_ns - start_unix_ns) / 1e9 - 0.000001) FROM interval, run WHERE interval.id = $i")
		"$SNOOP" report "$1" -q --format json --from "+$from" --to "+$to" >"w.$i.json"
	done
	"$SNOOP" report "$1" -q --timeline --format json >lines.json
	python3 - "$2" "$n" <<-'P'
	import json, sys
	whole, n = json.load(open(sys.argv[1])), int(sys.argv[2])
	parts = [json.load(open("w.%d.json" % i)) for i in range(1, n + 1)]
	lines = json.load(open("lines.json"))["intervals"]
	assert len(lines) == n > 1, (len(lines), n)
	for source, total in whole["totals"].items():
	    if total is None: continue
	    for key in "alloc_objects", "alloc_bytes", "requested_bytes":
	        got = sum(p["totals"][source][key] for p in parts)
	        assert got == total[key], (source, key, got, total[key])
	for key in "grown_bytes", "released_bytes":
	    assert sum(p["rss"][key] for p in parts) == whole["rss"][key], key
	for i, p in enumerate(parts):
	    assert p["rss"]["unexplained_bytes"] == p["rss"]["end_bytes"] - p["rss"]["start_bytes"] - p["rss"]["grown_bytes"] + p["rss"]["released_bytes"]
	    assert lines[i]["rss_bytes"] == p["rss"]["end_bytes"], i
	    assert lines[i]["alloc_bytes"] == sum(t["alloc_bytes"] for s, t in p["totals"].items() if t and s in ("go", "malloc")), i
	assert sum(l["hits"] for l in lines) == whole["overhead"]["hits"]
	assert sum(p["losses"]["events"] for p in parts) == whole["losses"]["events"] == sum(l["lost_events"] for l in lines)
	print("note: %d intervals add up" % n)
	P
}

# The recorder is killed in the middle: all that it had written is there, and whole; and again while it is read.
test_killed() {
	need sqlite3
	target c "$TARGETS/loop"
	target_ready c
	for round in 1 2 3; do
		snoop record -p "${target_pid[c]}" --source malloc,rss -o run.db 0.02
		until_ok has_intervals run.db $((6 * round))
		kill -KILL "$snoop_pid"
		wait "$snoop_pid" 2>/dev/null || true
		cp run.db alone.db # without what is beside it
		"$SNOOP" report run.db --format json >got.json 2>report.err
		has report.err 'cut off: the last interval is whole'
		is "$(sql run.db 'PRAGMA integrity_check')" ok "integrity"
		is "$(sql run.db 'SELECT ending, end_unix_ns FROM run')" "|0" "the end"
		# Whole: the sums of the last interval are those of its rows, and of all that was added.
		is "$(sql run.db "SELECT count(*) FROM source_at s WHERE s.interval = (SELECT max(id) FROM interval) AND s.alloc_bytes !=
			(SELECT sum(alloc_bytes) FROM row WHERE source = s.source)")" 0 "sources that do not add up"
		is "$(sql run.db 'SELECT count(*) FROM row r WHERE r.alloc_objects != (SELECT ifnull(sum(objects), 0) FROM alloc WHERE row = r.id)')" \
			0 "rows that do not add up"
		"$SNOOP" report alone.db -q >alone.txt
		has alone.txt '^malloc '
		rm -f run.db* alone.db*
	done
	kill -0 "${target_pid[c]}" || fail "the target is gone"
}

# A reader at any time sees a whole interval, and the recorder goes on.
test_while_it_grows() {
	need sqlite3
	target c "$TARGETS/loop"
	target_ready c
	snoop record -p "${target_pid[c]}" --source malloc -o run.db 0.05
	until_ok has_intervals run.db 1
	for _ in 1 2 3 4 5 6 7 8; do
		"$SNOOP" report run.db -q --format json >got.json
		check schema got.json
		is "$(sql run.db 'BEGIN; SELECT (SELECT sum(alloc_bytes) FROM row) = (SELECT sum(alloc_bytes) FROM source_at
			WHERE interval = (SELECT max(id) FROM interval)); COMMIT')" 1 "a whole interval"
	done
	# Also for somebody who may only read, and in a folder that cannot be written.
	if command -v setpriv >/dev/null; then
		setpriv --reuid 65534 --regid 65534 --clear-groups "$SNOOP" report run.db -q >nobody.txt
		has nobody.txt '^malloc '
	fi
	before=$(sql run.db 'SELECT max(id) FROM interval')
	until_ok has_intervals run.db $((before + 3))
	snoop_stop
}

# --max-file: never larger, and nothing of the sums is gone.
test_bound() {
	need sqlite3
	target c "$TARGETS/loop"
	target_ready c
	snoop record -p "${target_pid[c]}" --source malloc,rss --max-file 256K -o run.db -o all.json 0.01
	until_ok folded run.db
	snoop_stop
	size=$(stat -c %s run.db)
	[ "$size" -le 262144 ] || fail "the file has $size bytes"
	"$SNOOP" report run.db -q --format json >got.json
	same_json got.json all.json
	note "$(sql run.db 'SELECT max(id), sum(has_rows) FROM interval') intervals, those with rows"
}

folded() {
	[ "$(sql "$1" 'SELECT count(*) FROM interval WHERE NOT has_rows' 2>/dev/null || echo 0)" -gt 0 ]
}

# A target that is killed, as the kernel does for want of memory: the last interval is there, and the recording says so.
test_target_killed() {
	need sqlite3
	target c "$TARGETS/loop"
	target_ready c
	snoop record -p "${target_pid[c]}" --source malloc,rss --when 'rss>1M' --around 5 -o run.db 0.1
	until_ok has_intervals run.db 5
	kill -KILL "${target_pid[c]}"
	snoop_wait 0
	"$SNOOP" report run.db >got.txt 2>report.err
	has report.err 'was killed by signal 9 \(SIGKILL\)'
	is "$(sql run.db "SELECT exit_code FROM target_at ORDER BY interval DESC LIMIT 1")" 137 "exit code"
	[ "$(sql run.db 'SELECT count(*) FROM interval WHERE is_kept')" -gt 0 ] || fail "the condition never held"
}

test_command() {
	need sqlite3
	"$SNOOP" record -o run.db -o all.json --live --peak -- "$TARGETS/leak" >out 2>err
	"$SNOOP" report run.db -q --format json >got.json
	same_json got.json all.json
	"$SNOOP" report run.db -n 1000 -v >got.txt 2>report.err
	has report.err 'leak \(pid [0-9]+\) exited with [0-9]+'
	has got.txt 'make_block'
	is "$(sql run.db 'SELECT count(*) FROM interval')" 1 "intervals"
}

# The queries of the documentation do what they say there.
test_documented_queries() {
	need sqlite3
	"$SNOOP" record -o run.db --live -- "$TARGETS/leak" >out 2>err
	python3 - "$ROOT/user/store/README.md" <<-'P'
	import re, subprocess, sys
	text = open(sys.argv[1]).read()
	queries = re.findall(r"^```sql\n(.*?)^```", text, re.M | re.S)
	assert len(queries) >= 4, len(queries)
	for q in queries:
	    r = subprocess.run(["sqlite3", "-batch", "-bail", "run.db"], input=q, capture_output=True, text=True)
	    assert r.returncode == 0 and r.stdout.strip(), (q, r.stdout, r.stderr)
	print("note: %d queries" % len(queries))
	P
	# The file describes itself: each table and column.
	is "$(sql run.db "SELECT count(*) FROM sqlite_schema s JOIN pragma_table_info(s.name) c LEFT JOIN doc d
		ON d.table_name = s.name AND d.column_name = c.name WHERE s.type = 'table' AND s.name != 'doc' AND d.text IS NULL")" \
		0 "columns without a description"
}

test_refusals() {
	echo precious >mine.db
	expect_error 1 'mine.db: it is there, and is no recording' record -p $$ -o mine.db
	is "$(cat mine.db)" precious "the file that was there"
	expect_error 1 'cannot read .*No such file' report none.db
	expect_error 1 'mine.db is damaged, or no recording' report mine.db -q
	expect_error 2 'record needs a file' record -p $$
	expect_error 2 "'rss' is not a value of --when" record -p $$ -o x.db --when rss
	expect_error 2 "report has no option --live" report x.db --live
	expect_error 2 "which recording" report
}

test_prometheus() {
	need prometheus curl wrk sqlite3
	cat >prometheus.yml <<-'Y'
	global: { scrape_interval: 1h, evaluation_interval: 1h }
	Y
	local port=19391
	prometheus --config.file=prometheus.yml --storage.tsdb.path="$T/data" --web.listen-address=127.0.0.1:$port \
		--log.level=warn >prometheus.log 2>&1 </dev/null &
	pids+=($!)
	prometheus_pid=$!
	until_ok curl -sf -m 5 -o ready "http://127.0.0.1:$port/-/ready"
	snoop record -p "$prometheus_pid" -o run.db -o all.json 2
	wrk -t1 -c2 -d6s "http://127.0.0.1:$port/api/v1/query?query=sum(rate(prometheus_http_requests_total%5B5m%5D))by(handler)" >wrk
	until_ok has_intervals run.db 3
	snoop_stop
	"$SNOOP" report run.db -q --format json >got.json
	same_json got.json all.json
	check names got.json go 99
	sums_of_intervals run.db got.json
	note "$(stat -c %s run.db) bytes, $(sql run.db 'SELECT count(*) FROM interval') intervals"
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 240
#
# Each format is read by the program that it is made for, and says there what the JSON says.

consumers=$ROOT/tests/consumers

# The npm package NAME, unpacked in $package.
npm_package() {
	need npm node
	"$ROOT/tools/fetch-lab.sh" npm "$1" >fetch.log 2>&1 || skip "npm cannot fetch $1: $(tail -1 fetch.log)"
	package=$(tail -1 fetch.log)
	package=${package:-${ALLOCSNOOP_LAB:-/var/cache/allocsnoop-lab}/npm/$1}
}

# The ledger program at work: c.json, and what else the options say.
capture_work() { # ARG...
	target c "$TARGETS/alloc" 300 2
	target_ready c
	snoop -p "${target_pid[c]}" -o c.json "$@"
	target_work c
	snoop_stop
	target_end c
}

test_speedscope() {
	npm_package speedscope
	capture_work --source malloc,rss --live -o c.speedscope.json -o c.folded
	node "$consumers/speedscope.mjs" "$package" c.speedscope.json >imported.json
	check speedscope imported.json c.json
	# The golden file has hostile names.
	node "$consumers/speedscope.mjs" "$package" "$ROOT/tests/golden/export.speedscope.json" >golden.json
	python3 - "$package/dist/release/file-format-schema.json" c.speedscope.json "$ROOT/tests/golden/export.speedscope.json" <<-'P'
	import json, sys
	try:
	    import jsonschema
	except ImportError:
	    sys.exit("python3-jsonschema is missing")
	schema = json.load(open(sys.argv[1]))
	for path in sys.argv[2:]:
	    jsonschema.validate(json.load(open(path)), schema)
	golden = json.load(open("golden.json"))
	assert golden["index"] == 4 and golden["profiles"][4]["name"] == "rss_bytes", golden["index"]
	names = {name for p in golden["profiles"] for stack, _ in p["stacks"] for name in stack}
	assert any(n.startswith("evil?[31m;na?me") for n in names) and "[lost stack]" in names, names
	P
}

# Folded stacks, by speedscope.
test_speedscope_folded() {
	npm_package speedscope
	capture_work --source malloc -o c.folded
	node "$consumers/speedscope.mjs" "$package" c.folded >imported.json
	python3 - <<-'P'
	import json
	total = json.load(open("imported.json"))["profiles"][0]["total"]
	want = json.load(open("c.json"))["totals"]["malloc"]["alloc_bytes"]
	assert total == want, (total, want)
	P
}

schema() { # report|diff FILE...
	local which=$1
	shift
	python3 -c 'import jsonschema' 2>/dev/null || skip "no python3-jsonschema"
	python3 "$consumers/schema.py" "$ROOT/user/export/schema/$which.schema.json" "$@"
}

# JSON of a live capture, of intervals, of a recording, and of differences, against the schemas of the repository.
test_schemas() {
	local by
	capture_work --live --peak --source malloc,mmap,rss -o c.db -o c.pb.gz
	schema report c.json
	"$SNOOP" report c.db --format json >report.json
	"$SNOOP" -p $$ --format json 1 1 >interval.json
	"$SNOOP" --max-overhead 2 --format json -- ls / >sampled.txt
	grep '^{' sampled.txt >sampled.json
	schema report report.json interval.json sampled.json
	for by in stack func type; do
		"$SNOOP" diff c.db c.db -g $by --format json >diff-$by.json
	done
	"$SNOOP" diff c.pb.gz c.db --format json >mixed.json
	"$SNOOP" diff c.pb.gz c.pb.gz --format json >pprof.json
	schema diff diff-stack.json diff-func.json diff-type.json mixed.json pprof.json
	# It can fail: a document without its totals, a number that is none.
	python3 -c 'import json
d = json.load(open("c.json"))
json.dump({k: v for k, v in d.items() if k != "totals"}, open("bad1.json", "w"))
d["stacks"][0]["frames"] = [{"func": ""}]
json.dump(d, open("bad2.json", "w"))'
	! schema report bad1.json >bad.txt || fail "no totals are a report"
	! schema report bad2.json >>bad.txt || fail "a frame of nothing is a report"
}

# go tool pprof: -top, -list with the source, -diff_base.
test_go_pprof() {
	need go
	local name
	for name in a b; do
		rm -f c.in c.out
		capture_work --source malloc -o $name.pb.gz
	done
	go tool pprof -top -nodecount=1000 -nodefraction=0 -sample_index=alloc_space -unit=B a.pb.gz >top.txt 2>top.err
	is "$(sed -n 's/^Showing nodes accounting for \([0-9]*\)B.*/\1/p' top.txt)" \
		"$(python3 -c 'import json; print(json.load(open("c.json"))["totals"]["malloc"]["alloc_bytes"])')" "sum of -top"
	go tool pprof -list '^site_malloc_big$' -sample_index=alloc_space -source_path "$ROOT/tests/targets/c" a.pb.gz >list.txt 2>list.err
	has list.txt 'ROUTINE .*site_malloc_big'
	has list.txt '[0-9.]+MB +[0-9.]+MB +[0-9]+:.*malloc\('
	go tool pprof -top -sample_index=alloc_space -unit=B -diff_base a.pb.gz b.pb.gz >diff.txt 2>diff.err
	has diff.txt '^Showing nodes accounting for 0, 0% of' # the same work
}

# A Chrome trace of a live capture and of its recording, by a strict reader of the published format.
test_perfetto() {
	capture_work --source malloc,rss -o c.perfetto.json -o c.db 0.5
	"$SNOOP" report c.db -o whole.json -o report.perfetto.json
	python3 "$consumers/chrome_trace.py" report.perfetto.json whole.json
	python3 "$consumers/chrome_trace.py" c.perfetto.json whole.json
}

# OTLP profiles of a live capture and of its recording, by a strict reader of the published messages.
test_otlp() {
	capture_work --source malloc,rss --live -o c.otlp -o c.db
	python3 "$consumers/otlp.py" c.otlp c.json site_malloc_big site_realloc_grow inuse_space
	"$SNOOP" report c.db -o report.json -o report.otlp
	python3 "$consumers/otlp.py" report.otlp report.json site_malloc_big
	"$SNOOP" report c.db --format otlp >report.bin
	cmp report.bin report.otlp
	# It can fail: a file that ends too early, one with a field more, another sum.
	python3 -c 'import json
data = open("c.otlp", "rb").read()
open("short.otlp", "wb").write(data[:-1])
open("more.otlp", "wb").write(data + b"\x18\x01")
report = json.load(open("c.json"))
next(s for s in report["stacks"] if s["source"] == "malloc")["alloc_bytes"] += 1
json.dump(report, open("other.json", "w"))'
	! python3 "$consumers/otlp.py" short.otlp c.json 2>bad.txt || fail "a file without its end is whole"
	! python3 "$consumers/otlp.py" more.otlp c.json 2>bad.txt || fail "a field that nobody knows is known"
	! python3 "$consumers/otlp.py" c.otlp other.json 2>bad.txt || fail "another sum is the same"
}

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

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 240
#
# The HTML report in a headless Chromium, from its file: what it shows is what json says of the same capture.

need_page() {
	command -v node >/dev/null || skip "needs node"
	command -v chromium >/dev/null || skip "needs chromium"
	local why
	why=$("$SNOOP" report no.db --format html 2>&1) || true
	[[ $why != *"without npm"* ]] || skip "allocsnoop was built without npm: no HTML report"
}

page() {
	node "$ROOT/tests/html/check_page.js" "$@"
}

# The ledger program at work, N times.
record_work() { # NAME N
	target "$1" "$TARGETS/alloc" "$2" 2
	target_ready "$1"
	snoop record -p "${target_pid[$1]}" --source malloc,rss --live -o "$1.db" -o "$1.json" -o "$1.html"
	target_work "$1"
	snoop_stop
	target_end "$1"
}

test_c() {
	need_page
	record_work a 300
	page profile a.html a.json site_
	"$SNOOP" report a.db -q -o again.html
	"$SNOOP" report a.db -q -o again.json
	page profile again.html again.json site_
}

test_go() {
	need_page
	target go "$TARGETS/go-cgo" -n 500
	target_ready go
	snoop record -p "${target_pid[go]}" --source go,malloc,rss -o go.db -o go.json -o go.html
	target_work go
	snoop_stop
	target_end go
	page profile go.html go.json main.
}

test_diff() {
	need_page
	record_work a 100
	# Another program as well as more of the same: something grew, something went.
	"$SNOOP" record --mode exact --source malloc -o b.db -- "$TARGETS/crowd" 2000 >b.out
	"$SNOOP" diff a.db b.db -o d.html
	"$SNOOP" diff a.db b.db -o d.json
	page diff d.html d.json
}

test_hostile_crowd() {
	need_page
	"$SNOOP" record --mode exact --source malloc -o c.db -- "$TARGETS/crowd" 50000 >crowd.out
	read -r objects bytes <crowd.out
	"$SNOOP" report c.db -q -o c.html
	# Its stacks hold names that would end a script: none stands in the file as it is.
	is "$(grep -o '</script>' c.html | wc -l)" 2 "ends of scripts in the file"
	page crowd c.html 50000 "$objects" "$bytes"
}

has_moments() { # DB
	[ "$(sqlite3 "$1" 'select count(*) from interval')" -ge 3 ]
}

# None is recorded yet, but where the data has some they are drawn.
test_garbage_collections() {
	need_page
	target c "$TARGETS/alloc" 100 0
	target_ready c
	snoop record -p "${target_pid[c]}" --source malloc,rss -o c.db 1
	target_work c
	until_ok has_moments c.db
	snoop_stop
	"$SNOOP" report c.db -q -o c.html
	page marks c.html
	# The moments are the lines of the recording's timeline.
	"$SNOOP" report c.db -q -o c.json
	"$SNOOP" report c.db -q --timeline --format json -o lines.json
	python3 - <<-'P'
	import itertools, json
	doc, lines = json.load(open("c.json")), json.load(open("lines.json"))["intervals"]
	moments = doc["rss"]["timeline"]
	assert len(moments) >= 3, len(moments)
	for key in "alloc_bytes", "alloc_objects":
	    sums = list(itertools.accumulate(l[key] for l in lines))
	    assert {m[key] for m in moments} <= set(sums), (key, moments, sums)
	    assert moments[-1][key] == doc["totals"]["malloc"][key] > 0
	P
}

# Refused before anything is done, where the program has no page.
test_without_npm() {
	[ -n "$("$SNOOP" report no.db --format html 2>&1 | grep 'without npm')" ] || skip "this build has the page"
	local rc=0
	"$SNOOP" --format html -- touch ran 2>err || rc=$?
	is $rc 1 "exit code"
	has err 'without npm'
	is "$(wc -l <err)" 1 "lines of the message"
	[ ! -e ran ] || fail "the command ran"
}

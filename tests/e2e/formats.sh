# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# One capture in every format: strict readers accept each, and all say the same.

test_same_sums() {
	target c "$TARGETS/alloc" 500 2
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc -o c.json -o c.folded -o c.pb.gz
	target_work c
	snoop_stop
	target_end c
	check c c.json c.ledger total roots
	check folded c.folded c.json
	check pprof c.pb.gz c.json
	is "$(stat -c %s snoop.out)" 0 "bytes on standard output"
}

test_same_sums_go() {
	target go "$TARGETS/go-cgo" -n 500
	target_ready go
	snoop -p "${target_pid[go]}" --source go,malloc -o go.json -o go.folded -o go.pb.gz
	target_work go
	snoop_stop
	target_end go
	check go go.json go.ledger
	check folded go.folded go.json
	check pprof go.pb.gz go.json
}

test_objects() {
	target c "$TARGETS/alloc" 500 0
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc -m alloc_objects -o c.json -o c.folded
	target_work c
	snoop_stop
	check folded c.folded c.json alloc_objects
}

# Intervals: a document per line, each about itself.
test_intervals() {
	target c "$TARGETS/alloc" 500 0
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --format json -o - 1 3
	target_work c
	snoop_wait 0
	target_end c
	check intervals snoop.out c.ledger 3
}

# With intervals, files of the formats that hold one profile cover the whole capture.
test_intervals_and_files() {
	target c "$TARGETS/alloc" 500 0
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc -o c.json -o c.folded -o c.pb.gz 1 3
	target_work c
	snoop_wait 0
	target_end c
	check intervals c.json c.ledger 3
	python3 - c.json c.folded <<-'P'
	import json, sys
	want = sum(json.loads(line)["totals"]["malloc"]["alloc_bytes"] for line in open(sys.argv[1]))
	got = sum(int(line.rsplit(" ", 1)[1]) for line in open(sys.argv[2]))
	assert got == want, (got, want)
	P
}

# The report for people: the sites by bytes, the reports counted, no colours into a pipe.
test_text() {
	target c "$TARGETS/alloc" 2000 2
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc 1 2
	target_work c
	snoop_wait 0
	has snoop.out site_realloc_grow
	has snoop.out site_malloc_big
	! grep -q "$(printf '\033')" snoop.out || fail "escape sequences in a pipe"
	! grep -v '^allocsnoop' snoop.err || fail "standard error has more than messages"
}

test_top_limits_text_only() {
	target c "$TARGETS/alloc" 200 0
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc -n 1 -o c.json -o c.folded
	target_work c
	snoop_stop
	target_end c
	check c c.json c.ledger total roots
	check folded c.folded c.json
}

test_duration() {
	target c "$TARGETS/loop"
	target_ready c
	"$SNOOP" --mode exact -p "${target_pid[c]}" --source malloc --format json -d 1 >c.json 2>err </dev/null
	check schema c.json
	python3 -c 'import json
d = json.load(open("c.json"))["duration_s"]
assert 0.9 <= d < 20, d' # a busy machine comes late
}

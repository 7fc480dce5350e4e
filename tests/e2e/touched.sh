# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 300
#
# Whose memory it is that a function touches first: for each pair of one that asked and one that
# touched the pages are those that the program counted in its own page table.

# asker MODE N SLACK_PAGES SOURCES [SNOOP_ARG...]
asker() {
	local mode=$1 n=$2 slack=$3 sources=$4
	shift 4
	rm -f c.in c.out
	target c "$TARGETS/asker" "$mode" "$n"
	target_ready c
	snoop -p "${target_pid[c]}" --source "$sources" -o c.json -o c.txt "$@"
	target_work c
	snoop_stop
	target_end c
	check schema c.json
}

test_blocks_and_mappings() {
	asker plain 1000 0 malloc,mmap,rss --live
	check touched c.json c.ledger 0 ask_mapping=mmap ask_populated=mmap
	has c.txt ' of memory mapped at: ask_mapping < plain < main'
	has c.txt ' of memory allocated at: ask_large < plain < main'
	has c.txt ': allocation not seen'
}

# Without blocks: what malloc had mapped is known by the mapping, what it touches itself by the call.
test_mappings_alone() {
	asker plain 1000 0 mmap,rss -g allocation
	check touched-by c.json touch_mapping ask_mapping 100
	check touched-by c.json touch_large ask_large 100
	check touched-by c.json touch_early ask_ 0
	has c.txt 'RSS growth by stack that allocated'
	has c.txt ' mmap$'
	has c.txt '\[allocation not seen\]'
}

test_blocks_alone() {
	asker plain 1000 0 malloc,rss --live
	sed -i 's/"asked": "ask_\(mapping\|populated\)"/"asked": ""/g' c.ledger
	check touched c.json c.ledger 0
}

# The memory of one is the next one's, and so on; most was given back before anybody could look.
test_memory_that_is_given_again() {
	asker reuse 500 0 malloc,rss --live
	check touched c.json c.ledger 0
	asker reuse 500 0 malloc,mmap,rss --live
	check touched c.json c.ledger 0
}

# Pages of threads that fault at the same moment may be swapped among their stacks (rss_ledger.sh): 1 %.
test_threads() {
	asker threads 1000 160 malloc,mmap,rss --live
	check touched c.json c.ledger 160
}

# Each report has its own: together they are the whole.
test_intervals() {
	target c "$TARGETS/asker" plain 1000
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc,mmap,rss --live --format json 1
	target_work c
	until_ok grep -q touch_early snoop.out
	snoop_stop
	target_end c
	grep '^{' c.ledger >c.last
	python3 - <<-'P'
	import collections, json
	got, want = collections.Counter(), collections.Counter()
	for line in open("snoop.out"):
	    for s in json.loads(line)["stacks"]:
	        if s["source"] == "rss":
	            touched = next((f["func"] for f in s["frames"] if f["func"].startswith(("touch_", "ask_"))), "")
	            for p in s["allocated_by"]:
	                got[touched, next((f["func"] for f in p["frames"] if f["func"].startswith("ask_")), "")] += p["bytes"]
	for p in json.load(open("c.last"))["pairs"]:
	    want[p["touched"], p["asked"]] += p["bytes"]
	wrong = {k: (got[k], n) for k, n in want.items() if k[1] and got[k] != n}
	assert want and not wrong, wrong
	P
}

# What Go's runtime touches itself while it allocates.
test_go() {
	target go "$TARGETS/live-plain" -rounds 16
	target_ready go
	snoop -p "${target_pid[go]}" --source go,rss --live -o c.json
	target_work go
	snoop_stop
	target_end go
	check touched-go c.json 'runtime\.(mallocgc.*|growslice)' 99
}

# spans PROGRAM SHAPE
spans() {
	rm -f s.in s.out
	target s "$1" "$2"
	target_ready s
	snoop -p "${target_pid[s]}" --source go,rss --live -o s.json -o s.txt
	target_work s
	snoop_stop
	target_end s
	check touched-spans s.json s.ledger "$2"
}

# What the program fills itself; and which pages of the arenas are stacks.
test_go_spans() {
	spans "$TARGETS/spans-plain" large
	has s.txt ' MiB of memory allocated at: main.askLarge < main'
	spans "$TARGETS/spans-plain" small
	has s.txt ' MiB of memory in spans taken at: main.askSmall < main'
}

test_go_stacks() {
	spans "$TARGETS/spans-stripped" stacks
}

test_not_looked_for() {
	asker plain 100 0 malloc,rss
	python3 -c 'import json
rows = [s for s in json.load(open("c.json"))["stacks"] if s["source"] == "rss"]
assert rows and all(s["allocated_by"] is None and s["allocation_unseen_bytes"] is None for s in rows)'
	! "$SNOOP" -p 1 -g allocation 2>err || fail "it took -g allocation"
	has err '-g allocation needs'
}

test_redis() {
	need redis-server redis-benchmark redis-cli
	redis-server --port 16392 --save '' --appendonly no --daemonize yes --pidfile "$T/redis.pid" >redis.log 2>&1 </dev/null
	until_ok redis-cli -p 16392 ping >ping
	local pid
	pid=$(cat redis.pid)
	pids+=("$pid")
	snoop -p "$pid" --source malloc,mmap,rss --live -o r.json -o r.txt
	redis-benchmark -p 16392 -t set -n 20000 -d 3000 -r 1000000 -q >benchmark.log 2>&1 </dev/null
	snoop_stop
	check touched-by r.json . 'z(m|c|re)alloc' 80
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 240
#
# The RSS ledger balances: start + grown - released + unexplained = end, and what is
# unexplained against smaps_rollup is at most 1 % of the bytes moved or 512 KiB; the
# numbers of each function are those of the program's own arithmetic.

more= # "more": others than the functions of the ledger move pages
ledger() { # MODE N SLACK_PAGES SNOOP_ARG...
	local mode=$1 n=$2 slack=$(($3 + rss_batch))
	shift 3
	target c "$TARGETS/pages" "$mode" "$n"
	target_ready c
	snoop -p "${target_pid[c]}" --source rss --format json -o c.json "$@"
	target_work c
	snoop_stop
	target_end c
	# shellcheck disable=SC2086
	check ledger c.json c.ledger "$slack" $more
}

test_known_pattern() {
	ledger pattern 20000 8
	# What is unmapped has no mapping to look at any more: it was seen before.
	check rss-area c.json touch=anonymous dontneed=anonymous touch_again=anonymous read_into=anonymous unmap=anonymous \
		touch_remapped=anonymous "touch_brk=C heap" "brk_shrink=C heap"
}

# without_stacks ARG...: the same in all, by its own ledger.
without_stacks() {
	target c "$TARGETS/pages" pattern 20000
	target_ready c
	snoop -p "${target_pid[c]}" --source rss --no-stacks --format json -o c.json "$@"
	target_work c
	snoop_stop
	target_end c
	check rss-balance c.json
	check no-losses c.json
	python3 - <<-'P'
	import json
	r, ledger = json.load(open("c.json")), json.load(open("c.ledger"))
	assert {f["func"] for s in r["stacks"] for f in s["frames"]} <= {"[no stacks]", "[exit]"}, r["stacks"]
	for key in ("grown", "released"):
	    want = sum(f[key] for f in ledger["funcs"].values())
	    assert abs(r["rss"][key + "_bytes"] - want) <= 72 * ledger["page"], (key, want, r["rss"])
	P
}

# By what the pages are for.
test_without_stacks() {
	without_stacks -o c.pb.gz
	python3 - <<-'P'
	import gzip, json
	r = json.load(open("c.json"))
	assert r["rss"]["areas"]["C heap"]["grown_bytes"] >= 10000 * 4096, r["rss"]["areas"]
	comments = gzip.open("c.pb.gz").read()
	assert b"rss by rss_stat: start %d, end %d" % (r["rss"]["start_bytes"], r["rss"]["end_bytes"]) in comments
	assert b"rss timeline (seconds:KiB) " in comments
	P
}

test_without_areas() {
	without_stacks --no-areas
	python3 - <<-'P'
	import json
	r = json.load(open("c.json"))
	assert set(r["rss"]["areas"]) <= {"file", "shared", "not known"}, r["rss"]["areas"]
	P
}

test_huge_pages() {
	grep -q '\[never\]' /sys/kernel/mm/transparent_hugepage/enabled && skip "huge pages are off"
	ledger thp 64 520
}

test_huge_pages_switched_off() {
	ledger nothp 64 8
}

test_copy_on_write() {
	ledger cow 20000 64
}

# A followed child has a ledger of its own, from what it was born with to nothing.
test_copy_on_write_in_both() {
	more=more ledger cow 20000 64 -f
	# What it was born with but did not give back before, and its own copies of nothing else.
	check rss-row c.json '^\[exit\]$' 0 0 $((10000 * 4096)) $((11000 * 4096))
}

test_files_and_shared_memory() {
	# Where a fault brings its neighbours, 16 pages, a batch of faults is as many times more.
	ledger file 8000 $((8 + 15 * rss_batch))
	check rss-area c.json read_file=file "write_private=file+file copy" write_shared=file write_shmem=shared
	check rss-kind c.json shmem $((8000 * 4096)) $(((16 + rss_batch) * 4096))
	check rss-kind c.json file $((16000 * 4096)) $((1 << 20))
}

# Pages of threads that fault at the same moment may be swapped among their stacks: 1 %.
test_many_threads() {
	ledger threads 8000 640
}

test_go_gives_back() {
	target g "$TARGETS/grow" 2048
	target_ready g
	snoop -p "${target_pid[g]}" --source rss --format json -o g.json
	target_work g
	snoop_stop
	target_end g
	check ledger g.json g.ledger 8 more
	# Leaves of assembly and system calls stand before the function that called them.
	check rss-caller g.json main.clearPages 'runtime\.memclrNoHeapPointers'
	check rss-caller g.json main.movePages 'runtime\.memmove'
	check rss-caller g.json main.readPages '(syscall|internal/runtime/syscall|runtime/internal/syscall)\..*'
	check rss-area g.json "main.grow=Go heap+Go runtime" "main.giveBack=Go heap"
	check rss-row g.json '^main\.grow$' $((2000 << 20)) $((2200 << 20)) 0 $((64 << 20))
	# The background scavenger may have been faster with a part of it.
	check rss-row g.json '^(main\.giveBack|runtime\.bgscavenge)$' 0 $((64 << 20)) $((1900 << 20)) $((2200 << 20))
}

# Another process takes file pages away, and makes a page a huge one.
test_changed_by_another_process() {
	grep -q '\[never\]' /sys/kernel/mm/transparent_hugepage/enabled && skip "huge pages are off"
	target c "$TARGETS/pages" wait 2000
	target_ready c
	snoop -p "${target_pid[c]}" --source rss --format json -o c.json
	target_say c go
	target_hear c
	local file size huge
	read -r _ file size huge <<<"$heard"
	"$TARGETS/advise" "${target_pid[c]}" 21 "$file" "$size" >moved || skip "MADV_PAGEOUT: $(cat moved)"
	"$TARGETS/advise" "${target_pid[c]}" 25 "$huge" $((2 << 20)) >moved || skip "MADV_COLLAPSE: $(cat moved)"
	target_say c on
	target_hear c
	is "$heard" "done" "its answer"
	snoop_stop
	target_end c
	check ledger c.json c.ledger $((8 + rss_batch)) more
	# The kernel's own thread may have made the huge page before it could: a row of its own, of the same size.
	check rss-row c.json '^\[(process: advise|kernel: khugepaged)\]$' $((511 * 4096)) $((511 * 4096)) $((1900 * 4096)) $((2000 * 4096))
}

test_prometheus() {
	need prometheus curl wrk
	local url=http://127.0.0.1:19391
	echo 'global: { scrape_interval: 1h, evaluation_interval: 1h }' >prometheus.yml
	prometheus --config.file=prometheus.yml --storage.tsdb.path="$T/data" --web.listen-address=127.0.0.1:19391 \
		--log.level=warn >prometheus.log 2>&1 </dev/null &
	pids+=($!)
	local pid=$!
	until_ok curl -sf -m 5 -o ready "$url/-/ready"
	snoop -p "$pid" --source rss --format json -o p.json
	wrk -t1 -c16 -d8s "$url/api/v1/query?query=sum(rate(prometheus_http_requests_total%5B5m%5D))by(handler)" >wrk
	cat "/proc/$pid/smaps_rollup" >before
	snoop_stop
	cat "/proc/$pid/smaps_rollup" >after # it goes on
	check no-losses p.json cut
	check rss-balance p.json before after
	# Faults in a fresh page of a goroutine's stack, and in signal handlers: these are whole.
	python3 - <<-'P'
	import json
	stacks = [(s["incomplete"], [f["func"] for f in s["frames"]]) for s in json.load(open("p.json"))["stacks"]]
	cut = [s for s in stacks if s[0] and (s[1][-1] == "runtime.goexit" or "runtime.sigtramp" in s[1])]
	assert stacks and not cut, cut
	P
}

# Stopped while it is under load.
test_redis() {
	need redis-server redis-benchmark redis-cli
	redis-server --port 16391 --save '' --appendonly no --daemonize yes --pidfile "$T/redis.pid" \
		--maxmemory 200mb --maxmemory-policy allkeys-random >redis.log 2>&1 </dev/null
	until_ok redis-cli -p 16391 ping >ping
	local pid
	pid=$(cat redis.pid)
	pids+=("$pid")
	redis-benchmark -p 16391 -t set -n 100000000 -d 3000 -r 1000000 -q >benchmark.log 2>&1 </dev/null &
	pids+=($!)
	snoop -p "$pid" --source rss --format json -o r.json
	until_ok grows_to "$pid" 100000
	redis-cli -p 16391 flushall >flush
	until_ok grows_to "$pid" 100000
	snoop_stop
	check rss-balance r.json
}

grows_to() { # PID KIB
	[ "$(awk '$1 == "Rss:" { print $2 }' "/proc/$1/smaps_rollup")" -ge "$2" ]
}

# Of two functions that touch as much the one that keeps it is told from the one that gives it back.
test_leak_and_plateau() {
	python3 -c 'if 1:
		import time
		kept = []
		while True:
		    kept.append(bytearray(1 << 20)[::2])
		    time.sleep(0.1)' &
	pids+=($!)
	"$SNOOP" -p $! --source rss -d 10 -o c.json -o c.txt 2>err </dev/null
	check rss-balance c.json
	has c.txt '^ +\|[_.:=+*#-]+\|  from '
	has c.txt '^ +keeps growing '
	python3 - <<-'P'
	import json
	r = json.load(open("c.json"))
	line = r["rss"]["timeline"]
	assert len(line) >= 12 and line[-1]["rss_bytes"] > line[0]["rss_bytes"], line
	assert all(a["t_s"] < b["t_s"] for a, b in zip(line, line[1:])), line
	assert any(g["rss_bytes"] > 0 for p in line for g in p["growers"]), line
	growing = [s for s in r["stacks"] if s["rss_trend"] == "growing"]
	rate = sum(s["rss_trend_bytes_per_s"] for s in growing)
	want = (r["rss"]["end_bytes"] - r["rss"]["start_bytes"]) / r["duration_s"]
	assert 0.7 * want < rate < 1.3 * want, (rate, want)
	P
}

# Without the tracepoint page faults are an estimate of what each function touched; the rest is said to be unexplained.
by_faults() { # MODE N
	target c "$TARGETS/pages" "$1" "$2"
	target_ready c
	ALLOCSNOOP_RSS_METHOD=page_faults snoop -p "${target_pid[c]}" --source rss -o c.json -o c.txt
	target_work c
	snoop_stop
	target_end c
	has snoop.err 'warning: .*rss_stat.* estimate.* is not seen'
	has c.txt 'by page faults, an estimate .* unexplained'
	has c.txt 'what is given back is not seen'
	has c.txt 'page faults by stack'
}

test_by_page_faults() {
	by_faults pattern 20000
	check faults c.json c.ledger touch touch_again read_into touch_remapped touch_brk
	check rss-area c.json touch=anonymous touch_again=anonymous read_into=anonymous touch_remapped=anonymous "touch_brk=C heap"
}

test_by_page_faults_of_files() {
	by_faults file 8000
	check faults c.json c.ledger write_shmem
	# A page that is read brings those around it.
	python3 - <<-'P'
	import json
	rows = [s for s in json.load(open("c.json"))["stacks"] if any(f["func"] == "read_file" for f in s["frames"])]
	assert 0 < sum(s["rss_grown_bytes"] for s in rows) <= 8000 * 4096, rows
	kinds = json.load(open("c.json"))["rss"]["kinds"]
	assert abs(kinds["shmem"]["grown_bytes"] - 8000 * 4096) < 64 << 10, kinds
	P
}

test_by_page_faults_of_go() {
	target g "$TARGETS/grow" 256
	target_ready g
	ALLOCSNOOP_RSS_METHOD=page_faults snoop -p "${target_pid[g]}" --source rss --format json -o g.json
	target_work g
	snoop_stop
	target_end g
	check no-losses g.json cut
	check rss-caller g.json main.clearPages 'runtime\.memclrNoHeapPointers'
	check rss-area g.json "main.grow=Go heap+Go runtime"
}

# All of a process that another follows, and the breakpoints' pages.
test_by_page_faults_of_a_child() {
	ALLOCSNOOP_RSS_METHOD=page_faults "$SNOOP" --mode exact --source malloc,rss --format json -o c.json -- \
		sh -c "$TARGETS/peak </dev/null; exit 3" >out 2>err
	python3 - <<-'P'
	import json
	r = json.load(open("c.json"))
	pids = {s["pid"] for s in r["stacks"] if s["source"] == "rss"}
	assert len(pids) == 2, pids
	rss = r["rss"]
	assert rss["method"] == "page_faults", rss
	assert rss["end_bytes"] - rss["start_bytes"] == rss["grown_bytes"] + rss["unexplained_bytes"], rss
	P
}

# With neither /proc is what is left: start, end and timeline, and no row, which is said.
test_without_the_tracepoint() {
	target c "$TARGETS/pages" pattern 20000
	target_ready c
	ALLOCSNOOP_RSS_METHOD=proc snoop -p "${target_pid[c]}" --source rss -o c.json -o c.txt
	target_work c
	snoop_stop
	target_end c
	has snoop.err 'warning: .*rss_stat.* is not seen'
	has c.txt 'from /proc now and then'
	python3 - <<-'P'
	import json
	rss, ledger = json.load(open("c.json"))["rss"], json.load(open("c.ledger"))
	assert abs(rss["end_bytes"] - ledger["rss_end"]) <= 512 << 10, rss
	assert abs(rss["start_bytes"] - ledger["rss_start"]) <= 512 << 10, rss
	assert rss["method"] == "proc", rss
	assert rss["grown_bytes"] is None and rss["unexplained_bytes"] is None and rss["areas"] is None, rss
	assert rss["timeline"][-1]["rss_bytes"] == rss["end_bytes"], rss["timeline"]
	P
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 240
#
# Debian's prometheus (stripped, cgo, real): allocations by its own
# go_memstats_* over the same window, names for its frames.

PORT=19390
URL=http://127.0.0.1:$PORT

scrape() {
	curl -sf -m 20 -o "$1" "$URL/metrics"
}

start_prometheus() {
	need prometheus curl wrk
	cat >prometheus.yml <<-'Y'
	global: { scrape_interval: 1h, evaluation_interval: 1h }
	Y
	prometheus --config.file=prometheus.yml --storage.tsdb.path="$T/data" --web.listen-address=127.0.0.1:$PORT \
		--log.level=warn >prometheus.log 2>&1 </dev/null &
	prometheus_pid=$!
	pids+=($!)
	until_ok curl -sf -m 5 -o ready "$URL/-/ready"
	# Whatever is made once is made now.
	for _ in 1 2 3 4 5 6 7 8; do scrape warm; done
	wrk -t1 -c4 -d1s "$URL/api/v1/query?query=vector(1)" >/dev/null
}

mallocs() {
	awk '$1 == "go_memstats_mallocs_total" { printf "%d", $2 }' "$1"
}

# Until the service made so many objects more than $1 says; in pieces, at most 60 s.
load() {
	local want round
	want=$(($(mallocs "$1") + 12000000))
	for round in $(seq 12); do
		wrk -t1 -c4 -d5s "$URL/api/v1/query?query=sum(rate(prometheus_http_requests_total%5B5m%5D))by(handler)" >wrk.$round
		grep -q 'Non-2xx' wrk.$round && fail "the service answers with errors: $(cat wrk.$round)"
		scrape after
		[ "$(mallocs after)" -lt "$want" ] || return 0
	done
}

test_counts() {
	start_prometheus
	snoop -p "$prometheus_pid" --source go --format json -o p.json
	for i in 1 2 3 4 5 6 7 8; do scrape "scrape.$i"; done
	load scrape.8
	kill -0 "$prometheus_pid" || fail "prometheus died: $(cat prometheus.log)"
	snoop_stop
	check no-losses p.json
	check memstats p.json 0.1 scrape.? after
	check names p.json go 99
	scrape alive
}

# All sources at once, a real program with C threads.
test_all_sources() {
	start_prometheus
	snoop -p "$prometheus_pid" --format json -o p.json -o p.folded -o p.pb.gz
	wrk -t1 -c4 -d3s "$URL/api/v1/query?query=vector(1)" >wrk
	snoop_stop
	check names p.json go 99
	check folded p.folded p.json
	check pprof p.pb.gz p.json
	scrape alive
}

# What its RSS is made of, by its runtime in its memory (no symbols) and by its own metrics around that.
test_memory() {
	start_prometheus
	for i in 1 2; do scrape "scrape.$i"; done
	snoop -p "$prometheus_pid" --source rss --format json -o p.json
	snoop_stop
	scrape after
	check go-memory-metrics p.json scrape.1 scrape.2 after
}

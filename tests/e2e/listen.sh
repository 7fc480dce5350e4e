# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 240
#
# --listen: what a scrape says is what the JSON of the same capture says, and nobody who connects can hold the capture up.

# The address of the page, in $url.
listen_url() {
	until_ok grep -q 'metrics on http' snoop.err
	url=$(sed -n 's/^allocsnoop: metrics on //p' snoop.err)
}

scrape() { # FILE
	curl -sSf --max-time "$WAIT" -o "$1" "$url" && promtool check metrics <"$1"
}

# A page that was made later than OLD, in NEW: those who ask often get the same one.
scrape_newer() { # OLD NEW
	scrape "$2" && ! cmp -s <(grep ^allocsnoop_capture_seconds "$1") <(grep ^allocsnoop_capture_seconds "$2")
}

# The same but for the time, on a page that was made later.
scrape_settled() { # OLD NEW
	scrape_newer "$1" "$2" && cmp -s <(grep -v _seconds_total "$1") <(grep -v _seconds_total "$2") || {
		cp "$2" "$1"
		false
	}
}

# The scrape against the JSON; nothing happened in between.
same_numbers() { # SCRAPE JSON
	python3 - "$@" <<-'P'
	import json, re, sys
	got = {}
	for line in open(sys.argv[1]):
	    if not line.startswith("#"):
	        name, value = line.rsplit(" ", 1)
	        assert name not in got, name
	        got[name] = float(value)
	d = json.load(open(sys.argv[2]))
	n = 0
	def same(name, want):
	    global n
	    assert got.get("allocsnoop_" + name) == want, (name, got.get("allocsnoop_" + name), want)
	    n += 1
	for source, t in d["totals"].items():
	    if t is None:
	        assert not any('source="%s"' % source in k for k in got)
	        continue
	    label = '{source="%s"}' % source
	    for key in "alloc_objects", "alloc_bytes", "requested_bytes":
	        same(key + "_total" + label, t[key])
	    for key in "live_objects", "live_bytes":
	        if t[key] is not None:
	            same(key + label, t[key])
	    for key in "free_objects", "free_bytes":
	        if t.get(key) is not None:
	            same(key + "_total" + label, t[key])
	for cause, count in d["losses"].items():
	    same('lost_events_total' if cause == "events" else 'losses_total{cause="%s"}' % cause, count)
	same("hits_total", d["overhead"]["hits"])
	for kind in "anon", "file", "shmem":
	    same('rss_bytes{kind="%s"}' % kind, d["rss"]["kinds"][kind]["end_bytes"])
	for area, moved in d["rss"]["areas"].items():
	    same('rss_grown_bytes_total{class="%s"}' % area, moved["grown_bytes"])
	    same('rss_released_bytes_total{class="%s"}' % area, moved["released_bytes"])
	same("rss_unexplained_bytes", d["rss"]["unexplained_bytes"])
	sites = [v for k, v in got.items() if k.startswith("allocsnoop_site_alloc_bytes_total")]
	assert 0 < len(sites) <= 3 * len(d["totals"]) and sum(sites) <= sum(t["alloc_bytes"] for t in d["totals"].values() if t)
	print("note: %d numbers" % n)
	P
}

test_scrape() {
	need promtool curl
	target c "$TARGETS/alloc" 300 2
	target_ready c
	snoop -p "${target_pid[c]}" --live -n 3 --listen 0 -o c.json
	listen_url
	case $url in http://127.0.0.1:*/metrics) ;; *) fail "not on the loopback: $url" ;; esac
	scrape first.prom
	target_work c
	until_ok scrape_newer first.prom c.prom
	until_ok scrape_settled c.prom again.prom
	snoop_stop
	target_end c
	same_numbers c.prom c.json
}

test_dashboard_and_rules() {
	need promtool curl
	promtool check rules "$ROOT/tools/prometheus/alerts.yml"
	promtool test rules "$ROOT/tools/prometheus/alerts_test.yml"
	target go "$TARGETS/memory-plain" objects
	target_ready go
	snoop -p "${target_pid[go]}" --live --listen 0 -o go.json
	listen_url
	scrape go.prom
	snoop_stop
	# All kinds of sites are in the golden file; of this Go program its heap.
	python3 "$ROOT/tests/consumers/dashboard.py" "$ROOT/tools/prometheus/dashboard.json" "$ROOT/tools/prometheus/alerts.yml" go.prom \
		"$ROOT/tests/golden/export.prom"
}

# Hostile and slow clients: the capture goes on and is exact, and an honest client is served all the while.
test_hostile() {
	need curl
	target c "$TARGETS/alloc" 300 0
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --listen 0 -o c.json
	listen_url
	python3 - "$url" <<-'P' &
	import re, socket, sys
	host, port = re.match(r"http://(.*):(\d+)/", sys.argv[1]).groups()
	def connect():
	    s = socket.create_connection((host, int(port)))
	    s.settimeout(60)
	    return s
	def ask(data):
	    s = connect()
	    answer = b""
	    try:
	        s.sendall(data)
	        while True:
	            more = s.recv(65536)
	            if not more:
	                break
	            answer += more
	    except ConnectionError:
	        pass
	    return answer
	def status(data, want):
	    got = ask(data).split(b" ")[1:2]
	    assert got == [want], (data[:60], got)
	idle = [connect() for _ in range(64)]  # more than there is room for
	for s in idle[-8:]:
	    s.sendall(b"GET /metr")            # never ends
	status(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"200")
	status(b"HEAD / HTTP/1.0\r\n\r\n", b"200")
	status(b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", b"404")
	status(b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n", b"405")
	assert ask(b"\x00" * 100000)[:9] in (b"", b"HTTP/1.1 ")
	assert ask(b"GET /" + b"a" * 4091)[:12] in (b"", b"HTTP/1.1 431")
	assert ask(b"\xff\xfe\n\n")[:12] in (b"", b"HTTP/1.1 400")
	reader = connect()
	reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
	reader.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")  # and never reads
	for _ in range(300):
	    s = connect()
	    s.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
	    s.close()                          # goes away
	assert idle[0].recv(1) == b""          # its place was taken
	status(b"GET /metrics HTTP/1.1\r\n\r\n", b"200")
	P
	clients=$!
	target_work c
	wait $clients || fail "the clients were not served"
	snoop_stop
	target_end c
	check c c.json c.ledger total roots
}

test_wrong_addresses() {
	local bad
	for bad in x 65536 127.0.0.1 example.org:80 1.2.3.4.5:9 '[::1:80' ''; do
		expect_error 2 'listen' -p $$ --listen "$bad"
	done
	expect_error 1 'cannot listen on 192.0.2.1 port 9464' -p $$ --listen 192.0.2.1:9464
	expect_error 2 'report has no option --listen' report x.db --listen 1
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 240
#
# --push-pyroscope: what the server took is what the capture counted, and no server can hold the capture up.

pyroscope() { # HOW
	python3 "$ROOT/tests/consumers/pyroscope.py" "$1" 2>server.err &
	pids+=($!)
	until_ok test -s port
}

# The ledger program at work, with an interval of half a second, not before FILE is there; c.json and c.prom.
push_work() { # PORT [FILE]
	target c "$TARGETS/alloc" 300 2
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc,rss --push-pyroscope "http://127.0.0.1:$1/some" -o c.json -o c.prom 0.5
	[ -z "${2-}" ] || until_ok test -s "$2"
	target_work c
	snoop_stop
	target_end c
	python3 "$ROOT/tests/check.py" intervals c.json c.ledger "$(wc -l <c.json)"
}

failed() {
	sed -n 's/^allocsnoop_losses_total{cause="push_failed"} //p' c.prom
}

# One message, a count, and the numbers of the capture are whole.
failed_once() { # WHY
	has snoop.err "warning: cannot send a profile to Pyroscope at 127.0.0.1:[0-9]+: $1"
	is "$(grep -c 'cannot send' snoop.err)" 1 "messages"
	is "$(failed)" "$(wc -l <c.json)" "profiles not sent"
}

test_push() {
	need go
	pyroscope busy
	push_work "$(cat port)" 1.json
	[ ! -e wrong ] || fail "$(cat wrong)"
	is "$(failed)" "" "profiles not sent"
	python3 - <<-'P'
	import json, os
	docs = [json.loads(line) for line in open("c.json")]
	pushes = [json.load(open("%d.json" % (i + 1))) for i in range(len(docs))]
	assert len(docs) >= 2
	assert not os.path.exists("%d.json" % (len(docs) + 1))
	for before, push in zip([None] + pushes, pushes):
	    assert push["name"] == docs[0]["target"][0]["comm"], push
	    assert int(push["from"]) < int(push["until"]), push
	    assert before is None or int(before["from"]) <= int(push["from"]) <= int(before["until"]), (before, push)
	    assert {"alloc_space", "alloc_objects", "inuse_space", "inuse_objects", "rss_space"} == set(push["types"])
	print("note: %d profiles" % len(docs))
	P
	go tool pprof -top -nodecount=1000 -nodefraction=0 -sample_index=alloc_space -unit=B [0-9]*.pb.gz >top.txt 2>top.err
	is "$(sed -n 's/^Showing nodes accounting for \([0-9]*\)B.*/\1/p' top.txt)" \
		"$(python3 -c 'import json; print(sum(json.loads(l)["totals"]["malloc"]["alloc_bytes"] for l in open("c.json")))')" "sum of what was taken"
}

test_push_refused() {
	pyroscope refusing
	push_work "$(cat port)" asked
	[ ! -e wrong ] || fail "$(cat wrong)"
	failed_once 'it answers 422'
}

test_push_to_nobody() {
	push_work 1
	failed_once 'Connection refused'
}

test_push_to_silence() {
	pyroscope silent
	push_work "$(cat port)"
	failed_once '(no answer|it takes too long at the end)'
}

test_push_usage() {
	expect_error 2 push-pyroscope -p $$ --push-pyroscope https://localhost -d 1
	expect_error 2 'for captures' record -p $$ -o x.db --push-pyroscope http://localhost -d 1
}

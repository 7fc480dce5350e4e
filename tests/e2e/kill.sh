# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# However it ends, the target is what it was: its code is the files' again, byte
# by byte, nothing of ours is left in the kernel, and it still answers.

# answers NAME: at once, and it makes progress between two answers.
answers() {
	local first
	target_say "$1" "?"
	target_hear "$1"
	first=${heard#answer }
	until_ok progress "$1" "$first"
}

progress() {
	target_say "$1" "?"
	target_hear "$1"
	[ "${heard#answer }" -gt "$2" ]
}

# Of what every armed() allocsnoop held; others on this machine may have theirs.
nothing_left() {
	bpf_objects | cut -d' ' -f1,2 | sort >bpf.now
	[ -z "$(sort -u bpf.ours | comm -12 - bpf.now)" ]
}

# The same of those that nobody saw armed: nothing that came since, of the same kinds and names.
none_like_ours_left() {
	bpf_objects | comm -13 bpf.before - | cut -d' ' -f1,3- | sort -u >bpf.new
	[ -z "$(comm -12 bpf.kinds bpf.new)" ]
}

clean() { # PID [LEFT]
	until_ok check text "$1" same >text.log
	until_ok "${2:-nothing_left}"
	if [ -r /sys/kernel/tracing/uprobe_events ]; then
		! grep -i snoop /sys/kernel/tracing/uprobe_events || fail "a uprobe event is left in tracefs"
	fi
}

# While it is attached there are breakpoints; else the checks above would prove nothing.
armed() { # PID
	local kind
	check text "$1" differs
	sed -n 's/^\(prog\|map\|link\)_id:[[:space:]]*/\1 /p' "/proc/$snoop_pid"/fdinfo/* >>bpf.ours
	for kind in prog map link; do
		grep -q "^$kind " bpf.ours || fail "attached, and no BPF $kind in the kernel"
	done
	bpf_objects | awk 'NR == FNR { ours[$1, $2]; next } ($1, $2) in ours' bpf.ours - | cut -d' ' -f1,3- | sort -u >bpf.kinds
}

test_sigkill_of_allocsnoop() {
	target c "$TARGETS/loop"
	target_ready c
	check text "${target_pid[c]}" same
	snoop -p "${target_pid[c]}" --format json -o c.json
	answers c
	armed "${target_pid[c]}"
	kill -KILL "$snoop_pid"
	answers c
	clean "${target_pid[c]}"
	answers c
	kill -0 "${target_pid[c]}"
}

test_sigkill_of_allocsnoop_go() {
	target go "$TARGETS/go-plain" -loop -answer -gogc 20
	target_ready go
	snoop -p "${target_pid[go]}" --format json -o go.json
	target_say go go
	target_work go
	armed "${target_pid[go]}"
	kill -KILL "$snoop_pid"
	target_work go
	clean "${target_pid[go]}"
	target_work go
}

# Again and again, at whatever moment of arming and disarming it happens to hit.
test_sigkill_anywhere() {
	target c "$TARGETS/loop"
	target go "$TARGETS/go-plain" -loop -answer
	target_ready c
	target_ready go
	target_say go go
	target_say go "?"
	target_hear go
	bpf_objects >bpf.before
	snoop -p "${target_pid[c]}" --format json -o x.json
	armed "${target_pid[c]}"
	kill -KILL "$snoop_pid"
	local delay rc
	for delay in 0.02 0.05 0.1 0.15 0.2 0.3 0.4 0.5; do
		rc=0
		timeout -s KILL $delay "$SNOOP" --mode exact -p "${target_pid[c]},${target_pid[go]}" --format json -o x.json \
			>x.out 2>x.err </dev/null || rc=$?
		is $rc 137 "exit code of the killed allocsnoop"
		answers c
		target_work go
	done
	clean "${target_pid[c]}" none_like_ours_left
	clean "${target_pid[go]}" none_like_ours_left
	answers c
	target_work go
}

test_detach() {
	target c "$TARGETS/loop"
	target_ready c
	snoop -p "${target_pid[c]}" --format json -o c.json
	armed "${target_pid[c]}"
	kill -TERM "$snoop_pid"
	snoop_wait 0
	answers c
	# It waits for the kernel: no polling here.
	check text "${target_pid[c]}" same
	nothing_left || fail "left in the kernel: $(sort -u bpf.ours | comm -12 - bpf.now)"
	check schema c.json
}

test_attach_again_and_again() {
	target c "$TARGETS/loop"
	target_ready c
	for _ in 1 2 3 4 5; do
		snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
		armed "${target_pid[c]}"
		answers c
		snoop_stop
		check schema c.json
	done
	clean "${target_pid[c]}"
	answers c
}

# The target is killed under our hands: a report, and 0.
test_sigkill_of_target() {
	target c "$TARGETS/loop"
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
	answers c
	kill -KILL "${target_pid[c]}"
	snoop_wait 0
	check schema c.json
	check exit-code c.json "${target_pid[c]}" 137
	python3 - c.json <<-'P'
	import json, sys
	r = json.load(open(sys.argv[1]))
	assert r["totals"]["malloc"]["alloc_objects"] > 0, r["totals"]
	assert any(f["func"] == "site_loop" for s in r["stacks"] for f in s["frames"]), "no site_loop"
	P
}

test_sigkill_of_target_go() {
	target go "$TARGETS/go-plain" -loop -answer
	target_ready go
	snoop -p "${target_pid[go]}" --format json -o go.json
	target_say go go
	target_work go
	kill -KILL "${target_pid[go]}"
	snoop_wait 0
	check schema go.json
	check names go.json go 99
}

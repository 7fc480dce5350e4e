# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What is still there of what a Go program allocated (--live), against what the program
# keeps by its own ledger (tests/targets/go/live) and by its own memory profile.

# live "PROGRAM ARG..." ARG...: the target's work under allocsnoop --live ARG...
live() {
	local program=$1
	shift
	# shellcheck disable=SC2086 # words
	target go $program
	target_ready go
	snoop -p "${target_pid[go]}" --source go --live "$@" -o - -o go.json -o go.pb.gz -o go.folded -m live_bytes
	target_work go
}

# check.py finds the source of the numbers in the report, too.
checked() { # SOURCE
	snoop_stop
	target_end go
	check go-live go.json go.ledger "$1"
}

# Every object is followed, and all are as the memory profile has them, those of before included.
test_exact() {
	live "$TARGETS/live-plain -rate 1"
	checked profile
	check folded go.folded go.json live_bytes
	has snoop.out '^live +[0-9.]+ MiB +[0-9,]+ objects( |$)'
	has snoop.out 'by the runtime.s memory profile: every object$'
}

# The same samples as the program's own, at its own rate.
test_profile() {
	live "$TARGETS/live-plain -rounds 24 -before 8"
	checked profile
}

# No symbols: the rate is found through the code, what was before is not.
test_stripped() {
	live "$TARGETS/live-stripped -rounds 24"
	checked profile-since
}

# The linker has turned the program's profile off: our samples.
test_marks() {
	live "$TARGETS/live-noprofile -rounds 12" --live-rate 16K
	checked marks
}

# Many collections, more Ps than processors.
test_churn() {
	live "$TARGETS/live-noprofile -rounds 12 -gogc 10 -churn 4 -procs 4" --live-rate 16K
	checked marks
}

# What the profile had sampled before the program turned it off is still followed.
test_profile_turned_off() {
	live "$TARGETS/live-plain -rate 1 -off 1500ms"
	snoop_stop
	target_end go
	check go-live-gone go.json main.siteOnce 1000
}

test_pprof() {
	need go
	live "$TARGETS/live-plain -rate 1"
	checked profile
	check go-live-pprof go.pb.gz go.json
}

# started PROGRAM SOURCE ARG...: as a command, followed from its first allocation on.
started() {
	local program=$1 source=$2
	shift 2
	"$SNOOP" --source go --live --live-rate 16K -o go.json -- "$TARGETS/$program" -wait=false -linger 3s -before 0 -rounds 16 "$@" \
		>go.ledger 2>snoop.err
	check go-live go.json go.ledger "$source" tiny_unreadable
}

# What came before its rate was known, by our samples; the rest by the program's.
test_command() {
	started live-plain both
}

test_command_stripped() {
	started live-stripped both
}

test_command_noprofile() {
	started live-noprofile marks
}

# It ends while it is followed: what it had last.
test_exit() {
	live "$TARGETS/live-plain -rounds 24"
	target_end go
	snoop_wait
	check go-live go.json go.ledger profile
}

# Another program in its place has another heap.
test_exec() {
	live "$TARGETS/live-plain -rate 1 -exec $TARGETS/live-noprofile" --live-rate 16K
	target_say go exec
	target_ready go
	until_ok check text "${target_pid[go]}" differs
	target_work go
	snoop_stop
	target_end go
	check go-live go.json go.ledger both late_attach tiny_unreadable
}

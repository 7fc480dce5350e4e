# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Sampling and the governor, on a program whose sites allocate in fixed proportions and which tells how much it did
# (tests/targets/c/shares.c), and on Go's json in a loop.

rounds() { # NAME WORD: how many there were, into $rounds
	target_say "$1" "$2"
	target_hear "$1"
	rounds=${heard#rounds }
}

# sampled ARG...: of the busy program, between two looks at what it did.
sampled() {
	local first
	target shares "$TARGETS/shares"
	target_ready shares
	rounds shares busy
	snoop -p "${target_pid[shares]}" --source malloc --format json -o out.json "$@"
	rounds shares look
	first=$rounds
	snoop_wait
	rounds shares quiet
	echo $((rounds - first)) >truth
}

test_shares_and_totals() {
	sampled --mode sampled --max-overhead 5 -d 6
	check schema out.json
	check sampled out.json "$(cat truth)"
}

test_auto_samples_what_is_too_dear() {
	sampled --mode auto -d 6
	check sampled out.json "$(cat truth)"
}

# What it allows is kept to, by the tool's own account.
test_budget() {
	sampled --mode auto --max-overhead 1 -d 6
	check budget out.json 1
}

# A quiet program is seen whole but for its first moments; when it gets busy, there are bursts; and exact again.
test_governor_follows_the_load() {
	target shares "$TARGETS/shares"
	target_ready shares
	snoop -p "${target_pid[shares]}" --source malloc --mode auto --format json 1
	is_exact() { tail -1 snoop.out | grep -q '"bursts":0,'; }
	is_sampled() { tail -1 snoop.out | grep -q '"bursts":[1-9]'; }
	until_ok is_exact
	rounds shares busy
	until_ok is_sampled
	rounds shares quiet
	until_ok is_exact
	snoop_stop
}

# Go's json in a loop, whose allocations come in a fixed order: what bursts see is what there is.
test_go() {
	need "$TARGETS/go-jsonloop"
	target json "$TARGETS/go-jsonloop"
	target_ready json
	target_say json 1000000000
	snoop -p "${target_pid[json]}" --source go --mode exact --format json -o exact.json -d 3
	snoop_wait
	snoop -p "${target_pid[json]}" --source go --mode auto --format json -o out.json -d 6
	snoop_wait
	check sampled_like out.json exact.json
}

# How much it was is the runtime's own count, whatever part of a burst the probes take.
test_go_totals() {
	need "$TARGETS/go-jsonloop"
	target json "$TARGETS/go-jsonloop"
	target_ready json
	snoop -p "${target_pid[json]}" --source go --mode sampled --format json -o out.json
	target_say json 300000
	target_hear json
	snoop_stop
	check sampled_totals out.json "${heard#* }"
}

# A command is exact from its first instruction on, and stays so while that is cheap.
test_command() {
	"$SNOOP" --source malloc --mode auto --format json -o out.json -- "$TARGETS/short" 200 0 300 2>snoop.err >/dev/null
	"$SNOOP" --source malloc --mode exact --format json -o exact.json -- "$TARGETS/short" 200 0 300 2>snoop.err >/dev/null
	check same_totals out.json exact.json
}

test_options() {
	expect_error 2 'no --mode sampled' -p $$ --mode sampled --live
	expect_error 2 'no --max-overhead' -p $$ --mode exact --max-overhead 3
	expect_error 2 'no --max-overhead' -p $$ --live --max-overhead 3
	expect_error 2 'max-overhead' -p $$ --max-overhead 0
}

test_text() {
	sampled --mode sampled -d 3 --format text
	has out.json 'sampled  [0-9]+ bursts of '
	has out.json '^malloc .* \+-'
	has out.json 'bytes +\+- +bytes/s'
}

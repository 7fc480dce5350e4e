# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Every allocation of a Go program: totals equal to runtime.MemStats, objects,
# bytes and stacks of each site equal to the memory profile at rate 1, and objects
# and requested bytes to the program's own arithmetic (tests/targets/go/alloc).

# exact PROGRAM ARG...
exact() {
	need "$TARGETS/$1"
	local program=$TARGETS/$1
	shift
	target go "$program" "$@"
	target_ready go
	snoop -p "${target_pid[go]}" --format json -o go.json
	target_work go
	snoop_stop
	target_end go
	check go go.json go.ledger
	check schema go.json
}

test_plain() {
	exact go-plain
}

test_gogc_10() {
	exact go-plain -gogc 10 -n 3000
}

test_gogc_off() {
	exact go-plain -gogc -1 -n 3000
}

test_without_profile() { # the target's own profiling must not be what we see
	ALLOC_PROFILE=0 exact go-plain -gogc 20 -n 3000
}

test_stripped() {
	exact go-stripped -gogc 20
}

test_pie() {
	exact go-pie
}

test_pie_stripped() {
	exact go-pie-stripped -gogc 20
}

test_cgo() {
	exact go-cgo
}

test_one_proc() {
	exact go-plain -procs 1
}

# Nothing can come between probe and allocator: no byte is off.
test_to_the_byte() {
	exact go-plain -procs 1 -gogc -1
}

# 200 calls deep: more than a stack can hold. The counts stay right and the loss has a name.
test_deep() {
	target go "$TARGETS/go-plain" -depth 200 -n 100
	target_ready go
	snoop -p "${target_pid[go]}" --format json -o go.json
	target_work go
	snoop_stop
	target_end go
	check site go.json go main.siteDeep 100 2400
	python3 - go.json <<-'P'
	import json, sys
	r = json.load(open(sys.argv[1]))
	lost = {k: v for k, v in r["losses"].items() if v}
	assert set(lost) == {"stack_truncated"}, lost # nothing is missing from the counts
	assert lost["stack_truncated"] > 0, lost
	P
}

test_types() {
	target go "$TARGETS/go-plain"
	target_ready go
	snoop -p "${target_pid[go]}" --format json -o go.json
	target_work go
	snoop_stop
	target_end go
	check go-types go.json main.siteNode=main.node main.siteWide=main.wide main.siteHuge=main.huge
}

# The tool and the program start together: the first allocation counts, too.
test_from_the_start() {
	mkfifo in
	"$SNOOP" --mode exact --format json -o go.json -- "$TARGETS/go-plain" -n 500 <in >out 2>err &
	snoop_pid=$!
	pids+=("$snoop_pid")
	printf 'go\nquit\n' >in
	snoop_wait 0
	has out '^done$'
	check site go.json go main.siteNode 500 12000
	check site go.json go main.siteParallel 8000 192000
	check exit-code go.json first 0
}

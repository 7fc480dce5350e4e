# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a Go allocation has besides its stack: its type, the go statement that made its
# goroutine, its pprof labels, each equal to the program's own ledger (tests/targets/go/context).

# context PROGRAM
context() {
	need "$TARGETS/$1"
	target go "$TARGETS/$1"
	target_ready go
	snoop -p "${target_pid[go]}" --group-by goroutine -n 100 -o - -o go.json -o go.pb.gz -o go.folded
	target_work go
	snoop_stop
	target_end go
	check go-context go.json go.ledger
	check go-goroutines snoop.out go.json go.ledger
	check schema go.json
	check folded go.folded go.json
}

test_plain() {
	context context-plain
}

test_stripped() {
	context context-stripped
}

test_pprof() {
	need go
	context context-plain
	check pprof go.pb.gz go.json
	check go-tags go.pb.gz go.json
}

# Labels for people: by set, and under each stack. No byte of them reaches a terminal as it is.
test_labels() {
	target go "$TARGETS/context-plain"
	target_ready go
	snoop -p "${target_pid[go]}" --group-by labels -n 100
	target_work go
	snoop_stop
	has snoop.out 'go +endpoint=/a, tenant=x$'
	has snoop.out 'go +endpoint=/heir$'
	has snoop.out 'go +endpoint=/[?][[]2J[?]c, tenant=x$'
	has snoop.out 'go +[[]no labels[]]$'
	! grep -q "$(printf '\033')" snoop.out || fail "an escape sequence in a label came through"
}

test_types() {
	target go "$TARGETS/context-plain"
	target_ready go
	snoop -p "${target_pid[go]}" --group-by type -n 100
	target_work go
	snoop_stop
	has snoop.out 'go +main[.]thing$'
	has snoop.out 'go +[[][]][*]main[.]thing$'
	has snoop.out 'go +chan [*]main[.]thing$'
	has snoop.out 'go +map[[]string[]]interface [{][}]$'
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# C called from Go and Go called from C: every stack has the Go functions that the
# program saw itself (tests/targets/go/cgo), whatever C left in the frame pointer's
# register, through nested callbacks and on threads that C made.

# crossing PROGRAM [CHECK...]
crossing() {
	need "$TARGETS/$1"
	target cgo "$TARGETS/$1"
	target_ready cgo
	snoop -p "${target_pid[cgo]}" --format json -o cgo.json
	target_work cgo
	snoop_stop
	target_end cgo
	check cgo cgo.json cgo.ledger "${@:2}"
	check schema cgo.json
}

test_plain() {
	crossing cgo
}

test_pie() {
	crossing cgo-pie
}

test_stripped() { # C functions have no names
	crossing cgo-stripped stripped
}

# Go, C or both: what is probed does not change what a stack looks like.
test_only_malloc() {
	need "$TARGETS/cgo"
	target cgo "$TARGETS/cgo"
	target_ready cgo
	snoop -p "${target_pid[cgo]}" --source malloc --format json -o cgo.json
	target_work cgo
	snoop_stop
	target_end cgo
	check cgo cgo.json cgo.ledger malloc
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a kernel's numbers are in a recording: the same as in the program's own ledger.

test_recording() {
	target c "$TARGETS/alloc" 500 2
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc,rss -o run.db
	target_work c
	snoop_stop
	target_end c
	"$SNOOP" report run.db --format json >c.json 2>report.err
	has report.err 'its end: stopped'
	check c c.json c.ledger total roots
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# RSS: what grew it and what gave it back, by stack, against a known number of
# pages and against smaps_rollup.

grow() {
	target c "$TARGETS/touch" "$1"
	target_ready c
	snoop -p "${target_pid[c]}" --source rss --format json -o c.json -o c.folded -m rss_bytes
	target_work c
	snoop_stop
	target_end c
	check rss c.json c.ledger $((16 + rss_batch))
	has c.folded 'touch_many.* [0-9]+$'
}

test_pages() {
	grow 1000
}

test_many_pages() {
	grow 20000
}

# Which stacks had the pages when there were most, against the kernel's own high water.
test_peak() {
	need "$TARGETS/peak"
	"$SNOOP" --source rss --peak -s peak -o c.json -o c.txt -- "$TARGETS/peak" >peak.out 2>snoop.err
	check rss-peak c.json peak.out
	has c.txt '^RSS peak  [0-9.]+ MiB '
	has c.txt 'the highest of the snapshots: [0-9.]+ % of what there was at most'
	has c.txt ' at peak .*RSS growth by stack'
}

# Blocks and pages together.
test_both_peaks() {
	need "$TARGETS/peak"
	"$SNOOP" --source malloc,rss --live --peak --format json -o c.json -- "$TARGETS/peak" >peak.out 2>snoop.err
	check live-peak c.json
	check rss-peak c.json peak.out
}

# With probes on the allocators as well, the RSS ledger is the same.
test_with_all_sources() {
	target c "$TARGETS/touch" 1000
	target_ready c
	snoop -p "${target_pid[c]}" --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	check rss c.json c.ledger $((16 + rss_batch))
}

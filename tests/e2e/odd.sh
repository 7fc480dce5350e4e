# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Programs of an unusual shape (tests/targets/c/odd.c), and privileges.

odd() {
	target c "$TARGETS/odd" "$@"
	target_ready c
}

# An allocator that calls another of its doors a hundred times is one allocation.
test_nested_doors() {
	odd nested 1000 100
	snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_work c
	snoop_stop
	check site c.json malloc site_malloc 1000 1000000
	is "$(python3 -c 'import json; print(json.load(open("c.json"))["totals"]["malloc"]["alloc_objects"])')" 1000 "all objects"
}

# The doors of one file in several mappings: all of them are armed.
test_split_text() {
	odd split 700
	snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_work c
	snoop_stop
	check site c.json malloc site_malloc 700 700000
	check site c.json malloc site_calloc 700 140000
}

rss_of() { # FUNC
	python3 - "$1" <<-'P'
	import json, sys
	r = json.load(open("c.json"))
	print(sum(s["rss_bytes"] for s in r["stacks"]
	          if s["source"] == "rss" and any(f["func"] == sys.argv[1] for f in s["frames"])))
	P
}

# A vfork child shares the parent's memory: the parent's ledger stays the parent's.
test_vfork_child() {
	odd vfork 2000
	snoop -p "${target_pid[c]}" -f --format json -o c.json
	target_work c
	snoop_stop
	is "$(rss_of touch_before)" $((2000 * 4096)) "bytes of touch_before"
	is "$(rss_of touch_after)" $((10000 * 4096)) "bytes of touch_after"
	python3 - <<-'P'
	import json
	r = json.load(open("c.json"))["rss"]
	moved = r["grown_bytes"] + r["released_bytes"]
	assert abs(r["unexplained_bytes"]) <= max(moved * 0.01, 512 << 10), r
	P
}

# entries MAP: of our tool's, whatever other ones run.
entries() {
	local id
	for id in $(sed -n 's/^map_id:[^0-9]*//p' "/proc/$snoop_pid"/fdinfo/* | sort -nu); do
		if bpftool map show id "$id" | grep -q " name $1 "; then
			bpftool -j map dump id "$id" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'
		fi
	done
}

# Threads of vfork children that called the parent's malloc are no targets, and forgotten all the same. Newer kernels
# do not tell of them at all: uprobe_multi looks at the thread group from 6.11 on.
test_vfork_children_that_allocate() {
	odd vforks 500
	snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_work c
	is "$(entries threads)" 0 "threads that are remembered"
	snoop_stop
	python3 -c 'import json; n = json.load(open("c.json"))["totals"]["malloc"]["alloc_objects"]; assert n in (0, 500), n'
}

# What a program allocated before it executed another at the same addresses is not the other's.
test_exec_at_the_same_addresses() {
	"$SNOOP" --mode exact --source malloc --format json -o c.json -- "$TARGETS/odd" burst 5000 "$TARGETS/short-fixed" 300 \
		>out 2>err </dev/null
	check site c.json malloc site_malloc 5000 5000000
	check site c.json malloc site_short 300 19200
}

# With an exec the RSS ledger of a command balances from nothing to nothing.
test_ledger_of_a_command() {
	"$SNOOP" --mode exact --format json -o c.json -- "$TARGETS/odd" burst 5000 "$TARGETS/short-fixed" 300 >out 2>err </dev/null
	python3 - <<-'P'
	import json
	r = json.load(open("c.json"))["rss"]
	assert r["start_bytes"] == 0 and r["end_bytes"] == 0 and r["grown_bytes"] > 200000, r
	assert abs(r["unexplained_bytes"]) <= 512 << 10, r
	P
}

# A reader that goes away takes nothing with it but its own output.
test_closed_pipe() {
	target c "$TARGETS/loop"
	target_ready c
	"$SNOOP" --mode exact -p "${target_pid[c]}" -o kept.folded 1 3 2>err | head -1 >first
	has first '#1'
	has kept.folded '^loop;.* [0-9]+$'
}

# Not root: the three capabilities that the message for others names.
test_three_capabilities() {
	need setpriv
	target c "$TARGETS/loop"
	target_ready c
	setpriv --bounding-set=-all,+bpf,+perfmon,+sys_ptrace --inh-caps=-all,+bpf,+perfmon,+sys_ptrace \
		"$SNOOP" --mode exact -p "${target_pid[c]}" --source malloc -d 1 --format json -o c.json 2>err </dev/null || {
		cat err >&2
		fail "refused"
	}
	python3 -c 'import json; assert json.load(open("c.json"))["totals"]["malloc"]["alloc_objects"] > 0'
}

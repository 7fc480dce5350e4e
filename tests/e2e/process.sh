# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# More than one process, and processes that change: several PIDs, children, exec.

test_two_pids() {
	target a "$TARGETS/alloc" 500 2
	target b "$TARGETS/go-plain" -n 300
	target_ready a
	target_ready b
	snoop -p "${target_pid[a]},${target_pid[b]}" --format json -o both.json
	target_work a
	target_work b
	snoop_stop
	target_end a
	target_end b
	check target-pids both.json "${target_pid[a]}" "${target_pid[b]}"
	check site both.json malloc site_calloc 500 51750 "${target_pid[a]}"
	check site both.json go main.siteNode 300 7200 "${target_pid[b]}"
}

# The same program twice: counts are kept apart.
test_two_of_one_program() {
	target a "$TARGETS/alloc" 100 0
	target b "$TARGETS/alloc" 300 0
	target_ready a
	target_ready b
	snoop -p "${target_pid[a]},${target_pid[b]}" --source malloc --format json -o both.json
	target_work a
	target_work b
	snoop_stop
	check site both.json malloc site_valloc 100 70000 "${target_pid[a]}"
	check site both.json malloc site_valloc 300 210000 "${target_pid[b]}"
}

# A process of the same program that nobody asked for is left alone.
test_bystander() {
	target a "$TARGETS/alloc" 100 0
	target b "$TARGETS/loop"
	target_ready a
	target_ready b
	snoop -p "${target_pid[a]}" --source malloc --format json -o a.json
	check text "${target_pid[b]}" same
	target_work a
	snoop_stop
	check target-pids a.json "${target_pid[a]}"
}

attached_to() {
	grep -Eq "^allocsnoop: attached to $1\b" snoop.err
}

test_follow_children() {
	local child
	target c "$TARGETS/fork" -w 4 500
	target_ready c
	snoop -f -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_say c go
	target_hear c
	is "${heard%% *}" forked "answer"
	for child in ${heard#forked }; do
		until_ok attached_to "$child"
	done
	# shellcheck disable=SC2086 # words
	set -- ${heard#forked }
	target_work c
	snoop_stop
	target_end c
	check site c.json malloc site_child 2000 96000
	for child; do
		check site c.json malloc site_child 500 24000 "$child"
	done
	check site c.json malloc site_parent 500 16000
	check target-pids c.json "${target_pid[c]}" "$@"
}

# Children that are done sooner than they can be attached to: missed, and said so.
test_follow_fast_children() {
	target c "$TARGETS/fork" 4 500
	target_ready c
	snoop -f -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	check site-or-loss c.json malloc site_child 2000 late_attach not_followed process_event_lost
	check site c.json malloc site_parent 500 16000
}

# Without -f a child counts for nobody, and it runs without our breakpoints.
# The second is armed before it executes, because the first has shown the file: charged like the first.
test_the_same_go_program_again() {
	local run='"$0" -n 300 <script >/dev/null'
	printf 'go\nquit\n' >script
	# The shell's child lives for a while before it executes the program.
	"$SNOOP" --mode exact --source go --format json -o c.json -- sh -c "$run; (sleep 0.5; exec $run); true" "$TARGETS/go-plain" \
		>out 2>err </dev/null
	python3 - <<-'P'
	import collections, json
	sums = collections.defaultdict(lambda: [0, 0])
	for s in json.load(open("c.json"))["stacks"]:
	    if s["source"] == "go":
	        sums[s["pid"]][0] += s["alloc_bytes"]
	        sums[s["pid"]][1] += s["requested_bytes"]
	assert len(sums) == 2, dict(sums)
	for pid, (rounded, requested) in sums.items():
	    assert rounded >= requested > 1000000, (pid, rounded, requested)
	P
}

test_no_follow() {
	target c "$TARGETS/fork" 4 500
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	check site c.json malloc site_child 0 0
	check site c.json malloc site_parent 500 16000
	check target-pids c.json "${target_pid[c]}"
}

# The process becomes another program while it is watched: both halves have their names.
test_exec() {
	# It stays long enough for its mappings to be read, which is where names come from.
	target c "$TARGETS/exec" 300 "$TARGETS/short" 700 5 500
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_say c go
	snoop_wait 0 # it is gone by itself
	check site c.json malloc site_before 300 12000
	check site c.json malloc site_short 700 44800
	check site c.json malloc before_main 7 77
	check exit-code c.json "${target_pid[c]}" 5
}

# From C to Go.
test_exec_go() {
	target c "$TARGETS/exec" 10 "$TARGETS/go-plain" -n 200
	target_ready c
	snoop -p "${target_pid[c]}" --format json -o c.json
	target_say c go
	target_ready c
	target_work c
	target_end c
	snoop_wait 0
	check site c.json malloc site_before 10 400
	check site c.json go main.siteNode 200 4800
}

test_exit_ends_capture() {
	target c "$TARGETS/alloc" 100 0
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --format json -o c.json
	target_work c
	target_end c
	snoop_wait 0
	check site c.json malloc site_malloc_zero 100 0
	check exit-code c.json "${target_pid[c]}" 0
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# allocsnoop -- COMMAND: from the first instruction on, children and what they
# execute included, with the command's own exit code in the report.

# as_valgrind COMMAND...: our totals are those of "total heap usage".
as_valgrind() {
	need valgrind
	env -i "PATH=$PATH" valgrind --run-libc-freeres=no --run-cxx-freeres=no --log-file=valgrind.log "$@" >valgrind.out </dev/null
	env -i "PATH=$PATH" "$SNOOP" --mode exact --source malloc --format json -o c.json -- "$@" >ours.out 2>snoop.err </dev/null
	cmp valgrind.out ours.out
	check valgrind c.json valgrind.log
}

test_counts_all() {
	as_valgrind "$TARGETS/short" 3000
	check site c.json malloc site_short 3000 192000
	check site c.json malloc before_main 7 77
}

test_counts_cplusplus() {
	need "$TARGETS/new"
	printf 'go\nquit\n' >script
	# libstdc++ allocates before main: 72704 bytes for exceptions when memory is out.
	env -i "PATH=$PATH" valgrind --run-libc-freeres=no --run-cxx-freeres=no --log-file=valgrind.log "$TARGETS/new" 100 \
		<script >/dev/null
	env -i "PATH=$PATH" "$SNOOP" --mode exact --source malloc --format json -o c.json -- "$TARGETS/new" 100 <script >/dev/null 2>snoop.err
	check valgrind c.json valgrind.log
}

test_counts_system_program() {
	as_valgrind /usr/bin/sort /etc/services
	as_valgrind /bin/ls -l /usr/share
}

test_exit_code() {
	"$SNOOP" --mode exact --format json -o c.json -- "$TARGETS/short" 10 7 >out 2>err </dev/null
	has out '^10 blocks$'
	check exit-code c.json first 7
	# Killed by a signal: as a shell says it.
	"$SNOOP" --mode exact --format json -o c.json -- /bin/sh -c 'kill -9 $$' >out 2>err </dev/null
	check exit-code c.json first 137
}

test_no_such_command() {
	local rc=0
	"$SNOOP" --mode exact --format json -o c.json -- "$T/no-such-program" >out 2>err </dev/null || rc=$?
	[ $rc = 4 ] || [ $rc = 1 ] || fail "exit code $rc, want 1 or 4"
	has err 'no-such-program'
}

# Its input and output are the command's own.
test_stdio() {
	printf 'b\na\n' | "$SNOOP" --mode exact --format json -o c.json -- sort >out 2>err
	is "$(paste -sd, out)" a,b "output of sort"
}

# A child is attached to when it is seen: what it did before is missed, and said so.
test_children() {
	printf 'go\nquit\n' >script
	"$SNOOP" --mode exact --source malloc --format json -o c.json -- "$TARGETS/fork" 3 1000 <script >out 2>err
	check site-or-loss c.json malloc site_child 3000 late_attach not_followed process_event_lost
	check site c.json malloc site_parent 1000 32000
	python3 - <<-'P'
	import json
	r = json.load(open("c.json"))
	seen, missed = len(r["target"]), r["losses"]["not_followed"]
	assert seen <= 4 <= seen + missed, (seen, missed)
	P
}

test_children_that_exec() {
	printf 'go\nquit\n' >script
	"$SNOOP" --mode exact --source malloc --format json -o c.json -- "$TARGETS/fork" 2 100 "$TARGETS/short" 20000 <script >out 2>err
	check site-or-loss c.json malloc site_child 200 late_attach not_followed process_event_lost
	check site-or-loss c.json malloc site_short 40000 late_attach not_followed process_event_lost
}

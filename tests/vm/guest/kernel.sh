# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# On this kernel it runs, or says what is missing, and what would help.

test_runs_or_refuses() {
	local rc=0
	"$SNOOP" check -d 0 >check.txt 2>check.err || rc=$?
	note "$(uname -r), $(nproc) CPUs, preemption $(sed 's/.*(\(.*\)).*/\1/' /sys/kernel/debug/sched/preempt 2>/dev/null || echo unknown)"
	case $rc in
	0)
		sed -n 's/^  NO *\([a-z_]*\) *\(.*\)/note: without \1: \2/p' check.txt
		has check.txt '^  a trap costs '
		;;
	3)
		has check.txt '^  NO .* is needed'
		note "$(cat check.err)"
		sleep 600 &
		pids+=($!)
		expect_error 3 'is needed' -p $! -d 1
		;;
	*) fail "allocsnoop check: exit code $rc: $(cat check.err)" ;;
	esac
}

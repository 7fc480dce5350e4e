#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh [unit|e2e ...] [-k PATTERN]
#
# Installs what is missing, builds everything with warnings as errors, runs the
# unit programs and the end-to-end tests (test_* functions of tests/e2e/*.sh), and
# says for each: ok, not ok, or skip and why. PATTERN (a regular expression)
# selects by "file/name". The last line is "N passed, N failed, N skipped"; exit
# code 1 if any failed.
#
# In a guest of tests/vm LATER names a folder that the host sees: all is built, and what
# a test wants to have compared is only noted, in the folder of the test, which is kept in
# LATER/NAME for the host.
#
# An end-to-end test runs in a shell of its own with an empty folder as its place,
# a time limit (TEST_TIMEOUT, 120 s; a line "# timeout: SEC" in its file sets
# another), no input, and a process group of its own, which is killed at the end.
# What it prints is shown only if it fails.
set -u
cd "$(dirname "$0")/.." || exit 1

export O=${O:-.output}
export LC_ALL=C.UTF-8
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
passed=0 failed=0 skipped=0
failures=()
pattern=.
kinds=

while [ $# -gt 0 ]; do
	case $1 in
	unit | e2e) kinds+=" $1" ;;
	-k)
		pattern=${2:?-k needs a pattern}
		shift
		;;
	*)
		sed -n '4,9s/^# \{0,1\}//p' "$0" >&2
		exit 2
		;;
	esac
	shift
done
kinds=${kinds:- unit e2e}

tmp=$(mktemp -d "${TMPDIR:-/tmp}/allocsnoop-test.XXXXXX")
chmod 755 "$tmp" # some tests run the tool as nobody
group=
finish() {
	[ -z "$group" ] || kill -KILL -- "-$group" 2>/dev/null
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 130' INT TERM

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# Milliseconds since $1 as seconds.
since() {
	local ms=$(($(now_ms) - $1))
	printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}

# result ok|"not ok"|skip NAME TIME [WHY]
result() {
	case $1 in
	ok) passed=$((passed + 1)) ;;
	skip) skipped=$((skipped + 1)) ;;
	*)
		failed=$((failed + 1))
		failures+=("$2")
		;;
	esac
	printf '%-6s %s (%s)%s\n' "$1" "$2" "$3" "${4:+ # $4}"
}

total() {
	if [ $failed -gt 0 ]; then
		printf '\nfailed:\n'
		printf '  %s\n' "${failures[@]}"
	fi
	echo
	[ -n "${LATER-}" ] || mkdir -p "$OUT/tests"
	printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped | tee "${LATER:-$OUT/tests}/summary"
	[ $failed -eq 0 ]
}

# step NAME COMMAND...: something without which nothing else makes sense.
step() {
	local name=$1 t0
	shift
	t0=$(now_ms)
	if "$@" >"$tmp/log" 2>&1 </dev/null; then
		echo "# $name ($(since "$t0"))"
		return
	fi
	sed 's/^/    /' "$tmp/log"
	result "not ok" "$name" "$(since "$t0")"
	total
	exit 1
}

# The program prints "ok NAME", "not ok NAME" or "skip NAME # WHY" for each test.
run_unit() {
	local bin=$1 name t0 rc word rest n=0 bad=0
	name=unit/${bin##*/test_}
	t0=$(now_ms)
	timeout -k 5 "${TEST_TIMEOUT:-120}" "$bin" >"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
	while read -r word rest; do
		n=$((n + 1))
		case $word in
		ok) result ok "$name/$rest" "-" ;;
		skip) result skip "$name/${rest%% #*}" "-" "${rest#*# }" ;;
		not)
			bad=1
			result "not ok" "$name/${rest#ok }" "-"
			;;
		esac
	done < <(grep -E '^(ok|not ok|skip) ' "$tmp/out")
	if [ $bad = 0 ] && { [ $rc != 0 ] || [ $n = 0 ]; }; then
		bad=1
		result "not ok" "$name" "-" "exit code $rc after $n tests"
	fi
	grep '^# ' "$tmp/out" # what it measured
	[ $bad = 0 ] || sed 's/^/    /' "$tmp/err"
	echo "# $name: $n tests ($(since "$t0"))"
}

run_e2e() {
	local file=$1 test=$2 name=${1%.sh} t0 rc limit why
	name=${name#"${name%/*/*}"/}/${test#test_} # folder/file/test
	[[ $name =~ $pattern ]] || return 0
	if [ "$(id -u)" != 0 ]; then
		result skip "$name" "0.0 s" "needs root"
		return
	fi
	limit=$(sed -n 's/^# timeout: *\([0-9]*\).*/\1/p' "$file")
	limit=${limit:-${TEST_TIMEOUT:-120}}
	[ -z "${LATER-}" ] || limit=$((limit * 5)) # a guest is emulated
	mkdir "$tmp/t"
	t0=$(now_ms)
	# A shell without job control: setsid replaces the child, so that $! is the group.
	setsid timeout --foreground -k 5 "$limit" bash -c \
		'. tests/lib.sh; . "$1"; cd "$T"; "$2"' "$name" "$PWD/$file" "$test" \
		>"$tmp/log" 2>&1 </dev/null &
	group=$!
	wait $group
	rc=$?
	kill -KILL -- "-$group" 2>/dev/null
	group=
	case $rc in
	0) result ok "$name" "$(since "$t0")" "$(grep -h '^note: ' "$tmp/log" | sed 's/^note: //' | paste -sd ';')" ;;
	77)
		why=$(sed -n 's/^skip: //p' "$tmp/log" | tail -1)
		result skip "$name" "$(since "$t0")" "${why:-no reason given}"
		;;
	*)
		[ $rc != 124 ] || echo "ran out of time: $limit s" >>"$tmp/log"
		sed 's/^/    /' "$tmp/log"
		result "not ok" "$name" "$(since "$t0")"
		;;
	esac
	if [ -n "${LATER-}" ] && [ $rc = 0 ]; then
		mkdir -p "$LATER/$name"
		find "$tmp/t" -type f -exec cp -t "$LATER/$name" {} +
	fi
	rm -rf "$tmp/t"
}

run_files() {
	local file test
	for file; do
		for test in $(sed -n 's/^\(test_[a-z0-9_]*\)().*/\1/p' "$file"); do
			run_e2e "$file" "$test"
		done
	done
}

export T=$tmp/t ROOT=$PWD
case $O in /*) export OUT=$O ;; *) export OUT=$PWD/$O ;; esac

# The build has its own make, whoever called us.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
make_all() {
	make -j"$(nproc)" O="$O" WERROR=-Werror "$@"
}

if [ -n "${LATER-}" ]; then
	run_files tests/e2e/*.sh tests/vm/guest/*.sh
	total
	exit
fi

# One after the other: the e2e tests put breakpoints in programs, and measure.
needs=build
[[ $kinds != *e2e* ]] || needs="build test"
# shellcheck disable=SC2086 # words
step "install" tools/install-deps.sh $needs
case $kinds in
*unit*e2e* | *e2e*unit*) step "build" make_all all unit-bins ;;
*unit*) step "build" make_all unit-bins ;;
*) step "build" make_all all ;;
esac
if [[ $kinds == *e2e* ]] && [ "$(id -u)" = 0 ]; then
	step "build targets" tests/targets/build.sh "$OUT/tests/targets"
fi

for kind in $kinds; do
	case $kind in
	unit)
		if [[ unit/layers =~ $pattern ]]; then
			t0=$(now_ms)
			if tools/check_layers.sh; then
				result ok unit/layers "$(since "$t0")"
			else
				result "not ok" unit/layers "$(since "$t0")"
			fi
		fi
		for src in tests/unit/test_*.c; do
			bin=$OUT/${src%.c}
			[[ unit/${bin##*/test_} =~ $pattern ]] && run_unit "$bin"
		done
		;;
	e2e)
		[ "$(id -u)" = 0 ] || echo "# NOT ROOT: the end-to-end tests are skipped; use sudo"
		run_files tests/e2e/*.sh
		;;
	esac
done

total

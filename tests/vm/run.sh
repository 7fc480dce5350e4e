#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh [-w] [-k PATTERN] [GUEST...]
#
# The static binary on other kernels: boots each guest (all of the table below, or those
# named), runs tests of tests/e2e and tests/vm/guest in it, and prints a table of guests and
# tests. PATTERN (a regular expression) selects other tests than the guest's own set, by
# "folder/file/name". With -w the table goes into README.md beside this file as well. The
# last line is "N passed, N failed, N skipped".
#
# JOBS guests (as many as there are CPUs) run at a time.
#
# A guest is this system with another kernel (boot.sh). Emulation is slow, so the guest does
# no more than the capture: what a test wants compared (check in tests/lib.sh) is compared
# here, from the files that it leaves.
set -u
cd "$(dirname "$0")/../.." || exit 1
export ROOT=$PWD O=${O:-.output} LC_ALL=C.UTF-8
case $O in /*) export OUT=$O ;; *) export OUT=$ROOT/$O ;; esac

# What every kernel is to do. Name of the test, what it shows.
usual() {
	cat <<-T
		guest/kernel/runs_or_refuses starts, or says what is missing
		e2e/c_exact/many_threads malloc, every call, 16 threads
		e2e/c_live/many_threads malloc --live, every block
		e2e/go_exact/plain Go, every allocation
		e2e/go_live/marks Go --live
		guest/record/recording a recording, and its report
		e2e/rss/pages RSS, a page as it is touched
		e2e/rss_ledger/known_pattern RSS by stack, grown and released
		e2e/rss_ledger/huge_pages huge pages
		e2e/rss_ledger/copy_on_write_in_both copy-on-write, parent and child
		e2e/rss_ledger/files_and_shared_memory files and shared memory
		e2e/rss_ledger/many_threads RSS by stack, eight threads at once
		e2e/rss_ledger/changed_by_another_process another process: process_madvise
		guest/rss/pushed_out_by_another_process to swap by another process, and back
		guest/rss/pushed_out_by_itself to swap by the process itself
		guest/rss/pushed_out_by_kswapd to swap by kswapd
		guest/rss/khugepaged a huge page by khugepaged
		guest/rss/ksm merged by KSM, and parted
		guest/rss/hugetlb hugetlbfs, in no RSS
	T
}
declare -A shows
usual_set=
while read -r name what; do
	shows[$name]=$what
	usual_set+="|^$name\$"
done < <(usual)
usual_set=${usual_set#|}
# What shows that programs do not write over each other's scratch memory.
crowd_set='^guest/kernel/|/many_threads$'
# Name, kernel, CPUs, options of the kernel, tests.
guests() {
	cat <<-T
		5.10 5.10 2 - ^guest/kernel/
		6.1 6.1 2 - $usual_set
		6.12 6.12 2 - $usual_set
		7.2 7.2 2 - $usual_set
		6.1-full 6.1 1 preempt=full $crowd_set
		6.12-full 6.12 1 preempt=full $crowd_set
		7.2-full 7.2 1 preempt=full $crowd_set
	T
}

pattern= write=
while getopts wk: opt; do
	case $opt in
	w) write=1 ;;
	k) pattern=$OPTARG ;;
	*)
		sed -n '4s/^# //p' "$0" >&2
		exit 2
		;;
	esac
done
shift $((OPTIND - 1))
passed=0 failed=0 skipped=0
results=$OUT/tests/vm
mkdir -p "$results"
echo "0 passed, 1 failed, 0 skipped" >"$OUT/tests/summary-vm" # unless it gets to its end
declare -A cell words seen
tests=()

if [ "$(id -u)" != 0 ]; then
	echo "run.sh: guests have the file system of root: nothing was tested" >&2
	echo "0 passed, 0 failed, 1 skipped" | tee "$OUT/tests/summary-vm"
	exit 0
fi

# outcome GUEST TEST ok|"not ok"|skip REST
outcome() {
	case $3 in
	ok) passed=$((passed + 1)) ;;
	skip) skipped=$((skipped + 1)) ;;
	*) failed=$((failed + 1)) ;;
	esac
	[ -n "${seen[$2]-}" ] || tests+=("$2")
	seen[$2]=1
	cell[$1 $2]=$3
	# The notes of the kernel's own test are short; of others it is said why there is no number.
	if [ "$3" != ok ] || [[ $2 == guest/kernel/* ]]; then
		words[$1]+="${words[$1]+; }${2##*/}: ${4#*# }"
	fi
	printf '%-6s %s: %s %s\n' "$3" "$1" "$2" "$4"
}

# What a test wanted to have compared. Its output is in $compared.
compare() { # FOLDER
	local line rc=0
	compared=
	[ -d "$1" ] || {
		compared="what it left is gone: $1"
		return 1
	}
	[ -e "$1/checks" ] || return 0
	while IFS= read -r line; do
		eval "set -- \"\$1\" $line"
		compared+=$(cd "$1" && python3 "$ROOT/tests/check.py" "${@:2}" 2>&1)$'\n' || rc=1
	done <"$1/checks"
	return $rc
}

# The guest's own words for each test, and ours behind what it left to us.
judge() { # GUEST FOLDER
	local line name rest
	while IFS= read -r line; do
		rest=${line#* * } name=
		case $line in
		'ok '*) read -r _ name rest <<<"$line" ;;
		'not ok '*) read -r _ _ name rest <<<"$line" ;;
		'skip '*) read -r _ name rest <<<"$line" ;;
		*) [ -z "$line" ] || echo "    $line" ;;
		esac
		[ -n "$name" ] || continue
		case $line in
		ok*)
			if compare "$2/$name"; then
				rest+=$(sed -n 's/^note: /; /p' <<<"$compared" | tr -d '\n')
				outcome "$1" "$name" ok "$rest"
			else
				sed -n '/./s/^/    /p' <<<"$compared"
				outcome "$1" "$name" "not ok" "$rest"
			fi
			;;
		not*) outcome "$1" "$name" "not ok" "$rest" ;;
		skip*) outcome "$1" "$name" skip "$rest" ;;
		esac
	done < <(sed '/^failed:/,$d; /passed.*failed.*skipped$/d' "$2/log")
}

# Says nothing: what it did is in its folder.
boot_guest() { # NAME KERNEL CPUS OPTIONS TESTS
	local folder=$results/$1 options=$4 start=$SECONDS
	[ "$options" != - ] || options=
	rm -rf "$folder"
	mkdir -p "$folder"
	if ! tools/fetch-lab.sh kernel "$2" >"$folder/fetch" 2>&1; then
		: >"$folder/unavailable"
		return
	fi
	cp "$OUT/allocsnoop-static" "$folder/allocsnoop" # whatever is built meanwhile
	tests/vm/boot.sh -c "$3" -k "$options" -t 3600 "$2" "$folder" env LATER="$folder" O="$O" WAIT=300 \
		SNOOP="$folder/allocsnoop" "$ROOT/tests/run.sh" e2e -k "$5" >"$folder/boot" 2>&1 ||
		echo "exit code $?" >>"$folder/boot"
	echo $((SECONDS - start)) >"$folder/seconds"
}

judge_guest() { # NAME
	local folder=$results/$1
	if [ -e "$folder/unavailable" ]; then
		echo "NOT TESTED on $1: its kernel cannot be fetched: $(tail -1 "$folder/fetch")" >&2
		outcome "$1" boot skip "# no kernel"
		return
	fi
	[ ! -s "$folder/log" ] || judge "$1" "$folder"
	[ ! -s "$folder/boot" ] || sed 's/^/    /' "$folder/boot"
	[ -s "$folder/summary" ] || outcome "$1" boot "not ok" "# $(tail -1 "$folder/boot")"
	echo "# $1: $(cat "$folder/seconds") s"
}

# Guests and tests, as Markdown.
table() {
	local test name
	printf '| |'
	printf ' %s |' "${names[@]}"
	printf '\n|%s\n' "$(printf ' --- |%.0s' - "${names[@]}")"
	for test in "${tests[@]}"; do
		printf '| %s (`%s`) |' "${shows[$test]-}" "${test#*/}"
		for name in "${names[@]}"; do
			printf ' %s |' "${cell[$name $test]:-}"
		done
		echo
	done
	echo
	for name in "${names[@]}"; do
		[ ! -e "$results/$name/seconds" ] ||
			echo "- $name, $(cat "$results/$name/seconds") s: ${words[$name]-}"
	done
}

tools/install-deps.sh build test || exit 1
if ! tools/install-deps.sh vm; then
	echo "NOT TESTED on other kernels: no emulator" >&2
	echo "0 passed, 0 failed, 1 skipped" | tee "$OUT/tests/summary-vm"
	exit 0
fi
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
make -j"$(nproc)" O="$O" WERROR=-Werror static >"$results/build.log" 2>&1 &&
	tests/targets/build.sh "$OUT/tests/targets" >>"$results/build.log" 2>&1 || {
	cat "$results/build.log"
	exit 1
}

# Each guest is a process group of its own, and waits for one of JOBS tokens.
stop() {
	local pid
	for pid in "${guest_pid[@]}"; do
		kill -TERM -- "-$pid" 2>/dev/null
	done
}
names=()
declare -A guest_pid
trap stop EXIT
trap 'exit 130' INT TERM
exec {tokens}<> <(:)
for ((i = 0; i < ${JOBS:-$(nproc)}; i++)); do
	echo >&$tokens
done
set -m
while read -r name kernel cpus options set; do
	[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
	names+=("$name")
	{
		read -r -u $tokens
		boot_guest "$name" "$kernel" "$cpus" "$options" "${pattern:-$set}"
		echo >&$tokens
	} </dev/null &
	guest_pid[$name]=$!
done < <(guests)
set +m
for name in "${names[@]}"; do
	wait "${guest_pid[$name]}"
	unset "guest_pid[$name]"
	judge_guest "$name"
done

printf '\n%-44s' test
printf '%-11s' "${names[@]}"
echo
for test in "${tests[@]}"; do
	printf '%-44s' "$test"
	for name in "${names[@]}"; do
		printf '%-11s' "${cell[$name $test]:--}"
	done
	echo
done
echo
if [ -n "$write" ]; then
	table >"$results/table"
	sed -i -e "/^<!-- begin/,/^<!-- end/{/^<!-- begin/r $results/table" -e '/^<!--/!d' -e '}' tests/vm/README.md
fi
printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped | tee "$OUT/tests/summary-vm"
[ $failed = 0 ]

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh [-k PATTERN] [GUEST...]
#
# The static binary on other kernels: boots each guest (all of the table below, or those
# named), runs tests of tests/e2e and tests/vm/guest in it, and prints a table of guests and
# tests. PATTERN (a regular expression) selects other tests than the guest's own set, by
# "folder/file/name". The last line is "N passed, N failed, N skipped".
#
# A guest is this system with another kernel (boot.sh). Emulation is slow, so the guest does
# no more than the capture: what a test wants compared (check in tests/lib.sh) is compared
# here, from the files that it leaves.
set -u
cd "$(dirname "$0")/../.." || exit 1
export ROOT=$PWD O=${O:-.output} LC_ALL=C.UTF-8
case $O in /*) export OUT=$O ;; *) export OUT=$ROOT/$O ;; esac

# What every kernel must pass, and what shows that programs do not write over each other's scratch memory.
USUAL='e2e/(c_exact/many_threads|go_exact/plain|rss/pages|rss_ledger/(known_pattern|huge_pages|copy_on_write_in_both|files_and))|guest/'
CROWD='e2e/c_exact/many_threads|e2e/rss_ledger/many_threads|guest/kernel/'
# Name, kernel, CPUs, options of the kernel, tests.
guests() {
	cat <<-T
		5.10 5.10 2 - guest/kernel/
		6.1 6.1 2 - $USUAL
		6.12 6.12 2 - $USUAL
		7.2 7.2 2 - $USUAL
		6.1-full 6.1 1 preempt=full $CROWD
		6.12-full 6.12 1 preempt=full $CROWD
		7.2-full 7.2 1 preempt=full $CROWD
	T
}

pattern=
if [ "${1-}" = -k ]; then
	pattern=${2:?-k needs a pattern}
	shift 2
fi
passed=0 failed=0 skipped=0
results=$OUT/tests/vm
mkdir -p "$results"
echo "0 passed, 1 failed, 0 skipped" >"$OUT/tests/summary-vm" # unless it gets to its end
declare -A cell
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
	printf '%-6s %s: %s %s\n' "$3" "$1" "$2" "$4"
}
declare -A seen

# What a test wanted to have compared. Its output is in $compared.
compare() { # FOLDER
	local line rc=0
	compared=
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

run_guest() { # NAME KERNEL CPUS OPTIONS TESTS
	local folder=$results/$1 rc=0 start=$SECONDS options=$4
	[ "$options" != - ] || options=
	if ! tools/fetch-lab.sh kernel "$2" >/dev/null; then
		outcome "$1" boot skip "# no kernel $2"
		return
	fi
	rm -rf "$folder"
	mkdir -p "$folder"
	cp "$OUT/allocsnoop-static" "$folder/allocsnoop" || return # whatever is built meanwhile
	tests/vm/boot.sh -c "$3" -k "$options" -t 3600 "$2" "$folder" env LATER="$folder" O="$O" WAIT=300 \
		SNOOP="$folder/allocsnoop" "$ROOT/tests/run.sh" e2e -k "$5" || rc=$?
	[ ! -s "$folder/log" ] || judge "$1" "$folder"
	if [ ! -s "$folder/summary" ]; then
		outcome "$1" boot "not ok" "# exit code $rc"
	fi
	echo "# $1: $((SECONDS - start)) s"
}

tools/install-deps.sh build test vm || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
make -j"$(nproc)" O="$O" WERROR=-Werror static >"$results/build.log" 2>&1 &&
	tests/targets/build.sh "$OUT/tests/targets" >>"$results/build.log" 2>&1 || {
	cat "$results/build.log"
	exit 1
}
names=()
while read -r name kernel cpus options set; do
	[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
	names+=("$name")
	run_guest "$name" "$kernel" "$cpus" "$options" "${pattern:-$set}"
done < <(guests)

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
printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped | tee "$OUT/tests/summary-vm"
[ $failed = 0 ]

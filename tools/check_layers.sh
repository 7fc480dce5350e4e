#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Do the includes point only to the left?
#
#	base < target < {go, unwind} < capture
#	base < profile < export
#	{target, go, profile} < sym
#	cmd wires all
#
# and: libbpf and the skeletons belong to capture/, libdw and its kin to sym/,
# bpf/abi.h to bpf/, capture/ and unwind/ (whose tables are part of it). One line FILE:LINE: WHY for each violation.
set -eu
cd "$(dirname "$0")/.."

# What each folder of user/ may include, itself aside.
declare -A MAY=(
	[base]=""
	[target]="base"
	[go]="base target"
	[unwind]="base target"
	[profile]="base"
	[export]="base profile"
	[store]="base profile"
	[tui]="base profile"
	[sym]="base target go profile"
	[capture]="base target go unwind"
	[cmd]="base target go unwind profile export store tui sym capture"
)

bad=0

violation() {
	echo "$1: $2"
	bad=1
}

# Prints FILE LINE HEADER for each include of the files given.
includes() {
	[ $# = 0 ] || awk 'match($0, /^[ \t]*#[ \t]*include[ \t]*[<"][^>"]*[>"]/) {
		h = $0; sub(/^[^<"]*[<"]/, "", h); sub(/[>"].*/, "", h); print FILENAME, FNR, h }' "$@"
}

shopt -s nullglob globstar
while read -r file line header; do
	from=${file#user/} from=${from%%/*}
	to=${header%%/*}
	if [ -z "${MAY[$from]+x}" ]; then
		violation "$file:$line" "user/$from/ has no place in the order of layers (tools/check_layers.sh)"
		continue
	fi
	case $header in
	*.skel.h | bpf/libbpf.h | bpf/bpf.h | bpf/btf.h | bpf/libbpf_*)
		[ "$from" = capture ] || violation "$file:$line" "<$header> belongs to capture/" ;;
	bpf/abi.h | ../bpf/* | abi.h)
		[ "$from" = capture ] || [ "$from" = unwind ] ||
			violation "$file:$line" "bpf/abi.h belongs to bpf/, capture/ and unwind/" ;;
	bpf/*)
		[ "$from" = capture ] || violation "$file:$line" "<$header> belongs to capture/" ;;
	elfutils/* | dwarf.h | libdwfl.h)
		[ "$from" = sym ] || violation "$file:$line" "<$header> belongs to sym/" ;;
	../*)
		violation "$file:$line" "\"$header\": say the folder, \"base/...\"" ;;
	*/*)
		# Only folders of ours are layers: <sys/types.h> is not.
		[ -n "${MAY[$to]+x}" ] && [ "$to" != "$from" ] || continue
		case " ${MAY[$from]} " in
		*" $to "*) ;;
		*) violation "$file:$line" "$from/ must not know $to/ (\"$header\")" ;;
		esac ;;
	esac
done < <(includes user/**/*.[ch])

while read -r file line header; do
	case $header in
	base/* | target/* | go/* | unwind/* | profile/* | export/* | store/* | tui/* | sym/* | capture/* | cmd/* | user/* | ../user/*)
		violation "$file:$line" "bpf/ must not know user/ (\"$header\")" ;;
	stdio.h | stdlib.h | string.h | unistd.h | sys/* | errno.h)
		violation "$file:$line" "<$header> is not for BPF programs" ;;
	esac
done < <(includes bpf/**/*.[ch])

exit $bad

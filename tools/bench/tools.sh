# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # bench.sh has what is used here, and uses what is set
#
# The tools that are compared: how each is started on a process, and when it is ready.
#
#   tool_missing NAME            why it cannot be used here; nothing if it can
#   tool_start NAME PID MALLOC   MALLOC is the file that has the process's malloc
#   tool_stop
#
# heaptrack is not attached (that would inject code by gdb): its programs start under it,
# by the words in ${wrap[@]} that tool_wrap NAME sets.

BPFTRACE_FREE='uprobe:LIB:malloc { @size[tid] = arg0; }
uretprobe:LIB:malloc /@size[tid]/ { @bytes[retval] = @size[tid]; @stack[retval] = ustack; delete(@size[tid]); }
uprobe:LIB:free { delete(@bytes[arg0]); delete(@stack[arg0]); }'

tool_pid=

# $here is the folder of this script, $T one of the run.
memleak_find() { # sets memleak[] if Debian's libbpf-tools can be had
	local lab=${ALLOCSNOOP_LAB:-/var/cache/allocsnoop-lab} pkgs="libbpf-tools libc6 libelf1t64 zlib1g libzstd1"
	local pkg ld libs
	memleak=()
	if command -v memleak-libbpf >/dev/null; then
		memleak=(memleak-libbpf)
		return
	fi
	# Another suite's program, beside the system, with its own libc.
	# shellcheck disable=SC2086 # a list of words
	"$here/../fetch-lab.sh" deb trixie $pkgs >"$T/memleak.log" 2>&1 || return 0
	for pkg in $pkgs; do
		libs+=$lab/deb/trixie/$pkg/usr/lib/$(uname -m)-linux-gnu:
	done
	ld=$(find "$lab/deb/trixie/libc6/usr/lib/" -name 'ld-linux-*' | head -n 1)
	[ -n "$ld" ] && memleak=("$ld" --library-path "${libs%:}" "$lab/deb/trixie/libbpf-tools/usr/sbin/memleak-libbpf")
}

tool_missing() {
	case $1 in
	base | snoop) ;;
	live)
		"$snoop" -q --source malloc --live --format json -o "$T/live.json" -- /bin/true >/dev/null 2>&1 &&
			[ "$(field "$T/live.json" totals.malloc.live_objects)" != None ] ||
			echo "allocsnoop --live does not follow C memory here"
		;;
	memleak) [ ${#memleak[@]} -gt 0 ] || echo "no memleak: $(tail -n 1 "$T/memleak.log")" ;;
	bpftrace*) command -v bpftrace >/dev/null || echo "no bpftrace" ;;
	heaptrack) command -v heaptrack >/dev/null || echo "no heaptrack" ;;
	esac
}

# What a tool that did not attach said, on one line.
tool_said() {
	cat "$T/tool.err" "$T/tool.out" 2>/dev/null | grep -v '^using \|^tracing \|^done\|^$' | head -n 2 | paste -sd ' ' | head -c 200
}

tool_label() {
	case $1 in
	base) echo "untraced" ;;
	snoop) echo "allocsnoop" ;;
	live) echo "allocsnoop --live" ;;
	memleak) echo "memleak" ;;
	bpftrace) echo "bpftrace, sum by stack" ;;
	bpftrace-free) echo "bpftrace, with free" ;;
	heaptrack) echo "heaptrack (started under it)" ;;
	*) echo "$1" ;;
	esac
}

tool_wrap() {
	wrap=()
	[ "$1" != heaptrack ] || wrap=(heaptrack -o "$T/heaptrack.$RANDOM")
}

# Has some page of the code of PID become its own? That is what a breakpoint does.
armed() {
	awk '/^[0-9a-f]+-/ { code = $2 ~ /x/ } code && /^Anonymous:/ && $2 { found = 1 } END { exit !found }' \
		"/proc/$1/smaps" 2>/dev/null
}

cpu_ticks() { # of a tool and all of its threads
	awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"
}

alive() { # a zombie is not
	local state
	state=$(awk '{ sub(/.*\) /, ""); print $1 }' "/proc/$1/stat" 2>/dev/null) && [ "$state" != Z ]
}

# A tool that does not say that it is ready is, when the first breakpoint is there and it rests since.
wait_rest() {
	local pid=$1 end=$((SECONDS + 30)) before now quiet=0
	until armed "$2"; do
		alive "$pid" && [ $SECONDS -lt $end ] || return 1
		nap 0.05
	done
	before=$(cpu_ticks "$pid") || return 1
	while [ $quiet -lt 4 ]; do
		nap 0.1
		now=$(cpu_ticks "$pid") || return 1
		[ "$now" = "$before" ] && quiet=$((quiet + 1)) || quiet=0
		before=$now
		alive "$pid" && [ $SECONDS -lt $end ] || return 1
	done
}

wait_line() { # FILE TEXT PID
	local end=$((SECONDS + 30))
	until grep -q -- "$2" "$1" 2>/dev/null; do
		alive "$3" && [ $SECONDS -lt $end ] || return 1
		nap 0.02
	done
}

snoop_start() { # PID ARGS: its JSON document will be in $T/snoop.json
	local pid=$1
	shift
	rm -f "$T/tool.err" # of the tool before
	"$snoop" -q -p "$pid" --mode exact -d 120 --format json -o "$T/snoop.json" "$@" >"$T/tool.out" 2>"$T/tool.err" </dev/null &
	tool_pid=$!
	wait_line "$T/tool.err" "attached to" "$tool_pid"
}

bpftrace_start() { # PID SCRIPT
	bpftrace -p "$1" -e "$2" >"$T/tool.out" 2>"$T/tool.err" </dev/null &
	tool_pid=$!
	wait_rest "$tool_pid" "$1"
}

tool_start() {
	local name=$1 pid=$2 lib=$3
	tool_pid=
	rm -f "$T/tool.out" "$T/tool.err" # of the tool before
	case $name in
	base | heaptrack) return 0 ;;
	snoop) snoop_start "$pid" --source malloc ;;
	live) snoop_start "$pid" --source malloc --live ;;
	memleak)
		if ! readelf -W --dyn-syms "$lib" | awk '$7 != "UND" && $8 ~ /^mmap(@|$)/ { found = 1 } END { exit !found }'; then
			echo "it insists on an mmap in $lib" >"$T/tool.err"
			return 1
		fi
		ln -sf "$lib" "$T/malloc" # it cuts longer paths
		"${memleak[@]}" -p "$pid" -O "$T/malloc" 3600 >"$T/tool.out" 2>"$T/tool.err" </dev/null &
		tool_pid=$!
		wait_rest "$tool_pid" "$pid"
		;;
	bpftrace) bpftrace_start "$pid" "uprobe:$lib:malloc { @[ustack] = sum(arg0); }" ;;
	bpftrace-free) bpftrace_start "$pid" "${BPFTRACE_FREE//LIB/$lib}" ;;
	esac
}

# What a killed tool would print is not wanted, but for allocsnoop's document; what it takes to end is not measured.
tool_stop() {
	local sig=KILL
	[ -n "$tool_pid" ] || return 0
	grep -q "attached to" "$T/tool.err" 2>/dev/null && sig=INT
	kill -$sig "$tool_pid" 2>/dev/null
	wait "$tool_pid" 2>/dev/null
	tool_pid=
}

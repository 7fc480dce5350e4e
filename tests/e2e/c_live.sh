# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Blocks of the C allocator that are given back and that stay, at the stacks that
# allocated them: equal to the ledger of our own program, to valgrind's totals on
# programs that others wrote, and to heaptrack's leaks.

# live PROGRAM FLAGS ARG...
live() {
	local program=$TARGETS/$1 flags=$2
	need "$program"
	shift 2
	target c "$program" "$@"
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --live --format json -o c.json
	target_work c
	snoop_stop
	target_end c
	# shellcheck disable=SC2086 # words
	check live-sites c.json c.ledger $flags
	check schema c.json
}

test_frame_pointers() {
	live alloc threads 1000 4
}

test_no_frame_pointers() {
	live alloc-nofp threads 1000 4
}

test_many_threads() {
	live alloc threads 3000 16
}

test_static() {
	live alloc-static threads 1000 4
}

# Of one thread no call of free is left over.
test_one_thread() {
	live alloc "" 2000 0
}

test_musl() {
	live alloc-musl threads 500 2
	live_again alloc-musl-static threads 500 2
}

# live, for a second target in one test.
live_again() {
	rm -f c.in c.out
	live "$@"
}

# Linked, static, preloaded: found without being named, each block counted once.
test_jemalloc() {
	live alloc-jemalloc threads 500 2
	live_again alloc-jemalloc-static threads 500 2
}

test_tcmalloc() {
	live alloc-tcmalloc_minimal threads 500 2
}

test_mimalloc() {
	live alloc-mimalloc threads 500 2
}

LIBS=/usr/lib/$(uname -m)-linux-gnu

test_preloaded() {
	local lib
	for lib in libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2.0; do
		need "$LIBS/$lib"
		rm -f c.in c.out
		need "$TARGETS/alloc"
		target c env LD_PRELOAD="$LIBS/$lib" "$TARGETS/alloc" 300 2
		target_ready c
		snoop -p "${target_pid[c]}" --source malloc --live --format json -o c.json
		target_work c
		snoop_stop
		target_end c
		check live-sites c.json c.ledger threads
	done
}

# operator new of each allocator, and exceptions that pass it.
test_operator_new() {
	local lib quiet
	need "$TARGETS/throw"
	for lib in "" libjemalloc.so.2 libmimalloc.so.2.0 libtcmalloc_minimal.so.4; do
		[ -z "$lib" ] || need "$LIBS/$lib"
		quiet=
		[ "$lib" != libmimalloc.so.2.0 ] || quiet=quiet
		# shellcheck disable=SC2086 # or none
		LD_PRELOAD=${lib:+$LIBS/$lib} "$SNOOP" -q --source malloc --live --format json -o "new$lib.json" -- "$TARGETS/throw" 200 $quiet >new.out 2>new.err
		is "$(grep -v '^ *$' new.out | tail -n 1)" 200 "exceptions that $lib threw and the program caught"
		# Its operator new ends in code that is reached through the PLT: not followed, not counted, which is said.
		[ "$lib" = libtcmalloc_minimal.so.4 ] || check live-new "new$lib.json" 200
	done
}

# valgrind PROGRAM ARG...: the same objects, frees and bytes as valgrind's, in the same environment: valgrind adds
# to it (LD_PRELOAD and others), which programs keep in memory. Input is stdin.
same_as_valgrind() {
	local flags=$1 base=(PATH=/usr/bin:/bin HOME=/nonexistent LC_ALL=C PYTHONMALLOC=malloc PYTHONHASHSEED=0 PERL_HASH_SEED=0
		PYTHONDONTWRITEBYTECODE=1) env
	shift
	need valgrind setarch "$1"
	mapfile -t env < <(env -i "${base[@]}" valgrind -q /usr/bin/env)
	env -i "${base[@]}" setarch -R valgrind --run-libc-freeres=no --run-cxx-freeres=no --log-file=valgrind.log "$@" <input >valgrind.out
	env -i "${env[@]}" setarch -R "$SNOOP" --source malloc --live --format json -o c.json -- "$@" <input >snoop.out 2>snoop.err
	cmp valgrind.out snoop.out || fail "the program did not do the same twice"
	# shellcheck disable=SC2086 # words
	check live-valgrind c.json valgrind.log $flags
}

test_sqlite_as_valgrind() {
	cat >input <<-'SQL'
		create table t(a integer primary key, b text);
		with recursive c(x) as (select 1 union all select x+1 from c where x<3000) insert into t select x, hex(x)||x||'abcdef' from c;
		create index i on t(b);
		select count(*), sum(length(b)) from t where b like '%1%';
		select b, count(*) from t group by b order by 2 desc, 1 limit 5;
	SQL
	same_as_valgrind "" sqlite3 -batch -init /dev/null :memory:
}

test_perl_as_valgrind() {
	: >input
	# shellcheck disable=SC2016 # perl's own
	same_as_valgrind "" perl -e 'my %h; $h{$_ % 997} .= "x$_" for 1..5000; print scalar(keys %h), "\n"; my @a = sort values %h; print length($a[0]), "\n"'
}

# Of the bytes 4 more for each number that is a thread's identity: told apart by the name of a function that is not exported.
test_python_as_valgrind() {
	: >input
	cat >p.py <<-'PY'
		d = {str(i): [i, i * 2, {"x": "y" * (i % 50)}] for i in range(1000)}
		s = repr(d)
		e = sorted(s.split(","), key=len)
		print(len(s), len(e), sum(map(len, e[:1000])))
	PY
	local id
	id=$(readelf -n /usr/bin/python3 | sed -n 's/.*Build ID: *//p')
	need "/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
	same_as_valgrind idents /usr/bin/python3 -S -s p.py
}

test_assembler_as_valgrind() {
	need as gcc
	: >input
	gcc -O1 -S -o m.s -x c "$ROOT/tests/targets/c/loop.c" -D_GNU_SOURCE -std=gnu11
	same_as_valgrind "" as -o /dev/null m.s
}

test_leaks_as_heaptrack() {
	need heaptrack heaptrack_print "$TARGETS/leak"
	heaptrack -o ht "$TARGETS/leak" >heaptrack.log 2>&1
	heaptrack_print -f ht.* --print-leaks 1 --print-allocators 0 --print-peaks 0 --print-temporary 0 -F leaked.folded --flamegraph-cost-type leaked >ht.out
	"$SNOOP" --source malloc --live --format json -o c.json -- "$TARGETS/leak" 2>snoop.err
	check heaptrack c.json leaked.folded leak_nodes leak_array leak_realloc leak_calloc
}

test_peak() {
	need "$TARGETS/peak"
	"$SNOOP" --source malloc --live --peak --format json -o c.json -- "$TARGETS/peak" >peak.out 2>snoop.err
	check live-peak c.json
}

# One block in so many bytes: what is live is estimated, what was allocated is counted.
test_sampled() {
	need "$TARGETS/leak"
	"$SNOOP" --source malloc --live --live-rate 200 --format json -o c.json -- "$TARGETS/leak" 2>snoop.err
	check live-sampled c.json 160464
}

# --- odd ways of blocks ---

test_exec_drops_blocks() {
	target c "$TARGETS/exec" 300 "$TARGETS/alloc" 200 0
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --live -o c.json -o c.txt
	target_say c go
	target_ready c
	target_work c
	snoop_stop
	target_end c
	check live-exec c.json c.ledger 300
	has c.txt 'exec_blocks 300 \(live blocks of programs that executed another'
}

test_fork_inherits() {
	local child
	target c "$TARGETS/stay" fork 400
	target_ready c
	snoop -f -p "${target_pid[c]}" --source malloc --live --format json -o c.json
	target_say c go
	target_hear c
	child=${heard#forked }
	until_ok grep -q "^allocsnoop: attached to $child " snoop.err
	target_work c
	snoop_stop
	target_end c
	check live-fork c.json c.ledger 400 "${target_pid[c]}" "$child"
}

test_older() {
	target c "$TARGETS/stay" old 250
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --live --older 3 --format json -o c.json 0.3
	target_work c
	until_ok quietly check live-older-seen c.json site_old 250
	target_work c
	snoop_stop
	target_end c
	check live-older c.json c.ledger 3 250
}

quietly() {
	"$@" >/dev/null 2>&1
}

# odd_blocks MODE N OPTION...: the ledger of its own.
odd_blocks() {
	local mode=$1 n=$2
	shift 2
	target c "$TARGETS/stay" "$mode" "$n"
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --live "$@" --format json -o c.json
	target_work c
}

test_prefix() {
	odd_blocks own 900 --malloc-prefix je_,my_
	snoop_stop
	target_end c
	check live-sites c.json c.ledger
}

# Not named, they are not doors.
test_no_prefix() {
	odd_blocks own 900 --malloc-prefix je_
	snoop_stop
	target_end c
	check site c.json malloc site_je 1800 54000
	check site c.json malloc site_my 0 0
	check site c.json malloc site_libc 900 29700
}

test_threads_that_die_in_malloc() {
	local map
	odd_blocks die 300 --malloc-prefix je_,my_
	for map in $(sed -n 's/^map_id:[[:space:]]*//p' "/proc/$snoop_pid/fdinfo"/* | sort -u); do
		! bpftool map show id "$map" -j | grep -q '"name":"threads"' || bpftool map dump id "$map" -j >threads.json
	done
	check live-threads "${target_pid[c]}" threads.json
	snoop_stop
	target_end c
	check live-sites c.json c.ledger threads
}

test_realloc_storm() {
	odd_blocks storm 5000
	snoop_stop
	target_end c
	check live-sites c.json c.ledger threads
}

test_table_full() {
	target c "$TARGETS/alloc" 200 0
	target_ready c
	snoop -p "${target_pid[c]}" --source malloc --live --max-blocks 100 -o c.json -o c.txt
	target_work c
	snoop_stop
	target_end c
	check live-full c.json c.ledger 100
	has c.txt 'block_table_full [0-9,]+( |$)'
}

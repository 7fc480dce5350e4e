# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 300
#
# Stacks of programs that nobody here compiled and that keep no frame pointers, against
# gdb: it stops a hundred times in the allocating function and unwinds, then
# allocsnoop watches the same process at the same work, and each stack that gdb saw must be among
# those that it counted, frame by frame. (Not at the same moment: while a return is
# probed its address on the stack is the kernel's, and gdb is lost.)

STOPS=100

# like_gdb NAME PID FUNCTION FILE: the process works all the while.
like_gdb() {
	local name=$1 pid=$2 func=$3 file=$4 round missing=
	need gdb go
	gdb -q -batch -p "$pid" -ex "python FUNC, MODULE, STOPS, OUT = '$func', '$file', $STOPS, '$T/$name.gdb'" \
		-x "$ROOT/tests/gdb_stacks.py" >"$name.gdb.log" 2>&1 </dev/null
	[ -s "$name.gdb" ] || {
		tail -n 20 "$name.gdb.log"
		fail "gdb has no stacks of $name"
	}
	for round in 1 2 3 4 5 6; do
		"$SNOOP" --mode exact -p "$pid" --source malloc,rss -d 2 -o "$name.$round.json" -o "$name.$round.pb.gz" 2>"$name.err" || {
			cat "$name.err"
			fail "allocsnoop -p $pid"
		}
		missing=$(check stacks_missing "$name" "$name.gdb" "$pid")
		[ "$missing" != 0 ] || break
	done
	check native_stacks "$name" "$name.gdb" "$pid"
}

test_redis() {
	need redis-server redis-benchmark
	redis-server --port 16390 --save '' --appendonly no --daemonize no >redis.log 2>&1 </dev/null &
	local pid=$!
	pids+=($!)
	until_ok redis-cli -p 16390 ping >/dev/null
	redis-benchmark -p 16390 -t set,lpush,sadd,zadd,mset -n 100000000 -d 100 -r 1000 -q >benchmark.log 2>&1 </dev/null &
	pids+=($!)
	like_gdb redis "$pid" malloc libjemalloc
}

test_nginx() {
	need nginx wrk
	mkdir -p root logs tmp
	head -c 27000 /usr/share/common-licenses/GPL-3 >root/text
	cat >nginx.conf <<-N
	daemon off; worker_processes 1; pid $T/nginx.pid; error_log $T/logs/error.log; user root;
	events { worker_connections 64; }
	http {
		access_log off; gzip on; gzip_types *; client_body_temp_path $T/tmp; proxy_temp_path $T/tmp;
		fastcgi_temp_path $T/tmp; uwsgi_temp_path $T/tmp; scgi_temp_path $T/tmp;
		server { listen 127.0.0.1:18390; root $T/root; }
	}
	N
	nginx -c "$T/nginx.conf" -p "$T" >nginx.log 2>&1 </dev/null &
	pids+=($!)
	until_ok curl -sf -o got http://127.0.0.1:18390/text
	wrk -t1 -c4 -d250s -H 'Accept-Encoding: gzip' http://127.0.0.1:18390/text >wrk.log 2>&1 </dev/null &
	pids+=($!)
	like_gdb nginx "$(pgrep -P "$(cat nginx.pid)")" malloc libc.so.6
}

test_python() {
	need /usr/bin/python3.11
	cat >work.py <<-'P'
	import json, re
	while True:
	    x = json.loads('{"a":[1,2,3,{"b":"c"}],"d":"%s"}' % ("x" * 1000))
	    y = json.dumps(x)
	    z = sorted([str(i) * 20 for i in range(100)], key=lambda s: re.sub("1", "2", s))
	P
	PYTHONMALLOC=malloc /usr/bin/python3.11 work.py </dev/null &
	pids+=($!)
	like_gdb python $! malloc libc.so.6
}

test_node() {
	need node
	cat >work.js <<-'J'
	const zlib = require('zlib');
	function make(i) { return { b: Buffer.alloc(20000), s: JSON.stringify({ i, x: 'y'.repeat(100) }) }; }
	function round() {
		let all = [];
		for (let i = 0; i < 500; i++) all.push(make(i));
		zlib.deflateSync(Buffer.alloc(10000));
		setImmediate(round);
	}
	round();
	setTimeout(() => console.log('warm'), 1000);
	J
	node work.js </dev/null >node.log 2>&1 &
	pids+=($!)
	until_ok grep -q warm node.log
	like_gdb node "${pids[-1]}" malloc libc.so.6
}

# The backend of one connection.
test_postgres() {
	local bin
	bin=$(echo /usr/lib/postgresql/*/bin)
	[ -x "${bin##* }/postgres" ] || skip "no postgres"
	bin=${bin##* }
	need "$bin/initdb" "$bin/pgbench" runuser
	mkdir db
	chown postgres db
	runuser -u postgres -- "$bin/initdb" -D "$T/db" -A trust >initdb.log
	runuser -u postgres -- "$bin/postgres" -D "$T/db" -k "$T/db" -h '' -p 15390 >postgres.log 2>&1 </dev/null &
	pids+=($!)
	until_ok runuser -u postgres -- "$bin/psql" -h "$T/db" -p 15390 -qc 'select 1' >ready 2>&1
	runuser -u postgres -- "$bin/pgbench" -h "$T/db" -p 15390 -i -q postgres >init.log 2>&1
	runuser -u postgres -- "$bin/pgbench" -h "$T/db" -p 15390 -C -S -T 250 postgres >/dev/null 2>&1 </dev/null &
	pids+=($!)
	# Backends come and go with -C: the postmaster itself works for each, and allocates for it.
	like_gdb postgres "$(head -1 db/postmaster.pid)" malloc libc.so.6
	runuser -u postgres -- "$bin/pg_ctl" -D "$T/db" -m immediate stop >/dev/null
}

# C++: exceptions, templates, virtual calls.
test_cplusplus() {
	need cppcheck
	mkdir src
	for i in $(seq 400); do cp "$ROOT"/user/capture/capture.c src/$i.c; done
	cppcheck --enable=all --inconclusive -q src </dev/null >cppcheck.log 2>&1 &
	pids+=($!)
	like_gdb cppcheck $! malloc libc.so.6
}

test_rust() {
	need rg
	rg --files -uuu --threads 1 $(yes /usr/share | head -n 500) >/dev/null 2>rg.log </dev/null &
	pids+=($!)
	like_gdb rg $! malloc libc.so.6
}

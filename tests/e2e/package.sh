# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 300
#
# The Debian package, the systemd unit and the DaemonSet: what they hold, that they install, and that
# the capabilities that they ask for are enough.

UNIT_IN=$ROOT/tools/systemd/allocsnoop-record@.service.in
KEEP=$ROOT/tools/systemd/keep-recording
DAEMONSET=$ROOT/tools/kubernetes/allocsnoop.yaml

# In the package and after make install the program is taken as it is (-o).
made() {
	[ -z "${LATER-}" ] || skip "no matter of the kernel"
	make -C "$ROOT" --no-print-directory O="$O" -o "$O/allocsnoop" "$@" >make.log 2>&1 || fail "make $*: $(cat make.log)"
}

test_deb() {
	need dpkg-deb dpkg-shlibdeps dpkg-query ldd
	local deb lib package file
	made deb
	deb=$(sed -n "s/^dpkg-deb: building package .* in '\(.*\)'\.$/\1/p" make.log)
	[[ $deb == /* ]] || deb=$ROOT/$deb
	cp "$deb" first.deb
	made deb
	cmp "$deb" first.deb # the same tree, the same bytes
	dpkg-deb --fsys-tarfile "$deb" | tar -t | sed 's|^\./||' >files
	for file in usr/bin/allocsnoop usr/share/man/man8/allocsnoop.8.gz usr/share/bash-completion/completions/allocsnoop \
		usr/share/zsh/vendor-completions/_allocsnoop usr/share/fish/vendor_completions.d/allocsnoop.fish \
		usr/lib/systemd/system/allocsnoop-record@.service usr/libexec/allocsnoop/keep-recording \
		usr/share/doc/allocsnoop/copyright usr/share/doc/allocsnoop/changelog.gz usr/share/doc/allocsnoop/examples/allocsnoop.yaml; do
		grep -qxF "$file" files || fail "the package has no $file"
	done
	# The owner of each library that the program names is a dependency.
	dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed 's/^ *//; s/ .*//' >depends
	for lib in $(readelf -d "$SNOOP" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
		package=$(dpkg-query -S "*/$lib" | sed -n 's/:.*//p' | sort -u)
		grep -qxF "$package" depends || fail "$lib of $package is not in: $(cat depends)"
	done
	mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates
	touch root/var/lib/dpkg/status root/var/lib/dpkg/available
	# No libraries are in there: those are the host's.
	dpkg --root="$PWD/root" --force-depends --log=/dev/null -i "$deb" >dpkg.log 2>&1 || fail "dpkg: $(cat dpkg.log)"
	is "$(dpkg-query --admindir=root/var/lib/dpkg -W -f '${db:Status-Abbrev}' allocsnoop)" "ii " "its status"
	is "$(root/usr/bin/allocsnoop -V)" "$("$SNOOP" -V)" "the version"
	root/usr/bin/allocsnoop check >check.txt
	(cd root && md5sum --quiet -c var/lib/dpkg/info/allocsnoop.md5sums)
	dpkg --root="$PWD/root" --log=/dev/null -r allocsnoop >dpkg.log 2>&1
	[ ! -e root/usr/bin/allocsnoop ] || fail "dpkg -r leaves the program"
	if command -v lintian >/dev/null; then
		lintian --allow-root --fail-on error "$deb" || fail "lintian has errors"
	else
		note "no lintian"
	fi
}

test_unit() {
	need systemd-analyze
	made install DESTDIR= PREFIX="$PWD/prefix"
	mkdir units
	cp "prefix/lib/systemd/system/allocsnoop-record@.service" units/allocsnoop-record@orders.service
	printf '[Service]\nExecStart=/bin/true\n' >units/orders.service
	SYSTEMD_UNIT_PATH=$PWD/units: systemd-analyze verify --man=no "$PWD/units/allocsnoop-record@orders.service" >verify 2>&1 ||
		fail "systemd-analyze: $(cat verify)"
	! grep 'allocsnoop-record@' verify || fail "systemd-analyze complains"
	! grep -r '@PREFIX@' units || fail "a place is left open"
}

unit_caps() {
	sed -n 's/^CapabilityBoundingSet=//p' "$UNIT_IN" | tr ' ' '\n' | sed 's/CAP_//'
}

# Three times: the last two are there, complete, the first is gone; as root with the unit's capabilities alone.
test_keep_recording() {
	need setpriv "$TARGETS/alloc" /usr/include/linux/capability.h
	local caps n
	caps=$(unit_caps | tr 'A-Z\n' 'a-z,' | sed 's/,$//; s/^/+/; s/,/,+/g')
	cp "$TARGETS/alloc" snoop-kept
	for n in 1 2 3; do
		rm -f c.in c.out
		target c "$PWD/snoop-kept" "$((n * 100))" 2
		target_ready c
		: >snoop.err
		ALLOCSNOOP=$SNOOP setpriv --no-new-privs --inh-caps -all --bounding-set "-all,$caps" \
			"$KEEP" comm:snoop-kept kept --max-file 10M --source malloc --mode exact -o c.json >snoop.out 2>snoop.err </dev/null &
		snoop_pid=$!
		pids+=($!)
		snoop_attached
		grep -q "^CapBnd:.*$(cap_mask)\$" "/proc/$snoop_pid/status" || fail "other capabilities: $(grep Cap "/proc/$snoop_pid/status")"
		target_work c
		if [ $n = 1 ]; then
			target_end c # and with it the recording
			snoop_wait
			continue
		fi
		snoop_stop
		target_end c
		check c c.json c.ledger total roots
		"$SNOOP" report kept/current/run.db -q --format json >"run.$n.json"
		check c "run.$n.json" c.ledger total roots
	done
	is "$(find kept -type f | sort | paste -sd ' ')" "kept/current/run.db kept/previous/run.db" "what is kept"
	"$SNOOP" report kept/previous/run.db -q --format json | cmp - run.2.json
	rc=0
	"$KEEP" nonsense kept 2>usage || rc=$?
	is $rc 2 "the exit code of wrong usage"
	has usage '^usage: keep-recording'
}

# The sum of the capabilities' bits, by the kernel's header.
cap_mask() {
	local cap bit mask=0
	for cap in $(unit_caps); do
		bit=$(sed -n "s/^#define CAP_${cap}[[:space:]]*\([0-9]*\)\$/\1/p" /usr/include/linux/capability.h)
		mask=$((mask | 1 << bit))
	done
	printf '%016x' $mask
}

test_daemonset() {
	need python3
	python3 -c 'import yaml' 2>/dev/null || skip "no python3-yaml"
	python3 - "$DAEMONSET" "$(unit_caps | sort | paste -sd ' ')" <<-'P'
	import sys, yaml
	docs = {d["kind"]: d for d in yaml.safe_load_all(open(sys.argv[1]))}
	ns, ds = docs["Namespace"], docs["DaemonSet"]
	assert (ns["apiVersion"], ds["apiVersion"]) == ("v1", "apps/v1")
	assert ds["metadata"]["namespace"] == ns["metadata"]["name"]
	template, wanted = ds["spec"]["template"], ds["spec"]["selector"]["matchLabels"]
	assert wanted and wanted.items() <= template["metadata"]["labels"].items()
	pod = template["spec"]
	assert pod["hostPID"] is True
	(box,) = pod["containers"]
	assert box["name"] and box["image"]
	names = {v["name"] for v in pod["volumes"]}
	assert {m["name"] for m in box["volumeMounts"]} == names, names
	caps = box["securityContext"]["capabilities"]
	assert caps["drop"] == ["ALL"] and not box["securityContext"].get("privileged")
	assert " ".join(sorted(caps["add"])) == sys.argv[2], caps["add"]
	command = box["command"]
	assert command[0] == "/usr/libexec/allocsnoop/keep-recording" and "--max-file" in command
	assert command[1] == "comm:$(TARGET)" and [e["value"] for e in box["env"] if e["name"] == "TARGET"]
	assert command[2] in [m["mountPath"] for m in box["volumeMounts"]]
	P
}

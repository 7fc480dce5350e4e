# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# timeout: 300
#
# What is built: the static binary needs nothing of the machine, and install puts
# one file where it is told to.

test_static_binary() {
	make -s -C "$ROOT" O="$O" static
	mkdir -p root/proc root/sys root/dev
	cp "$OUT/allocsnoop-static" root/
	! ldd root/allocsnoop-static >ldd.out 2>&1 || fail "it is not static: $(cat ldd.out)"
	target go "$TARGETS/go-plain" -n 500
	target_ready go
	# A root with the kernel's file systems and nothing else, in a mount namespace that goes away with it.
	unshare -m bash -c 'mount --rbind /proc root/proc && mount --rbind /sys root/sys && mount --bind /dev root/dev &&
		exec chroot root /allocsnoop-static -p "$1" --mode exact --format json -d 3' - "${target_pid[go]}" >go.json 2>snoop.err </dev/null &
	snoop_pid=$!
	pids+=($!)
	snoop_attached
	target_work go
	wait "$snoop_pid"
	target_end go
	check go go.json go.ledger
}

test_install() {
	make -s -C "$ROOT" O="$O" install PREFIX=/usr DESTDIR="$T/staged"
	is "$(cd staged && find . -type f | LC_ALL=C sort)" "./usr/bin/allocsnoop
./usr/lib/systemd/system/allocsnoop-record@.service
./usr/libexec/allocsnoop/keep-recording
./usr/share/bash-completion/completions/allocsnoop
./usr/share/fish/vendor_completions.d/allocsnoop.fish
./usr/share/man/man8/allocsnoop.8
./usr/share/zsh/site-functions/_allocsnoop" "what is installed"
	is "$(staged/usr/bin/allocsnoop -V)" "allocsnoop 0.1.0" "its version"
}

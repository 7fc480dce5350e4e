# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The manual page and the completions say what -h says, and the tools that read them have nothing to complain of;
# colours are for terminals, and NO_COLOR turns them off.

# Long options of -h, the independent list: by its layout, not by the table.
help_options() {
	"$SNOOP" -h | sed -n 's/^  \(-., \|    \)--\([a-z-]*\).*/\2/p'
}

test_man() {
	need man groff
	local option n=0
	"$SNOOP" man >allocsnoop.8
	LC_ALL=C.UTF-8 MANWIDTH=200 man -l --warnings=w allocsnoop.8 >page 2>warnings
	[ ! -s warnings ] || fail "man warns: $(cat warnings)"
	groff -ww -man -Tutf8 allocsnoop.8 >/dev/null 2>warnings
	[ ! -s warnings ] || fail "groff warns: $(cat warnings)"
	if command -v mandoc >/dev/null; then
		mandoc -T lint -W warning allocsnoop.8 || fail "mandoc warns"
	else
		note "no mandoc"
	fi
	sed 's/.\x08//g; s/\x1b\[[0-9;]*m//g' page >plain
	for option in $(help_options); do
		has plain "^ *(-., )?--$option( |\$)"
		n=$((n + 1))
	done
	[ "$n" -ge 30 ] || fail "-h has only $n options"
	for option in record report diff check completion; do
		has plain "^ +$option( |\$)"
	done
	has plain 'Ctrl-C'
	has plain '\(also: NO_COLOR, or a pipe\)'
	note "$n options"
}

# What bash offers for the words of a command line, the last of which is being written.
bash_offers() {
	bash --norc -c '. "$1"; shift
		compopt() { :; }
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_allocsnoop
		[ ${#COMPREPLY[@]} = 0 ] || printf "%s\n" "${COMPREPLY[@]}"' - "$PWD/c.bash" "$@" | sort | paste -sd ' '
}

test_bash() {
	local want
	"$SNOOP" completion bash >c.bash
	bash -n c.bash
	bash --norc -c '. ./c.bash; complete -p allocsnoop' >complete
	has complete '-F _allocsnoop allocsnoop'
	want=$(help_options | grep -vxE 'from|to|timeline' | sed 's/^/--/' | sort | paste -sd ' ')
	is "$(bash_offers allocsnoop --)" "$want" "all options of a capture"
	is "$(bash_offers allocsnoop record --)" "$want" "all options of record"
	is "$(bash_offers allocsnoop report --ti)" --timeline "an option of report"
	is "$(bash_offers allocsnoop report --pi)" "" "what report does not take"
	is "$(bash_offers allocsnoop check re)" "" "the second word"
	is "$(bash_offers allocsnoop re)" "record report" "the first word"
	is "$(bash_offers allocsnoop '')" "check completion diff man record report" "first words"
	is "$(bash_offers allocsnoop completion '')" "bash fish zsh" "shells"
	is "$(bash_offers allocsnoop --format p)" "perfetto pprof prometheus" "formats"
	is "$(bash_offers allocsnoop --format = pp)" pprof "a format behind ="
	is "$(bash_offers allocsnoop --mode '')" "auto exact sampled" "modes"
	is "$(bash_offers allocsnoop -g l)" "labels line" "groups"
	is "$(bash_offers allocsnoop --sort = '')" "bytes growth live objects peak rate rss waste" "columns"
	is "$(bash_offers allocsnoop -m live)" "live_bytes live_objects" "metrics"
	is "$(bash_offers allocsnoop --source go,m)" "go,malloc go,mmap" "sources"
	is "$(bash_offers allocsnoop --duration '')" "" "a number"
	bash_offers allocsnoop -p 1 >pids
	grep -qw 1 pids || fail "-p 1 does not offer PID 1: $(cat pids)"
	touch 'x.db' 'y.html'
	is "$(bash_offers allocsnoop report x)" x.db "a recording"
	is "$(bash_offers allocsnoop -p 1 -o y)" y.html "a file"
	is "$(bash_offers allocsnoop --source malloc -- x)" "$(bash -c 'compgen -c x' | sort | paste -sd ' ')" "a command behind --"
	# Every value offered is one, every word of a set is offered: the program itself judges.
	local option value
	for option in format mode group-by sort metric source; do
		for value in $(bash_offers allocsnoop --$option ''); do
			"$SNOOP" --$option "$value" -h >/dev/null || fail "--$option $value is no value"
		done
		"$SNOOP" --$option nonsense -h >/dev/null 2>wrong && fail "--$option nonsense passed"
		for value in $(sed 's/([^)]*)//g; s/.*--[a-z-]*: //' wrong | grep -oE '\b[a-z_]+\b'); do
			! "$SNOOP" --$option "$value" -h >/dev/null 2>&1 || bash_offers allocsnoop --$option '' | grep -qw "$value" ||
				fail "--$option $value is not offered"
		done
	done
}

test_zsh() {
	need zsh
	"$SNOOP" completion zsh >_allocsnoop
	zsh -n _allocsnoop
	# compsys in a terminal: zpty. What it lists comes out of compadd.
	cat >ask.zsh <<'Z'
zmodload zsh/zpty
zpty -b z zsh -f
say() { zpty -w z "$1" }
say "PS1=; PROMPT=; fpath=($PWD \$fpath); autoload -U compinit; compinit -u -d $PWD/dump; setopt zle; bindkey '^I' list-choices"
say "zstyle ':completion:*' list-colors ''; LISTMAX=1000; stty rows 200 cols 200; print RE''ADY"
typeset out= chunk
wait_for() { local -i n=0; out=; while [[ $out != *$1* ]]; do zpty -r -t z chunk && out+=$chunk || { zselect -t 5; (( n++ < 1200 )) || { print -r -- "$out"; exit 1 } }; done }
zmodload zsh/zselect
wait_for READY
zpty -w -n z "allocsnoop $1"$'\t'
wait_for $2
print -r -- "$out"
Z
	zsh -f ask.zsh '--format p' prometheus >out || fail "no formats from zsh: $(cat out)"
	has out perfetto
	zsh -f ask.zsh 're' report >out || fail "no first words from zsh: $(cat out)"
	has out record
	zsh -f ask.zsh 'report --t' timeline >out || fail "no options of report from zsh: $(cat out)"
	zsh -f ask.zsh '--source go,m' mmap >out || fail "no sources from zsh: $(cat out)"
}

fish_offers() {
	HOME=$PWD fish --no-config -c 'source c.fish; complete -C "$argv"' -- "$1" | cut -f1 | sort | paste -sd ' '
}

test_fish() {
	need fish
	"$SNOOP" completion fish >c.fish
	fish -n c.fish
	is "$(fish_offers 'allocsnoop --format p')" "perfetto pprof prometheus" "formats"
	is "$(fish_offers 'allocsnoop re')" "record report" "the first word"
	is "$(fish_offers 'allocsnoop report --ti')" --timeline "an option of report"
	is "$(fish_offers 'allocsnoop report --pi')" "" "what report does not take"
	is "$(fish_offers 'allocsnoop --source go,m')" "go,malloc go,mmap" "sources"
	is "$(fish_offers 'allocsnoop -g l')" "labels line" "groups"
	is "$(fish_offers 'allocsnoop --')" "$(help_options | grep -vxE 'from|to|timeline' | sed 's/^/--/' | sort | paste -sd ' ')" "all options"
}

# Its output as on a terminal.
on_terminal() {
	script -qec "$*" /dev/null >screen
}

test_no_color() {
	need script
	local color=$'\x1b\\[' run="$SNOOP check"
	unset NO_COLOR
	on_terminal "$run"
	has screen "$color"
	NO_COLOR='' on_terminal "$run" # no-color.org: not when it is empty
	has screen "$color"
	NO_COLOR=0 on_terminal "$run"
	! grep -q "$color" screen || fail "colours in spite of NO_COLOR"
	on_terminal "$run --no-color"
	! grep -q "$color" screen || fail "colours in spite of --no-color"
	$run >screen
	! grep -q "$color" screen || fail "colours into a file"
}

# PREFIX and DESTDIR hold, and nothing else is written.
test_install() {
	local file
	[ -z "${LATER-}" ] || skip "no matter of the kernel"
	# -o: the program is taken as it is.
	make -C "$ROOT" --no-print-directory O="$O" -o "$O/allocsnoop" install DESTDIR="$PWD/root" PREFIX=/opt/tools >/dev/null
	find root -type f | sort >files
	cat >want <<-'F'
	root/opt/tools/bin/allocsnoop
	root/opt/tools/lib/systemd/system/allocsnoop-record@.service
	root/opt/tools/libexec/allocsnoop/keep-recording
	root/opt/tools/share/bash-completion/completions/allocsnoop
	root/opt/tools/share/fish/vendor_completions.d/allocsnoop.fish
	root/opt/tools/share/man/man8/allocsnoop.8
	root/opt/tools/share/zsh/site-functions/_allocsnoop
	F
	diff want files
	"$SNOOP" man | cmp - root/opt/tools/share/man/man8/allocsnoop.8
	for file in bash:bash-completion/completions/allocsnoop zsh:zsh/site-functions/_allocsnoop fish:fish/vendor_completions.d/allocsnoop.fish; do
		"$SNOOP" completion "${file%%:*}" | cmp - "root/opt/tools/share/${file#*:}"
	done
	is "$(root/opt/tools/bin/allocsnoop -V)" "$("$SNOOP" -V)" "the version"
}

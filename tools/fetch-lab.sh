#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Fetch what the wider tests and the generators want, beside the system: Go
# toolchains, kernels, single packages, from other suites of the distribution.
# Nothing is installed: the packages are downloaded by apt-get with sources of
# their own (the host's, with the suite's name changed) and unpacked by dpkg -x.
#
#   fetch-lab.sh go 1.15 1.26 ...          $LAB/go/1.26 is a GOROOT
#   fetch-lab.sh kernel 6.1 arm64-6.12 ... $LAB/kernel/6.1/{vmlinuz,btf,version,modules/}
#   fetch-lab.sh deb SUITE PACKAGE...      $LAB/deb/SUITE/PACKAGE is its root folder;
#                                          PACKAGE:arm64 is that of another machine
#   fetch-lab.sh npm PACKAGE...            $LAB/npm/PACKAGE is what the package holds, as published
#   fetch-lab.sh list                      the versions known for go and kernel
#
# LAB is $ALLOCSNOOP_LAB, or /var/cache/allocsnoop-lab. What is there already is
# not fetched again: remove its folder to have it renewed.
set -eu

LAB=${ALLOCSNOOP_LAB:-/var/cache/allocsnoop-lab}
SOURCES=${ALLOCSNOOP_SOURCES:-/etc/apt}

# Where each version lives. Kernel: the package, or the pattern of a versioned one.
GO_SUITES='1.15 bullseye
1.19 bookworm
1.21 bookworm-backports
1.22 bookworm-backports
1.23 bookworm-backports
1.24 trixie
1.26 sid
1.27 sid'
KERNELS='5.10 bullseye linux-image-cloud-amd64
6.1 bookworm-security linux-image-cloud-amd64
6.12 trixie linux-image-cloud-amd64
6.12b bookworm-security linux-image-6.12.*-cloud-amd64
7.2 sid linux-image-cloud-amd64
arm64-6.1 bookworm linux-image-cloud-arm64
arm64-6.12 trixie linux-image-cloud-arm64
arm64-7.2 sid linux-image-cloud-arm64'

die()
{
	echo "fetch-lab.sh: $*" >&2
	exit 1
}

# Both lists above: the words after the key.
table_get()
{
	echo "$1" | awk -v key="$2" '$1 == key { $1 = ""; sub(/^ /, ""); print }'
}

# What a guest of tests/vm wants that the cloud kernels do not have built in, in the order of loading.
MODULES='virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci fuse virtiofs brd'

need()
{
	command -v "$1" >/dev/null || die "$1 is missing (package $2)"
}

# The host's own sources of its own release, with @2's name in place of the release's.
# Deb822 stanzas and one-line entries; backports live in the main archive, security in its own.
make_sources()
{
	dir=$1 suite=$2
	. /etc/os-release
	want=$VERSION_CODENAME
	case $suite in *-security) want=$VERSION_CODENAME-security ;; esac
	mkdir -p "$dir"
	find "$SOURCES" -name '*.sources' -exec cat {} + -exec echo \; 2>/dev/null |
		awk -v want="$want" -v suite="$suite" '
		BEGIN { RS = ""; FS = "\n" }
		{
			mine = 0; out = ""
			for (i = 1; i <= NF; i++) {
				if ($i ~ /^#/)
					continue
				if ($i ~ /^Suites:/) {
					n = split($i, word, /[ \t]+/)
					for (j = 2; j <= n; j++)
						mine = mine || word[j] == want
					$i = "Suites: " suite
				}
				out = out $i "\n"
			}
			if (mine)
				print out
		}' >"$dir/lab.sources"
	find "$SOURCES" -name '*.list' -exec cat {} + -exec echo \; 2>/dev/null |
		awk -v want="$want" -v suite="$suite" '$1 == "deb" {
			for (i = 2; i < NF; i++)
				if ($i == want) { $i = suite; print; next }
		}' >"$dir/lab.list"
	[ -s "$dir/lab.sources" ] || [ -s "$dir/lab.list" ] ||
		die "no entry for $want in $SOURCES to make one for $suite from"
}

# apt SUITE ARCH get|cache ARGS: on the suite's lists, with an empty status.
apt()
{
	suite=$1 arch=$2 tool=$3 base=$LAB/apt/$1-$2
	shift 3
	"apt-$tool" -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$base/sources" \
		-o Dir::State="$base/state" -o Dir::State::status=/dev/null -o Dir::Cache="$base/cache" \
		-o APT::Architecture="$arch" -o APT::Architectures="$arch" -o APT::Sandbox::User=root \
		-o Acquire::Languages=none -o Acquire::Check-Valid-Until=false -o Acquire::Retries=2 "$@"
}

# Lists of @1 for @2, once per run and suite.
apt_update()
{
	case " ${updated-} " in *" $1-$2 "*) return 0 ;; esac
	base=$LAB/apt/$1-$2
	mkdir -p "$base/state/lists/partial" "$base/cache/archives/partial"
	rm -rf "$base/sources"
	make_sources "$base/sources" "$1"
	apt "$1" "$2" get update >"$base/log" 2>&1 || {
		cat "$base/log" >&2
		die "cannot read the package lists of $1 ($2)"
	}
	updated="${updated-} $1-$2"
}

# Download package @3 of suite @1 for @2 and unpack it into the folder @4 (added to what is there).
unpack()
{
	apt_update "$1" "$2"
	down=$LAB/apt/$1-$2/download
	rm -rf "$down"
	mkdir -p "$down"
	(cd "$down" && apt "$1" "$2" get download "$3") >"$LAB/apt/$1-$2/log" 2>&1 || {
		cat "$LAB/apt/$1-$2/log" >&2
		die "cannot download $3 from $1 ($2)"
	}
	dpkg -x "$down"/*.deb "$4" || die "cannot unpack $3 of $1 into $4"
	rm -rf "$down"
}

# A folder is filled under another name and renamed, so that what exists is whole.
begin()
{
	part=$1.part
	rm -rf "$part"
	mkdir -p "$1.part"
}

finish()
{
	mv "$1.part" "$1"
	part=
	echo "$1"
}

fetch_deb()
{
	suite=$1 arch=$(dpkg --print-architecture)
	case $2 in *:*) arch=${2#*:} ;; esac
	dst=$LAB/deb/$suite/$2
	[ -d "$dst" ] && return
	begin "$dst"
	unpack "$suite" "$arch" "${2%%:*}" "$dst.part"
	finish "$dst"
}

# @scope/name, as its publisher packed it: nothing of it is run, its dependencies are not fetched.
fetch_npm()
{
	need npm npm
	dst=$LAB/npm/$1
	[ -d "$dst" ] && return
	mkdir -p "${dst%/*}"
	begin "$dst"
	(cd "$dst.part" && npm pack "$1" && tar -xzf ./*.tgz --strip-components=1) >"$LAB/npm/log" 2>&1 || {
		cat "$LAB/npm/log" >&2
		die "cannot fetch the npm package $1"
	}
	rm -f "$dst.part"/*.tgz
	finish "$dst"
}

fetch_go()
{
	gosuite=$(table_get "$GO_SUITES" "$1")
	[ -n "$gosuite" ] || die "go $1 is in no suite that this script knows; it knows:" $(echo "$GO_SUITES" | cut -d' ' -f1)
	dst=$LAB/go/$1
	[ -d "$dst/" ] && return
	root=$LAB/go/root-$1
	if [ ! -d "$root" ]; then
		begin "$root"
		unpack "$gosuite" "$(dpkg --print-architecture)" "golang-$1-go" "$root.part"
		# GOROOT's parts that depend on no machine, a package of their own.
		unpack "$gosuite" "$(dpkg --print-architecture)" "golang-$1-src" "$root.part"
		mv "$root.part" "$root"
		part=
	fi
	ln -sfn "root-$1/usr/lib/go-$1" "$dst"
	GOROOT=$dst GOTOOLCHAIN=local "$dst/bin/go" version >/dev/null || die "$dst/bin/go does not run"
	echo "$dst"
}

# The versioned package that holds the image: metapackages depend on it, some through another one.
kernel_package()
{
	pkg=$3
	case $pkg in *'*'*)
		pkg=$(apt "$1" "$2" cache pkgnames | grep -x -- "$(echo "$pkg" | sed 's/\./\\./g; s/\\\.\*/.*/')" |
			grep -v -e -unsigned -e -dbg | sort -V | tail -n 1)
		[ -n "$pkg" ] || die "$1 has no package $3"
		;;
	esac
	while :; do
		next=$(apt "$1" "$2" cache depends --important "$pkg" |
			sed -n 's/^ *Depends: \(linux-\(image\|binary\)-[0-9][^ ]*\)$/\1/p' | head -n 1)
		[ -n "$next" ] && [ "$next" != "$pkg" ] || break
		pkg=$next
	done
	echo "$pkg"
}

# vmlinuz @1 to the plain kernel in @2: a bzImage says where its compressed part is
# (Documentation/arch/x86/boot.rst: setup_sects at 0x1f1, "HdrS" at 0x202,
# payload_offset and payload_length at 0x248); arm64's image is plain, or gzip'ed.
unpack_image()
{
	perl -e '
		local $/; binmode STDIN; binmode STDOUT; my $image = <STDIN>;
		if (substr($image, 0x202, 4) eq "HdrS") {
			my $start = ((unpack("C", substr($image, 0x1f1, 1)) || 4) + 1) * 512;
			my ($off, $len) = unpack("VV", substr($image, 0x248, 8));
			$image = substr($image, $start + $off, $len);
		}
		print $image;' <"$1" >"$2.payload"
	# Each complains of the four bytes of length behind its data: what matters is what came out.
	case $(od -An -tx1 -N4 "$2.payload" | tr -d ' ') in
	28b52ffd) need zstd zstd; zstd -dcq "$2.payload" ;;
	02214c18) need lz4 lz4; lz4 -dcq "$2.payload" ;;
	fd377a58) need xz xz-utils; xz -dcq --single-stream "$2.payload" ;;
	1f8b*) gzip -dcq "$2.payload" ;;
	*) cat "$2.payload" ;;
	esac >"$2" 2>/dev/null || [ -s "$2" ] || die "cannot unpack the kernel image $1"
	rm -f "$2.payload"
}

# The BTF blob of plain kernel @1: found by its header (linux/btf.h: magic eb9f, version 1,
# flags 0, header length 24, then offset and length of types and strings).
cut_btf()
{
	perl -e '
		local $/; binmode STDIN; binmode STDOUT; my $k = <STDIN>; my ($at, $best) = (0, "");
		while (($at = index($k, "\x9f\xeb\x01\x00\x18\x00\x00\x00", $at)) >= 0) {
			my ($type_off, $type_len, $str_off, $str_len) = unpack("V4", substr($k, $at + 8, 16));
			my $len = 24 + $str_off + $str_len;
			$best = substr($k, $at, $len)
				if $type_off == 0 && $str_off == $type_len && $at + $len <= length($k) && $len > length($best);
			$at += 8;
		}
		exit 1 if $best eq ""; print $best;' <"$1" >"$2"
}

# Those of MODULES that are in the tree @1, unpacked, into the folder @2, whose order is that of loading.
take_modules()
{
	mkdir -p "$2"
	nth=0
	for module in $MODULES; do
		nth=$((nth + 1))
		file=$(find "$1" -type f -name "$module.ko*" | head -n 1)
		case $file in
		'') ;; # built in
		*.ko) cp "$file" "$2/$nth-$module.ko" ;;
		*.ko.xz) need xz xz-utils; xz -dcq "$file" >"$2/$nth-$module.ko" ;;
		*) die "kernel module $file is packed in a way that this script does not know" ;;
		esac
	done
}

fetch_kernel()
{
	set -- "$1" $(table_get "$KERNELS" "$1")
	[ $# -eq 3 ] || die "kernel $1 is not one that this script knows:" $(echo "$KERNELS" | cut -d' ' -f1)
	dst=$LAB/kernel/$1
	[ -d "$dst/modules" ] && return
	rm -rf "$dst"
	need perl perl
	karch=amd64
	case $1 in arm64-*) karch=arm64 ;; esac
	begin "$dst"
	apt_update "$2" "$karch"
	pkg=$(kernel_package "$2" "$karch" "$3")
	want=${1#arm64-}
	case $pkg in
	*-"${want%b}".*) ;;
	*) die "kernel $1: $2 has moved on to $pkg; correct the list in this script" ;;
	esac
	unpack "$2" "$karch" "$pkg" "$dst.part/root"
	# /boot/vmlinuz-VERSION, from 7.x on /usr/lib/modules/VERSION/vmlinuz.
	image=$(find "$dst.part/root" -type f -name 'vmlinuz*' | head -n 1)
	[ -n "$image" ] || die "$pkg holds no vmlinuz"
	mv "$image" "$dst.part/vmlinuz"
	unpack_image "$dst.part/vmlinuz" "$dst.part/vmlinux"
	cut_btf "$dst.part/vmlinux" "$dst.part/btf" || die "no BTF found in the image of $pkg"
	echo "$pkg" | sed 's/^linux-[a-z]*-//' >"$dst.part/version"
	# From 7.x on the modules are a package of their own.
	[ -n "$(find "$dst.part/root" -name 'brd.ko*')" ] ||
		unpack "$2" "$karch" "linux-modules-$(cat "$dst.part/version")" "$dst.part/root"
	take_modules "$dst.part/root" "$dst.part/modules"
	rm -rf "$dst.part/root" "$dst.part/vmlinux"
	finish "$dst"
}

usage()
{
	sed -n '/^#   fetch-lab/,/^set/{s/^#  *//;/^#/d;/^set/d;p}' "$0" >&2
	exit 2
}

[ $# -ge 1 ] || usage
what=$1
shift
if [ "$what" = list ]; then
	echo go: $(echo "$GO_SUITES" | cut -d' ' -f1)
	echo kernel: $(echo "$KERNELS" | cut -d' ' -f1)
	exit 0
fi
[ $# -ge 1 ] || usage
need apt-get apt
part=
trap 'rm -rf ${part:+"$part"}' EXIT
trap 'exit 1' HUP INT TERM
need dpkg dpkg
mkdir -p "$LAB" || die "cannot make the folder $LAB (ALLOCSNOOP_LAB names another)"
# One at a time: apt's folders are shared.
exec 9>"$LAB/lock"
flock 9
case $what in
go)
	for v; do fetch_go "$v"; done
	;;
kernel)
	for v; do fetch_kernel "$v"; done
	;;
deb)
	[ $# -ge 2 ] || usage
	debsuite=$1
	shift
	for v; do fetch_deb "$debsuite" "$v"; done
	;;
npm)
	for v; do fetch_npm "$v"; done
	;;
*)
	usage
	;;
esac

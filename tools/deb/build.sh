#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# build.sh OUT VERSION DATE: a Debian package from what `make install` installs, OUT/allocsnoop_VERSION_ARCH.deb.
# Its dependencies are those of the machine that builds it (dpkg-shlibdeps). The same tree gives the same bytes.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$1 version=$2 date=$3
export LC_ALL=C SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(date -u -d "$date" +%s)
# As other tools of Debian have it.
maintainer="${DEBFULLNAME:-allocsnoop maintainers} <${DEBEMAIL:-maintainers@allocsnoop.example}>"
summary="who allocates in a running process, and what made its RSS grow"

command -v dpkg-deb dpkg-shlibdeps >/dev/null || {
	echo "build.sh: no dpkg-deb or dpkg-shlibdeps: install dpkg-dev" >&2
	exit 1
}
work=$out/deb
rm -rf "$work"
mkdir -p "$work/debian" "$work/root/DEBIAN"
work=$(cd "$work" && pwd)
root=$work/root
umask 022

make --no-print-directory O="$out" -o "$out/allocsnoop" install DESTDIR="$root" PREFIX=/usr >/dev/null
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/allocsnoop"
# Where Debian's zsh looks.
mkdir -p "$root/usr/share/zsh/vendor-completions"
mv "$root/usr/share/zsh/site-functions/_allocsnoop" "$root/usr/share/zsh/vendor-completions/"
rmdir "$root/usr/share/zsh/site-functions"
gzip -9n "$root/usr/share/man/man8/allocsnoop.8"

doc=$root/usr/share/doc/allocsnoop
mkdir -p "$doc/examples"
cp tools/kubernetes/allocsnoop.yaml "$doc/examples/"
cp tools/prometheus/alerts.yml "$doc/examples/"
cat >"$doc/copyright" <<C
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: allocsnoop

Files: *
Copyright: ${date%%-*} the authors of allocsnoop
License: GPL-2.0-or-later
 On Debian systems the text of the GNU General Public License version 2
 is in /usr/share/common-licenses/GPL-2.
C
gzip -9n >"$doc/changelog.gz" <<C
allocsnoop ($version) unstable; urgency=medium

  * Release $version.

 -- $maintainer  $(date -u -R -d "$date")
C

# dpkg-shlibdeps reads debian/control of the folder that it is in.
printf 'Source: allocsnoop\n\nPackage: allocsnoop\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O "root/usr/bin/allocsnoop" | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ]
cat >"$root/DEBIAN/control" <<C
Package: allocsnoop
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: $maintainer
Installed-Size: $(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1)
Depends: $depends
Suggests: libdebuginfod1
Section: utils
Priority: optional
Description: $summary
 Attaches eBPF programs to an unmodified Go, C, C++ or Rust process and sums its
 allocations by call stack; watches the kernel's own counters of its memory.
 Reports as text, folded stacks, pprof, JSON or HTML, and recordings in SQLite
 files. A unit for systemd, allocsnoop-record@.service, records a service for
 as long as it runs.
C
(cd "$root" && find usr -type f | LC_ALL=C sort | xargs md5sum) >"$root/DEBIAN/md5sums"
dpkg-deb --root-owner-group --build "$root" "$out/allocsnoop_${version}_$(dpkg --print-architecture).deb"

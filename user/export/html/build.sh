#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# build.sh FOLDER: makes FOLDER/page.html, the page of the HTML report without its data: one file, with the libraries
# that package-lock.json pins. The lock names no host: npm takes the registry that it is set up for, and checks what it
# gets by the sums in the lock. Without npm, or out of reach of a registry, page.html is empty, one line says why, and
# the exit code is 0: everything else of allocsnoop is built all the same.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"

give_up() {
	echo "no HTML report (--format html): $1" >&2
	[ -e page.html ] && [ ! -s page.html ] || : >page.html
	exit 0
}

command -v npm >/dev/null && command -v node >/dev/null || give_up "npm is not installed (tools/install-deps.sh build)"
if ! cmp -s "$here/package-lock.json" installed-lock.json; then
	rm -f installed-lock.json
	cp "$here/package.json" "$here/package-lock.json" .
	npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-retry-mintimeout=500 --fetch-timeout=20000 >npm.log 2>&1 ||
		give_up "npm could not fetch its packages: $PWD/npm.log"
	cp package-lock.json installed-lock.json
fi
for name in page.js page.css; do
	NODE_PATH=$PWD/node_modules node_modules/.bin/esbuild "$here/$name" --bundle --minify --target=es2020 --charset=utf8 \
		--log-level=warning --legal-comments=inline --outfile="$PWD/$name" || give_up "esbuild does not run here"
done
node "$here/assemble.js" "$here/page.html" page.css page.js >"page.tmp.$$" # another make may be at it
mv "page.tmp.$$" page.html

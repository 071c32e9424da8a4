#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# check_files.sh must pass a good tree and find each kind of violation.
set -euo pipefail
check=$(dirname "$(realpath "$0")")/check_files.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
license='/* SPDX-License-Identifier: BSD-2-Clause */'
failed=0

# expect good|bad FILE TEXT: a tree of one folder with its README and FILE, holding TEXT.
expect() {
	local want=$1 file=$2 text=$3 got=good
	rm -rf "$tmp/tree"
	mkdir -p "$tmp/tree/src" "$tmp/tree/$(dirname "$file")"
	echo "<!-- SPDX-License-Identifier: BSD-2-Clause -->" >"$tmp/tree/src/README.md"
	printf '%s\n' "$text" >"$tmp/tree/$file"
	"$check" "$tmp/tree" >"$tmp/out" 2>&1 || got=bad
	if [[ $got != "$want" ]]; then
		echo "error: $file was taken as $got:" >&2
		cat "$tmp/out" >&2
		failed=1
	fi
}

expect good src/a.c "$license"
expect good src/a.json '{}'
expect good "src/with space.c" "$license"
expect good src/a.c "$license$(printf '\nint a;%.0s' {1..799})"
expect bad src/a.c "$license$(printf '\nint a;%.0s' {1..800})"
expect bad src/a.c 'int a;'
expect bad src/empty.c ''
expect bad src/notes 'text'
expect bad src/a.c "$(printf 'int a;\n%.0s' {1..6})$license"
expect bad other/a.c "$license"
expect bad src/below/a.h "$license"
exit $failed

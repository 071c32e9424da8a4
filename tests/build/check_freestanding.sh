#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: check_freestanding.sh LIB LD NM MAX_TEXT [MAX_BACKEND OBJECT...]
# The library may need nothing from outside but the four mem functions, and its code and constants
# (text as size(1) counts it: .text and .rodata) may take MAX_TEXT bytes at most. A second back end's OBJECTs do not
# count there, they have their own limit.
set -eu
lib=$1 ld=$2 nm=$3 max=$4 max_backend=${5:-0}
shift $(($# < 5 ? 4 : 5))
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"$ld" -r --whole-archive "$lib" -o "$tmp/v3.o"
if ! "$nm" --defined-only "$tmp/v3.o" | grep -q ' T v3_'; then
	echo "error: $lib defines no v3_ function: is it empty?" >&2
	exit 1
fi
bad=$("$nm" --undefined-only "$tmp/v3.o" | awk '{ print $NF }' |
	grep -vxE 'memcpy|memmove|memset|memcmp' || true)
if [ -n "$bad" ]; then
	echo "error: the freestanding library needs symbols that no kernel promises:" >&2
	for symbol in $bad; do
		objects=$("$nm" -A --undefined-only "$lib" | awk -v s="$symbol" '$NF == s' |
			sed 's/:[^:]*$//; s/.*://' | sort -u | tr '\n' ' ')
		echo "  $symbol (used in: $objects)" >&2
	done
	exit 1
fi
# Mutable globals would be shared by all instances of the library. APM and SDM tables are const.
mutable=$("$nm" "$tmp/v3.o" | awk '$2 ~ /^[BbDdCSsGg]$/ { print $NF }')
if [ -n "$mutable" ]; then
	echo "error: mutable globals in the library: $(echo "$mutable" | tr "\n" " ")" >&2
	exit 1
fi
text=$(size "$tmp/v3.o" | awk 'NR == 2 { print $1 }')
if [ $# -gt 0 ]; then
	backend=$(size "$@" | awk 'NR > 1 { text += $1 } END { print text }')
	text=$((text - backend))
	echo "text of the second back end: $backend bytes, at most $max_backend"
	if [ "$backend" -gt "$max_backend" ]; then
		echo "error: text of the second back end is $backend bytes, more than $max_backend" >&2
		exit 1
	fi
fi
echo "text: $text bytes, at most $max"
if [ "$text" -gt "$max" ]; then
	echo "error: text of $lib is $text bytes, more than $max" >&2
	exit 1
fi

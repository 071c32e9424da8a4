#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: check_freestanding_test.sh CC AR LD NM
# check_freestanding.sh must pass a good library and find each kind of bad one.
set -eu
cc=$1 ar=$2 ld=$3 nm=$4
check=$(dirname "$0")/check_freestanding.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# expect good|bad MAX_TEXT MESSAGE SOURCE
expect() {
	printf '%s\n' "$4" >"$tmp/a.c"
	rm -f "$tmp/lib.a"
	"$cc" -ffreestanding -fno-pic -O0 -c "$tmp/a.c" -o "$tmp/a.o"
	"$ar" rcs "$tmp/lib.a" "$tmp/a.o"
	got=good
	"$check" "$tmp/lib.a" "$ld" "$nm" "$2" >"$tmp/out" 2>&1 || got=bad
	if [ "$got" != "$1" ] || ! grep -q "$3" "$tmp/out"; then
		echo "error: '$4' was taken as $got, or without '$3':" >&2
		cat "$tmp/out" >&2
		failed=1
	fi
}

expect good 10000 'text: ' 'void *memcpy(void *, const void *, unsigned long);
void v3_a(void *p) { memcpy(p, p, 9); }'
expect bad 10000 'strlen' 'unsigned long strlen(const char *); int v3_a(void) { return strlen("a"); }'
expect bad 10000 '__popcountdi2' 'int v3_a(long x) { return __builtin_popcountl(x); }'
expect bad 10000 'mutable globals.* counter' 'static int counter = 1; int v3_a(void) { return counter++; }'
expect bad 10000 'mutable globals.* zero' 'int zero; int v3_a(void) { return zero++; }'
expect bad 10 'more than 10' 'int v3_a(int x) { return x * 3 + 1; }'
expect bad 10000 'empty' 'int a(int x) { return x; }'

# A second back end has its own limit, and is not in the other.
printf '%s\n' 'int v3_b(int x) { return x / 7 + x % 5; }' >"$tmp/b.c"
"$cc" -ffreestanding -fno-pic -O0 -c "$tmp/b.c" -o "$tmp/b.o"
printf '%s\n' 'int v3_a(int x) { return x * 3 + 1; }' >"$tmp/a.c"
"$cc" -ffreestanding -fno-pic -O0 -c "$tmp/a.c" -o "$tmp/a.o"
rm -f "$tmp/lib.a"
"$ar" rcs "$tmp/lib.a" "$tmp/a.o" "$tmp/b.o"
size=$(size "$tmp/b.o" | awk 'NR == 2 { print $1 }')
whole=$("$check" "$tmp/lib.a" "$ld" "$nm" 10000 | sed -n 's/^text: \([0-9]*\) .*/\1/p')
"$check" "$tmp/lib.a" "$ld" "$nm" $((whole - size)) "$size" "$tmp/b.o" >/dev/null ||
	{ echo "error: the back end counts in the library's limit" >&2; failed=1; }
! "$check" "$tmp/lib.a" "$ld" "$nm" 10000 $((size - 1)) "$tmp/b.o" >"$tmp/out" 2>&1 ||
	{ echo "error: a back end over its limit is not found" >&2; failed=1; }
exit $failed

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# readelf.sh SEGMENTS CC FOLDER: links programs in several ways and compares the segments that v3
# loads with what readelf(1) shows.
set -eu

segments=$1 cc=$2 dir=$3
mkdir -p "$dir"
cd "$dir"

cat >a.c <<'END'
static char zeros[100000];
int numbers[5000] = { 1, 2, 3 };
void _start(void) { for (;;) zeros[numbers[0]++ % 100000] = 1; }
END

# compare NAME - the segments of NAME by both.
compare()
{
	"$segments" "$1" >"$1.v3"
	readelf -hlW "$1" | awk '
		function hex(text) { sub(/^0x0*/, "", text); return text == "" ? "0" : text }
		/Entry point address:/ { entry = hex($4) }
		$1 == "LOAD" && hex($6) != "0" { print hex($4), hex($2), hex($5), hex($6) }
		END { print "entry " entry }' >"$1.readelf"
	if ! cmp -s "$1.v3" "$1.readelf"; then
		echo "$1: v3 and readelf differ"
		diff "$1.v3" "$1.readelf" || true
		exit 1
	fi
	[ "$(wc -l <"$1.v3")" -ge 2 ] || { echo "$1: no segment at all"; exit 1; }
	echo "$1: $(wc -l <"$1.v3") lines, equal"
}

# build NAME OPTION...
build()
{
	name=$1
	shift
	"$cc" -nostdlib -static -no-pie -fno-pie -fno-stack-protector -w -O1 a.c -o "$name" "$@"
	compare "$name"
}

build plain
build separate -Wl,-z,separate-code
build together -Wl,-z,noseparate-code
build writable -Wl,--omagic
build high -Wl,-Ttext=0x80000000
build aligned -Wl,-z,max-page-size=0x200000
build stripped -s
build debug -g

# Linked dynamically or position independent: refused.
"$cc" -nostdlib -shared -fPIC -w a.c -o shared.so
"$cc" -nostdlib -static-pie -fPIE -w a.c -o pie
for bad in shared.so pie; do
	if "$segments" "$bad" >out 2>&1; then
		echo "$bad was taken for a kernel"
		exit 1
	fi
	grep -q "$bad: it is a shared object or position independent" out || { cat out; exit 1; }
done
"$cc" -m32 -c -x c -ffreestanding -w a.c -o a32.o
if "$segments" a32.o >out 2>&1 || ! grep -q '32-bit ELF' out; then
	cat out
	exit 1
fi

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: check_install.sh CMAKE BUILD_DIR CONSUMER_SOURCE CC FLAGS
# Installs BUILD_DIR to a temporary prefix, moves that, and builds and runs a small consumer
# through find_package(v3) and through pkg-config.
set -eu
cmake=$1 build=$2 source=$3 cc=$4 flags=$5
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"$cmake" --install "$build" --prefix "$tmp/first" >"$tmp/install.log" || {
	cat "$tmp/install.log" >&2
	exit 1
}
mv "$tmp/first" "$tmp/prefix"

echo "== find_package(v3)"
"$cmake" -S "$source" -B "$tmp/consumer" -DCMAKE_PREFIX_PATH="$tmp/prefix" \
	-DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags" >"$tmp/configure.log" 2>&1 || {
	cat "$tmp/configure.log" >&2
	exit 1
}
"$cmake" --build "$tmp/consumer"
"$tmp/consumer/consumer"

echo "== pkg-config v3"
pc=$(find "$tmp/prefix" -name v3.pc)
if [ -z "$pc" ]; then
	echo "error: no v3.pc was installed" >&2
	exit 1
fi
PKG_CONFIG_PATH=${pc%/*}
export PKG_CONFIG_PATH
# shellcheck disable=SC2046,SC2086 # flags are lists
"$cc" $flags "$source/main.c" $(pkg-config --cflags --libs v3) -o "$tmp/by-pkg-config"
"$tmp/by-pkg-config"
pkg-config --modversion v3

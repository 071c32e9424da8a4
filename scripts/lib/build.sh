# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Building with the CMake presets and with Kbuild. Everything lands below build/. Sourced after
# common.sh, packages.sh and kernel.sh.

# v3_build PRESET [TARGET...]
v3_build()
{
	local preset=$1 target args=() generator=(-G Ninja) settings=()

	shift
	for target; do
		args+=(--target "$target")
	done
	# A tree that somebody configured with another generator keeps it.
	[ ! -e "$V3_BUILD/$preset/CMakeCache.txt" ] || generator=()
	# What runs in machines is built without unit tests and the packages that they need.
	[ "$preset" != release ] || settings=(-DV3_BUILD_TESTS=OFF)
	cd "$V3_ROOT" &&
		cmake ${generator[@]+"${generator[@]}"} --preset "$preset" -B "$V3_BUILD/$preset" \
			${settings[@]+"${settings[@]}"} &&
		cmake --build "$V3_BUILD/$preset" -j "$V3_JOBS" ${args[@]+"${args[@]}"}
}

# The API documentation; a warning of Doxygen is an error there.
v3_build_doc()
{
	cmake -S "$V3_ROOT" -B "$V3_BUILD/doc" -DV3_BUILD_DOC=ON -DV3_BUILD_TESTS=OFF \
		-DV3_BUILD_EXAMPLES=OFF -DV3_BUILD_CLI=OFF &&
		cmake --build "$V3_BUILD/doc" --target doc
}

# v3_build_module KVER [FOLDER] - v3.ko for that kernel, into build/module or another folder there.
v3_build_module()
{
	local kver=$1 kdir=/lib/modules/$1/build out=$V3_BUILD/${2:-module}

	[ -d "$kdir" ] || kdir=/usr/src/linux-headers-$kver
	[ -d "$kdir" ] || {
		echo "no kernel headers for $kver: the package linux-headers-$kver is needed"
		return 1
	}
	make -C "$V3_ROOT/hosts/linux/module" KDIR="$kdir" OUT="$out" -j "$V3_JOBS" &&
		[ -e "$out/v3.ko" ]
}

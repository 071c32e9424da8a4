# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What every script of this folder shares: where things are, how to complain, and how long
# things took. Sourced, never run.

V3_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
V3_CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/libv3
V3_BUILD=${V3_BUILD:-$V3_ROOT/build}
V3_SELF=${0##*/}
V3_JOBS=${V3_JOBS:-$(nproc)}

export V3_ROOT V3_CACHE V3_BUILD V3_JOBS

# Progress and complaints go to stderr: stdout belongs to what the person asked for.
v3_say() { printf '%s: %s\n' "$V3_SELF" "$*" >&2; }

# v3_die STATUS MESSAGE... - ends the script.
v3_die()
{
	local status=$1

	shift
	v3_say "$*"
	exit "$status"
}

v3_have() { command -v "$1" >/dev/null 2>&1; }

# Seconds since the epoch with milliseconds; v3_since START prints the difference as "1.234 s".
v3_now() { date +%s.%3N; }
v3_since() { awk -v a="$1" -v b="$(v3_now)" 'BEGIN { printf "%.1f s", b - a }'; }

# v3_quote ARG... - the arguments as one line that a POSIX shell reads back as the same words.
v3_quote()
{
	local arg out=

	for arg; do
		out+="'${arg//\'/\'\\\'\'}' "
	done
	printf '%s' "${out% }"
}

# v3_tmpdir VAR - a directory that is removed when the script ends. Call it once per script.
v3_tmpdir()
{
	local v3_dir

	v3_dir=$(mktemp -d "${TMPDIR:-/tmp}/libv3-$V3_SELF.XXXXXX")
	# shellcheck disable=SC2064 # the directory is meant to be expanded now
	trap "rm -rf '$v3_dir'" EXIT
	printf -v "$1" '%s' "$v3_dir"
}

# v3_built PATH... - the first of these that was built, or nothing.
v3_built()
{
	local path

	for path; do
		if [ -e "$V3_BUILD/$path" ]; then
			printf '%s/%s' "$V3_BUILD" "$path"
			return
		fi
	done
}

v3_built_cli() { v3_built release/hosts/linux/cli/v3; }

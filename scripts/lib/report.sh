# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Steps of scripts/test and scripts/demo: run, timed, logged, counted. Sourced after common.sh.

V3_PASSED=0
V3_FAILED=0
V3_LOGS=$V3_BUILD/log

v3_ok()
{
	printf 'ok %s\n' "$*"
	V3_PASSED=$((V3_PASSED + 1))
}

v3_not_ok()
{
	printf 'not ok %s\n' "$*"
	V3_FAILED=$((V3_FAILED + 1))
}

# v3_step NAME COMMAND... - one step that counts as one test. Its output goes to a log, the end of
# which is shown when it fails.
v3_step()
{
	local name=$1 log start

	shift
	mkdir -p "$V3_LOGS"
	log=$V3_LOGS/${name//[^A-Za-z0-9_.-]/-}.log
	start=$(v3_now)
	if "$@" >"$log" 2>&1 </dev/null; then
		v3_ok "$name ($(v3_since "$start"))"
	else
		v3_not_ok "$name ($(v3_since "$start"); $log)"
		tail -n 40 "$log" | sed 's/^/    /'
		return 1
	fi
}

# v3_count NAME PASSED FAILED - tests that another program ran and reported.
v3_count()
{
	V3_PASSED=$((V3_PASSED + $2))
	V3_FAILED=$((V3_FAILED + $3))
	printf '# %s: %d passed, %d failed\n' "$1" "$2" "$3"
}

# v3_summary - the closing line. Fails if a test did, or if there was none.
v3_summary()
{
	printf '%d passed, %d failed\n' "$V3_PASSED" "$V3_FAILED"
	[ "$V3_FAILED" = 0 ] && [ "$V3_PASSED" -gt 0 ]
}

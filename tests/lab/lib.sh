# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
#
# What the scripts of this folder share. Sourced inside the lab as /lab/lib.sh.

set -eu

fail()
{
	echo "FAILED: $*"
	exit 1
}

# The module, once.
module_load()
{
	[ -d /sys/module/v3 ] || insmod /lib/modules/v3.ko || fail "insmod v3.ko"
}

# status_of COMMAND... - runs it, output to ./out and to the log, and sets "status".
status_of()
{
	status=0
	"$@" >out 2>&1 </dev/null || status=$?
	echo "$ $* => $status"
	cat out
}

# expect STATUS COMMAND... - its output is in ./out afterwards.
expect()
{
	want=$1
	shift
	status_of "$@"
	[ "$status" = "$want" ] || fail "status $status instead of $want from: $*"
}

# said TEXT... - each text is somewhere in ./out.
said()
{
	for text; do
		grep -qF -- "$text" out || fail "the output lacks '$text'"
	done
}

# A bad input ends in one line that names the thing, not in a page of noise.
one_line() { [ "$(wc -l <out)" -eq 1 ] || fail "not one line of output but $(wc -l <out)"; }

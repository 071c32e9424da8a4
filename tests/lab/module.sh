# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# The module comes, tells what it can, and goes without a trace; before and after, v3 says what is missing.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

expect 1 v3 list
said '/dev/v3' insmod
one_line
expect 245 v3 run /lab/lwk.elf
said '/dev/v3'

for round in 1 2 3; do
	echo "round $round"
	module_load
	[ -c /dev/v3 ] || fail 'no /dev/v3'
	expect 0 v3 version
	said 'back end svm'
	expect 0 v3 doctor
	said 'Guests can run'
	expect 0 v3 list
	expect 0 rmmod v3
	[ ! -e /dev/v3 ] || fail '/dev/v3 outlived the module'
done

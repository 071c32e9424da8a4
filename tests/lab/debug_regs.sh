# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 60
# build: debug_host.c
# Breakpoints of guests work, and belong to them: two guests and a process of the host use the same
# addresses on one CPU, and each meets its own debug exceptions only.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

trap guests_end EXIT

# guest NAME ROUNDS
guest()
{
	status=0
	v3 run -n "$1" --pin 0 -m 64M --timeout 40 -a "run=debug n=$2" /lab/lwk.elf </dev/null \
		>"$1.log" 2>&1 || status=$?
	echo $status >"$1.status"
}

module_load
guest first 1
cat first.log
[ "$(cat first.status)" = 0 ] || fail "the guest ended with $(cat first.status)"
# shellcheck disable=SC2046 # two words
set -- $(sed -n 's/^debug: breakpoints at 0x\([0-9a-f]*\) and 0x\([0-9a-f]*\).*/\1 \2/p' first.log)
[ $# = 2 ] || fail 'the guest told no addresses'

guest one 400 &
guest two 400 &
for name in one two; do
	soon is $name running || fail "$name does not run beside the host: $(cat $name.log)"
done
expect 0 taskset 1 /lab/debug_host "$1" "$2" 3
said 'traps=0'
wait
for name in one two; do
	grep '^debug: rounds' $name.log
	[ "$(cat $name.status)" = 0 ] || fail "guest $name ended with $(cat $name.status)"
	grep -q 'execution=400 write=400 access=400 step=400 detect=400 wrong=0' $name.log ||
		fail "guest $name: $(cat $name.log)"
done

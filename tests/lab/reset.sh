# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 60
# v3 reset and v3 nmi, in each state of a guest, and what they refuse.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

trap guests_end EXIT

must_be() { is "$1" "$2" || fail "$1 is $(state "$1"), not $2"; }

module_load
before=$(cat /sys/module/v3/parameters/pages_in_use)

# Created, running, paused, stopped, ended by itself
expect 0 v3 create --name one -m 64M --pin 0,1 -a run=spin /lab/lwk.elf
expect 0 v3 reset one
must_be one created
expect 0 v3 start one
expect 0 v3 reset one
must_be one running
expect 0 v3 pause one
expect 0 v3 reset one
must_be one running
expect 0 v3 stop one
expect 0 v3 reset one
must_be one running
pages=$(cat /sys/module/v3/parameters/pages_in_use)
for _ in 1 2 3 4 5 6 7 8; do v3 reset one || fail 'one of many resets'; done
[ "$(cat /sys/module/v3/parameters/pages_in_use)" = "$pages" ] || fail 'resets keep pages'
expect 0 v3 destroy one

expect 0 v3 run --detach --name two -m 64M -a run=hello /lab/lwk.elf
soon is two stopped || fail "two is $(state two)"
expect 0 v3 reset two
soon is two stopped || fail "two is $(state two)"
expect 0 v3 list
said exit
# Its console has the output of both lives
expect 0 v3 console two
[ "$(grep -c '^lwk' out)" -ge 2 ] || fail "not two lives on the console"
expect 0 v3 destroy two

# A guest that has used the memory of the firmware's tables finds them again in its next life
expect 0 v3 run --detach --name four -m 64M -a run=firmware /lab/lwk.elf
soon is four stopped || fail "four is $(state four)"
expect 0 v3 reset four
soon is four stopped || fail "four is $(state four)"
expect 0 v3 console four
[ "$(grep -c 'ACPI found, MP table found' out)" = 2 ] || fail "not twice the tables: $(cat out)"
expect 0 v3 destroy four

# One of v3 run: that does it
v3 run --name three -m 64M -a run=spin /lab/lwk.elf </dev/null >log 2>&1 &
pid=$!
soon is three running || fail "three is $(state three): $(cat log)"
expect 0 v3 reset three
soon grep -q 'three: the guest was reset and runs again' log || fail "v3 run says: $(cat log)"
soon is three running || fail "three is $(state three): $(cat log)"
kill -TERM $pid
wait $pid || true
v3 run --no-reboot --name three -m 64M -a run=spin /lab/lwk.elf </dev/null >log 2>&1 &
pid=$!
soon is three running || fail "three is $(state three): $(cat log)"
expect 0 v3 reset three
status=0
wait $pid || status=$?
[ "$status" = 241 ] || fail "v3 run --no-reboot ended with $status"

# NMI: lwk takes any as an exception that it does not know
expect 1 v3 nmi nosuch
expect 0 v3 create --name four -m 64M -a run=spin /lab/lwk.elf
expect 1 v3 nmi four
said 'not started yet'
expect 1 v3 nmi --vcpu 1 four
one_line
expect 0 v3 start four
sleep 0.4
expect 0 v3 trace --on four
expect 0 v3 nmi --vcpu 0 four
sleep 0.4
expect 0 v3 trace four >/dev/null
said 'inject  nmi'
expect 0 v3 destroy four
expect 1 v3 reset four
one_line

after=$(cat /sys/module/v3/parameters/pages_in_use)
[ "$after" -le "$before" ] || [ "$before" = 0 ] || fail "pages: $before, then $after"

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# v3 list and v3 stats: what they tell is true.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

# number KEY - the value of the first "KEY": N in ./out.
number() { sed -n "s/^.*\"$1\": \([0-9]*\).*/\1/p" out | head -n 1; }

trap guests_end EXIT

module_load
expect 0 v3 list --json
[ "$(cat out)" = '[]' ] || fail 'no guest, but not an empty list'
expect 0 v3 create --name one -m 64M --pin 1 -a 'run=hello,cpuid,spin n=50' /lab/lwk.elf
expect 0 v3 list --json
said '"name": "one"' '"state": "created"' '"detached": true' '"memory": 67108864' '"vcpus": 1'
expect 0 v3 stats --json one
[ "$(number ram)" = 67108864 ] || fail "ram: $(number ram)"
[ $(($(number leaf_1g) + $(number leaf_2m) + $(number leaf_4k))) -ge 66000000 ] ||
	fail 'memory is not mapped at launch'
[ "$(number cpuid)" = 0 ] || fail 'exits before the start'
expect 0 v3 start one
measured() { expect 0 v3 stats --json one; [ "$(number hypercall)" -ge 50 ]; }
soon measured || fail "hypercall: $(number hypercall)"
[ "$(number cpuid)" -ge 50 ] || fail "cpuid: $(number cpuid)"
[ "$(number ram_faults)" = 0 ] || fail "nested faults on RAM: $(number ram_faults)"
[ "$(number cpu)" = 1 ] || fail "CPU: $(number cpu)"
[ "$(number table_pages)" -le 8 ] || fail "table pages: $(number table_pages)"
expect 0 v3 stats one
said 'one: running' 'vCPU 0:' 'host CPU               1' 'hypercall'
expect 0 v3 stop one
expect 0 v3 stats one
said 'one: stopped'
expect 0 v3 list
said stopped
expect 0 v3 destroy one
expect 1 v3 stats one
one_line

v3 run --name owned -m 64M -a run=spin /lab/lwk.elf </dev/null >log 2>&1 &
pid=$!
soon is owned running || fail "the guest does not run: $(cat log)"
expect 0 v3 list --json
said '"detached": false' "\"owner_pid\": $pid"
kill -TERM $pid
wait $pid || true

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 180
# lab: --smp 4 --multi
# Pause and resume, as fast as they go, while four vCPUs interrupt and wake each other: nothing is
# lost, no TSC goes back, and a paused guest does not run.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
v3 run --name storm -m 64M --vcpus 4 --timeout 150 -a 'run=smp,ipistorm n=400' /lab/lwk.elf \
	</dev/null >log 2>&1 &
owner=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
	grep -qs '^lwk: entry' log && break
	sleep 1
done

cycles=0
while v3 pause storm >out 2>&1; do
	if [ $((cycles % 16)) = 0 ]; then
		before=$(wc -c <log)
		run=$(v3 stats --json storm | tr ',' '\n' | grep run_ns)
		sleep 0.3
		[ "$(v3 stats --json storm | tr ',' '\n' | grep run_ns)" = "$run" ] ||
			fail 'a vCPU ran while paused'
		[ "$(wc -c <log)" -le $((before + 4096)) ] || fail 'it wrote while paused'
	fi
	v3 resume storm || fail "resume number $cycles"
	cycles=$((cycles + 1))
done
status=0
wait $owner || status=$?
cat log
echo "cycles: $cycles"
[ $status = 0 ] || fail "the guest ended with $status after $cycles cycles"
grep -q 'ipistorm: x2apic: 400 wake-ups' log || fail 'the guest did not come to its end'
[ $cycles -ge 20 ] || fail "only $cycles times paused and resumed"

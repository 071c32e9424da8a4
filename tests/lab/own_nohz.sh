# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 60
# lab: --smp 3 --append nohz_full=2 --append rcu_nocbs=2
# build: linux_vm.c
# A CPU that a VM owns where Linux was told at boot to leave it alone.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
[ "$(cat /sys/devices/system/cpu/nohz_full)" = 2 ] || fail 'this machine has no nohz_full CPU'
for policy in interval halt; do
	# which would be SCHED_FIFO elsewhere
	expect 0 linux_vm -d -o $policy -f -c 2 busy spin
	sleep 0.5
	loc=$(irqs LOC 2) res=$(irqs RES 2)
	sleep 3
	loc=$(($(irqs LOC 2) - loc)) res=$(($(irqs RES 2) - res))
	echo "$policy, 3 s: $loc timer interrupts, $res reschedule interrupts"
	[ $loc -le 40 ] || fail 'the tick goes on'
	[ $res -le 15 ] || fail 'Linux keeps asking for the CPU'
	# work that each CPU has to do for itself
	took sh -c 'echo 1 >/proc/sys/vm/stat_refresh'
	[ "$seconds" -le 7 ] || fail 'work for this CPU has to wait too long'
	expect 0 linux_vm destroy busy
done
expect 0 linux_vm -d -o never -c 2 idle halt
expect 0 linux_vm destroy idle

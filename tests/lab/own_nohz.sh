# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 60
# lab: --smp 3 --append nohz_full=2 --append rcu_nocbs=2 --qemu -device --qemu intel-iommu,intremap=on,eim=auto --qemu -cpu --qemu EPYC,+svm,+npt,+x2apic
# build: linux_vm.c
# A CPU that a VM owns where Linux was told at boot to leave it alone. QEMU 9 and later have an x2APIC
# for it, which Linux uses where interrupts are remapped.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
! grep -qw x2apic /proc/cpuinfo || dmesg | grep 'x2apic enabled' || fail 'Linux leaves the x2APIC alone'
[ "$(cat /sys/devices/system/cpu/nohz_full)" = 2 ] || fail 'this machine has no nohz_full CPU'
for policy in interval halt; do
	expect 0 linux_vm -d -o $policy -c 2 busy spin
	sleep 0.5
	loc=$(irqs LOC 2) res=$(irqs RES 2)
	sleep 3
	loc=$(($(irqs LOC 2) - loc)) res=$(($(irqs RES 2) - res))
	echo "$policy, 3 s: $loc timer interrupts, $res reschedule interrupts"
	[ $loc -le 40 ] || fail 'the tick goes on'
	[ $res -le 15 ] || fail 'Linux keeps asking for the CPU'
	expect 0 linux_vm destroy busy
done
expect 0 linux_vm -d -o never -c 2 idle halt
expect 0 linux_vm destroy idle

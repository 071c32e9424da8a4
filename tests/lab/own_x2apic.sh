# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 60
# lab: --smp 3 --qemu -device --qemu intel-iommu,intremap=on,eim=on --qemu -cpu --qemu EPYC,+svm,+npt,+x2apic
# build: linux_vm.c
# A CPU that a VM owns where Linux uses the x2APIC, which it does where interrupts are remapped. QEMU 9
# and later emulate it.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
dmesg | grep 'x2apic enabled' || fail 'Linux leaves the x2APIC alone'
expect 0 linux_vm -d -o interval -c 2 busy spin
sleep 2
loc=$(irqs LOC 2)
sleep 3
loc=$(($(irqs LOC 2) - loc))
echo "3 s: $loc timer interrupts"
# 750 by the tick
[ $loc -le 60 ] || fail 'the tick goes on'
took sh -c 'echo 1 >/proc/sys/vm/stat_refresh'
[ "$seconds" -le 7 ] || fail 'work for this CPU has to wait too long'
expect 0 linux_vm destroy busy
# the tick is Linux's again
loc=$(irqs LOC 2)
taskset 4 timeout 1 sh -c 'while :; do :; done' || true
loc=$(($(irqs LOC 2) - loc))
echo "1 s without a guest: $loc timer interrupts"
[ $loc -ge 100 ] || fail 'Linux has no tick there any more'

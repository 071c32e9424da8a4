# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: vmx
# timeout: 200
# lab: --cpu intel --smp 2 --with-linux --with-module kvm-intel
# build: vmx_peer.c
# VT-x has one owner at a time: v3 and KVM tell each other apart, CPUs are given back, and Linux's
# writes of CR4 leave CR4.VMXE alone.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh
trap guests_end EXIT

# owners - what v3 doctor says about the CPUs
owners() { v3 doctor | grep ' CPUs '; }

module_load
modprobe kvm-intel || fail 'modprobe kvm-intel'
expect 0 v3 doctor
said 'VT-x' 'EPT' 'guests can run on all 2'

# KVM first
vmx_peer kvm 1000 >kvm.log 2>&1 &
kvm=$!
soon grep -q 'reason 5' kvm.log || fail "KVM's guest does not run: $(cat kvm.log)"
expect 245 v3 run -m 16M -a run=hello /lab/lwk.elf
said 'KVM owns virtualization (CR4.VMXE is set)'
one_line
kill $kvm
wait $kvm || true
soon sh -c 'v3 doctor | grep -q "guests can run on all 2"' || fail "KVM does not let go: $(owners)"

# v3 first, on CPU 1. KVM wants all CPUs.
expect 0 v3 run --detach --name first -m 16M --pin 1 -a run=halt /lab/lwk.elf
soon is first running || fail "first is $(state first)"
expect 2 vmx_peer kvm
said 'KVM_CREATE_VM: Device or resource busy'
# Tasks with another CR4.TSD beside it, so that Linux writes CR4.
expect 0 vmx_peer tsc 1 500
said switched
is first running || fail "first is $(state first) after writes of CR4"
expect 0 v3 stop first
expect 0 v3 destroy first
expect 0 vmx_peer kvm
said 'reason 5'
expect 0 v3 run -m 16M -a run=hello /lab/lwk.elf

# A CPU that goes takes the guests on it along, and comes back without VMX.
expect 0 v3 run --detach --name second -m 16M --pin 1 -a run=halt /lab/lwk.elf
soon is second running || fail "second is $(state second)"
echo 0 >/sys/devices/system/cpu/cpu1/online || fail 'CPU 1 cannot go offline'
! is second running || fail 'second runs on a CPU that is not there'
expect 0 v3 destroy second
echo 1 >/sys/devices/system/cpu/cpu1/online || fail 'CPU 1 cannot come online'
expect 0 vmx_peer kvm
expect 0 v3 run -m 16M --pin 1 -a run=hello /lab/lwk.elf

expect 0 rmmod v3
expect 0 vmx_peer kvm
expect 0 rmmod kvm_intel

# Optional features can be left alone.
for off in vpid ept-1g,tpr-shadow vpid,invept-one,ept-2m,ple; do
	expect 0 insmod /lib/modules/v3.ko features_off=$off
	expect 0 v3 run -m 16M -a run=hello /lab/lwk.elf
	expect 0 rmmod v3
done
status_of insmod /lib/modules/v3.ko features_off=vpid,magic
[ "$status" != 0 ] || fail 'the module was loaded without a feature that there is not'
dmesg | tail -n 3 | grep magic || fail 'no word about the wrong name'

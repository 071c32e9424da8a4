# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 90
# lab: --with-module kvm-amd
# build: linux_vm.c
# KVM's module comes and goes before, beside and after our VMs: the kernel has one place for a function
# that turns AMD-V off in a crash, and complains when two want it.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
expect 0 linux_vm -d stays spin
# whether it can be loaded now depends on the kernel: from 6.12 on KVM takes AMD-V at once
modprobe kvm-amd || echo 'kvm-amd refused'
modprobe -r kvm-amd || true
modprobe kvm-amd || echo 'kvm-amd refused'
expect 0 linux_vm state stays
said 'state 1'
expect 0 linux_vm destroy stays
modprobe -r kvm-amd || true

modprobe kvm-amd
status_of linux_vm one exit
case $status in
42) ;;
2) said KVM ;;	# it has AMD-V as long as it is loaded
*) fail "status $status beside KVM's module" ;;
esac
expect 0 modprobe -r kvm-amd
expect 42 linux_vm one exit
expect 0 rmmod v3

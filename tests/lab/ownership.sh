# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 400
# lab: --with-kvm
# KVM and v3 never fight over AMD-V: who comes second is told so, and who came first goes on.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

# Now and then a guest of KVM's does not come up on QEMU's AMD-V: it gets 40 s, and further attempts.
kvm_guest()
{
	timeout 40 qemu-system-x86_64 -enable-kvm -cpu host -M q35 -m 64 -nodefaults -display none -vga none \
		-net none -no-reboot -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 \
		-kernel /lab/lwk.elf -append "run=$1" </dev/null
}

modprobe kvm-amd || fail 'modprobe kvm-amd'
module_load

# Until it has begun; each has 40 s.
for _ in 1 2 3; do
	kvm_guest halt >kvm.log 2>&1 &
	kvm=$!
	while kill -0 $kvm 2>/dev/null && ! grep -q 'lwk: entry' kvm.log; do
		sleep 0.1
	done
	grep -q 'lwk: entry' kvm.log && break
done
grep -q 'lwk: entry' kvm.log || fail "KVM's guest does not run: $(cat kvm.log)"
expect 245 v3 run -m 64M -a run=hello /lab/lwk.elf
said KVM
one_line
kill -0 "$kvm" || fail "KVM's guest died of it"
status_of v3 doctor
# $kvm is the shell around it
kill -9 "$(pidof qemu-system-x86_64)"
wait "$kvm" || true
sleep 1

expect 0 v3 run --detach --name first -m 64M -a run=halt /lab/lwk.elf
soon is first running || fail "first is $(state first)"
status_of kvm_guest hello
! grep -q 'lwk: entry' out || fail 'KVM ran a guest on a machine that v3 has'
v3 list
expect 0 v3 stop first
expect 0 v3 destroy first
for _ in 1 2 3; do
	status_of kvm_guest hello
	[ "$status" = 124 ] || break
done
[ "$status" = 1 ] || fail "KVM's guest ended with $status"
said 'Hello from a lightweight kernel'
expect 0 v3 run -m 64M -a run=hello /lab/lwk.elf

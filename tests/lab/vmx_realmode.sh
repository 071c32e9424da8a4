# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: vmx
# timeout: 240
# lab: --cpu intel --smp 2 --with-linux
# build: real_image.c
# Intel's CPUs without unrestricted guest: real mode in software, processors that start in it, those
# of Linux too, code without paging; the same real-mode code where the CPU has the control.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

trap guests_end EXIT

real_image real || fail real_image
module_load
expect 0 v3 run -m 64M --timeout 60 real
said 'real mode: ok'
expect 0 rmmod v3

expect 0 insmod /lib/modules/v3.ko features_off=unrestricted-guest
expect 0 v3 run -m 64M --timeout 60 real
said 'real mode: ok'
expect 0 v3 run -m 64M --vcpus 2 --timeout 60 -a 'run=smp,ipi n=10' /lab/lwk.elf
said 'lwk: 2 CPUs, started in' 'smp: 2 CPUs added up 20, 20 expected'
# By 32-bit code of its own.
expect 0 v3 run -m 64M --timeout 60 --entry multiboot -a 'run=hello' /lab/lwk.elf
said 'Hello from a lightweight kernel.'

# A guest that never leaves real mode can be looked at, paused and stopped.
expect 0 v3 run --detach --name spin -m 64M -a spin real
sleep 0.2
expect 0 v3 inspect spin
said 'spin: running' 'vCPU 0: 16-bit, CPL 0' 'paging is off' 'emulate'
expect 0 v3 pause spin
expect 0 v3 resume spin
expect 0 v3 stop spin
soon is spin stopped || fail 'spin does not stop'
expect 0 v3 destroy spin

# What is not emulated ends it, with the instruction.
expect 240 v3 run -m 64M -a x real
said 'no emulation for instruction db e3 at RIP 0x'

# The second processor of Debian's kernel; see vmx_linux.sh for what else is off.
expect 0 rmmod v3
expect 0 insmod /lib/modules/v3.ko features_off=unrestricted-guest,virtual-interrupts
base='console=ttyS0 quiet mitigations=off nokaslr panic=-1 cryptomgr.notests'
base="$base initcall_blacklist=load_system_certificate_list,trace_eval_init"
expect 0 v3 run -m 256M --vcpus 2 --initrd /lab/guest.cpio --timeout 200 \
	-a "$base -- grep -c ^processor /proc/cpuinfo" /lab/vmlinuz
said 'the command ended with 0' 'powered off'
tr -d "\r" <out | grep -qx 2 || fail 'the guest has not 2 CPUs'

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: vmx
# timeout: 120
# lab: --cpu intel --smp 2 --with-linux
# Intel's VT-x under Linux: what there is of it, guests on either CPU and on both, and how they end.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
expect 0 v3 version
said 'back end vmx'
expect 0 v3 doctor
said 'VT-x' 'EPT' 'unrestricted guest' 'guests can run on all 2 that are online' 'page sizes' 'Guests can run'

for cpu in 0 1; do
	expect 0 v3 run -m 64M --pin $cpu -a 'run=hello,cpuid,tick n=10' /lab/lwk.elf
	said 'Hello from a lightweight kernel.' 'bench: name=cpuid min=' 'tick: counted 10' \
		'exited with code 0'
done
expect 0 v3 run -m 64M --vcpus 2 --timeout 60 -a 'run=smp,ipi n=10' /lab/lwk.elf
said 'lwk: 2 CPUs, started in' 'smp: 2 CPUs added up 20, 20 expected'
for name in ipi_roundtrip hlt_wake timer_fire; do
	said "bench: name=$name min="
done
expect 42 v3 run -m 64M -a 'run=exit code=42' /lab/lwk.elf
expect 112 v3 run -m 64M -a 'run=ud addr=0x200000000' /lab/lwk.elf
said 'unexpected page fault (vector 14, error 0x0) at rip 0x200000000'
# Accessed and dirty flags: of pages of 2 MiB, of what was written to, walked through and left alone
for run in touch triple; do
	expect 0 v3 run --detach --name flags -m 64M --pin 0 -a run=$run,triple /lab/lwk.elf
	soon is flags stopped || fail 'the guest did not stop'
	expect 0 v3 inspect flags
	said 'rwx, accessed, dirty, host-physical'
	expect 0 v3 inspect --address 0x3000000 flags
	if [ $run = touch ]; then
		said 'leaf of 2 MiB, rwx, accessed, dirty'
	else
		said 'leaf of 2 MiB, rwx, not accessed'
	fi
	expect 0 v3 destroy flags
done
expect 0 rmmod v3
expect 0 insmod /lib/modules/v3.ko features_off=ept-ad,ept-2m
expect 0 v3 run --detach --name flags -m 64M -a run=touch,triple /lab/lwk.elf
soon is flags stopped || fail 'the guest did not stop'
expect 0 v3 inspect --address 0x3000000 flags
said 'leaf of 4 KiB, rwx, host-physical'
expect 0 v3 doctor
expect 0 v3 destroy flags
expect 0 rmmod v3

# It comes back after it has gone, and KVM can have VT-x in between.
module_load
expect 0 v3 run -m 64M -a run=hello /lab/lwk.elf

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: vmx
# timeout: 120
# lab: --cpu intel --smp 2 --with-linux
# Guests whose TSC has another frequency than the host's; what they read by it, and refusals.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
expect 0 v3 doctor
said 'TSC scaling'

# tsc KHZ VCPUS - the guest finds that frequency by CPUID, the PIT and the APIC timer.
tsc()
{
	expect 0 v3 run -m 64M --vcpus "$2" --tsc-khz "$1" -a 'run=clock,smp,rearm n=10' /lab/lwk.elf
	said "clock: tsc_khz=$1 " 'surprises=0' 'added up' 'rearm: timer of 4000 us fired after'
}
expect 0 v3 run -m 64M -a run=clock /lab/lwk.elf
said 'surprises=0'
khz=$(sed -n 's/^clock: tsc_khz=\([0-9]*\) .*/\1/p' out)
[ "$khz" -gt 1000 ] || fail "the host's TSC runs at '$khz' kHz"
tsc "$khz" 1
tsc $((khz * 3 / 2 + 7)) 2
tsc $((khz / 3)) 1

# By a description, too.
printf 'kernel: /lab/lwk.elf\ncmdline: run=clock\nmemory: 64MiB\ntsc_khz: 1234567\n' >tsc.yaml
expect 0 v3 run tsc.yaml
said 'clock: tsc_khz=1234567 ' 'surprises=0'

expect 246 v3 run -m 64M --tsc-khz 999 /lab/lwk.elf
said 'kHz: 999 is not in 1000 to 10000000'
expect 0 rmmod v3
expect 0 insmod /lib/modules/v3.ko features_off=tsc-scaling
expect 245 v3 run -m 64M --tsc-khz 1234567 /lab/lwk.elf
said 'this CPU has no TSC scaling, or it is switched off'
expect 0 v3 run -m 64M --tsc-khz "$khz" -a run=clock /lab/lwk.elf
said "clock: tsc_khz=$khz "
expect 0 rmmod v3

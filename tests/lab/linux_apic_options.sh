# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 900
# lab: --with-linux --mem 3G
# Debian's own kernel told to do without an interrupt controller: it finds its way with the others.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
# boot OPTION VCPUS CPUS - the kernel with that option; it has to count time, to print by interrupts, and
# to use as many CPUs as it can then.
boot()
{
	expect 0 v3 run -m 512M --vcpus "$2" --initrd /lab/guest.cpio --timeout 200 \
		-a "console=ttyS0 quiet mitigations=off nokaslr panic=-1 $1 -- sleep 1; cat /proc/interrupts; sleep 1; echo slept on \$(nproc)." /lab/vmlinuz
	said "slept on $3." 'the command ended with 0' 'powered off'
}
for vcpus in 1 2; do
	# A kernel that knows its TSC has no use for the 8254 beside the local APIC's timer.
	boot noapic $vcpus $vcpus
	grep -q '^ *4:.*XT-PIC.*ttyS0' out || fail 'the serial port is not at the 8259 pair'
	boot nolapic $vcpus 1
	grep -q '^ *0:.*XT-PIC.*timer' out || fail 'the timer is not at the 8259 pair'
	! grep -q '^ *LOC: *[1-9]' out || fail 'the local APIC timer runs'
done
boot nox2apic 2 2
grep -q '^ *4:.*IO-APIC.*ttyS0' out || fail 'the serial port is not at the I/O APIC'
grep -q '^ *LOC: *[1-9]' out || fail 'the local APIC timer does not run'

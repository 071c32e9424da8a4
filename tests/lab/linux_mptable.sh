# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 240
# lab: --with-linux --mem 3G --smp 2
# Debian's own kernel without ACPI: CPUs, I/O APIC and its interrupts come from the MP table.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
base='console=ttyS0 acpi=off mitigations=off nokaslr panic=-1'
# Without ACPI there is no power-off, but a reset; the pause is for the console's last lines. A guest
# that knows a hypervisor knows its TSC, too, and does without the 8254.
expect 241 v3 run -m 512M --vcpus 2 --cpu host,-hypervisor --no-reboot --initrd /lab/guest.cpio --timeout 200 \
	-a "$base -- echo cpus: \$(grep -c ^processor /proc/cpuinfo).; sleep 1; cat /proc/interrupts; sleep 1; reboot -f" /lab/vmlinuz
said 'Intel MultiProcessor Specification v1.4' 'MPTABLE: OEM ID: LIBV3' 'Processors: 2' 'cpus: 2.' \
	'reset itself'
grep -q '^ *0:.*IO-APIC  *2-edge' out || fail 'the timer is not at pin 2'
grep -q '^ *4:.*IO-APIC  *4-edge' out || fail 'the serial port is not at pin 4'

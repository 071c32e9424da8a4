# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 240
# lab: --with-linux --smp 4 --mem 1G --icount
# Debian's own kernel with four vCPUs. Time is counted in instructions here, so that its measurements of
# its clocks against each other are those of a real machine, however slow the emulator is.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
clocks=/sys/devices/system/clocksource/clocksource0
expect 0 v3 run -m 256M --vcpus 4 --initrd /lab/guest.cpio --timeout 220 \
	-a "console=ttyS0 quiet mitigations=off nokaslr panic=-1 -- nproc; sleep 3; cat /proc/interrupts; cat $clocks/current_clocksource; dmesg | grep -E '[t]sc|[s]tall|[l]ockup|[C]all Trace'; echo last line" /lab/vmlinuz
tr -d "\r" <out >text
grep -qx 4 text || fail 'there are not four CPUs'
said 'last line' 'the command ended with 0' 'powered off'
grep -qE 'tsc: Detected (999.99|1000.00)[0-9] MHz' out || fail 'the frequency of the TSC'
grep -qx tsc text || fail 'the clock is not the TSC'
! grep -qiE 'unstable|stall|lockup|Call Trace' out || fail 'the kernel complained'
# Counts of each vCPU. The 8254 is not needed where the TSC is known.
grep -qE '^ *4: .* IO-APIC +4-edge +ttyS0' out || fail 'the serial port'
for line in LOC RES CAL; do
	grep -qE "^ *$line:( +[1-9][0-9]*){4} " out || fail "$line: not on every vCPU"
done
grep -qE '^ *ERR: +0' out || fail 'APIC errors'

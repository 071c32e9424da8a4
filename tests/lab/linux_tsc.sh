# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 240
# lab: --with-linux --smp 4 --mem 1G
# Debian's own kernel with four vCPUs where an exit takes long, so that no clock could be measured
# by another one: it knows its TSC from the paravirtual clock, and keeps it.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
clocks=/sys/devices/system/clocksource/clocksource0
expect 0 v3 run -m 256M --vcpus 4 --initrd /lab/guest.cpio --timeout 220 \
	-a "console=ttyS0 quiet mitigations=off nokaslr panic=-1 -- sleep 5; nproc; cat $clocks/current_clocksource; date +%Y; dmesg | grep -iE '[t]sc|[c]locksource|[f]irmware [b]ug'; echo last line" /lab/vmlinuz
tr -d "\r" <out >text
grep -qx 4 text || fail 'there are not four CPUs'
said 'last line' 'Switched to clocksource tsc' 'powered off'
grep -qx tsc text || fail 'the clock is not the TSC'
grep -qx "$(date +%Y)" text || fail 'the time of day'
! grep -qiE 'unstable|firmware bug|calibration failed' out ||
	fail 'the kernel does not trust its TSC'

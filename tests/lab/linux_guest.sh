# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 480
# lab: --with-linux --mem 3G
# Debian's own kernel as a guest: a command in a shell, power-off, reboot.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
clock=/sys/devices/system/clocksource/clocksource0/current_clocksource
base='console=ttyS0 quiet mitigations=off nokaslr panic=-1'
expect 0 v3 run -m 512M --initrd /lab/guest.cpio --timeout 220 -a "$base -- uname -sr; grep -c ^processor /proc/cpuinfo; echo sum \$((40 + 2)); cat /proc/interrupts; seq 1 400; cat $clock; dmesg | grep -iE '[t]sc|[f]irmware [b]ug'; echo last line" /lab/vmlinuz
said 'Linux 6.' 'sum 42' 'last line' 'the command ended with 0' 'powered off'
# An exit takes long here, so no clock can be measured by another one: the paravirtual clock tells.
tr -d "\r" <out | grep -qx tsc || fail 'the clock is not the TSC'
! grep -qiE 'unstable|firmware bug' out || fail 'the kernel does not trust its TSC'

# by the 32-bit entry
expect 241 v3 run -m 512M --no-reboot --entry 32 --initrd /lab/guest.cpio --timeout 220 -a "$base -- reboot -f" /lab/vmlinuz
said 'reset itself'

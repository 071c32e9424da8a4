# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 420
# lab: --with-linux --with-flavor cloud --with-flavor rt --smp 4 --mem 2G
# The other flavors of Debian's kernel as guests: for clouds, and for real time.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
# boot FLAVOR COMMAND
boot()
{
	expect 0 v3 run -m 512M --vcpus 2 --initrd /lab/guest.cpio --timeout 200 \
		-a "console=ttyS0 quiet mitigations=off panic=-1 -- uname -rv; nproc; $2; sleep 1; cat /proc/interrupts; seq 1 200; echo last line" \
		"/lab/vmlinuz-$1"
	said "$1-amd64" 'last line' 'the command ended with 0' 'powered off'
	tr -d '\r' <out | grep -qx 2 || fail 'there are not two CPUs'
	grep -qE '^ *LOC:( +[1-9][0-9]*){2} ' out || fail 'a local APIC timer does not run'
	! grep -qE 'Call Trace|stall|lockup' out || fail 'the kernel complained'
}
boot cloud true
boot rt "echo realtime \$(cat /sys/kernel/realtime)"
said 'realtime 1' PREEMPT_RT

# Two CPUs go down for a reboot, too.
expect 241 v3 run -m 512M --vcpus 2 --no-reboot --initrd /lab/guest.cpio --timeout 100 \
	-a 'console=ttyS0 quiet mitigations=off panic=-1 -- reboot -f' /lab/vmlinuz-cloud
said 'reset itself'

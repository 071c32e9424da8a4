# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: linux
# timeout: 400
# lab: --with-linux --smp 2 --mem 1G --qemu -action --qemu reboot=reset --qemu -object --qemu memory-backend-ram,id=m0,size=512M --qemu -object --qemu memory-backend-ram,id=m1,size=512M --qemu -numa --qemu node,memdev=m0,cpus=0 --qemu -numa --qemu node,memdev=m1,cpus=1
# build: host_reboot.c
# The host goes down, each time another way, while memory is held in ranges and in memory blocks that
# are offline, used by guests, and being taken, and while a guest owns a CPU. It never hangs, and who
# comes next finds all memory and all CPUs. This script runs once for each life of the machine.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

# What outlives a reset: bytes of CMOS that nobody else uses
life() { host_reboot cmos 0x50 "$@"; }
total() { awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo; }

# remember MIB - and recall
remember() { host_reboot cmos 0x51 $(($1 / 256)); host_reboot cmos 0x52 $(($1 % 256)); }
recall() { echo $(($(host_reboot cmos 0x51) * 256 + $(host_reboot cmos 0x52))); }

# busy - takes all kinds of memory, and a CPU.
busy()
{
	module_load
	expect 0 v3 mem take 64MiB --node 0
	expect 0 v3 mem take 128MiB --node 1 --offline
	printf 'kernel: /lab/lwk.elf\ncmdline: run=spin\nmemory: 32MiB\ncpus: [1]\n' >owner.yaml
	printf 'kernel: /lab/lwk.elf\ncmdline: run=spin\nmemory: [{size: 32MiB, node: 0}]\n' >held.yaml
	printf 'kernel: /lab/lwk.elf\ncmdline: run=spin\nmemory: [{size: 64MiB, node: 1}]\n' >offline.yaml
	printf 'kernel: /lab/lwk.elf\ncmdline: run=spin\nmemory: [{size: 64MiB, node: 0}]\n' >more.yaml
	for guest in owner held offline more; do
		v3 run $guest.yaml >log.$guest 2>&1 </dev/null &
		soon is $guest running || fail "$guest: $(cat log.$guest)"
	done
	v3 mem list
	v3 mem take 200MiB >log.take 2>&1 &
	sleep "$1"
}

at=$(life)
echo "life $at, $(total) MiB, CPUs $(cat /sys/devices/system/cpu/online)"
[ "$(cat /sys/devices/system/cpu/online)" = 0-1 ] || fail 'a CPU is missing'
if [ "$at" -gt 0 ]; then
	[ "$(total)" = "$(recall)" ] || fail "$(total) MiB, and not $(recall)"
	! grep -l offline /sys/devices/system/memory/memory*/state || fail 'memory is offline'
fi
case $at in
0)
	remember "$(total)"
	busy 1
	life 1
	reboot -f
	;;
1)
	busy 0.05
	life 2
	reboot -f
	;;
2)
	busy 1
	life 3
	echo b >/proc/sysrq-trigger
	;;
3)
	busy 1
	life 4
	# "A", 65, if the kernel that follows finds all of it
	host_reboot kexec /lab/vmlinuz /lab/guest.cpio "console=ttyS0 quiet nokaslr mitigations=off panic=-1 -- \
head -n1 /proc/meminfo; [ \$(nproc) = 2 ] && awk '/^MemTotal/{exit \$2<$(($(total) * 1024 - 16384))}' \
/proc/meminfo && printf P|dd of=/dev/port bs=1 seek=112 && printf A|dd of=/dev/port bs=1 seek=113; reboot -f"
	;;
65) exit 0 ;;
*) fail 'the other kernel did not find all memory and CPUs' ;;
esac
sleep 60
fail "the host is still there after $at"

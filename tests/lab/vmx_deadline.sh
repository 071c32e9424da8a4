# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: named
# timeout: 60
# lab: --cpu intel --model sandy_bridge_2600k --smp 2
# A CPU that a VM owns where Linux uses the local APIC's TSC deadline: it does so on this of Bochs's
# models only.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh
trap guests_end EXIT

# alone OPTION - a guest on CPU 1, and what disturbs it there in a second.
alone()
{
	expect 0 v3 run --detach --name own -m 16M --cpus 1 -a "run=spin $1" /lab/lwk.elf
	soon is own running || fail 'the guest does not run'
	sleep 0.5
	loc=$(irqs LOC 1)
	expect 0 v3 noise --json --seconds 1 own
	interrupts=$(($(irqs LOC 1) - loc)) timer=$(noise_count timer out)
	guest=$(noise_count guest_timer out)
	echo "interrupts of CPU 1's timer: $interrupts; $timer were Linux's, $guest the guest's"
	[ "$timer" -le 2 ] || fail "Linux's timer: $(cat out)"
	expect 0 v3 destroy own
}

dmesg | grep 'TSC deadline timer available' || fail 'Linux does not use TSC deadlines'
cpus_now >cpus.before
expect 0 insmod /lib/modules/v3.ko features_off=preemption-timer
alone ''
[ "$interrupts" -le 3 ] || fail 'the timer of CPU 1 went on'
alone hz=50
[ "$guest" -ge 35 ] || fail "the guest's timer is lost: $(cat out)"
expect 0 rmmod v3
loc=$(irqs LOC 1)
sleep 0.5
[ $(($(irqs LOC 1) - loc)) -ge 2 ] || fail 'CPU 1 has no timer any more'
cpus_back cpus.before 'after guests that owned CPU 1'

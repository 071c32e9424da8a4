# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: vmx
# timeout: 60
# lab: --cpu intel --model sandy_bridge_2600k --smp 2
# A CPU that a VM owns where Linux uses the local APIC's TSC deadline: it does so on this of Bochs's
# models only. It is without 1 GiB leaves and APIC-register virtualization, too.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh
trap guests_end EXIT

dmesg | grep 'TSC deadline timer available' || fail 'Linux does not use TSC deadlines'
cpus_now >cpus.before
for off in tpr-shadow preemption-timer; do
	expect 0 insmod /lib/modules/v3.ko features_off=$off
	expect 0 v3 run -m 64M --cpus 1 --timeout 60 -a 'run=hello,tick n=10' /lab/lwk.elf
	said 'Hello from a lightweight kernel.' 'tick: counted 10' 'exited with code 0'
	expect 0 v3 run --detach --name own -m 64M --cpus 1 -a 'run=spin hz=50' /lab/lwk.elf
	soon is own running || fail 'the guest does not run'
	sleep 1
	loc=$(irqs LOC 1)
	expect 0 v3 noise --json --seconds 1 own
	loc=$(($(irqs LOC 1) - loc)) timer=$(noise_count timer out)
	guest=$(noise_count guest_timer out)
	echo "interrupts of CPU 1's timer: $loc; $timer were Linux's, $guest the guest's"
	[ "$timer" -le 2 ] || fail "Linux's timer: $(cat out)"
	case $off in
	preemption-timer) [ "$guest" -ge 35 ] || fail "the guest's timer is lost: $(cat out)" ;;
	*) [ "$loc" -le 3 ] || fail 'the timer of CPU 1 goes on' ;;
	esac
	expect 0 v3 destroy own
	expect 0 rmmod v3
	loc=$(irqs LOC 1)
	sleep 0.5
	[ $(($(irqs LOC 1) - loc)) -ge 2 ] || fail 'CPU 1 has no timer any more'
	cpus_back cpus.before 'after a guest that owned CPU 1'
done

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: vmx
# timeout: 120
# lab: --cpu intel --smp 2 --with-linux
# CPUs that VMs own on Intel's VT-x: a guest that has CPU 1 for itself, with and without what the CPU
# can do of timers and real mode, what disturbs it, and that Linux has the CPU back as it was.
# vmx_deadline.sh has the other way that Linux uses the CPU's timer.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh
trap guests_end EXIT

# alone OPTION... - a guest with a timer of 50 Hz on CPU 1, and what disturbs it in a second.
alone()
{
	expect 0 v3 run --detach --name own -m 16M --cpus 1 "$@" -a 'run=spin hz=50' /lab/lwk.elf
	soon is own running || fail 'the guest does not run'
	# what is left of its start
	sleep 0.5
	loc=$(irqs LOC 1)
	expect 0 v3 noise --json --seconds 1 own
	interrupts=$(($(irqs LOC 1) - loc))
	timer=$(noise_count timer out) guest=$(noise_count guest_timer out)
	expired=$(($(noise_exits intr out) + $(noise_exits none out)))
	echo "interrupts of CPU 1's timer: $interrupts; $timer were Linux's, $guest the guest's; $expired exits"
	[ "$timer" -le 2 ] || fail "Linux's timer: $(cat out)"
	for cause in reschedule call tlb irq_work device nmi other; do
		[ "$(noise_count $cause out)" -le 3 ] || fail "$cause: $(cat out)"
	done
	[ "$expired" -ge 35 ] || fail "the guest's timer does not end its runs: $(cat out)"
	expect 0 v3 destroy own
	expect 0 rmmod v3
	loc=$(irqs LOC 1)
	sleep 0.5
	[ $(($(irqs LOC 1) - loc)) -ge 2 ] || fail 'CPU 1 has no timer any more'
}

cpus_now >cpus.before
module_load
expect 0 v3 run -m 16M --cpus 1 --timeout 60 -a 'run=hello,cpuid,tick n=10' /lab/lwk.elf
said 'Hello from a lightweight kernel.' 'bench: name=cpuid min=' 'tick: counted 10' \
	'exited with code 0'
expect 245 v3 run -m 16M --cpus 0 -a run=hello /lab/lwk.elf
said 'CPU 0 stays with the host'
# The VMX preemption timer has the guest's: no interrupt at all.
alone
[ "$interrupts" -le 3 ] || fail 'the timer of CPU 1 went on'

# Real mode in software, from where the guest comes; the CPU's timer has the guest's.
expect 0 insmod /lib/modules/v3.ko features_off=unrestricted-guest,preemption-timer
expect 0 v3 run -m 16M --cpus 1 --timeout 60 --entry multiboot -a run=hello /lab/lwk.elf
said 'Hello from a lightweight kernel.'
alone --entry multiboot
[ "$guest" -ge 35 ] || fail "the guest's timer is not known as such"
cpus_back cpus.before 'after guests that owned CPU 1'

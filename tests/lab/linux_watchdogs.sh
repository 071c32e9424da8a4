# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# lab: --smp 2 --append nohz_full=1 --append rcu_nocbs=1
# build: linux_vm.c
# A guest that never leaves its CPU, or a large one, does not hold up the rest of the host: RCU, the
# soft-lockup watchdog and other threads get their turn, with and without the host's tick.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

complaints() { dmesg | grep -cE 'soft lockup|rcu: INFO|blocked for more' || true; }

module_load
echo 0 >/sys/module/rcupdate/parameters/rcu_cpu_stall_suppress
echo 3 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
echo 1 >/proc/sys/kernel/watchdog_thresh
echo 0-1 >/proc/sys/kernel/watchdog_cpumask
echo 1 >/proc/sys/kernel/watchdog
[ "$(cat /proc/sys/kernel/soft_watchdog)" = 1 ] || fail 'there is no soft-lockup watchdog'

# Finding, zeroing and freeing much memory takes seconds here, and does not take them at once
expect 42 linux_vm -m 1024 large exit
[ "$(complaints)" = 0 ] || fail "$(dmesg | tail -n 30)"

# CPU 0 has its tick, CPU 1 has none while one thread runs there alone
for cpu in 0 1; do
	for guest in spin exits; do
		expect 0 linux_vm -d -c $cpu busy $guest
		# a stall is told of after 3 seconds
		sleep 4
		[ "$(complaints)" = 0 ] || fail "$(dmesg | tail -n 30)"
		# a program that shares the CPU gets somewhere
		start=$(cut -d. -f1 /proc/uptime)
		taskset $((1 << cpu)) awk 'BEGIN { for (i = 0; i < 100000; i++) n += i }'
		took=$(($(cut -d. -f1 /proc/uptime) - start))
		echo "CPU $cpu, $guest: 100000 rounds beside it in $took s"
		[ $took -le 8 ] || fail 'it got too little of the CPU'
		expect 0 linux_vm destroy busy
	done
done
[ "$(complaints)" = 0 ] || fail "$(dmesg | tail -n 30)"

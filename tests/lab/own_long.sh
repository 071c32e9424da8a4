# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 400
# suite: long
# lab: --smp 3 --append nohz_full=1 --append rcu_nocbs=1
# build: linux_vm.c
# A guest that never leaves its own CPU, for longer than Linux's watchdogs allow: none of them
# notices, with the shortest times that they can be given, and what Linux has to do everywhere gets done. CPU 1 is one
# that Linux was told to leave alone, CPU 2 is not.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

complaints() { dmesg | grep -cE 'soft lockup|rcu: INFO|blocked for more|workqueue lockup' || true; }

module_load
echo 0 >/sys/module/rcupdate/parameters/rcu_cpu_stall_suppress
echo 3 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
echo 2 >/proc/sys/kernel/watchdog_thresh
echo 0-2 >/proc/sys/kernel/watchdog_cpumask
echo 1 >/proc/sys/kernel/watchdog
[ "$(cat /proc/sys/kernel/soft_watchdog)" = 1 ] || fail 'there is no soft-lockup watchdog'
wq=/sys/module/workqueue/parameters/watchdog_thresh
[ ! -w $wq ] || echo 15 >$wq
rt=$(cat /proc/sys/kernel/sched_rt_runtime_us)
trap 'echo "$rt" >/proc/sys/kernel/sched_rt_runtime_us; guests_end' EXIT

# spins CPU SECONDS OPTION...
spins()
{
	cpu=$1 seconds=$2
	shift 2
	expect 0 linux_vm -d -c "$cpu" "$@" busy spin
	sleep 1
	# each CPU does this for itself
	start=$(cut -d. -f1 /proc/uptime)
	echo 1 >/proc/sys/vm/stat_refresh
	waited=$(($(cut -d. -f1 /proc/uptime) - start))
	sleep $((seconds - 1))
	echo "CPU $cpu, $*: work for it waited $waited s"
	[ $waited -le 14 ] || fail 'work for this CPU has to wait too long'
	# two grace periods
	echo 0 >/sys/devices/system/cpu/cpu$((3 - cpu))/online
	echo 1 >/sys/devices/system/cpu/cpu$((3 - cpu))/online
	is busy running || fail 'it does not run any more'
	[ "$(complaints)" = 0 ] || fail "$(dmesg | tail -n 30)"
	expect 0 linux_vm destroy busy
	[ "$(complaints)" = 0 ] || fail "$(dmesg | tail -n 30)"
}

for cpu in 1 2; do
	spins "$cpu" 10 -o never
	spins "$cpu" 6 -o default
done
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
for cpu in 1 2; do
	spins "$cpu" 8 -f -o never
	spins "$cpu" 6 -f -o default
done
expect 0 linux_vm -d -f -o never -c 2 busy spin
echo 0 >/sys/devices/system/cpu/cpu2/online
status_of linux_vm state busy
said 'host CPU 2 went offline'
expect 0 linux_vm destroy busy
echo 1 >/sys/devices/system/cpu/cpu2/online

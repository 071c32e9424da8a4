# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 90
# build: linux_vm.c
# Suspend: refused while there are VMs; without any it works, CPUs go and come, and VMs run again.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

suspend()
{
	echo "$1" >/sys/power/state
}

module_load
expect 42 linux_vm one exit
expect 0 linux_vm -d stays spin

# Otherwise each of these tests waits for 5 seconds
echo 0 >/sys/module/suspend/parameters/pm_test_delay

# As far as the freezing of processes, then all non-boot CPUs: the kernel's own tests of suspend
for level in freezer processors; do
	echo $level >/sys/power/pm_test
	status_of suspend mem
	[ "$status" != 0 ] || fail 'the host suspended with a VM running'
	dmesg | tail -n 20 | grep -q 'cannot suspend while virtual machines exist' ||
		fail 'no message says why'
	expect 0 linux_vm state stays
	said 'state 1'
done
expect 0 linux_vm destroy stays

for level in freezer processors; do
	echo $level >/sys/power/pm_test
	expect 0 suspend mem
	for cpu in 0 1; do
		expect 42 linux_vm -c $cpu again exit
	done
done
echo none >/sys/power/pm_test

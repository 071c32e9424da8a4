# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# lab: --smp 4
# build: linux_vm.c
# CPUs that VMs own: who gets which, what Linux does there meanwhile, and that all of it comes back.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

refused()
{
	status_of "$@"
	[ "$status" = 2 ] || fail "status $status instead of a refusal from: $*"
}

module_load

# --- What cannot be owned ---
refused linux_vm -n -o default -c 0 a halt
said 'CPU 0 cannot be owned: Linux keeps time'
refused linux_vm -n -o default -c 64 a halt
said 'this host has no CPU 64'
echo 0 >/sys/devices/system/cpu/cpu3/online
refused linux_vm -n -o default -c 3 a halt
said 'host CPU 3 is offline'
echo 1 >/sys/devices/system/cpu/cpu3/online
refused linux_vm -n -o default a halt
said 'which CPU it is to own has to be said'
refused linux_vm -n -o default -v 2 -c 2,2 a halt
said 'vCPUs 0 and 1 cannot both own CPU 2'
refused linux_vm -n -o default -v 4 -c 1,2,3,0 a halt
said '4 vCPUs cannot own a CPU each: 4 are online'
refused linux_vm -n -o 4 -c 2 a halt
said 'unknown host_yield 4'
refused linux_vm -n -o never -y 5000000000 -c 2 a halt
said 'an interval goes with'
refused linux_vm -n -o interval -y 1000 -c 2 a halt
said 'can be 1 ms to 10 s'
refused linux_vm -n -o interval -y 60000000000 -c 2 a halt
said 'can be 1 ms to 10 s'
refused linux_vm -n -y 5000000000 -c 2 a halt
said 'can only be said of CPUs that it owns'
refused linux_vm -n -f -c 2 a halt
said 'can only be said of CPUs that it owns'
[ "$(v3 list | wc -l)" = 1 ] || fail "a refused VM is left: $(v3 list)"

# --- A CPU that another has ---
expect 0 linux_vm -d -o default -v 2 -c 2,3 mine halt
refused linux_vm -n -o default -c 2 a halt
said "CPU 2 is owned by VM 'mine'"
refused linux_vm -n -c 3 a halt
said "CPU 3 is owned by VM 'mine'"
refused taskset 8 linux_vm a exit
said 'every host CPU that it may use is owned'
# any CPU is none of these
expect 42 linux_vm -v 4 a exit
expect 0 linux_vm destroy mine
expect 0 linux_vm -d -c 2 pinned halt
refused linux_vm -n -o default -c 2 a halt
said "VM 'pinned' is pinned to it"
expect 0 linux_vm destroy pinned
expect 0 taskset 4 linux_vm -d any halt
refused linux_vm -n -o default -c 2 a halt
said 'a vCPU of another VM runs there'
expect 0 linux_vm destroy any

# --- Whatever happens to its process ---
linux_vm -o default -c 2 killed spin &
pid=$!
soon is killed running || fail 'it does not run'
kill -9 $pid
wait $pid || true
soon linux_vm -d -o default -c 2 again halt >/dev/null || fail 'CPU 2 is still owned'
expect 0 linux_vm destroy again

# --- Quiet, and not deaf ---
expect 0 linux_vm -d -o interval -y 1000000000 -c 2 busy spin
sleep 1
loc=$(irqs LOC 2) res=$(irqs RES 2)
sleep 4
loc=$(($(irqs LOC 2) - loc)) res=$(($(irqs RES 2) - res))
echo "4 s with a look each second: $loc timer interrupts, $res reschedule interrupts"
[ $loc -ge 4 ] || fail 'Linux never got to see the CPU'
# 1000 by the tick; 40 ms of it after a look at which other tasks wanted the CPU
[ $loc -le 130 ] || fail 'the tick goes on'
[ $res -le 40 ] || fail 'Linux keeps asking for the CPU'
# work that each CPU has to do for itself
took sh -c 'echo 1 >/proc/sys/vm/stat_refresh'
[ "$seconds" -le 5 ] || fail 'work for this CPU has to wait too long'
expect 0 linux_vm pause busy
expect 0 linux_vm resume busy
expect 0 linux_vm destroy busy

# --- What Linux must not wait for: all CPUs stop for a moment when one goes ---
expect 0 linux_vm -d -o never -c 2 busy spin
took sh -c 'echo 0 >/sys/devices/system/cpu/cpu3/online'
[ "$seconds" -le 5 ] || fail 'a CPU hardly got offline'
took sh -c 'echo 1 >/sys/devices/system/cpu/cpu3/online'
[ "$seconds" -le 5 ] || fail 'a CPU hardly got online'
is busy running || fail 'another CPU was none of its business'
# its own
took sh -c 'echo 0 >/sys/devices/system/cpu/cpu2/online'
[ "$seconds" -le 12 ] || fail 'its CPU hardly got offline'
status_of linux_vm state busy
said 'host CPU 2 went offline'
expect 0 linux_vm destroy busy
echo 1 >/sys/devices/system/cpu/cpu2/online

# --- HLT, with the CPU kept and without ---
for policy in never halt; do
	expect 0 linux_vm -d -o $policy -c 2 idle halt
	sleep 0.5
	expect 0 linux_vm pause idle
	expect 0 linux_vm resume idle
	expect 0 linux_vm destroy idle
done
expect 0 rmmod v3

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# lab: --smp 4
# CPUs are taken from the host and come back as they were: by hand, for guests, and when those who took
# them are killed.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

# Tasks of all kinds: anywhere, on some CPUs, on one that is not taken, on one that is.
tasks=
task()
{
	taskset -c "$1" sleep 1000 &
	tasks="$tasks $!"
}
task 0-3
task_0_3=$!
task 1-2
task_1_2=$!
task 1
task_1=$!
task 3
task_3=$!
task 2,3
task_2_3=$!
# shellcheck disable=SC2086
trap 'guests_end; kill $tasks' EXIT
cpus_of() { awk '/^Cpus_allowed_list:/ { print $2 }' "/proc/$1/status"; }
has_cpus() { [ "$(cpus_of "$1")" = "$2" ] || fail "task $1 has CPUs $(cpus_of "$1"), not $2"; }

module_load
cpus_now >before
cpus_are before || fail "not even at rest: $(cat cpus.diff)"

# By hand
expect 0 v3 cpu take 2-3
said 'CPUs 2-3 taken' 'was bound to CPUs 3 only'
has_cpus "$task_0_3" 0-1
has_cpus "$task_1_2" 1
has_cpus "$task_1" 1
has_cpus "$task_3" 0-1
has_cpus "$task_2_3" 0-1
[ "$(cat /proc/sys/kernel/sched_rt_runtime_us)" = -1 ] || fail 'real-time threads are limited'
[ "$(cat /proc/sys/vm/stat_interval)" = 120 ] || fail 'CPUs count memory each second'
[ "$(cat /sys/devices/virtual/workqueue/cpumask)" = 3 ] || fail 'work queues'
grep -L '^[0-1]' /proc/irq/*/smp_affinity_list | grep . && fail 'interrupts'
expect 0 v3 cpu list
cat out
expect 0 v3 cpu list --json
said '"taken"'
sleep 1000 &
tasks="$tasks $!" child=$!
has_cpus $child 0-1
expect 1 v3 cpu take 1-2
said 'CPU 2 is taken already'
one_line
expect 0 v3 cpu take 1
has_cpus "$task_1_2" 0
expect 0 v3 cpu give 2
has_cpus "$task_0_3" 0,2-3
has_cpus "$task_1_2" 2
has_cpus "$task_1" 0,2-3
expect 1 v3 cpu give 2
said 'CPUs 2 are not taken'
expect 0 v3 cpu give all
cpus_back before 'given back'
has_cpus $child 0-3

# Bad input
expect 1 v3 cpu take 0
said 'CPU 0 stays with the host'
one_line
expect 1 v3 cpu take 9
said 'this host has no CPU 9; it has 0-3'
expect 2 v3 cpu take 1-
expect 2 v3 cpu take
expect 2 v3 cpu nothing
echo 0 >/sys/devices/system/cpu/cpu3/online
expect 1 v3 cpu take 2-3
said 'host CPU 3 is offline'
echo 1 >/sys/devices/system/cpu/cpu3/online
expect 0 v3 run --detach --name pinned -m 32M --pin 2 -a run=spin /lab/lwk.elf
expect 1 v3 cpu take 2
said "CPU 2 is used by guest 'pinned'"
one_line
expect 245 v3 run -m 32M --cpus 2 -a run=hello /lab/lwk.elf
said pinned
expect 0 v3 destroy pinned
cpus_back before 'refused'

# For guests
expect 0 v3 run -m 32M --cpus 2-3 -a run=hello /lab/lwk.elf
cpus_back before 'v3 run ended'
expect 0 v3 run --detach --name owner -m 32M --cpus 3 -a run=spin /lab/lwk.elf
has_cpus "$task_0_3" 0-2
expect 0 v3 cpu list
said 'owner' 'held back by v3'
expect 1 v3 cpu give 3
said "owned by guest 'owner'"
expect 245 v3 run -m 32M --cpus 3 -a run=hello /lab/lwk.elf
said owner
expect 0 v3 destroy owner
cpus_are before || fail "destroyed: $(cat cpus.diff)"
expect 0 v3 cpu take 2-3
expect 0 v3 run -m 32M --cpus 3 -a run=hello /lab/lwk.elf
has_cpus "$task_0_3" 0-1
expect 0 v3 cpu give
cpus_back before 'given back after a guest'

# Killed
v3 run --name victim -m 32M --cpus 2-3 -a run=spin /lab/lwk.elf >log 2>&1 </dev/null &
victim=$!
soon is victim running || fail "no victim: $(cat log)"
has_cpus "$task_0_3" 0-1
kill -9 $victim
cpus_back before 'v3 run killed'
v3 cpu take 1-2 >log 2>&1 &
victim=$!
usleep 200000
kill -9 $victim || true
wait $victim 2>/dev/null || true
v3 cpu give all || true
cpus_back before 'v3 cpu take killed'

# The module goes
expect 0 v3 cpu take 2-3
expect 0 rmmod v3
cpus_are before || fail "unloaded: $(cat cpus.diff)"
dmesg | grep v3: | tail

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 500
# suite: linux
# lab: --smp 4
# Taking CPUs under adverse conditions: signals at any moment, processes that appear, CPUs that will not go
# offline, interrupts that cannot be moved.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

tasks_start

module_load
cpus_now >before

# A CPU that will not go offline: the kernel fails that step of it once
step=$(awk -F: '/workqueue:online/ { print $1 + 0 }' /sys/devices/system/cpu/hotplug/states)
echo "$step" >/sys/devices/system/cpu/cpu3/hotplug/fail
expect 1 v3 cpu take 2-3
said 'CPU 3 will not go offline'
cpus_are before || fail "a CPU would not go offline: $(cat cpus.diff)"
echo "$step" >/sys/devices/system/cpu/cpu3/hotplug/fail
expect 245 v3 run -m 32M --cpus 3 -a run=hello /lab/lwk.elf
said 'CPU 3 will not go offline'
[ -z "$(v3 list | sed 1d)" ] || fail 'a guest was left'
cpus_are before || fail "a guest's CPU would not go offline: $(cat cpus.diff)"

# Interrupts that cannot be moved are told, and no reason to refuse
mount -o bind /proc/irq /proc/irq
mount -o remount,ro,bind /proc/irq
expect 0 v3 cpu take 1-3
expect 0 v3 cpu give all
umount /proc/irq
cpus_back before 'interrupts that cannot be moved'

# Signals at any moment. The module has it restored, whatever had happened by then.
round=0
while [ $round -lt 12 ]; do
	case $((round % 3)) in
	0) signal=KILL ;;
	1) signal=TERM ;;
	2) signal=HUP ;; # the shell has its children ignore SIGINT
	esac
	case $((round / 3 % 2)) in
	0) v3 cpu take 2-3 >log 2>&1 & ;;
	1) v3 run --name victim -m 32M --cpus 2-3 -a run=spin /lab/lwk.elf >log 2>&1 </dev/null & ;;
	esac
	victim=$!
	usleep $((round * 50000))
	kill -"$signal" $victim 2>/dev/null || true
	status=0
	wait $victim 2>/dev/null || status=$?
	[ $status != 0 ] || v3 cpu give all
	cpus_back before "signal $signal after $((round * 50)) ms"
	round=$((round + 1))
done

# All of them at once
v3 run --name one -m 32M --cpus 1 -a run=spin /lab/lwk.elf >log 2>&1 </dev/null &
v3 run --name two -m 32M --cpus 2 -a run=spin /lab/lwk.elf >log 2>&1 </dev/null &
soon is one running || fail 'no guest one'
soon is two running || fail 'no guest two'
v3 cpu take 3 >log 2>&1 &
usleep 100000
# shellcheck disable=SC2046
kill -9 $(pidof v3)
wait_gone() { [ -z "$(v3 list | sed 1d)" ]; }
soon wait_gone || fail 'guests are left'
v3 cpu give all || true
cpus_back before 'all of them killed at once'

# Processes that appear and end all the time
for _ in 1 2; do
	while :; do (true); done &
	tasks="$tasks $!"
done
expect 0 v3 cpu take 2-3
v3 cpu give all
for _ in 1 2; do
	kill -9 "${tasks##* }"
	tasks=${tasks% *}
done
cpus_back before 'processes that appeared'

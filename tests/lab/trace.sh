# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 60
# v3 trace, and the tracepoints of the kernel: what a guest does is in them.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

trap guests_end EXIT

module_load

# Before the start, to the end
expect 0 v3 create --name one -m 64M -a 'run=cpuid n=20' /lab/lwk.elf
expect 0 v3 trace --on one
expect 0 v3 start one
expect 0 v3 trace --follow one >/dev/null
said 'entry' 'exit    cpuid' 'exit    io' 'exit    hypercall' 'leaf 0x'
v3 trace --json one >out
said '"event":"entry"' '"exit":"cpuid"' '"vcpu":0'
# The last thing that it did was to write its exit code
v3 trace one | tail -n 1 | grep -q 'exit    io .*out port 0xf4 size' ||
	fail "the last event: $(v3 trace one | tail -n 1)"
expect 0 v3 inspect one
said 'last events:' 'out port 0xf4'
expect 0 v3 destroy one

# From the first entry on, of a guest that dies early
expect 240 v3 run --keep --trace --name early -m 64M -a run=triple /lab/lwk.elf
said 'early is kept'
v3 trace early >events
grep -q 'vcpu0 entry' events || fail 'no entry in the trace'
tail -n 1 events | grep -q 'exit    shutdown' || fail "the last event: $(tail -n 1 events)"
expect 0 v3 inspect early
said 'last events:' 'exit    shutdown'
expect 0 v3 destroy early
printf '%s\n' 'kernel: /lab/lwk.elf' 'memory: 64M' 'cmdline: run=triple' 'trace: true' >early.yaml
expect 240 v3 run --keep early.yaml
v3 trace early | tail -n 1 | grep -q 'exit    shutdown' || fail 'trace: true did nothing'
# A trace that is off is older than the last exits
expect 0 v3 trace --off early
expect 0 v3 inspect early
said 'last exits:' 'exit    shutdown'
expect 0 v3 destroy early

# A guest that runs; turned off and on
expect 0 v3 run --detach --name two -m 64M -a run=spin /lab/lwk.elf
expect 0 v3 trace two
said 'the trace is on from now on'
sleep 0.4
expect 0 v3 trace --vcpu 0 two >/dev/null
said 'exit    intr'
expect 0 v3 trace --off two

# Wrong
expect 1 v3 trace nosuch
one_line
expect 1 v3 trace --vcpu 1 two
one_line
expect 2 v3 trace
expect 2 v3 trace --vcpu 64 two
expect 0 v3 destroy two

# The kernel's tracepoints: guests that are there already, and one that comes later
[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing
events=/sys/kernel/tracing/events/v3
[ -d $events/v3_exit ] || fail 'no tracepoint v3:v3_exit'
expect 0 v3 create --name three -m 64M -a 'run=cpuid n=20' /lab/lwk.elf
echo 1 >$events/enable
expect 0 v3 start three
expect 0 v3 run --name four -m 64M -a 'run=cpuid n=20' /lab/lwk.elf
cat /sys/kernel/tracing/trace >trace
echo 0 >$events/enable
grep -c v3_ trace
grep -m 3 v3_exit trace
grep -q 'v3_entry: vm=three vcpu=0 rip=0x' trace || fail 'no v3_entry of three'
grep -q 'v3_exit: vm=three vcpu=0 exit=cpuid rip=0x' trace || fail 'no v3_exit of three'
grep -q 'v3_exit: vm=four vcpu=0 exit=io ' trace || fail 'no v3_exit of four'
# Off again: nothing more comes, and the guests pay nothing
echo >/sys/kernel/tracing/trace
expect 0 v3 run --name five -m 64M -a 'run=cpuid n=20' /lab/lwk.elf
! grep -q v3_ /sys/kernel/tracing/trace || fail 'events of tracepoints that are off'
# A filter, as perf and trace-cmd set them
echo 'kind == 9' >$events/v3_exit/filter
echo 1 >$events/v3_exit/enable
expect 0 v3 run --name six -m 64M -a 'run=cpuid n=20' /lab/lwk.elf
echo 0 >$events/v3_exit/enable
cat /sys/kernel/tracing/trace >trace
grep -q 'exit=cpuid' trace || fail 'the filter kept away what it asks for'
! grep 'v3_exit:' trace | grep -qv 'exit=cpuid' || fail 'the filter let others through'
echo 0 >$events/v3_exit/filter
expect 0 v3 destroy three

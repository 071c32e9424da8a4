# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 300
# programs: perf trace-cmd
# The kernel's tracepoints by the programs that people use: perf and trace-cmd list, count, record, filter and
# print them, all fields by name.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

cleanup() { v3 list 2>/dev/null | awk 'NR > 1 { print $1 }' | xargs -r -n 1 v3 destroy; }
trap cleanup EXIT

# What the events have to look like, whoever prints them. Names, not numbers, of all that has names.
hex='0x[0-9a-f]+'
entry="v3_entry: +vm=lwk vcpu=0 rip=$hex"
left="v3_exit: +vm=lwk vcpu=0 exit=(none|intr|cpuid|rdmsr|wrmsr|io|nested_fault|hlt|hypercall|intr_window) rip=$hex info=$hex info2=$hex"
inject="v3_inject: +vm=lwk vcpu=0 type=interrupt vector=[0-9]+ error=0x0"

# count TEXT FILE - lines with it, also if there are none.
count() { grep -cE -- "$1" "$2" || true; }

# text COMMAND... - what it says about "data", in "text".
text() { "$@" -i data >text 2>&1 || fail "$*: $(tail -n 3 text)"; }

# Events of a whole guest in "text", and nothing there that could not be printed.
printed()
{
	! grep -i 'failed\|lost\|unknown event' text || fail 'not all events could be printed'
	grep 'v3_[a-z]*:' text >events
	! grep -vE "($entry|$left|$inject)\$" events || fail 'an event looks odd'
	[ "$(count "$entry" events)" -gt 100 ] || fail 'hardly an entry'
	[ "$(count "$entry" events)" = "$(count "$left" events)" ] || fail 'entries and exits are not as many'
	[ "$(count "$inject" events)" -gt 0 ] || fail 'no injection'
	# CPUID with EAX 0, and the end: a byte, 0, to port 0xf4
	[ "$(count 'exit=cpuid .* info=0x0 ' events)" -gt 0 ] || fail 'no CPUID of leaf 0'
	tail -n 1 events | grep -qE "exit=io .* info=0x[14]00f4 info2=0x0\$" ||
		fail "the last event: $(tail -n 1 events)"
}

# Nothing but exits for CPUID in "text".
filtered()
{
	[ "$(count 'exit=cpuid' text)" -gt 10 ] || fail 'the filter kept away what it asks for'
	[ "$(count 'v3_[a-z]*:' text)" = "$(count 'exit=cpuid' text)" ] || fail 'the filter let others through'
}

module_load
[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing
guest='v3 run -m 64M -a run=cpuid\ n=20 /lab/lwk.elf'

# perf
expect 0 perf list 'v3:*'
said 'v3:v3_entry' 'v3:v3_exit' 'v3:v3_inject'
expect 0 perf stat -a -x , -o counts -e v3:v3_exit -e v3:v3_entry -e v3:v3_inject sh -c "$guest"
cat counts
awk -F , '/v3_/ { n[$3] = $1 }
	END { exit !(n["v3:v3_exit"] > 100 && n["v3:v3_exit"] == n["v3:v3_entry"] && n["v3:v3_inject"] > 0) }' \
	counts || fail 'perf stat did not count as many exits as entries, and injections'
expect 0 perf record -q -a -m 1024 -e 'v3:*' -o data sh -c "$guest"
text perf script
printed
expect 0 perf record -q -a -e v3:v3_exit --filter 'kind == 9' -o data sh -c "$guest"
text perf script
filtered

# trace-cmd
expect 0 trace-cmd list -e v3
said 'v3:v3_entry' 'v3:v3_exit' 'v3:v3_inject'
expect 0 trace-cmd record -b 8192 -e v3 -o data sh -c "$guest"
text trace-cmd report
printed
expect 0 trace-cmd record -e v3:v3_exit -f 'kind == 9' -o data sh -c "$guest"
text trace-cmd report
filtered

# A guest that runs already, and goes on
expect 0 v3 run --detach --name busy -m 64M -a run=spin /lab/lwk.elf
expect 0 perf stat -a -x , -o counts -e v3:v3_exit sleep 0.5
awk -F , '/v3:v3_exit/ { n = $1 } END { exit !(n > 0) }' counts || fail 'no exit of a guest that runs'
expect 0 v3 list
said 'running'
expect 0 v3 destroy busy

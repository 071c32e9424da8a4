# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 150
# v3 run: statuses, names, values that the module judges, signals, output without a reader.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

guests() { v3 list | tail -n +2 | wc -l; }
lwk() { want=$1; shift; expect "$want" v3 run -m 64M --timeout 40 "$@" /lab/lwk.elf; }

trap guests_end EXIT

# talker NAME - a guest that has said hello and spins; sets "pid" to its owner.
talker()
{
	rm -f log
	v3 run --name "$1" -m 64M -a run=hello,spin /lab/lwk.elf </dev/null >log 2>&1 &
	pid=$!
	soon grep -qs 'Hello from' log || fail "the guest says nothing: $(cat log)"
}

# ended WHAT - its owner has, as after a stop.
ended()
{
	status=0
	wait $pid || status=$?
	[ $status = 242 ] || fail "$1: status $status, $(cat log)"
}

module_load
for code in 0 1 2 42 119 127 139 239 248 255; do
	lwk $code -a "run=exit code=$code"
	said "lwk: the guest exited with code $code"
done
for code in 240 243 247; do
	lwk 247 -a "run=exit code=$code"
	said "the guest exited with code $code"
done

# A name that nobody gave makes room, one that was given does not
expect 0 v3 run --detach -m 64M -a run=spin /lab/lwk.elf
[ "$(cat out)" = lwk ] || fail 'the name is not that of the file'
lwk 0 -a run=hello
said 'v3: lwk-'
lwk 245 -n lwk -a run=hello
said lwk
one_line
expect 0 v3 destroy lwk

# Values that only the module can judge
lwk 245 --pin 99
said 99
one_line
lwk 245 --vcpus 2 --pin 0,99
said 99
lwk 245 -m 64G
one_line
printf 'kernel: /lab/lwk.elf\nmemory:\n  - size: 64MiB\n    node: 7\n' >node.yaml
expect 245 v3 run node.yaml
said 7
one_line

# Signals
for signal in TERM HUP; do
	talker sig
	kill -$signal $pid
	ended "SIG$signal"
	grep -q 'stopped by a signal' log || fail "SIG$signal: $(cat log)"
	[ "$(guests)" = 0 ] || fail "SIG$signal left a guest"
done

# Somebody else stops or destroys it
for command in stop destroy; do
	talker other
	expect 0 v3 $command other
	ended "$command"
	tail -n 1 log | grep -q 'v3: other: ' || fail "$command: no word at the end: $(cat log)"
	[ "$(guests)" = 0 ] || fail "$command left a guest"
done

# Its output has no reader any more
status=0
{ v3 run -m 64M -a 'run=flood n=100000' /lab/lwk.elf </dev/null 2>log || echo $? >status; } |
	head -n 3 >lines
[ "$(cat status)" = 242 ] || fail "a broken pipe: $(cat status), $(cat log)"
grep -q 'cannot be written' log || fail "a broken pipe: $(cat log)"
[ "$(guests)" = 0 ] || fail 'a broken pipe left a guest'

# More processes than one: all end with their own status
pids=
for code in 11 12 13; do
	v3 run --name "many$code" -m 32M -a "run=hello,exit code=$code" /lab/lwk.elf \
		</dev/null >log$code 2>&1 &
	pids="$pids $!"
done
code=11
for pid in $pids; do
	status=0
	wait "$pid" || status=$?
	[ $status = $code ] || fail "the guest with code $code ended with $status: $(cat log$code)"
	code=$((code + 1))
done

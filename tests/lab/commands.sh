# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# The life of a guest by one command after another, and each command where it does not fit.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
expect 0 v3 create --name one -m 64M -a run=spin /lab/lwk.elf
[ "$(state one)" = created ] || fail "created, but $(state one)"
expect 1 v3 create --name one -m 64M /lab/lwk.elf
said one
one_line
expect 1 v3 pause one
one_line
expect 0 v3 start one
[ "$(state one)" = running ] || fail "started, but $(state one)"
expect 1 v3 start one
one_line
expect 0 v3 pause one
[ "$(state one)" = paused ] || fail "paused, but $(state one)"
expect 0 v3 stats one
before=$(v3 stats --json one | tr ',' '\n' | grep run_ns)
sleep 0.5
[ "$before" = "$(v3 stats --json one | tr ',' '\n' | grep run_ns)" ] || fail 'it ran while paused'
expect 0 v3 resume one
[ "$(state one)" = running ] || fail "resumed, but $(state one)"
expect 0 v3 stop one
[ "$(state one)" = stopped ] || fail "stopped, but $(state one)"
expect 1 v3 start one
one_line
expect 0 v3 list --json
said '"name"' '"one"' '"stopped"'
expect 0 v3 destroy one
[ -z "$(state one)" ] || fail 'destroyed, but listed'
for command in start stop pause resume destroy stats console; do
	expect 1 v3 $command one
	said one
	one_line
done

# Two at once on their own CPUs, left running
expect 0 v3 run --detach --name a -m 64M --pin 0 -a run=spin /lab/lwk.elf
expect 0 v3 run --detach --name b -m 64M --pin 1 -a 'run=hello,spin' /lab/lwk.elf
sleep 0.5
[ "$(state a) $(state b)" = 'running running' ] || fail "a is $(state a), b is $(state b)"
v3 console b >con.log 2>&1 &
console=$!
soon attached $console || fail "no console: $(cat con.log)"
expect 0 v3 stop b
wait $console
cat con.log
grep -q 'Hello from a lightweight kernel' con.log || fail "the console lost the guest's output"
expect 0 v3 destroy a
expect 0 v3 destroy b
expect 2 v3 nosuch
expect 2 v3 list too many

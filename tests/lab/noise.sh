# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# build: noise_calls.c
# v3 noise: known disturbances of a guest on its own CPU are counted under their cause, and under no other.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

trap guests_end EXIT

count() { noise_count "$1" counted; }

# ticks CAUSE - the time that it took
ticks()
{
	awk -v cause="\"$1\":" '/"interrupts"/ { exit } $1 == cause { on = 1; next }
		on && $1 == "\"ticks\":" { print $2 + 0; exit }' counted
}

# while_counting COMMAND... - what v3 noise tells of the time in which it ran, into ./counted
while_counting()
{
	v3 noise --json --seconds 60 "$guest" >counted &
	counter=$!
	sleep 0.3
	"$@" || fail "$*"
	# what has come counts when the guest is entered again
	sleep 0.2
	# a signal shows what there is
	kill -INT "$counter"
	wait "$counter" || fail "v3 noise: $(cat counted)"
}

# between CAUSE LEAST MOST - bounds of a count
between()
{
	value=$(count "$1")
	echo "$1: $value, $(ticks "$1") ticks"
	[ -n "$value" ] || fail "no count of $1: $(cat counted)"
	if [ "$value" -lt "$2" ] || [ "$value" -gt "$3" ]; then
		fail "$1: $value is not $2 to $3: $(cat counted)"
	fi
}

calls() { /lab/noise_calls 1 100 >calls; }
pauses() { for _ in 1 2 3 4 5; do v3 pause "$guest" && v3 resume "$guest" || return; done; }
nothing() { sleep 0.5; }
nmi() { echo l >/proc/sysrq-trigger; }

module_load
guest=own
expect 0 v3 run --detach --name own -m 64M --cpus 1 -a run=spin /lab/lwk.elf
soon is own running || fail 'the guest does not run'
# what is left of its start
sleep 1

while_counting nothing
for cause in reschedule call tlb irq_work device nmi other; do
	between $cause 0 3
done
between guest_timer 0 0
between timer 0 5

while_counting calls
between call 200 215
[ "$(ticks call)" -gt 0 ] || fail 'calls took no time'
between nmi 0 0
between device 0 3
between reschedule 0 5

while_counting pauses
between reschedule 5 15
between call 0 10

while_counting nmi
between nmi 1 2

# A timer of the guest's own is not Linux's.
expect 0 v3 destroy own
guest=tick
expect 0 v3 run --detach --name tick -m 64M --cpus 1 -a 'run=spin hz=50' /lab/lwk.elf
soon is tick running
sleep 1
while_counting sleep 1
between guest_timer 30 120
between timer 0 10
expect 0 v3 destroy tick

# A CPU that others share: the interrupts of it, and no causes.
expect 0 v3 run --detach --name shared -m 64M --pin 1 -a run=spin /lab/lwk.elf
sleep 0.5
expect 0 v3 noise --seconds 1 shared
said 'CPU 1, shared' 'is known of CPUs that guests own' 'LOC'
expect 0 v3 noise --json --seconds 0 --all
said '"owned": false' '"causes": null'
expect 0 v3 destroy shared

# Bad input.
expect 1 v3 noise nobody
one_line
said nobody
expect 2 v3 noise
expect 2 v3 noise --all nobody
expect 2 v3 noise --seconds -1 nobody
expect 0 v3 noise --all --seconds 0
said 'no guests'

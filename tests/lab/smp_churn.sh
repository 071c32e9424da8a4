# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 150
# lab: --smp 4 --multi
# Guests of 1 to 8 vCPUs are made and destroyed in every state for a minute; all memory comes back.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

# With the free pages in the lists of each CPU, which MemAvailable does not count.
free_kib()
{
	awk '/^MemAvailable/ { n += $2 } $1 == "count:" { n += 4 * $2 } END { print n }' \
		/proc/meminfo /proc/zoneinfo
}

destroy() { v3 destroy churn || fail "destroy, number $count"; }

# one - the next guest, in one of five ways
one()
{
	set -- -m 32M --vcpus $((count % 8 + 1))
	case $((count % 5)) in
	0) v3 create --name churn "$@" -a run=spin /lab/lwk.elf || fail "create, number $count" ;;
	1) v3 run --detach --name churn "$@" -a run=spin /lab/lwk.elf || fail "run, number $count" ;;
	2)
		v3 run --detach --name churn "$@" -a 'run=ipistorm n=100000' /lab/lwk.elf ||
			fail "storm, number $count"
		usleep $((count % 7 * 50000))
		;;
	3)
		v3 run --detach --name churn "$@" -a 'run=ipistorm n=100000' /lab/lwk.elf ||
			fail "storm, number $count"
		v3 pause churn || fail "pause, number $count"
		;;
	4)
		v3 run --detach --name churn "$@" -a run=halt /lab/lwk.elf || fail "halt, number $count"
		v3 stop churn || fail "stop, number $count"
		;;
	esac
	destroy
}

module_load
count=0
while [ $count -lt 40 ]; do
	one
	count=$((count + 1))
done
before=$(free_kib)
count=0
end=$(($(cut -d. -f1 /proc/uptime) + 60))
while [ "$(cut -d. -f1 /proc/uptime)" -lt $end ]; do
	one
	count=$((count + 1))
done
lost=$((before - $(free_kib)))
echo "churn: $count guests made and destroyed in 60 s, $lost KiB less free"
expect 0 v3 list
[ "$(wc -l <out)" = 1 ] || fail 'something was left'
[ $lost -lt 8192 ] || fail "$lost KiB of memory did not come back"
[ $count -ge 50 ] || fail "only $count guests in a minute"

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# A guest ends with its owner; the module and the CPUs stay while it runs; nothing leaks.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

# With the free pages in the lists of each CPU, which MemAvailable does not count: tens of MiB.
free_kib()
{
	awk '/^MemAvailable/ { n += $2 } $1 == "count:" { n += 4 * $2 } END { print n }' \
		/proc/meminfo /proc/zoneinfo
}
guests() { v3 list | tail -n +2 | wc -l; }

none() { [ "$(guests)" = 0 ]; }
spinning() { grep -qs "^spin: for ever" log; }

# victim OPTION... - a guest that spins, with its owner in the background as $owner.
victim()
{
	rm -f log
	v3 run --name victim "$@" -a run=spin /lab/lwk.elf </dev/null >log 2>&1 &
	owner=$!
	soon spinning || fail "the guest does not run: $(cat log)"
	[ "$(guests)" = 1 ] || fail 'the guest runs, but is not listed'
}

module_load
expect 0 v3 run -m 64M -a run=hello /lab/lwk.elf
before=$(free_kib)

victim -m 256M
expect 1 rmmod v3
said v3
one_line
[ -c /dev/v3 ] || fail 'the module went while a guest ran'
kill -9 $owner
soon none || fail 'the guest outlived its owner'

victim -m 256M
kill -TERM $owner
status=0
wait $owner || status=$?
[ $status = 242 ] || fail "SIGTERM: status $status, $(cat log)"
soon none || fail 'the guest outlived a SIGTERM to its owner'

# Taking away the CPU that a guest runs on
victim -m 64M --pin 1
: >log
echo 0 >/sys/devices/system/cpu/cpu1/online || fail 'CPU 1 cannot go offline'
status=0
wait $owner || status=$?
cat log
[ $status = 244 ] || fail "the guest lost its CPU, and v3 run ended with $status"
grep -q 'host CPU 1 went offline' log || fail 'the guest lost its CPU and that was not said'
echo 1 >/sys/devices/system/cpu/cpu1/online
soon none || fail 'the guest outlived its CPU'
expect 0 v3 run -m 64M --pin 1 -a run=hello /lab/lwk.elf

for _ in 1 2 3 4 5; do
	expect 0 v3 run -m 128M -a run=hello /lab/lwk.elf
done
lost=$((before - $(free_kib)))
echo "lost: $lost KiB"
[ $lost -lt 16384 ] || fail "$lost KiB of memory did not come back"

# SPDX-License-Identifier: BSD-2-Clause
# timeout: 120
# A guest ends with its owner; the module and the CPUs stay while it runs; nothing leaks.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

free_kib() { awk '/^MemAvailable/ { print $2 }' /proc/meminfo; }
guests() { v3 list | tail -n +2 | wc -l; }

# gone_soon TEXT - no guest within five seconds.
gone_soon()
{
	for _ in 1 2 3 4 5; do
		[ "$(guests)" != 0 ] || return 0
		sleep 1
	done
	fail "$1"
}

module_load
expect 0 v3 run -m 64M -a run=hello /lab/lwk.elf
before=$(free_kib)

v3 run --name victim -m 256M -a run=spin /lab/lwk.elf </dev/null >log 2>&1 &
owner=$!
sleep 2
[ "$(guests)" = 1 ] || fail "the guest does not run: $(cat log)"
expect 1 rmmod v3
[ -c /dev/v3 ] || fail 'the module went while a guest ran'
kill -9 $owner
gone_soon 'the guest outlived its owner'

v3 run --name victim -m 256M -a run=spin /lab/lwk.elf </dev/null >log 2>&1 &
owner=$!
sleep 2
kill -TERM $owner
status=0
wait $owner || status=$?
[ $status = 242 ] || fail "SIGTERM: status $status, $(cat log)"
gone_soon 'the guest outlived a SIGTERM to its owner'

# Taking away the CPU that a guest runs on
v3 run --name victim -m 64M --cpus 1 -a run=spin /lab/lwk.elf </dev/null >log 2>&1 &
owner=$!
sleep 2
refused=0
echo 0 >/sys/devices/system/cpu/cpu1/online 2>/dev/null || refused=1
echo "refused: $refused"
sleep 1
cat log
if [ $refused = 1 ]; then
	[ "$(guests)" = 1 ] || fail 'the CPU stayed, but the guest did not'
	kill -TERM $owner
else
	[ -s log ] || fail 'the guest lost its CPU and nothing was said'
fi
wait $owner || true
echo 1 >/sys/devices/system/cpu/cpu1/online 2>/dev/null || true
gone_soon 'the guest outlived its CPU'
expect 0 v3 run -m 64M --cpus 1 -a run=hello /lab/lwk.elf

for _ in 1 2 3 4 5; do
	expect 0 v3 run -m 128M -a run=hello /lab/lwk.elf
done
lost=$((before - $(free_kib)))
echo "lost: $lost KiB"
[ $lost -lt 16384 ] || fail "$lost KiB of memory did not come back"

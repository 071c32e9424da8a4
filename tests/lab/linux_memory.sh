# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# lab: --mem 1G
# build: linux_vm.c
# Memory for guests: large blocks out of a machine that is full of page cache; too much of it is
# refused with a message, the host lives on, and all comes back.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

# What there would be if the kernel dropped its caches, and with the free pages in the lists of each
# CPU, which MemAvailable does not count: what is missing afterwards was lost.
available()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^MemAvailable/ { n += $2 } $1 == "count:" { n += 4 * $2 } END { print int(n / 1024) }' \
		/proc/meminfo /proc/zoneinfo
}
free_mib() { awk '/^MemFree/ { print int($2 / 1024) }' /proc/meminfo; }

module_load
for cpu in 0 1; do
	expect 42 linux_vm -c $cpu -m 16 warm exit
done
pages=$(cat /sys/module/v3/parameters/pages_in_use)
before=$(available)
half=$((before / 4))
half=$((half * 2))
echo "available: $before MiB, free: $(free_mib) MiB"

# Far too much, just too much, and what the reserve forbids
expect 2 linux_vm -m 1048576 huge exit
said huge MiB
expect 2 linux_vm -m $(((before + 100) / 2 * 2)) large exit
said large MiB reserve_mb
[ "$(wc -l <out)" = 1 ] || fail 'not one line'

echo $((before / 2)) >/sys/module/v3/parameters/reserve_mb
expect 2 linux_vm -m $((before / 2 / 2 * 2 + 32)) reserved exit
said reserve_mb
echo 64 >/sys/module/v3/parameters/reserve_mb

# Most of the memory is files in the page cache, which move
mkdir -p /mnt
mount -t tmpfs -o size=80% none /mnt
dd if=/dev/zero of=/mnt/fill bs=1M count=$((before / 2)) 2>/dev/null
# every other piece goes: what is free is scattered
for i in 1 2 3 4 5 6 7 8; do
	dd if=/dev/zero of=/mnt/piece$i bs=1M count=$((before / 40)) 2>/dev/null
done
rm /mnt/piece1 /mnt/piece3 /mnt/piece5 /mnt/piece7
echo "free: $(free_mib) MiB of scattered memory"
for size in 64 128; do
	expect 42 linux_vm -m $size moved exit
done
rm /mnt/*
umount /mnt

# Half of all memory in one guest, several times, and again after it was killed
for _ in 1 2 3 4 5; do
	expect 42 linux_vm -m $half half exit
done
linux_vm -m $half half spin >log 2>&1 &
owner=$!
soon grep -q started log || fail "half of the memory: $(cat log)"
kill -9 $owner
wait $owner || true
expect 42 linux_vm -m $half half exit

[ "$(cat /sys/module/v3/parameters/pages_in_use)" = "$pages" ] || fail 'pages are still held'
after=$(available)
echo "available: $after MiB, $before MiB before"
[ $((before - after)) -le 8 ] || fail "$((before - after)) MiB did not come back"

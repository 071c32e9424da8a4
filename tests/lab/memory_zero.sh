# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 300
# suite: long
# lab: --smp 2 --mem 3G --append init_on_alloc=0
# build: linux_vm.c
# Where the host's page allocator does not zero: no guest sees what the host or another guest had,
# and who is killed while gigabytes are zeroed leaves nothing behind.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
expect 42 linux_vm -c 1 -m 16 warm exit
memory_now >before

# All that is free is full of ones
mkdir -p /mnt
mount -t tmpfs -o size=95% none /mnt
tr '\0' '\377' </dev/zero | dd of=/mnt/ones bs=1M count=32 iflag=fullblock 2>/dev/null
for i in $(seq 70); do
	cp /mnt/ones "/mnt/$i"
done
umount /mnt
expect 42 linux_vm -m 64 fresh zeros
expect 0 v3 mem take 64MiB
expect 42 linux_vm -H -m 64 held zeros
expect 42 linux_vm -H -m 64 held ones
expect 42 linux_vm -H -m 64 held zeros
expect 0 v3 mem give
expect 0 v3 mem take 128MiB --offline
expect 42 linux_vm -H -m 64 held zeros
expect 0 v3 mem give
memory_back before

zeroing() { grep -qs v3-zero /proc/[0-9]*/comm; }

# Killed while memory is zeroed: at once, and a little later
hits=0
for moment in 0 0.05 0.1; do
	for command in 'v3 run -m 2GiB -a run=spin /lab/lwk.elf' 'v3 mem take 2GiB' \
		'v3 mem take 1GiB --offline'; do
		$command >log 2>&1 &
		victim=$!
		until zeroing; do
			kill -0 $victim || fail "$command: $(cat log)"
		done
		sleep $moment
		! zeroing || hits=$((hits + 1))
		kill -9 $victim 2>/dev/null || true
		wait $victim || true
		v3 mem give >/dev/null
		memory_back before
	done
done
echo "$hits of 9 were killed while memory was zeroed"
[ $hits -ge 3 ] || fail 'that is not what this is to test'
[ "$(cat /sys/module/v3/parameters/pages_in_use)" -lt 200 ] || fail 'pages are still held'

# With a guest in held memory: the module stays until both are gone
expect 0 v3 mem take 1GiB
expect 0 linux_vm -H -d -m 512 stays spin
expect 1 rmmod v3
expect 0 linux_vm destroy stays
expect 0 rmmod v3
memory_back before

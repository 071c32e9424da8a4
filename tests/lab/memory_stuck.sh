# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 150
# suite: linux
# lab: --smp 2 --mem 1G --qemu -object --qemu memory-backend-ram,id=m0,size=512M --qemu -object --qemu memory-backend-ram,id=m1,size=512M --qemu -numa --qemu node,memdev=m0,cpus=0 --qemu -numa --qemu node,memdev=m1,cpus=1
# build: memory_pin.c
# Memory that will not move: what is in the way is told, with what would help, and nothing is lost.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
cat >stuck.yaml <<END
kernel: /lab/lwk.elf
memory: [{size: 64MiB, node: 0}, {size: 320MiB, node: 1}]
END
expect 0 v3 run stuck.yaml
memory_now >before

# A page in each 256 KiB is pinned, as by RDMA, on most of node 1
taskset 2 memory_pin 300 >log 2>&1 &
pinned=$!
soon grep -q pinned log || fail "$(cat log)"
expect 1 v3 mem take 320MiB --node 1
one_line
said 'node 1' 'has pinned' 'is in the way' compact_memory 'node 0 has'
echo 2 >/sys/module/v3/parameters/search_seconds
expect 1 v3 mem take 256MiB --node 1 --offline
echo 20 >/sys/module/v3/parameters/search_seconds
one_line
said 'node 1' 'memory block' 'will not go' 'online again'
expect 245 v3 run stuck.yaml
said stuck 'node 1' 'is in the way'
# the other node is none the worse
expect 0 v3 mem take 128MiB --node 0
expect 0 v3 mem give
expect 0 v3 run --memory 128MiB /lab/lwk.elf
kill -9 $pinned
wait $pinned || true
memory_back before
expect 0 v3 mem take 384MiB --node 1
expect 0 v3 mem give

# With the host's memory full of files, which move
mkdir -p /mnt
mount -t tmpfs -o size=90%,mpol=bind:1 none /mnt
dd if=/dev/zero of=/mnt/fill bs=1M count=256 2>/dev/null
for i in 1 2 3 4 5 6 7 8; do
	dd if=/dev/zero of=/mnt/piece$i bs=1M count=16 2>/dev/null
done
rm /mnt/piece1 /mnt/piece3 /mnt/piece5 /mnt/piece7
expect 0 v3 mem take 256MiB --node 1
expect 0 v3 mem give
expect 0 v3 mem take 128MiB --node 1 --offline
expect 0 v3 mem give
umount /mnt
memory_back before

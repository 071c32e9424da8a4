# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# lab: --smp 2 --mem 1G --append movablecore=512M --qemu -object --qemu memory-backend-ram,id=m0,size=512M --qemu -object --qemu memory-backend-ram,id=m1,size=512M --qemu -numa --qemu node,memdev=m0,cpus=0 --qemu -numa --qemu node,memdev=m1,cpus=1
# build: linux_vm.c
# Half of each node is for what moves: in the rest the kernel may have something in each block.
# v3 mem: memory is taken, held, used and given back, in ranges and in memory blocks set offline;
# whatever becomes of the command, each node has all of its memory again afterwards.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

# held NODE - in MiB
held() { v3 mem list | awk -v node="$1" '$1 == node { print $6, $7; exit }'; }
offline_blocks() { cat /sys/devices/system/memory/memory*/state | grep -c offline || true; }

module_load
expect 42 linux_vm -c 1 -m 16 warm exit
memory_now >before
cat before

# Taken, used by guests, given back: what a guest had is zeros again for the next one
expect 0 v3 mem take 128MiB --node 1
said '128 MiB taken'
[ "$(held 1)" = "128 MiB" ] || fail "$(v3 mem list)"
expect 42 linux_vm -H -m 64 -c 1 first ones
expect 42 linux_vm -H -m 64 -c 1 second zeros
expect 2 linux_vm -H -m 192 third exit
said third 'no more memory is held' 'v3 mem take'
one_line
expect 0 linux_vm -H -d -m 64 user spin
expect 0 v3 mem list
said user 0x 'until given' contig
expect 1 v3 mem give 96MiB
said '96 MiB' '64 MiB' unused
expect 0 v3 mem give 32MiB
expect 0 v3 mem give
said '32 MiB given back' '64 MiB more when'
expect 0 linux_vm destroy user
memory_back before

# Memory blocks: the host has less of them meanwhile, and cannot have them back by itself. One, as
# the kernel has memory that does not move in more or fewer of the others.
expect 0 v3 mem take 128MiB --node 1 --offline
[ "$(offline_blocks)" = 1 ] || fail 'no block is offline'
memory_now >less
[ $(($(awk '$1 == 1 { print $2 }' before) - $(awk '$1 == 1 { print $2 }' less))) -ge 131072 ] ||
	fail 'node 1 still has that memory'
for state in /sys/devices/system/memory/memory*/state; do
	if [ "$(cat "$state")" = offline ] && echo online >"$state" 2>log; then
		fail "$state went online"
	fi
done
dmesg | grep -q 'cannot go online: v3 holds it' || fail "$(dmesg | tail -n 3)"
expect 42 linux_vm -H -m 128 -c 1 first ones
expect 42 linux_vm -H -m 128 -c 1 second zeros
expect 1 v3 mem give 64MiB
said 'memory blocks (128 MiB)'
expect 0 v3 mem give 128MiB --node 1
[ "$(offline_blocks)" = 0 ] || fail 'the block did not come back'
memory_back before

# The module gives all back when it goes
expect 0 v3 mem take 64MiB --node 0
expect 0 v3 mem take 128MiB --node 1 --offline
expect 0 rmmod v3
memory_back before
module_load

# What cannot be
expect 1 v3 mem take 64MiB --node 2
said 'no memory on NUMA node 2'
expect 1 v3 mem take 128MiB --node 2 --offline
said 'no memory on NUMA node 2'
expect 1 v3 mem take 1TiB
said reserve_mb
one_line
expect 1 v3 mem take 600MiB --node 1
said 'node 1' 'less in all'
one_line
expect 1 v3 mem take 500MiB --node 1
said 'node 1' 'is in the way' 0x 'would go'
one_line
expect 1 v3 mem take 100MiB --offline
said '128 MiB'
expect 1 v3 mem take 1GiB --node 1 --offline
said 'node 1' 'memory block' 'online again'
one_line
expect 1 v3 mem give 64MiB
said '0 MiB held'
expect 2 v3 mem take 3MiB
said 'multiple of 2 MiB'
expect 2 v3 mem take
expect 2 v3 mem
expect 2 v3 mem lend
memory_back before

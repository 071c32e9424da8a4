# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 90
# lab: --smp 2 --mem 1G --append movablecore=512M --qemu -object --qemu memory-backend-ram,id=m0,size=512M --qemu -object --qemu memory-backend-ram,id=m1,size=512M --qemu -numa --qemu node,memdev=m0,cpus=0 --qemu -numa --qemu node,memdev=m1,cpus=1
# build: linux_vm.c
# Memory from the NUMA node that was asked for, and from no other.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

# In MiB, with the free pages in the lists of each CPU. Others take and free a little meanwhile.
free_on()
{
	awk -v node="$1" '
		FILENAME ~ /meminfo/ && $3 == "MemFree:" { n += $4 }
		/^Node/ && FILENAME ~ /zoneinfo/ { here = $2 == node "," }
		here && $1 == "count:" { n += 4 * $2 }
		END { print int(n / 1024) }' "/sys/devices/system/node/node$1/meminfo" /proc/zoneinfo
}

module_load
[ -d /sys/devices/system/node/node1 ] || fail 'the machine has one node only'
for node in 0 1; do
	other=$((1 - node))
	before=$(free_on $node)
	before_other=$(free_on $other)
	expect 0 linux_vm -d -m 128 -N $node there spin
	took=$((before - $(free_on $node)))
	took_other=$((before_other - $(free_on $other)))
	echo "node $node gave $took MiB, node $other $took_other MiB"
	[ $took -ge 120 ] || fail "the memory is not on node $node"
	[ $took_other -lt 8 ] || fail "some memory is on node $other"
	expect 0 linux_vm destroy there
done
expect 2 linux_vm -N 2 nowhere exit
said 'no memory on NUMA node 2'

# More than a node has: refused if that node was asked for
expect 2 linux_vm -m 600 -N 1 large exit
said 'on node 1, which has' 'in all'
[ "$(wc -l <out)" = 1 ] || fail 'not one line'
expect 2 linux_vm -m 496 -N 1 large exit
said 'node 1' 'is in the way' 'were found'
[ "$(wc -l <out)" = 1 ] || fail 'not one line'
# The node of the creator comes first
before=$(free_on 1)
expect 0 taskset 2 linux_vm -d -m 64 near spin
took=$((before - $(free_on 1)))
echo "node 1 gave $took MiB to a creator on it"
[ $took -ge 60 ] || fail 'the memory is not near its creator'
expect 0 linux_vm destroy near

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 400
# lab: --with-linux --smp 4 --mem 3G --qemu -object --qemu memory-backend-ram,id=m0,size=1536M --qemu -object --qemu memory-backend-ram,id=m1,size=1536M --qemu -numa --qemu node,memdev=m0,cpus=0-1 --qemu -numa --qemu node,memdev=m1,cpus=2-3 --qemu -numa --qemu dist,src=0,dst=1,val=35
# A Linux guest with memory on two nodes sees them, its CPUs run near their memory, and a CPU far from
# all of it is warned of.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

trap guests_end EXIT

# vm NODES CPUS - a description in the file vm: 256 MiB on each node, so many vCPUs or these CPUs
vm()
{
	echo 'name: numa'
	echo 'kernel: /lab/vmlinuz'
	echo 'initrd: /lab/guest.cpio'
	echo "cmdline: \"$cmdline\""
	echo 'on_reboot: stop'
	echo "$2"
	echo 'memory:'
	for node in $1; do echo "  - {size: 256MiB, node: $node}"; done
}

module_load
[ -d /sys/devices/system/node/node1 ] || fail 'the machine has one node only'
nodes=/sys/devices/system/node
# Linux takes 32 words for the first process at most
cmdline="console=ttyS0 quiet mitigations=off nokaslr panic=-1 -- cd $nodes; grep . online */cpulist */distance; grep -h MemTotal */meminfo; dmesg | grep -E '[S]RAT|[C]all.Trace|[W]ARNING|[n]ot.on.the.same'; sleep 3; echo last line"
vm '1 0' 'vcpus: 4' >vm.yaml
v3 run --timeout 200 vm.yaml </dev/null >log 2>&1 &
pid=$!
soon is numa running || fail "numa is $(state numa): $(cat log)"
# The guest's node 0 is the host's node 1
for i in 0 1 2 3; do
	task=$(grep -lsx "v3/numa/$i" /proc/[0-9]*/comm || true)
	cpus=$(awk '$1 == "Cpus_allowed_list:" { print $2 }' "${task%comm}status")
	echo "vCPU $i may run on $cpus"
	case $i$cpus in
	[01][23] | [23][01]) ;;
	*) fail "vCPU $i runs on CPU $cpus, far from its memory" ;;
	esac
done
wait $pid || fail "v3 run ended with $?: $(cat log)"
tr -d '\r' <log >out
said 'last line' 'online:0-1' 'node0/cpulist:0-1' 'node1/cpulist:2-3' 'node0/distance:10 35' \
	'node1/distance:35 10'
! grep -E 'Call Trace|WARNING|not on the same' out || fail 'the kernel complained'
grep -q 'ACPI: SRAT: Node 1' out || fail 'where the nodes are from'
for n in 0 1; do
	kib=$(sed -n "s/^Node $n MemTotal: *\([0-9]*\) kB.*/\1/p" out)
	{ [ "${kib:-0}" -gt 150000 ] && [ "$kib" -le 262144 ]; } || fail "node $n has '$kib' KiB"
done

# One node: none is shown. A CPU without memory near it is warned of.
! dmesg | grep -q 'where the VM has no memory' || fail 'a warning without reason'
vm 1 "cpus: [1]" >vm.yaml
expect 0 v3 run --timeout 200 vm.yaml
said 'last line' 'online:0'
! grep -q SRAT out || fail 'one node has an SRAT'
dmesg | grep -q 'vCPU 0 is on CPU 1 of node 0, where the VM has no memory' || fail "no warning: $(dmesg)"

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 90
# suite: long
# lab: --smp 2 --mem 1G --append memory_hotplug.memmap_on_memory=1 --qemu -m --qemu slots=2,maxmem=4G --qemu -object --qemu memory-backend-ram,id=d0,size=128M --qemu -device --qemu pc-dimm,memdev=d0 --qemu -object --qemu memory-backend-ram,id=d1,size=256M --qemu -device --qemu pc-dimm,memdev=d1
# build: linux_vm.c
# DIMMs: what guests have of one keeps it in its slot; one that holds its own struct pages, as the kernel
# can have it for those of one memory block, is not taken.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

starts() { v3 mem list | awk '$2 ~ /^0x/ { printf "%s ", $2 }'; }
# eject N - the Nth DIMM, which is gone or not soon after
eject() { echo 1 >/sys/bus/acpi/devices/PNP0C80:0"$1"/eject 2>/dev/null || true; }
is_there() { [ -d /sys/devices/system/memory/memory"$1" ]; }
is_gone() { ! is_there "$1"; }

module_load
expect 42 linux_vm -c 1 -m 16 warm exit
for block in 32 33 34; do
	echo online_movable >/sys/devices/system/memory/memory$block/state
done
memory_now >before

# Blocks 33 and 34 are the larger DIMM; 32 is not taken, though it is the last that is movable
expect 0 v3 mem take 128MiB --offline
expect 0 v3 mem take 128MiB --offline
[ "$(starts)" = '0x108000000 ' ] || fail "taken: $(starts)"
expect 0 v3 mem take 128MiB --offline
case $(starts) in
*0x100000000*) fail "taken: $(starts)" ;;
esac

# In use and in its slot; the guest ends, and it comes back, as often as it is tried
expect 0 linux_vm -H -d -m 384 user spin
eject 1
sleep 1
is_there 33 || fail 'a DIMM was removed that a guest uses'
expect 0 linux_vm destroy user
expect 0 v3 mem give
memory_back before
expect 0 v3 mem take 128MiB --offline
eject 1
sleep 1
is_there 34 || fail 'a DIMM was removed that is held'
expect 0 v3 mem give
memory_back before

# Nobody has them: they go
echo offline >/sys/devices/system/memory/memory34/state || fail 'a block cannot go offline any more'
eject 0
soon is_gone 32 || fail 'a DIMM stays'

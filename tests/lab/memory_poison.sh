# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 90
# suite: long
# lab: --smp 2 --mem 1G
# build: linux_vm.c
# Memory with hardware errors: it is not handed out, neither to guests nor to the host.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

# flags PFN - of a page frame: 80000 is a hardware error, 400 free memory of the page allocator
flags() { dd if=/proc/kpageflags bs=8 skip="$1" count=1 2>/dev/null | od -An -tx8; }
# poison ADDRESS - the kernel says that it cannot do more about some pages than not to use them again
poison() { echo "$1" >/sys/devices/system/memory/hard_offline_page 2>/dev/null || true; }
taken() { v3 mem list | awk '$2 ~ /^0x/ { print $2; exit }'; }

module_load

# The first of 1024 pages, which the page allocator can have as one, and one among the next 1024
expect 0 v3 mem take 64MiB
start=$(taken)
for page in 0 1030; do
	poison $((start + page * 4096))
	[ $((0x$(flags $((start / 4096 + page)) | tr -d ' ') & 0x80000)) != 0 ] ||
		fail "page $page has no hardware error"
done
expect 0 v3 mem give
expect 0 v3 mem take 64MiB
[ "$(taken)" != "$start" ] || fail 'the same memory was taken again'
for page in 0 1030; do
	[ $((0x$(flags $((start / 4096 + page)) | tr -d ' ') & 0x400)) = 0 ] ||
		fail "page $page is free memory: $(flags $((start / 4096 + page)))"
done
expect 0 v3 mem give

# While it is held: a guest gets other memory, and what is bad goes back to the host
expect 0 v3 mem take 192MiB
start=$(taken)
poison $((start + 30 * 4096))
expect 42 linux_vm -H -m 64 -c 1 sound zeros
dmesg | grep 'v3:.*hardware error at .*, in memory held for guests: 64 MiB go back to the host' ||
	fail 'nothing was said'
[ "$(v3 mem list | awk '$1 == 0 { print $6; exit }')" = 128 ] || fail "$(v3 mem list)"
[ $((0x$(flags $((start / 4096 + 30)) | tr -d ' ') & 0x400)) = 0 ] || fail 'the page is free memory'
expect 0 v3 mem give

# Of a memory block: it might go offline, but is not taken for guests
expect 0 v3 mem take 128MiB --offline
start=$(taken)
expect 0 v3 mem give
poison $((start + 1048576))
expect 0 v3 mem take 128MiB --offline
[ "$(taken)" != "$start" ] || fail 'a memory block with a hardware error was taken'
expect 0 v3 mem give

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# lab: --with-linux --mem 3G
# Files and values that are not what they should be: one line that names the thing, and a live host.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

# refuses STATUS TEXT ARGUMENT... - v3 run does not start this.
refuses()
{
	want=$1 text=$2
	shift 2
	expect "$want" v3 run --timeout 20 "$@"
	one_line
	said "$text"
}

# damage FILE OFFSET BYTES - copies the lwk image to FILE with some bytes changed, and without the
# multiboot header that would still make it a kernel.
damage()
{
	cp /lab/lwk.elf "$1"
	printf '\000\000\000\000' | dd of="$1" bs=1 seek=4096 conv=notrunc 2>/dev/null
	printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

module_load
refuses 245 nosuch.elf nosuch.elf
refuses 245 nosuch.yaml nosuch.yaml
: >empty.elf
refuses 245 empty.elf empty.elf
mkdir folder.elf
refuses 245 folder.elf folder.elf
head -c 100000 /dev/urandom >noise.elf
refuses 245 noise.elf noise.elf
head -c 40 /lab/lwk.elf >short.elf
refuses 245 short.elf short.elf
damage class.elf 4 '\001'
refuses 245 32-bit class.elf
damage machine.elf 18 '\267'
refuses 245 'another machine' machine.elf
damage entry.elf 24 '\000\000\000\000\377\377\377\177'
refuses 245 entry entry.elf
damage phoff.elf 32 '\377\377\377\377\377\377\377\177'
refuses 245 phoff.elf phoff.elf
refuses 245 nosuch.cpio --initrd nosuch.cpio /lab/lwk.elf

head -c 600 /lab/vmlinuz >short.bz
refuses 245 short.bz short.bz
head -c 1000000 /lab/vmlinuz >cut.bz
refuses 245 'cut short' cut.bz

# A bad description is named with its line
printf 'name: x\nkernel: /lab/lwk.elf\nmemory: lots\n' >value.yaml
refuses 245 value.yaml:3 value.yaml
printf 'name: x\nkernel: /lab/lwk.elf\ncolour: red\n' >key.yaml
refuses 245 key.yaml:3 key.yaml
printf 'name: [x\nkernel: /lab/lwk.elf\n' >syntax.yaml
refuses 245 syntax.yaml: syntax.yaml
printf -- '- a\n- b\n' >list.yaml
refuses 245 list.yaml: list.yaml
head -c 2000 /dev/urandom >noise.yaml
refuses 245 noise.yaml noise.yaml

# Values
refuses 246 lots -m lots /lab/lwk.elf
refuses 246 3M -m 3M /lab/lwk.elf
refuses 245 memory -m 64G /lab/lwk.elf
refuses 245 memory -m 4M /lab/vmlinuz
refuses 246 '--pin' --pin 1-0 /lab/lwk.elf
refuses 245 99 --pin 99 /lab/lwk.elf
refuses 246 'bad/name' --name 'bad/name' /lab/lwk.elf

expect 0 v3 list
[ "$(wc -l <out)" = 1 ] || fail 'something was left'
expect 0 v3 run -m 64M -a run=hello /lab/lwk.elf

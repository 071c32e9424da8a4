# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# build: mb_image.c
# Multiboot kernels of each kind of file, with modules, from the command line and from descriptions.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
printf first >one
printf second >two
for kind in elf32 elf64 high32 high64 flat; do
	mb_image $kind kernel || fail "mb_image $kind"
	# What has no other entry is recognized, modules mean this one.
	case $kind in
	elf64 | high64) entry='--entry multiboot' ;;
	*) entry='' ;;
	esac
	# shellcheck disable=SC2086 # words
	expect 0 v3 run $entry -m 64M -a 'a line' kernel
	said 'a line' '00000000 0009fc00 00000001' '00100000 03f00000 00000001' \
		'exited with code 0'
	expect 0 v3 run -m 64M --initrd two --module 'one this is one' --module one \
		-a 'a line' kernel
	said 'a line' '=second' 'this is one=first' 'one=first'
done

# The last one, flat, by a description; files relative to its folder.
mkdir guest
mv kernel one two guest
printf '%s\n' 'kernel: kernel' 'cmdline: a line' 'memory: 64MiB' 'modules:' '- file: one' \
	'  args: with words' '- file: two' >guest/guest.yaml
expect 0 v3 run guest/guest.yaml
said 'a line' 'with words=first' 'two=second'

# Modules for others, a module that is missing, a module that does not fit.
expect 245 v3 run -m 64M --module guest/one /lab/lib.sh
one_line
said 'no multiboot header'
expect 245 v3 run -m 64M --module guest/one --entry 32 guest/kernel
one_line
said 'modules are for multiboot kernels'
expect 245 v3 run -m 64M --module guest/three guest/kernel
one_line
said 'guest/three: No such file'
dd if=/dev/zero of=large bs=1M count=80 2>/dev/null
expect 245 v3 run -m 64M --module large guest/kernel
one_line
said 'module 0' 'more memory'

# Malformed address fields; header at 0: load_addr, load_end_addr, bss_end_addr, entry_addr from 16 on.
bad()
{
	cp guest/kernel bad
	printf '%b' "$2" | dd of=bad bs=1 seek="$1" conv=notrunc 2>/dev/null
	expect 245 v3 run -m 64M --entry multiboot bad
	one_line
	said "$3"
}
bad 16 '\000\000\040\000' 'load_addr'			# load_addr above header_addr
bad 20 '\000\000\001\000' 'load_end_addr'		# below load_addr
bad 20 '\000\000\040\000' 'load_end_addr'		# behind the file
bad 24 '\004\000\020\000' 'bss_end_addr'		# within what is loaded
bad 24 '\000\000\000\077' 'memory'			# more than the guest has
bad 28 '\000\000\040\000' 'entry'			# outside
bad 28 '\000\000\000\000' 'entry'

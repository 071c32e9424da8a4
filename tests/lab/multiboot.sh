# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# The lightweight kernel by its other entry, that of the multiboot header.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
expect 0 v3 run -m 64M --entry multiboot -a run=hello /lab/lwk.elf
said 'lwk: entry' 'lwk: multiboot' 'run=hello' 'Hello from a lightweight kernel.' \
	'exited with code 0'
expect 42 v3 run -m 1G --entry multiboot -a 'run=exit code=42' /lab/lwk.elf

# By a description; an initial RAM disk is a module.
cp /lab/lwk.elf kernel.elf
cp /lab/lib.sh initrd
printf 'kernel: kernel.elf\ncmdline: run=hello\nmemory: 64MiB\nentry: multiboot\ninitrd: initrd\n' >guest.yaml
expect 0 v3 run guest.yaml
said 'lwk: multiboot'

# Not an ELF file any more, but the header has addresses: found without being asked for.
printf 'XXXX' | dd of=kernel.elf bs=1 conv=notrunc 2>/dev/null
expect 0 v3 run -m 64M -a run=hello kernel.elf
said 'lwk: multiboot' 'Hello from a lightweight kernel.'

# Damaged headers: the flag for a video mode, a load address outside of memory, no header.
damage() { printf '%b' "$2" | dd of=kernel.elf bs=1 seek="$1" conv=notrunc 2>/dev/null; }
damage 4100 '\0007'
damage 4104 '\0367'
expect 245 v3 run -m 64M --entry multiboot kernel.elf
one_line
said 'kernel' 'video mode'
cp /lab/lwk.elf kernel.elf
damage 4111 '\0020'
damage 4115 '\0020'
damage 4119 '\0020'
damage 4123 '\0020'
expect 245 v3 run -m 64M --entry multiboot kernel.elf
one_line
said 'kernel' 'memory'
cp /lab/lwk.elf kernel.elf
damage 4096 'X'
expect 245 v3 run -m 64M --entry multiboot kernel.elf
one_line
said 'no multiboot header'

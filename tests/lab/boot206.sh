# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# build: boot206.c
# lab: --smp 4 --multi
# An old kernel by the 32-bit entry of the Linux boot protocol: MP table, 8254 and port 0x61, start of the
# other CPUs, all without ACPI.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
boot206 kernel
printf 'first process\0' >initrd
for vcpus in 1 2 4; do
	expect 0 v3 run -m 64M --vcpus $vcpus --initrd initrd -a 'some words' kernel
	said 'some words' 'first process' 'exited with code 0'
	# once from the table, once from those that ran
	[ "$(grep -cx $vcpus out)" = 2 ] || fail "there are not $vcpus CPUs"
done
expect 245 v3 run -m 64M --entry 64 kernel
one_line
said 'no 64-bit entry'
expect 245 v3 run -m 64M -a "$(printf '%0300d' 0)" kernel
one_line
said '255'

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# build: cli_pty.c
# Large images: the bar on a terminal and nowhere else; images that do not fit.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
truncate -s 200M big.img
expect 0 cli_pty 60 'loading [' '' 'of 200.' '' 'Hello from' '' -- \
	v3 run -m 512M --initrd big.img -a run=hello /lab/lwk.elf
said 'the terminal is as before'
expect 0 v3 run -m 512M --initrd big.img -a run=hello /lab/lwk.elf
! grep -q loading out || fail 'a bar without a terminal'
expect 245 v3 run -m 200M --initrd big.img /lab/lwk.elf
one_line
said 'v3: '

# A kernel with more bss than the guest has memory
cp /lab/lwk.elf bss.elf
# p_memsz of the last program header: 128 GiB and a bit
count=$(($(od -An -tu2 -j56 -N2 bss.elf)))
printf '\040' | dd of=bss.elf bs=1 seek=$((64 + 56 * (count - 1) + 40 + 4)) conv=notrunc 2>/dev/null
expect 245 v3 run -m 64M bss.elf
one_line
said bss.elf
expect 0 v3 list
[ "$(wc -l <out)" = 1 ] || fail 'something was left'

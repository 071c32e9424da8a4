# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 90
# build: ioctl_mem.c
# Wrong requests about memory: each fails with its own errno and message, nothing is left behind.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
v3 mem list >/dev/null
memory_now >before
expect 0 ioctl_mem
memory_back before
expect 0 rmmod v3
memory_back before

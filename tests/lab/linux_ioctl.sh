# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 150
# build: ioctl_bad.c
# Wrong requests of every kind: each fails with its own errno and message, nothing is left behind.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
expect 0 ioctl_bad
expect 0 rmmod v3

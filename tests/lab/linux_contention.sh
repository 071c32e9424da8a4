# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 90
# build: ioctl_race.c
# Four processes create, run, open and destroy the same two VMs: none fails, nothing is left behind.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
expect 0 ioctl_race
expect 0 rmmod v3

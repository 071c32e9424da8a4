# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 400
# lab: --smp 4 --multi
# build: smp_churn.c
# As smp_churn.sh, a thousand times.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
expect 0 smp_churn 1000
said 'churn: 1000 guests'
expect 0 rmmod v3

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 150
# lab: --smp 4 --multi
# build: smp_churn.c
# Guests of 1 to 8 vCPUs are made and destroyed in every state; all memory comes back.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
expect 0 smp_churn 128
said 'churn: 128 guests'
expect 0 rmmod v3

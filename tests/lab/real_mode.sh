# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# build: real_image.c
# Code in real mode that the CPU runs: what vmx_realmode.sh has executed in software.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
real_image real || fail real_image
expect 0 v3 run -m 64M --timeout 20 real
said 'real mode: ok'

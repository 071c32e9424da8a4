# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 240
# lab: --smp 4 --multi
# IPIs of all kinds with real concurrency, and with more vCPUs than host CPUs.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
for seed in 1 2; do
	for n in 2 4; do
		expect 0 v3 run -m 64M --vcpus $n --timeout 80 -a "run=smp,ipistorm n=400 seed=$seed" \
			/lab/lwk.elf
		said "smp: $n CPUs added up" 'ipistorm: x2apic: 400 wake-ups'
	done
done
expect 0 v3 run -m 64M --vcpus 8 --timeout 100 -a 'run=smp,ipistorm n=60' /lab/lwk.elf
said 'smp: 8 CPUs added up 480, 480 expected' 'ipistorm: x2apic: 60 wake-ups'

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 240
# lab: --smp 4
# Guests with 1, 2, 4 and 8 vCPUs on 4 CPUs that take turns: start, sums, TSC, IPIs of all kinds.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
for n in 1 2 4 8; do
	expect 0 v3 run -m 64M --vcpus $n --timeout 60 -a 'run=smp,ipistorm n=100' \
		/lab/lwk.elf
	said "lwk: $n CPUs, started in" 'found by the MADT' "smp: hello from CPU $((n - 1))," \
		"smp: $n CPUs added up $((100 * n)), $((100 * n)) expected" \
		'TSC went back by at most 0 ticks' 'ipistorm: flat: 100 wake-ups' \
		'ipistorm: cluster: 100 wake-ups' 'ipistorm: x2apic: 100 wake-ups'
done

# Several vCPUs on one host CPU
expect 0 taskset 2 v3 run -m 64M --vcpus 4 --timeout 100 -a 'run=smp,ipistorm n=30' \
	/lab/lwk.elf
said 'smp: 4 CPUs added up 120, 120 expected' 'ipistorm: x2apic: 30 wake-ups'

# Fewer CPUs than there are: the others are not disturbed, and do not disturb
expect 0 v3 run -m 64M --vcpus 4 --timeout 60 -a 'run=smp,ipistorm n=100 cpus=3' \
	/lab/lwk.elf
said 'lwk: 3 CPUs, started in' 'ipistorm: x2apic: 100 wake-ups'

expect 0 v3 run -m 64M --vcpus 2 --timeout 60 -a 'run=ipi n=50' /lab/lwk.elf
for name in ipi_roundtrip hlt_wake timer_fire; do
	said "bench: name=$name min="
done

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with tests/vmx/run
#
# The cases of tests/vmx/run: each boots a machine and says what it expects of it.

# AMD-V by another emulator than QEMU, with next RIPs saved, flushes by ASID and a pause filter. What
# is missing of lwk's programs is what Bochs lacks, see README.md.
case_ryzen()
{
	local row rows=()

	for row in empty cpuid msr port mmio_ioapic hypercall mmio_lapic self_ipi self_ipi_x2apic; do
		rows+=("^bench: name=$row min=[1-9][0-9]* med=[1-9][0-9]* max=[1-9][0-9]* n=20\$")
	done
	machine ryzen 'stats=1' 'run=hello,cpuid,tick,rearm,cpu,absent,romwrite,vector n=20'
	expect 0 '^minimal_host: entry$' '^minimal_host: libv3 [0-9.]+, svm, ' '^lwk: entry$' \
		"hypervisor 'libv3VMMcore'" '^Hello from a lightweight kernel\.$' "${rows[@]}" \
		'^tick: counted 20$' '^rearm: timer of 4000 us fired after [0-9]+ us$' \
		'^cpu: surprises: cr4=0 efer=0 xsave=0 msrs=0$' \
		'^absent: surprises: ports=0 mmio=0 msrs=0$' \
		'^romwrite: now 0x[0-9a-f]{8}: unchanged$' '^vector: surprises: 0, AVX: yes$' \
		'^minimal_host: guest ended: exit, code 0' '^minimal_host: stats: .* ram_faults=0 '
}

case_ryzen_exit_code()
{
	machine ryzen '' 'run=exit code=42'
	expect 42 '^minimal_host: guest ended: exit, code 42'
}

case_ryzen_fault_dump()
{
	machine ryzen '' 'run=ud addr=0x200000000'
	expect 112 '^lwk: unexpected page fault \(vector 14, error 0x0\) at rip 0x200000000$'
}

# With time from counted instructions, two runs agree to the last digit.
case_ryzen_deterministic()
{
	machine ryzen '' 'run=cpuid,tick n=5'
	expect 0
	cp "$log" "$log.first"
	machine ryzen '' 'run=cpuid,tick n=5'
	expect 0
	cmp -s "$log" "$log.first" || complaint+='two runs differ; '
}

# This build has no back end for VT-x: the host says what it misses and ends.
no_back_end()
{
	machine "$1" '' 'run=hello'
	expect 121 '^minimal_host: error: v3: this CPU has no ' '^minimal_host: v3_init: not supported'
}

case_skylake_x() { no_back_end skylake_x; }
case_haswell_4770() { no_back_end haswell_4770; }
case_sandy_bridge_2600k() { no_back_end sandy_bridge_2600k; }
case_penryn_t9600() { no_back_end penryn_t9600; }

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with tests/vmx/run
#
# The cases of tests/vmx/run: each boots a machine and says what it expects of it.

# programs MODEL BACK-END PROGRAMS [OPTION] - what a guest can do by itself, in one machine.
programs()
{
	local row rows=()

	for row in empty cpuid msr port mmio_ioapic hypercall mmio_lapic self_ipi self_ipi_x2apic; do
		rows+=("^bench: name=$row min=[1-9][0-9]* med=[1-9][0-9]* max=[1-9][0-9]* n=20\$")
	done
	machine "$1" "stats=1 ${4:-}" "run=hello,cpuid,tick,rearm,cpu,absent,firmware,vector$3 n=20"
	expect 0 '^minimal_host: entry$' "^minimal_host: libv3 [0-9.]+, $2, " '^lwk: entry$' \
		"hypervisor 'libv3VMMcore'" '^Hello from a lightweight kernel\.$' "${rows[@]}" \
		'^tick: counted 20$' '^rearm: timer of 4000 us fired after [0-9]+ us$' \
		'^cpu: surprises: cr4=0 efer=0 xsave=0 msrs=0$' \
		'^absent: surprises: ports=0 mmio=0 msrs=0$' \
		'^firmware: 0 of 65536 words lost' '^vector: surprises: 0, AVX: yes$' \
		'^minimal_host: guest ended: exit, code 0' '^minimal_host: stats: .* ram_faults=0 '
}

intel_programs()
{
	programs "$1" vmx ,debug
	expect 0 '^debug: rounds=20 execution=20 write=20 access=20 step=20 detect=20 wrong=0$'
}

case_skylake_x() { intel_programs skylake_x; }
case_haswell_4770() { intel_programs haswell_4770; }
case_sandy_bridge_2600k() { intel_programs sandy_bridge_2600k; }

# AMD-V by another emulator than QEMU, with next RIPs saved, flushes by ASID and a pause filter.
# What is missing of lwk's programs is what Bochs lacks, see README.md.
case_ryzen() { programs ryzen svm ''; }

# The same without all that is optional.
case_features_off()
{
	programs skylake_x vmx ,debug \
		off=vpid,invvpid-one,invept-one,ept-2m,ept-1g,tpr-shadow,ple,wbinvd,rdtscp,invpcid,apic-access,virtual-x2apic,apic-registers,virtual-interrupts,preemption-timer,l1d-flush,md-clear,ept-ad,xsaves,tsc-scaling,unrestricted-guest
	expect 0 ', 1 ASIDs, nested leaves of 1 GiB: no$' ' leaf_2m=0 ' \
		'^debug: rounds=20 .* wrong=0$'
}

# The local APIC with a part of what the CPU can do of it by itself. Reads of registers and ends of
# interrupts exit where they are not virtualized, and not where they are.
case_apic_registers_off() { programs skylake_x vmx '' off=apic-registers; }

case_virtual_interrupts_off()
{
	programs skylake_x vmx '' off=virtual-interrupts
	expect 0 '^minimal_host: stats: .* intc=[1-9]'
}

case_apic_access_off() { programs skylake_x vmx '' off=apic-access; }

# An APIC-access page, and no register behind it.
case_apic_access_alone()
{
	programs sandy_bridge_2600k vmx '' off=apic-where-faster
}

case_virtual_x2apic_off() { programs skylake_x vmx '' off=virtual-x2apic; }

# Next RIPs stay: without them interrupts are virtual interrupts, which Bochs does not deliver.
case_ryzen_features_off()
{
	programs ryzen svm '' off=decode-assist,clean-bits,flush-by-asid,pause-filter,npt-1g,xsaves
	expect 0 'nested leaves of 1 GiB: no$'
}

case_feature_unknown()
{
	machine skylake_x 'off=vpid,nosuch' 'run=hello'
	expect 121 "feature 'nosuch' cannot be switched off: there are vpid invvpid-one " \
		'^minimal_host: v3_init: invalid'
}

# Without extended page tables: one clear message, and nothing is left of what was begun.
case_penryn_t9600()
{
	machine penryn_t9600 '' 'run=hello'
	expect 121 '^minimal_host: error: v3: .*EPT' '^minimal_host: v3_init: not supported$' \
		'^minimal_host: exit code 121$'
	reject '^lwk: entry'
}

case_exit_code()
{
	machine skylake_x '' 'run=exit code=42'
	expect 42 '^minimal_host: guest ended: exit, code 42'
}

case_fault_dump()
{
	machine skylake_x '' 'run=ud addr=0x200000000'
	expect 112 '^lwk: unexpected page fault \(vector 14, error 0x0\) at rip 0x200000000$'
}

case_triple_fault()
{
	machine skylake_x '' 'run=triple'
	expect 125 '^minimal_host: guest ended: crash, code [0-9]+: .*triple fault'
}

case_jump_to_nothing()
{
	machine skylake_x 'timeout=20' 'run=ud'
	expect 125 '^minimal_host: guest ended: crash, code [0-9]+: .*no memory.*0xd0000000'
}

case_unemulated_stop()
{
	machine skylake_x '' 'run=lacking'
	expect 125 '^minimal_host: guest ended: crash, code 0: .*no emulation for instruction 0f 58 .. at'
}

case_unemulated_ud()
{
	machine skylake_x 'unemulated_ud=1' 'run=lacking'
	expect 112 '^lwk: unexpected invalid opcode \(vector 6'
}

case_halt()
{
	machine skylake_x 'timeout=1' 'run=halt'
	expect 124 '^minimal_host: info: .*HLT with interrupts off' \
		'^minimal_host: guest ended: stopped'
}

case_spin()
{
	machine skylake_x 'timeout=1' 'run=spin'
	expect 124 '^spin: for ever$' '^minimal_host: guest ended: stopped'
}

case_flood()
{
	machine haswell_4770 '' 'run=flood n=100'
	expect 0 '^flood: done, 100 lines$'
	sed -n 's/^flood  *\([0-9]*\) abc.*XYZ$/\1/p' "$log" | cmp -s - <(seq 100) ||
		complaint+='console output is damaged; '
}

# Guest RAM in large leaves, of 1 GiB where the CPU has them, complete at launch.
case_large_memory()
{
	memory=1280
	machine skylake_x 'mem=512M stats=1' 'run=stream size=16K ntimes=1'
	expect 0 '^stream: name=triad mbs=[1-9]' '^minimal_host: stats: ram=536870912 ' \
		'^minimal_host: stats: .* ram_faults=0 '
	reject 'wrong result'
}

# Debian's own kernel to user space and back, with everything that the CPU has for a local APIC, and
# XSAVES for its tasks.
case_linux()
{
	local kver

	kver=$(v3_kernel cloud) || {
		complaint+="Debian's kernel cannot be had; "
		return
	}
	v3_tree_base "$tmp/guest" "$here/../../scripts/lib/guest-init"
	v3_tree_pack "$tmp/guest" "$tmp/guest.cpio"
	guest=$(v3_kernel_image "$kver") initrd=$tmp/guest.cpio
	limit=240 memory=768
	machine skylake_x 'mem=256M timeout=200 stats=1 entry=64' \
		'console=ttyS0 panic=-1 quiet mitigations=off nokaslr cryptomgr.notests
		initcall_blacklist=load_system_certificate_list,trace_eval_init -- uname -r;
		grep -o -m 1 -w xsaves /proc/cpuinfo; dmesg | grep -o -w compacted'
	expect 0 "^$kver" '^xsaves$' '^compacted$' '^guest: the command ended with 0' \
		'^minimal_host: guest ended: power off' '^minimal_host: stats: .* ram_faults=0 '
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

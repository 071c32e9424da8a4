# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with tests/svm/run
#
# The cases of tests/svm/run: each boots one machine and says what it expects of it.

case_hello()
{
	guest '' 'run=hello'
	expect 0 '^lwk: entry$' '^lwk: 64-bit Linux boot, command line .run=hello.$' \
		"hypervisor 'libv3VMMcore'" '^Hello from a lightweight kernel\.$' \
		'^minimal_host: guest ended: exit, code 0'
}

case_exit_code()
{
	guest '' 'run=exit code=42'
	expect 42 '^minimal_host: guest ended: exit, code 42'
}

case_usage()
{
	guest '' 'run=nothing'
	expect 2 "^lwk: run= names an unknown program 'nothing'"
}

case_cost()
{
	local row rows=()

	for row in empty cpuid msr port mmio_ioapic hypercall mmio_lapic self_ipi; do
		rows+=("^bench: name=$row min=[1-9][0-9]* med=[1-9][0-9]* max=[1-9][0-9]* n=200\$")
	done
	guest 'stats=1' 'run=cpuid n=200'
	expect 0 "${rows[@]}" '^minimal_host: stats: .* ram_faults=0 '
}

# One instruction is one TSC tick: two runs must agree to the last digit.
case_deterministic()
{
	extra=(-icount 'shift=0,sleep=off')
	guest '' 'run=cpuid n=20'
	expect 0
	cp "$log" "$log.first"
	guest '' 'run=cpuid n=20'
	expect 0
	cmp -s "$log" "$log.first" || complaint+='two runs under -icount differ; '
}

case_stream()
{
	guest '' 'run=stream size=16K ntimes=2'
	expect 0 '^stream: name=copy mbs=[1-9]' '^stream: name=triad mbs=[1-9]'
	reject 'wrong result'
}

case_tick()
{
	guest '' 'run=tick hz=100 n=20'
	expect 0 '^tick: counted 20$'
}

case_rearm()
{
	extra=(-icount 'shift=0,sleep=off')
	guest '' 'run=rearm'
	expect 0 '^rearm: timer of 4000 us fired after [0-9]+ us$'
}

# Features, reserved bits, XSAVE sizes and MSRs agree.
case_cpu()
{
	guest '' 'run=cpu'
	expect 0 '^cpu: unknown MSRs: fault fault$' '^cpu: surprises: cr4=0 efer=0 xsave=0 msrs=0$' \
		'^minimal_host: info: v3: guest: vCPU 0: write of unknown MSR 0x12345678: #GP'
}

# Debug registers are the guest's while it runs.
case_debug()
{
	guest '' 'run=debug n=50'
	expect 0 '^debug: rounds=50 execution=50 write=50 access=50 step=50 detect=50 wrong=0$'
}

# Guest RAM in large leaves, complete at launch.
case_large_memory()
{
	memory=2560M
	guest 'mem=1G stats=1' 'run=stream size=1M ntimes=1'
	expect 0 '^minimal_host: stats: ram=1073741824 leaf_1g=1073741824 leaf_2m=0 leaf_4k=0 table_pages=2 ' \
		'^minimal_host: stats: .* ram_faults=0 '
}

case_absent()
{
	guest '' 'run=absent'
	expect 0 '^absent: surprises: ports=0 mmio=0 msrs=0$'
}

# The firmware's tables are found, and their memory is the guest's to use.
case_firmware()
{
	guest 'stats=1' 'run=firmware'
	expect 0 '^firmware: ACPI found, MP table found$' '^firmware: 0 of 65536 words lost$' \
		'^minimal_host: stats: .* ram_faults=0 '
}

case_flood()
{
	guest '' 'run=flood n=300'
	expect 0 '^flood: done, 300 lines$'
	# Every line, whole, once and in order.
	sed -n 's/^flood  *\([0-9]*\) abc.*XYZ$/\1/p' "$log" | cmp -s - <(seq 300) ||
		complaint+='console output is damaged; '
}

# Vector loads and stores of devices, of nothing, and across the end of RAM: the emulator's work.
case_vector()
{
	guest '' 'run=vector'
	expect 0 '^vector: I/O APIC version 0x[0-9a-f]+$' '^vector: surprises: 0, AVX: yes$'
}

# The same on a CPU without AVX and XSAVE: the guest's registers are switched by FXSAVE.
case_vector_sse()
{
	extra=(-cpu 'EPYC,+svm,+npt,-xsave,-avx,-avx2')
	guest '' 'run=vector'
	expect 0 '^vector: surprises: 0, AVX: no$'
}

# What cannot be emulated shows its bytes, or raises #UD.
case_unemulated_stop()
{
	guest '' 'run=lacking'
	expect 125 '^minimal_host: guest ended: crash, code 0: .*no emulation for instruction 0f 58 [0-9a-f]{2} at'
}

case_unemulated_ud()
{
	guest 'unemulated_ud=1' 'run=lacking'
	expect 112 '^lwk: unexpected invalid opcode \(vector 6'
}

case_triple_fault()
{
	guest '' 'run=triple'
	expect 125 '^minimal_host: guest ended: crash, code [0-9]+: .*triple fault'
}

case_jump_to_nothing()
{
	guest 'timeout=20' 'run=ud'
	expect 125 '^minimal_host: guest ended: crash, code [0-9]+: .*no memory.*0xd0000000'
}

case_fault_dump()
{
	guest '' 'run=ud addr=0x200000000'
	expect 112 '^lwk: unexpected page fault \(vector 14, error 0x0\) at rip 0x200000000$'
}

case_halt()
{
	guest 'timeout=2' 'run=halt'
	expect 124 '^minimal_host: info: .*HLT with interrupts off' \
		'^minimal_host: guest ended: stopped'
}

case_spin()
{
	guest 'timeout=2' 'run=spin'
	expect 124 '^spin: for ever$' '^minimal_host: guest ended: stopped' \
		'^minimal_host: stopped after 2 s'
}

case_too_much_memory()
{
	memory=256M
	guest 'mem=1G' 'run=hello'
	expect 121 '^minimal_host: v3_vm_create: .'
}

case_odd_memory()
{
	guest 'mem=65M' 'run=hello'
	expect 121 '^minimal_host: v3_vm_create: .'
}

# Debian's own kernel to user space and back: v3_boot_linux() with an initrd, and most devices.
case_linux()
{
	local kver

	kver=$(v3_kernel "") || {
		complaint+="Debian's kernel cannot be had; "
		return
	}
	v3_tree_base "$tmp/guest" "$here/../../scripts/lib/guest-init"
	v3_tree_pack "$tmp/guest" "$tmp/guest.cpio"
	initrd=$tmp/guest.cpio
	limit=240
	machine "$log" 'mem=512M timeout=200 stats=1 entry=64' "$(v3_kernel_image "$kver")" \
		'console=ttyS0 panic=-1 quiet -- uname -r; sleep 1; grep LOC: /proc/interrupts'
	expect 0 "^$kver" '^LOC: +[1-9]' '^guest: the command ended with 0' \
		'^minimal_host: guest ended: power off' '^minimal_host: stats: .* ram_faults=0 '
}

# By the 32-bit entry. A kernel without a root file system panics and, told to, resets the machine.
case_linux_panic()
{
	local kver

	kver=$(v3_kernel "") || {
		complaint+="Debian's kernel cannot be had; "
		return
	}
	limit=240
	machine "$log" 'mem=256M timeout=200 entry=32' "$(v3_kernel_image "$kver")" \
		'console=ttyS0 panic=-1 quiet'
	expect 123 'Kernel panic - not syncing' '^minimal_host: guest ended: reset'
}

# A device that libv3 does not have, saved under one guest and loaded under the next.
case_own_device()
{
	local host=$examples/own_device/own_device.elf

	initrd="$lwk run=doorbell n=2 count=5"
	guest '' 'run=doorbell n=5'
	expect 0 '^doorbell: 5 rings, 5 interrupts$' \
		'^own_device: loading [0-9]+ bytes of the doorbell' \
		'^doorbell: 7 rings, 3 interrupts, the first by the timer of the guest before$'
}

# The second guest does not find what it looks for: the first test could fail.
case_own_device_differs()
{
	local host=$examples/own_device/own_device.elf

	initrd="$lwk run=doorbell count=6"
	guest '' 'run=doorbell n=5'
	expect 1 '^doorbell: ID 0x42443356, rung 5 times before: not what count= says$'
}

# Files that are no kernel, or one that lies.
case_not_a_kernel()
{
	seq 1000 >"$tmp/text"
	machine "$log" '' "$tmp/text" ''
	expect 121 '^minimal_host: load the guest: .'
}

case_elf_truncated()
{
	head -c 5000 "$lwk" >"$tmp/short.elf"
	machine "$log" '' "$tmp/short.elf" ''
	expect 121 'a segment lies outside of the file$'
}

# patched OFFSET BYTES - lwk.elf with BYTES (printf escapes) at OFFSET.
patched()
{
	cp "$lwk" "$tmp/bad.elf"
	printf '%b' "$2" | dd of="$tmp/bad.elf" bs=1 seek="$1" conv=notrunc status=none
	machine "$log" '' "$tmp/bad.elf" ''
}

case_elf_entry()
{
	patched 24 '\0\0\0\1\0\0\0\0'
	expect 121 'the entry point lies in no segment$'
}

case_elf_table()
{
	patched 32 '\xff\xff\xff\xff\xff\xff\xff\xff'
	expect 121 'program headers lie outside of the file$'
}

# The first segment's address at the end of the address space, then far above the guest's RAM.
case_elf_wraps()
{
	patched 88 '\xff\xff\xff\xff\xff\xff\xff\xff'
	expect 121 'a segment wraps around the address space$'
}

case_elf_outside_ram()
{
	patched 88 '\0\0\0\0\0\1\0\0'
	expect 121 '^minimal_host: load the guest: .'
}

case_no_guest()
{
	local ended=0

	timeout 20 qemu-system-x86_64 -machine q35 -cpu EPYC,+svm,+npt -m 256M -nodefaults \
		-display none -no-reboot -net none -serial "file:$log" \
		-device isa-debug-exit,iobase=0xf4,iosize=4 -kernel "$host" \
		>"$log.qemu" 2>&1 </dev/null || ended=$?
	code=$(((ended - 1) / 2))
	expect 2 '^minimal_host: no guest: '
}

# A CPU without SVM: one clear message.
case_no_svm()
{
	extra=(-cpu 'EPYC,-svm')
	guest '' 'run=hello'
	expect 121 '^minimal_host: error: .*SVM' '^minimal_host: v3_init: not supported'
}

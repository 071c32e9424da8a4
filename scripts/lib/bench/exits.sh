# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# about: cost of exits and of a launch in instructions; sizes of tables, VMM memory and library
#
# One boot of the lab in counting mode: the same lwk image under v3 and under KVM. Sourced by
# scripts/bench.

# amd: QEMU's machine; intel: that of Bochs. See doc/benchmarks.md.
bench_exits_cpu=amd

# GROUP|NAME|LIMIT|UNIT|WHAT: LIMIT is of v3's value where it ends with "abs", of the ratio to the bare
# machine's where it ends with "bare", else of the ratio to KVM's.
bench_exits_rows()
{
	case $bench_exits_cpu in
	amd) bench_exits_all ;;
	# KVM leaves less to gain where the CPU tells it the length of instructions. The bare machine that
	# the Linux rows compare with is QEMU's.
	intel) bench_exits_all | sed -e 's/|0\.25|/|0.3|/' -e '/^linux|/d' -e 's/VMMCALL/VMCALL/' ;;
	esac
}

bench_exits_all()
{
	cat <<-END
	exits|cpuid|0.25|instructions|CPUID leaf 0
	exits|msr|0.25|instructions|RDMSR IA32_APIC_BASE
	exits|hypercall|0.25|instructions|VMMCALL
	exits|port|0.25|instructions|IN from the in-core 8259
	exits|mmio_ioapic|0.25|instructions|read of the in-core I/O APIC
	exits|mmio_lapic|0.25|instructions|read of the in-core local APIC
	exits|self_ipi|0.25|instructions|self-IPI, xAPIC ICR write to EOI
	interrupts|ipi_roundtrip|0.3|instructions|IPI to another vCPU that spins, and one back
	interrupts|hlt_wake|0.3|instructions|IPI to a vCPU in HLT, until its handler
	interrupts|timer_fire|0.3|instructions|APIC timer of 20 us, armed by its count, until its handler, less these
	interrupts|timer_cost|0.3|instructions|the same timer: all that it takes from a program that computes meanwhile
	interrupts|serial_irq|0.3|instructions|UART interrupt through the I/O APIC, until its handler is over
	launch|launch|0.1|instructions|start to first output; a guest of 4 MiB, its RAM included (KVM: 64 MiB, untouched)
	launch|launch_ram||instructions|the same with 64 MiB of RAM, allocated and zeroed
	linux|linux_init|1.1 bare|instructions|Debian's vmlinuz from launch to its init; the bare machine with its firmware
	linux|linux_kernel|1.1 bare|instructions|the same by the kernel's own clock: without firmware, loading, unpacking
	sizes|table_pages_1g|8 abs|pages|nested tables of a 1 GiB guest
	sizes|ram_faults_1g|0 abs|faults|nested faults on RAM of a 1 GiB guest
	sizes|vmm_bytes|262144 abs|bytes|VMM memory beside RAM, per VM
	sizes|vcpu_bytes|65536 abs|bytes|VMM memory per vCPU
	sizes|text|153600 abs|bytes|text and constants of the freestanding library without VT-x
	END
}

# The groups that --only takes.
bench_exits_groups() { bench_exits_rows | cut -d '|' -f 1 | uniq | tr '\n' ' '; }

# bench_exits_check GROUP... - each exists, and there is one.
bench_exits_check()
{
	local known group

	known=$(bench_exits_groups)
	[ $# -gt 0 ] || v3_die 2 "exits: --only needs some of: $known"
	for group; do
		case " $known" in
		*" $group "*) ;;
		*) v3_die 2 "exits: there is no group '$group' of rows, but: $known" ;;
		esac
	done
}

# What the guest and the bare machine boot. The lab's clock is known, so nobody has to measure it.
bench_linux_append='console=ttyS0 quiet mitigations=off nokaslr panic=-1 tsc_early_khz=1000000 lpj=4000000'
bench_linux_mem=256M

# bench_linux_initramfs TMP - TMP/init.cpio with nothing but init.c.
bench_linux_initramfs()
{
	mkdir -p "$1/init" &&
		gcc -O2 -Wall -Werror -static -o "$1/init/init" "$V3_ROOT/scripts/lib/bench/init.c" &&
		v3_tree_pack "$1/init" "$1/init.cpio"
}

# bench_linux_bare VMLINUZ TMP - the machine that the lab runs on, one CPU of it, without the lab. Its TSC
# counts from power-on.
bench_linux_bare()
{
	local options=()

	v3_machine 1 "$bench_linux_mem" icount ''
	timeout 300 qemu-system-x86_64 "${options[@]}" -serial "file:$2/bare" -kernel "$1" \
		-initrd "$2/init.cpio" -append "$bench_linux_append" </dev/null 2>"$2/bare.stderr" ||
		{ cat "$2/bare" "$2/bare.stderr"; return 1; }
	tr -d '\r' <"$2/bare" | sed -n 's/^init: tsc=\([0-9]*\) clock=\([0-9]*\)$/@bare linux_init \1\
@bare linux_kernel \2/p' >"$2/bare.raw"
}

# bench_exits_machine KVER - sets "machine" to the options of scripts/lab, and "what" to what there is
# to say of it.
bench_exits_machine()
{
	local guest

	guest=$(v3_kernel_image "$1")
	case $bench_exits_cpu in
	amd)
		machine=(--mem 3G --add "$guest:/lab/vmlinuz")
		what="QEMU $(v3_qemu_version)"
		;;
	intel)
		machine=(--cpu intel --smp 2 --mem 1792M --module "$V3_BUILD/module-cloud/v3.ko")
		what="Bochs $(v3_bochs_version)"
		;;
	esac
}

bench_exits()
{
	local tmp=$1 samples=1000 kver status=0 only='' flavor='' folder=module machine=() what groups=()

	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--only) [ $# -ge 2 ] || v3_die 2 "--only needs groups"; only=${2//,/ }; shift ;;
		-n) [ $# -ge 2 ] || v3_die 2 "-n needs a number"; samples=$2; shift ;;
		--cpu)
			[ $# -ge 2 ] || v3_die 2 "--cpu needs amd or intel"
			case $2 in
			amd) ;;
			intel) flavor=cloud folder=module-cloud ;;
			*) v3_die 2 "exits: --cpu $2: there are 'amd' and 'intel'" ;;
			esac
			bench_exits_cpu=$2
			shift
			;;
		-h | --help)
			echo "scripts/bench exits [--json FILE] [--cpu amd|intel] [-n SAMPLES]" \
				"[--only GROUP,...]"
			echo "Groups of rows: $(bench_exits_groups)(linux is for amd)"
			return ;;
		*) v3_die 2 "exits: unknown option '$1'" ;;
		esac
		shift
	done
	read -r -a groups <<<"${only:-$(bench_exits_groups)}"
	bench_exits_check ${groups[@]+"${groups[@]}"}
	v3_packages lab build bench
	[ "$bench_exits_cpu" = amd ] || v3_packages bochs
	kver=$(v3_kernel $flavor)
	v3_packages_headers "$kver"
	{
		v3_step "build release" v3_build release
		v3_step "build freestanding" v3_build freestanding
		v3_step "build module" v3_build_module "$kver" $folder
		v3_step "build ticks" gcc -O2 -Wall -Werror -static -o "$tmp/ticks" \
			"$V3_ROOT/scripts/lib/bench/ticks.c"
		v3_step "build stamp" gcc -O2 -Wall -Werror -static -o "$tmp/stamp" \
			"$V3_ROOT/scripts/lib/bench/stamp.c"
		v3_step "build init" bench_linux_initramfs "$tmp"
		: >"$tmp/bare.raw"
		case " ${groups[*]} " in
		*" linux "*)
			v3_step "boot the bare machine" bench_linux_bare \
				"$(v3_kernel_image "$kver")" "$tmp"
			;;
		esac
	} >&2
	bench_exits_machine "$kver"
	v3_say "measuring in the lab ($what, counting mode: one TSC tick is one" \
		"instruction; not the price of an entry or a TLB miss)"
	"$V3_ROOT/scripts/lab" --icount "${machine[@]}" --with-kvm --timeout 1200 --add "$tmp/stamp" \
		--add "$tmp/ticks" \
		--add "$V3_BUILD/release/examples/lwk/lwk.elf" \
		--add "$V3_ROOT/scripts/lib/bench/exits.lab:/lab/exits.lab" \
		--add "$tmp/init.cpio" \
		-- sh exits.lab "$samples" "$bench_linux_mem" "$bench_linux_append" \
		"${groups[*]}" "kvm-$bench_exits_cpu" >"$tmp/raw" 2>"$tmp/stderr" || status=$?
	if [ "$status" != 0 ]; then
		cat "$tmp/raw" "$tmp/stderr" >&2
		v3_die 1 "the measurement in the lab ended with status $status"
	fi
	cat "$tmp/bare.raw" >>"$tmp/raw"
	echo "@v3 text $(bench_text "$V3_BUILD/freestanding")" >>"$tmp/raw"
	for only in "${groups[@]}"; do
		bench_exits_rows | sed -n "s/^$only|//p"
	done >"$tmp/rows"
	bench_table "$tmp/raw" "$tmp/rows"
}

# Text and constants of the library without VT-x, as the build's own check counts them.
bench_text()
{
	local text

	text=$(ctest --test-dir "$1" -R '^build_freestanding$' -V |
		sed -n 's/^[0-9]*: text: \([0-9]*\) bytes.*/\1/p')
	[ -n "$text" ] || v3_die 1 "the check of the library's size in $1 says nothing"
	echo "$text"
}

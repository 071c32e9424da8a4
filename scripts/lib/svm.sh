# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# The bare-metal host with guests in it, on an emulated AMD-V machine. Sourced by scripts/test
# after common.sh, packages.sh, machine.sh and report.sh.

# NAME|HOST OPTIONS|GUEST COMMAND LINE|STATUS|TEXT THAT HAS TO COME (more than one: ";;")
v3_svm_cases()
{
	cat <<-'END'
	hello||run=hello|0|lwk: entry;;libv3VMMcore;;Hello from a lightweight kernel.;;guest ended: exit, code 0
	exit cost||run=cpuid n=50|0|bench: name=cpuid min=;;bench: name=msr min=;;bench: name=port min=;;bench: name=mmio_ioapic min=;;bench: name=hypercall min=;;bench: name=mmio_lapic min=;;bench: name=self_ipi min=
	floating point||run=stream size=50K ntimes=2|0|stream: name=triad mbs=
	timer interrupts||run=tick hz=100 n=10|0|guest ended: exit, code 0
	exit code||run=exit code=7|7|guest ended: exit, code 7
	triple fault||run=triple|125|guest ended: crash
	jump to nothing||run=ud|112|guest ended: exit, code 112
	endless loop|timeout=2|run=spin|124|guest ended: stopped
	write to ROM||run=romwrite|0|guest ended: exit, code 0
	absent ports, memory, MSRs||run=absent|0|guest ended: exit, code 0
	console flood||run=flood n=2000|0|guest ended: exit, code 0
	bad guest option||run=nosuch|2|unknown program;;guest ended: exit, code 2
	1 GiB guest|mem=1G stats=1|run=stream size=50K ntimes=1|0|table_pages=;;ram_faults=0
	too much memory|mem=4G|run=hello|121|v3_vm_create
	END
}

# v3_svm_run DIR HOST_OPTIONS GUEST_OPTIONS - boots DIR/minimal_host.elf with DIR/lwk.elf; output
# to stdout, and as status what the host ended with. Debug-exit makes 2n+1 of n; QEMU's own
# failures and a triple fault of the host are even.
v3_svm_run()
{
	local status=0

	# A comma separates modules on QEMU's command line, a double one is a comma.
	(cd "$1" && exec timeout --foreground -k 5 60 qemu-system-x86_64 -machine q35 \
		-accel tcg,thread=single -cpu EPYC,+svm,+npt -m 3G -nodefaults -display none \
		-vga none -net none -no-reboot -serial stdio \
		-device isa-debug-exit,iobase=0xf4,iosize=4 -kernel minimal_host.elf \
		-initrd "lwk.elf ${3//,/,,}" -append "$2") </dev/null 2>"$1/stderr" || status=$?
	v3_machine_warnings "$1/stderr"
	if [ "$status" = 124 ] || [ "$status" = 137 ]; then
		echo "QEMU: timeout"
		return 254
	elif [ $((status % 2)) = 0 ]; then
		echo "QEMU ended with $status: the host crashed or never started"
		return 255
	fi
	return $(((status - 1) / 2))
}

# v3_svm_case NAME HOST_OPTIONS GUEST_OPTIONS WANT TEXTS - one test.
v3_svm_case()
{
	local out=$V3_BUILD/svm/output start status=0 why='' text texts=$5

	start=$(v3_now)
	v3_svm_run "$V3_BUILD/svm" "$2" "$3" >"$out" 2>&1 || status=$?
	[ "$status" = "$4" ] || why="status $status instead of $4"
	while [ -n "$texts" ]; do
		text=${texts%%;;*}
		texts=${texts#"$text"}
		texts=${texts#;;}
		grep -qaF -- "$text" "$out" || why="$why${why:+; }no '$text' in the output"
	done
	if [ -z "$why" ]; then
		v3_ok "bare-metal host: $1 ($(v3_since "$start"))"
	else
		v3_not_ok "bare-metal host: $1 ($why)"
		tail -n 40 "$out" | sed 's/^/    /'
	fi
}

# All cases; the images come from build/release.
v3_svm_test()
{
	local image name host guest want texts

	mkdir -p "$V3_BUILD/svm"
	for image in minimal_host lwk; do
		cp "$V3_BUILD/release/examples/$image/$image.elf" "$V3_BUILD/svm/" || {
			v3_not_ok "bare-metal host: $image.elf was not built"
			return
		}
	done
	while IFS='|' read -r name host guest want texts; do
		v3_svm_case "$name" "$host" "$guest" "$want" "$texts"
	done < <(v3_svm_cases)
}

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# about: Selfish Detour: what disturbs a Linux process, guests of v3 and of KVM, and the bare machine
#
# Two boots of the lab in counting mode, without and with nohz_full, and one of the bare machine. Sourced
# by scripts/bench.

# NAME|WHAT, in the order of the table; "_nohz": in the boot with nohz_full=1 rcu_nocbs=1.
bench_noise_rows()
{
	cat <<-END
	bare|lwk on the bare emulated machine
	linux|Linux process
	linux_pinned|Linux process, pinned
	v3_shared|lwk under v3, pinned
	v3_owned|lwk under v3, CPU owned
	kvm_pinned|lwk under KVM, pinned
	linux_pinned_nohz|Linux process, pinned, nohz_full
	v3_owned_nohz|lwk under v3, CPU owned, nohz_full
	kvm_pinned_nohz|lwk under KVM, pinned, nohz_full
	END
}

# bench_noise_bare TMP SECONDS THRESHOLD HZ - the machine that the lab runs on, one CPU of it.
bench_noise_bare()
{
	local options=() status=0 hz=''

	[ "$4" = 0 ] || hz=" hz=$4"
	v3_machine 1 256M icount ''
	timeout 1200 qemu-system-x86_64 "${options[@]}" -serial "file:$1/bare" \
		-kernel "$V3_BUILD/release/examples/lwk/lwk.elf" \
		-append "run=detour seconds=$2 threshold=$3 n=100000$hz" </dev/null 2>"$1/bare.stderr" ||
		status=$?
	[ $status = 1 ] || { cat "$1/bare" "$1/bare.stderr"; return 1; }
	{ echo '@begin bare'; tr -d '\r' <"$1/bare" | grep '^detour'; echo '@end bare'; } >"$1/bare.raw"
}

# bench_noise_lab RAW APPEND SECONDS THRESHOLD HZ NAME...
bench_noise_lab()
{
	local raw=$1 append=$2 status=0

	shift 2
	"$V3_ROOT/scripts/lab" --icount --with-kvm --timeout 7200 --append "$append" \
		--add "$tmp/detour" --add "$V3_BUILD/release/examples/lwk/lwk.elf" \
		--add "$V3_ROOT/scripts/lib/bench/noise.lab:/lab/noise.lab" \
		-- sh noise.lab "$@" >"$raw" 2>"$tmp/stderr" || status=$?
	[ "$status" = 0 ] && return
	cat "$raw" "$tmp/stderr" >&2
	v3_die 1 "the measurement in the lab ended with status $status"
}

# bench_noise_raw TMP SECONDS THRESHOLD HZ NAME... - all that is measured, into TMP/raw
bench_noise_raw()
{
	local tmp=$1 name plain=() nohz=()

	shift
	: >"$tmp/bare.raw"
	: >"$tmp/plain.raw"
	: >"$tmp/nohz.raw"
	for name in "${@:4}"; do
		case $name in
		bare) bench_noise_bare "$tmp" "${@:1:3}" || v3_die 1 'the bare machine failed' ;;
		*_nohz) nohz+=("$name") ;;
		*) plain+=("$name") ;;
		esac
	done
	# Grace periods are not to be hurried by interrupts to all CPUs, which the lab wants elsewhere.
	[ ${#plain[@]} = 0 ] || bench_noise_lab "$tmp/plain.raw" 'rcupdate.rcu_expedited=0' \
		"${@:1:3}" "${plain[@]}"
	[ ${#nohz[@]} = 0 ] || bench_noise_lab "$tmp/nohz.raw" \
		'rcupdate.rcu_expedited=0 nohz_full=1 rcu_nocbs=1' "${@:1:3}" "${nohz[@]}"
	cat "$tmp/bare.raw" "$tmp/plain.raw" "$tmp/nohz.raw" >"$tmp/raw"
}

bench_noise()
{
	local tmp=$1 seconds=10 threshold=50 hz=0 svg='' kver only='' names=() name

	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--seconds | --threshold | --hz | --svg | --only | --json)
			[ $# -ge 2 ] || v3_die 2 "noise: $1 needs a value" ;;
		esac
		case $1 in
		--seconds) seconds=$2; shift ;;
		--threshold) threshold=$2; shift ;;
		--hz) hz=$2; shift ;;
		--svg) svg=$2; shift ;;
		--json) json=$2; shift ;;
		--only) only=${2//,/ }; shift ;;
		-h | --help)
			echo "scripts/bench noise [--json FILE] [--seconds N] [--threshold TICKS] [--hz N]" \
				"[--svg DIR] [--only NAME,...]"
			echo "Measures each contender for N seconds (10) of the emulated machine's time; --hz gives" \
				"the guest a tick."
			echo "--svg writes NAME.svg and overview.svg. Contenders:"
			bench_noise_rows | sed 's/\(.*\)|/  \1: /'
			return ;;
		*) v3_die 2 "noise: unknown option '$1'" ;;
		esac
		shift
	done
	for name in "$seconds" "$threshold" "$hz"; do
		[[ $name =~ ^(0|[1-9][0-9]{0,5})$ ]] || v3_die 2 "noise: '$name' is no number"
	done
	case $seconds:$threshold in
	0:* | *:0) v3_die 2 'noise: nothing is measured in 0' ;;
	esac
	: "${only:=$(bench_noise_rows | cut -d '|' -f 1 | tr '\n' ' ')}"
	read -r -a names <<<"$only"
	for name in "${names[@]}"; do
		bench_noise_rows | grep "^$name|" || v3_die 2 "noise: there is no contender '$name' (see --help)"
	done >"$tmp/rows"
	v3_packages lab build bench
	[ -z "$svg" ] || v3_packages plot
	kver=$(v3_kernel "")
	v3_packages_headers "$kver"
	{
		v3_step "build release" v3_build release
		v3_step "build module" v3_build_module "$kver"
		v3_step "build detour" gcc -O2 -Wall -Werror -static -o "$tmp/detour" \
			"$V3_ROOT/bench/detour/linux.c" "$V3_ROOT/bench/detour/detour.c"
	} >&2
	v3_say "measuring in the lab (QEMU $(v3_qemu_version), counting mode: one TSC tick is one" \
		"instruction; $seconds s of the machine's time each)"
	bench_noise_raw "$tmp" "$seconds" "$threshold" "$hz" "${names[@]}"
	# shellcheck disable=SC2154 # json is scripts/bench's
	/usr/bin/python3 "$V3_ROOT/scripts/lib/bench/noise_table.py" "$tmp/raw" "$tmp/rows" "${json:--}" \
		${svg:+"$svg"}
}

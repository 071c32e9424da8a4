# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# about: large memory: launch, leaves, faults and giving back, beside KVM with four kinds of memory
#
# One boot of the lab in counting mode; the same lwk image under v3 and under KVM with ordinary memory,
# transparent huge pages, and hugetlbfs of 2 MiB and 1 GiB. Sourced by scripts/bench.

# bench_memory_who MIB - sets "all" and "huge" to those who can have a guest of that size.
bench_memory_who()
{
	all=all huge=huge
	[ $(($1 % 1024)) = 0 ] || all=small huge=huge_2m
}

# bench_memory_rows TOUCH SIZE... - all in MiB. NAME|LIMIT|SIDES|UNIT|WHAT
bench_memory_rows()
{
	local touch=$1 mib all=all huge=huge

	shift
	for mib; do
		bench_memory_who "$mib"
		echo "launch_$mib||$all|instructions|start to first output, $mib MiB"
	done
	for mib; do
		echo "claim_$mib||v3|instructions|of that: finding the memory"
		echo "zero_$mib||v3|instructions|of that: zeroing it"
		echo "rest_$mib||v3|instructions|of that: all else, nested tables among it"
	done
	for mib; do
		bench_memory_who "$mib"
		echo "reserve_$mib||$huge|instructions|filling the host's pool of huge pages before it"
	done
	for mib; do
		bench_memory_who "$mib"
		echo "giveback_$mib||$all|instructions|end by a signal until the memory is the host's (huge" \
			"pages: the pool's); v3 zeroes it"
		echo "return_$mib||$huge|instructions|emptying the pool of huge pages after that"
	done
	for mib; do
		echo "tables_$mib|<=8|v3|pages|nested tables, $mib MiB"
		[ "$mib" -lt 1024 ] || echo "share_1g_$mib|>=9990|v3|0.01 %|RAM under 1 GiB leaves, $mib MiB"
	done
	cat <<-END
	faults|<=0|all|faults|nested faults, $touch MiB touched
	touch||all|instructions|first touch of a 4 KiB page
	leaves_1g||all|0.01 %|of $touch MiB under 1 GiB leaves, after all was touched
	leaves_2m||all|0.01 %|under 2 MiB leaves
	leaves_4k||all|0.01 %|under 4 KiB leaves
	touch_giveback||all|instructions|as giveback, after all was touched
	END
}

bench_memory()
{
	local tmp=$1 kver status=0 touch=1024 sizes=(128 256 512 1024 2048 4096 8192) mib most=0 text

	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--sizes) [ $# -ge 2 ] || v3_die 2 "--sizes needs MiB,..."; IFS=, read -r -a sizes <<<"$2"; shift ;;
		--touch) [ $# -ge 2 ] || v3_die 2 "--touch needs MiB"; touch=$2; shift ;;
		-h | --help)
			echo "scripts/bench memory [--json FILE] [--sizes MIB,...] [--touch MIB]"
			echo "Guests of --sizes (${sizes[*]}) are started and ended, one of --touch ($touch) is used."
			return ;;
		*) v3_die 2 "memory: unknown option '$1'" ;;
		esac
		shift
	done
	for mib in "$touch" "${sizes[@]}"; do
		[[ $mib =~ ^[1-9][0-9]*$ ]] || v3_die 2 "memory: '$mib' is no number of MiB"
		[ $((mib % 2)) = 0 ] || v3_die 2 "memory: $mib MiB is no multiple of 2 MiB"
		[ "$mib" -le "$most" ] || most=$mib
	done
	v3_packages lab build bench
	kver=$(v3_kernel "")
	v3_packages_headers "$kver"
	{
		v3_step "build release" v3_build release
		v3_step "build module" v3_build_module "$kver"
		for text in stamp giveback; do
			v3_step "build $text" gcc -O2 -Wall -Werror -static -o "$tmp/$text" \
				"$V3_ROOT/scripts/lib/bench/$text.c"
		done
	} >&2
	v3_say "measuring in the lab (QEMU $(v3_qemu_version), counting mode: one TSC tick is one" \
		"instruction; not the price of a TLB miss)"
	"$V3_ROOT/scripts/lab" --icount --with-kvm --smp 1 --mem "$((most + 4096))M" --timeout 3600 \
		--add "$tmp/stamp" --add "$tmp/giveback" \
		--add "$V3_BUILD/release/examples/lwk/lwk.elf" \
		--add "$V3_ROOT/scripts/lib/bench/memory.lab:/lab/memory.lab" \
		-- sh memory.lab "$touch" "${sizes[@]}" >"$tmp/raw" 2>"$tmp/stderr" || status=$?
	if [ "$status" != 0 ]; then
		cat "$tmp/raw" "$tmp/stderr" >&2
		v3_die 1 "the measurement in the lab ended with status $status"
	fi
	bench_memory_rows "$touch" "${sizes[@]}" >"$tmp/rows"
	# shellcheck disable=SC2154 # json is scripts/bench's
	/usr/bin/python3 "$V3_ROOT/scripts/lib/bench/memory_table.py" "$tmp/raw" "$tmp/rows" \
		${json:+"$json"}
}

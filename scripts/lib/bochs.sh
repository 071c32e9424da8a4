# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Bochs: emulated machines with VT-x, and one with AMD-V, that start from a GRUB image. Sourced
# after common.sh and packages.sh.

# What --model and tests call a CPU, and what Bochs does.
V3_BOCHS_MODELS='skylake_x haswell_4770 sandy_bridge_2600k penryn_t9600 ryzen'

v3_bochs_model()
{
	case $1 in
	skylake_x | haswell_4770 | sandy_bridge_2600k) printf 'corei7_%s' "$1" ;;
	penryn_t9600) printf 'core2_%s' "$1" ;;
	ryzen) printf '%s' "$1" ;;
	*) v3_die 121 "there is no CPU model '$1': it is one of $V3_BOCHS_MODELS" ;;
	esac
}

v3_bochs_version()
{
	dpkg-query -W -f '${source:Upstream-Version}\n' bochs 2>/dev/null | sed 's/+.*//'
}

# v3_grub_words WORD... - the words for a line of GRUB's configuration. GRUB hands each on as it
# is, but puts backslashes before these three characters.
v3_grub_words()
{
	local word

	for word; do
		case $word in
		*[\'\"\\]* | *$'\n'*)
			v3_die 121 "GRUB cannot hand on '$word': no quotes and backslashes there" ;;
		esac
		printf " '%s'" "$word"
	done
}

# v3_grub_config FILE LINE... - GRUB's configuration. COM1 is set to bytes of eight bits, so that
# what is sent before anybody sets it up is readable.
v3_grub_config()
{
	local file=$1

	shift
	mkdir -p "${file%/*}"
	printf '%s\n' 'set timeout=0' 'outb 0x3fb 3' "$@" boot >"$file"
}

# v3_grub_image TREE ISO - a CD image that starts by TREE/boot/grub/grub.cfg.
v3_grub_image()
{
	local log=$2.log

	if ! TMPDIR=${2%/*} grub-mkrescue -d /usr/lib/grub/i386-pc -o "$2" --fonts= --locales= \
			--themes= --install-modules='normal iso9660 biosdisk iorw multiboot linux' \
			"$1" >"$log" 2>&1; then
		tail -n 5 "$log" >&2
		v3_die 121 "grub-mkrescue could not make a CD image"
	fi
}

# Instructions to a microsecond: of those that a boot takes the more the longer it waits for devices.
v3_bochs_mhz=50

# Seconds of a processor's time that the lab's kernel may take to get to its init.
v3_bochs_patience=120

# v3_bochs_config DIR MODEL CPUS MIB - with time from counted instructions alone, so that two runs
# are the same. A triple fault ends the machine.
v3_bochs_config()
{
	local dir=$1 cpus=$3 mib=$4 model

	model=$(v3_bochs_model "$2") || return
	cat <<-END
	config_interface: textconfig
	display_library: term, options="hideIPS"
	cpu: model=$model, count=$cpus, ips=${v3_bochs_mhz}000000, reset_on_triple_fault=0, ignore_bad_msrs=1
	memory: guest=$mib, host=$mib
	romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
	vgaromimage: file=/usr/share/vgabios/vgabios.bin
	ata0-master: type=cdrom, path=$dir/cd.iso, status=inserted
	boot: cdrom
	clock: sync=none, time0=0
	com1: enabled=1, mode=file, dev=$dir/console
	com2: enabled=1, mode=file, dev=$dir/status
	log: $dir/bochs.log
	panic: action=fatal
	error: action=ignore
	info: action=ignore
	debug: action=ignore
	END
}

# v3_bochs_run DIR LIMIT MODEL CPUS MIB - starts DIR/cd.iso. COM1 goes to stdout as it comes and to
# DIR/console, COM2 to DIR/status. Sets "ended" to 124 for a timeout, or else to Bochs's status,
# which is 1 however the machine ended: what came of it has to stand in the output.
# The debugger in Debian's Bochs stops at once unless told to continue, and at signals, so the
# machine is killed, also when this script is.
# shellcheck disable=SC2034 # "ended" is read by the caller
v3_bochs_run()
{
	local dir=$1 limit=$2 pid status=0

	shift 2
	v3_bochs_config "$dir" "$@" >"$dir/bochsrc"
	echo c >"$dir/continue"
	: >"$dir/console"
	: >"$dir/status"
	TERM=vt100 setsid setpriv --pdeathsig KILL bochs-bin -q -f "$dir/bochsrc" \
		-rc "$dir/continue" >"$dir/bochs.out" 2>&1 </dev/null &
	pid=$!
	echo $pid >"$dir/pid"
	# Without a word of the shell's own: Bochs was killed, or crashed, as it does now and then when
	# all is over.
	{
		timeout --foreground "$limit" \
			tail -s 0.1 -n +1 -f --pid=$pid "$dir/console" || status=$?
		[ $status = 0 ] || kill -KILL $pid || true
		ended=0
		wait $pid || ended=$?
		[ $status = 0 ] || ended=124
	} 2>/dev/null
}

# v3_bochs_watch DIR - kills a machine whose kernel has not got to its init after so much of a
# processor's time as five boots take, or ten minutes, and makes DIR/stalled.
v3_bochs_watch()
{
	local dir=$1 start=$SECONDS second pid used

	second=$(getconf CLK_TCK)
	while sleep 2; do
		! grep -q '^up' "$dir/status" 2>/dev/null || return 0
		[ -s "$dir/pid" ] || continue
		pid=$(cat "$dir/pid")
		used=$(awk '{ print $14 + $15 }' "/proc/$pid/stat" 2>/dev/null) || return 0
		if [ "$((used / second))" -ge "$v3_bochs_patience" ] || [ $((SECONDS - start)) -ge 600 ]; then
			echo "$((used / second))" >"$dir/stalled"
			kill -KILL "$pid"
			return 0
		fi
	done
}

# v3_bochs_boot DIR ARG... - v3_bochs_run, with another try if the machine does not come up.
v3_bochs_boot()
{
	local dir=$1 try watch

	for try in first second; do
		rm -f "$dir/pid" "$dir/stalled"
		v3_bochs_watch "$dir" &
		watch=$!
		v3_bochs_run "$@"
		# It sees within two seconds that there is nothing left to watch.
		wait $watch || true
		[ -e "$dir/stalled" ] || return 0
		v3_say "the machine had not come up after $(cat "$dir/stalled") s of a processor's time" \
			"($try try)$([ $try = second ] || printf ': it is started once more')"
	done
	ended=124
}

# v3_bochs_why DIR - what Bochs itself had to say about the end, if anything.
v3_bochs_why()
{
	sed -n 's/^[0-9]*p\(\[.*\)/Bochs: \1/p' "$1/bochs.log" 2>/dev/null | head -n 3
}

# v3_bochs_lab_options WORDS ICOUNT MULTI EXTRA MODEL - what scripts/lab cannot do here, and how fast
# time goes.
v3_bochs_lab_options()
{
	[ "$1" -gt 0 ] ||
		v3_die 121 "--cpu intel needs a COMMAND: there is no shell, Bochs's console has no input"
	[ -z "$2" ] || v3_bochs_mhz=1000
	[ -z "$3" ] || v3_die 121 "--multi is for --cpu amd: Bochs runs one CPU at a time"
	[ "$4" = 0 ] || v3_die 121 "--qemu is for --cpu amd: Bochs emulates the others"
	case $(v3_bochs_model "$5") in
	core*) ;;
	'') exit 121 ;;
	*) v3_die 121 "--model $5: the lab has Intel's models only, since Debian's kernel does not" \
		"finish booting on that one" ;;
	esac
}

# v3_bochs_lab DIR LIMIT MODEL CPUS MEM VERBOSE KERNEL APPEND - boots the kernel with DIR/initramfs.
v3_bochs_lab()
{
	local dir=$1 mem=$5 words=() line

	case $mem in
	*G) mem=$((${mem%G} * 1024)) ;;
	*M) mem=${mem%M} ;;
	esac
	# The clock is known, see v3_bochs_config; some models' CPUID tells that of the real CPU, which is
	# 70 times as fast.
	# Linux says goodbye by a reset when it panics, which has to end the machine: by a triple fault.
	# The other two are half of its boot: certificates, and names of trace points.
	# Bochs's MWAIT misses writes by other CPUs that have the page in their TLBs, so a CPU that idles
	# in it slept on, for minutes of its time, until an interrupt came for something else.
	read -r -d '' -a words <<<"$8 reboot=t idle=halt
		tsc_early_khz=${v3_bochs_mhz}000 lpj=$((v3_bochs_mhz * 4000))
		initcall_blacklist=load_system_certificate_list,trace_eval_init" || true
	line=$(v3_grub_words "${words[@]}") || exit
	mkdir -p "$dir/cd"
	ln "$dir/initramfs" "$dir/cd/initramfs"
	cp -L "$7" "$dir/cd/vmlinuz"
	v3_grub_config "$dir/cd/boot/grub/grub.cfg" "linux /vmlinuz$line" 'initrd /initramfs'
	v3_grub_image "$dir/cd" "$dir/cd.iso"
	[ -z "$6" ] || v3_say "Bochs $(v3_bochs_version): model $3, $4 CPUs, $mem MiB, ${words[*]}"
	v3_bochs_boot "$dir" "$2" "$3" "$4" "$mem"
}

# v3_bochs_verdict DIR ENDED - prints the status that scripts/lab ends with. What COMMAND prints
# cannot pass for its status, which comes by the second serial port.
v3_bochs_verdict()
{
	local dir=$1 ended=$2 status

	status=$(v3_machine_status "$dir")
	if [ "$ended" = 124 ]; then
		v3_say "timeout"
		printf 124
	elif [ -n "$status" ]; then
		printf '%s' "$status"
	elif grep -aq 'Kernel panic' "$dir/console"; then
		v3_say "the lab's kernel panicked"
		printf 123
	else
		v3_say "the machine ended without giving a status: $(v3_bochs_why "$dir" | head -n 1)"
		printf 122
	fi
}

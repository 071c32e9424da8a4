# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# QEMU's command line for the lab, running it, and judging how it ended. Sourced after common.sh
# and packages.sh.

# v3_machine_size SMP MEM - checks them.
v3_machine_size()
{
	[[ $1 =~ ^[1-9][0-9]*$ ]] || v3_die 121 "--smp $1: not a number of CPUs"
	[[ $2 =~ ^[1-9][0-9]*[MG]$ ]] || v3_die 121 "--mem $2: not a size such as 2G or 512M"
}

# v3_machine SMP MEM ICOUNT MULTI - appends QEMU's options to the array "options".
v3_machine()
{
	[ -z "$3" ] || [ -z "$4" ] || v3_die 121 "--icount and --multi exclude each other"
	if [ -n "$4" ]; then
		[ "$(v3_qemu_major)" -ge 10 ] ||
			v3_die 121 "--multi needs QEMU 10 or later: $(v3_qemu_version) loses" \
				"interrupts there (see scripts/README.md)"
		options+=(-accel 'tcg,thread=multi')
	else
		options+=(-accel 'tcg,thread=single')
	fi
	# Under icount everything that could differ between two runs is fixed: time of day, seeds.
	[ -z "$3" ] || options+=(-icount 'shift=0,sleep=off' -seed 1
		-rtc 'base=2024-01-01T00:00:00,clock=vm')
	options+=(-machine q35 -cpu 'EPYC,+svm,+npt' -smp "$1" -m "$2" -nodefaults -display none -vga none
		-no-reboot -net none -device 'isa-debug-exit,iobase=0xf4,iosize=4')
}

# Both runners set "ended" to QEMU's status. The console goes to the caller as it comes and to
# DIR/console as a whole; DIR/status is the second serial port.
# shellcheck disable=SC2034 # "ended" is read by the caller
v3_machine_run()
{
	local dir=$1 limit=$2 verbose=$3

	shift 3
	[ -z "$verbose" ] || v3_say "QEMU $(v3_qemu_version):" qemu-system-x86_64 "$@"
	ended=0
	timeout --foreground -k 5 "$limit" qemu-system-x86_64 \
		-chardev "stdio,id=console,signal=off,logfile=$dir/console" \
		-serial chardev:console "$@" </dev/null 2>"$dir/stderr" || ended=$?
	v3_machine_warnings "$dir/stderr"
}

v3_machine_shell()
{
	local dir=$1 limit=$2

	shift 2
	ended=0
	timeout --foreground -k 5 "$limit" qemu-system-x86_64 \
		-chardev "stdio,id=console,mux=on,signal=off,logfile=$dir/console" \
		-serial chardev:console -mon chardev=console "$@" 2>"$dir/stderr" || ended=$?
	v3_machine_warnings "$dir/stderr"
}

# TCG says for each CPU which features of the model it lacks: known, and of no use.
v3_machine_warnings()
{
	grep -v "warning: TCG doesn't support requested feature\|terminating on signal" "$1" >&2 || true
}

# v3_machine_status DIR - prints COMMAND's status, or nothing if there is none in DIR/status.
v3_machine_status()
{
	local status

	status=$(sed -n 's/^status \([0-9]*\).*/\1/p' "$1/status" 2>/dev/null | head -n 1)
	if [ "$status" = 0 ] && grep -q '^complaint' "$1/status"; then
		v3_say "the command succeeded, but the lab's kernel complained"
		status=125
	fi
	printf '%s' "$status"
}

# v3_machine_verdict DIR ENDED - prints the status that scripts/lab ends with. Debug-exit with 64
# makes QEMU's status 129; a triple fault or a reset ends with 0 and is no success.
v3_machine_verdict()
{
	local dir=$1 ended=$2 status

	status=$(v3_machine_status "$dir")
	if [ "$ended" = 129 ] && [ -n "$status" ]; then
		printf '%s' "$status"
	elif [ "$ended" = 124 ] || [ "$ended" = 137 ]; then
		v3_say "timeout"
		printf 124
	elif grep -aq 'Kernel panic' "$dir/console" 2>/dev/null; then
		v3_say "the lab's kernel panicked"
		printf 123
	elif [ "$ended" = 0 ]; then
		v3_say "the machine reset or went off without giving a status"
		printf 122
	else
		v3_say "QEMU ended with status $ended and the lab gave none"
		printf 122
	fi
}

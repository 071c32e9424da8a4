# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 300
# lab: --with-linux --mem 3G
# build: cli_pty.c
# A Linux guest on the terminal: a shell that takes keys, input from a pipe, a reboot.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

base='console=ttyS0 quiet mitigations=off nokaslr panic=-1'
linux='v3 run -m 512M --initrd /lab/guest.cpio --timeout 140'

trap guests_end EXIT
module_load
# shellcheck disable=SC2086,SC2016 # words; for the guest's shell
expect 0 cli_pty 150 'guest#' 'echo $((6 * 7))^M' '42' 'exit^M' 'powered off' '' -- \
	$linux -a "$base" /lab/vmlinuz
said 'the terminal is as before'

# Input from a pipe; what comes before the guest's driver would be lost, as on any serial line
mkfifo keys
# shellcheck disable=SC2086
$linux -a "$base -- echo ready; read a; read b; echo got \$b then \$a" /lab/vmlinuz \
	<keys >log 2>&1 &
pid=$!
exec 3>keys
soon grep -q ready log || soon grep -q ready log || fail "no guest: $(cat log)"
printf 'first line\nsecond line\n' >&3
exec 3>&-
wait $pid || fail "a pipe: $(cat log)"
cat log
grep -q 'got second line then first line' log || fail 'the guest did not get its input'

# Runs again after a reboot: the second time it finds nothing of the first
printf '%s\n' 'name: again' 'kernel: /lab/vmlinuz' 'initrd: /lab/guest.cpio' 'memory: 512MiB' \
	"cmdline: $base -- echo alive; reboot -f" >again.yaml
v3 run again.yaml </dev/null >log 2>&1 &
pid=$!
twice() { [ "$(grep -c '^alive' log)" -ge 2 ]; }
soon twice || soon twice || fail "no second life: $(cat log)"
kill -TERM $pid
status=0
wait $pid || status=$?
cat log
[ "$status" = 242 ] || fail "status $status instead of 242"
grep -q 'again: the guest reset itself and runs again' log || fail 'not a word of the reset'

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 600
# lab: --with-linux --smp 4 --mem 1G
# A stock Linux guest with four vCPUs that reboots twice: each of its lives has all four, and v3 run goes on.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

cleanup() { v3 list 2>/dev/null | awk 'NR > 1 { print $1 }' | xargs -r -n 1 v3 destroy; }
trap cleanup EXIT

lives() { tr -d '\r' <log | grep -cx 'what now' || true; }

module_load
cat >again.yaml <<'END'
name: again
kernel: /lab/vmlinuz
initrd: /lab/guest.cpio
memory: 512M
vcpus: 4
on_reboot: restart
cmdline: console=ttyS0 quiet mitigations=off nokaslr panic=-1 -- echo cpus $(nproc) of $(grep -c ^processor /proc/cpuinfo); echo what now; read answer; echo answer $answer; [ "$answer" != again ] || reboot -f
END
mkfifo answers
# open for both, so that neither side waits for the other
exec 3<>answers
v3 run --timeout 580 again.yaml <answers >log 2>errors &
pid=$!
for life in 1 2 3; do
	answer=again
	[ $life -lt 3 ] || answer=enough
	until [ "$(lives)" -ge $life ]; do
		if ! kill -0 $pid; then
			cat log errors
			fail "v3 run ended in life $life"
		fi
		sleep 0.5
	done
	echo "life $life after $(cut -d ' ' -f 1 /proc/uptime) s"
	# what came before the shell reads is its answer, too, but not before the kernel has the port
	echo $answer >&3
done
status=0
wait $pid || status=$?
tr -d '\r' <log | tee text
cat errors
[ $status = 0 ] || fail "v3 run ended with $status"
[ "$(grep -cx 'cpus 4 of 4' text)" = 3 ] || fail 'not four CPUs in each of three lives'
[ "$(grep -c 'the guest reset itself and runs again' errors)" = 2 ] || fail 'not two restarts'
grep -qx 'answer enough' text || fail 'the last life did not get its answer'
grep -q 'powered off' errors || fail 'the guest did not power off in the end'

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: long
# timeout: 600
# lab: --with-linux --smp 4 --mem 3G
# Debian's own kernel under load, with 4 vCPUs for a minute and with 8 for a while: sums, processes and
# memory that come out right, and no complaint of the kernel's.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

# For the guest's shell. Each worker says how far it came, and what went wrong.
cat >load <<'END'
now() { cut -d. -f1 /proc/uptime; }
end=$(($(now) + $1)); n=$(nproc); cd /run; mount -t tmpfs none /run; cd /run
sums() { r=0; while [ $(now) -lt $end ]; do s=$(awk "BEGIN { for (i = 0; i < 20000; i++) s += i; print s }"); [ $s = 199990000 ] || echo "bad sum $s"; r=$((r + 1)); done; echo "sums $r"; }
forks() { r=0; while [ $(now) -lt $end ]; do s=$(true | cat | (cat; echo $r)); [ "$s" = $r ] || echo "bad fork $s"; r=$((r + 1)); done; echo "forks $r"; }
memory() { dd if=/dev/urandom of=a bs=1M count=16 2>/dev/null; r=0; while [ $(now) -lt $end ]; do cp a b; cmp a b || echo bad copy; rm b; r=$((r + 1)); done; echo "copies $r"; }
for i in $(seq $n); do sums & forks & done; memory & wait
dmesg | grep -iE "stall|lockup|call trace|BUG:|WARNING:|spurious" && echo bad dmesg
echo cpus $n; cat /proc/interrupts; echo last line
END
module_load
# The guest's shell gets it in its initial RAM disk.
mkdir extra
cp load extra/load
(cd extra && echo load | cpio -o -H newc) >extra.cpio 2>/dev/null
cat /lab/guest.cpio extra.cpio >guest.cpio

for load in "4 60" "8 20"; do
	vcpus=${load% *}
	expect 0 v3 run -m 512M --vcpus "$vcpus" --no-reboot --initrd guest.cpio --timeout 240 \
		-a "console=ttyS0 quiet mitigations=off panic=-1 -- sh /load ${load#* }" /lab/vmlinuz
	said "cpus $vcpus" 'last line' 'the command ended with 0' 'powered off'
	! grep -q '^bad' out || fail "$(grep '^bad' out)"
	[ "$(grep -cE '^sums [1-9]' out)" = "$vcpus" ] || fail 'a worker of sums got nowhere'
	[ "$(grep -cE '^forks [1-9]' out)" = "$vcpus" ] || fail 'a worker of processes got nowhere'
	grep -qE '^copies [1-9]' out || fail 'the worker of memory got nowhere'
	awk -v n="$vcpus" '$1 == "LOC:" { for (i = 2; i < n + 2; i++) if ($i < 100) exit 1 }' out ||
		fail 'a local APIC timer stood still'
done

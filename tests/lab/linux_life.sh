# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 150
# lab: --smp 4 --multi
# build: linux_vm.c
# The module's own view of life and death: owners that are killed, detached VMs, rmmod, CPUs that go.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

parameter() { cat "/sys/module/v3/parameters/$1"; }

held() { echo "$(parameter pages_in_use) pages, $(parameter heap_in_use) bytes"; }

as_before() { [ "$(held)" = "$before" ]; }

# Nothing is held beside what the module itself needs.
clean()
{
	soon as_before || fail "$1: $(held) instead of $before"
}

# background ARGUMENT... - linux_vm, until it says "started" or "created"; sets "owner".
background()
{
	: >started
	linux_vm "$@" </dev/null >started 2>&1 &
	owner=$!
	soon grep -q 'started\|created' started || fail "linux_vm $*: $(cat started)"
}

killed()
{
	kill -9 "$owner"
	wait "$owner" 2>/dev/null || true
}

online() { echo "$2" >"/sys/devices/system/cpu/cpu$1/online"; }

module_load
# libv3 keeps a save area per CPU from the first guest on
for cpu in 0 1 2 3; do
	expect 42 linux_vm -c $cpu warm exit
done
before=$(held)

# Ends of all kinds
expect 42 linux_vm one exit
expect 104 linux_vm one crash
clean 'after an exit and a crash'

# Owners that are killed: while it runs, spins in exits, is halted, floods the console, is paused,
# was never started; on a CPU that it shares with its owner, and on another
for guest in spin exits halt flood pause; do
	background -c 1 victim $guest
	expect 1 rmmod v3
	killed
	clean "owner of '$guest' killed"
done
background -m 64 -v 4 victim spin
killed
clean 'owner of four vCPUs killed'
background -n victim spin
killed
clean 'owner of a VM that was not started killed'
background victim spin
expect 0 linux_vm pause victim
killed
clean 'owner of a paused VM killed'

# Detached: outlives its creator, keeps the module, ends by request
expect 0 linux_vm -d stays spin
expect 0 linux_vm state stays
said 'state 1'
expect 1 rmmod v3
expect 0 linux_vm pause stays
expect 0 linux_vm resume stays
expect 0 linux_vm stop stays
expect 105 linux_vm state stays
expect 105 linux_vm wait stays
expect 1 rmmod v3
expect 0 linux_vm destroy stays
expect 2 linux_vm state stays
clean 'detached VM destroyed'

# Somebody else destroys it under its owner's feet
background victim spin
expect 0 linux_vm destroy victim
status=0
wait "$owner" || status=$?
[ $status = 2 ] || fail "owner of a destroyed VM ended with $status: $(cat started)"
clean 'VM destroyed by somebody else'

# Several destroy it in the moment it is there, before its creator has a descriptor
expect 0 linux_vm -m 2 contested victim
clean 'contested VMs'

# CPUs that go offline
for guest in spin halt exits; do
	background -c 2 victim $guest
	expect 0 online 2 0
	status=0
	wait "$owner" || status=$?
	cat started
	[ $status = 106 ] || fail "guest on a CPU that went ended with $status"
	grep -q 'host CPU 2 went offline' started || fail 'the reason does not name the CPU'
	expect 2 linux_vm -c 2 late spin
	said 'host CPU 2 is offline'
	expect 0 online 2 1
	expect 42 linux_vm -c 2 again exit
	clean "CPU with '$guest' went offline"
done

# ... that have nothing to do with the VM: it goes on
background -c 1 victim spin
expect 0 online 3 0
expect 0 online 3 1
expect 0 linux_vm state victim
said 'state 1'
killed
clean 'another CPU went offline'

# ... while VMs come and go there
toggle()
{
	for _ in 1 2 3 4 5 6 7 8; do
		online 3 0
		online 3 1
	done
	: >toggled
}
toggle &
toggler=$!
rounds=0
while [ ! -e toggled ]; do
	status_of linux_vm -c 3 racer exit >/dev/null
	case $status in
	42 | 106 | 2) rounds=$((rounds + 1)) ;;
	*) cat out; fail "status $status while its CPU came and went" ;;
	esac
done
wait $toggler
echo "$rounds rounds while CPU 3 came and went"
expect 42 linux_vm -c 3 racer exit
clean 'after the race'

expect 0 rmmod v3

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 60
# v3 inspect: a guest that has crashed, one that runs, one that was never started; a page walk; wrong
# names, vCPUs and addresses; guests that go away meanwhile.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

trap guests_end EXIT

module_load

# After a crash; before that it writes to all of its memory
expect 0 v3 run --detach --name crash -m 64M -a run=touch,triple /lab/lwk.elf
soon is crash stopped || fail 'crash did not stop'
expect 0 v3 inspect crash
said 'crash: stopped: crash: vCPU 0: triple fault at RIP 0x' 'vCPU 0: 64-bit, CPL 0' \
	'shutdown' 'PML4 at' 'PDPT at' 'guest-physical' ': ram' 'nested tables: leaf of' \
	'host-physical' '=> ' 'stack:'
# Although nobody asked for a trace: what it printed last, then the end
sed -n '/last exits:/,/page walk/p' out >exits
[ "$(grep -c '^    exit  ' exits)" = 16 ] || fail 'not the last 16 exits'
grep -q 'exit    io .*out port 0x3f8 size 1 0x' exits || fail 'no output among the last exits'
grep '^    exit  ' exits | tail -n 1 | grep -q 'shutdown' || fail 'the last exit is not that of the crash'
rip=$(sed -n 's/^  rip  \([0-9a-f]*\).*/\1/p' out)
expect 1 v3 trace crash
expect 0 v3 inspect --address 0xffff123456789abc crash
said 'page walk of ffff123456789abc:' 'no address of this mode'
expect 0 v3 inspect --address 0xfee00000 crash
said 'guest-physical fee00000: device' 'nested tables: not mapped'
# What a guest has written to, and what it has not
expect 0 v3 inspect --address 0x3000000 crash
said 'rwx, accessed, dirty, host-physical'
expect 0 v3 run --detach --name idle -m 64M -a run=triple /lab/lwk.elf
soon is idle stopped || fail 'idle did not stop'
expect 0 v3 inspect --address 0x3000000 idle
said 'rwx, not accessed, host-physical'
expect 0 v3 inspect idle
said 'rwx, accessed, dirty, host-physical'
expect 0 v3 inspect --json --address 0x3000000 idle
said '"accessed": false' '"dirty": false'
expect 0 v3 destroy idle
expect 0 v3 inspect --json crash
said '"end": "crash"' '"last_exit": "shutdown"' '"instructions"' '"guest_physical"'
grep -qi "\"rip\": \"0x0*$(printf %s "$rip" | sed 's/^0*//')\"" out || fail "no RIP 0x$rip in JSON"

# One that runs goes on; the one before it starts
expect 0 v3 create --name spin -m 64M --pin 0,1 -a run=spin /lab/lwk.elf
expect 0 v3 inspect --vcpu 1 spin
said 'spin: created' 'vCPU 1: 16-bit, CPL 0, waits for a start-up IPI' 'paging is off'
expect 0 v3 start spin
sleep 0.4
expect 0 v3 inspect --vcpu 0 spin
said 'spin: running' 'vCPU 0: 64-bit'
expect 0 v3 list
said running
expect 0 v3 pause spin
expect 0 v3 inspect spin
said 'spin: paused' 'vCPU 0:' 'vCPU 1:'
expect 0 v3 resume spin

# Wrong
expect 1 v3 inspect nosuch
one_line
expect 1 v3 inspect --vcpu 2 spin
one_line
said 'no vCPU 2'
expect 2 v3 inspect --address 12monkeys spin
expect 2 v3 inspect --vcpu x spin
expect 2 v3 inspect
expect 2 v3 inspect spin crash

# Looks at what is destroyed meanwhile: they succeed or say that it is gone
(while v3 inspect spin; do :; done >/dev/null 2>looks) &
sleep 0.4
expect 0 v3 destroy spin
wait
grep -q 'spin' looks || fail "the last look did not say why it failed: $(cat looks)"
expect 0 v3 destroy crash

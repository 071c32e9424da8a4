# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 150
# Guests that misbehave end with their own status and one line that says why; the host goes on, and
# nothing of them is left.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

lwk() { want=$1; shift; expect "$want" v3 run -m 64M --timeout "${limit:-30}" -a "$*" /lab/lwk.elf; }

# word TEXT - v3's only line about the guest has it, and is the last.
word()
{
	[ "$(grep -c '^v3: ' out)" = 1 ] || fail 'not one line of v3'
	tail -n 1 out | grep -qF "v3: lwk: $1" || fail "the last line lacks '$1'"
}

held() { cat /sys/module/v3/parameters/pages_in_use /sys/module/v3/parameters/heap_in_use; }

trap guests_end EXIT

module_load
for cpu in 0 1; do
	expect 0 v3 run -m 64M --pin $cpu -a run=hello /lab/lwk.elf
done
before=$(held)

# Triple fault
lwk 240 run=triple
word 'the guest crashed: vCPU 0: triple fault at RIP 0x'

# Jumps to where no memory is, and to where its page tables have nothing: that is its own fault
lwk 240 run=ud
word 'the guest crashed: vCPU 0: executes at guest-physical 0xd0000000, where no memory is'
lwk 240 run=ud addr=0xfee00000
word 'the guest crashed: vCPU 0: executes at guest-physical 0xfee00000'
lwk 112 run=ud addr=0x200000000
said 'lwk: unexpected page fault'
word 'the guest exited with code 112'

# Never ends
limit=2 lwk 243 run=halt
word 'stopped: it ran longer than 2 s'
limit=2 lwk 243 run=spin
word 'stopped: it ran longer than 2 s'

# Touches what it must not, and what is not there
lwk 0 run=firmware
said 'firmware: 0 of 65536 words lost'
lwk 0 run=absent
said 'surprises: ports=0 mmio=0 msrs=0'

# Floods the console: every line arrives, in order; with nobody there, it ends nevertheless
limit=60 lwk 0 run=flood n=500 >flooded
sed -n 's/^flood  *\([0-9]*\) abc.*XYZ.*$/\1/p' out >numbers
seq 500 >wanted
cmp numbers wanted || fail 'lines of the flood are missing or damaged'
expect 0 v3 run --detach -n deaf -m 64M -a 'run=flood n=500' /lab/lwk.elf
soon is deaf stopped || fail "a flood that nobody reads: the guest is $(state deaf)"
expect 0 v3 destroy deaf

lwk 2 run=nosuch
word 'the guest exited with code 2'
lwk 0 run=hello
[ "$(held)" = "$before" ] || fail "left: $(held), before: $before"

# SPDX-License-Identifier: BSD-2-Clause
# timeout: 120
# Guests that misbehave end with their own status and a reason; the host goes on.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

lwk() { want=$1; shift; expect "$want" v3 run -m 64M --timeout "${limit:-30}" -a "$*" /lab/lwk.elf; }

module_load
lwk 240 run=triple
said 'crashed' 'triple fault'
lwk 240 run=ud
said crashed
lwk 112 run=ud addr=0x200000000
limit=2 lwk 243 run=halt
limit=2 lwk 243 run=spin
said 'longer than 2 s'
lwk 0 run=romwrite
lwk 0 run=absent
limit=60 lwk 0 run=flood n=500
said 'exited with code 0'
lwk 2 run=nosuch
lwk 0 run=hello

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 150
# build: cli_pty.c
# Consoles on a terminal: raw mode, the escape key, detach and attach again, one terminal at a time.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

trap guests_end EXIT

module_load

# Help, pause, resume, a key for the guest, detach; the guest goes on without its owner
expect 0 cli_pty 40 'Hello from' '^]?' 'keys after Ctrl-]' '^]p' 'paused' '^]p' 'resumed' \
	'x^C^]^]' '' '^]d' 'shell runs on' '' -- v3 run --name shell -m 64M -a run=hello,spin /lab/lwk.elf
said 'the terminal is as before'
[ "$(state shell)" = running ] || fail "detached, but $(state shell)"

# Attach again, from a terminal and from none; a second one is refused
expect 0 cli_pty 20 '' '^]d' 'shell runs on' '' -- v3 console shell
said 'the terminal is as before'
v3 console shell </dev/null >first 2>&1 &
first=$!
soon attached $first || fail "no console: $(cat first)"
expect 1 v3 console shell
said shell
one_line
expect 0 v3 pause shell
[ "$(state shell)" = paused ] || fail "paused, but $(state shell)"
expect 0 v3 resume shell
kill -TERM $first
wait $first || fail "the console ended with $?: $(cat first)"
grep -q 'shell runs on' first || fail "no word at the end: $(cat first)"
[ "$(state shell)" = running ] || fail 'the guest went with its console'

# The escape key stops it
expect 0 cli_pty 20 '' '^]q' 'stopped by the escape key' '' -- v3 console shell
[ "$(state shell)" = stopped ] || fail "stopped, but $(state shell)"
expect 0 v3 destroy shell
expect 242 cli_pty 40 'Hello from' '^]q' 'stopped by the escape key' '' -- \
	v3 run -m 64M -a run=hello,spin /lab/lwk.elf
said 'the terminal is as before'

# All output comes through, and the terminal is back after a crash
expect 240 cli_pty 40 -- v3 run -m 64M -a run=hello,triple /lab/lwk.elf
said 'Hello from' crashed 'the terminal is as before'
v3 run -m 64M -a 'run=flood n=2000' /lab/lwk.elf </dev/null >flood 2>log || fail "flood: $(cat log)"
# each line of flood is numbered
lines=$(grep -c flood flood)
[ "$lines" -ge 2000 ] || fail "$lines lines of 2000 came through"

# Attached before the start
expect 0 v3 create --name early -m 64M -a run=hello /lab/lwk.elf
v3 console early </dev/null >early.log 2>&1 &
console=$!
soon attached $console || fail "no console: $(cat early.log)"
expect 0 v3 start early
wait $console || fail "the console ended with $?: $(cat early.log)"
grep -q 'Hello from' early.log || fail "the console lost the start: $(cat early.log)"
expect 0 v3 destroy early

expect 0 v3 list
[ "$(wc -l <out)" = 1 ] || fail 'something was left'

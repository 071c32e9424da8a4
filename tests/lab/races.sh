# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 180
# lab: --smp 4 --multi
# Many at once: guests come and go on all CPUs while others list, stop and destroy them.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load

# churn CPU - eight short guests, one after another
churn()
{
	for i in 1 2 3 4 5 6 7 8; do
		v3 run --name "g$1-$i" -m 32M --pin "$1" -a 'run=hello' /lab/lwk.elf \
			</dev/null >"log$1" 2>&1 || return 1
		grep -q 'Hello from' "log$1" || return 1
	done
	echo "CPU $1 done"
}

workers=
for cpu in 0 1 2 3; do
	churn $cpu &
	workers="$workers $!"
done
for _ in 1 2 3 4 5 6 7 8; do
	v3 list >/dev/null || fail 'v3 list'
	v3 run --detach --name shared -m 32M -a run=spin /lab/lwk.elf || fail 'v3 run --detach'
	# two destroy it at once: one of them may come too late, none may hang
	v3 destroy shared &
	first=$!
	v3 destroy shared || true
	wait $first || true
done
for worker in $workers; do
	wait "$worker" || { tail -n 5 log?; fail 'a guest failed'; }
done
expect 0 v3 list
[ "$(wc -l <out)" = 1 ] || fail 'something was left'

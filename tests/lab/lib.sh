# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
#
# What the scripts of this folder share. Sourced inside the lab as /lab/lib.sh.

set -eu

fail()
{
	echo "FAILED: $*"
	exit 1
}

# The module, once.
module_load()
{
	[ -d /sys/module/v3 ] || insmod /lib/modules/v3.ko || fail "insmod v3.ko"
}

# status_of COMMAND... - runs it, output to ./out and to the log, and sets "status".
status_of()
{
	status=0
	"$@" >out 2>&1 </dev/null || status=$?
	echo "$ $* => $status"
	cat out
}

# expect STATUS COMMAND... - its output is in ./out afterwards.
expect()
{
	want=$1
	shift
	status_of "$@"
	[ "$status" = "$want" ] || fail "status $status instead of $want from: $*"
}

# said TEXT... - each text is somewhere in ./out.
said()
{
	for text; do
		grep -qF -- "$text" out || fail "the output lacks '$text'"
	done
}

# soon COMMAND... - waits until it comes true; false if it does not within 30 seconds.
soon()
{
	for _ in $(seq 300); do
		! "$@" || return 0
		sleep 0.1
	done
	return 1
}

# state NAME - what "v3 list" says of a guest; nothing if there is none.
state() { v3 list | awk -v name="$1" '$1 == name { print $2 }'; }
is() { [ "$(state "$1")" = "$2" ]; }

# "trap guests_end EXIT": what a failure leaves is not to fail the scripts behind this one.
guests_end() { v3 list 2>/dev/null | awk 'NR > 1 { print $1 }' | xargs -r -n 1 v3 destroy; }

# took COMMAND... - runs it and sets "seconds".
took()
{
	start=$(cut -d. -f1 /proc/uptime)
	"$@"
	seconds=$(($(cut -d. -f1 /proc/uptime) - start))
	echo "$* took $seconds s"
}

# attached PID - whether that process has the console of a guest.
attached()
{
	for fd in /proc/"$1"/fd/*; do
		case $(readlink "$fd") in
		*v3-console*) return 0 ;;
		esac
	done
	return 1
}

# A bad input ends in one line that names the thing, not in a page of noise.
one_line() { [ "$(wc -l <out)" -eq 1 ] || fail "not one line of output but $(wc -l <out)"; }

# memory_now - total and free memory of each NUMA node in KiB: without the page cache, and with the
# free pages in the lists of each CPU, which MemFree does not count.
memory_now()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
	awk '$3 == "MemTotal:" { total[$2] = $4 }
		$3 == "MemFree:" { free[$2] = $4 }
		$1 == "Node" && $3 == "zone" { node = $2 + 0 }
		$1 == "count:" { free[node] += 4 * $2 }
		END { for (i in total) print i, total[i], free[i] }' \
		/sys/devices/system/node/node*/meminfo /proc/zoneinfo
}

# memory_is FILE - whether all memory is there again that memory_now wrote there: in total exactly as
# much on each node, and free as much but for what the kernel itself may have taken meanwhile. Of one
# node more may be in use, as pages of files and programs have moved there from another.
memory_is()
{
	memory_now | awk 'NR == FNR { total[$1] = $2; free[$1] = $3; sum += $3; next }
		{ sum -= $3; seen++ }
		$2 != total[$1] { print "node " $1 ": " $2 " KiB in all, not " total[$1]; bad = 1 }
		$3 < free[$1] - 65536 { print "node " $1 ": " $3 " KiB free, not " free[$1]; bad = 1 }
		END {
			if (sum > 8192)
				print sum " KiB less are free"
			exit bad || sum > 8192 || !seen
		}' "$1" -
}

# memory_back FILE - the same, soon.
memory_back() { soon memory_is "$1" >memory.diff || fail "memory is missing: $(tail -n 4 memory.diff)"; }

# tasks_start - tasks that must move when CPUs are taken. Sets "tasks"; they end with the script.
tasks_start()
{
	tasks=
	for cpus in 0-3 1-2 1 3; do
		taskset -c $cpus sleep 1000 &
		tasks="$tasks $!"
	done
	# shellcheck disable=SC2086 # their numbers
	trap 'guests_end; kill $tasks' EXIT
}

# irqs NAME CPU - how many of them that CPU has had.
irqs() { awk -v name="$1:" -v column=$(($2 + 2)) '$1 == name { print $column }' /proc/interrupts; }

# noise_count CAUSE FILE - what "v3 noise --json" in that file says of it.
noise_count()
{
	awk -v cause="\"$1\":" '/"interrupts"/ { exit } $1 == cause { on = 1; next }
		on && $1 == "\"count\":" { print $2 + 0; exit }' "$2"
}

# noise_exits KIND FILE - how many exits of a kind.
noise_exits() { awk -v kind="\"$1\":" '/"exits"/ { on = 1 } on && $1 == kind { print $2 + 0 }' "$2"; }

# cpus_now - all that taking CPUs from the host may change: which of them are online, the affinity of
# every task and interrupt, work queues, limits, control groups.
cpus_now()
{
	echo "online $(cat /sys/devices/system/cpu/online)"
	echo "state $(ls /run/v3/cpus.json* 2>/dev/null)"
	grep -H . /proc/irq/default_smp_affinity /proc/irq/*/smp_affinity_list \
		/sys/devices/virtual/workqueue/cpumask /sys/devices/virtual/workqueue/*/cpumask \
		/proc/sys/kernel/sched_rt_* /proc/sys/kernel/*watchdog* /proc/sys/kernel/timer_migration \
		/proc/sys/vm/stat_interval
	mount | grep cgroup || true
	find /sys/fs/cgroup -type d | sort
	find /sys/fs/cgroup -name 'cpuset.cpus*' -o -name 'cgroup.subtree_control' | sort |
		xargs -r grep -H '' || true
	# Tasks may end meanwhile. Those that nobody but the kernel moves (PF_NO_SETAFFINITY) do not count:
	# it lends threads of its work queues to one CPU or another.
	awk 'FILENAME ~ /stat$/ { pid = $1; sub(/.*\) /, ""); bound[pid] = int($7 / 67108864) % 2; next }
		/^Name:/ { name = $2 } /^Pid:/ { pid = $2 }
		/^Cpus_allowed_list:/ && !bound[pid] { print "task", pid, name, $2 }' \
		/proc/[0-9]*/task/[0-9]*/stat /proc/[0-9]*/task/[0-9]*/status 2>/dev/null || true
}

# cpus_are FILE - whether all that is there again that cpus_now wrote; tasks that ended, and new ones,
# do not count.
cpus_are()
{
	cpus_now >cpus.now
	awk '$1 != "task" { lines[$0] += NR == FNR ? 1 : -1; next }
		NR == FNR { tasks[$2 " " $3] = $4; next }
		$2 " " $3 in tasks && tasks[$2 " " $3] != $4 {
			print "task " $2 " " $3 ": " $4 ", not " tasks[$2 " " $3]; bad = 1 }
		END { for (line in lines) if (lines[line]) {
			print (lines[line] > 0 ? "lost: " : "new: ") line; bad = 1 }
			exit bad }' "$1" cpus.now >cpus.diff
}

cpus_back() { soon cpus_are "$1" || fail "$2: not as before: $(cat cpus.diff)"; }

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 300
# suite: long
# lab: --smp 4
# Taking CPUs where there are cpusets, of cgroup v2 and v1, and with a command that the module may not run.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

tasks_start
wait_gone() { [ -z "$(v3 list | sed 1d)" ]; }

module_load

# cpusets of cgroup v2, then of v1
mkdir -p /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
echo +cpuset >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/a
echo "${tasks##* }" >/sys/fs/cgroup/a/cgroup.procs
echo 1-3 >/sys/fs/cgroup/a/cpuset.cpus
sleep 1000 &
tasks="$tasks $!"
cpus_now >before2
expect 0 v3 cpu take 2-3
expect 0 v3 cpu give
cpus_back before2 'cpusets of cgroup v2'
echo "${tasks##* }" >/sys/fs/cgroup/cgroup.procs
while read -r task; do echo "$task" >/sys/fs/cgroup/cgroup.procs; done </sys/fs/cgroup/a/cgroup.procs
rmdir /sys/fs/cgroup/a
echo -cpuset >/sys/fs/cgroup/cgroup.subtree_control
umount /sys/fs/cgroup
mount -t tmpfs none /sys/fs/cgroup
mkdir /sys/fs/cgroup/cpuset
mount -t cgroup -o cpuset none /sys/fs/cgroup/cpuset || fail 'no cgroup v1'
mkdir -p /sys/fs/cgroup/cpuset/a/b
for set in a a/b; do
	echo 0 >/sys/fs/cgroup/cpuset/$set/cpuset.mems
	echo 1-3 >/sys/fs/cgroup/cpuset/$set/cpuset.cpus
done
echo "${tasks##* }" >/sys/fs/cgroup/cpuset/a/b/tasks
cpus_now >before2
expect 0 v3 cpu take 2-3
[ "$(cat /sys/fs/cgroup/cpuset/a/b/cpuset.cpus)" = 1 ] || fail 'the cpuset has its CPUs still'
expect 0 v3 cpu give
cpus_back before2 'cpusets of cgroup v1'
expect 1 v3 cpu take 1-3
said 'the cpuset /sys/fs/cgroup/cpuset/a/b has no other CPUs'
cpus_back before2 'a cpuset of nothing else'
echo "${tasks##* }" >/sys/fs/cgroup/cpuset/tasks
rmdir /sys/fs/cgroup/cpuset/a/b /sys/fs/cgroup/cpuset/a
umount /sys/fs/cgroup/cpuset
umount /sys/fs/cgroup
cpus_now >before

# A command that the module may not run: that is said, and the next command tells what is left
expect 0 rmmod v3
module_load
mkdir unsafe
cp "$(command -v v3)" unsafe/v3
chown 1000 unsafe
unsafe/v3 run --name victim -m 32M --cpus 2-3 -a run=spin /lab/lwk.elf >log 2>&1 </dev/null &
victim=$!
soon is victim running || fail "no victim: $(cat log)"
grep -q 'the module will not run' log || fail "no warning: $(cat log)"
kill -9 $victim
soon wait_gone || fail 'the guest is left'
expect 0 v3 list
said "still taken for guest 'victim', which is gone: 'v3 cpu give 2' restores them"
expect 0 v3 cpu give all
cpus_back before 'without the module'
dmesg | grep 'what v3 took from the host is not back' || fail 'the kernel did not say it'

# What the module runs is the file itself, not a link to it that others may change
ln -s "$(command -v v3)" unsafe/link
echo "$PWD/unsafe/link" >/sys/module/v3/parameters/helper
[ "$(cat /sys/module/v3/parameters/helper)" = "$(readlink -f unsafe/link)" ] ||
	fail "the helper is $(cat /sys/module/v3/parameters/helper)"

# Ended by itself it restores as ever
expect 0 unsafe/v3 run -m 32M --cpus 2-3 -a run=hello /lab/lwk.elf
cpus_are before || fail "by itself: $(cat cpus.diff)"

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# lab: --smp 2 --mem 1G --append movablecore=512M --qemu -object --qemu memory-backend-ram,id=m0,size=512M --qemu -object --qemu memory-backend-ram,id=m1,size=512M --qemu -numa --qemu node,memdev=m0,cpus=0 --qemu -numa --qemu node,memdev=m1,cpus=1
# build: linux_vm.c
# Half of each node is for what moves: in the rest the kernel may have something in each block.
# Whoever is killed while memory is taken, zeroed, used or given back, and whenever: each node has
# all of its memory again afterwards, and no memory block stays offline.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
expect 42 linux_vm -c 1 -m 16 warm exit
memory_now >before

# killed SECONDS COMMAND... - kills the command after that time.
killed()
{
	wait=$1
	shift
	"$@" >log 2>&1 &
	victim=$!
	sleep "$wait"
	kill -9 $victim 2>/dev/null || true
	wait $victim || true
}

# At some moment: also between two blocks, and with a range half taken
for moment in 0.05 0.2 0.5; do
	for how in '' --offline; do
		# shellcheck disable=SC2086 # none or one word
		killed $moment v3 mem take 256MiB --node 1 $how
		# all of it or nothing
		held=$(v3 mem list | awk '$1 == 1 { print $6, $7; exit }')
		[ "$held" = '0 bytes' ] || [ "$held" = '256 MiB' ] || fail "$held are held"
		v3 mem give >/dev/null
		memory_back before
	done
	killed $moment v3 run -m 512MiB -a run=spin /lab/lwk.elf
	memory_back before
done

# running COMMAND... - kills it, v3 run, when its guest runs.
running()
{
	"$@" >log 2>&1 &
	victim=$!
	soon is lwk running || fail "no guest: $(cat log)"
	v3 mem list
	kill -9 $victim
	wait $victim || true
	[ -z "$(state lwk)" ] || fail 'the guest outlives its owner'
}

# A guest with memory of each kind: a page of the page allocator, evacuated ranges, what is held
for size in 4MiB 256MiB; do
	running v3 run -m $size -a run=spin /lab/lwk.elf
	memory_back before
done
for how in '' --offline; do
	# shellcheck disable=SC2086 # none or one word
	expect 0 v3 mem take 128MiB --node 1 $how
	memory_now >taken
	running v3 run --no-take -m 96MiB -a run=spin /lab/lwk.elf
	unused=$(v3 mem list | awk '$1 == 1 { print $6, $7, $8, $9, $10, $11; exit }')
	[ "$unused" = '128 MiB 0 bytes 128 MiB' ] || fail "held, used, unused: $unused"
	memory_back taken
	expect 0 v3 mem give
	said '128 MiB given back'
	memory_back before
done

# What is given goes back although nobody waits for it any more
expect 0 v3 mem take 128MiB --node 1 --offline
killed 0.01 v3 mem give
v3 mem give >/dev/null
memory_back before

# Others of its signals end it, too
v3 mem take 256MiB >log 2>&1 &
victim=$!
sleep 0.2
kill -TERM $victim 2>/dev/null || true
wait $victim || true
v3 mem give >/dev/null

# Many at once, and guests beside them
for i in 1 2 3 4; do
	v3 mem take 48MiB >log$i 2>&1 &
done
v3 mem take 128MiB --offline >log5 2>&1 &
linux_vm -m 64 beside exit >log6 2>&1 &
wait
cat log1 log2 log3 log4 log5 log6
expect 0 v3 mem give
memory_back before

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: named
# timeout: 900
# lab: --icount --smp 4 --mem 2G
# The Kitten lightweight kernel with 1, 2 and 4 CPUs to the end of its own tests. Its images are
# not part of this project: "tests/lab/run --add bzImage:/lab/kitten --add INIT:/lab/init_task
# kitten", INIT being its user/hello_world/hello_world.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

trap guests_end EXIT

ends() { ! kill -0 "$pid" 2>/dev/null || grep -q "That's all, folks" log; }
count() { grep -c "$1" log || true; }

for image in kitten init_task; do
	[ -e /lab/$image ] || fail "no /lab/$image: give it with --add FILE:/lab/$image"
done
module_load
for cpus in 1 2 4; do
	cat >kitten.yaml <<-END
		name: kitten
		kernel: /lab/kitten
		initrd: /lab/init_task
		memory: 512MiB
		entry: 32
		vcpus: $cpus
		cpu: {hide: [avx]}
		cmdline: console=serial init_argv="one two three" init_envp="MALLOC_ARENA_MAX=1" init_heap_size=67108864
	END
	v3 run kitten.yaml </dev/null >log 2>&1 &
	pid=$!
	soon ends || soon ends || soon ends || soon ends || fail "$cpus CPUs: no end: $(tail -n 40 log)"
	kill -TERM $pid || fail "$cpus CPUs: $(tail -n 40 log)"
	wait $pid || true
	grep -q "Number of CPUs detected: $cpus" log || fail "not $cpus CPUs: $(head -n 200 log)"
	[ "$(count 'FAILED')" = 0 ] || fail "$cpus CPUs: $(grep FAILED log)"
	for test in 'Address Space' 'Task Management' 'Task Migration'; do
		[ "$(count "TEST END: *$test")" = 1 ] || fail "$cpus CPUs: no end of '$test'"
	done
	echo "$cpus CPUs: $(count 'TEST END') tests ended"
done

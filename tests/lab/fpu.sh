# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# FPU, SSE and AVX registers belong to whoever runs: three guests, one of them without AVX and one without
# XSAVE, and a process of the host take turns on one CPU, and all compute what they compute alone.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

trap guests_end EXIT

# A sum in floating point, on the CPU of the guests.
compute()
{
	taskset 1 awk 'BEGIN { for (i = 1; i < 20000; i++) s += i / (i + 0.3); printf "%.17g\n", s }'
}

# guest NAME CPU - checks its results, and ends with 1 if one is wrong
guest()
{
	status=0
	v3 run -n "$1" --cpu "$2" --pin 0 -m 64M --timeout 80 -a 'run=stream size=20K ntimes=200' /lab/lwk.elf \
		</dev/null >"$1.log" 2>&1 || status=$?
	echo $status >"$1.status"
}

module_load
alone=$(compute)
guest one host &
guest two x86-64-v2 &
guest three host,-avx &
rounds=0
while [ ! -e one.status ] || [ ! -e two.status ] || [ ! -e three.status ]; do
	together=$(compute)
	[ "$together" = "$alone" ] || fail "the host computed $together instead of $alone"
	rounds=$((rounds + 1))
done
wait
for name in one two three; do
	tail -n 4 $name.log
	[ "$(cat $name.status)" = 0 ] || fail "guest $name ended with $(cat $name.status)"
	grep -q 'stream: name=triad' $name.log || fail "guest $name computed nothing"
done
echo "$alone, $rounds times"
[ $rounds -ge 3 ] || fail "only $rounds rounds beside the guests"

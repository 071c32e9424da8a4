# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 60
# Vector instructions of guests on devices, with and without AVX; and one that nobody emulates ends the
# guest or raises #UD, as its description says.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
expect 0 v3 run -n wide --cpu host --pin 0 -m 64M --timeout 20 -a run=vector /lab/lwk.elf
said 'vector: surprises: 0, AVX: yes'
expect 0 v3 run -n narrow --cpu host,-avx --pin 0 -m 64M --timeout 20 -a run=vector /lab/lwk.elf
said 'vector: surprises: 0, AVX: no'

cat >stop.yaml <<-END
	kernel: /lab/lwk.elf
	cmdline: run=lacking
	memory: 64M
END
{ cat stop.yaml; echo 'unemulated: ud'; } >ud.yaml
expect 240 v3 run --timeout 20 stop.yaml
said 'no emulation for instruction 0f 58'
expect 112 v3 run --timeout 20 ud.yaml
said 'lwk: unexpected invalid opcode (vector 6'

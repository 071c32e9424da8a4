# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 120
# The lightweight kernel with its programs, ending as it says.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load
expect 0 v3 run -m 64M -a run=hello /lab/lwk.elf
said 'lwk: entry' libv3VMMcore 'Hello from a lightweight kernel.' 'exited with code 0'

expect 0 v3 run -m 64M -a 'run=cpuid n=100' /lab/lwk.elf
for name in cpuid msr port mmio_ioapic hypercall mmio_lapic self_ipi; do
	said "bench: name=$name min="
done

expect 0 v3 run -m 128M -a 'run=stream size=50K ntimes=2' /lab/lwk.elf
said 'stream: name=triad'

expect 0 v3 run -m 64M -a 'run=tick hz=100 n=20' /lab/lwk.elf
expect 42 v3 run -m 64M -a 'run=exit code=42' /lab/lwk.elf
said 'exited with code 42'
expect 247 v3 run -m 64M -a 'run=exit code=240' /lab/lwk.elf
expect 0 v3 run -m 1G -a run=hello /lab/lwk.elf

# By a description, with a file name relative to it
cp /lab/lwk.elf kernel.elf
printf 'name: described\nkernel: kernel.elf\ncmdline: run=exit\nmemory: 64MiB\npin: 1\n' >guest.yaml
expect 5 v3 run -a code=5 guest.yaml

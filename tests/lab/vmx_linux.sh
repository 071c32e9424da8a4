# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# suite: vmx
# timeout: 240
# lab: --cpu intel --smp 2 --with-linux
# Debian's cloud kernel as a guest with two CPUs, to a shell and to power-off; vmx_realmode.sh and
# tests/vmx have more of it.
#
# Without virtual-interrupt delivery: when one of the host's interrupts comes while the guest has them
# off, Bochs 2.7 delivers a virtual one that waits (InterruptAcknowledge() looks at what is pending,
# masked or not), and Linux takes a lock twice. tests/vmx has Linux with it, on a host without any.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

expect 0 insmod /lib/modules/v3.ko features_off=virtual-interrupts
base='console=ttyS0 quiet mitigations=off nokaslr panic=-1 cryptomgr.notests'
base="$base initcall_blacklist=load_system_certificate_list,trace_eval_init"
expect 0 v3 run -m 256M --vcpus 2 --initrd /lab/guest.cpio --timeout 200 \
	-a "$base -- uname -sr; grep -c ^processor /proc/cpuinfo; echo sum \$((40 + 2))" \
	/lab/vmlinuz
said 'Linux 6.' 'sum 42' 'the command ended with 0' 'powered off'
tr -d "\r" <out | grep -qx 2 || fail 'the guest has not 2 CPUs'

# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# timeout: 60
# CPU models and hidden features as a guest sees them; what is refused, and how that is said.
# shellcheck source=tests/lab/lib.sh
. /lab/lib.sh

module_load

# cpu MODEL - the program "cpu" in a guest of that model: nothing contradicts anything.
cpu()
{
	expect 0 v3 run -m 64M --timeout 20 --cpu "$1" -a run=cpu /lab/lwk.elf
	said 'surprises: cr4=0 efer=0 xsave=0 msrs=0'
}

# lacks WORD... - features that the guest did not see
lacks()
{
	for word; do
		! grep '^cpu: features' out | grep -qw "$word" || fail "the guest has $word"
	done
}

cpu host
said 'features sse4_2 aes xsave avx fma f16c avx2 bmi2 smep' 'xcr0=0x7 area=832' \
	'unknown MSRs: fault fault'
dmesg | grep 'unknown MSR 0x12345678: #GP'
cpu host,-avx
said 'features sse4_2 aes xsave bmi2 smep' 'xcr0=0x3 area=576'
cpu host,-xsave,-smep,-rdtscp,-nx,-hypervisor,-mtrr,-pat
lacks xsave avx fma f16c avx2 smep rdtscp nx hypervisor
said 'xcr0=0x0 area=0 tsc_khz=0'
cpu x86-64-v3
said 'features sse4_2 xsave avx fma f16c avx2 bmi2 smep rdtscp'
lacks aes sha_ni
cpu x86-64-v2
said 'features sse4_2 smep rdtscp'
lacks xsave avx

cat >guest.yaml <<END
kernel: /lab/lwk.elf
memory: 64M
cmdline: run=cpu
cpu: {model: x86-64-v3, hide: [avx2]}
unknown_msrs: ignore
END
expect 0 v3 run --timeout 20 guest.yaml
said 'surprises: cr4=0 efer=0 xsave=0 msrs=0' 'unknown MSRs: ignored ignored'
lacks avx2
dmesg | grep 'unknown MSR 0x12345678: ignored'
sed -i 's/avx2/avx3/' guest.yaml
expect 245 v3 run guest.yaml
one_line
said "guest.yaml:4:32: cpu: 'avx3' is no CPU feature"

# what this machine cannot give
expect 245 v3 run -m 64M --cpu x86-64-v4 -a run=cpu /lab/lwk.elf
one_line
said 'this host cannot give the CPU model x86-64-v4, it lacks avx512f'
expect 246 v3 run --cpu pentium /lab/lwk.elf
one_line
said "--cpu: 'pentium' is no CPU model"
v3 doctor | grep 'CPU models.*host, x86-64-v2, x86-64-v3; not x86-64-v4, which needs avx512f' ||
	fail 'doctor does not tell the models'

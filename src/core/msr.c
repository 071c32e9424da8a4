/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSRs that exit: hooks of devices first, then the core's own. What a guest needs often (FS, GS,
 * system calls) never comes here. Anything else raises #GP, or is ignored if the VM is made so.
 */
#include "core/vm.h"

#include "lib/bits.h"
#include "lib/mem.h"
#include "x86/cr.h"
#include "x86/cpuid.h"
#include "x86/insn.h"
#include "x86/msr.h"

#define NUM_VAR_MTRR 8

enum outcome {
	DONE,
	FAULT,		/* a value or an access that the register does not take */
	UNKNOWN,	/* no such register */
};

static const struct v3_msr_hook *hook_find(const struct v3_vm *vm, uint32_t msr)
{
	const struct v3_msr_hook *hook = vm->msr;
	unsigned int left;

	for (left = vm->num_msr; left; left--, hook++)
		if (msr >= hook->first && msr <= hook->last)
			return hook;
	return NULL;
}

/* --- MTRRs: kept for the guest to read back; nested paging sets the memory types --- */

static uint64_t *mtrr_slot(struct v3_vcpu *vcpu, uint32_t msr)
{
	if (msr == V3_MSR_MTRR_DEF_TYPE)
		return &vcpu->mtrr_def;
	if (msr >= V3_MSR_MTRR_PHYSBASE(0) && msr < V3_MSR_MTRR_PHYSBASE(NUM_VAR_MTRR))
		return &vcpu->mtrr_var[msr - V3_MSR_MTRR_PHYSBASE(0)];
	if (msr == V3_MSR_MTRR_FIX64K_00000)
		return &vcpu->mtrr_fixed[0];
	if (msr == V3_MSR_MTRR_FIX16K_80000 || msr == V3_MSR_MTRR_FIX16K_A0000)
		return &vcpu->mtrr_fixed[1 + msr - V3_MSR_MTRR_FIX16K_80000];
	if (msr >= V3_MSR_MTRR_FIX4K_C0000 && msr <= V3_MSR_MTRR_FIX4K_F8000)
		return &vcpu->mtrr_fixed[3 + msr - V3_MSR_MTRR_FIX4K_C0000];
	return NULL;
}

/* Eight fields of one memory type. */
#define MEMTYPES(type) ((type) * 0x0101010101010101ull)

/*
 * Loaders stand in for firmware, which sets the MTRRs: memory is WB, VGA's and devices' below 4 GiB UC,
 * ROM is WP. Linux makes no use of PAT while MTRRs are off.
 */
void v3_mtrr_reset(struct v3_vcpu *vcpu)
{
	uint64_t below = (1ull << vcpu->vm->phys_bits) - 1;
	unsigned int i;

	vcpu->mtrr_def = V3_MTRR_DEF_TYPE_E | V3_MTRR_DEF_TYPE_FE | V3_MEMTYPE_WB;
	vcpu->mtrr_fixed[0] = vcpu->mtrr_fixed[1] = MEMTYPES(V3_MEMTYPE_WB);
	vcpu->mtrr_fixed[2] = MEMTYPES(V3_MEMTYPE_UC);
	for (i = 3; i < 11; i++)
		vcpu->mtrr_fixed[i] = MEMTYPES(V3_MEMTYPE_WP);
	memset(vcpu->mtrr_var, 0, sizeof(vcpu->mtrr_var));
	vcpu->mtrr_var[0] = V3_LOW_RAM_MAX | V3_MEMTYPE_UC;
	vcpu->mtrr_var[1] = (below & ~(V3_HIGH_RAM_BASE - V3_LOW_RAM_MAX - 1)) |
			    V3_MTRR_PHYSMASK_VALID;
}

static bool memtype_valid(uint64_t type, bool pat)
{
	return type == V3_MEMTYPE_UC || type == V3_MEMTYPE_WC || type == V3_MEMTYPE_WT ||
	       type == V3_MEMTYPE_WP || type == V3_MEMTYPE_WB ||
	       (pat && type == V3_MEMTYPE_UC_MINUS);
}

static bool memtypes_valid(uint64_t value, bool pat)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		if (!memtype_valid(value >> (8 * i) & 0xff, pat))
			return false;
	return true;
}

bool v3_pat_valid(uint64_t value)
{
	return memtypes_valid(value, true);
}

/* Reserved bits raise #GP (APM2 7.7.2, SDM 3A 11.11). */
static bool mtrr_valid(const struct v3_vm *vm, uint32_t msr, uint64_t value)
{
	uint64_t high = ~((1ull << v3_cpuid_phys_bits(vm)) - 1);

	if (msr == V3_MSR_MTRR_DEF_TYPE)
		return !(value & ~(V3_MTRR_DEF_TYPE_MASK | V3_MTRR_DEF_TYPE_FE |
				   V3_MTRR_DEF_TYPE_E)) &&
		       memtype_valid(value & V3_MTRR_DEF_TYPE_MASK, false);
	if (msr >= V3_MSR_MTRR_FIX64K_00000 && msr <= V3_MSR_MTRR_FIX4K_F8000)
		return memtypes_valid(value, false);
	if (msr & 1)
		return !(value & (high | 0x7ff));
	return !(value & (high | 0xf00)) && memtype_valid(value & 0xff, false);
}

/* --- Reads --- */

/* Registers that a PC has and that carry nothing here: read as zero, writes of anything vanish. */
static bool reads_zero(uint32_t msr)
{
	switch (msr) {
	case V3_MSR_PLATFORM_ID:
	case V3_MSR_EBL_CR_POWERON:
	case V3_MSR_BIOS_UPDT_TRIG:
	case V3_MSR_MCG_CAP:
	case V3_MSR_MCG_STATUS:
	case V3_MSR_DEBUGCTL:
	case V3_MSR_LAST_BRANCH_FROM:
	case V3_MSR_LAST_BRANCH_TO:
	case V3_MSR_LAST_INT_FROM:
	case V3_MSR_LAST_INT_TO:
	case V3_MSR_AMD_SYSCFG:
	case V3_MSR_AMD_NB_CFG:
	case V3_MSR_AMD_INT_PENDING:
	case V3_MSR_AMD_MMIO_CFG_BASE:
	case V3_MSR_AMD_PATCH_LOADER:
	case V3_MSR_AMD_TOP_MEM:
	case V3_MSR_AMD_TOP_MEM2:
	case V3_MSR_AMD_CSTATE_BASE:
	case V3_MSR_AMD_LS_CFG:
	case V3_MSR_AMD_IC_CFG:
	case V3_MSR_AMD_DC_CFG:
	case V3_MSR_AMD_BU_CFG:
	case V3_MSR_AMD_BU_CFG2:
	case V3_MSR_AMD_FP_CFG:
		return true;
	default:
		return false;
	}
}

/* Registers that go with a feature are there if CPUID says so. */
static bool is_offered(const struct v3_vm *vm, uint32_t msr)
{
	switch (msr) {
	case V3_MSR_MTRRCAP:
	case V3_MSR_MTRR_DEF_TYPE:
	case V3_MSR_MTRR_PHYSBASE(0) ... V3_MSR_MTRR_FIX4K_F8000:
		return v3_vm_has(vm, V3_CPU_1_EDX, V3_CPUID_1_EDX_MTRR);
	case V3_MSR_PAT:
		return v3_vm_has(vm, V3_CPU_1_EDX, V3_CPUID_1_EDX_PAT);
	case V3_MSR_MCG_CAP:
	case V3_MSR_MCG_STATUS:
		return v3_vm_has(vm, V3_CPU_1_EDX, V3_CPUID_1_EDX_MCA);
	case V3_MSR_TSC_ADJUST:
		return v3_vm_has(vm, V3_CPU_7_EBX, V3_CPUID_7_EBX_TSC_ADJUST);
	case V3_MSR_TSC_AUX:
		return v3_vm_has(vm, V3_CPU_EXT1_EDX, V3_CPUID_80000001_EDX_RDTSCP);
	case V3_MSR_XSS:
		return v3_vm_has(vm, V3_CPU_D1_EAX, V3_CPUID_D1_EAX_XSAVES);
	case V3_MSR_MISC_ENABLE:
		return vm->cpuid[0].regs.ebx == V3_CPUID_INTEL_EBX;
	default:
		return true;
	}
}

static enum outcome msr_read(struct v3_vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	const uint64_t *mtrr = mtrr_slot(vcpu, msr);

	*value = 0;
	if (!is_offered(vcpu->vm, msr))
		return UNKNOWN;
	if (mtrr) {
		*value = *mtrr;
		return DONE;
	}
	switch (msr) {
	case V3_MSR_TSC:
		*value = v3_guest_tsc(vcpu);
		return DONE;
	case V3_MSR_TSC_ADJUST:
		*value = vcpu->tsc_adjust;
		return DONE;
	case V3_MSR_EFER:
		*value = vcpu->vm->arch->get_efer(vcpu);
		return DONE;
	case V3_MSR_PAT:
		*value = vcpu->vm->arch->get_pat(vcpu);
		return DONE;
	case V3_MSR_MTRRCAP:
		*value = NUM_VAR_MTRR | V3_MTRRCAP_FIX | V3_MTRRCAP_WC;
		return DONE;
	case V3_MSR_TSC_AUX:
		*value = vcpu->tsc_aux;
		return DONE;
	case V3_MSR_XSS:	/* no supervisor state is for guests */
		return DONE;
	case V3_MSR_PATCH_LEVEL:
		*value = 0x01000065;	/* of no CPU: only says that there is microcode */
		return DONE;
	case V3_MSR_MISC_ENABLE:
		/* Kernels read it before they can handle a fault. */
		*value = V3_MISC_ENABLE_FAST_STRING | V3_MISC_ENABLE_BTS_UNAVAIL |
			 V3_MISC_ENABLE_PEBS_UNAVAIL;
		return DONE;
	case V3_MSR_VM_CR:
		*value = V3_VM_CR_SVMDIS | V3_VM_CR_LOCK;
		return DONE;
	case V3_MSR_AMD_DE_CFG:
		*value = V3_DE_CFG_LFENCE_SERIALIZE;
		return DONE;
	case V3_MSR_AMD_HWCR:
		/* An invariant TSC counts at the rate of P0; Linux takes anything else for a firmware's fault. */
		if (v3_vm_has(vcpu->vm, V3_CPU_EXT7_EDX, V3_CPUID_80000007_EDX_INVARIANT_TSC))
			*value = V3_HWCR_TSC_FREQ_SEL;
		return DONE;
	default:
		return reads_zero(msr) ? DONE : UNKNOWN;
	}
}

/* --- Writes --- */

static bool efer_write(struct v3_vcpu *vcpu, uint64_t value)
{
	const struct v3_arch_ops *arch = vcpu->vm->arch;
	uint64_t old = arch->get_efer(vcpu);

	/* LMA is the CPU's: a write of it is ignored. */
	value = (value & ~V3_EFER_LMA) | (old & V3_EFER_LMA);
	if (value & ~(vcpu->vm->cpu.efer_mask | V3_EFER_LMA))
		return false;
	if ((old ^ value) & V3_EFER_LME && arch->get_cr(vcpu, 0) & V3_CR0_PG)
		return false;
	arch->set_efer(vcpu, value);
	return true;
}

static enum outcome msr_write(struct v3_vcpu *vcpu, uint32_t msr, uint64_t value)
{
	uint64_t *mtrr = mtrr_slot(vcpu, msr);

	if (!is_offered(vcpu->vm, msr))
		return UNKNOWN;
	if (mtrr) {
		if (!mtrr_valid(vcpu->vm, msr, value))
			return FAULT;
		*mtrr = value;
		return DONE;
	}
	switch (msr) {
	case V3_MSR_TSC:
		v3_vcpu_set_tsc(vcpu, value);
		return DONE;
	case V3_MSR_TSC_ADJUST:
		/* What the TSC differs by from one never written (SDM 3B 17.17.3), to the tick. */
		v3_vcpu_set_tsc(vcpu, v3_guest_tsc(vcpu) + value - vcpu->tsc_adjust);
		vcpu->tsc_adjust = value;
		v3_vcpu_sync_tsc(vcpu);
		return DONE;
	case V3_MSR_EFER:
		return efer_write(vcpu, value) ? DONE : FAULT;
	case V3_MSR_PAT:
		if (!v3_pat_valid(value))
			return FAULT;
		vcpu->vm->arch->set_pat(vcpu, value);
		return DONE;
	case V3_MSR_TSC_AUX:
		if (value >> 32)
			return FAULT;
		vcpu->tsc_aux = value;
		v3_x86_wrmsr(V3_MSR_TSC_AUX, value);
		return DONE;
	case V3_MSR_XSS:
		return value ? FAULT : DONE;
	case V3_MSR_PATCH_LEVEL:
	case V3_MSR_AMD_DE_CFG:
	case V3_MSR_MISC_ENABLE:	/* nothing of it can be switched */
	case V3_MSR_AMD_HWCR:
		return DONE;
	case V3_MSR_MTRRCAP:
	case V3_MSR_VM_CR:
		return FAULT;	/* read-only */
	default:
		return reads_zero(msr) ? DONE : UNKNOWN;
	}
}

/* --- Exits --- */

/* Registers of devices that go with a feature; only asked in VMs that hide some. */
static V3_NOINLINE enum outcome device_msr(const struct v3_vm *vm, uint32_t msr, uint64_t written)
{
	bool x2apic = v3_vm_has(vm, V3_CPU_1_ECX, V3_CPUID_1_ECX_X2APIC), there = true;

	if (msr >= V3_MSR_X2APIC_FIRST && msr <= V3_MSR_X2APIC_LAST)
		there = x2apic;
	else if (msr == V3_MSR_TSC_DEADLINE)
		there = v3_vm_has(vm, V3_CPU_1_ECX, V3_CPUID_1_ECX_TSC_DEADLINE);
	else if (msr == V3_MSR_APIC_BASE)
		there = v3_vm_has(vm, V3_CPU_1_EDX, V3_CPUID_1_EDX_APIC);
	if (!there)
		return UNKNOWN;
	return msr == V3_MSR_APIC_BASE && written & V3_APIC_BASE_X2APIC && !x2apic ? FAULT : DONE;
}

/* Whether this is the first time; past V3_MAX_UNKNOWN_MSRS of them no more is told, but that once. */
static bool unknown_first(struct v3_vm *vm, uint32_t msr, bool *full)
{
	uint64_t flags = v3_lock_irqsave(&vm->lock);
	bool first = false;
	unsigned int i;

	for (i = 0; i < vm->num_unknown_msrs && i < V3_MAX_UNKNOWN_MSRS; i++)
		if (vm->unknown_msrs[i] == msr)
			break;
	if (i == vm->num_unknown_msrs) {
		first = true;
		*full = i == V3_MAX_UNKNOWN_MSRS;
		if (!*full)
			vm->unknown_msrs[i] = msr;
		vm->num_unknown_msrs++;
	}
	v3_lock_irqrestore(&vm->lock, flags);
	return first;
}

/* A guest can cause no more lines than there is room for MSRs: they are not limited by the second. */
static V3_NOINLINE bool unknown_ignored(struct v3_vcpu *vcpu, const char *what, uint32_t msr)
{
	struct v3_vm *vm = vcpu->vm;
	bool full = false;

	if (!unknown_first(vm, msr, &full))
		return vm->cpu.ignore_msrs;
	if (full)
		v3_host_log(vm->host, V3_LOG_INFO, "v3: %s: more unknown MSRs are not told of",
			    vm->name);
	else
		v3_host_log(vm->host, V3_LOG_INFO,
			    "v3: %s: vCPU %u: %s of unknown MSR 0x%x: %s, RIP 0x%llx", vm->name,
			    vcpu->index, what, msr, vm->cpu.ignore_msrs ? "ignored" : "#GP",
			    (unsigned long long)vcpu->rip);
	return vm->cpu.ignore_msrs;
}

/* Whether the access goes on; else #GP is queued. */
static bool msr_outcome(struct v3_vcpu *vcpu, enum outcome outcome, const char *what, uint32_t msr)
{
	if (outcome == DONE || (outcome == UNKNOWN && unknown_ignored(vcpu, what, msr)))
		return true;
	if (outcome == FAULT)
		v3_vm_log(vcpu->vm, V3_LOG_DEBUG, "vCPU %u: %s of MSR 0x%x: #GP, RIP 0x%llx",
			  vcpu->index, what, msr, (unsigned long long)vcpu->rip);
	v3_vcpu_gp(vcpu);
	return false;
}

static void read_done(struct v3_vcpu *vcpu, const struct v3_exit *exit, uint64_t value)
{
	vcpu->gpr[0] = (uint32_t)value;
	vcpu->gpr[2] = value >> 32;
	v3_vcpu_skip_0f(vcpu, exit->insn_len, 0x32);
}

/* What no hook answered; result: what the hook said that was asked, if any. */
static V3_NOINLINE void read_unhooked(struct v3_vcpu *vcpu, const struct v3_exit *exit,
				      enum v3_hook_result result, enum outcome outcome)
{
	uint32_t msr = (uint32_t)vcpu->gpr[1];
	uint64_t value = 0;

	if (result == V3_HOOK_FAULT)
		outcome = FAULT;
	else if (outcome == DONE)
		outcome = msr_read(vcpu, msr, &value);
	if (msr_outcome(vcpu, outcome, "read", msr))
		read_done(vcpu, exit, value);
}

void v3_exit_rdmsr(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	uint32_t msr = (uint32_t)vcpu->gpr[1];
	const struct v3_msr_hook *hook = hook_find(vcpu->vm, msr);
	enum v3_hook_result result = V3_HOOK_PASS;
	enum outcome outcome = DONE;

	if (hook && vcpu->vm->cpu.hides)
		outcome = device_msr(vcpu->vm, msr, 0);
	if (hook && outcome == DONE) {
		vcpu->msr_value = 0;
		result = hook->ops->read ? hook->ops->read(vcpu, hook->ctx, msr, &vcpu->msr_value)
					 : V3_HOOK_FAULT;
		if (result == V3_HOOK_DONE) {
			read_done(vcpu, exit, vcpu->msr_value);
			return;
		}
	}
	read_unhooked(vcpu, exit, result, outcome);
}

void v3_exit_wrmsr(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	uint32_t msr = (uint32_t)vcpu->gpr[1];
	uint64_t value = vcpu->gpr[2] << 32 | (uint32_t)vcpu->gpr[0];
	const struct v3_msr_hook *hook = hook_find(vcpu->vm, msr);
	enum v3_hook_result result = V3_HOOK_PASS;
	enum outcome outcome = DONE;

	if (hook && vcpu->vm->cpu.hides)
		outcome = device_msr(vcpu->vm, msr, value);
	if (hook && outcome == DONE)
		result = hook->ops->write ? hook->ops->write(vcpu, hook->ctx, msr, value)
					  : V3_HOOK_FAULT;
	if (result != V3_HOOK_DONE) {
		if (result == V3_HOOK_FAULT)
			outcome = FAULT;
		else if (outcome == DONE)
			outcome = msr_write(vcpu, msr, value);
		if (!msr_outcome(vcpu, outcome, "write", msr))
			return;
	}
	v3_vcpu_skip_0f(vcpu, exit->insn_len, 0x30);
}

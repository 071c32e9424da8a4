/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID exits: the answers of cpuid_build.c, and the parts of them that change. */
#include "core/vm.h"

#include "lib/bits.h"
#include "x86/cpuid.h"
#include "x86/cr.h"

#define OPCODE 0xa2	/* after 0x0f */

/* Entries are few and in no order; the frequent leaves are among the first. */
static const struct v3_cpuid_entry *entry_find(const struct v3_vm *vm, uint32_t leaf,
					       uint32_t subleaf)
{
	const struct v3_cpuid_entry *entry = vm->cpuid, *end = entry + vm->num_cpuid;

	for (; entry < end; entry++)
		if (entry->leaf == leaf && (!entry->has_subleaf || entry->subleaf == subleaf))
			return entry;
	return NULL;
}

unsigned int v3_cpuid_phys_bits(const struct v3_vm *vm)
{
	const struct v3_cpuid_entry *entry = entry_find(vm, V3_CPUID_LEAF_SIZES, 0);

	return entry ? entry->regs.eax & V3_CPUID_80000008_EAX_PA_MASK : 36;
}

/*
 * Size of the XSAVE area for the components in xcr0 (SDM 1 13.4.3). In the compacted format they
 * follow each other, those with bit 1 of ECX at multiples of 64 bytes; in the standard format EBX
 * says where.
 */
static uint32_t area_size(const struct v3_vm *vm, uint64_t xcr0, bool compacted)
{
	uint32_t size = 512 + 64, at;
	unsigned int i;

	for (i = 2; i < 63; i++) {
		const struct v3_cpuid_entry *entry;

		if (!(xcr0 >> i & 1))
			continue;
		entry = entry_find(vm, V3_CPUID_LEAF_XSAVE, i);
		if (!entry)
			continue;
		at = entry->regs.ebx;
		if (compacted)
			at = entry->regs.ecx & 2 ? (size + 63) & ~63u : size;
		if (at + entry->regs.eax > size)
			size = at + entry->regs.eax;
	}
	return size;
}

uint32_t v3_cpuid_xsave_size(const struct v3_vm *vm, uint64_t xcr0)
{
	return area_size(vm, xcr0, false);
}

/* What hooks may not show: it is hidden, or belongs to what is. */
static void hidden_remove(const struct v3_vm *vm, uint32_t leaf, uint32_t subleaf,
			  struct v3_cpuid *regs)
{
	uint32_t *const reg[] = { &regs->eax, &regs->ebx, &regs->ecx, &regs->edx };
	unsigned int i;

	for (i = 0; i < V3_CPU_WORDS; i++)
		if (v3_cpu_words[i].leaf == leaf && v3_cpu_words[i].subleaf == subleaf)
			*reg[v3_cpu_words[i].reg] &= ~vm->cpu.hidden.word[i];
}

static void hooks_call(struct v3_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
		       struct v3_cpuid *regs)
{
	struct v3_vm *vm = vcpu->vm;
	unsigned int i;

	for (i = 0; i < vm->num_cpuid_hooks; i++)
		if (leaf - vm->cpuid_hooks[i].first <=
		    vm->cpuid_hooks[i].last - vm->cpuid_hooks[i].first)
			vm->cpuid_hooks[i].fn(vcpu, vm->cpuid_hooks[i].ctx, leaf, subleaf, regs);
	if (vm->cpu.hides)
		hidden_remove(vm, leaf, leaf == V3_CPUID_LEAF_FEATURES ? 0 : subleaf, regs);
}

/* The parts of an answer that change from vCPU to vCPU or while the guest runs. */
static void answer_complete(struct v3_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
			    struct v3_cpuid *regs)
{
	struct v3_vm *vm = vcpu->vm;

	if (leaf == V3_CPUID_LEAF_FEATURES) {
		regs->ebx |= vcpu->index << V3_CPUID_1_EBX_APIC_ID_SHIFT;
		if (vm->arch->get_cr(vcpu, 4) & V3_CR4_OSXSAVE)
			regs->ecx |= V3_CPUID_1_ECX_OSXSAVE;
	} else if (leaf == V3_CPUID_LEAF_TOPOLOGY || leaf == V3_CPUID_LEAF_TOPOLOGY_V2) {
		regs->edx = vcpu->index;
	} else if (leaf == V3_CPUID_LEAF_XSAVE && subleaf == 0) {
		regs->ebx = v3_cpuid_xsave_size(vm, vcpu->xcr0);
	} else if (leaf == V3_CPUID_LEAF_XSAVE && subleaf == 1 &&
		   regs->eax & (V3_CPUID_D1_EAX_XSAVEC | V3_CPUID_D1_EAX_XSAVES)) {
		regs->ebx = area_size(vm, vcpu->xcr0, true);
	} else if (leaf == V3_CPUID_LEAF_AMD_TOPOLOGY) {
		/* One thread a core, one node. */
		regs->eax = regs->ebx = vcpu->index;
	}
	hooks_call(vcpu, leaf, subleaf, regs);
}

static inline void answer(struct v3_vcpu *vcpu, const struct v3_cpuid *regs)
{
	vcpu->gpr[0] = regs->eax;
	vcpu->gpr[3] = regs->ebx;
	vcpu->gpr[1] = regs->ecx;
	vcpu->gpr[2] = regs->edx;
}

/* Not a mere copy of the table. */
static V3_NOINLINE void answer_make(struct v3_vcpu *vcpu, const struct v3_cpuid_entry *entry,
				    unsigned int len)
{
	uint32_t leaf = (uint32_t)vcpu->gpr[0], subleaf = (uint32_t)vcpu->gpr[1];
	struct v3_cpuid regs = { 0, 0, 0, 0 };

	if (entry) {
		regs = entry->regs;
		answer_complete(vcpu, leaf, subleaf, &regs);
	} else if (vcpu->vm->num_cpuid_hooks) {
		hooks_call(vcpu, leaf, subleaf, &regs);
	}
	answer(vcpu, &regs);
	v3_vcpu_skip_0f(vcpu, len, OPCODE);
}

void v3_exit_cpuid(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	const struct v3_cpuid_entry *entry = entry_find(vcpu->vm, (uint32_t)vcpu->gpr[0],
							(uint32_t)vcpu->gpr[1]);

	if (!entry || entry->dynamic) {
		answer_make(vcpu, entry, exit->insn_len);
		return;
	}
	answer(vcpu, &entry->regs);
	v3_vcpu_skip_0f(vcpu, exit->insn_len, OPCODE);
}

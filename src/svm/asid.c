/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ASIDs tag guest TLB entries (APM2 15.16). Each host CPU hands them out upwards from 1; when they
 * run out it flushes everything and begins a new generation, and every vCPU takes a new one.
 */
#include "svm/svm.h"

static void asid_new(struct svm_cpu *cpu, struct svm_vcpu *svm, uint32_t num_asids)
{
	if (cpu->next_asid >= num_asids) {
		cpu->asid_generation++;
		cpu->next_asid = 1;
		svm->vmcb->tlb_control = SVM_TLB_FLUSH_ALL;
	}
	svm->vmcb->asid = cpu->next_asid++;
	svm->vmcb->clean &= ~SVM_CLEAN_ASID;
	svm->asid_generation = cpu->asid_generation;
	svm->asid_cpu = cpu;
}

void svm_asid_prepare(struct v3_vcpu *vcpu, struct svm_vcpu *svm)
{
	const struct v3_host_caps *caps = &vcpu->host->caps;
	bool stale = svm->asid_cpu != svm->cpu || svm->asid_generation != svm->cpu->asid_generation;

	svm->vmcb->tlb_control = SVM_TLB_NONE;
	if (!stale && svm->flush && caps->flush_by_asid)
		svm->vmcb->tlb_control = SVM_TLB_FLUSH_ASID;
	else if (stale || svm->flush)
		/* A new ASID has no entries: as good as a flush, and other guests keep theirs. */
		asid_new(svm->cpu, svm, svm_host(vcpu->host)->num_asids);
	svm->flush = false;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segment and descriptor-table registers of the fake CPU, and what VM exits do to them (SDM vol. 3
 * 28.5.2).
 */
#include <string.h>

#include "fakes/fake_fail.h"
#include "fakes/fake_vmx.h"
#include "fakes/fake_vmx_state.h"
#include "x86/insn_vmx.h"
#include "x86/vmcs.h"

#define GDT_ENTRIES 16
#define TSS_LIMIT 0x67

static struct fake_segs {
	struct v3_x86_segs segs;
	uint64_t gdt[GDT_ENTRIES], idt[256][2];
	uint8_t tss[TSS_LIMIT + 1];
} all[V3_FAKE_MAX_CPUS];

static struct fake_segs *here(void)
{
	return &all[v3_fake_cpu()];
}

struct v3_x86_segs *v3_fake_segs(void)
{
	return &here()->segs;
}

uint64_t v3_fake_tss_base(void)
{
	return (uintptr_t)here()->tss;
}

/* As a 64-bit kernel has them: code, data, a TSS of two entries. */
void fake_segs_reset(void)
{
	for (unsigned int cpu = 0; cpu < V3_FAKE_MAX_CPUS; cpu++) {
		struct fake_segs *s = &all[cpu];
		uint64_t tss = (uintptr_t)s->tss;

		memset(s, 0, sizeof(*s));
		s->gdt[2] = 0x00af9b000000ffff;
		s->gdt[3] = 0x00cf93000000ffff;
		s->gdt[8] = TSS_LIMIT | (tss & 0xffffff) << 16 | 0x8bULL << 40 |
			    (tss >> 24 & 0xff) << 56;
		s->gdt[9] = tss >> 32;
		s->segs = (struct v3_x86_segs){ .cs = 0x10, .ss = 0x18, .tr = 0x40 };
		s->segs.gdtr.base = (uintptr_t)s->gdt;
		s->segs.gdtr.limit = sizeof(s->gdt) - 1;
		s->segs.idtr.base = (uintptr_t)s->idt;
		s->segs.idtr.limit = sizeof(s->idt) - 1;
	}
}

void v3_x86_segs_get(struct v3_x86_segs *segs)
{
	*segs = here()->segs;
}

void v3_x86_lgdt(const struct v3_desc_table_ptr *gdtr)
{
	here()->segs.gdtr = *gdtr;
}

void v3_x86_lidt(const struct v3_desc_table_ptr *idtr)
{
	here()->segs.idtr = *idtr;
}

void v3_x86_lldt(uint16_t selector)
{
	here()->segs.ldtr = selector;
}

void v3_x86_write_ds(uint16_t selector)
{
	here()->segs.ds = selector;
}

void v3_x86_write_es(uint16_t selector)
{
	here()->segs.es = selector;
}

void v3_x86_int_nmi(void)
{
	fake_trace(V3_FAKE_INT_NMI, 0, 0);
}

void fake_segs_check_own(const struct fake_vmcs *vmcs)
{
	const struct fake_segs *s = here();
	const struct {
		uint32_t field;
		uint64_t value;
		const char *name;
	} own[] = {
		{ V3_VMCS_HOST_CS, s->segs.cs, "CS" },
		{ V3_VMCS_HOST_SS, s->segs.ss, "SS" },
		{ V3_VMCS_HOST_TR, s->segs.tr, "TR" },
		{ V3_VMCS_HOST_TR_BASE, (uintptr_t)s->tss, "TR base" },
		{ V3_VMCS_HOST_GDTR_BASE, s->segs.gdtr.base, "GDTR base" },
		{ V3_VMCS_HOST_IDTR_BASE, s->segs.idtr.base, "IDTR base" },
	};

	for (unsigned int i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (fake_vmcs_read(vmcs, own[i].field) != own[i].value)
			v3_fake_fail("the VMCS has %#llx for the host's %s, CPU %u has %#llx",
				     (unsigned long long)fake_vmcs_read(vmcs, own[i].field),
				     own[i].name, v3_fake_cpu(), (unsigned long long)own[i].value);
}

void fake_segs_exit(const struct fake_vmcs *vmcs)
{
	struct v3_x86_segs *segs = &here()->segs;

	segs->es = (uint16_t)fake_vmcs_read(vmcs, V3_VMCS_HOST_ES);
	segs->cs = (uint16_t)fake_vmcs_read(vmcs, V3_VMCS_HOST_CS);
	segs->ss = (uint16_t)fake_vmcs_read(vmcs, V3_VMCS_HOST_SS);
	segs->ds = (uint16_t)fake_vmcs_read(vmcs, V3_VMCS_HOST_DS);
	segs->fs = (uint16_t)fake_vmcs_read(vmcs, V3_VMCS_HOST_FS);
	segs->gs = (uint16_t)fake_vmcs_read(vmcs, V3_VMCS_HOST_GS);
	segs->tr = (uint16_t)fake_vmcs_read(vmcs, V3_VMCS_HOST_TR);
	segs->ldtr = 0;
	segs->gdtr.base = fake_vmcs_read(vmcs, V3_VMCS_HOST_GDTR_BASE);
	segs->idtr.base = fake_vmcs_read(vmcs, V3_VMCS_HOST_IDTR_BASE);
	segs->gdtr.limit = segs->idtr.limit = 0xffff;
}

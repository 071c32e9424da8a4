/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions of insn_vmx.h. CF is VMfailInvalid, ZF is VMfailValid (SDM vol. 3 31.2). */
#include <stdbool.h>

#include "x86/insn_vmx.h"
#include "x86/insn_vmx_hot.h"

/* 16 bytes in memory, SDM vol. 3 31.3: INVEPT has the EPTP first, INVVPID the VPID. */
struct inv_descriptor {
	uint64_t first, second;
};

int v3_x86_vmxon(v3_hpa_t region)
{
	bool invalid, valid;

	__asm__ volatile("vmxon %2"
			 : "=@ccc"(invalid), "=@ccz"(valid) : "m"(region) : "memory");
	return v3_vmx_result(invalid, valid);
}

int v3_x86_vmxoff(void)
{
	bool invalid, valid;

	__asm__ volatile("vmxoff" : "=@ccc"(invalid), "=@ccz"(valid) : : "memory");
	return v3_vmx_result(invalid, valid);
}

int v3_x86_vmclear(v3_hpa_t vmcs)
{
	bool invalid, valid;

	__asm__ volatile("vmclear %2"
			 : "=@ccc"(invalid), "=@ccz"(valid) : "m"(vmcs) : "memory");
	return v3_vmx_result(invalid, valid);
}

int v3_x86_vmptrld(v3_hpa_t vmcs)
{
	bool invalid, valid;

	__asm__ volatile("vmptrld %2"
			 : "=@ccc"(invalid), "=@ccz"(valid) : "m"(vmcs) : "memory");
	return v3_vmx_result(invalid, valid);
}

int v3_x86_invept(uint64_t type, uint64_t eptp)
{
	const struct inv_descriptor descriptor = { eptp, 0 };
	bool invalid, valid;

	__asm__ volatile("invept %2, %3"
			 : "=@ccc"(invalid), "=@ccz"(valid)
			 : "m"(descriptor), "r"(type) : "memory");
	return v3_vmx_result(invalid, valid);
}

int v3_x86_invvpid(uint64_t type, uint16_t vpid, v3_gva_t address)
{
	const struct inv_descriptor descriptor = { vpid, address };
	bool invalid, valid;

	__asm__ volatile("invvpid %2, %3"
			 : "=@ccc"(invalid), "=@ccz"(valid)
			 : "m"(descriptor), "r"(type) : "memory");
	return v3_vmx_result(invalid, valid);
}

#define GET_SELECTOR(reg) __asm__ volatile("movw %%" #reg ", %0" : "=rm"(segs->reg))

void v3_x86_segs_get(struct v3_x86_segs *segs)
{
	GET_SELECTOR(es);
	GET_SELECTOR(cs);
	GET_SELECTOR(ss);
	GET_SELECTOR(ds);
	GET_SELECTOR(fs);
	GET_SELECTOR(gs);
	__asm__ volatile("sldt %0" : "=rm"(segs->ldtr));
	__asm__ volatile("str %0" : "=rm"(segs->tr));
	__asm__ volatile("sgdt %0" : "=m"(segs->gdtr));
	__asm__ volatile("sidt %0" : "=m"(segs->idtr));
}

void v3_x86_lgdt(const struct v3_desc_table_ptr *gdtr)
{
	__asm__ volatile("lgdt %0" : : "m"(*gdtr) : "memory");
}

void v3_x86_lidt(const struct v3_desc_table_ptr *idtr)
{
	__asm__ volatile("lidt %0" : : "m"(*idtr) : "memory");
}

void v3_x86_lldt(uint16_t selector)
{
	__asm__ volatile("lldt %0" : : "rm"(selector) : "memory");
}

void v3_x86_write_ds(uint16_t selector)
{
	__asm__ volatile("movw %0, %%ds" : : "rm"(selector) : "memory");
}

void v3_x86_write_es(uint16_t selector)
{
	__asm__ volatile("movw %0, %%es" : : "rm"(selector) : "memory");
}

void v3_x86_int_nmi(void)
{
	__asm__ volatile("int $2" : : : "memory");
}

/* Of a selector in memory that can be written to: the form that the manual wants for this. */
void v3_x86_verw(void)
{
	uint16_t selector;

	__asm__ volatile("movw %%ss, %0\n\tverw %0" : "=m"(selector) : : "cc");
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instructions of VT-x, as those of insn.h. They are defined in priv_vmx.c, and tests link
 * other definitions in its place. Those of VMX need VMX operation (but VMXON: CR4.VMXE) and CPL 0,
 * else #UD or #GP. Each returns 0 if it succeeded, V3_VMX_FAIL_INVALID without a current VMCS,
 * V3_VMX_FAIL_VALID with one, whose VM-instruction error field then says why. SDM vol. 3 chapter
 * 31.
 */
#ifndef V3_X86_INSN_VMX_H
#define V3_X86_INSN_VMX_H

#include <stdint.h>

#include <v3/types.h>

#include "x86/insn.h"
#include "x86/seg.h"

#define V3_VMX_OK		0
#define V3_VMX_FAIL_INVALID	1
#define V3_VMX_FAIL_VALID	2

/* region: 4 KiB aligned, starts with the revision identifier. */
int v3_x86_vmxon(v3_hpa_t region);
int v3_x86_vmxoff(void);
/* vmcs: 4 KiB aligned. */
int v3_x86_vmclear(v3_hpa_t vmcs);
int v3_x86_vmptrld(v3_hpa_t vmcs);
/* type: V3_INVEPT_*, V3_INVVPID_* */
int v3_x86_invept(uint64_t type, uint64_t eptp);
int v3_x86_invvpid(uint64_t type, uint16_t vpid, v3_gva_t address);

/*
 * Segment and descriptor-table registers of the host, which VM exits do not bring back as they
 * were.
 */
struct v3_x86_segs {
	uint16_t es, cs, ss, ds, fs, gs, ldtr, tr;
	struct v3_desc_table_ptr gdtr, idtr;
};

void v3_x86_segs_get(struct v3_x86_segs *segs);
void v3_x86_lgdt(const struct v3_desc_table_ptr *gdtr);
void v3_x86_lidt(const struct v3_desc_table_ptr *idtr);
void v3_x86_lldt(uint16_t selector);
void v3_x86_write_ds(uint16_t selector);
void v3_x86_write_es(uint16_t selector);

/* Enter the host's NMI handler, as the NMI that made the guest exit would have (INT 2). */
void v3_x86_int_nmi(void);

/* Where CPUID has MD_CLEAR, or the CPU RFDS_CLEAR: overwrites what the CPU's buffers hold. */
void v3_x86_verw(void);

/* What every exit executes many of: inline as in insn.h. */

/* field: V3_VMCS_*. *value means nothing after a failure. */
V3_X86_HOT int v3_x86_vmread(uint32_t field, uint64_t *value);
V3_X86_HOT int v3_x86_vmwrite(uint32_t field, uint64_t value);

#ifdef V3_X86_INLINE
#include "x86/insn_vmx_hot.h"
#endif

#endif

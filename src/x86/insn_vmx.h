/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instructions of VT-x, as those of insn.h. They are defined in priv_vmx.c, and tests link other definitions
 * in its place. All need VMX operation (but VMXON: CR4.VMXE) and CPL 0, else #UD or #GP. Each returns 0 if
 * it succeeded, V3_VMX_FAIL_INVALID without a current VMCS, V3_VMX_FAIL_VALID with one, whose VM-instruction error
 * field then says why. SDM vol. 3 chapter 31.
 */
#ifndef V3_X86_INSN_VMX_H
#define V3_X86_INSN_VMX_H

#include <stdint.h>

#include <v3/types.h>

#define V3_VMX_OK		0
#define V3_VMX_FAIL_INVALID	1
#define V3_VMX_FAIL_VALID	2

/* region: 4 KiB aligned, starts with the revision identifier. */
int v3_x86_vmxon(v3_hpa_t region);
int v3_x86_vmxoff(void);
/* vmcs: 4 KiB aligned. */
int v3_x86_vmclear(v3_hpa_t vmcs);
int v3_x86_vmptrld(v3_hpa_t vmcs);
/* field: V3_VMCS_*. *value is written only on success. */
int v3_x86_vmread(uint32_t field, uint64_t *value);
int v3_x86_vmwrite(uint32_t field, uint64_t value);
/* type: V3_INVEPT_*, V3_INVVPID_* */
int v3_x86_invept(uint64_t type, uint64_t eptp);
int v3_x86_invvpid(uint64_t type, uint16_t vpid, v3_gva_t address);

#endif

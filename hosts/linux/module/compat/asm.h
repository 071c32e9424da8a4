/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Before each assembly file of the library: a plain "ret" becomes the kernel's own, which goes
 * through a return thunk or is followed by int3, as the kernel was configured.
 */
#ifdef __ASSEMBLY__
#include <linux/linkage.h>
#include <asm/nospec-branch.h>
#define ret RET
/* A guest's return addresses must not steer the host's (Spectre v2, as KVM does); patched out where not needed. */
#define V3_ASM_AFTER_EXIT FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT
#ifdef VM_CLEAR_CPU_BUFFERS
/* What is left in the CPU's buffers is not for the guest (MDS and the like); likewise patched. */
#define V3_ASM_BEFORE_ENTRY VM_CLEAR_CPU_BUFFERS
#endif
#endif

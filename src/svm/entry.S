/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * void svm_enter(uint64_t *gpr, v3_hpa_t vmcb, v3_hpa_t host_vmcb)
 *
 * VMRUN switches RAX, RSP, RIP and RFLAGS itself (APM2 15.5.1); VMLOAD and VMSAVE switch FS, GS, TR,
 * LDTR and the system-call MSRs (15.5.2). GIF is 0 from before until after, so that nothing on the host
 * runs with the guest's FS, GS or TR.
 */
#ifndef V3_ASM_AFTER_EXIT
/* What a host kernel wants done with RAX free after the guest ran, such as filling the return stack buffer. */
#define V3_ASM_AFTER_EXIT
#endif
#ifndef V3_ASM_RET
/* A host kernel that wants another return (thunks, straight-line speculation) defines it. */
#define V3_ASM_RET ret
#endif

	.text
	.globl	svm_enter
	.type	svm_enter, @function
	.p2align 4
svm_enter:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdx			/* 8(%rsp): host VMCB */
	pushq	%rdi			/* 0(%rsp): guest registers */

	movq	%rsi, %rax
	movq	0x08(%rdi), %rcx
	movq	0x10(%rdi), %rdx
	movq	0x18(%rdi), %rbx
	movq	0x28(%rdi), %rbp
	movq	0x30(%rdi), %rsi
	movq	0x40(%rdi), %r8
	movq	0x48(%rdi), %r9
	movq	0x50(%rdi), %r10
	movq	0x58(%rdi), %r11
	movq	0x60(%rdi), %r12
	movq	0x68(%rdi), %r13
	movq	0x70(%rdi), %r14
	movq	0x78(%rdi), %r15
	movq	0x38(%rdi), %rdi

	vmload	%rax
	vmrun	%rax
	vmsave	%rax

	/* RAX and RSP are the host's again, all else is the guest's. */
	movq	%rdi, %rax
	popq	%rdi
	movq	%rcx, 0x08(%rdi)
	movq	%rdx, 0x10(%rdi)
	movq	%rbx, 0x18(%rdi)
	movq	%rbp, 0x28(%rdi)
	movq	%rsi, 0x30(%rdi)
	movq	%rax, 0x38(%rdi)
	movq	%r8, 0x40(%rdi)
	movq	%r9, 0x48(%rdi)
	movq	%r10, 0x50(%rdi)
	movq	%r11, 0x58(%rdi)
	movq	%r12, 0x60(%rdi)
	movq	%r13, 0x68(%rdi)
	movq	%r14, 0x70(%rdi)
	movq	%r15, 0x78(%rdi)
	V3_ASM_AFTER_EXIT
	popq	%rax
	vmload	%rax

	/* Guest values must not steer speculation in the host. */
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%edi, %edi
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	V3_ASM_RET
	.size	svm_enter, . - svm_enter

	.section .note.GNU-stack, "", @progbits

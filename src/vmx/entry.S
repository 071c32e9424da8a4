/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * int vmx_enter(uint64_t *gpr, bool resume, uint64_t *host_rsp)
 *
 * VM entry and exit switch RSP, RIP and RFLAGS themselves (SDM vol. 3 27.3.2, 28.5.3). An entry
 * that is refused goes on behind VMLAUNCH or VMRESUME; a guest's exit, or an entry that failed on
 * guest state, at vmx_exit_point. Interrupts are off before and after.
 */
#ifndef V3_ASM_BEFORE_ENTRY
/* What a host kernel wants done before the guest runs, such as clearing buffers; flags are free. */
#define V3_ASM_BEFORE_ENTRY
#endif
#ifndef V3_ASM_AFTER_EXIT
/*
 * What a host kernel wants done with RAX free after the guest ran, such as filling the return stack
 * buffer.
 */
#define V3_ASM_AFTER_EXIT
#endif
#ifndef V3_ASM_RET
/* A host kernel that wants another return (thunks, straight-line speculation) defines it. */
#define V3_ASM_RET ret
#endif

#define VMCS_HOST_RSP 0x6c14
#define FAIL_INVALID 1
#define FAIL_VALID 2

	.text
	.globl	vmx_enter
	.type	vmx_enter, @function
	.p2align 4
vmx_enter:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi			/* 0(%rsp): guest registers */

	/* Mostly the same as at the last entry. */
	cmpq	%rsp, (%rdx)
	je	1f
	movq	%rsp, (%rdx)
	movl	$VMCS_HOST_RSP, %eax
	vmwrite	%rsp, %rax
1:	V3_ASM_BEFORE_ENTRY
	testb	%sil, %sil

	/* Flags stay as they are. */
	movq	0x00(%rdi), %rax
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
	jz	2f
	vmresume
	jmp	3f
2:	vmlaunch
3:	movl	$FAIL_INVALID, %eax
	jc	4f
	movl	$FAIL_VALID, %eax
	/*
	 * Never taken, one of the flags is set; so that readers of this code see how the next lines
	 * are reached.
	 */
	ja	vmx_exit_point
4:	popq	%rdi
	jmp	5f

	.globl	vmx_exit_point
vmx_exit_point:
	/* RSP is the host's again, all else is the guest's. */
	pushq	%rdi
	movq	8(%rsp), %rdi
	movq	%rax, 0x00(%rdi)
	movq	%rcx, 0x08(%rdi)
	movq	%rdx, 0x10(%rdi)
	movq	%rbx, 0x18(%rdi)
	movq	%rbp, 0x28(%rdi)
	movq	%rsi, 0x30(%rdi)
	movq	%r8, 0x40(%rdi)
	movq	%r9, 0x48(%rdi)
	movq	%r10, 0x50(%rdi)
	movq	%r11, 0x58(%rdi)
	movq	%r12, 0x60(%rdi)
	movq	%r13, 0x68(%rdi)
	movq	%r14, 0x70(%rdi)
	movq	%r15, 0x78(%rdi)
	popq	0x38(%rdi)
	addq	$8, %rsp
	V3_ASM_AFTER_EXIT
	xorl	%eax, %eax

	/* Guest values must not steer speculation in the host. RDI is the host's own. */
5:	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
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
	.size	vmx_enter, . - vmx_enter

	.section .note.GNU-stack, "", @progbits

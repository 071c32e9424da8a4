/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests share that stand in for svm_enter() (VMRUN), and so for the guest, by themselves.
 */
#ifndef V3_TESTS_OWN_GUEST_H
#define V3_TESTS_OWN_GUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <v3/v3.h>

#include "core/vm.h"
#include "x86/cr.h"
#include "x86/seg.h"

/* CMocka's assertions are for the test's thread only. */
#define CHECK(condition) do { \
	if (!(condition)) { \
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
		abort(); \
	} \
	} while (0)

/* The vCPU whose registers svm_enter() got. */
static inline unsigned int vcpu_of(struct v3_vm *vm, const uint64_t *gpr)
{
	unsigned int i = 0;

	while (v3_vm_vcpu(vm, i)->gpr != gpr)
		i++;
	return i;
}

/*
 * Puts a vCPU into 64-bit mode with flat segments and page tables at @tables, about to run at @rip.
 */
static inline void enter_mode64(struct v3_vcpu *vcpu, uint64_t tables, uint64_t rip)
{
	struct v3_vcpu_state state;
	unsigned int i;

	assert_int_equal(v3_vcpu_get_state(vcpu, &state), V3_OK);
	state.cr0 = V3_CR0_PE | V3_CR0_PG | V3_CR0_ET | V3_CR0_WP;
	state.cr3 = tables;
	state.cr4 = V3_CR4_PAE;
	state.efer = V3_EFER_LME | V3_EFER_LMA;
	for (i = 0; i < 6; i++)
		state.seg[i] = (struct v3_segment){ 0x18, V3_SEG_ATTR_DATA32, 0xffffffff, 0 };
	state.seg[V3_SEG_CS] = (struct v3_segment){ 0x10, V3_SEG_ATTR_CODE64, 0xffffffff, 0 };
	state.rip = rip;
	state.rflags = V3_RFLAGS_FIXED1;
	assert_int_equal(v3_vcpu_set_state(vcpu, &state), V3_OK);
}

#endif

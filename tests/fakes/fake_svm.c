/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In place of src/svm/entry.S, for tests that link the back end and never enter a guest. A test
 * that does defines svm_enter() itself, and gets its own.
 */
#include "fakes/fake_fail.h"
#include "svm/svm.h"

void svm_enter(uint64_t *gpr, v3_hpa_t vmcb, v3_hpa_t host_vmcb)
{
	(void)gpr;
	v3_fake_fail("VMRUN of %#llx (host %#llx), and the test has no svm_enter() of its own",
		     (unsigned long long)vmcb, (unsigned long long)host_vmcb);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In place of src/vmx/entry.S: VMLAUNCH and VMRESUME as fake_vmx.h has them. A test that wants
 * something else defines vmx_enter() and vmx_exit_point() itself, and gets its own.
 */
#include "fakes/fake_fail.h"
#include "fakes/fake_vmx.h"
#include "fakes/fake_vmx_state.h"
#include "vmx/vmx.h"

/* Nobody gets here: only the address counts. */
void vmx_exit_point(void)
{
	v3_fake_fail("a call of vmx_exit_point()");
}

int vmx_enter(uint64_t *gpr, bool resume, uint64_t *host_rsp)
{
	v3_hpa_t vmcs = v3_fake_vmcs_current();

	if (vmcs != V3_HPA_NONE &&
	    v3_fake_vmcs_get(vmcs, V3_VMCS_HOST_RIP) != (uintptr_t)vmx_exit_point)
		v3_fake_fail("the host's RIP in VMCS %#llx is not that of vmx_exit_point()",
			     (unsigned long long)vmcs);
	if (!host_rsp)
		v3_fake_fail("vmx_enter() without a place for the host's RSP");
	return v3_fake_vmx_enter(gpr, resume);
}

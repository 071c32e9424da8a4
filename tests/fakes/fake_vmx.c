/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions of VT-x but VMLAUNCH and VMRESUME. SDM vol. 3 chapter 31. */
#include <pthread.h>
#include <string.h>

#include "fakes/fake_fail.h"
#include "fakes/fake_vmx.h"
#include "fakes/fake_vmx_state.h"
#include "paging/ept.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/insn_vmx.h"
#include "x86/msr.h"
#include "x86/pte.h"
#include "x86/vmcs.h"
#include "x86/vmx.h"

struct fake_vmx fake_vmx;

/* Guards the table of VMCSs, which CPUs share. */
static pthread_mutex_t table_mutex = PTHREAD_MUTEX_INITIALIZER;

struct fake_vmx_cpu *fake_vmx_this_cpu(void)
{
	return &fake_vmx.cpus[v3_fake_cpu()];
}

void fake_vmx_reset(void)
{
	memset(fake_vmx.cpus, 0, sizeof(fake_vmx.cpus));
	memset(fake_vmx.vmcs, 0, sizeof(fake_vmx.vmcs));
	for (unsigned int i = 0; i < V3_FAKE_MAX_CPUS; i++)
		fake_vmx.cpus[i].region = V3_HPA_NONE;
	fake_vmx.script = NULL;
	fake_segs_reset();
}

void v3_fake_vmx_set_memory(void *(*to_virt)(void *ctx, v3_hpa_t hpa), void *ctx)
{
	fake_vmx.to_virt = to_virt;
	fake_vmx.to_virt_ctx = ctx;
}

void fake_vmx_host_destroy(void)
{
	for (unsigned int cpu = 0; cpu < V3_FAKE_MAX_CPUS; cpu++)
		if (fake_vmx.cpus[cpu].on && !fake_vmx.cpus[cpu].other)
			v3_fake_fail("CPU %u is still in VMX operation", cpu);
	fake_vmx_reset();
	v3_fake_vmx_set_memory(NULL, NULL);
}

/* --- The table of VMCSs --- */

static struct fake_vmcs *find_vmcs(v3_hpa_t hpa, bool make)
{
	struct fake_vmcs *found = NULL, *unused = NULL;

	pthread_mutex_lock(&table_mutex);
	for (unsigned int i = 0; i < FAKE_MAX_VMCS && !found; i++) {
		struct fake_vmcs *vmcs = &fake_vmx.vmcs[i];

		if (vmcs->used && vmcs->hpa == hpa)
			found = vmcs;
		else if (!vmcs->used && !unused)
			unused = vmcs;
	}
	if (!found && make && unused) {
		memset(unused, 0, sizeof(*unused));
		*unused = (struct fake_vmcs){ .used = true, .hpa = hpa, .active_on = -1 };
		found = unused;
	}
	pthread_mutex_unlock(&table_mutex);
	if (!found && make)
		v3_fake_fail("more than %d VMCSs", FAKE_MAX_VMCS);
	return found;
}

void fake_vmx_pages_freed(v3_hpa_t hpa, uint64_t count)
{
	const v3_hpa_t end = hpa + count * V3_PAGE_SIZE;

	for (unsigned int cpu = 0; cpu < V3_FAKE_MAX_CPUS; cpu++)
		if (fake_vmx.cpus[cpu].on && fake_vmx.cpus[cpu].region >= hpa &&
		    fake_vmx.cpus[cpu].region < end)
			v3_fake_fail("the VMXON region %#llx of CPU %u is freed",
				     (unsigned long long)fake_vmx.cpus[cpu].region, cpu);
	pthread_mutex_lock(&table_mutex);
	for (unsigned int i = 0; i < FAKE_MAX_VMCS; i++) {
		struct fake_vmcs *vmcs = &fake_vmx.vmcs[i];

		if (!vmcs->used || vmcs->hpa < hpa || vmcs->hpa >= end)
			continue;
		if (vmcs->active_on >= 0)
			v3_fake_fail("the VMCS %#llx is freed while active on CPU %d: VMCLEAR it",
				     (unsigned long long)vmcs->hpa, vmcs->active_on);
		vmcs->used = false;
	}
	pthread_mutex_unlock(&table_mutex);
}

static const struct fake_vmcs *need_vmcs(v3_hpa_t hpa)
{
	static const struct fake_vmcs none;
	const struct fake_vmcs *vmcs = find_vmcs(hpa, false);

	if (!vmcs)
		v3_fake_fail("%#llx is no VMCS", (unsigned long long)hpa);
	return vmcs ? vmcs : &none;
}

bool v3_fake_vmcs_launched(v3_hpa_t vmcs)
{
	return need_vmcs(vmcs)->launched;
}

int v3_fake_vmcs_active_on(v3_hpa_t vmcs)
{
	return need_vmcs(vmcs)->active_on;
}

uint64_t v3_fake_vmcs_get(v3_hpa_t hpa, uint32_t field)
{
	return fake_vmcs_read(need_vmcs(hpa), field);
}

void v3_fake_vmcs_set(v3_hpa_t hpa, uint32_t field, uint64_t value)
{
	struct fake_vmcs *vmcs = find_vmcs(hpa, false);
	int index = fake_vmx_field(field);

	if (!vmcs || index < 0) {
		v3_fake_fail("test's write of field %#x of VMCS %#llx: no such %s", field,
			     (unsigned long long)hpa, vmcs ? "field" : "VMCS");
		return;
	}
	vmcs->value[index] = value;
	vmcs->written[index] = true;
}

uint64_t fake_vmcs_read(const struct fake_vmcs *vmcs, uint32_t field)
{
	int index = fake_vmx_field(field);

	if (index < 0 || !vmcs->written[index]) {
		v3_fake_fail("field %#x of VMCS %#llx %s", field, (unsigned long long)vmcs->hpa,
			     index < 0 ? "does not exist" : "was never written");
		return 0;
	}
	return vmcs->value[index];
}

uint64_t fake_vmcs_peek(const struct fake_vmcs *vmcs, uint32_t field)
{
	int index = fake_vmx_field(field);

	return index >= 0 && vmcs->written[index] ? vmcs->value[index] : 0;
}

/* --- What instructions have in common --- */

uint64_t fake_vmx_msr(uint32_t msr)
{
	return fake_msr_exists(msr) ? v3_fake_msr_get(msr) : 0;
}

bool fake_vmx_address_ok(uint64_t hpa, uint64_t align)
{
	struct v3_cpuid_regs regs;
	unsigned int bits;

	v3_x86_cpuid(V3_CPUID_LEAF_SIZES, 0, &regs);
	bits = regs.eax & V3_CPUID_80000008_EAX_PA_MASK;
	if (fake_vmx_msr(V3_MSR_VMX_BASIC) & V3_VMX_BASIC_ADDR_32)
		bits = 32;
	return !(hpa & (align - 1)) && !(hpa >> bits);
}

/* What a region in memory begins with; ~0 if there is no memory. */
static uint32_t region_revision(v3_hpa_t hpa)
{
	uint32_t revision = ~0u;
	const void *virt = fake_vmx.to_virt ? fake_vmx.to_virt(fake_vmx.to_virt_ctx, hpa) : NULL;

	if (virt)
		memcpy(&revision, virt, sizeof(revision));
	else
		v3_fake_fail("no memory at %#llx", (unsigned long long)hpa);
	return revision;
}

static bool revision_ok(v3_hpa_t hpa)
{
	return region_revision(hpa) == V3_VMX_BASIC_REVISION(fake_vmx_msr(V3_MSR_VMX_BASIC));
}

int fake_vmx_fail(unsigned int error)
{
	struct fake_vmcs *vmcs = fake_vmx_this_cpu()->current;
	int index = fake_vmx_field(V3_VMCS_INSN_ERROR);

	if (!vmcs)
		return V3_VMX_FAIL_INVALID;
	vmcs->value[index] = error;
	vmcs->written[index] = true;
	return V3_VMX_FAIL_VALID;
}

static bool need_vmx(const char *insn)
{
	if (fake_vmx_this_cpu()->on)
		return true;
	v3_fake_fail("%s on CPU %u outside of VMX operation: #UD", insn, v3_fake_cpu());
	return false;
}

void fake_vmx_cr4_write(uint64_t value)
{
	if (fake_vmx_this_cpu()->on && !(value & V3_CR4_VMXE))
		v3_fake_fail("CR4.VMXE cleared on CPU %u in VMX operation: #GP", v3_fake_cpu());
}

/* --- VMX operation --- */

static const char *vmxon_fault(void)
{
	const uint64_t need = V3_FEATURE_CONTROL_LOCK | V3_FEATURE_CONTROL_VMX;
	uint64_t cr0 = v3_x86_read_cr0(), cr4 = v3_x86_read_cr4();

	if (!(cr4 & V3_CR4_VMXE))
		return "without CR4.VMXE: #UD";
	if ((fake_vmx_msr(V3_MSR_FEATURE_CONTROL) & need) != need)
		return "not enabled in FEATURE_CONTROL: #GP";
	if (~cr0 & fake_vmx_msr(V3_MSR_VMX_CR0_FIXED0) ||
	    cr0 & ~fake_vmx_msr(V3_MSR_VMX_CR0_FIXED1))
		return "with a CR0 that VMX operation forbids: #GP";
	if (~cr4 & fake_vmx_msr(V3_MSR_VMX_CR4_FIXED0) ||
	    cr4 & ~fake_vmx_msr(V3_MSR_VMX_CR4_FIXED1))
		return "with a CR4 that VMX operation forbids: #GP";
	return NULL;
}

int v3_x86_vmxon(v3_hpa_t region)
{
	struct fake_vmx_cpu *cpu = fake_vmx_this_cpu();
	const char *fault;

	if (cpu->on)
		return fake_vmx_fail(FAKE_ERR_VMXON);
	fault = vmxon_fault();
	if (fault) {
		v3_fake_fail("VMXON on CPU %u %s", v3_fake_cpu(), fault);
		return V3_VMX_FAIL_INVALID;
	}
	if (!fake_vmx_address_ok(region, V3_PAGE_SIZE) || !revision_ok(region))
		return V3_VMX_FAIL_INVALID;
	fake_trace(V3_FAKE_VMXON, 0, region);
	cpu->on = true;
	cpu->region = region;
	cpu->current = NULL;
	return V3_VMX_OK;
}

int v3_x86_vmxoff(void)
{
	struct fake_vmx_cpu *cpu = fake_vmx_this_cpu();

	if (!need_vmx("VMXOFF"))
		return V3_VMX_FAIL_INVALID;
	if (cpu->other) {
		v3_fake_fail("VMXOFF on CPU %u, which somebody else has", v3_fake_cpu());
		return V3_VMX_FAIL_INVALID;
	}
	for (unsigned int i = 0; i < FAKE_MAX_VMCS; i++)
		if (fake_vmx.vmcs[i].used && fake_vmx.vmcs[i].active_on == (int)v3_fake_cpu())
			v3_fake_fail("VMXOFF on CPU %u with VMCS %#llx active: VMCLEAR it first",
				     v3_fake_cpu(), (unsigned long long)fake_vmx.vmcs[i].hpa);
	fake_trace(V3_FAKE_VMXOFF, 0, 0);
	cpu->on = false;
	cpu->region = V3_HPA_NONE;
	cpu->current = NULL;
	return V3_VMX_OK;
}

void v3_fake_vmx_other_owner(bool on)
{
	struct fake_vmx_cpu *cpu = fake_vmx_this_cpu();
	struct fake_cpu *x86 = fake_this_cpu();

	if (cpu->on != cpu->other)
		v3_fake_fail("CPU %u is in VMX operation", v3_fake_cpu());
	cpu->on = cpu->other = on;
	x86->cr4 = on ? x86->cr4 | V3_CR4_VMXE : x86->cr4 & ~V3_CR4_VMXE;
}

bool v3_fake_vmx_on(void)
{
	return fake_vmx_this_cpu()->on;
}

unsigned int v3_fake_vmx_vmreads(void)
{
	return fake_vmx_this_cpu()->vmreads;
}

unsigned int v3_fake_vmx_vmwrites(void)
{
	return fake_vmx_this_cpu()->vmwrites;
}

v3_hpa_t v3_fake_vmx_region(void)
{
	return fake_vmx_this_cpu()->region;
}

v3_hpa_t v3_fake_vmcs_current(void)
{
	const struct fake_vmcs *vmcs = fake_vmx_this_cpu()->current;

	return vmcs ? vmcs->hpa : V3_HPA_NONE;
}

/* --- VMCS regions --- */

static bool active_elsewhere(const char *insn, const struct fake_vmcs *vmcs)
{
	if (vmcs->active_on < 0 || vmcs->active_on == (int)v3_fake_cpu())
		return false;
	v3_fake_fail("%s of %#llx on CPU %u: it is active on CPU %d", insn,
		     (unsigned long long)vmcs->hpa, v3_fake_cpu(), vmcs->active_on);
	return true;
}

int v3_x86_vmclear(v3_hpa_t hpa)
{
	struct fake_vmx_cpu *cpu = fake_vmx_this_cpu();
	struct fake_vmcs *vmcs;

	if (!need_vmx("VMCLEAR"))
		return V3_VMX_FAIL_INVALID;
	if (!fake_vmx_address_ok(hpa, V3_PAGE_SIZE))
		return fake_vmx_fail(FAKE_ERR_VMCLEAR_ADDRESS);
	if (hpa == cpu->region)
		return fake_vmx_fail(FAKE_ERR_VMCLEAR_VMXON);
	vmcs = find_vmcs(hpa, true);
	if (!vmcs || active_elsewhere("VMCLEAR", vmcs))
		return V3_VMX_FAIL_INVALID;
	fake_trace(V3_FAKE_VMCLEAR, 0, hpa);
	vmcs->launched = false;
	vmcs->active_on = -1;
	if (cpu->current == vmcs)
		cpu->current = NULL;
	return V3_VMX_OK;
}

int v3_x86_vmptrld(v3_hpa_t hpa)
{
	struct fake_vmx_cpu *cpu = fake_vmx_this_cpu();
	struct fake_vmcs *vmcs;

	if (!need_vmx("VMPTRLD"))
		return V3_VMX_FAIL_INVALID;
	if (!fake_vmx_address_ok(hpa, V3_PAGE_SIZE))
		return fake_vmx_fail(FAKE_ERR_VMPTRLD_ADDRESS);
	if (hpa == cpu->region)
		return fake_vmx_fail(FAKE_ERR_VMPTRLD_VMXON);
	if (!revision_ok(hpa))
		return fake_vmx_fail(FAKE_ERR_REVISION);
	vmcs = find_vmcs(hpa, false);
	if (!vmcs) {
		v3_fake_fail("VMPTRLD of %#llx, which was never cleared with VMCLEAR",
			     (unsigned long long)hpa);
		return V3_VMX_FAIL_INVALID;
	}
	if (active_elsewhere("VMPTRLD", vmcs))
		return V3_VMX_FAIL_INVALID;
	fake_trace(V3_FAKE_VMPTRLD, 0, hpa);
	vmcs->active_on = (int)v3_fake_cpu();
	cpu->current = vmcs;
	return V3_VMX_OK;
}

/* --- Fields --- */

/* The current VMCS and a field's index in it, or what the instruction returns. */
static int access_field(const char *insn, uint32_t field, struct fake_vmcs **vmcs, int *index)
{
	if (!need_vmx(insn))
		return V3_VMX_FAIL_INVALID;
	*vmcs = fake_vmx_this_cpu()->current;
	if (!*vmcs)
		return V3_VMX_FAIL_INVALID;
	*index = fake_vmx_field(field);
	return *index < 0 ? fake_vmx_fail(FAKE_ERR_FIELD) : V3_VMX_OK;
}

int v3_x86_vmread(uint32_t field, uint64_t *value)
{
	struct fake_vmcs *vmcs;
	int index, result = access_field("VMREAD", field, &vmcs, &index);

	if (result != V3_VMX_OK)
		return result;
	fake_vmx_this_cpu()->vmreads++;
	*value = fake_vmcs_read(vmcs, field);
	return V3_VMX_OK;
}

static unsigned int field_bits(uint32_t field)
{
	switch (V3_VMCS_WIDTH(field)) {
	case V3_VMCS_WIDTH_16:
		return 16;
	case V3_VMCS_WIDTH_32:
		return 32;
	default:
		return 64;
	}
}

int v3_x86_vmwrite(uint32_t field, uint64_t value)
{
	/* VMWRITE to any supported field, SDM vol. 3 A.6 */
	const uint64_t misc_vmwrite = 1ULL << 29;
	struct fake_vmcs *vmcs;
	int index, result = access_field("VMWRITE", field, &vmcs, &index);
	unsigned int bits = field_bits(field);

	if (result != V3_VMX_OK)
		return result;
	if (V3_VMCS_TYPE(field) == V3_VMCS_TYPE_READ_ONLY &&
	    !(fake_vmx_msr(V3_MSR_VMX_MISC) & misc_vmwrite))
		return fake_vmx_fail(FAKE_ERR_READ_ONLY);
	if (bits < 64 && value >> bits)
		v3_fake_fail("VMWRITE of %#llx to field %#x, which has %u bits",
			     (unsigned long long)value, field, bits);
	fake_vmx_this_cpu()->vmwrites++;
	vmcs->value[index] = value;
	vmcs->written[index] = true;
	return V3_VMX_OK;
}

/* --- Invalidation --- */

bool fake_vmx_eptp_ok(uint64_t eptp)
{
	uint64_t cap = fake_vmx_msr(V3_MSR_VMX_EPT_VPID_CAP);
	uint64_t type = eptp & 7;

	if (!(type == V3_MEMTYPE_UC && cap & V3_EPT_CAP_UC) &&
	    !(type == V3_MEMTYPE_WB && cap & V3_EPT_CAP_WB))
		return false;
	if ((eptp & 0x38) != V3_EPTP_WALK_4 || !(cap & V3_EPT_CAP_WALK_4) || eptp & 0xf80)
		return false;
	if (eptp & V3_EPTP_AD && !(cap & V3_EPT_CAP_AD))
		return false;
	return fake_vmx_address_ok(eptp & ~0xfffULL, V3_PAGE_SIZE);
}

static bool need_cap(const char *insn, uint64_t bit)
{
	if (!need_vmx(insn))
		return false;
	if (fake_vmx_msr(V3_MSR_VMX_EPT_VPID_CAP) & bit)
		return true;
	v3_fake_fail("%s, which this CPU does not have: #UD", insn);
	return false;
}

int v3_x86_invept(uint64_t type, uint64_t eptp)
{
	uint64_t cap = fake_vmx_msr(V3_MSR_VMX_EPT_VPID_CAP);

	if (!need_cap("INVEPT", V3_VMX_EPT_CAP_INVEPT))
		return V3_VMX_FAIL_INVALID;
	if (!(type == V3_INVEPT_ONE && cap & V3_VMX_EPT_CAP_INVEPT_ONE && fake_vmx_eptp_ok(eptp)) &&
	    !(type == V3_INVEPT_ALL && cap & V3_VMX_EPT_CAP_INVEPT_ALL))
		return fake_vmx_fail(FAKE_ERR_INVALIDATION);
	fake_trace(V3_FAKE_INVEPT, (uint32_t)type, eptp);
	return V3_VMX_OK;
}

int v3_x86_invvpid(uint64_t type, uint16_t vpid, v3_gva_t address)
{
	uint64_t cap = fake_vmx_msr(V3_MSR_VMX_EPT_VPID_CAP);

	if (!need_cap("INVVPID", V3_VMX_VPID_CAP_INVVPID))
		return V3_VMX_FAIL_INVALID;
	if (type > V3_INVVPID_ONE_GLOBAL || !(cap & V3_VMX_VPID_CAP_ADDRESS << type) ||
	    (type != V3_INVVPID_ALL && !vpid) ||
	    (type == V3_INVVPID_ADDRESS && !v3_is_canonical(address, 48)))
		return fake_vmx_fail(FAKE_ERR_INVALIDATION);
	fake_trace(V3_FAKE_INVVPID, (uint32_t)type << 16 | vpid, address);
	return V3_VMX_OK;
}

void v3_x86_verw(void)
{
	fake_trace(V3_FAKE_VERW, 0, 0);
}

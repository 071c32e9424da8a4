/* SPDX-License-Identifier: BSD-2-Clause */
/* The instruction at RIP: its bytes, its length, and stepping over it. */
#include "core/vm.h"

#include "emul/decode.h"
#include "lib/mem.h"
#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/pte.h"

static void fetch_failed(struct v3_vcpu *vcpu, v3_gpa_t gpa)
{
	v3_vm_end(vcpu->vm, V3_END_CRASH, 0,
		  "vCPU %u: no memory to execute at RIP 0x%llx (guest-physical 0x%llx)",
		  vcpu->index, (unsigned long long)vcpu->rip, (unsigned long long)gpa);
}

/* Bytes of one page from gva on, at most max. 0: result says why; complain only if asked. */
static unsigned int fetch_page(struct v3_vcpu *vcpu, const struct v3_insn_env *env, v3_gva_t gva,
			       uint8_t *bytes, unsigned int max, bool complain)
{
	struct v3_walk_result result;
	const void *from;
	enum v3_walk_status status = v3_guest_walk(&env->walk, v3_memory_walk_ptr, vcpu->vm, gva,
						   V3_WALK_FETCH, &result);

	if (status == V3_WALK_FAULT) {
		if (complain)
			v3_vcpu_page_fault(vcpu, gva, result.error);
		return 0;
	}
	if (max > V3_PAGE_SIZE - (result.gpa & V3_PAGE_MASK))
		max = (unsigned int)(V3_PAGE_SIZE - (result.gpa & V3_PAGE_MASK));
	from = status == V3_WALK_OK ? v3_memory_ptr(vcpu->vm, result.gpa, max) : NULL;
	if (!from) {
		if (complain)
			fetch_failed(vcpu, result.gpa);
		return 0;
	}
	memcpy(bytes, from, max);
	return max;
}

static v3_gva_t linear_rip(const struct v3_vcpu *vcpu, const struct v3_insn_env *env,
			   unsigned int offset)
{
	if (env->mode == V3_INSN_MODE_64)
		return vcpu->rip + offset;
	return (uint32_t)(env->cs_base + (uint32_t)vcpu->rip + offset);
}

unsigned int v3_insn_fetch(struct v3_vcpu *vcpu, const struct v3_insn_env *env, uint8_t bytes[15])
{
	unsigned int n = fetch_page(vcpu, env, linear_rip(vcpu, env, 0), bytes, 15, true);

	/* The rest is only needed if the instruction goes on there: a fault is not known yet. */
	if (n && n < 15)
		n += fetch_page(vcpu, env, linear_rip(vcpu, env, n), bytes + n, 15 - n, false);
	return n;
}

bool v3_insn_get(struct v3_vcpu *vcpu, const struct v3_insn_env *env, struct v3_insn *insn,
		 uint8_t bytes[15])
{
	unsigned int n = v3_insn_fetch(vcpu, env, bytes);

	if (!n)
		return false;
	switch (v3_decode(bytes, n, env->mode, insn)) {
	case V3_DECODE_OK:
		return true;
	case V3_DECODE_TRUNCATED:
		/* It goes on in a page that could not be fetched: now the fault counts. */
		fetch_page(vcpu, env, linear_rip(vcpu, env, n), bytes, 1, true);
		return false;
	case V3_DECODE_TOO_LONG:
		v3_vcpu_gp(vcpu);
		return false;
	case V3_DECODE_INVALID:
	default:
		v3_vcpu_ud(vcpu);
		return false;
	}
}

static unsigned int insn_length(struct v3_vcpu *vcpu)
{
	struct v3_insn_env env;
	struct v3_insn insn;
	uint8_t bytes[15];

	vcpu->vm->arch->insn_env(vcpu, &env);
	return v3_insn_get(vcpu, &env, &insn, bytes) ? insn.length : 0;
}

/* Instruction boundary: the shadow ends, a trap flag traps (APM2 8.2.2, 13.1.4). */
void v3_vcpu_insn_done(struct v3_vcpu *vcpu)
{
	vcpu->shadow = false;
	if (!(vcpu->rflags & (V3_RFLAGS_TF | V3_RFLAGS_RF)))
		return;
	vcpu->rflags &= ~V3_RFLAGS_RF;
	if (!(vcpu->rflags & V3_RFLAGS_TF))
		return;
	vcpu->vm->arch->set_dr(vcpu, 6, vcpu->vm->arch->get_dr(vcpu, 6) | V3_DR6_BS);
	v3_vcpu_exception(vcpu, V3_EXCP_DB, false, 0);
}

bool v3_vcpu_skip(struct v3_vcpu *vcpu, unsigned int len)
{
	struct v3_insn_env env;

	if (!len) {
		len = insn_length(vcpu);
		if (!len)
			return false;
	}
	vcpu->rip += len;
	if (vcpu->rip >> 32) {
		/* Outside of 64-bit mode RIP has 32 bits. */
		vcpu->vm->arch->insn_env(vcpu, &env);
		if (env.mode != V3_INSN_MODE_64)
			vcpu->rip = (uint32_t)vcpu->rip;
	}
	v3_vcpu_insn_done(vcpu);
	return true;
}

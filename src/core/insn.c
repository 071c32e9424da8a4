/* SPDX-License-Identifier: BSD-2-Clause */
/* The instruction at RIP: its bytes, its length, and stepping over it. */
#include "core/vm.h"

#include "emul/decode.h"
#include "emul/emul.h"
#include "lib/bits.h"
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

/* As code_ptr(), by walking the guest's tables. */
static const uint8_t *code_walk(struct v3_vcpu *vcpu, const struct v3_insn_env *env, v3_gva_t gva,
				unsigned int *left, bool complain)
{
	struct v3_vm *vm = vcpu->vm;
	struct v3_walk_result result;
	const uint8_t *code = NULL;
	enum v3_walk_status status = v3_guest_walk(&env->walk, &vm->walk_mem, gva, V3_WALK_FETCH,
						   &result);

	if (status == V3_WALK_FAULT) {
		if (complain)
			v3_vcpu_page_fault(vcpu, gva, result.error);
		return NULL;
	}
	*left = (unsigned int)(V3_PAGE_SIZE - (result.gpa & V3_PAGE_MASK));
	if (status == V3_WALK_OK && result.gpa - vm->walk_mem.gpa < vm->walk_mem.size)
		return vm->walk_mem.virt + (result.gpa - vm->walk_mem.gpa);
	if (status == V3_WALK_OK)
		code = v3_memory_ptr(vm, result.gpa, 1);
	if (!code && complain)
		fetch_failed(vcpu, result.gpa);
	return code;
}

static inline struct v3_code_page *page_slot(struct v3_vcpu *vcpu, v3_gva_t gva)
{
	return &vcpu->code_pages[gva >> V3_PAGE_SHIFT & (V3_CODE_PAGES - 1)];
}

static inline bool page_is_known(const struct v3_code_page *page, const struct v3_insn_env *env,
			  v3_gva_t gva)
{
	const struct v3_walk_cpu *cpu = &env->walk;

	return page->gva == (gva & ~V3_PAGE_MASK) && page->code && page->cr3 == cpu->cr3 &&
	       page->cr0 == cpu->cr0 && page->cr4 == cpu->cr4 && page->efer == cpu->efer &&
	       page->user == cpu->user && v3_walk_trace_holds(&page->trace);
}

/* Remembers what a walk has just found. */
static void page_remember(struct v3_vcpu *vcpu, const struct v3_insn_env *env, v3_gva_t gva,
			  const uint8_t *code)
{
	struct v3_code_page *page = page_slot(vcpu, gva);

	gva &= ~V3_PAGE_MASK;
	page->code = NULL;
	if (!v3_guest_walk_trace(&env->walk, &vcpu->vm->walk_mem, gva, &page->trace) ||
	    v3_memory_ptr(vcpu->vm, page->trace.gpa, V3_PAGE_SIZE) != code)
		return;
	page->gva = gva;
	page->cr0 = env->walk.cr0;
	page->cr3 = env->walk.cr3;
	page->cr4 = env->walk.cr4;
	page->efer = env->walk.efer;
	page->user = env->walk.user;
	page->code = code;
}

/*
 * Host pointer to the code at gva and how much of its page follows; NULL: complain only if asked.
 */
static const uint8_t *code_ptr(struct v3_vcpu *vcpu, const struct v3_insn_env *env, v3_gva_t gva,
			       unsigned int *left, bool complain)
{
	unsigned int offset = gva & V3_PAGE_MASK;
	const struct v3_code_page *page = page_slot(vcpu, gva);
	const uint8_t *code;

	if (page_is_known(page, env, gva)) {
		*left = (unsigned int)V3_PAGE_SIZE - offset;
		return page->code + offset;
	}
	code = code_walk(vcpu, env, gva, left, complain);
	if (code)
		page_remember(vcpu, env, gva, code - offset);
	return code;
}

static inline v3_gva_t linear_rip(const struct v3_vcpu *vcpu, const struct v3_insn_env *env,
			   unsigned int offset)
{
	if (env->mode == V3_INSN_MODE_64)
		return vcpu->rip + offset;
	return (uint32_t)(env->cs_base + (uint32_t)vcpu->rip + offset);
}

unsigned int v3_insn_fetch(struct v3_vcpu *vcpu, const struct v3_insn_env *env,
			   uint8_t bytes[V3_INSN_BUFFER])
{
	unsigned int left, n;
	const uint8_t *code = code_ptr(vcpu, env, linear_rip(vcpu, env, 0), &left, true);

	if (!code)
		return 0;
	/* A copy: the guest may change its code while we look at it. */
	if (left >= V3_INSN_BUFFER) {
		memcpy(bytes, code, V3_INSN_BUFFER);
		return V3_INSN_MAX_LEN;
	}
	n = left < V3_INSN_MAX_LEN ? left : V3_INSN_MAX_LEN;
	memcpy(bytes, code, n);
	/* The rest is only needed if the instruction goes on there: a fault is not known yet. */
	code = n < V3_INSN_MAX_LEN ? code_ptr(vcpu, env, linear_rip(vcpu, env, n), &left, false)
				   : NULL;
	if (!code)
		return n;
	memcpy(bytes + n, code, V3_INSN_MAX_LEN - n);
	return V3_INSN_MAX_LEN;
}

bool v3_insn_decode(struct v3_vcpu *vcpu, const struct v3_insn_env *env, struct v3_insn *insn,
		    const uint8_t bytes[V3_INSN_BUFFER], unsigned int n)
{
	unsigned int left;

	if (!n)
		return false;
	switch (v3_decode(bytes, n, env->mode, insn)) {
	case V3_DECODE_OK:
		return true;
	case V3_DECODE_TRUNCATED:
		/* It goes on in a page that could not be fetched: now the fault counts. */
		code_ptr(vcpu, env, linear_rip(vcpu, env, n), &left, true);
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

bool v3_insn_get(struct v3_vcpu *vcpu, const struct v3_insn_env *env, struct v3_insn *insn,
		 uint8_t bytes[V3_INSN_BUFFER])
{
	return v3_insn_decode(vcpu, env, insn, bytes, v3_insn_fetch(vcpu, env, bytes));
}

static V3_NOINLINE unsigned int insn_length(struct v3_vcpu *vcpu)
{
	struct v3_insn_env env;
	struct v3_insn insn;
	uint8_t bytes[V3_INSN_BUFFER];

	vcpu->vm->arch->insn_env(vcpu, &env);
	return v3_insn_get(vcpu, &env, &insn, bytes) ? insn.length : 0;
}

static inline uint64_t word_at(const uint8_t *code)
{
	uint64_t word;

	memcpy(&word, code, sizeof(word));
	return word;
}

const struct v3_insn_plain *v3_insn_plain(struct v3_vcpu *vcpu, const struct v3_insn_env *env)
{
	struct v3_insn_plain *plain = &vcpu->insn_plain[vcpu->rip >> 2 & (V3_INSN_PLAIN - 1)];
	const struct v3_code_page *page = page_slot(vcpu, vcpu->rip);
	unsigned int offset = vcpu->rip & V3_PAGE_MASK;
	uint64_t low, high;

	if (env->mode != V3_INSN_MODE_64 || offset > V3_PAGE_SIZE - V3_INSN_BUFFER ||
	    !page_is_known(page, env, vcpu->rip))
		return NULL;
	/* Once: the guest may change its code while we look at it. */
	low = word_at(page->code + offset);
	high = word_at(page->code + offset + sizeof(low));
	if (plain->words[0] != low || plain->words[1] != high) {
		plain->words[0] = low;
		plain->words[1] = high;
		plain->length = v3_emul_quick_mmio((const uint8_t *)plain->words, &plain->op);
	}
	return plain->length ? plain : NULL;
}

static V3_NOINLINE void flags_done(struct v3_vcpu *vcpu)
{
	vcpu->rflags &= ~V3_RFLAGS_RF;
	if (!(vcpu->rflags & V3_RFLAGS_TF))
		return;
	vcpu->vm->arch->set_dr(vcpu, 6, vcpu->vm->arch->get_dr(vcpu, 6) | V3_DR6_BS);
	v3_vcpu_exception(vcpu, V3_EXCP_DB, false, 0);
}

/* Instruction boundary: the shadow ends, a trap flag traps (APM2 8.2.2, 13.1.4). */
static inline void insn_done(struct v3_vcpu *vcpu)
{
	vcpu->shadow = false;
	if (vcpu->rflags & (V3_RFLAGS_TF | V3_RFLAGS_RF))
		flags_done(vcpu);
}

void v3_vcpu_insn_done(struct v3_vcpu *vcpu)
{
	insn_done(vcpu);
}

/* After an instruction whose next one is past 4 GiB: outside of 64-bit mode RIP has 32 bits. */
static V3_NOINLINE void done_high(struct v3_vcpu *vcpu)
{
	struct v3_insn_env env;

	vcpu->vm->arch->insn_env(vcpu, &env);
	if (env.mode != V3_INSN_MODE_64)
		vcpu->rip = (uint32_t)vcpu->rip;
	insn_done(vcpu);
}

void v3_vcpu_step(struct v3_vcpu *vcpu, uint64_t len)
{
	vcpu->rip += len;
	if (vcpu->rip >> 32)
		done_high(vcpu);
	else
		insn_done(vcpu);
}

bool v3_vcpu_skip(struct v3_vcpu *vcpu, unsigned int len)
{
	if (!len)
		len = insn_length(vcpu);
	if (len)
		v3_vcpu_step(vcpu, len);
	return len;
}

bool v3_vcpu_find_0f(struct v3_vcpu *vcpu, uint8_t opcode)
{
	struct v3_insn_env env V3_FILLED_BELOW;
	const uint8_t *code;
	unsigned int left, len = 0;

	vcpu->vm->arch->insn_env(vcpu, &env);
	code = code_ptr(vcpu, &env, linear_rip(vcpu, &env, 0), &left, false);
	if (code && left >= 2 && code[0] == 0x0f && code[1] == opcode)
		len = 2;
	return v3_vcpu_skip(vcpu, len);
}

bool v3_insn_is_hlt(struct v3_vcpu *vcpu)
{
	struct v3_insn_env env;
	const uint8_t *code;
	unsigned int left;

	vcpu->vm->arch->insn_env(vcpu, &env);
	code = env.cpl ? NULL : code_ptr(vcpu, &env, linear_rip(vcpu, &env, 0), &left, false);
	return code && *code == 0xf4;
}

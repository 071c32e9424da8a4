/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU in a state that the hardware cannot enter (V3_EXIT_EMULATE): its instructions are executed
 * in software until it can be entered, or has something else to do. What hardware would exit for
 * goes to those who handle such exits.
 */
#include "core/emulate.h"

#include "emul/emul_cpu.h"
#include "lib/bits.h"
#include "lib/mem.h"
#include "x86/cr.h"
#include "x86/excp.h"

/*
 * Instructions until the back end, timers and the host have their turn; iterations of a REP
 * instruction, which is the last one then.
 */
#define SLICE 256

/* The vCPU as the emulator has it. GPRs, RIP and RFLAGS stay the vCPU's own. */
struct machine {
	struct v3_vcpu *vcpu;
	struct v3_world world;
	struct v3_emul_regs regs;
	struct v3_emul_ctx ctx;
	struct v3_emul_cpu cpu;
};

/* --- State --- */

static struct v3_emul_seg seg_of(const struct v3_segment *seg)
{
	return (struct v3_emul_seg){ seg->selector, seg->attrib, seg->limit, seg->base };
}

/* After segment registers or CR0 may have changed. */
static void env_update(struct machine *m)
{
	struct v3_insn_env *env = &m->world.env;

	env->walk.cr0 = m->regs.cr0;
	env->cs_base = m->regs.seg[V3_SEG_CS].base;
	env->mode = (uint8_t)v3_emul_mode(&m->regs);
}

static V3_NOINLINE void state_get(struct machine *m)
{
	struct v3_vcpu *vcpu = m->vcpu;
	struct v3_vcpu_state state;
	unsigned int i;

	vcpu->vm->arch->insn_env(vcpu, &m->world.env);
	vcpu->vm->arch->get_state(vcpu, &state);
	for (i = 0; i < 6; i++)
		m->regs.seg[i] = seg_of(&state.seg[i]);
	m->regs.gpr = vcpu->gpr;
	m->regs.cr0 = state.cr0;
	m->regs.cr4 = state.cr4;
	m->regs.efer = state.efer;
	m->regs.xcr0 = vcpu->xcr0;
	m->regs.cpl = m->world.env.cpl;
	m->cpu.gdt = (struct v3_emul_table){ state.gdtr.base, state.gdtr.limit };
	m->cpu.idt = (struct v3_emul_table){ state.idtr.base, state.idtr.limit };
	m->cpu.ldt = seg_of(&state.seg[V3_SEG_LDTR]);
	m->cpu.changed = false;
	env_update(m);
}

static V3_NOINLINE void state_put(struct machine *m)
{
	const struct v3_arch_ops *arch = m->vcpu->vm->arch;
	struct v3_vcpu_state state;
	unsigned int i;

	arch->get_state(m->vcpu, &state);
	for (i = 0; i < 6; i++) {
		const struct v3_emul_seg *seg = &m->regs.seg[i];

		state.seg[i] = (struct v3_segment){ seg->selector, seg->attrib, seg->limit,
						    seg->base };
	}
	state.gdtr.base = m->cpu.gdt.base;
	state.gdtr.limit = m->cpu.gdt.limit;
	state.idtr.base = m->cpu.idt.base;
	state.idtr.limit = m->cpu.idt.limit;
	state.cr0 = m->regs.cr0;
	arch->set_state(m->vcpu, &state);
	m->cpu.changed = false;
}

/* --- Memory and ports --- */

/* RAM that holds all of an aligned operand, which is then accessed at once; else NULL. */
static void *ram_word(struct v3_world *world, uint64_t linear, uint32_t size, unsigned int access)
{
	struct v3_emul_fault fault;
	struct v3_span span;

	if (linear & (size - 1) || size > 8 ||
	    v3_world_walk(world, linear, size, access, &span, &fault) != V3_EMUL_OK)
		return NULL;
	return v3_memory_ptr(world->vcpu->vm, span.gpa[0], size);
}

#define CMPXCHG(type) do { \
	type old_; \
	memcpy(&old_, expected, sizeof(old_)); \
	type new_; \
	memcpy(&new_, desired, sizeof(new_)); \
	*swapped = __atomic_compare_exchange_n((type *)ram, &old_, new_, false, \
					       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
	memcpy(expected, &old_, sizeof(old_)); \
} while (0)

/* One that is not aligned, or of a device, is not atomic: locks are where compilers put words. */
static enum v3_emul_result op_cmpxchg(void *opaque, uint64_t linear, void *expected,
				      const void *desired, uint32_t size, bool *swapped,
				      struct v3_emul_fault *fault)
{
	void *ram = ram_word(opaque, linear, size, V3_WALK_WRITE);
	enum v3_emul_result result;
	uint8_t now[16];

	if (ram) {
		switch (size) {
		case 1:
			CMPXCHG(uint8_t);
			break;
		case 2:
			CMPXCHG(uint16_t);
			break;
		case 4:
			CMPXCHG(uint32_t);
			break;
		default:
			CMPXCHG(uint64_t);
			break;
		}
		return V3_EMUL_OK;
	}
	result = v3_world_read(opaque, linear, now, size, V3_EMUL_ACCESS_WRITE, fault);
	if (result != V3_EMUL_OK)
		return result;
	*swapped = memcmp(now, expected, size) == 0;
	if (*swapped)
		return v3_world_write(opaque, linear, desired, size, V3_EMUL_ACCESS_WRITE, fault);
	memcpy(expected, now, size);
	return V3_EMUL_OK;
}

/* At privilege level 0 and in real mode all ports are the guest's to use. */
static enum v3_emul_result op_port_in(void *opaque, uint16_t port, uint32_t *value, uint32_t size,
				      struct v3_emul_fault *fault)
{
	struct v3_world *world = opaque;

	(void)fault;
	*value = v3_io_in(world->vcpu, port, size);
	if (size < 4)
		*value &= (1u << (8 * size)) - 1;
	return V3_EMUL_OK;
}

static enum v3_emul_result op_port_out(void *opaque, uint16_t port, uint32_t value, uint32_t size,
				       struct v3_emul_fault *fault)
{
	struct v3_world *world = opaque;

	(void)fault;
	v3_io_out(world->vcpu, port, size, value);
	return V3_EMUL_OK;
}

static const struct v3_emul_ops cpu_ops = {
	.read = v3_world_read, .write = v3_world_write, .cmpxchg = op_cmpxchg,
	.probe_write = v3_world_probe_write, .port_in = op_port_in, .port_out = op_port_out,
	.vec_get = v3_world_vec_get, .vec_set = v3_world_vec_set,
};

/* --- Events --- */

/*
 * In protected mode an interrupt waits until the hardware can take it. False: this slice is over.
 */
static bool event_deliver(struct machine *m, const struct v3_event *event)
{
	struct v3_vcpu *vcpu = m->vcpu;
	enum v3_emul_result result = V3_EMUL_UNHANDLED;

	if (!(m->regs.cr0 & V3_CR0_PE)) {
		m->regs.rip = vcpu->rip;
		m->regs.rflags = vcpu->rflags;
		result = v3_emul_real_event(&m->cpu, event->vector);
	}
	if (result == V3_EMUL_OK) {
		vcpu->rip = m->regs.rip;
		vcpu->rflags = m->regs.rflags;
		env_update(m);
		return true;
	}
	if (result == V3_EMUL_UNHANDLED && event->type == V3_EVENT_EXCEPTION) {
		v3_vm_end(vcpu->vm, V3_END_CRASH, 0,
			  "vCPU %u: no emulation of the delivery of exception %u at RIP 0x%llx",
			  vcpu->index, event->vector, (unsigned long long)vcpu->rip);
		return false;
	}
	vcpu->interrupted = *event;
	v3_inject_requeue(vcpu);
	if (result == V3_EMUL_FAULT)
		v3_emulate_fault(vcpu, &m->ctx.fault);
	return result == V3_EMUL_UNHANDLED;
}

static void single_step(struct v3_vcpu *vcpu)
{
	const struct v3_arch_ops *arch = vcpu->vm->arch;

	arch->set_dr(vcpu, 6, arch->get_dr(vcpu, 6) | V3_DR6_BS);
	v3_vcpu_exception(vcpu, V3_EXCP_DB, false, 0);
}

/* --- Instructions --- */

/* The kind of exit that hardware has for the instruction, or V3_EXIT_NONE: it is emulated. */
static enum v3_exit_kind exit_of(const struct v3_insn *insn)
{
	if (insn->map == V3_MAP_ONE) {
		if (insn->opcode == 0xf4)
			return V3_EXIT_HLT;
		return insn->opcode == 0x90 && insn->flags & V3_INSN_REP ? V3_EXIT_PAUSE
									 : V3_EXIT_NONE;
	}
	if (insn->map != V3_MAP_0F)
		return V3_EXIT_NONE;
	switch (insn->opcode) {
	case 0x01:
		if (insn->mod != 3 || insn->rm != 1)
			return V3_EXIT_NONE;
		return insn->reg == 0 ? V3_EXIT_HYPERCALL : insn->reg == 2 ? V3_EXIT_XSETBV
									   : V3_EXIT_NONE;
	case 0x06: case 0x20: case 0x22:
		return V3_EXIT_CR;
	case 0x08: case 0x09:
		return V3_EXIT_INVD;
	case 0x21: case 0x23:
		return V3_EXIT_DR;
	case 0x30:
		return V3_EXIT_WRMSR;
	case 0x32:
		return V3_EXIT_RDMSR;
	case 0xa2:
		return V3_EXIT_CPUID;
	default:
		return V3_EXIT_NONE;
	}
}

static void as_exit(struct machine *m, enum v3_exit_kind kind, const struct v3_insn *insn)
{
	struct v3_exit exit = { .kind = kind, .insn_len = insn->length };

	if (m->cpu.changed)
		state_put(m);
	v3_exit_handle(m->vcpu, &exit);
}

/* RDTSC never exits, and INVLPG does not where there is nested paging. */
static bool as_hardware(struct v3_vcpu *vcpu, const struct v3_insn *insn)
{
	uint64_t tsc;

	if (v3_insn_is(insn, V3_MAP_0F, 0x31)) {
		tsc = v3_guest_tsc(vcpu);
		vcpu->gpr[0] = (uint32_t)tsc;
		vcpu->gpr[2] = tsc >> 32;
	} else if (v3_insn_is(insn, V3_MAP_0F, 0x01) && (insn->reg & 7) == 7 &&
		   insn->flags & V3_INSN_MEM) {
		vcpu->vm->arch->flush_tlb(vcpu);
	} else {
		return false;
	}
	v3_vcpu_skip(vcpu, insn->length);
	return true;
}

/* RIP, and all bytes of the instruction, have to be within CS. */
static bool in_code(struct machine *m, unsigned int length)
{
	if (m->vcpu->rip + length - 1 <= m->regs.seg[V3_SEG_CS].limit)
		return true;
	v3_vcpu_gp(m->vcpu);
	return false;
}

/* After an instruction: whether the next one follows at once. */
static bool goes_on(const struct machine *m)
{
	const struct v3_vcpu *vcpu = m->vcpu;

	/* Perhaps the hardware can take it from here. */
	if (m->cpu.changed && m->regs.cr0 & V3_CR0_PE)
		return false;
	if (vcpu->exception.valid || __atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED))
		return false;
	/* What waits, and what the back end would have a window for. */
	if (m->cpu.iret && vcpu->windows & V3_WINDOW_NMI)
		return false;
	return !(vcpu->rflags & V3_RFLAGS_IF && !vcpu->shadow &&
		 (vcpu->inject_work || vcpu->windows & V3_WINDOW_INTR));
}

static bool emulate(struct machine *m, const struct v3_insn *insn, const uint8_t *bytes)
{
	struct v3_vcpu *vcpu = m->vcpu;
	bool steps = vcpu->rflags & V3_RFLAGS_TF, repeats;
	enum v3_emul_result result;

	m->ctx.rep_budget = steps ? 1 : SLICE;
	m->regs.rip = vcpu->rip;
	m->regs.rflags = vcpu->rflags;
	result = v3_emul_cpu_step(&m->cpu, insn);
	if (result == V3_EMUL_UNHANDLED) {
		v3_emulate_lacks(vcpu, insn, bytes);
		return false;
	}
	vcpu->rflags = m->regs.rflags;
	vcpu->rip = m->regs.rip;
	if (result == V3_EMUL_FAULT)
		v3_emulate_fault(vcpu, &m->ctx.fault);
	repeats = result == V3_EMUL_AGAIN && insn->flags & (V3_INSN_REP | V3_INSN_REPNE);
	if (result != V3_EMUL_OK && !repeats)
		return false;
	vcpu->shadow = m->cpu.shadow;
	if (m->cpu.iret)
		vcpu->nmi_blocked = false;
	if (steps && !m->cpu.no_trap)
		single_step(vcpu);
	if (m->cpu.changed)
		env_update(m);
	return !repeats && goes_on(m);
}

/* One instruction; false: the slice is over. */
static bool step(struct machine *m)
{
	struct v3_vcpu *vcpu = m->vcpu;
	uint8_t bytes[V3_INSN_BUFFER];
	enum v3_exit_kind kind;
	struct v3_insn insn;

	m->world.env.walk.rflags = vcpu->rflags;
	if (!in_code(m, 1) || !v3_insn_get(vcpu, &m->world.env, &insn, bytes) ||
	    !in_code(m, insn.length))
		return false;
	kind = exit_of(&insn);
	if (kind != V3_EXIT_NONE) {
		as_exit(m, kind, &insn);
		return false;
	}
	return !as_hardware(vcpu, &insn) && emulate(m, &insn, bytes);
}

/* Only code that rules the machine is in such a state for long. */
static bool may_emulate(const struct machine *m)
{
	if (!(m->regs.cr0 & V3_CR0_PE))
		return true;
	if (!m->regs.cpl && !(m->vcpu->rflags & V3_RFLAGS_VM) &&
	    m->world.env.mode != V3_INSN_MODE_64)
		return true;
	v3_vm_end(m->vcpu->vm, V3_END_CRASH, 0,
		  "vCPU %u: no emulation at privilege level %u, RFLAGS 0x%llx, RIP 0x%llx",
		  m->vcpu->index, m->regs.cpl, (unsigned long long)m->vcpu->rflags,
		  (unsigned long long)m->vcpu->rip);
	return false;
}

void v3_exit_emulate(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	struct machine m = { .vcpu = vcpu };
	unsigned int n = 0;
	bool on;

	m.world.vcpu = vcpu;
	m.ctx = (struct v3_emul_ctx){ .regs = &m.regs, .ops = &cpu_ops, .opaque = &m.world };
	m.cpu.ctx = &m.ctx;
	state_get(&m);
	on = may_emulate(&m);
	if (on && exit->emulate.event.valid)
		on = event_deliver(&m, &exit->emulate.event) &&
		     !(vcpu->windows & V3_WINDOW_SOON);
	while (on && n++ < SLICE)
		on = step(&m);
	if (m.cpu.changed)
		state_put(&m);
}

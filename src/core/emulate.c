/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Execution of the instruction at RIP in software: the emulator's world is guest memory and
 * devices.
 */
#include "core/emulate.h"

#include "lib/mem.h"
#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/pte.h"

/* Most iterations of a REP instruction before the vCPU looks at its requests again. */
#define REP_BUDGET 256

static enum v3_emul_result span_piece(struct v3_world *world, uint64_t linear, unsigned int access,
				      v3_gpa_t *gpa, struct v3_emul_fault *fault)
{
	struct v3_walk_result result;
	enum v3_walk_status status;

	status = v3_guest_walk(&world->env.walk, &world->vcpu->vm->walk_mem, linear, access,
			       &result);
	*gpa = result.gpa;
	if (status == V3_WALK_OK)
		return V3_EMUL_OK;
	if (status == V3_WALK_FAULT) {
		*fault = (struct v3_emul_fault){ .vector = V3_EXCP_PF, .has_error = true,
						 .error_code = result.error, .cr2 = linear };
		return V3_EMUL_FAULT;
	}
	v3_vm_end(world->vcpu->vm, V3_END_CRASH, 0,
		  "vCPU %u: page table outside of memory (guest-physical 0x%llx)",
		  world->vcpu->index, (unsigned long long)result.gpa);
	return V3_EMUL_STOP;
}

enum v3_emul_result v3_world_walk(struct v3_world *world, uint64_t linear, uint32_t size,
				  unsigned int access, struct v3_span *span,
				  struct v3_emul_fault *fault)
{
	uint32_t left = (uint32_t)(V3_PAGE_SIZE - (linear & V3_PAGE_MASK));
	uint64_t next = linear + left;
	enum v3_emul_result result;

	span->len[0] = size < left ? size : left;
	span->len[1] = size - span->len[0];
	result = span_piece(world, linear, access, &span->gpa[0], fault);
	if (result != V3_EMUL_OK || !span->len[1])
		return result;
	if (world->env.mode != V3_INSN_MODE_64)
		next = (uint32_t)next;
	return span_piece(world, next, access, &span->gpa[1], fault);
}

static unsigned int walk_access(uint32_t access)
{
	return (access & V3_EMUL_ACCESS_WRITE ? V3_WALK_WRITE : 0) |
	       (access & V3_EMUL_ACCESS_SYSTEM ? V3_WALK_SYSTEM : 0);
}

/* Device accesses in the largest naturally aligned pieces of up to 8 bytes. */
static unsigned int device_piece(v3_gpa_t gpa, uint32_t len)
{
	unsigned int size = 8;

	while (size > len || gpa & (size - 1))
		size /= 2;
	return size;
}

static void phys_read(struct v3_vcpu *vcpu, v3_gpa_t gpa, uint8_t *buf, uint32_t len)
{
	const void *ram = v3_memory_ptr(vcpu->vm, gpa, len);

	if (ram) {
		memcpy(buf, ram, len);
		return;
	}
	while (len) {
		unsigned int size = device_piece(gpa, len);
		uint64_t value = v3_mmio_read(vcpu, gpa, size);

		memcpy(buf, &value, size);
		gpa += size;
		buf += size;
		len -= size;
	}
}

static void phys_write(struct v3_vcpu *vcpu, v3_gpa_t gpa, const uint8_t *buf, uint32_t len)
{
	void *ram = v3_memory_ptr(vcpu->vm, gpa, len);

	if (ram) {
		memcpy(ram, buf, len);
		return;
	}
	while (len) {
		unsigned int size = device_piece(gpa, len);
		uint64_t value = 0;

		memcpy(&value, buf, size);
		v3_mmio_write(vcpu, gpa, size, value);
		gpa += size;
		buf += size;
		len -= size;
	}
}

enum v3_emul_result v3_world_read(void *opaque, uint64_t linear, void *buf, uint32_t size,
				  uint32_t access, struct v3_emul_fault *fault)
{
	struct v3_world *world = opaque;
	struct v3_span span;
	enum v3_emul_result result = v3_world_walk(world, linear, size, walk_access(access), &span,
					       fault);

	if (result != V3_EMUL_OK)
		return result;
	phys_read(world->vcpu, span.gpa[0], buf, span.len[0]);
	if (span.len[1])
		phys_read(world->vcpu, span.gpa[1], (uint8_t *)buf + span.len[0], span.len[1]);
	return V3_EMUL_OK;
}

enum v3_emul_result v3_world_write(void *opaque, uint64_t linear, const void *buf, uint32_t size,
				   uint32_t access, struct v3_emul_fault *fault)
{
	struct v3_world *world = opaque;
	struct v3_span span;
	enum v3_emul_result result = v3_world_walk(world, linear, size,
					       walk_access(access) | V3_WALK_WRITE, &span, fault);

	if (result != V3_EMUL_OK)
		return result;
	phys_write(world->vcpu, span.gpa[0], buf, span.len[0]);
	if (span.len[1])
		phys_write(world->vcpu, span.gpa[1], (const uint8_t *)buf + span.len[0],
			   span.len[1]);
	return V3_EMUL_OK;
}

enum v3_emul_result v3_world_probe_write(void *opaque, uint64_t linear, uint32_t size,
					 struct v3_emul_fault *fault)
{
	struct v3_span span;

	return v3_world_walk(opaque, linear, size, V3_WALK_WRITE, &span, fault);
}

static enum v3_emul_result op_cmpxchg(void *opaque, uint64_t linear, void *expected,
				      const void *desired, uint32_t size, bool *swapped,
				      struct v3_emul_fault *fault)
{
	struct v3_world *world = opaque;
	struct v3_vcpu *vcpu = world->vcpu;
	uint8_t now[16];
	struct v3_span span;
	enum v3_emul_result result = v3_world_walk(world, linear, size, V3_WALK_WRITE, &span, fault);

	if (result != V3_EMUL_OK)
		return result;
	/*
	 * The instruction or its page tables have changed since the exit: the CPU does it, and
	 * atomically.
	 */
	if (v3_memory_ptr(vcpu->vm, span.gpa[0], span.len[0]) &&
	    (!span.len[1] || v3_memory_ptr(vcpu->vm, span.gpa[1], span.len[1])))
		return V3_EMUL_STOP;
	/* Devices: a read and a write, as a PC's bus does it. */
	phys_read(vcpu, span.gpa[0], now, span.len[0]);
	if (span.len[1])
		phys_read(vcpu, span.gpa[1], now + span.len[0], span.len[1]);
	*swapped = memcmp(now, expected, size) == 0;
	if (!*swapped) {
		memcpy(expected, now, size);
		return V3_EMUL_OK;
	}
	phys_write(vcpu, span.gpa[0], desired, span.len[0]);
	if (span.len[1])
		phys_write(vcpu, span.gpa[1], (const uint8_t *)desired + span.len[0],
			   span.len[1]);
	return V3_EMUL_OK;
}

/*
 * The CPU has checked the permission for the port of the exit, not for any other: a second vCPU may
 * have put another instruction here since. The guest then executes that one itself.
 */
static bool port_allowed(const struct v3_exit *exit, uint16_t port, uint32_t size, bool in)
{
	return exit->kind == V3_EXIT_IO && exit->io.port == port && exit->io.size == size &&
	       exit->io.in == in;
}

static enum v3_emul_result op_port_in(void *opaque, uint16_t port, uint32_t *value, uint32_t size,
				      struct v3_emul_fault *fault)
{
	struct v3_world *world = opaque;

	(void)fault;
	if (!port_allowed(world->exit, port, size, true))
		return V3_EMUL_STOP;
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
	if (!port_allowed(world->exit, port, size, false))
		return V3_EMUL_STOP;
	v3_io_out(world->vcpu, port, size, value);
	return V3_EMUL_OK;
}

enum v3_emul_result v3_world_vec_get(void *opaque, uint32_t reg, void *buf, uint32_t size)
{
	struct v3_world *world = opaque;

	v3_fpu_vec_get(world->vcpu, reg, buf, size);
	return V3_EMUL_OK;
}

enum v3_emul_result v3_world_vec_set(void *opaque, uint32_t reg, const void *buf, uint32_t size,
				     bool zero_upper)
{
	struct v3_world *world = opaque;

	v3_fpu_vec_set(world->vcpu, reg, buf, size, zero_upper);
	return V3_EMUL_OK;
}

static const struct v3_emul_ops world_ops = {
	.read = v3_world_read, .write = v3_world_write, .cmpxchg = op_cmpxchg,
	.probe_write = v3_world_probe_write, .port_in = op_port_in, .port_out = op_port_out,
	.vec_get = v3_world_vec_get, .vec_set = v3_world_vec_set,
};

static void regs_fill(struct v3_vcpu *vcpu, const struct v3_world *world, struct v3_emul_regs *regs)
{
	struct v3_segment seg;
	unsigned int i;

	regs->gpr = vcpu->gpr;
	regs->rip = vcpu->rip;
	regs->rflags = vcpu->rflags;
	regs->cr0 = world->env.walk.cr0;
	regs->cr4 = world->env.walk.cr4;
	regs->efer = world->env.walk.efer;
	regs->xcr0 = vcpu->xcr0;
	regs->cpl = world->env.cpl;
	for (i = 0; i < 6; i++) {
		vcpu->vm->arch->get_segment(vcpu, (enum v3_seg)i, &seg);
		regs->seg[i] = (struct v3_emul_seg){ seg.selector, seg.attrib, seg.limit,
						     seg.base };
	}
}

/*
 * Another vCPU may have put this instruction there after the exit, a breakpoint for example, and it
 * may have nothing to do with a device. So the guest executes it itself, and if the very next exit
 * of the kind is at the same one, it has. Interrupts may come in between.
 */
static bool exited_before(struct v3_vcpu *vcpu, enum v3_exit_kind kind, const struct v3_insn *insn,
			  const uint8_t *bytes)
{
	uint64_t exit = vcpu->stats.exits[kind];
	bool before = vcpu->unemulated.rip == vcpu->rip && vcpu->unemulated.exit + 1 == exit &&
		      memcmp(vcpu->unemulated.bytes, bytes, insn->length) == 0;

	vcpu->unemulated.rip = vcpu->rip;
	vcpu->unemulated.exit = exit;
	memcpy(vcpu->unemulated.bytes, bytes, insn->length);
	return before;
}

void v3_emulate_lacks(struct v3_vcpu *vcpu, const struct v3_insn *insn, const uint8_t *bytes)
{
	char hex[3 * 15 + 1];
	static const char digits[] = "0123456789abcdef";
	unsigned int i;

	if (vcpu->vm->unemulated_ud) {
		v3_vcpu_ud(vcpu);
		return;
	}
	for (i = 0; i < insn->length; i++) {
		hex[3 * i] = digits[bytes[i] >> 4];
		hex[3 * i + 1] = digits[bytes[i] & 15];
		hex[3 * i + 2] = ' ';
	}
	hex[3 * i - 1] = 0;
	v3_vm_end(vcpu->vm, V3_END_CRASH, 0,
		  "vCPU %u: no emulation for instruction %s at RIP 0x%llx", vcpu->index, hex,
		  (unsigned long long)vcpu->rip);
}

void v3_emulate_fault(struct v3_vcpu *vcpu, const struct v3_emul_fault *fault)
{
	if (fault->vector == V3_EXCP_PF)
		v3_vcpu_page_fault(vcpu, fault->cr2, fault->error_code);
	else
		v3_vcpu_exception(vcpu, fault->vector, fault->has_error, fault->error_code);
}

void v3_emulate(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	struct v3_world world = { .vcpu = vcpu, .exit = exit };
	bool steps = vcpu->rflags & V3_RFLAGS_TF;
	struct v3_emul_regs regs;
	struct v3_emul_ctx ctx = { .regs = &regs, .ops = &world_ops, .opaque = &world,
				   .rep_budget = steps ? 1 : REP_BUDGET };
	struct v3_insn insn;
	uint8_t bytes[V3_INSN_BUFFER];
	enum v3_emul_result result;

	vcpu->vm->arch->insn_env(vcpu, &world.env);
	if (!v3_insn_get(vcpu, &world.env, &insn, bytes))
		return;
	regs_fill(vcpu, &world, &regs);
	result = v3_emul_step(&ctx, &insn);
	if (result == V3_EMUL_UNHANDLED) {
		if (exited_before(vcpu, exit->kind, &insn, bytes))
			v3_emulate_lacks(vcpu, &insn, bytes);
		return;
	}
	/* Finished iterations of a string instruction stay done, whatever came after them. */
	vcpu->rflags = regs.rflags;
	vcpu->rip = regs.rip;
	/* A single step is one iteration (SDM 3B 18.3.1.4). */
	if (result == V3_EMUL_OK ||
	    (result == V3_EMUL_AGAIN && steps && insn.flags & (V3_INSN_REP | V3_INSN_REPNE)))
		v3_vcpu_insn_done(vcpu);
	else if (result == V3_EMUL_FAULT)
		v3_emulate_fault(vcpu, &ctx.fault);
}

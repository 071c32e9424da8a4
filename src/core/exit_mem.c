/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports, MMIO and other nested faults. */
#include "core/vm.h"

#include "emul/emul.h"
#include "lib/bits.h"
#include "x86/pte.h"

/* AL, AX or EAX of IN; a 32-bit result clears the upper half (APM1 3.1.2). */
static void rax_merge(struct v3_vcpu *vcpu, uint32_t value, unsigned int size)
{
	if (size == 4)
		vcpu->gpr[0] = value;
	else if (size == 2)
		vcpu->gpr[0] = (vcpu->gpr[0] & ~0xffffull) | (value & 0xffff);
	else
		vcpu->gpr[0] = (vcpu->gpr[0] & ~0xffull) | (value & 0xff);
}

void v3_exit_io(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	if (exit->io.string) {
		v3_emulate(vcpu, exit);
		return;
	}
	if (exit->io.in)
		rax_merge(vcpu, v3_io_in(vcpu, exit->io.port, exit->io.size), exit->io.size);
	else
		v3_io_out(vcpu, exit->io.port, exit->io.size, (uint32_t)vcpu->gpr[0]);
	vcpu->rip = exit->io.next_rip;
	v3_vcpu_insn_done(vcpu);
}

static inline bool in_hook(const struct v3_mmio_hook *hook, v3_gpa_t gpa)
{
	return hook && gpa - hook->gpa < hook->size;
}

/*
 * A plain load or store of a device: the hardware has translated the address and checked
 * everything, so the guest-physical address of the fault and the register file are enough.
 */
static void mmio_plain(struct v3_vcpu *vcpu, const struct v3_emul_simple *op, v3_gpa_t gpa)
{
	if (op->write)
		v3_mmio_write(vcpu, gpa, op->size, v3_emul_simple_value(vcpu->gpr, op));
	else
		v3_emul_simple_commit(vcpu->gpr, op, v3_mmio_read(vcpu, gpa, op->size));
}

/* The commonest of them: 32 bits of a register to the device of the access before. */
static inline bool mmio_store(struct v3_vcpu *vcpu, const struct v3_emul_simple *op, v3_gpa_t gpa)
{
	const struct v3_mmio_hook *hook = vcpu->last_mmio;

	if (!op->write || op->size != 4 || !in_hook(hook, gpa) || !hook->ops->write)
		return false;
	/* Devices have whole pages, and the operand is on one. */
	hook->ops->write(vcpu, hook->ctx, gpa - hook->gpa, 4,
			 op->is_imm ? op->imm : (uint32_t)vcpu->gpr[op->reg]);
	return true;
}

/*
 * Whether the fault's address is the operand's. At the start of a page it need not be: an operand
 * that begins in the page before faults there, too.
 */
static inline bool is_whole_operand(v3_gpa_t gpa, unsigned int size)
{
	unsigned int offset = gpa & V3_PAGE_MASK;

	return size == 1 || (offset && offset + size <= V3_PAGE_SIZE);
}

/*
 * Whether what the hardware found out about the exit's access is enough for this one. Not for a
 * store where a load exited: another vCPU has put it there since, and the page may be read-only for
 * this code.
 */
static inline bool is_checked(const struct v3_exit *exit, const struct v3_emul_simple *op)
{
	return is_whole_operand(exit->npf.gpa, op->size) && (!op->write || exit->npf.write);
}

/* Anything but the commonest forms: decode it, and emulate it if it is no plain access. */
static V3_NOINLINE void mmio_decoded(struct v3_vcpu *vcpu, const struct v3_exit *exit,
				     const struct v3_insn_env *env)
{
	uint8_t bytes[V3_INSN_BUFFER];
	struct v3_emul_simple op;
	struct v3_insn insn;

	if (!v3_insn_get(vcpu, env, &insn, bytes))
		return;
	if (!v3_emul_simple_mmio(&insn, &op) || !is_checked(exit, &op)) {
		v3_emulate(vcpu, exit);
		return;
	}
	mmio_plain(vcpu, &op, exit->npf.gpa);
	v3_vcpu_skip(vcpu, insn.length);
}

static void mmio(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	struct v3_insn_env env V3_FILLED_BELOW;
	const struct v3_insn_plain *plain;

	vcpu->vm->arch->insn_env(vcpu, &env);
	plain = v3_insn_plain(vcpu, &env);
	if (!plain || !is_checked(exit, &plain->op)) {
		mmio_decoded(vcpu, exit, &env);
		return;
	}
	if (!mmio_store(vcpu, &plain->op, exit->npf.gpa))
		mmio_plain(vcpu, &plain->op, exit->npf.gpa);
	v3_vcpu_skip(vcpu, plain->length);
}

/* A nested fault that no emulation of the instruction at RIP can serve. */
static bool needs_memory(const struct v3_exit *exit)
{
	return exit->npf.walk || exit->npf.fetch || exit->npf.delivery;
}

static void no_memory(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	const char *what = exit->npf.delivery ? "an interrupt or exception is delivered through" :
			   exit->npf.walk     ? "page table at" : "executes at";

	v3_vm_end(vcpu->vm, V3_END_CRASH, 0,
		  "vCPU %u: %s guest-physical 0x%llx, where no memory is, RIP 0x%llx",
		  vcpu->index, what, (unsigned long long)exit->npf.gpa,
		  (unsigned long long)vcpu->rip);
}

void v3_exit_nested_fault(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	v3_gpa_t gpa = exit->npf.gpa;

	/* Guests poll: most faults are for the device of the fault before. */
	if (in_hook(vcpu->last_mmio, gpa) && !needs_memory(exit)) {
		mmio(vcpu, exit);
		return;
	}
	if (v3_memory_ptr(vcpu->vm, gpa, 1)) {
		/*
		 * Tables are complete, so this is a stale translation: the next access walks anew.
		 */
		v3_stat_add(&vcpu->stats.ram_faults, 1);
		vcpu->vm->arch->flush_tlb(vcpu);
	} else if (needs_memory(exit)) {
		no_memory(vcpu, exit);
	} else {
		mmio(vcpu, exit);
	}
}

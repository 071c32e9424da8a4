/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86 instruction emulator: executes one decoded instruction on a register file, with memory,
 * ports and vector registers behind an ops table.
 *
 * Pure code without state of its own: everything lives in the caller's v3_emul_ctx, so any
 * number of vCPUs may emulate at once, each with its own context.
 */
#ifndef V3_EMUL_EMUL_H
#define V3_EMUL_EMUL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "x86/cr.h"
#include "x86/seg.h"

#include "decode.h"

enum v3_emul_result {
	V3_EMUL_OK = 0,		/**< executed: registers, flags and RIP are updated */
	V3_EMUL_FAULT,		/**< raises ctx->fault; RIP is unchanged, see v3_emul_step() */
	V3_EMUL_AGAIN,		/**< budget used up: RIP unchanged, call again to go on */
	V3_EMUL_UNHANDLED,	/**< not an instruction this emulator has; nothing changed */
	V3_EMUL_STOP,		/**< an op could not do it for the host's reasons */
};

/** A guest-visible exception. */
struct v3_emul_fault {
	uint8_t vector;
	bool has_error;		/**< error_code is pushed */
	uint32_t error_code;
	uint64_t cr2;		/**< for vector 14 */
};

struct v3_emul_seg {
	uint16_t selector;
	uint16_t attrib;	/**< VMCB format, V3_SEG_* of x86/seg.h; P clear: unusable */
	uint32_t limit;		/**< in bytes: already scaled by G, as in the VMCB */
	uint64_t base;
};

/**
 * The register file. The caller fills it from the VMCB or VMCS and writes back gpr, rip and
 * rflags afterwards; the emulator changes nothing else.
 */
struct v3_emul_regs {
	uint64_t *gpr;		/**< 16 registers in hardware order: rax rcx rdx rbx rsp ... */
	uint64_t rip;
	uint64_t rflags;
	uint64_t cr0;
	uint64_t cr4;
	uint64_t efer;
	uint64_t xcr0;		/**< counts with CR4.OSXSAVE */
	struct v3_emul_seg seg[6];	/**< indexed by enum v3_seg */
	uint8_t cpl;
};

/** Bits of the `access` argument of the memory ops. */
#define V3_EMUL_ACCESS_WRITE	0x1u	/**< check as for a write: a read that a write follows */
#define V3_EMUL_ACCESS_STACK	0x2u	/**< PUSH, POP, CALL: not the explicit operand */
#define V3_EMUL_ACCESS_SYSTEM	0x4u	/**< descriptor tables: supervisor access at any CPL */

/**
 * The world outside of the registers.
 *
 * Every op but vec_get returns V3_EMUL_OK, V3_EMUL_FAULT after filling *fault, or
 * V3_EMUL_STOP, which ends the step as if the instruction (or this iteration of a string
 * instruction) had not begun. `linear` is canonical in 64-bit mode and below 4 GiB otherwise,
 * and linear + size does not wrap. It may cross a page, and the op must then check all of it
 * before it changes any of it. Sizes: 1, 2, 4, 8, 16, 32. Integers are little endian in `buf`.
 * Paging (user/supervisor by CPL, write protection, SMAP) is the op's business.
 */
struct v3_emul_ops {
	enum v3_emul_result (*read)(void *opaque, uint64_t linear, void *buf, uint32_t size,
				    uint32_t access, struct v3_emul_fault *fault);
	enum v3_emul_result (*write)(void *opaque, uint64_t linear, const void *buf,
				     uint32_t size, uint32_t access,
				     struct v3_emul_fault *fault);
	/**
	 * Atomic where memory is RAM, or V3_EMUL_STOP: if the `size` (1, 2, 4, 8, 16) bytes at
	 * linear equal *expected, store *desired and set *swapped; else copy what is there to
	 * *expected and clear *swapped. A locked ADD and the like reads first and then calls this,
	 * so a device sees two reads and a write.
	 */
	enum v3_emul_result (*cmpxchg)(void *opaque, uint64_t linear, void *expected,
				       const void *desired, uint32_t size, bool *swapped,
				       struct v3_emul_fault *fault);
	/** Check that a write would not fault, without touching data (INS asks before it
	 *  reads the port). */
	enum v3_emul_result (*probe_write)(void *opaque, uint64_t linear, uint32_t size,
					   struct v3_emul_fault *fault);
	/**
	 * Ports; size 1, 2, 4. The op also checks the I/O permission bitmap when
	 * CPL > IOPL (the emulator has no TSS) and returns #GP(0) as a fault.
	 */
	enum v3_emul_result (*port_in)(void *opaque, uint16_t port, uint32_t *value,
				       uint32_t size, struct v3_emul_fault *fault);
	enum v3_emul_result (*port_out)(void *opaque, uint16_t port, uint32_t value,
					uint32_t size, struct v3_emul_fault *fault);
	/**
	 * Vector registers 0..15, low 4, 8, 16 or 32 bytes. vec_set with zero_upper clears
	 * everything above `size` (VEX), without it the rest stays (legacy SSE). Both may be
	 * NULL: vector instructions are then V3_EMUL_UNHANDLED.
	 */
	enum v3_emul_result (*vec_get)(void *opaque, uint32_t reg, void *buf, uint32_t size);
	enum v3_emul_result (*vec_set)(void *opaque, uint32_t reg, const void *buf,
				       uint32_t size, bool zero_upper);
};

struct v3_emul_ctx {
	struct v3_emul_regs *regs;
	const struct v3_emul_ops *ops;
	void *opaque;			/**< first argument of every op */
	uint32_t rep_budget;		/**< most iterations of a REP per call; 0 means 1 */
	struct v3_emul_fault fault;	/**< valid after V3_EMUL_FAULT */
};

/**
 * Execute one instruction that v3_decode() accepted for v3_emul_mode(ctx->regs).
 *
 * V3_EMUL_OK: RIP is past the instruction (or at the branch target) and RFLAGS.RF is clear.
 * Interrupt shadow and single-step (RFLAGS.TF) are the caller's. On any other result RIP is
 * unchanged, and so is all else, except that the finished iterations of a REP string
 * instruction stay done (RCX, RSI and RDI say how far it got), as on the CPU.
 *
 * Context: wherever the ops may be called. No locks of its own.
 */
enum v3_emul_result v3_emul_step(struct v3_emul_ctx *ctx, const struct v3_insn *insn);

/** The decoder mode that CS and EFER select. */
static inline enum v3_insn_mode v3_emul_mode(const struct v3_emul_regs *regs)
{
	uint16_t cs = regs->seg[V3_SEG_CS].attrib;

	if ((regs->efer & V3_EFER_LMA) && (cs & V3_SEG_L))
		return V3_INSN_MODE_64;
	return cs & V3_SEG_DB ? V3_INSN_MODE_32 : V3_INSN_MODE_16;
}

/*
 * The MMIO fast path. The hardware has already translated the address and checked all that
 * could fault, so a plain load or store needs the register file only.
 */

/** A plain load or store of one memory operand. */
struct v3_emul_simple {
	uint64_t imm;		/**< value of an immediate store, already cut to size */
	uint8_t size;		/**< bytes of memory accessed: 1, 2, 4, 8 */
	uint8_t reg_size;	/**< loads: bytes of the destination register */
	uint8_t reg;		/**< GPR number */
	bool write;		/**< store to memory */
	bool is_imm;		/**< store: of imm, not of reg */
	bool high_byte;		/**< reg is AH, CH, DH, BH: bits 15:8 of `reg` */
	bool sign_extend;	/**< load: MOVSX, MOVSXD */
};

/**
 * True if `insn` is MOV 88/89/8A/8B/A0-A3/C6/C7, MOVZX, MOVSX or MOVSXD with a memory
 * operand; *out then describes it. False for anything else (use v3_emul_step()).
 */
bool v3_emul_simple_mmio(const struct v3_insn *insn, struct v3_emul_simple *out);

/**
 * Tries the commonest forms without decoding: 64-bit mode, at most a REX prefix, MOV 89, 8B and C7
 * /0 with 4 or 8 bytes of memory. Fills *op as v3_emul_simple_mmio() would.
 *
 * @param bytes  all 15 bytes of an instruction, whatever its length.
 * @return its length, or 0: use v3_decode().
 */
unsigned int v3_emul_quick_mmio(const uint8_t bytes[V3_INSN_MAX_LEN], struct v3_emul_simple *op);

/** The value a store writes; only the low desc->size bytes are non-zero. */
uint64_t v3_emul_simple_value(const uint64_t *gpr, const struct v3_emul_simple *desc);

/** Put a loaded value (its low desc->size bytes count) into the destination register. */
void v3_emul_simple_commit(uint64_t *gpr, const struct v3_emul_simple *desc, uint64_t value);

#endif /* V3_EMUL_EMUL_H */

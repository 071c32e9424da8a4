/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86 instruction decoder: prefixes, opcode map, ModRM/SIB, displacement, immediates, length.
 *
 * Pure code: it looks at the bytes it is given and nothing else. An instruction that the
 * decoder accepts has the length the CPU gives it; one it calls invalid raises #UD on every
 * CPU or is unknown to it (see README.md for what it does not check).
 */
#ifndef V3_EMUL_DECODE_H
#define V3_EMUL_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <v3/types.h>	/* enum v3_seg */

/** Longest instruction the CPU accepts; a longer one raises #GP(0) (APM3 1.1). */
#define V3_INSN_MAX_LEN 15u

/** Default operand and address size of the code segment. */
enum v3_insn_mode {
	V3_INSN_MODE_16 = 0,	/**< real mode, virtual-8086 mode, or CS.D = 0 */
	V3_INSN_MODE_32 = 1,	/**< CS.D = 1, not 64-bit mode */
	V3_INSN_MODE_64 = 2,	/**< EFER.LMA = 1 and CS.L = 1 */
};

enum v3_decode_status {
	V3_DECODE_OK = 0,
	V3_DECODE_TRUNCATED,	/**< the instruction does not end within the bytes given */
	V3_DECODE_INVALID,	/**< raises #UD */
	V3_DECODE_TOO_LONG,	/**< more than 15 bytes: raises #GP(0) */
};

/** Opcode map. VEX and EVEX use the first four numbers too; XOP has its own. */
enum v3_insn_map {
	V3_MAP_ONE = 0,		/**< one-byte opcodes */
	V3_MAP_0F = 1,
	V3_MAP_0F38 = 2,
	V3_MAP_0F3A = 3,
	V3_MAP_EVEX5 = 5,	/**< EVEX only (FP16) */
	V3_MAP_EVEX6 = 6,	/**< EVEX only (FP16) */
	V3_MAP_XOP8 = 8,
	V3_MAP_XOP9 = 9,
	V3_MAP_XOPA = 10,
	V3_MAP_3DNOW = 11,	/**< 0F 0F; opcode is the suffix byte */
};

/** Bits of v3_insn.flags. */
#define V3_INSN_LOCK		0x0001u	/**< LOCK prefix (then valid for this instruction) */
#define V3_INSN_REP		0x0002u	/**< F3 is the last of F2/F3: REP, REPE, XRELEASE */
#define V3_INSN_REPNE		0x0004u	/**< F2 is the last of F2/F3: REPNE, XACQUIRE */
#define V3_INSN_OPSIZE		0x0008u	/**< 66 prefix seen */
#define V3_INSN_ADDRSIZE	0x0010u	/**< 67 prefix seen */
#define V3_INSN_SEG_OVERRIDE	0x0020u	/**< a segment prefix that counts in this mode */
#define V3_INSN_REX		0x0040u	/**< REX prefix: byte registers 4..7 are SPL..DIL */
#define V3_INSN_VEX		0x0080u	/**< two- or three-byte VEX */
#define V3_INSN_EVEX		0x0100u
#define V3_INSN_XOP		0x0200u
#define V3_INSN_MODRM		0x0400u	/**< has a ModRM byte */
#define V3_INSN_MEM		0x0800u	/**< ModRM or moffs: a memory operand (LEA, NOP too) */
#define V3_INSN_RIP_REL		0x1000u	/**< memory operand is relative to the next instruction */
#define V3_INSN_MOFFS		0x2000u	/**< A0..A3: disp is the whole offset */
#define V3_INSN_BYTE_OP		0x4000u	/**< opcode works on bytes: opsize is 1 */
#define V3_INSN_REL		0x8000u	/**< imm is a branch displacement */

#define V3_INSN_NO_REG 0xffu

/** One decoded instruction. Every field is set when v3_decode() returns V3_DECODE_OK. */
struct v3_insn {
	uint64_t imm;		/**< immediate, sign-extended from imm_size; 0 if none */
	int64_t disp;		/**< displacement, sign-extended (EVEX: not scaled); moffs
				 *   zero-extended; 0 if none */
	uint16_t flags;		/**< V3_INSN_* */
	uint16_t imm2;		/**< selector of a far pointer, second immediate of ENTER, EXTRQ */
	uint8_t length;		/**< 1..15 */
	uint8_t mode;		/**< enum v3_insn_mode it was decoded for */
	uint8_t map;		/**< enum v3_insn_map */
	uint8_t opcode;
	uint8_t opsize;		/**< operand size in bytes: 1, 2, 4, 8; of vector instructions the
				 *   size of a general register. Ports see at most 4. */
	uint8_t addrsize;	/**< address size in bytes: 2, 4, 8 */
	uint8_t seg;		/**< enum v3_seg of the memory operand: override or default */
	uint8_t rex;		/**< W R X B as bits 3 2 1 0, from REX, VEX, EVEX or XOP */
	uint8_t mod;		/**< ModRM.mod, 3 = register operand */
	uint8_t reg;		/**< ModRM.reg with its extension bit: 0..15 */
	uint8_t rm;		/**< ModRM.rm with its extension bit (register form): 0..15 */
	uint8_t base;		/**< GPR number or V3_INSN_NO_REG */
	uint8_t index;		/**< GPR (VSIB: vector register) number or V3_INSN_NO_REG */
	uint8_t scale;		/**< shift count 0..3 */
	uint8_t vvvv;		/**< VEX.vvvv as a register number (not inverted); 0 without VEX */
	uint8_t vl;		/**< vector length: 0 = 128 bits (or scalar), 1 = 256, 2 = 512 */
	uint8_t pp;		/**< 0 none, 1 = 66, 2 = F3, 3 = F2: from VEX or legacy prefixes */
	uint8_t imm_size;	/**< bytes of imm in the instruction: 0, 1, 2, 4, 8 */
	uint8_t disp_size;	/**< bytes of disp in the instruction: 0, 1, 2, 4, 8 */
};

/**
 * Decode one instruction.
 *
 * @param bytes  instruction bytes; reads at most min(avail, 15) of them.
 * @param avail  how many there are (0 gives V3_DECODE_TRUNCATED).
 * @param out    filled on V3_DECODE_OK, indeterminate otherwise.
 *
 * Any context, no locks. A truncated instruction may be reported as invalid as soon as the
 * bytes seen so far decide that.
 */
enum v3_decode_status v3_decode(const uint8_t *bytes, size_t avail, enum v3_insn_mode mode,
				struct v3_insn *out);

/**
 * Length of the instruction at `bytes` in bytes (1..15), or 0 if v3_decode() does not accept
 * it: for intercepts on CPUs that do not save the next RIP.
 */
static inline unsigned int v3_insn_len(const uint8_t *bytes, size_t avail, enum v3_insn_mode mode)
{
	struct v3_insn insn;

	return v3_decode(bytes, avail, mode, &insn) == V3_DECODE_OK ? insn.length : 0;
}

static inline bool v3_insn_is(const struct v3_insn *insn, enum v3_insn_map map, uint8_t opcode)
{
	return insn->map == map && insn->opcode == opcode;
}

#endif /* V3_EMUL_DECODE_H */

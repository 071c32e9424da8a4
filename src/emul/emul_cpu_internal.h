/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of v3_emul_cpu_step() share. */
#ifndef V3_EMUL_EMUL_CPU_INTERNAL_H
#define V3_EMUL_EMUL_CPU_INTERNAL_H

#include "emul_cpu.h"
#include "emul_internal.h"

#define V3_RAX 0
#define V3_RCX 1
#define V3_RDX 2
#define V3_RBX 3
#define V3_RSP 4
#define V3_RBP 5

/* Returns from the calling function what is not V3_EMUL_OK. */
#define V3_TRY(call) do { \
	enum v3_emul_result res_ = (call); \
	if (res_ != V3_EMUL_OK) \
		return res_; \
} while (0)

/* The stack at *sp, which the caller commits with v3_stack_set() when all went well. */
uint64_t v3_stack_get(const struct v3_emu *e);
void v3_stack_set(struct v3_emu *e, uint64_t sp);
enum v3_emul_result v3_stack_push(struct v3_emu *e, uint64_t *sp, uint32_t size, uint64_t value);
enum v3_emul_result v3_stack_pop(struct v3_emu *e, uint64_t *sp, uint32_t size, uint64_t *value);

/* A near branch: checks the limit of CS, sets next_rip. */
enum v3_emul_result v3_emu_jump(struct v3_emu *e, uint64_t target);

/* emul_seg.c. Loads a segment register but CS. */
enum v3_emul_result v3_emu_load_seg(struct v3_emu *e, struct v3_emul_cpu *cpu, uint8_t reg,
				    uint16_t selector);
/* What CS becomes by a far transfer to selector:offset; nothing is changed but the accessed bit. */
enum v3_far {
	V3_FAR_JUMP,		/* CALL, too */
	V3_FAR_RETURN,		/* RET, IRET */
};
enum v3_emul_result v3_emu_far_target(struct v3_emu *e, struct v3_emul_cpu *cpu, enum v3_far how,
				      uint16_t selector, uint64_t offset, struct v3_emul_seg *cs);

/* Families. Each returns V3_EMUL_UNHANDLED, with nothing done, for what is not its own. */
enum v3_emul_result v3_emu_far(struct v3_emu *e, struct v3_emul_cpu *cpu);
enum v3_emul_result v3_emu_system(struct v3_emu *e, struct v3_emul_cpu *cpu);
enum v3_emul_result v3_emu_flow(struct v3_emu *e);
enum v3_emul_result v3_emu_misc(struct v3_emu *e);
enum v3_emul_result v3_emu_flags(struct v3_emu *e, struct v3_emul_cpu *cpu);

#endif /* V3_EMUL_EMUL_CPU_INTERNAL_H */

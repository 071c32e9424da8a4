/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the emulator's users in the core share: emulate.c, for an instruction that the hardware gave
 * back, and emulate_cpu.c, for code that it cannot run.
 */
#ifndef V3_CORE_EMULATE_H
#define V3_CORE_EMULATE_H

#include "core/vm.h"
#include "emul/emul.h"

/* `opaque` of the emulator's ops. */
struct v3_world {
	struct v3_vcpu *vcpu;
	const struct v3_exit *exit;	/* the exit of emulate.c; allows ports */
	struct v3_insn_env env;
};

/* A linear range in at most two pages. */
struct v3_span {
	v3_gpa_t gpa[2];
	uint32_t len[2];
};

/* access: V3_WALK_*. V3_EMUL_STOP: the VM has ended. */
enum v3_emul_result v3_world_walk(struct v3_world *world, uint64_t linear, uint32_t size,
				  unsigned int access, struct v3_span *span,
				  struct v3_emul_fault *fault);

/* Ops for guest memory and devices, and for vector registers. */
enum v3_emul_result v3_world_read(void *opaque, uint64_t linear, void *buf, uint32_t size,
				  uint32_t access, struct v3_emul_fault *fault);
enum v3_emul_result v3_world_write(void *opaque, uint64_t linear, const void *buf, uint32_t size,
				   uint32_t access, struct v3_emul_fault *fault);
enum v3_emul_result v3_world_probe_write(void *opaque, uint64_t linear, uint32_t size,
					 struct v3_emul_fault *fault);
enum v3_emul_result v3_world_vec_get(void *opaque, uint32_t reg, void *buf, uint32_t size);
enum v3_emul_result v3_world_vec_set(void *opaque, uint32_t reg, const void *buf, uint32_t size,
				     bool zero_upper);

/* #UD, or the end of the VM with the bytes that cannot be emulated, as its configuration says. */
void v3_emulate_lacks(struct v3_vcpu *vcpu, const struct v3_insn *insn, const uint8_t *bytes);
/* Queues the exception. */
void v3_emulate_fault(struct v3_vcpu *vcpu, const struct v3_emul_fault *fault);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small machine for emulator tests: 128 KiB of memory at linear address 0, everything else
 * page-faults, one port, vector registers, and ops that can be told to fail.
 */
#ifndef V3_TEST_WORLD_H
#define V3_TEST_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emul/emul.h"

#define WORLD_MEM 0x20000u
#define WORLD_RIP 0x1234u

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

struct world {
	uint64_t gpr[16];
	struct v3_emul_regs regs;
	struct v3_emul_ctx ctx;
	struct v3_insn insn;		/* of the last world_run() */
	uint8_t mem[WORLD_MEM];
	uint8_t vec[16][32];

	uint16_t port;			/* of the last port access */
	uint32_t port_size, port_value, port_reads, port_writes;

	uint32_t ops, reads, writes;	/* how many so far */
	uint32_t fail_at;		/* this op (from 1) fails; 0: none */
	enum v3_emul_result fail_with;
	uint32_t contended;		/* so many CMPXCHGs find that memory has changed */
	uint32_t last_access;		/* access bits of the last read or write */
	bool wrap;			/* every address is memory, modulo its size */
};

/* Flat segments, paging on, CPL 0, all registers and memory 0, RSP at the top of memory. */
void world_init(struct world *w, enum v3_insn_mode mode);

/* Real mode: PE clear, 64 KiB segments with base 0. */
void world_real_mode(struct world *w);

/* Decode the bytes (which must be valid) and emulate them once at WORLD_RIP. */
enum v3_emul_result world_run_bytes(struct world *w, const uint8_t *bytes, size_t len);
#define world_run(w, ...) \
	world_run_bytes(w, (const uint8_t[]){ __VA_ARGS__ }, \
			sizeof((const uint8_t[]){ __VA_ARGS__ }))

uint64_t world_get(const struct world *w, uint32_t linear, uint32_t size);
void world_put(struct world *w, uint32_t linear, uint32_t size, uint64_t value);

/* The instruction must raise this fault and change no register and no memory. */
#define assert_fault(w, vec, err, ...) do { \
	struct world *before_ = world_copy(w); \
	assert_int_equal(world_run(w, __VA_ARGS__), V3_EMUL_FAULT); \
	assert_int_equal((w)->ctx.fault.vector, (vec)); \
	assert_int_equal((w)->ctx.fault.error_code, (err)); \
	world_assert_unchanged(before_, w); \
} while (0)

/* One static copy; valid until the next call. */
struct world *world_copy(const struct world *w);
void world_assert_unchanged(const struct world *before, const struct world *w);

#endif /* V3_TEST_WORLD_H */

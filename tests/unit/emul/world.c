/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"
#include "x86/excp.h"

static struct v3_emul_fault page_fault(const struct world *w, uint64_t linear, bool write)
{
	return (struct v3_emul_fault){
		.vector = V3_EXCP_PF, .has_error = true, .cr2 = linear,
		.error_code = (write ? 2u : 0u) | (w->regs.cpl == 3 ? 4u : 0u),
	};
}

/* Count the op and say whether it is the one to fail. */
static bool fails(struct world *w, struct v3_emul_fault *fault)
{
	if (++w->ops != w->fail_at)
		return false;
	if (w->fail_with == V3_EMUL_FAULT)
		*fault = page_fault(w, 0xbad, false);
	return true;
}

/* Copy between memory and buf; NULL memory means a page fault. */
static enum v3_emul_result access(struct world *w, uint64_t linear, void *to, const void *from,
				  uint32_t size, bool write, struct v3_emul_fault *fault)
{
	assert_true(size == 1 || size == 2 || size == 4 || size == 8 || size == 16 || size == 32);
	assert_true(linear + size - 1 >= linear);
	if (fails(w, fault))
		return w->fail_with;
	for (uint32_t i = 0; i < size && !w->wrap; i++) {
		if (linear + i >= WORLD_MEM) {
			*fault = page_fault(w, linear + i, write);
			return V3_EMUL_FAULT;
		}
	}
	for (uint32_t i = 0; i < size; i++) {
		if (to)
			((uint8_t *)to)[i] = w->mem[(linear + i) % WORLD_MEM];
		else if (from)
			w->mem[(linear + i) % WORLD_MEM] = ((const uint8_t *)from)[i];
	}
	return V3_EMUL_OK;
}

static enum v3_emul_result op_read(void *opaque, uint64_t linear, void *buf, uint32_t size,
				   uint32_t how, struct v3_emul_fault *fault)
{
	struct world *w = opaque;

	w->reads++;
	w->last_access = how;
	return access(w, linear, buf, NULL, size, how & V3_EMUL_ACCESS_WRITE, fault);
}

static enum v3_emul_result op_write(void *opaque, uint64_t linear, const void *buf, uint32_t size,
				    uint32_t how, struct v3_emul_fault *fault)
{
	struct world *w = opaque;

	assert_true(how & V3_EMUL_ACCESS_WRITE);
	w->writes++;
	w->last_access = how;
	return access(w, linear, NULL, buf, size, true, fault);
}

static enum v3_emul_result op_cmpxchg(void *opaque, uint64_t linear, void *expected,
				      const void *desired, uint32_t size, bool *swapped,
				      struct v3_emul_fault *fault)
{
	struct world *w = opaque;
	uint8_t actual[16];
	enum v3_emul_result res;

	assert_true(size <= 16);
	res = access(w, linear, actual, NULL, size, true, fault);
	if (res != V3_EMUL_OK)
		return res;
	if (w->contended) {	/* somebody else adds one to the first byte */
		w->contended--;
		w->mem[linear % WORLD_MEM]++;
		actual[0]++;
	}
	*swapped = memcmp(actual, expected, size) == 0;
	if (!*swapped) {
		memcpy(expected, actual, size);
		return V3_EMUL_OK;
	}
	for (uint32_t i = 0; i < size; i++)
		w->mem[(linear + i) % WORLD_MEM] = ((const uint8_t *)desired)[i];
	return V3_EMUL_OK;
}

static enum v3_emul_result op_probe(void *opaque, uint64_t linear, uint32_t size,
				    struct v3_emul_fault *fault)
{
	return access(opaque, linear, NULL, NULL, size, true, fault);
}

static enum v3_emul_result op_in(void *opaque, uint16_t port, uint32_t *value, uint32_t size,
				 struct v3_emul_fault *fault)
{
	struct world *w = opaque;

	assert_true(size == 1 || size == 2 || size == 4);
	if (fails(w, fault))
		return w->fail_with;
	w->port = port;
	w->port_size = size;
	w->port_reads++;
	*value = w->port_value++;
	return V3_EMUL_OK;
}

static enum v3_emul_result op_out(void *opaque, uint16_t port, uint32_t value, uint32_t size,
				  struct v3_emul_fault *fault)
{
	struct world *w = opaque;

	assert_true(size == 4 || (size && size <= 2 && value >> size * 8 == 0));
	if (fails(w, fault))
		return w->fail_with;
	w->port = port;
	w->port_size = size;
	w->port_writes++;
	w->port_value = value;
	return V3_EMUL_OK;
}

static enum v3_emul_result op_vec_get(void *opaque, uint32_t reg, void *buf, uint32_t size)
{
	struct world *w = opaque;

	assert_true(reg < 16 && size <= 32);
	memcpy(buf, w->vec[reg], size);
	return V3_EMUL_OK;
}

static enum v3_emul_result op_vec_set(void *opaque, uint32_t reg, const void *buf, uint32_t size,
				      bool zero_upper)
{
	struct world *w = opaque;

	assert_true(reg < 16 && size <= 32);
	memcpy(w->vec[reg], buf, size);
	if (zero_upper)
		memset(w->vec[reg] + size, 0, 32 - size);
	return V3_EMUL_OK;
}

static const struct v3_emul_ops ops = {
	.read = op_read, .write = op_write, .cmpxchg = op_cmpxchg, .probe_write = op_probe,
	.port_in = op_in, .port_out = op_out, .vec_get = op_vec_get, .vec_set = op_vec_set,
};

void world_init(struct world *w, enum v3_insn_mode mode)
{
	memset(w, 0, sizeof(*w));
	w->regs = (struct v3_emul_regs){
		.gpr = w->gpr, .rip = WORLD_RIP, .rflags = V3_RFLAGS_FIXED1,
		.cr0 = V3_CR0_PE | V3_CR0_PG, .cr4 = V3_CR4_OSFXSR | V3_CR4_OSXSAVE,
		.efer = V3_EFER_LMA | V3_EFER_LME,
		.xcr0 = V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX,
	};
	for (int i = 0; i < 6; i++) {
		w->regs.seg[i] = (struct v3_emul_seg){
			.selector = 0x18, .attrib = V3_SEG_ATTR_DATA32, .limit = 0xffffffff,
		};
	}
	w->regs.seg[V3_SEG_CS].selector = 0x10;
	w->regs.seg[V3_SEG_CS].attrib = mode == V3_INSN_MODE_64 ? V3_SEG_ATTR_CODE64 :
		mode == V3_INSN_MODE_32 ? V3_SEG_ATTR_CODE32 : V3_SEG_ATTR_CODE16;
	if (mode == V3_INSN_MODE_16)
		w->regs.seg[V3_SEG_SS].attrib = V3_SEG_ATTR_DATA16;
	w->gpr[RSP] = mode == V3_INSN_MODE_16 ? 0xf000 : WORLD_MEM - 0x100;
	w->ctx = (struct v3_emul_ctx){
		.regs = &w->regs, .ops = &ops, .opaque = w, .rep_budget = 1000,
	};
	assert_int_equal(v3_emul_mode(&w->regs), mode);
}

void world_real_mode(struct world *w)
{
	world_init(w, V3_INSN_MODE_16);
	w->regs.cr0 = 0;
	w->regs.efer = 0;
	for (int i = 0; i < 6; i++) {
		w->regs.seg[i] = (struct v3_emul_seg){
			.attrib = V3_SEG_ATTR_DATA16, .limit = 0xffff,
		};
	}
}

enum v3_emul_result world_run_bytes(struct world *w, const uint8_t *bytes, size_t len)
{
	assert_int_equal(v3_decode(bytes, len, v3_emul_mode(&w->regs), &w->insn), V3_DECODE_OK);
	assert_int_equal(w->insn.length, len);
	return v3_emul_step(&w->ctx, &w->insn);
}

uint64_t world_get(const struct world *w, uint32_t linear, uint32_t size)
{
	uint64_t v = 0;

	memcpy(&v, w->mem + linear, size);
	return v;
}

void world_put(struct world *w, uint32_t linear, uint32_t size, uint64_t value)
{
	memcpy(w->mem + linear, &value, size);
}

struct world *world_copy(const struct world *w)
{
	static struct world copy;

	memcpy(&copy, w, sizeof(copy));
	return &copy;
}

void world_assert_unchanged(const struct world *before, const struct world *w)
{
	assert_memory_equal(w->gpr, before->gpr, sizeof(w->gpr));
	assert_memory_equal(&w->regs, &before->regs, sizeof(w->regs));
	assert_memory_equal(w->vec, before->vec, sizeof(w->vec));
	assert_memory_equal(w->mem, before->mem, sizeof(w->mem));
}

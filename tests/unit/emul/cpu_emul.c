/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu_emul.h"

void cpu_emul_open(struct cpu_emul *emul, enum v3_insn_mode mode, uint64_t seed)
{
	memset(emul, 0, sizeof(*emul));
	emul->rng.state = seed;
	assert_true(cpu_open(&emul->cpu));
	if (!cpu_set_mode(&emul->cpu, mode)) {
		cpu_close(&emul->cpu);
		print_message("no code of this mode on this machine: nothing is compared\n");
		skip();
	}
	if (!emul->cpu.avx)
		print_message("this CPU has no AVX2: VEX forms are not compared\n");
}

bool cpu_emul_has(const struct cpu_emul *emul, const struct template *t, enum v3_insn_mode mode)
{
	return (t->kind != K_VEX || emul->cpu.avx) && (!t->mode64 || mode == V3_INSN_MODE_64) &&
	       (!t->whole || mode != V3_INSN_MODE_64);
}

void cpu_emul_regs(struct cpu_emul *emul, enum v3_insn_mode mode, struct v3_emul_regs *regs,
		   struct machine *m)
{
	const struct cpu_view *view = &emul->cpu.view[mode];

	emul->regs = m;
	*regs = (struct v3_emul_regs){
		.gpr = m->gpr, .rip = view->rip, .rflags = m->rflags,
		.cr0 = V3_CR0_PE | V3_CR0_PG, .cr4 = V3_CR4_OSFXSR | V3_CR4_OSXSAVE,
		.efer = V3_EFER_LMA | V3_EFER_LME, .cpl = 3,
		.xcr0 = V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX,
	};
	for (int i = 0; i < 6; i++)
		regs->seg[i] = (struct v3_emul_seg){
			.selector = view->selector[i], .attrib = V3_SEG_ATTR_DATA32,
			.limit = 0xffffffff, .base = view->base[i],
		};
	regs->seg[V3_SEG_CS].attrib = mode == V3_INSN_MODE_64 ? V3_SEG_ATTR_CODE64 :
		mode == V3_INSN_MODE_32 ? V3_SEG_ATTR_CODE32 : V3_SEG_ATTR_CODE16;
}

enum v3_emul_result cpu_emul_vec_get(void *opaque, uint32_t reg, void *buf, uint32_t size)
{
	const struct cpu_emul *emul = opaque;

	memcpy(buf, emul->regs->vec[reg], size);
	return V3_EMUL_OK;
}

enum v3_emul_result cpu_emul_vec_set(void *opaque, uint32_t reg, const void *buf, uint32_t size,
				     bool zero_upper)
{
	const struct cpu_emul *emul = opaque;
	uint8_t *v = emul->regs->vec[reg];

	memcpy(v, buf, size);
	if (zero_upper)
		memset(v + size, 0, 32 - size);
	return V3_EMUL_OK;
}

bool cpu_emul_swap(void *p, void *expected, const void *desired, uint32_t size)
{
	bool same = memcmp(p, expected, size) == 0;

	if (same)
		memcpy(p, desired, size);
	else
		memcpy(expected, p, size);
	return same;
}

void cpu_emul_show(const struct trial *tr, const char *what)
{
	print_message("%s:", what);
	for (int i = 0; i < tr->insn.length; i++)
		print_message(" %02x", tr->bytes[i]);
	print_message(" (%d bits)\n", 16 << tr->mode);
}

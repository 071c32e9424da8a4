/* SPDX-License-Identifier: BSD-2-Clause */
/* Which segments VM entry takes without unrestricted guest. SDM vol. 3 27.3.1.2. */
#include "machine.h"

#include "x86/cr.h"
#include "x86/seg.h"

static struct v3_segment seg(uint16_t selector, uint16_t attrib, uint32_t limit)
{
	return (struct v3_segment){ selector, attrib, limit, 0 };
}

static struct v3_vcpu_state good(void)
{
	struct v3_vcpu_state s = { .cr0 = V3_CR0_PE | V3_CR0_ET };
	unsigned int i;

	for (i = 0; i < 6; i++)
		s.seg[i] = seg(0x10, V3_SEG_ATTR_DATA32, 0xffffffff);
	s.seg[V3_SEG_CS] = seg(8, V3_SEG_ATTR_CODE32, 0xffffffff);
	s.seg[V3_SEG_LDTR] = seg(0, 0, 0);
	s.seg[V3_SEG_TR] = seg(0, V3_SEG_ATTR_TSS_BUSY, 0xffff);
	return s;
}

static void test_enterable(void **state)
{
#define SEG(i, sel, attrib, limit) { V3_SEG_##i, { (sel), (attrib), (limit), 0 } }
#define C32 V3_SEG_ATTR_CODE32
#define D32 V3_SEG_ATTR_DATA32
#define DPL3 V3_SEG_DPL_MASK
	static const struct {
		struct {
			unsigned int i;
			struct v3_segment seg;
		} change;
		const char *why;
	} rows[] = {
		{ SEG(CS, 8, C32, 0xffffffff), NULL },
		{ SEG(CS, 8, V3_SEG_ATTR_CODE16, 0xffff), NULL },
		{ SEG(CS, 8, C32 & ~V3_SEG_READABLE, 0xffffffff), NULL },
		{ SEG(CS, 8, C32 & ~V3_SEG_P, 0xffffffff), "no code" },
		{ SEG(CS, 8, D32, 0xffffffff), "no code" },
		{ SEG(CS, 8, C32 & ~V3_SEG_ACCESSED, 0xffffffff), "no code" },
		{ SEG(CS, 8, C32 & ~V3_SEG_S, 0xffffffff), "no code" },
		{ SEG(CS, 8, C32 | DPL3, 0xffffffff), "level of CS" },
		{ SEG(CS, 8, C32 | V3_SEG_CONFORMING, 0xffffffff), NULL },
		{ SEG(CS, 8, C32 | V3_SEG_CONFORMING | DPL3, 0xffffffff), "level of CS" },
		{ SEG(CS, 8, C32, 0x1000), "limit of CS" },
		{ SEG(CS, 8, C32 & ~V3_SEG_G, 0x100000), "limit of CS" },
		{ SEG(CS, 9, C32, 0xffffffff), "RPL of SS" },
		{ SEG(SS, 0x13, D32, 0xffffffff), "RPL of SS" },
		{ SEG(SS, 0, 0, 0), NULL },
		{ SEG(SS, 0x10, D32 & ~V3_SEG_WRITABLE, 0xffffffff), "written" },
		{ SEG(SS, 0x10, C32, 0xffffffff), "written" },
		{ SEG(SS, 0x10, D32 & ~V3_SEG_S, 0xffffffff), "written" },
		{ SEG(SS, 0x10, D32 & ~V3_SEG_ACCESSED, 0xffffffff), "written" },
		{ SEG(SS, 0x10, D32 | V3_SEG_EXPAND_DOWN, 0xffffffff), NULL },
		{ SEG(SS, 0x10, D32, 0xffff0000), "limit of SS" },
		{ SEG(DS, 0, 0, 0), NULL },
		{ SEG(DS, 0x1003, 0, 0), NULL },
		{ SEG(DS, 0x10, D32 & ~V3_SEG_WRITABLE, 0xffffffff), NULL },
		{ SEG(DS, 0x10, C32, 0xffffffff), NULL },
		{ SEG(DS, 0x10, C32 & ~V3_SEG_READABLE, 0xffffffff), "type of a data" },
		{ SEG(ES, 0x10, D32 & ~V3_SEG_ACCESSED, 0xffffffff), "type of a data" },
		{ SEG(FS, 0x10, D32 & ~V3_SEG_S, 0xffffffff), "type of a data" },
		{ SEG(GS, 0x11, D32, 0xffffffff), "level of a data" },
		{ SEG(GS, 0x13, D32 | DPL3, 0xffffffff), NULL },
		{ SEG(GS, 0x13, C32, 0xffffffff), "level of a data" },
		{ SEG(GS, 0x13, C32 | V3_SEG_CONFORMING, 0xffffffff), NULL },
		{ SEG(DS, 0x10, D32, 0x12345), "limit of a data" },
		/* As real mode leaves them: 64 KiB at 16 times the selector. */
		{ SEG(DS, 0x9980, V3_SEG_ATTR_DATA16, 0xffff), NULL },
		{ SEG(DS, 0x9983, V3_SEG_ATTR_DATA16, 0xffff), "level of a data" },
		{ SEG(TR, 0, 0, 0), "TR" },
		{ SEG(TR, 0, V3_SEG_P | V3_SEG_TYPE_TSS, 0x67), "TR" },
		{ SEG(TR, 4, V3_SEG_ATTR_TSS_BUSY, 0x67), "TR" },
		{ SEG(TR, 0, V3_SEG_ATTR_TSS_BUSY | V3_SEG_S, 0x67), "TR" },
		{ SEG(TR, 0, V3_SEG_ATTR_TSS_BUSY | V3_SEG_G, 0x67), "TR" },
		{ SEG(TR, 0, V3_SEG_P | V3_SEG_TYPE_TSS16_BUSY, 0x67), NULL },
		{ SEG(LDTR, 0x20, V3_SEG_ATTR_LDT, 0xfff), NULL },
		{ SEG(LDTR, 0x24, V3_SEG_ATTR_LDT, 0xfff), "LDTR" },
		{ SEG(LDTR, 0x20, V3_SEG_P | V3_SEG_TYPE_TSS, 0xfff), "LDTR" },
		{ SEG(LDTR, 0x20, V3_SEG_ATTR_LDT | V3_SEG_S, 0xfff), "LDTR" },
		{ SEG(LDTR, 0x20, V3_SEG_ATTR_LDT, 0x100000), "LDTR" },
	};
	struct v3_vcpu_state s;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why;

		s = good();
		s.seg[rows[i].change.i] = rows[i].change.seg;
		why = vmx_not_enterable(&s, V3_RFLAGS_FIXED1, false);
		if (!why != !rows[i].why || (why && !strstr(why, rows[i].why)))
			fail_msg("row %u: '%s' in place of '%s'", i, why ? why : "enterable",
				 rows[i].why ? rows[i].why : "enterable");
	}
	s = good();
	s.cr0 = V3_CR0_ET;
	assert_string_equal(vmx_not_enterable(&s, 0, false), "real mode");
	/* The stack's level is the RPL of both, and CS's. */
	s = good();
	s.seg[V3_SEG_SS] = seg(0x13, D32, 0xffffffff);
	s.seg[V3_SEG_CS] = seg(0x0b, C32, 0xffffffff);
	assert_string_equal(vmx_not_enterable(&s, 0, false), "privilege level of SS");
	s.seg[V3_SEG_SS].attrib |= DPL3;
	s.seg[V3_SEG_CS].attrib |= DPL3;
	assert_null(vmx_not_enterable(&s, 0, false));
	/* Long mode: no 16-bit TSS, no CS of two sizes. */
	s = good();
	s.efer = V3_EFER_LMA | V3_EFER_LME;
	assert_null(vmx_not_enterable(&s, 0, false));
	s.seg[V3_SEG_TR].attrib = V3_SEG_P | V3_SEG_TYPE_TSS16_BUSY;
	assert_string_equal(vmx_not_enterable(&s, 0, false), "TR");
	s = good();
	s.efer = V3_EFER_LMA | V3_EFER_LME;
	s.seg[V3_SEG_CS].attrib |= V3_SEG_L;
	assert_string_equal(vmx_not_enterable(&s, 0, false), "CS of 64 and of 32 bits");
	assert_non_null(vmx_not_enterable(&s, V3_RFLAGS_VM, false));
}

static void test_enterable_vm86(void **state)
{
	struct v3_vcpu_state s = good();
	unsigned int i;

	(void)state;
	for (i = 0; i < 6; i++)
		s.seg[i] = (struct v3_segment){ (uint16_t)(0x1111 * i), 0xf3, 0xffff, 0x11110 * i };
	assert_null(vmx_not_enterable(&s, V3_RFLAGS_VM, false));
	for (i = 0; i < 6; i++) {
		struct v3_vcpu_state bad = s;

		bad.seg[i].base++;
		assert_non_null(vmx_not_enterable(&bad, V3_RFLAGS_VM, false));
		bad = s;
		bad.seg[i].limit++;
		assert_non_null(vmx_not_enterable(&bad, V3_RFLAGS_VM, false));
		bad = s;
		bad.seg[i].attrib = V3_SEG_ATTR_DATA16;
		assert_non_null(vmx_not_enterable(&bad, V3_RFLAGS_VM, false));
	}
	s.seg[V3_SEG_TR].attrib = 0;
	assert_string_equal(vmx_not_enterable(&s, V3_RFLAGS_VM, false), "TR");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enterable),
		cmocka_unit_test(test_enterable_vm86),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * States that VM entry refuses, SDM vol. 3 27.3.1: the back end knows why of exactly those that the
 * fake CPU, which has the manual's list, does not enter.
 */
#include <stdio.h>

#include "machine.h"

#include "x86/cr.h"
#include "x86/seg.h"

#define TRIES 20000u

static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

static struct v3_segment seg(uint16_t selector, uint16_t attrib, uint32_t limit, uint64_t base)
{
	return (struct v3_segment){ selector, attrib, limit, base };
}

enum start { REAL, PROTECTED, PAE, LONG, COMPATIBLE, VM86, STARTS };

static void good(enum start start, struct v3_vcpu_state *s)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	s->cr0 = V3_CR0_ET | (start == REAL ? 0 : V3_CR0_PE);
	s->pat = 0x0007040600070406ull;
	s->dr6 = 0xffff0ff0;
	s->dr7 = 0x400;
	s->rip = 0x8000;
	s->rflags = V3_RFLAGS_FIXED1 | (start == VM86 ? V3_RFLAGS_VM : 0);
	for (i = 0; i < 6; i++)
		s->seg[i] = start == REAL || start == VM86 ?
			    seg(0x1000, start == VM86 ? 0xf3 : 0x93, 0xffff, 0x10000) :
			    seg(i == V3_SEG_CS ? 8 : 0x10, i == V3_SEG_CS ? 0xc9b : 0xc93, ~0u, 0);
	s->seg[V3_SEG_LDTR] = seg(0, V3_SEG_ATTR_LDT, 0xffff, 0);
	s->seg[V3_SEG_TR] = seg(0, V3_SEG_ATTR_TSS_BUSY, 0xffff, 0);
	if (start == PAE || start == LONG || start == COMPATIBLE) {
		s->cr0 |= V3_CR0_PG;
		s->cr4 = V3_CR4_PAE;
	}
	if (start == LONG || start == COMPATIBLE)
		s->efer = V3_EFER_LME | V3_EFER_LMA;
	if (start == LONG)
		s->seg[V3_SEG_CS].attrib = V3_SEG_ATTR_CODE64;
}

static void spoil_segment(struct v3_segment *seg)
{
	static const uint32_t limits[] = { 0, 0xffff, 0xfffff, 0x100000, 0x7fffffff, ~0u };

	switch (random_below(5)) {
	case 0:
		seg->attrib ^= (uint16_t)(1u << random_below(12));
		break;
	case 1:
		seg->attrib = (uint16_t)random_below(0x1000);
		break;
	case 2:
		seg->selector ^= (uint16_t)(1u << random_below(4));
		break;
	case 3:
		seg->limit = limits[random_below(6)];
		break;
	default:
		seg->base ^= 1ull << random_below(64);
		break;
	}
}

static void spoil(struct v3_vcpu_state *s)
{
	switch (random_below(10)) {
	case 0:
		s->cr0 ^= random_below(2) ? V3_CR0_PE : V3_CR0_PG;
		break;
	case 1:
		s->cr4 ^= random_below(2) ? V3_CR4_PCIDE : V3_CR4_PAE;
		break;
	case 2:
		s->efer ^= random_below(2) ? V3_EFER_LME : V3_EFER_LMA;
		break;
	case 3:
		s->cr3 ^= 1ull << (12 + random_below(50));
		break;
	case 4:
		s->rip ^= 1ull << random_below(64);
		break;
	case 5:
		s->rflags ^= random_below(2) ? V3_RFLAGS_VM : 1u << random_below(22);
		break;
	case 6:
		s->pat ^= 1ull << random_below(64);
		break;
	default:
		spoil_segment(&s->seg[random_below(V3_SEG_COUNT)]);
		break;
	}
}

static enum v3_exit_kind try_state(struct v3_vcpu *vcpu, struct v3_vcpu_state *s, const char **why)
{
	struct v3_exit exit;

	vcpu->rip = s->rip;
	vcpu->rflags = s->rflags | V3_RFLAGS_FIXED1;
	vcpu->vm->arch->set_state(vcpu, s);
	vcpu->vm->arch->get_state(vcpu, s);
	*why = vmx_state_refused(vcpu, s, vcpu->rflags, vcpu->rip);
	exit_intr();
	vcpu->vm->arch->run(vcpu, &exit);
	return exit.kind;
}

static void try_all(const char *off, bool emulates)
{
	unsigned int i, refused = 0;
	struct v3_vcpu *vcpu;

	seed = 1;
	machine_create(V3_FAKE_SKYLAKE_X, off);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
	vcpu->vm->arch->load(vcpu);
	for (i = 0; i < TRIES; i++) {
		unsigned int n = random_below(4);
		struct v3_vcpu_state s;
		enum v3_exit_kind kind;
		const char *why;
		bool paged;

		good((enum start)(i % STARTS), &s);
		while (n--)
			spoil(&s);
		kind = try_state(vcpu, &s, &why);
		/* Without paging, registers that have to do with it are not what the guest has. */
		paged = s.cr0 & V3_CR0_PG && s.cr0 & V3_CR0_PE;
		if (emulates && (kind == V3_EXIT_EMULATE || (kind == V3_EXIT_INTR && !paged)))
			continue;
		if (kind != (why ? V3_EXIT_INVALID : V3_EXIT_INTR))
			fail_msg("state %u, %s: %s", i, why ? why : "nothing wrong with it",
				 v3_exit_name(kind));
		refused += why != NULL;
	}
	assert_true(refused > TRIES / 100);
	vcpu->vm->arch->put(vcpu);
	machine_destroy();
}

static void test_unrestricted(void **state)
{
	(void)state;
	try_all(NULL, false);
}

static void test_restricted(void **state)
{
	(void)state;
	try_all("unrestricted-guest", true);
}

/* What is said of one. */
static void test_message(void **state)
{
	static const struct {
		uint64_t cr4, efer, rip, rflags;
		const char *text;
	} rows[] = {
		{ V3_CR4_PCIDE, 0, 0, 0, "CR4.PCIDE outside of long mode" },
		{ 0, V3_EFER_LMA, 0, 0, "EFER.LMA and EFER.LME" },
		{ 0, 0, 1ull << 40, 0, "RIP" },
		{ 0, 0, 0, V3_RFLAGS_VM, "a segment in virtual-8086 mode" },
	};
	struct v3_vcpu *vcpu;
	unsigned int i;

	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
	vmx_load(vcpu);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct v3_vcpu_state s;
		const char *why;
		char text[160];

		good(PAE, &s);
		s.cr4 |= rows[i].cr4;
		s.efer |= rows[i].efer;
		s.rip |= rows[i].rip;
		s.rflags |= rows[i].rflags;
		assert_int_equal(try_state(vcpu, &s, &why), V3_EXIT_INVALID);
		assert_string_equal(why, rows[i].text);
		snprintf(text, sizeof(text), "vCPU 0: VM entry failed: guest state that this CPU "
			 "does not allow: %s (reason 0x80000021, qualification 0x0)", why);
		assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, text));
	}
	vmx_put(vcpu);
	machine_destroy();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unrestricted),
		cmocka_unit_test(test_restricted),
		cmocka_unit_test(test_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

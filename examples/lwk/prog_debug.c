/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug registers (APM2 13.1): breakpoints on execution, writes and accesses, single steps, and DR7.GD.
 * Each #DB has to come, once, with the right DR6 and RIP, and none that was not asked for.
 */
#include "cpu.h"
#include "lwk.h"

#define DR6_CLEAR	0xffff0ff0ULL
#define DR6_BD		(1ULL << 13)
#define DR6_BS		(1ULL << 14)
#define DR6_EVENTS	0xe00fULL
#define DR7_NONE	0x400ULL
#define DR7_GD		(1ULL << 13)
#define DR7_L(n)	(1ULL << 2 * (n))
#define DR7_WRITE(n)	(1ULL << (16 + 4 * (n)))
#define DR7_ACCESS(n)	(3ULL << (16 + 4 * (n)))
#define DR7_LEN4(n)	(3ULL << (18 + 4 * (n)))
#define DR7_LEN8(n)	(2ULL << (18 + 4 * (n)))
#define VEC_DB		1
#define LOG_SIZE	32	/* as in debug.S */
#define STEPS		6
#define ROUNDS		100

uint64_t lwk_db_dr6[LOG_SIZE], lwk_db_rip[LOG_SIZE];
volatile uint32_t lwk_db_count;

void lwk_isr_db(void);
void lwk_db_target(void);
void lwk_db_step(void);
extern const char lwk_db_step_cpuid[], lwk_db_step_nop[];

static volatile uint64_t variable;
static uint64_t wrong;

enum kind { EXECUTION, WRITE, ACCESS, STEP, DETECT, KINDS };
static const char *const kinds[KINDS] = { "execution", "write", "access", "step", "detect" };
static uint64_t hits[KINDS];

static void dr7_write(uint64_t v)
{
	__asm__ volatile("movq %0, %%dr7" : : "r"(v) : "memory");
}

static void dr_write_all(uint64_t dr0, uint64_t dr1, uint64_t dr2, uint64_t dr3)
{
	__asm__ volatile("movq %0, %%dr0\n\tmovq %1, %%dr1\n\tmovq %2, %%dr2\n\tmovq %3, %%dr3"
			 : : "r"(dr0), "r"(dr1), "r"(dr2), "r"(dr3));
}

/* Three kinds of accesses, with an exit among them. */
static void touch(void)
{
	lwk_db_target();
	variable = 1;
	bm_cpuid(0, 0);
	(void)variable;
}

static void begin(void)
{
	lwk_db_count = 0;
	__asm__ volatile("movq %0, %%dr6" : : "r"(DR6_CLEAR));
}

/* One #DB with this in DR6, at rip unless that is NULL. */
static void expect(uint64_t dr6, const void *rip, enum kind kind)
{
	if (lwk_db_count == 1 && (lwk_db_dr6[0] & DR6_EVENTS) == dr6 &&
	    (!rip || lwk_db_rip[0] == (uint64_t)rip)) {
		hits[kind]++;
		return;
	}
	bm_printf("debug: %s: %u #DB, DR6 0x%llx, RIP 0x%llx\n", kinds[kind], lwk_db_count,
		  (unsigned long long)lwk_db_dr6[0], (unsigned long long)lwk_db_rip[0]);
	wrong++;
}

static void breakpoints(void)
{
	begin();
	dr7_write(DR7_NONE | DR7_L(0));
	touch();
	dr7_write(DR7_NONE);
	expect(1, (const void *)lwk_db_target, EXECUTION);
	begin();
	dr7_write(DR7_NONE | DR7_L(1) | DR7_WRITE(1) | DR7_LEN8(1));
	touch();
	dr7_write(DR7_NONE);
	expect(2, NULL, WRITE);
	begin();
	dr7_write(DR7_NONE | DR7_L(2) | DR7_ACCESS(2) | DR7_LEN4(2));
	(void)variable;
	dr7_write(DR7_NONE);
	expect(4, NULL, ACCESS);
}

/* Single steps, and a breakpoint on the way: DR6 has both where they meet. */
static void steps(void)
{
	unsigned int matched = 0, i;

	begin();
	dr7_write(DR7_NONE | DR7_L(3));
	lwk_db_step();
	dr7_write(DR7_NONE);
	for (i = 0; i < lwk_db_count && i < LOG_SIZE; i++) {
		bool at = lwk_db_rip[i] == (uint64_t)lwk_db_step_nop;

		if (lwk_db_dr6[i] & 8 && at)
			matched++;
		else if (lwk_db_dr6[i] & 7 || lwk_db_dr6[i] & 8 || !(lwk_db_dr6[i] & DR6_BS))
			wrong++;
	}
	/* As one #DB or as two: both are right. */
	if (lwk_db_count != STEPS && lwk_db_count != STEPS + 1) {
		bm_printf("debug: %u steps\n", lwk_db_count);
		wrong++;
	}
	if (lwk_db_rip[0] != (uint64_t)lwk_db_step_cpuid ||
	    lwk_db_rip[1] != (uint64_t)lwk_db_step_nop)
		wrong++;
	if (matched)
		hits[STEP]++;
	else
		wrong++;
}

static void general_detect(void)
{
	uint64_t dr0;

	begin();
	dr7_write(DR7_NONE | DR7_GD);
	__asm__ volatile("movq %%dr0, %0" : "=r"(dr0));
	expect(DR6_BD, NULL, DETECT);
	if (lwk_db_count != 1 || dr0 != (uint64_t)lwk_db_target)
		wrong++;
}

/* Nothing is enabled: nothing may come, and the addresses are kept. */
static void nothing(void)
{
	uint64_t dr0, dr1, dr2, dr3;

	begin();
	touch();
	__asm__ volatile("movq %%dr0, %0\n\tmovq %%dr1, %1\n\tmovq %%dr2, %2\n\tmovq %%dr3, %3"
			 : "=r"(dr0), "=r"(dr1), "=r"(dr2), "=r"(dr3));
	if (lwk_db_count || dr0 != (uint64_t)lwk_db_target || dr1 != (uint64_t)&variable ||
	    dr2 != dr1 || dr3 != (uint64_t)lwk_db_step_nop)
		wrong++;
}

int lwk_prog_debug(void)
{
	uint64_t rounds = lwk_opt.n ? lwk_opt.n : ROUNDS, i;

	bm_gate_set(VEC_DB, (const void *)lwk_isr_db);
	bm_printf("debug: breakpoints at 0x%llx and 0x%llx\n", (unsigned long long)lwk_db_target,
		  (unsigned long long)&variable);
	dr_write_all((uint64_t)lwk_db_target, (uint64_t)&variable, (uint64_t)&variable,
		     (uint64_t)lwk_db_step_nop);
	for (i = 0; i < rounds; i++) {
		breakpoints();
		steps();
		general_detect();
		nothing();
	}
	bm_printf("debug: rounds=%llu", (unsigned long long)rounds);
	for (i = 0; i < KINDS; i++)
		bm_printf(" %s=%llu", kinds[i], (unsigned long long)hits[i]);
	bm_printf(" wrong=%llu\n", (unsigned long long)wrong);
	return wrong ? BM_EXIT_FAILED : BM_EXIT_OK;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "cpu_run.h"

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

_Static_assert(offsetof(struct machine, rflags) == 128, "cpu_enter.S");
_Static_assert(offsetof(struct machine, vec) == 136, "cpu_enter.S");

/* cpu_enter.S knows the offsets. */
struct cpu_target {
	uint64_t code;
	uint16_t cs, es, ds, gs, ss;	/* cs 0: 64-bit code, and the others do not count */
};
_Static_assert(offsetof(struct cpu_target, cs) == 8 && offsetof(struct cpu_target, ss) == 16,
	       "cpu_enter.S");

void cpu_enter(const struct machine *in, struct machine *out, const struct cpu_target *target,
	       int avx);
void cpu_leave(void);

#define PAGE CPU_PAGE
#define PAGES 6u
#define GS_BASE 0x7000u
/* Where the jump back from 16 and 32-bit code ends: in 64-bit code. */
#define STUB 64u

static uint8_t signal_stack[65536];
static uint8_t current[16];
static size_t current_len;

/* Linux's selectors of 64-bit and of flat 32-bit code, and of every stack. */
#define CS_64 0x33
#define CS_32 0x23
#define SS_ALL 0x2b

/* Where an expected fault is told; NULL: none is. */
static struct cpu_fault *expected;
static bool faulted;

/* Goes on at cpu_leave(), which stores the registers as the fault left them. */
static void take_fault(ucontext_t *uc)
{
	greg_t *regs = uc->uc_mcontext.gregs;

	*expected = (struct cpu_fault){
		.rip = (uint64_t)regs[REG_RIP], .cr2 = (uint64_t)regs[REG_CR2],
		.vector = (uint32_t)regs[REG_TRAPNO], .error = (uint32_t)regs[REG_ERR],
	};
	faulted = true;
	expected = NULL;
	regs[REG_RIP] = (greg_t)(uintptr_t)cpu_leave;
	/* CS, GS, FS and SS, 16 bits each */
	regs[REG_CSGSFS] = (regs[REG_CSGSFS] & 0x0000ffffffff0000) | CS_64 |
			   (greg_t)SS_ALL << 48;
}

/* Async-signal-safe. Without an expected fault it is one that the generator must not let happen. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	static const char hex[] = "0123456789abcdef";
	char text[80] = "the CPU faulted on";
	size_t n = strlen(text);

	if (expected) {
		take_fault(context);
		return;
	}
	for (size_t i = 0; i < current_len; i++) {
		text[n++] = ' ';
		text[n++] = hex[current[i] >> 4];
		text[n++] = hex[current[i] & 15];
	}
	text[n++] = '\n';
	if (write(STDERR_FILENO, text, n) < 0)
		_exit(3);
	_exit(2);
}

static bool set_handlers(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE };
	stack_t ss = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_ONSTACK | SA_SIGINFO };

	if (sigaltstack(&ss, NULL))
		return false;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], &sa, NULL))
			return false;
	return true;
}

bool cpu_open(struct cpu *cpu)
{
	/* One block: code, hole, data and stack, hole, read-only, hole. */
	uint8_t *p = mmap(NULL, PAGES * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap below 2 GiB");
		return false;
	}
	if (mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    mprotect(p + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE) ||
	    mprotect(p + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE)) {
		perror("mprotect with execution allowed");
		return false;
	}
	memset(p + 2 * PAGE, 0x5a, PAGE);
	memset(p + 4 * PAGE, 0xa5, PAGE);
	if (mprotect(p + 4 * PAGE, PAGE, PROT_READ)) {
		perror("mprotect");
		return false;
	}
	if (!set_handlers()) {
		perror("sigaction");
		return false;
	}
	*cpu = (struct cpu){
		.code = p, .data = p + 2 * PAGE + PAGE / 4, .page = p + 2 * PAGE,
		.read_only = p + 4 * PAGE, .avx = __builtin_cpu_supports("avx2"),
	};
	return true;
}

void cpu_close(struct cpu *cpu)
{
	munmap(cpu->code, PAGES * PAGE);
}

/* Entry `index` of the LDT, 4 GiB large; its selector, or 0 with a message. */
static uint16_t segment(unsigned int index, uint64_t base, bool is_code, bool is_32)
{
	struct user_desc desc = {
		.entry_number = index, .base_addr = (uint32_t)base, .limit = 0xfffff,
		.limit_in_pages = 1, .contents = is_code ? MODIFY_LDT_CONTENTS_CODE : 0,
		.seg_32bit = is_32, .useable = 1,
	};

	if (syscall(SYS_modify_ldt, 1, &desc, sizeof(desc))) {
		perror("modify_ldt");
		return 0;
	}
	return (uint16_t)(index << 3 | 7);
}

static bool set_mode64(struct cpu_view *view, uint64_t code)
{
	*view = (struct cpu_view){ .rip = code, .base[V3_SEG_GS] = GS_BASE };
	/* What MOV from a segment register shows here. */
	__asm__("mov %%es, %0" : "=r"(view->selector[V3_SEG_ES]));
	__asm__("mov %%cs, %0" : "=r"(view->selector[V3_SEG_CS]));
	__asm__("mov %%ss, %0" : "=r"(view->selector[V3_SEG_SS]));
	__asm__("mov %%ds, %0" : "=r"(view->selector[V3_SEG_DS]));
	__asm__("mov %%fs, %0" : "=r"(view->selector[V3_SEG_FS]));
	__asm__("mov %%gs, %0" : "=r"(view->selector[V3_SEG_GS]));
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)GS_BASE)) {
		perror("arch_prctl(ARCH_SET_GS)");
		return false;
	}
	return true;
}

bool cpu_set_mode(struct cpu *cpu, enum v3_insn_mode mode)
{
	struct cpu_view *view = &cpu->view[mode];
	uint64_t data = (uintptr_t)cpu->data, code = (uintptr_t)cpu->code;

	if (mode == V3_INSN_MODE_64)
		return set_mode64(view, code);
	/* Bases that all differ, and near enough for offsets of 16 bits. */
	*view = (struct cpu_view){
		.base = { [V3_SEG_ES] = data - 0x40, [V3_SEG_SS] = data - 0x100,
			  [V3_SEG_DS] = data - 0x83, [V3_SEG_GS] = data - 0x201 },
	};
	for (unsigned int i = V3_SEG_ES; i <= V3_SEG_GS; i++) {
		if (i == V3_SEG_CS || i == V3_SEG_FS)	/* FS is the C library's */
			continue;
		view->selector[i] = segment(i, view->base[i], false, true);
		if (!view->selector[i])
			return false;
	}
	__asm__("mov %%fs, %0" : "=r"(view->selector[V3_SEG_FS]));
	if (mode == V3_INSN_MODE_32) {
		view->rip = code;
		view->selector[V3_SEG_CS] = CS_32;
		return true;
	}
	view->base[V3_SEG_CS] = code;
	view->selector[V3_SEG_CS] = segment(V3_SEG_CS, code, true, false);
	return view->selector[V3_SEG_CS];
}

/* After the instruction: the jump to 64-bit code at STUB, where another one leads to cpu_leave. */
static void put_jumps(struct cpu *cpu, enum v3_insn_mode mode, size_t at)
{
	/* jmp *0(%rip), and the address */
	static const uint8_t jump[6] = { 0xff, 0x25, 0, 0, 0, 0 };
	void (*leave)(void) = cpu_leave;
	uint32_t stub = (uint32_t)(uintptr_t)cpu->code + STUB;
	uint16_t cs = CS_64;
	size_t to = mode == V3_INSN_MODE_64 ? at : STUB;

	if (mode != V3_INSN_MODE_64) {
		if (mode == V3_INSN_MODE_16)
			cpu->code[at++] = 0x66;
		cpu->code[at++] = 0xea;		/* jmp ptr16:32 */
		memcpy(cpu->code + at, &stub, sizeof(stub));
		memcpy(cpu->code + at + sizeof(stub), &cs, sizeof(cs));
	}
	memcpy(cpu->code + to, jump, sizeof(jump));
	memcpy(cpu->code + to + sizeof(jump), &leave, sizeof(leave));
}

void cpu_run(struct cpu *cpu, enum v3_insn_mode mode, const uint8_t *bytes, size_t len,
	     const struct machine *in, struct machine *out)
{
	const struct cpu_view *view = &cpu->view[mode];
	struct cpu_target target = { .code = (uintptr_t)cpu->code };

	if (mode != V3_INSN_MODE_64)
		target = (struct cpu_target){
			.code = view->rip, .cs = view->selector[V3_SEG_CS],
			.es = view->selector[V3_SEG_ES], .ds = view->selector[V3_SEG_DS],
			.gs = view->selector[V3_SEG_GS], .ss = view->selector[V3_SEG_SS],
		};
	memcpy(current, bytes, len);
	current_len = len;
	memcpy(cpu->code, bytes, len);
	put_jumps(cpu, mode, len);
	cpu_enter(in, out, &target, cpu->avx);
	/* What is beyond 32 bits after a change of mode is the CPU's to choose (APM1 3.1.2). */
	for (int i = 0; mode != V3_INSN_MODE_64 && i < 8; i++)
		out->gpr[i] = (uint32_t)out->gpr[i];
}

bool cpu_try(struct cpu *cpu, enum v3_insn_mode mode, const uint8_t *bytes, size_t len,
	     const struct machine *in, struct machine *out, struct cpu_fault *fault)
{
	faulted = false;
	expected = fault;
	/* The handler writes what the compiler believes to be unchanged. */
	__asm__ volatile("" : : : "memory");
	cpu_run(cpu, mode, bytes, len, in, out);
	__asm__ volatile("" : : : "memory");
	expected = NULL;
	return faulted;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "cpu_run.h"

#include <asm/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(offsetof(struct machine, rflags) == 128, "cpu_enter.S");
_Static_assert(offsetof(struct machine, vec) == 136, "cpu_enter.S");

void cpu_enter(const struct machine *in, struct machine *out, const void *code, int avx);
void cpu_leave(void);

#define PAGE 4096u
#define GS_BASE 0x7000u

static uint8_t signal_stack[65536];
static uint8_t current[16];
static size_t current_len;

/* Async-signal-safe: the instruction faulted, which the generator must not let happen. */
static void on_fault(int sig)
{
	static const char hex[] = "0123456789abcdef";
	char text[80] = "the CPU faulted on";
	size_t n = strlen(text);

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
	struct sigaction sa = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK };

	if (sigaltstack(&ss, NULL))
		return false;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], &sa, NULL))
			return false;
	return true;
}

bool cpu_open(struct cpu *cpu)
{
	/* One block: code, hole, data and stack, hole. */
	uint8_t *p = mmap(NULL, 4 * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap below 2 GiB");
		return false;
	}
	if (mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    mprotect(p + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE)) {
		perror("mprotect with execution allowed");
		return false;
	}
	if (!set_handlers()) {
		perror("sigaction");
		return false;
	}
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)GS_BASE)) {
		perror("arch_prctl(ARCH_SET_GS)");
		return false;
	}
	*cpu = (struct cpu){
		.code = p, .data = p + 2 * PAGE + PAGE / 4, .gs_base = GS_BASE,
		.avx = __builtin_cpu_supports("avx2"),
	};
	return true;
}

void cpu_close(struct cpu *cpu)
{
	munmap(cpu->code, 4 * PAGE);
}

void cpu_run(struct cpu *cpu, const uint8_t *bytes, size_t len, const struct machine *in,
	     struct machine *out)
{
	/* After the instruction: jmp *0(%rip), and the address. */
	static const uint8_t jump[6] = { 0xff, 0x25, 0, 0, 0, 0 };
	void (*leave)(void) = cpu_leave;

	memcpy(current, bytes, len);
	current_len = len;
	memcpy(cpu->code, bytes, len);
	memcpy(cpu->code + len, jump, sizeof(jump));
	memcpy(cpu->code + len + sizeof(jump), &leave, sizeof(leave));
	cpu_enter(in, out, cpu->code, cpu->avx);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host kernel as small as libv3 allows: one CPU, all memory identity mapped, cooperative threads.
 * Everything here stands for what a real kernel has already; hooks.c joins it to libv3.
 */
#ifndef MH_HOST_H
#define MH_HOST_H

#include <v3/boot.h>
#include <v3/hooks.h>
#include <v3/v3.h>

#include "bm.h"

#define MH_VEC_KICK	0x42

/* memory.c */
void mh_memory_init(void);
/* A run of pages, or 0. align is a power of two, in pages; limit in bytes, 0 is none. */
uint64_t mh_pages_alloc(size_t count, size_t align, uint64_t limit);
void mh_pages_free(uint64_t addr, size_t count);
/* Zeroed and 16-byte aligned, or NULL. */
void *mh_heap_alloc(size_t size);
void mh_heap_free(void *ptr, size_t size);
/* What is allocated now, for the check that nothing was leaked. */
struct mh_memory_use {
	uint64_t pages, heap_bytes;
};
struct mh_memory_use mh_memory_in_use(void);
uint64_t mh_memory_free_bytes(void);

/* timer.c: clock and one-shot timers on the local APIC */
struct v3_host_timer {
	uint64_t deadline;	/* UINT64_MAX: not armed */
	struct v3_host_timer *next;
};

bool mh_timer_init(void);
uint64_t mh_clock_ns(void);
/* The TSC at a time of that clock. */
uint64_t mh_clock_tsc(uint64_t ns);
uint64_t mh_tsc_khz(void);
struct v3_host_timer *mh_timer_create(void);
void mh_timer_destroy(struct v3_host_timer *timer);
void mh_timer_arm(struct v3_host_timer *timer, uint64_t deadline);
/* Sets the hardware for the next deadline of timers and threads. */
void mh_timer_program(void);

/* sched.c */
struct v3_host_event {
	uint32_t signaled;
};

void mh_sched_init(void);
struct v3_host_thread *mh_thread_start(const char *name, void (*fn)(void *arg), void *arg);
void mh_thread_join(struct v3_host_thread *thread);
void mh_event_wait(struct v3_host_event *event, uint64_t deadline);
void mh_event_signal(struct v3_host_event *event);
void mh_yield(void);
bool mh_others_ready(void);
/* First deadline later than that for which a thread waits. */
uint64_t mh_sched_deadline(uint64_t after);

/* elf.c */
struct mh_elf {
	v3_gpa_t entry;
	unsigned int count;
	struct v3_segment_load segment[V3_MAX_SEGMENTS];
};

/* Checks a static ELF64 file; NULL if it is well, else what is wrong with it. */
const char *mh_elf_parse(const uint8_t *file, uint64_t size, struct mh_elf *elf);

/* run.c */
/* Gets the machine ready, up to interrupts on; false, with a message, if it cannot be. */
bool mh_start(void);
/* At the end: true, with a message, if not all memory was given back. */
bool mh_leaked(void);
/* Says what failed unless status is V3_OK. */
bool mh_failed(const char *what, enum v3_status status);
/*
 * Loads a module with its command line: an ELF file by its segments, anything else must be a Linux
 * kernel, of which entry (32, 64, or 0 for what it has) is used. initrd may be NULL.
 */
enum v3_status mh_guest_load(struct v3_vm *vm, struct bm_module *m, struct bm_module *initrd,
			     unsigned int entry);
/*
 * Copies the guest's output until it ends; false when it had to be stopped after so many seconds.
 * The event is the one that the hooks signal: the ctx of the VM.
 */
bool mh_guest_watch(struct v3_vm *vm, struct v3_host_event *event, uint64_t seconds);

/* hooks.c */
extern const struct v3_os_hooks mh_hooks;

/* switch.S: saves the present stack pointer in *from and continues on stack pointer to */
void mh_switch(uint64_t *from, uint64_t to);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "script.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fakes/fake_x86_state.h"
#include "own_guest.h"
#include "x86/pte.h"

/* svm_enter() has no argument for it; one script at a time. */
static struct script *current;

#define TABLES 0x10000ull	/* PML4, PDPT, PD of the guest's identity map */

void svm_enter(uint64_t *gpr, v3_hpa_t vmcb, v3_hpa_t host_vmcb)
{
	struct script *script = current;

	(void)host_vmcb;
	if (v3_fake_gif())
		fail_msg("VMRUN with GIF = 1: an interrupt could come between check and entry");
	if (!fake_thread.irqs_on)
		fail_msg("VMRUN with IF = 0: interrupts would not exit");
	script->gpr = gpr;
	script->vmcb = script->host->os.phys_to_virt(script->host->os.ctx, vmcb);
	script->vmcb->exit_int_info = 0;
	script->vmcb->exit_code = SVM_EXIT_INTR;
	/* The CPU takes a virtual interrupt at once; scripts see it as they see EVENTINJ. */
	if (script->vmcb->int_ctl & SVM_V_IRQ && !(script->vmcb->intercept_misc1 & SVM_I1_VINTR)) {
		script->vmcb->event_inj = SVM_EVENT_VALID |
					  (script->vmcb->int_ctl >> SVM_V_INTR_VECTOR_SHIFT & 0xff);
		script->vmcb->int_ctl &= ~SVM_V_IRQ;
	}
	script->fn(script, script->runs++);
}

void script_exit(struct script *script, uint64_t code, uint64_t info1, uint64_t info2)
{
	script->vmcb->exit_code = code;
	script->vmcb->exit_info1 = info1;
	script->vmcb->exit_info2 = info2;
}

struct script *script_create(void (*prepare)(void))
{
	return script_create_as(prepare, NULL, 0);
}

static struct script *script_new(void)
{
	struct script *script = calloc(1, sizeof(*script));

	assert_non_null(script);
	script->fake = v3_fake_host_create();
	v3_fake_host_set_threads(script->fake, V3_FAKE_PTHREADS);
	return script;
}

static struct script *script_complete(struct script *script, struct v3_vm_config *config)
{
	const struct v3_mem_config mem = { .size = SCRIPT_RAM, .node = V3_NODE_ANY };

	config->struct_size = sizeof(*config);
	config->num_vcpus = 1;
	config->name = "script";
	config->mem = &mem;
	config->num_mem = 1;
	assert_int_equal(v3_init(v3_fake_host_hooks(script->fake), &script->host), V3_OK);
	assert_int_equal(v3_vm_create(script->host, config, &script->vm), V3_OK);
	script->vcpu = v3_vm_vcpu(script->vm, 0);
	current = script;
	return script;
}

struct script *script_create_as(void (*prepare)(void), const char *cpu, uint32_t flags)
{
	struct v3_vm_config config = { .cpu = cpu, .flags = flags };
	struct script *script = script_new();

	if (prepare)
		prepare();
	return script_complete(script, &config);
}

struct script *script_create_tsc(uint64_t khz)
{
	struct v3_vm_config config = { .tsc_khz = khz };
	struct script *script = script_new();

	v3_fake_svm_tsc_scaling();
	return script_complete(script, &config);
}

struct script *script_create_own(void (*hooks)(struct v3_os_hooks *hooks), uint32_t policy,
				 uint64_t yield_ns)
{
	const int32_t cpu = 1;
	struct v3_vm_config config = {
		.cpus = &cpu, .yield_policy = policy, .yield_ns = yield_ns,
	};
	struct script *script = script_new();

	hooks(v3_fake_host_hooks(script->fake));
	return script_complete(script, &config);
}

static void tables_write(struct script *script)
{
	uint64_t entry = (TABLES + 0x1000) | V3_PTE_P | V3_PTE_W | V3_PTE_U;
	unsigned int i;

	assert_int_equal(v3_vm_write(script->vm, TABLES, &entry, 8), V3_OK);
	entry = (TABLES + 0x2000) | V3_PTE_P | V3_PTE_W | V3_PTE_U;
	assert_int_equal(v3_vm_write(script->vm, TABLES + 0x1000, &entry, 8), V3_OK);
	/* The second 1 GiB is the one with the devices' addresses (3 to 4 GiB). */
	entry = 0xc0000000ull | V3_PTE_P | V3_PTE_W | V3_PTE_PS;
	assert_int_equal(v3_vm_write(script->vm, TABLES + 0x1000 + 3 * 8, &entry, 8), V3_OK);
	for (i = 0; i < 512; i++) {
		entry = (uint64_t)i << 21 | V3_PTE_P | V3_PTE_W | V3_PTE_U | V3_PTE_PS;
		assert_int_equal(v3_vm_write(script->vm, TABLES + 0x2000 + 8 * i, &entry, 8),
				 V3_OK);
	}
}

void script_code(struct script *script, const void *bytes, size_t len)
{
	tables_write(script);
	enter_mode64(script->vcpu, TABLES, SCRIPT_RIP);
	assert_int_equal(v3_vm_write(script->vm, SCRIPT_RIP, bytes, len), V3_OK);
}

void script_end(struct script *script)
{
	v3_vm_end(script->vm, V3_END_EXIT, 77, "script is over");
}

void script_run(struct script *script, script_fn fn)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	unsigned int i;

	script->fn = fn;
	assert_int_equal(v3_vm_start(script->vm), V3_OK);
	for (i = 0; v3_vm_state(script->vm, NULL) != V3_VM_STOPPED; i++) {
		assert_true(i < 100000);
		nanosleep(&pause, NULL);
	}
	assert_int_equal(v3_vm_stop(script->vm), V3_OK);
}

void script_destroy(struct script *script)
{
	v3_vm_destroy(script->vm);
	assert_int_equal(v3_exit(script->host), V3_OK);
	v3_fake_host_destroy(script->fake);
	current = NULL;
	free(script);
}

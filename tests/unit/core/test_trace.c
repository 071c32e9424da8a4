/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event trace: what is recorded, overwriting, readers beside a writer, the host's hook; the
 * last exits.
 */
#include "guest.h"

#include <pthread.h>
#include <string.h>

#include <v3/inspect.h>
#include <v3/trace.h>

#include "x86/cr.h"

/* cpuid; out 0xe9, al; hlt */
static const uint8_t code[16] = { 0x0f, 0xa2, 0xe6, 0xe9, 0xf4, 0x90 };
#define PORT_E9 (0xe9u << 16 | 1u << 4)	/* an OUT of a byte */

static struct v3_trace_event events[V3_TRACE_EVENTS + 8];
static unsigned int count;
static uint64_t position, lost;

static void read_all(struct v3_vcpu *vcpu)
{
	assert_int_equal(v3_trace_read(vcpu, &position, events,
				       sizeof(events) / sizeof(events[0]), &count, &lost), V3_OK);
}

static const struct v3_trace_event *find(unsigned int kind, unsigned int exit_kind)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (events[i].kind == kind &&
		    (kind != V3_TRACE_EXIT || events[i].code == exit_kind))
			return &events[i];
	fail_msg("no event of kind %u, exit %u, among %u", kind, exit_kind, count);
	return NULL;
}

/* All requests that were taken up. */
static uint64_t requested(void)
{
	uint64_t all = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		if (events[i].kind == V3_TRACE_REQUEST)
			all |= events[i].info;
	return all;
}

static void begin(void)
{
	v3_fake_set_cpu(3);	/* the vCPU's thread has another */
	position = lost = 0;
	count = 0;
}

static void test_off(void **state)
{
	struct script *script = guest_create(NULL, code, sizeof(code));

	(void)state;
	begin();
	assert_false(v3_trace_is_on(script->vm));
	assert_int_equal(v3_trace_read(script->vcpu, &position, events, 8, &count, &lost),
			 V3_ERR_NOENT);
	assert_int_equal(count, 0);
	guest_start(script);
	assert_ptr_equal(script->vcpu->enter, script->vm->arch->run);
	guest_intr(script);
	assert_null(script->vcpu->trace);
	guest_destroy(script);
}

static void test_events(void **state)
{
	struct script *script = guest_create(NULL, code, sizeof(code));
	struct fake_intc intc = { .tpr = 0 };
	const struct v3_trace_event *event;

	(void)state;
	begin();
	fake_intc_attach(&intc, script->vm);
	assert_int_equal(v3_trace_set(script->vm, true), V3_OK);
	assert_true(v3_trace_is_on(script->vm));
	guest_start(script);
	script->vmcb->rflags |= V3_RFLAGS_IF;
	script->vmcb->rax = 0x80000001;
	script->gpr[RCX] = 7;
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	script->vmcb->rax = 0x1234ab;
	guest_exit(script, SVM_EXIT_IOIO, PORT_E9, SCRIPT_RIP + 4);
	fake_intc_raise(&intc, script->vcpu, 0x41);
	guest_intr(script);
	read_all(script->vcpu);
	assert_int_equal(lost, 0);
	assert_int_equal(position, count);
	assert_int_equal(find(V3_TRACE_ENTRY, 0)->rip, SCRIPT_RIP);
	event = find(V3_TRACE_EXIT, V3_EXIT_CPUID);
	assert_int_equal(event->rip, SCRIPT_RIP);
	assert_int_equal(event->info, 0x780000001);
	event = find(V3_TRACE_EXIT, V3_EXIT_IO);
	assert_int_equal(event->rip, SCRIPT_RIP + 2);
	assert_int_equal(event->info, 0xe9 | 1 << 16);
	assert_int_equal(event->info2, 0xab);
	assert_true(requested() & V3_TRACE_REQ_INTR);
	event = find(V3_TRACE_INJECT, 0);
	assert_int_equal(event->vector, 0x41);
	assert_int_equal(event->code, 0);
	assert_int_equal(event->flags, 0);
	/* The last one is the entry that it is in; nothing is told twice. */
	assert_int_equal(events[count - 1].kind, V3_TRACE_ENTRY);
	assert_true(events[count - 1].tsc >= events[0].tsc);
	read_all(script->vcpu);
	assert_int_equal(count, 0);
	/* Off: what there is stays. */
	assert_int_equal(v3_trace_set(script->vm, false), V3_OK);
	guest_intr(script);
	guest_intr(script);
	read_all(script->vcpu);
	assert_in_range(count, 0, 1);
	position = 0;
	read_all(script->vcpu);
	assert_true(count > 8);
	guest_destroy(script);
}

static void test_exception(void **state)
{
	struct script *script = guest_create(NULL, code, sizeof(code));
	const struct v3_trace_event *event;

	(void)state;
	begin();
	assert_int_equal(v3_trace_set(script->vm, true), V3_OK);
	guest_start(script);
	guest_exit(script, SVM_EXIT_EXCEPTION + 17, 0x55, 0);
	read_all(script->vcpu);
	assert_int_equal(find(V3_TRACE_EXIT, V3_EXIT_EXCEPTION)->info, 17);
	event = find(V3_TRACE_INJECT, 0);
	assert_int_equal(event->vector, 17);
	assert_int_equal(event->code, 3);
	assert_int_equal(event->flags, 1);
	guest_destroy(script);
}

/* --- The ring by itself: a vCPU that is not started, its enter() called by the test --- */

static uint64_t fake_rip;

static void fake_run(struct v3_vcpu *vcpu, struct v3_exit *exit)
{
	vcpu->rip = ++fake_rip;
	*exit = (struct v3_exit){ .kind = V3_EXIT_HLT };
}

static struct v3_arch_ops fake_arch;

static struct script *ring_create(void)
{
	struct script *script = script_create(NULL);

	begin();
	fake_arch = *script->vm->arch;
	fake_arch.run = fake_run;
	script->vm->arch = &fake_arch;
	fake_rip = 0;
	script->vcpu->rip = 0;
	assert_int_equal(v3_trace_set(script->vm, true), V3_OK);
	return script;
}

static void test_overwritten(void **state)
{
	struct script *script = ring_create();
	struct v3_exit exit;
	unsigned int i;

	(void)state;
	for (i = 0; i < V3_TRACE_EVENTS; i++)
		script->vcpu->enter(script->vcpu, &exit);
	read_all(script->vcpu);
	/* Two events each; the oldest slot is the one that would be written now. */
	assert_int_equal(lost, V3_TRACE_EVENTS + 1);
	assert_int_equal(count, V3_TRACE_EVENTS - 1);
	assert_int_equal(position, 2 * V3_TRACE_EVENTS);
	assert_int_equal(events[0].kind, V3_TRACE_EXIT);
	assert_int_equal(events[count - 1].rip, V3_TRACE_EVENTS);
	/* In pieces, and with a position that never was. */
	position = 2 * V3_TRACE_EVENTS - 3;
	assert_int_equal(v3_trace_read(script->vcpu, &position, events, 2, &count, &lost), V3_OK);
	assert_int_equal(count, 2);
	assert_int_equal(lost, 0);
	assert_int_equal(position, 2 * V3_TRACE_EVENTS - 1);
	position = ~0ull;
	read_all(script->vcpu);
	assert_int_equal(count, 0);
	assert_int_equal(position, 2 * V3_TRACE_EVENTS);
	script_destroy(script);
}

static struct {
	struct v3_vcpu *vcpu;
	bool over;
} writer;

static void *write_on(void *arg)
{
	struct v3_exit exit;

	(void)arg;
	while (!__atomic_load_n(&writer.over, __ATOMIC_RELAXED))
		writer.vcpu->enter(writer.vcpu, &exit);
	return NULL;
}

/*
 * Whatever is read is whole and in order, though the writer comes round all the time. Goes on until it
 * has been too slow and fast enough.
 */
static void test_beside_writer(void **state)
{
	struct script *script = ring_create();
	uint64_t at, got = 0, missed = 0;
	unsigned int round, i;
	pthread_t thread;

	(void)state;
	writer.vcpu = script->vcpu;
	writer.over = false;
	assert_int_equal(pthread_create(&thread, NULL, write_on, NULL), 0);
	for (round = 0; round < 3000 || !missed || !got; round++) {
		uint64_t before = position;

		read_all(script->vcpu);
		assert_int_equal(before + lost + count, position);
		for (i = 0; i < count; i++) {
			at = position - count + i;
			assert_int_equal(events[i].kind, at & 1 ? V3_TRACE_EXIT : V3_TRACE_ENTRY);
			assert_int_equal(events[i].rip, (at + 1) / 2);
		}
		got += count;
		missed += lost;
	}
	__atomic_store_n(&writer.over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	script_destroy(script);
}

static void test_no_memory(void **state)
{
	struct script *script = script_create(NULL);

	(void)state;
	v3_fake_host_fail_nth(script->fake, 1);
	assert_int_equal(v3_trace_set(script->vm, true), V3_ERR_NOMEM);
	v3_fake_host_fail_nth(script->fake, 0);
	assert_false(v3_trace_is_on(script->vm));
	assert_null(script->vcpu->trace);
	assert_int_equal(v3_trace_set(script->vm, false), V3_OK);
	script_destroy(script);
}

/* --- The host's hook --- */

static unsigned int host_events;

static void host_trace(void *ctx, struct v3_vcpu *vcpu, void *vm_ctx,
		       const struct v3_trace_event *event)
{
	(void)ctx;
	(void)vm_ctx;
	assert_ptr_equal(vcpu, writer.vcpu);
	assert_in_range(event->kind, V3_TRACE_ENTRY, V3_TRACE_REQUEST);
	host_events++;
}

static void test_host_hook(void **state)
{
	struct script *script = ring_create();
	struct v3_exit exit;

	(void)state;
	writer.vcpu = script->vcpu;
	assert_int_equal(v3_trace_set(script->vm, false), V3_OK);
	/* A host without the hook: nothing changes. */
	script->host->os.trace = NULL;
	v3_trace_host(script->vm, true);
	assert_ptr_equal(script->vcpu->enter, fake_run);
	script->host->os.trace = host_trace;
	host_events = 0;
	v3_trace_host(script->vm, true);
	script->vcpu->enter(script->vcpu, &exit);
	assert_int_equal(host_events, 2);
	assert_int_equal(v3_trace_set(script->vm, true), V3_OK);
	script->vcpu->enter(script->vcpu, &exit);
	assert_int_equal(host_events, 4);
	read_all(script->vcpu);
	assert_int_equal(count, 2);
	v3_trace_host(script->vm, false);
	script->vcpu->enter(script->vcpu, &exit);
	assert_int_equal(host_events, 4);
	read_all(script->vcpu);
	assert_int_equal(count, 2);
	assert_int_equal(v3_trace_set(script->vm, false), V3_OK);
	assert_ptr_equal(script->vcpu->enter, fake_run);
	script_destroy(script);
}

/* --- The last exits, which are there without any of it --- */

static void look(struct script *script, struct v3_vcpu_inspection *at)
{
	assert_int_equal(v3_vcpu_inspect(script->vcpu, 0, at), V3_OK);
	assert_int_equal(at->zero2, 0);
}

/* A CPUID at the start of the code. */
static void leave_cpuid(struct script *script, uint64_t leaf, uint64_t subleaf)
{
	guest_set_rip(script, 0);
	script->vmcb->rax = leaf;
	script->gpr[RCX] = subleaf;
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
}

static void test_last_exits(void **state)
{
	struct script *script = guest_create(NULL, code, sizeof(code));
	struct v3_vcpu_inspection at;
	struct v3_vm_end end;

	(void)state;
	begin();
	look(script, &at);
	assert_int_equal(at.num_exits, 0);
	assert_int_equal(at.last_exit.kind, 0);
	guest_start(script);
	leave_cpuid(script, 0x80000001, 7);
	script->vmcb->rax = 0x1234ab;
	guest_exit(script, SVM_EXIT_IOIO, PORT_E9, SCRIPT_RIP + 4);
	script->gpr[RDX] = 0x11;
	script->gpr[RCX] = 0xc0000102;
	guest_exit(script, SVM_EXIT_MSR, 1, 0);
	guest_exit_ends(script, SVM_EXIT_SHUTDOWN, 0, 0, &end);
	assert_int_equal(end.kind, V3_END_CRASH);
	look(script, &at);
	assert_int_equal(at.num_exits, 4);
	assert_int_equal(at.exits[0].kind, V3_TRACE_EXIT);
	assert_int_equal(at.exits[0].code, V3_EXIT_CPUID);
	assert_int_equal(at.exits[0].rip, SCRIPT_RIP);
	/* As they were before the answer went into the same registers. */
	assert_int_equal(at.exits[0].info, 0x780000001);
	assert_int_equal(at.exits[0].tsc, 0);
	assert_int_equal(at.exits[1].code, V3_EXIT_IO);
	assert_int_equal(at.exits[1].rip, SCRIPT_RIP + 2);
	assert_int_equal(at.exits[1].info2, 0xab);
	assert_int_equal(at.exits[2].code, V3_EXIT_WRMSR);
	assert_int_equal(at.exits[2].info, 0xc0000102);
	assert_int_equal(at.exits[2].info2 >> 32, 0x11);
	assert_int_equal(at.exits[3].code, V3_EXIT_SHUTDOWN);
	assert_memory_equal(&at.last_exit, &at.exits[3], sizeof(at.last_exit));
	assert_null(script->vcpu->trace);
	/* Another life */
	assert_int_equal(v3_vm_reset(script->vm), V3_OK);
	look(script, &at);
	assert_int_equal(at.num_exits, 0);
	guest_destroy(script);
}

/* More than are kept; those where the guest was not entered do not count. */
static void test_last_exits_of_many(void **state)
{
	struct script *script = guest_create(NULL, code, sizeof(code));
	struct v3_vcpu_inspection at;
	struct v3_vm_end end;
	unsigned int i;

	(void)state;
	begin();
	guest_start(script);
	for (i = 0; i < 3 * V3_INSPECT_EXITS; i++) {
		/* A timer that is due when it is on its way in. */
		script->vcpu->local_tsc = 0;
		leave_cpuid(script, i, 0);
	}
	assert_in_range(script->vcpu->stats.exits[V3_EXIT_NONE], i, 2 * i);
	guest_exit_ends(script, SVM_EXIT_SHUTDOWN, 0, 0, &end);
	look(script, &at);
	assert_int_equal(at.num_exits, V3_INSPECT_EXITS);
	for (i = 0; i < V3_INSPECT_EXITS - 1; i++) {
		assert_int_equal(at.exits[i].code, V3_EXIT_CPUID);
		assert_int_equal(at.exits[i].info, 2 * V3_INSPECT_EXITS + 1 + i);
	}
	assert_int_equal(at.last_exit.code, V3_EXIT_SHUTDOWN);
	guest_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_exception),
		cmocka_unit_test(test_overwritten),
		cmocka_unit_test(test_beside_writer),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_host_hook),
		cmocka_unit_test(test_last_exits),
		cmocka_unit_test(test_last_exits_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

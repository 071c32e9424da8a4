/* SPDX-License-Identifier: BSD-2-Clause */
/* VMs that own their CPUs: what the host is asked on the way into the guest and out of it. */
#include "guest.h"

#include <string.h>

#include <v3/trace.h>

#include "fakes/fake_x86_state.h"
#include "own_guest.h"
#include "x86/cr.h"

#define YIELD_NS 5000000000ull

/* The host's part. Its counters are written by the vCPU's thread. */
struct v3_host_own {
	struct v3_own_request request;
	unsigned int begins, ends, enters, refused, leaves, yields, waits;
	unsigned int refuse;	/* so many entries from now on */
	unsigned int asked;	/* should_yield and yield */
	struct v3_fake_host *late; /* own_yield takes 20 ms on it, once; or NULL */
	bool inside;		/* between own_enter and own_leave */
	enum v3_status status;	/* of own_begin */
};

static struct v3_host_own own;
static void (*real_wait)(void *ctx, struct v3_host_event *event, uint64_t deadline);

static unsigned int count(const unsigned int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static void add(unsigned int *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
}

static enum v3_status own_begin(void *ctx, const struct v3_own_request *request,
				struct v3_host_own **out)
{
	(void)ctx;
	CHECK(fake_thread.irqs_on && !v3_fake_host_in_fpu());
	own.request = *request;
	if (own.status != V3_OK)
		return own.status;
	add(&own.begins);
	*out = &own;
	return V3_OK;
}

static void own_end(void *ctx, struct v3_host_own *it)
{
	(void)ctx;
	CHECK(it == &own && !own.inside);
	add(&own.ends);
}

static bool own_enter(void *ctx, struct v3_host_own *it)
{
	(void)ctx;
	CHECK(it == &own && !own.inside && !v3_fake_gif() && v3_fake_host_in_fpu());
	if (count(&own.refuse)) {
		__atomic_fetch_sub(&own.refuse, 1, __ATOMIC_SEQ_CST);
		add(&own.refused);
		return false;
	}
	add(&own.enters);
	own.inside = true;
	return true;
}

static void own_leave(void *ctx, struct v3_host_own *it)
{
	(void)ctx;
	CHECK(it == &own && own.inside && !v3_fake_gif());
	own.inside = false;
	add(&own.leaves);
}

static void own_yield(void *ctx, struct v3_host_own *it)
{
	(void)ctx;
	CHECK(it == &own && !own.inside && v3_fake_gif() && !v3_fake_host_in_fpu());
	add(&own.yields);
	if (own.late)
		v3_fake_host_advance(own.late, 20000000);
	own.late = NULL;
}

static void own_wait(void *ctx, struct v3_host_own *it, struct v3_host_event *event,
		     uint64_t deadline)
{
	CHECK(it == &own && !own.inside && !v3_fake_host_in_fpu());
	add(&own.waits);
	real_wait(ctx, event, deadline);
}

static bool should_yield(void *ctx)
{
	(void)ctx;
	add(&own.asked);
	return true;	/* a guest that asked would never run */
}

static void yield(void *ctx)
{
	(void)ctx;
	add(&own.asked);
}

static void hooks_add(struct v3_os_hooks *hooks)
{
	real_wait = hooks->event_wait;
	hooks->should_yield = should_yield;
	hooks->yield = yield;
	hooks->own_begin = own_begin;
	hooks->own_end = own_end;
	hooks->own_enter = own_enter;
	hooks->own_leave = own_leave;
	hooks->own_yield = own_yield;
	hooks->own_wait = own_wait;
}

static struct script *create(uint32_t policy)
{
	uint8_t code[64];
	struct script *script;

	memset(&own, 0, sizeof(own));
	memset(code, 0xf4, sizeof(code));
	script = script_create_own(hooks_add, policy, policy == V3_YIELD_INTERVAL ? YIELD_NS : 0);
	guest_prepare(script, code, sizeof(code));
	own.asked = 0;	/* whoever creates the VM, and destroys it, is no vCPU */
	return script;
}

static void destroy(struct script *script)
{
	unsigned int asked = count(&own.asked);

	guest_destroy(script);
	assert_int_equal(own.begins, own.ends);
	assert_int_equal(own.enters, own.leaves);
	assert_int_equal(asked, 0);
}

/* The policy is the host's business: libv3 tells it, and asks in own_enter only. */
static void test_policies(void **state)
{
	uint32_t policy;
	unsigned int i;

	(void)state;
	for (policy = V3_YIELD_NEVER; policy <= V3_YIELD_INTERVAL; policy++) {
		struct script *script = create(policy);

		guest_start(script);
		assert_int_equal(own.begins, 1);
		assert_int_equal(own.request.policy, policy);
		assert_int_equal(own.request.yield_ns,
				 policy == V3_YIELD_INTERVAL ? YIELD_NS : 0);
		assert_int_equal(own.request.cpu, 1);
		assert_int_equal(own.request.vcpu, 0);
		assert_null(own.request.vm_ctx);
		for (i = 0; i < 20; i++) {
			guest_set_rip(script, 0);
			guest_exit(script, i % 2 ? SVM_EXIT_INTR : SVM_EXIT_CPUID, 0, 0);
		}
		assert_int_equal(count(&own.enters), 21);
		assert_int_equal(count(&own.yields), 0);
		assert_int_equal(count(&own.refused), 0);
		destroy(script);
	}
}

/* Once for each refusal the thread leaves, and gives the CPU away there only. */
static void test_yield(void **state)
{
	struct script *script = create(V3_YIELD_INTERVAL);

	(void)state;
	guest_start(script);
	__atomic_store_n(&own.refuse, 3, __ATOMIC_SEQ_CST);
	guest_exit(script, SVM_EXIT_INTR, 0, 0);
	assert_int_equal(count(&own.refused), 3);
	assert_int_equal(count(&own.yields), 3);
	assert_int_equal(count(&own.enters), 2);
	destroy(script);
}

static void fire(struct v3_timer *timer, void *fired)
{
	(void)timer;
	add(fired);
}

/* A timer is due when the host is done: it runs, although the host was not asked again. */
static void test_yield_timer(void **state)
{
	struct script *script = create(V3_YIELD_INTERVAL);
	unsigned int fired = 0;
	struct v3_timer timer;

	(void)state;
	guest_start(script);
	v3_timer_init(&timer, script->vcpu, fire, &fired);
	v3_timer_arm(&timer, v3_now(script->vm) + 10000000);
	guest_intr(script);
	own.late = script->fake;
	__atomic_store_n(&own.refuse, 1, __ATOMIC_SEQ_CST);
	guest_intr(script);
	assert_int_equal(count(&own.refused), 1);
	assert_int_equal(count(&own.yields), 1);
	assert_int_equal(count(&fired), 1);
	destroy(script);
}

/* It starts with an interrupt controller, and takes interrupts. */
static void start_with(struct script *script, struct fake_intc *intc)
{
	memset(intc, 0, sizeof(*intc));
	fake_intc_attach(intc, script->vm);
	guest_start(script);
	script->vmcb->rflags |= V3_RFLAGS_IF;
}

/* An event that was to go in is not lost when the host wants the CPU first. */
static void test_event(void **state)
{
	struct script *script = create(V3_YIELD_INTERVAL);
	static struct fake_intc intc;

	(void)state;
	start_with(script, &intc);
	__atomic_store_n(&own.refuse, 1, __ATOMIC_SEQ_CST);
	fake_intc_raise(&intc, script->vcpu, 0x31);
	guest_exit(script, SVM_EXIT_INTR, 0, 0);
	assert_int_equal(count(&own.refused), 1);
	assert_int_equal(script->vmcb->event_inj, INJ_INTR(0x31));
	assert_int_equal(intc.acks, 1);
	destroy(script);
}

static void test_halt(void **state)
{
	struct script *script = create(V3_YIELD_NEVER);
	static struct fake_intc intc;

	(void)state;
	start_with(script, &intc);
	guest_exit_halts(script, SVM_EXIT_HLT);
	fake_intc_raise(&intc, script->vcpu, 0x31);
	guest_wait(script);
	assert_true(count(&own.waits) > 0);
	assert_int_equal(count(&own.yields), 1);
	destroy(script);
}

/* Others pause and trace it meanwhile; each entry has its exit. */
static void test_control(void **state)
{
	struct script *script = create(V3_YIELD_ON_HALT);
	unsigned int i;

	(void)state;
	guest_start(script);
	for (i = 0; i < 10; i++) {
		assert_int_equal(v3_trace_set(script->vm, i % 2 == 0), V3_OK);
		guest_pause(script);
		assert_int_equal(count(&own.enters), count(&own.leaves));
		assert_int_equal(v3_vm_resume(script->vm), V3_OK);
		guest_wait(script);
		guest_set_rip(script, 0);
		guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	}
	assert_int_equal(count(&own.waits), 0);
	destroy(script);
}

/* Its own CPU is not to be had: the VM does not start, and may be started again. */
static void test_begin_fails(void **state)
{
	struct script *script = create(V3_YIELD_NEVER);

	(void)state;
	own.status = V3_ERR_BUSY;
	assert_int_equal(v3_vm_start(script->vm), V3_ERR_BUSY);
	assert_int_equal(v3_vm_state(script->vm, NULL), V3_VM_CREATED);
	assert_false(v3_fake_host_virt_held(script->fake, 1) &&
		     v3_cpu_disable(script->host, 1) != V3_OK);
	own.status = V3_OK;
	guest_start(script);
	assert_int_equal(own.begins, 1);
	destroy(script);
}

static void test_hooks(void **state)
{
	struct v3_fake_host *fake = v3_fake_host_create();
	struct v3_os_hooks hooks;
	struct v3_host *host;
	unsigned int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		hooks = *v3_fake_host_hooks(fake);
		hooks_add(&hooks);
		hooks.own_end = i == 0 ? NULL : own_end;
		hooks.own_enter = i == 1 ? NULL : own_enter;
		hooks.own_leave = i == 2 ? NULL : own_leave;
		hooks.own_yield = i == 3 ? NULL : own_yield;
		hooks.own_wait = i == 4 ? NULL : own_wait;
		v3_fake_host_log_clear(fake);
		assert_int_equal(v3_init(&hooks, &host), V3_ERR_HOOK);
		assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "own_end, own_enter"));
	}
	v3_fake_host_destroy(fake);
}

static const struct v3_mem_config two_mib = { .size = 2ull << 20, .node = V3_NODE_ANY };
static const int32_t two_cpus[2] = { 1, 2 };

static struct v3_vm_config owning(void)
{
	return (struct v3_vm_config){
		.struct_size = sizeof(struct v3_vm_config), .num_vcpus = 2, .name = "vm",
		.mem = &two_mib, .num_mem = 1, .cpus = two_cpus, .yield_policy = V3_YIELD_NEVER,
	};
}

static void refused(struct v3_host *host, const struct v3_vm_config *config, enum v3_status want)
{
	struct v3_vm *vm;

	assert_int_equal(v3_vm_create(host, config, &vm), want);
}

static void test_bad_config(void **state)
{
	const int32_t any[2] = { 1, V3_CPU_ANY }, twice[2] = { 2, 2 };
	struct v3_fake_host *fake = v3_fake_host_create();
	struct v3_os_hooks hooks = *v3_fake_host_hooks(fake);
	struct v3_vm_config config = owning();
	struct v3_host *host;

	(void)state;
	/* A host that gives no CPUs away. */
	assert_int_equal(v3_init(&hooks, &host), V3_OK);
	refused(host, &config, V3_ERR_NOTSUP);
	assert_int_equal(v3_exit(host), V3_OK);
	hooks_add(&hooks);
	assert_int_equal(v3_init(&hooks, &host), V3_OK);
	config = owning(), config.yield_policy = V3_YIELD_INTERVAL + 1;
	refused(host, &config, V3_ERR_INVALID);
	config = owning(), config.yield_policy = V3_YIELD_INTERVAL;
	refused(host, &config, V3_ERR_INVALID);
	config = owning(), config.yield_ns = YIELD_NS;
	refused(host, &config, V3_ERR_INVALID);
	config = owning(), config.yield_policy = V3_YIELD_SHARED, config.yield_ns = YIELD_NS;
	refused(host, &config, V3_ERR_INVALID);
	config = owning(), config.reserved3 = 1;
	refused(host, &config, V3_ERR_INVALID);
	config = owning(), config.cpus = NULL;
	refused(host, &config, V3_ERR_INVALID);
	config = owning(), config.cpus = any;
	refused(host, &config, V3_ERR_INVALID);
	config = owning(), config.cpus = twice;
	refused(host, &config, V3_ERR_INVALID);
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_yield),
		cmocka_unit_test(test_yield_timer),
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_halt),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_begin_fails),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_bad_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

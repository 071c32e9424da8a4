/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

/* Real seconds after which a state that does not come fails the test. */
#define PATIENCE 20

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void in_vmrun(struct script *script, unsigned int n)
{
	(void)n;
	pthread_mutex_lock(&mutex);
	script->in_guest = true;
	pthread_cond_broadcast(&cond);
	while (!script->go && !script->over)
		pthread_cond_wait(&cond, &mutex);
	script->go = false;
	script->in_guest = false;
	pthread_mutex_unlock(&mutex);
}

struct script *guest_create(void (*prepare)(void), const void *code, size_t len)
{
	struct script *script = script_create(prepare);

	guest_prepare(script, code, len);
	return script;
}

void guest_prepare(struct script *script, const void *code, size_t len)
{
	script->fn = in_vmrun;
	v3_fake_host_set_auto_clock(script->fake, false);
	script_code(script, code, len);
}

static bool guest_is_in(const struct script *script)
{
	bool is;

	pthread_mutex_lock(&mutex);
	is = script->in_guest && !script->go;
	pthread_mutex_unlock(&mutex);
	return is;
}

static bool sleeps(struct script *script)
{
	return __atomic_load_n(&script->vcpu->mode, __ATOMIC_SEQ_CST) == V3_VCPU_WAITING;
}

static bool stopped(struct script *script)
{
	return v3_vm_state(script->vm, NULL) == V3_VM_STOPPED;
}

static void pause_a_bit(time_t *give_up)
{
	const struct timespec pause = { .tv_nsec = 20000 };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!*give_up)
		*give_up = now.tv_sec + PATIENCE;
	nanosleep(&pause, NULL);
}

static void expired(struct script *script, time_t give_up, const char *what)
{
	struct timespec now;
	struct v3_vm_end end;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec < give_up)
		return;
	v3_vm_state(script->vm, &end);
	fail_msg("the vCPU does not %s; the VM's end: %d %s", what, (int)end.kind, end.reason);
}

void guest_wait(struct script *script)
{
	time_t give_up = 0;

	while (!guest_is_in(script)) {
		if (stopped(script)) {
			struct v3_vm_end end;

			v3_vm_state(script->vm, &end);
			fail_msg("the VM has ended: %d %s", (int)end.kind, end.reason);
		}
		pause_a_bit(&give_up);
		expired(script, give_up, "enter the guest");
	}
}

void guest_start(struct script *script)
{
	assert_int_equal(v3_vm_start(script->vm), V3_OK);
	guest_wait(script);
}

void guest_leave(struct script *script, uint64_t code, uint64_t info1, uint64_t info2)
{
	script_exit(script, code, info1, info2);
	pthread_mutex_lock(&mutex);
	script->go = true;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
}

void guest_exit(struct script *script, uint64_t code, uint64_t info1, uint64_t info2)
{
	guest_leave(script, code, info1, info2);
	guest_wait(script);
}

void guest_intr(struct script *script)
{
	guest_exit(script, SVM_EXIT_INTR, 0, 0);
}

void guest_exit_halts(struct script *script, uint64_t code)
{
	time_t give_up = 0;

	guest_leave(script, code, 0, 0);
	while (!sleeps(script)) {
		pause_a_bit(&give_up);
		expired(script, give_up, "sleep");
	}
}

void guest_exit_ends(struct script *script, uint64_t code, uint64_t info1, uint64_t info2,
		     struct v3_vm_end *end)
{
	time_t give_up = 0;

	guest_leave(script, code, info1, info2);
	while (!stopped(script)) {
		pause_a_bit(&give_up);
		expired(script, give_up, "end");
	}
	v3_vm_state(script->vm, end);
}

static void kicked(void *arg, unsigned int cpu)
{
	struct script *script = arg;

	(void)cpu;
	pthread_mutex_lock(&mutex);
	script->go = true;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
}

void guest_pause(struct script *script)
{
	v3_fake_host_on_kick(script->fake, kicked, script);
	assert_int_equal(v3_vm_pause(script->vm), V3_OK);
	v3_fake_host_on_kick(script->fake, NULL, NULL);
	pthread_mutex_lock(&mutex);
	script->go = false;
	pthread_mutex_unlock(&mutex);
}

void guest_destroy(struct script *script)
{
	pthread_mutex_lock(&mutex);
	script->over = true;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	assert_int_equal(v3_vm_stop(script->vm), V3_OK);
	script_destroy(script);
}

uint64_t guest_rip(const struct script *script)
{
	return script->vmcb->rip - SCRIPT_RIP;
}

void guest_set_rip(struct script *script, uint64_t offset)
{
	script->vmcb->rip = SCRIPT_RIP + offset;
}

/* --- Interrupt controller --- */

static int highest(const struct fake_intc *intc)
{
	int vector;

	for (vector = 255; vector >= 16; vector--)
		if (__atomic_load_n(&intc->pending[vector], __ATOMIC_ACQUIRE))
			return vector;
	return -1;
}

static int intc_peek(struct v3_vcpu *vcpu, void *ctx, bool *tpr_blocked)
{
	const struct fake_intc *intc = ctx;
	int vector = highest(intc);

	(void)vcpu;
	*tpr_blocked = vector >= 0 && (unsigned int)vector >> 4 <= intc->tpr;
	return *tpr_blocked ? -1 : vector;
}

static int intc_ack(struct v3_vcpu *vcpu, void *ctx)
{
	struct fake_intc *intc = ctx;
	bool blocked;
	int vector = intc->spurious ? -1 : intc_peek(vcpu, ctx, &blocked);

	intc->acks++;
	if (intc->spurious)
		memset(intc->pending, 0, sizeof(intc->pending));
	if (vector >= 0)
		__atomic_store_n(&intc->pending[vector], 0, __ATOMIC_RELEASE);
	return vector;
}

static unsigned int intc_tpr_get(struct v3_vcpu *vcpu, void *ctx)
{
	const struct fake_intc *intc = ctx;

	(void)vcpu;
	return intc->tpr;
}

static void intc_tpr_set(struct v3_vcpu *vcpu, void *ctx, unsigned int cr8)
{
	struct fake_intc *intc = ctx;

	(void)vcpu;
	intc->tpr = cr8;
	intc->tpr_sets++;
}

static void intc_irq_set(void *ctx, unsigned int gsi, bool level)
{
	struct fake_intc *intc = ctx;

	intc->lines = (intc->lines & ~(1u << gsi)) | (uint32_t)level << gsi;
}

static void intc_init(struct v3_vcpu *vcpu, void *ctx)
{
	struct fake_intc *intc = ctx;

	(void)vcpu;
	intc->inits++;
}

static void intc_timer(struct v3_vcpu *vcpu, void *ctx, bool due)
{
	struct fake_intc *intc = ctx;

	(void)vcpu;
	(void)due;
	__atomic_add_fetch(&intc->timers, 1, __ATOMIC_SEQ_CST);
}

void fake_intc_attach(struct fake_intc *intc, struct v3_vm *vm)
{
	static const struct v3_intc_ops ops = {
		.peek = intc_peek, .ack = intc_ack, .tpr_get = intc_tpr_get,
		.tpr_set = intc_tpr_set, .irq_set = intc_irq_set, .init = intc_init,
		.timer = intc_timer,
	};

	memset(intc, 0, sizeof(*intc));
	assert_int_equal(v3_intc_attach(vm, &ops, intc), V3_OK);
}

void fake_intc_raise(struct fake_intc *intc, struct v3_vcpu *vcpu, uint8_t vector)
{
	__atomic_store_n(&intc->pending[vector], 1, __ATOMIC_RELEASE);
	v3_vcpu_check_intr(vcpu);
}

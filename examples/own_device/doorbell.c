/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that a device can have, with the public API alone: a port, a page of registers, an interrupt
 * line, a timer, and what a VM does with devices: reset, save, load, destroy.
 */
#include "doorbell.h"

#define STATE_VERSION	1

struct doorbell {
	struct v3_vm *vm;	/* constant */
	struct v3_timer timer;
	uint32_t lock;		/* guards what follows */
	uint32_t control, status;
	uint64_t count;
	uint64_t deadline;	/* of the timer, by v3_now(); 0: not armed */
};

/* What is saved: no pointers, and time as what is left of it. */
struct doorbell_state {
	uint32_t version, reserved;
	uint32_t control, status;
	uint64_t count;
	uint64_t left;		/* nanoseconds; 0: not armed */
};

/*
 * Several vCPUs may be in the handlers at once. They cannot be preempted there, so this is a
 * spinlock without more; a kernel takes its own.
 */
static void lock(struct doorbell *db)
{
	while (__atomic_exchange_n(&db->lock, 1, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
}

static void unlock(struct doorbell *db)
{
	__atomic_store_n(&db->lock, 0, __ATOMIC_RELEASE);
}

/* After each change, with the lock held: the line is asserted while there is a reason for it. */
static void update_line(struct doorbell *db)
{
	v3_irq_set(db->vm, DOORBELL_GSI, (db->control & DOORBELL_ENABLE) && db->status);
}

/* Lock held. */
static void set_timer(struct doorbell *db, uint64_t delay)
{
	if (delay > DOORBELL_DELAY_MAX)
		delay = DOORBELL_DELAY_MAX;
	db->deadline = delay ? v3_now(db->vm) + delay : 0;
	if (delay)
		v3_timer_arm(&db->timer, db->deadline);
	else
		v3_timer_cancel(&db->timer);
}

static uint64_t time_left(const struct doorbell *db)
{
	uint64_t now = v3_now(db->vm);

	if (!db->deadline)
		return 0;
	/* Due, but its callback has not run yet: still armed. */
	return db->deadline > now ? db->deadline - now : 1;
}

/* A timer that was moved or cancelled may still have been on its way here. */
static void timer_fired(struct v3_timer *timer, void *ctx)
{
	struct doorbell *db = ctx;

	(void)timer;
	lock(db);
	if (db->deadline && db->deadline <= v3_now(db->vm)) {
		db->deadline = 0;
		db->status |= DOORBELL_TIMER;
		update_line(db);
	}
	unlock(db);
}

/* --- Port --- */

static uint32_t port_in(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	struct doorbell *db = ctx;
	uint32_t count;

	(void)vcpu;
	(void)size;
	lock(db);
	count = (uint32_t)db->count;
	unlock(db);
	return count >> (8 * (port - DOORBELL_PORT));
}

static void port_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		     uint32_t value)
{
	struct doorbell *db = ctx;

	(void)vcpu;
	/* A doorbell has one button, not four. */
	if (port != DOORBELL_PORT || size != 4 || !value)
		return;
	lock(db);
	db->count += value;
	db->status |= DOORBELL_RUNG;
	update_line(db);
	unlock(db);
}

static const struct v3_io_ops port_ops = { port_in, port_out };

/* --- Registers --- */

static uint64_t reg_read(const struct doorbell *db, uint64_t offset)
{
	switch (offset) {
	case DOORBELL_ID:
		return DOORBELL_ID_VALUE;
	case DOORBELL_CONTROL:
		return db->control;
	case DOORBELL_STATUS:
		return db->status;
	case DOORBELL_COUNT:
		return db->count;
	case DOORBELL_DELAY:
		return time_left(db);
	default:
		return UINT64_MAX;
	}
}

static void reg_write(struct doorbell *db, uint64_t offset, uint64_t value)
{
	switch (offset) {
	case DOORBELL_CONTROL:
		db->control = value & DOORBELL_ENABLE;
		break;
	case DOORBELL_STATUS:
		db->status &= ~(uint32_t)value;
		break;
	case DOORBELL_DELAY:
		set_timer(db, value);
		break;
	default:
		return;
	}
	update_line(db);
}

static uint64_t mmio_read(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size)
{
	struct doorbell *db = ctx;
	uint64_t value;

	(void)vcpu;
	if (size < 4 || offset & 7)
		return UINT64_MAX;
	lock(db);
	value = reg_read(db, offset);
	unlock(db);
	return value;
}

static void mmio_write(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	struct doorbell *db = ctx;

	(void)vcpu;
	if (size < 4 || offset & 7)
		return;
	lock(db);
	reg_write(db, offset, value);
	unlock(db);
}

static const struct v3_mmio_ops mmio_ops = { mmio_read, mmio_write };

/* --- The device as a whole: no vCPU runs, so the lock is free --- */

static void doorbell_reset(void *ctx)
{
	struct doorbell *db = ctx;

	lock(db);
	db->control = 0;
	db->status = 0;
	db->count = 0;
	set_timer(db, 0);
	update_line(db);
	unlock(db);
}

static size_t doorbell_save(void *ctx, void *buf, size_t room)
{
	const struct doorbell *db = ctx;
	struct doorbell_state state = {
		.version = STATE_VERSION, .control = db->control, .status = db->status,
		.count = db->count, .left = time_left(db),
	};

	if (room >= sizeof(state))
		__builtin_memcpy(buf, &state, sizeof(state));
	return sizeof(state);
}

static enum v3_status doorbell_load(void *ctx, const void *buf, size_t len)
{
	struct doorbell *db = ctx;
	struct doorbell_state state;

	if (len < sizeof(state.version))
		return V3_ERR_FORMAT;
	__builtin_memcpy(&state.version, buf, sizeof(state.version));
	if (state.version != STATE_VERSION)
		return V3_ERR_VERSION;
	if (len != sizeof(state))
		return V3_ERR_FORMAT;
	/* Not a guest's word, but a file's: it is checked as much. */
	__builtin_memcpy(&state, buf, sizeof(state));
	if (state.reserved || state.control & ~DOORBELL_ENABLE ||
	    state.status & ~(DOORBELL_RUNG | DOORBELL_TIMER) || state.left > DOORBELL_DELAY_MAX)
		return V3_ERR_FORMAT;
	lock(db);
	db->control = state.control;
	db->status = state.status;
	db->count = state.count;
	set_timer(db, state.left);
	update_line(db);
	unlock(db);
	return V3_OK;
}

static void doorbell_destroy(void *ctx)
{
	struct doorbell *db = ctx;

	v3_timer_cancel(&db->timer);
	v3_device_free(db->vm, db, sizeof(*db));
}

static const struct v3_device_ops doorbell_ops = {
	.name = DOORBELL_NAME,
	.destroy = doorbell_destroy,
	.reset = doorbell_reset,
	.save = doorbell_save,
	.load = doorbell_load,
};

enum v3_status doorbell_attach(struct v3_vm *vm)
{
	struct doorbell *db = v3_device_alloc(vm, sizeof(*db));
	enum v3_status status;

	if (!db)
		return V3_ERR_NOMEM;
	db->vm = vm;
	v3_timer_init(&db->timer, v3_vm_vcpu(vm, 0), timer_fired, db);
	/* First: from here on it is the VM's, whatever else fails. */
	status = v3_device_add(vm, &doorbell_ops, db);
	if (status != V3_OK) {
		doorbell_destroy(db);
		return status;
	}
	status = v3_irq_claim(vm, DOORBELL_GSI);
	if (status == V3_OK)
		status = v3_io_hook(vm, DOORBELL_PORT, 4, &port_ops, db);
	if (status == V3_OK)
		status = v3_mmio_hook(vm, DOORBELL_MMIO, DOORBELL_MMIO_SIZE, &mmio_ops, db);
	return status;
}

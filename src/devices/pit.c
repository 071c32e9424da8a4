/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 8254 device: ports, interrupt line and timer around three v3_pit_channel.
 */
#include "devices/io.h"
#include "devices/pit.h"
#include "devices/pit_channel.h"
#include "lib/lock.h"

#define PIT_PORT 0x40
#define PIT_PORT_CONTROL 0x43
#define PORT61 0x61
#define PORT61_GATE2 (1u << 0)
#define PORT61_WRITABLE 0x0fu
#define PORT61_REFRESH (1u << 4)
#define PORT61_OUT2 (1u << 5)

/* DRAM refresh requests come every 15 us: 18 ticks. */
#define REFRESH_TICKS 18

/*
 * Shortest time between two timer callbacks. A guest that asks for more interrupts than that gets
 * them coalesced, so that it cannot keep the vCPU's thread busy with nothing but timers.
 */
#define MIN_PERIOD_TICKS (V3_PIT_HZ / 20000)

/*
 * Edges that a busy host made late are caught up with, at twice the rate: guests count them to tell
 * the time and to see whether the timer works. After a longer stop the rest is forgotten.
 */
#define MAX_OWED 64

struct pit {
	struct v3_vm *vm;	/* constant */
	struct v3_lock lock;	/* guards all below */
	struct v3_pit_channel ch[3];
	uint8_t port61;		/* the writable bits */
	bool line;
	int64_t next_edge;	/* of channel 0, in ticks; V3_PIT_NEVER: timer disarmed */
	int64_t next_fire;	/* when the timer fires: next_edge, or sooner for an owed one */
	unsigned int owed;	/* edges that went by while the vCPU did not run */
	struct v3_timer timer;
};

static int64_t pit_ticks(const struct pit *pit)
{
	return v3_ticks_at(v3_now(pit->vm), V3_PIT_HZ);
}

static void pit_set_line(struct pit *pit, bool level)
{
	if (pit->line == level)
		return;
	pit->line = level;
	v3_irq_set(pit->vm, V3_PIT_GSI, level);
}

static bool is_periodic(const struct v3_pit_channel *ch)
{
	return ch->mode == 2 || ch->mode == 3;
}

static void pit_arm(struct pit *pit, int64_t now)
{
	struct v3_pit_channel *ch = &pit->ch[0];

	pit->next_edge = v3_pit_channel_next_edge(ch, now);
	/* Only periodic modes have an edge beyond a skipped one. */
	if (is_periodic(ch) && ch->reload < MIN_PERIOD_TICKS &&
	    pit->next_edge - now < MIN_PERIOD_TICKS)
		pit->next_edge = now + MIN_PERIOD_TICKS;
	pit->next_fire = pit->next_edge;
	if (pit->owed && pit->next_edge - now > (int64_t)ch->reload / 2)
		pit->next_fire = now + (int64_t)ch->reload / 2;
	if (pit->next_edge == V3_PIT_NEVER)
		v3_timer_cancel(&pit->timer);
	else
		v3_timer_arm(&pit->timer, v3_tick_ns(pit->next_fire, V3_PIT_HZ));
}

/* Counts the edges up to now, of which the guest is about to see one. */
static void pit_account(struct pit *pit, int64_t now)
{
	const struct v3_pit_channel *ch = &pit->ch[0];
	uint64_t edges = 0;

	if (!is_periodic(ch) || ch->reload < 2 * MIN_PERIOD_TICKS) {
		pit->owed = 0;
		return;
	}
	if (now >= pit->next_edge)
		edges = (uint64_t)(now - pit->next_edge) / ch->reload + 1;
	edges += pit->owed;
	if (edges > MAX_OWED)
		edges = MAX_OWED;
	pit->owed = (unsigned int)edges - 1;
}

static void pit_timer(struct v3_timer *timer, void *ctx)
{
	struct pit *pit = ctx;
	uint64_t flags = v3_lock_irqsave(&pit->lock);
	int64_t now = pit_ticks(pit);

	(void)timer;
	if (pit->next_edge != V3_PIT_NEVER && now >= pit->next_fire) {
		pit_account(pit, now);
		pit_set_line(pit, false);
		pit_set_line(pit, true);
		pit_arm(pit, now);
	} else if (pit->next_edge != V3_PIT_NEVER) {
		/* Rearmed after the callback had begun. */
		v3_timer_arm(&pit->timer, v3_tick_ns(pit->next_fire, V3_PIT_HZ));
	}
	v3_lock_irqrestore(&pit->lock, flags);
}

/* Channel 0 was written: the line follows OUT, as far as software made it change. */
static void pit_update(struct pit *pit, int64_t now)
{
	pit->owed = 0;
	pit_set_line(pit, v3_pit_channel_out(&pit->ch[0], now));
	pit_arm(pit, now);
}

/* Read-back: bits 5 and 4 select count and status (active low), bits 3:1 the channels. */
static void pit_read_back(struct pit *pit, int64_t now, uint8_t word)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (!(word & 2u << i))
			continue;
		if (!(word & 0x20))
			v3_pit_channel_latch(&pit->ch[i], now);
		if (!(word & 0x10))
			v3_pit_channel_latch_status(&pit->ch[i], now);
	}
}

static void pit_control(struct pit *pit, int64_t now, uint8_t word)
{
	unsigned int select = word >> 6;

	if (select == 3) {
		pit_read_back(pit, now, word);
	} else if (!(word & 0x30)) {
		v3_pit_channel_latch(&pit->ch[select], now);
	} else {
		v3_pit_channel_control(&pit->ch[select], word);
		if (select == 0)
			pit_update(pit, now);
	}
}

static uint8_t pit_in8(void *ctx, uint16_t port)
{
	struct pit *pit = ctx;

	if (port == PIT_PORT_CONTROL)
		return 0xff;
	return v3_pit_channel_read(&pit->ch[port - PIT_PORT], pit_ticks(pit));
}

static void pit_out8(void *ctx, uint16_t port, uint8_t value)
{
	struct pit *pit = ctx;
	int64_t now = pit_ticks(pit);

	if (port == PIT_PORT_CONTROL) {
		pit_control(pit, now, value);
		return;
	}
	v3_pit_channel_write(&pit->ch[port - PIT_PORT], now, value);
	if (port == PIT_PORT)
		pit_update(pit, now);
}

static uint32_t pit_in(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	struct pit *pit = ctx;
	uint64_t flags = v3_lock_irqsave(&pit->lock);
	uint32_t value = v3_in_bytes(pit, port, size, pit_in8);

	(void)vcpu;
	v3_lock_irqrestore(&pit->lock, flags);
	return value;
}

static void pit_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		    uint32_t value)
{
	struct pit *pit = ctx;
	uint64_t flags = v3_lock_irqsave(&pit->lock);

	(void)vcpu;
	v3_out_bytes(pit, port, size, value, pit_out8);
	v3_lock_irqrestore(&pit->lock, flags);
}

static uint32_t port61_in(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	struct pit *pit = ctx;
	uint64_t flags = v3_lock_irqsave(&pit->lock);
	int64_t now = pit_ticks(pit);
	uint32_t value = pit->port61;

	(void)vcpu;
	(void)port;
	(void)size;
	if (now / REFRESH_TICKS & 1)
		value |= PORT61_REFRESH;
	if (v3_pit_channel_out(&pit->ch[2], now))
		value |= PORT61_OUT2;
	v3_lock_irqrestore(&pit->lock, flags);
	return value;
}

static void port61_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		       uint32_t value)
{
	struct pit *pit = ctx;
	uint64_t flags = v3_lock_irqsave(&pit->lock);

	(void)vcpu;
	(void)port;
	(void)size;
	pit->port61 = value & PORT61_WRITABLE;
	v3_pit_channel_set_gate(&pit->ch[2], pit_ticks(pit), value & PORT61_GATE2);
	v3_lock_irqrestore(&pit->lock, flags);
}

static void pit_power_on(void *ctx)
{
	struct pit *pit = ctx;
	uint64_t flags = v3_lock_irqsave(&pit->lock);

	v3_pit_channel_reset(&pit->ch[0], true);
	v3_pit_channel_reset(&pit->ch[1], true);
	v3_pit_channel_reset(&pit->ch[2], false);
	pit->port61 = 0;
	pit_update(pit, pit_ticks(pit));
	v3_lock_irqrestore(&pit->lock, flags);
}

static void pit_destroy(void *ctx)
{
	struct pit *pit = ctx;

	v3_timer_cancel(&pit->timer);
	v3_device_free(pit->vm, pit, sizeof(*pit));
}

static const struct v3_io_ops pit_io_ops = { .in = pit_in, .out = pit_out };
static const struct v3_io_ops port61_io_ops = { .in = port61_in, .out = port61_out };
static const struct v3_device_ops pit_ops = {
	.name = "pit", .destroy = pit_destroy, .reset = pit_power_on,
};

enum v3_status v3_pit_create(struct v3_vm *vm)
{
	struct pit *pit = v3_device_alloc(vm, sizeof(*pit));
	enum v3_status status;

	if (!pit)
		return V3_ERR_NOMEM;
	pit->vm = vm;
	v3_lock_init(&pit->lock);
	v3_timer_init(&pit->timer, v3_vm_vcpu(vm, 0), pit_timer, pit);
	pit_power_on(pit);
	status = v3_device_add(vm, &pit_ops, pit);
	if (status) {
		pit_destroy(pit);
		return status;
	}
	status = v3_io_hook(vm, PIT_PORT, 4, &pit_io_ops, pit);
	if (status)
		return status;
	return v3_io_hook(vm, PORT61, 1, &port61_io_ops, pit);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counting of an 8254 channel, computed from time instead of being stepped.
 */
#include "devices/pit_channel.h"

static uint32_t channel_modulus(const struct v3_pit_channel *ch)
{
	return ch->bcd ? 10000 : 65536;
}

static uint32_t from_bcd(uint16_t v)
{
	return ((v >> 12) * 1000u + (v >> 8 & 15) * 100u + (v >> 4 & 15) * 10u + (v & 15)) % 10000;
}

static uint16_t to_bcd(uint32_t v)
{
	return (uint16_t)(v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

/* Modes 2 and 3 count in cycles: there a new count waits for the end of the present one. */
static bool channel_periodic(const struct v3_pit_channel *ch)
{
	return ch->mode == 2 || ch->mode == 3;
}

/* Modes 1 and 5 start by a rising gate, not by a count. */
static bool channel_triggered(const struct v3_pit_channel *ch)
{
	return ch->mode == 1 || ch->mode == 5;
}

/* Ticks since the counting element held the reload value. */
static int64_t channel_elapsed(const struct v3_pit_channel *ch, int64_t now)
{
	int64_t at = ch->paused ? ch->paused_at : now;

	return at > ch->start ? at - ch->start : 0;
}

static uint32_t channel_phase(const struct v3_pit_channel *ch, int64_t now)
{
	return (uint32_t)(channel_elapsed(ch, now) % ch->reload);
}

/* Ticks of a mode 3 cycle during which OUT is high: one more than low for odd counts. */
static uint32_t high_ticks(uint32_t reload)
{
	return (reload + 1) / 2;
}

/* Takes over a count that waited for the end of a cycle (mode 2) or half cycle (mode 3). */
static void channel_sync(struct v3_pit_channel *ch, int64_t now)
{
	if (!ch->pending || !ch->running || ch->paused || !channel_periodic(ch) ||
	    now < ch->switch_at)
		return;
	ch->pending = false;
	ch->reload = ch->next_reload;
	ch->start = ch->switch_at - (ch->switch_low ? (int64_t)high_ticks(ch->reload) : 0);
}

static uint16_t channel_count(struct v3_pit_channel *ch, int64_t now)
{
	uint32_t modulus = channel_modulus(ch), count, phase;

	channel_sync(ch, now);
	if (!ch->running) {
		count = ch->reload;
	} else if (ch->mode == 2) {
		count = ch->reload - channel_phase(ch, now);
	} else if (ch->mode == 3) {
		phase = channel_phase(ch, now);
		if (phase >= high_ticks(ch->reload))
			phase -= high_ticks(ch->reload);
		count = (ch->reload & ~1u) - 2 * phase;
	} else {
		count = ch->reload + modulus -
			(uint32_t)(channel_elapsed(ch, now) % modulus);
	}
	count %= modulus;
	return ch->bcd ? to_bcd(count) : (uint16_t)count;
}

bool v3_pit_channel_out(struct v3_pit_channel *ch, int64_t now)
{
	channel_sync(ch, now);
	if (!ch->running)
		return ch->mode != 0;
	switch (ch->mode) {
	case 0:
	case 1:
		return channel_elapsed(ch, now) >= ch->reload;
	case 2:
		return ch->paused || channel_phase(ch, now) != ch->reload - 1;
	case 3:
		return ch->paused || channel_phase(ch, now) < high_ticks(ch->reload);
	default:
		return channel_elapsed(ch, now) != ch->reload;
	}
}

int64_t v3_pit_channel_next_edge(struct v3_pit_channel *ch, int64_t now)
{
	int64_t edge;

	channel_sync(ch, now);
	if (!ch->running || ch->paused)
		return V3_PIT_NEVER;
	if (!channel_periodic(ch)) {
		edge = ch->start + ch->reload + (ch->mode >= 4 ? 1 : 0);
		return edge > now ? edge : V3_PIT_NEVER;
	}
	if (ch->pending)
		return ch->switch_at + (ch->switch_low ? (int64_t)ch->next_reload / 2 : 0);
	return ch->start + (channel_elapsed(ch, now) / ch->reload + 1) * ch->reload;
}

void v3_pit_channel_reset(struct v3_pit_channel *ch, bool gate)
{
	*ch = (struct v3_pit_channel){ .control = 0x30, .access = 3, .gate = gate,
				       .reload = 65536 };
}

void v3_pit_channel_control(struct v3_pit_channel *ch, uint8_t word)
{
	uint8_t mode = word >> 1 & 7;

	ch->control = word & 0x3f;
	ch->access = word >> 4 & 3;
	ch->mode = mode > 5 ? mode - 4 : mode;
	ch->bcd = word & 1;
	ch->running = ch->loaded = ch->paused = ch->pending = false;
	ch->write_high = ch->read_high = false;
	ch->latched = ch->status_latched = false;
	if (ch->reload > channel_modulus(ch))
		ch->reload = channel_modulus(ch);
}

static void channel_start(struct v3_pit_channel *ch, int64_t now, uint32_t reload)
{
	/* The counting element is loaded by the clock pulse after the write or trigger. */
	ch->reload = reload;
	ch->start = now + 1;
	ch->running = true;
	ch->pending = false;
	ch->paused = !ch->gate && !channel_triggered(ch);
	ch->paused_at = now + 1;
}

/* A new count while a cycle is under way: it begins with the next (half) cycle. */
static void channel_defer(struct v3_pit_channel *ch, int64_t now, uint32_t reload)
{
	uint32_t phase, high;

	channel_sync(ch, now);
	phase = channel_phase(ch, now);
	high = high_ticks(ch->reload);
	ch->next_reload = reload;
	ch->pending = true;
	ch->switch_low = ch->mode == 3 && phase < high;
	if (now < ch->start)
		now = ch->start;
	ch->switch_at = now + (ch->switch_low ? high : ch->reload) - phase;
}

static void channel_load(struct v3_pit_channel *ch, int64_t now, uint16_t raw)
{
	uint32_t reload = ch->bcd ? from_bcd(raw) : raw;

	if (reload == 0)
		reload = channel_modulus(ch);
	ch->loaded = true;
	if (channel_triggered(ch)) {
		ch->next_reload = reload;
		ch->pending = true;
	} else if (channel_periodic(ch) && ch->running && !ch->paused) {
		channel_defer(ch, now, reload);
	} else {
		channel_start(ch, now, reload);
	}
}

void v3_pit_channel_write(struct v3_pit_channel *ch, int64_t now, uint8_t byte)
{
	switch (ch->access) {
	case 1:
		channel_load(ch, now, byte);
		break;
	case 2:
		channel_load(ch, now, (uint16_t)(byte << 8));
		break;
	default:
		ch->write_high = !ch->write_high;
		if (!ch->write_high) {
			channel_load(ch, now, (uint16_t)(byte << 8 | ch->write_low));
			break;
		}
		ch->write_low = byte;
		/* In mode 0 the first byte stops the count and OUT goes low at once. */
		if (ch->mode == 0)
			ch->running = false;
	}
}

void v3_pit_channel_set_gate(struct v3_pit_channel *ch, int64_t now, bool gate)
{
	if (gate == ch->gate)
		return;
	channel_sync(ch, now);
	ch->gate = gate;
	if (channel_triggered(ch)) {
		if (gate && ch->loaded)
			channel_start(ch, now, ch->pending ? ch->next_reload : ch->reload);
	} else if (!ch->running) {
		return;
	} else if (!gate) {
		ch->paused = true;
		ch->paused_at = now;
	} else if (channel_periodic(ch)) {
		channel_start(ch, now, ch->pending ? ch->next_reload : ch->reload);
	} else {
		ch->start = now - channel_elapsed(ch, now);
		ch->paused = false;
	}
}

void v3_pit_channel_latch(struct v3_pit_channel *ch, int64_t now)
{
	if (ch->latched)
		return;
	ch->latch = channel_count(ch, now);
	ch->latched = true;
}

void v3_pit_channel_latch_status(struct v3_pit_channel *ch, int64_t now)
{
	bool out = v3_pit_channel_out(ch, now);
	bool null_count = !ch->running || ch->pending || now < ch->start;

	if (ch->status_latched)
		return;
	ch->status_latch = (uint8_t)(out << 7 | null_count << 6 | ch->control);
	ch->status_latched = true;
}

uint8_t v3_pit_channel_read(struct v3_pit_channel *ch, int64_t now)
{
	uint16_t count;
	bool high;

	if (ch->status_latched) {
		ch->status_latched = false;
		return ch->status_latch;
	}
	count = ch->latched ? ch->latch : channel_count(ch, now);
	high = ch->access == 2 || (ch->access == 3 && ch->read_high);
	if (ch->access == 3)
		ch->read_high = !ch->read_high;
	if (ch->access != 3 || high)
		ch->latched = false;
	return (uint8_t)(high ? count >> 8 : count);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MC146818 (Motorola data sheet). Nothing ticks: time and flags are computed when software looks,
 * and the timer runs only for an interrupt that is enabled and not yet asserted.
 */
#include "devices/cmos.h"
#include "devices/io.h"
#include "devices/rtc.h"
#include "devices/rtc_time.h"
#include "lib/lock.h"

enum {
	REG_SECOND = 0, REG_SECOND_ALARM = 1,
	REG_MINUTE = 2, REG_MINUTE_ALARM = 3,
	REG_HOUR = 4, REG_HOUR_ALARM = 5,
	REG_WEEKDAY = 6, REG_DAY = 7, REG_MONTH = 8, REG_YEAR = 9,
	REG_A = 10, REG_B = 11, REG_C = 12, REG_D = 13,
};

#define A_RATE 0x0fu
#define A_DIVIDER_RESET 0x60u	/* both bits set: the divider stands still */
#define A_DIVIDER_32K 0x20u
#define A_UIP 0x80u
#define A_POWER_ON (A_DIVIDER_32K | 6)	/* 1024 Hz */

#define B_SET 0x80u
#define B_BINARY 0x04u
#define B_24H 0x02u
#define B_UIE 0x10u

/* Flags in C, and their enable bits in B. */
#define C_PERIODIC 0x40u
#define C_ALARM 0x20u
#define C_UPDATE 0x10u
#define C_SOURCES (C_PERIODIC | C_ALARM | C_UPDATE)
#define C_IRQ 0x80u

#define D_VALID 0x80u
#define HOUR_PM 0x80u
#define ALARM_ANY 0xc0u		/* both high bits: matches everything */

#define INDEX_MASK 0x7fu	/* bit 7 masks NMI; the platform has no source of it */
#define RTC_HZ 32768u
/* An update takes 1984 us and is announced 244 us ahead (data sheet, table 5). */
#define UIP_NS (1984000u + 244000u)
/* The first update after a divider reset comes half a second later. */
#define HALF_SEC_NS (V3_NS_PER_SEC / 2)
#define NEVER UINT64_MAX

struct rtc {
	struct v3_vm *vm;	/* constant */
	struct v3_lock lock;	/* guards all below */
	uint8_t index;
	uint8_t reg[V3_CMOS_SIZE];	/* time registers are valid only while halted */
	bool halted;		/* by SET or a divider in reset */
	bool line;
	uint8_t weekday_offset;	/* the weekday is a counter of its own, not checked */
	int64_t base_ns;	/* VM time of a second's boundary, not later than now */
	uint64_t base_sec;	/* the second that began then */
	uint64_t synced_ns;	/* up to here, events are in register C */
	struct v3_timer timer;
};

/* Nanoseconds since base_ns. */
static uint64_t rtc_since_base(const struct rtc *rtc, uint64_t now)
{
	return (uint64_t)((int64_t)now - rtc->base_ns);
}

static uint64_t rtc_seconds(const struct rtc *rtc, uint64_t now)
{
	return rtc->base_sec + rtc_since_base(rtc, now) / V3_NS_PER_SEC;
}

static uint8_t rtc_encode(const struct rtc *rtc, uint8_t value)
{
	return rtc->reg[REG_B] & B_BINARY ? value : (uint8_t)(value / 10 << 4 | value % 10);
}

static uint8_t rtc_decode(const struct rtc *rtc, uint8_t reg)
{
	return rtc->reg[REG_B] & B_BINARY ? reg : (uint8_t)((reg >> 4) * 10 + (reg & 15));
}

static uint8_t rtc_encode_hour(const struct rtc *rtc, uint8_t hour)
{
	if (rtc->reg[REG_B] & B_24H)
		return rtc_encode(rtc, hour);
	return rtc_encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static uint8_t rtc_decode_hour(const struct rtc *rtc, uint8_t reg)
{
	if (rtc->reg[REG_B] & B_24H)
		return rtc_decode(rtc, reg);
	return (uint8_t)(rtc_decode(rtc, reg & (uint8_t)~HOUR_PM) % 12 + (reg & HOUR_PM ? 12 : 0));
}

/* Fills the time registers from the running clock. */
static void rtc_store_time(struct rtc *rtc, uint64_t now)
{
	struct v3_rtc_date date;

	v3_rtc_date_of(rtc_seconds(rtc, now), &date);
	date.weekday = (uint8_t)((date.weekday - 1 + rtc->weekday_offset) % 7 + 1);
	rtc->reg[REG_SECOND] = rtc_encode(rtc, date.second);
	rtc->reg[REG_MINUTE] = rtc_encode(rtc, date.minute);
	rtc->reg[REG_HOUR] = rtc_encode_hour(rtc, date.hour);
	rtc->reg[REG_WEEKDAY] = rtc_encode(rtc, date.weekday);
	rtc->reg[REG_DAY] = rtc_encode(rtc, date.day);
	rtc->reg[REG_MONTH] = rtc_encode(rtc, date.month);
	rtc->reg[REG_YEAR] = rtc_encode(rtc, date.year);
	rtc->reg[V3_RTC_CENTURY] = rtc_encode(rtc, date.century);
}

/* Sets the clock from the time registers; where in the second it is does not change. */
static void rtc_load_time(struct rtc *rtc, uint64_t now)
{
	struct v3_rtc_date date = {
		.second = rtc_decode(rtc, rtc->reg[REG_SECOND]),
		.minute = rtc_decode(rtc, rtc->reg[REG_MINUTE]),
		.hour = rtc_decode_hour(rtc, rtc->reg[REG_HOUR]),
		.day = rtc_decode(rtc, rtc->reg[REG_DAY]),
		.month = rtc_decode(rtc, rtc->reg[REG_MONTH]),
		.year = rtc_decode(rtc, rtc->reg[REG_YEAR]),
		.century = rtc_decode(rtc, rtc->reg[V3_RTC_CENTURY]),
	};
	unsigned int weekday = rtc_decode(rtc, rtc->reg[REG_WEEKDAY]);

	rtc->base_sec = v3_rtc_seconds_of(&date);
	rtc->base_ns = (int64_t)(now - rtc_since_base(rtc, now) % V3_NS_PER_SEC);
	v3_rtc_date_of(rtc->base_sec, &date);
	rtc->weekday_offset = (uint8_t)((weekday + 7 - date.weekday) % 7);
}

static bool alarm_field(uint8_t alarm, uint8_t reg)
{
	return alarm >= ALARM_ANY || alarm == reg;
}

/* The first value from @p from on, below limit, that an alarm register matches; limit if none. */
static unsigned int alarm_next(const struct rtc *rtc, unsigned int alarm_reg, unsigned int from,
			       unsigned int limit)
{
	uint8_t alarm = rtc->reg[alarm_reg], reg;

	for (; from < limit; from++) {
		reg = alarm_reg == REG_HOUR_ALARM ? rtc_encode_hour(rtc, (uint8_t)from) :
			rtc_encode(rtc, (uint8_t)from);
		if (alarm_field(alarm, reg))
			break;
	}
	return from;
}

/* The first second of a day from @p from (0 to 86400) on that the alarm matches; NEVER if none. */
static uint64_t alarm_in_day(const struct rtc *rtc, unsigned int from)
{
	unsigned int hour0 = from / 3600, minute0 = from / 60 % 60, hour, minute, second;

	for (hour = alarm_next(rtc, REG_HOUR_ALARM, hour0, 24); hour < 24;
	     hour = alarm_next(rtc, REG_HOUR_ALARM, hour + 1, 24)) {
		minute = hour == hour0 ? minute0 : 0;
		for (minute = alarm_next(rtc, REG_MINUTE_ALARM, minute, 60); minute < 60;
		     minute = alarm_next(rtc, REG_MINUTE_ALARM, minute + 1, 60)) {
			second = hour == hour0 && minute == minute0 ? from % 60 : 0;
			second = alarm_next(rtc, REG_SECOND_ALARM, second, 60);
			if (second < 60)
				return hour * 3600 + minute * 60 + second;
		}
	}
	return NEVER;
}

/* The first second after @p sec that matches; NEVER if a register holds no possible value. */
static uint64_t rtc_next_alarm(const struct rtc *rtc, uint64_t sec)
{
	uint64_t day = (sec + 1) / V3_SEC_PER_DAY * V3_SEC_PER_DAY, at;

	if (alarm_next(rtc, REG_SECOND_ALARM, 0, 60) == 60)
		return NEVER;
	at = alarm_in_day(rtc, (unsigned int)(sec + 1 - day));
	if (at != NEVER)
		return day + at;
	at = alarm_in_day(rtc, 0);
	return at == NEVER ? NEVER : day + V3_SEC_PER_DAY + at;
}

/* Period of the periodic interrupt in 32768 Hz ticks; 0: none. */
static uint32_t rtc_period(const struct rtc *rtc)
{
	unsigned int rate = rtc->reg[REG_A] & A_RATE;

	if (rate == 0 || (rtc->reg[REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET)
		return 0;
	/* Rates 1 and 2 are those of 8 and 9 with this time base. */
	return 1u << (rate < 3 ? rate + 6 : rate - 1);
}

static uint64_t rtc_period_count(const struct rtc *rtc, uint64_t ns, uint32_t period)
{
	return (uint64_t)v3_ticks_at(rtc_since_base(rtc, ns), RTC_HZ) / period;
}

/* Brings register C up to date. */
static void rtc_sync(struct rtc *rtc, uint64_t now)
{
	uint32_t period = rtc_period(rtc);
	uint64_t then = rtc->synced_ns;

	if (period && rtc_period_count(rtc, now, period) != rtc_period_count(rtc, then, period))
		rtc->reg[REG_C] |= C_PERIODIC;
	if (!rtc->halted && rtc_seconds(rtc, now) != rtc_seconds(rtc, then)) {
		rtc->reg[REG_C] |= C_UPDATE;
		if (rtc_next_alarm(rtc, rtc_seconds(rtc, then)) <= rtc_seconds(rtc, now))
			rtc->reg[REG_C] |= C_ALARM;
	}
	rtc->synced_ns = now;
}

/* VM time at which second @p sec begins. */
static uint64_t rtc_second_ns(const struct rtc *rtc, uint64_t sec)
{
	return (uint64_t)(rtc->base_ns + (int64_t)((sec - rtc->base_sec) * V3_NS_PER_SEC));
}

/* When the next enabled interrupt is due. */
static uint64_t rtc_next_event(const struct rtc *rtc, uint64_t now)
{
	uint8_t enabled = rtc->reg[REG_B] & C_SOURCES;
	uint32_t period = rtc_period(rtc);
	uint64_t next = NEVER, sec = rtc_seconds(rtc, now), at;

	if (enabled & C_PERIODIC && period) {
		at = (rtc_period_count(rtc, now, period) + 1) * period;
		next = (uint64_t)rtc->base_ns + v3_tick_ns((int64_t)at, RTC_HZ);
	}
	if (rtc->halted)
		return next;
	if (enabled & C_UPDATE) {
		at = rtc_second_ns(rtc, sec + 1);
		next = at < next ? at : next;
	}
	if (enabled & C_ALARM) {
		at = rtc_next_alarm(rtc, sec);
		if (at != NEVER && rtc_second_ns(rtc, at) < next)
			next = rtc_second_ns(rtc, at);
	}
	return next;
}

/* After any change: interrupt line and timer. While the line is asserted no timer is needed. */
static void rtc_update(struct rtc *rtc, uint64_t now)
{
	bool level = rtc->reg[REG_C] & rtc->reg[REG_B] & C_SOURCES;
	uint64_t next = level ? NEVER : rtc_next_event(rtc, now);

	if (level)
		rtc->reg[REG_C] |= C_IRQ;
	else
		rtc->reg[REG_C] &= (uint8_t)~C_IRQ;
	if (level != rtc->line) {
		rtc->line = level;
		v3_irq_set(rtc->vm, V3_RTC_GSI, level);
	}
	if (next == NEVER)
		v3_timer_cancel(&rtc->timer);
	else
		v3_timer_arm(&rtc->timer, next);
}

static void rtc_timer(struct v3_timer *timer, void *ctx)
{
	struct rtc *rtc = ctx;
	uint64_t flags = v3_lock_irqsave(&rtc->lock);
	uint64_t now = v3_now(rtc->vm);

	(void)timer;
	rtc_sync(rtc, now);
	rtc_update(rtc, now);
	v3_lock_irqrestore(&rtc->lock, flags);
}

/* A or B changed: the clock may stop or go on. */
static void rtc_check_halt(struct rtc *rtc, uint64_t now)
{
	bool halt = rtc->reg[REG_B] & B_SET ||
		(rtc->reg[REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;

	if (halt && !rtc->halted)
		rtc_store_time(rtc, now);
	else if (!halt && rtc->halted)
		rtc_load_time(rtc, now);
	rtc->halted = halt;
}

static void rtc_write_a(struct rtc *rtc, uint64_t now, uint8_t value)
{
	bool was_reset = (rtc->reg[REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;

	rtc->reg[REG_A] = value & (uint8_t)~A_UIP;
	if (was_reset && (value & A_DIVIDER_RESET) != A_DIVIDER_RESET)
		rtc->base_ns = (int64_t)now - (int64_t)HALF_SEC_NS;
	rtc_check_halt(rtc, now);
}

static void rtc_write_b(struct rtc *rtc, uint64_t now, uint8_t value)
{
	if (value & B_SET)
		value &= (uint8_t)~B_UIE;
	/* The registers keep the format in which they were filled. */
	if (value & B_SET && !rtc->halted)
		rtc_store_time(rtc, now);
	rtc->halted |= (value & B_SET) != 0;
	rtc->reg[REG_B] = value;
	rtc_check_halt(rtc, now);
}

static bool is_time(uint8_t index)
{
	return index == REG_SECOND || index == REG_MINUTE || index == REG_HOUR ||
		(index >= REG_WEEKDAY && index <= REG_YEAR) || index == V3_RTC_CENTURY;
}

static void rtc_write(struct rtc *rtc, uint64_t now, uint8_t value)
{
	rtc_sync(rtc, now);
	switch (rtc->index) {
	case REG_A:
		rtc_write_a(rtc, now, value);
		break;
	case REG_B:
		rtc_write_b(rtc, now, value);
		break;
	case REG_C:
	case REG_D:
		break;
	default:
		if (is_time(rtc->index) && !rtc->halted) {
			rtc_store_time(rtc, now);
			rtc->reg[rtc->index] = value;
			rtc_load_time(rtc, now);
		} else {
			rtc->reg[rtc->index] = value;
		}
	}
	rtc_update(rtc, now);
}

static uint8_t rtc_read(struct rtc *rtc, uint64_t now)
{
	uint8_t value;

	switch (rtc->index) {
	case REG_A:
		value = rtc->reg[REG_A];
		if (!rtc->halted &&
		    V3_NS_PER_SEC - rtc_since_base(rtc, now) % V3_NS_PER_SEC <= UIP_NS)
			value |= A_UIP;
		return value;
	case REG_C:
		rtc_sync(rtc, now);
		rtc_update(rtc, now);
		value = rtc->reg[REG_C];
		rtc->reg[REG_C] = 0;
		rtc_update(rtc, now);
		return value;
	default:
		if (is_time(rtc->index) && !rtc->halted)
			rtc_store_time(rtc, now);
		return rtc->reg[rtc->index];
	}
}

static uint8_t rtc_in8(void *ctx, uint16_t port)
{
	struct rtc *rtc = ctx;

	return port == V3_RTC_PORT ? 0xff : rtc_read(rtc, v3_now(rtc->vm));
}

static void rtc_out8(void *ctx, uint16_t port, uint8_t value)
{
	struct rtc *rtc = ctx;

	if (port == V3_RTC_PORT)
		rtc->index = value & INDEX_MASK;
	else
		rtc_write(rtc, v3_now(rtc->vm), value);
}

static uint32_t rtc_in(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	struct rtc *rtc = ctx;
	uint64_t flags = v3_lock_irqsave(&rtc->lock);
	uint32_t value = v3_in_bytes(rtc, port, size, rtc_in8);

	(void)vcpu;
	v3_lock_irqrestore(&rtc->lock, flags);
	return value;
}

static void rtc_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		    uint32_t value)
{
	struct rtc *rtc = ctx;
	uint64_t flags = v3_lock_irqsave(&rtc->lock);

	(void)vcpu;
	v3_out_bytes(rtc, port, size, value, rtc_out8);
	v3_lock_irqrestore(&rtc->lock, flags);
}

static void rtc_power_on(struct rtc *rtc)
{
	uint64_t flags = v3_lock_irqsave(&rtc->lock);
	uint64_t now = v3_now(rtc->vm);

	rtc->synced_ns = now;
	rtc_update(rtc, now);
	v3_lock_irqrestore(&rtc->lock, flags);
}

/* It has a battery: time goes on, and CMOS memory stays. The rest is as firmware leaves it. */
static void rtc_reset(void *ctx)
{
	struct rtc *rtc = ctx;
	uint64_t flags = v3_lock_irqsave(&rtc->lock);
	uint64_t now = v3_now(rtc->vm);

	rtc_write_a(rtc, now, A_POWER_ON);
	/* A time that was being set counts, in the format that it was written in. */
	rtc_write_b(rtc, now, rtc->reg[REG_B] & (B_BINARY | B_24H));
	rtc->reg[REG_B] = B_24H;
	rtc->reg[REG_C] = 0;
	rtc->reg[REG_SECOND_ALARM] = rtc->reg[REG_MINUTE_ALARM] = rtc->reg[REG_HOUR_ALARM] = 0;
	rtc->index = 0;
	rtc->synced_ns = now;
	rtc_update(rtc, now);
	v3_lock_irqrestore(&rtc->lock, flags);
}

static void rtc_destroy(void *ctx)
{
	struct rtc *rtc = ctx;

	v3_timer_cancel(&rtc->timer);
	v3_device_free(rtc->vm, rtc, sizeof(*rtc));
}

static const struct v3_io_ops rtc_io_ops = { .in = rtc_in, .out = rtc_out };
static const struct v3_device_ops rtc_ops = {
	.name = "rtc", .destroy = rtc_destroy, .reset = rtc_reset,
};

enum v3_status v3_rtc_create(struct v3_vm *vm, uint64_t unix_seconds)
{
	struct rtc *rtc;
	enum v3_status status;

	if (unix_seconds >= V3_RTC_END - V3_RTC_UNIX_EPOCH)
		return V3_ERR_RANGE;
	rtc = v3_device_alloc(vm, sizeof(*rtc));
	if (!rtc)
		return V3_ERR_NOMEM;
	rtc->vm = vm;
	rtc->base_sec = V3_RTC_UNIX_EPOCH + unix_seconds;
	v3_lock_init(&rtc->lock);
	v3_timer_init(&rtc->timer, v3_vm_vcpu(vm, 0), rtc_timer, rtc);
	rtc->reg[REG_A] = A_POWER_ON;
	rtc->reg[REG_B] = B_24H;
	rtc->reg[REG_D] = D_VALID;
	v3_cmos_fill(vm, rtc->reg);
	rtc_power_on(rtc);
	status = v3_device_add(vm, &rtc_ops, rtc);
	if (status) {
		rtc_destroy(rtc);
		return status;
	}
	return v3_io_hook(vm, V3_RTC_PORT, 2, &rtc_io_ops, rtc);
}

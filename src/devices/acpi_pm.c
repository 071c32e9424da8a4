/* SPDX-License-Identifier: BSD-2-Clause */
#include <v3/pc.h>

#include "devices/acpi_pm.h"
#include "devices/io.h"
#include "lib/lock.h"

#define PM_SIZE 12
enum { STATUS_LOW = 0, STATUS_HIGH = 1, ENABLE_LOW = 2, ENABLE_HIGH = 3, CONTROL_LOW = 4,
	CONTROL_HIGH = 5 };

/* PM1 status and enable */
#define PM1_TIMER (1u << 0)
#define PM1_GLOBAL (1u << 5)
#define PM1_POWER_BUTTON (1u << 8)
#define PM1_SLEEP_BUTTON (1u << 9)
#define PM1_RTC (1u << 10)
/* There are no buttons and no wake-up by the RTC, but Linux's RTC driver insists on its bit. */
#define PM1_ENABLES \
	(PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_SLEEP_BUTTON | PM1_RTC)

/* PM1 control */
#define PM1_SCI_ENABLE (1u << 0)
#define PM1_BUS_MASTER_RELOAD (1u << 1)
#define PM1_SLEEP_TYPE_SHIFT 10
#define PM1_SLEEP_TYPE (7u << PM1_SLEEP_TYPE_SHIFT)
#define PM1_SLEEP_ENABLE (1u << 13)
#define PM1_CONTROL_BITS (PM1_BUS_MASTER_RELOAD | PM1_SLEEP_TYPE)

/* The timer's status bit is set when its most significant bit changes either way. */
#define HALF_WRAP (1ull << 31)

struct acpi_pm {
	struct v3_vm *vm;	/* constant */
	struct v3_lock lock;	/* guards all below */
	uint16_t status, enable, control;
	uint64_t synced_half;	/* half wraps of the timer up to here are in status */
	bool line;
	struct v3_timer timer;
};

static uint64_t pm_ticks(const struct acpi_pm *pm)
{
	return (uint64_t)v3_ticks_at(v3_now(pm->vm), V3_ACPI_PM_TIMER_HZ);
}

static void pm_update(struct acpi_pm *pm)
{
	uint64_t half = pm_ticks(pm) / HALF_WRAP;
	bool level;

	if (half != pm->synced_half)
		pm->status |= PM1_TIMER;
	pm->synced_half = half;
	level = pm->status & pm->enable;
	if (level != pm->line) {
		pm->line = level;
		v3_irq_set(pm->vm, V3_ACPI_SCI_GSI, level);
	}
	if (pm->enable & PM1_TIMER)
		v3_timer_arm(&pm->timer, v3_tick_ns((int64_t)((half + 1) * HALF_WRAP),
						    V3_ACPI_PM_TIMER_HZ));
	else
		v3_timer_cancel(&pm->timer);
}

static void pm_timer(struct v3_timer *timer, void *ctx)
{
	struct acpi_pm *pm = ctx;
	uint64_t flags = v3_lock_irqsave(&pm->lock);

	(void)timer;
	pm_update(pm);
	v3_lock_irqrestore(&pm->lock, flags);
}

static uint8_t pm_in8(void *ctx, uint16_t port)
{
	struct acpi_pm *pm = ctx;
	unsigned int at = port - V3_PC_PM_BASE;

	switch (at & ~1u) {
	case STATUS_LOW:
		return (uint8_t)(pm->status >> 8 * (at & 1));
	case ENABLE_LOW:
		return (uint8_t)(pm->enable >> 8 * (at & 1));
	case CONTROL_LOW:
		return (uint8_t)((pm->control | PM1_SCI_ENABLE) >> 8 * (at & 1));
	case V3_ACPI_PM_TIMER:
	case V3_ACPI_PM_TIMER + 2:
		return (uint8_t)(pm_ticks(pm) >> 8 * (at & 3));
	default:
		return 0;
	}
}

static void pm_sleep(struct acpi_pm *pm)
{
	unsigned int type = (pm->control & PM1_SLEEP_TYPE) >> PM1_SLEEP_TYPE_SHIFT;

	if (type == V3_ACPI_S5_TYPE)
		v3_vm_end(pm->vm, V3_END_POWEROFF, 0, "guest powered off");
	else
		v3_vm_log(pm->vm, V3_LOG_WARN,
			  "guest asked for sleep type %u, which the tables do not offer: ignored",
			  type);
}

/* Low bytes come first: the sleep type is complete when its enable bit is seen. */
static void pm_out8(void *ctx, uint16_t port, uint8_t value)
{
	struct acpi_pm *pm = ctx;
	unsigned int at = port - V3_PC_PM_BASE, shift = 8 * (at & 1);
	uint16_t bits = (uint16_t)(value << shift), keep = (uint16_t)(0xff00 >> shift);

	switch (at) {
	case STATUS_LOW:
	case STATUS_HIGH:
		pm->status &= (uint16_t)~bits;
		break;
	case ENABLE_LOW:
	case ENABLE_HIGH:
		pm->enable = (uint16_t)(((pm->enable & keep) | bits) & PM1_ENABLES);
		break;
	case CONTROL_LOW:
	case CONTROL_HIGH:
		pm->control = (uint16_t)(((pm->control & keep) | bits) & PM1_CONTROL_BITS);
		if (bits & PM1_SLEEP_ENABLE)
			pm_sleep(pm);
		break;
	default: /* the timer is read-only */
		break;
	}
}

static uint32_t pm_in(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	struct acpi_pm *pm = ctx;
	uint64_t flags;
	uint32_t value;

	(void)vcpu;
	/* The common access needs nothing that is guarded. */
	if (port == V3_PC_PM_BASE + V3_ACPI_PM_TIMER && size == 4)
		return (uint32_t)pm_ticks(pm);
	flags = v3_lock_irqsave(&pm->lock);
	pm_update(pm);
	value = v3_in_bytes(pm, port, size, pm_in8);
	v3_lock_irqrestore(&pm->lock, flags);
	return value;
}

static void pm_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		   uint32_t value)
{
	struct acpi_pm *pm = ctx;
	uint64_t flags = v3_lock_irqsave(&pm->lock);

	(void)vcpu;
	pm_update(pm);
	v3_out_bytes(pm, port, size, value, pm_out8);
	pm_update(pm);
	v3_lock_irqrestore(&pm->lock, flags);
}

static void pm_power_on(void *ctx)
{
	struct acpi_pm *pm = ctx;
	uint64_t flags = v3_lock_irqsave(&pm->lock);

	pm->synced_half = pm_ticks(pm) / HALF_WRAP;
	pm->status = pm->enable = pm->control = 0;
	pm_update(pm);
	v3_lock_irqrestore(&pm->lock, flags);
}

static void pm_destroy(void *ctx)
{
	struct acpi_pm *pm = ctx;

	v3_timer_cancel(&pm->timer);
	v3_device_free(pm->vm, pm, sizeof(*pm));
}

static const struct v3_io_ops pm_io_ops = { .in = pm_in, .out = pm_out };
static const struct v3_device_ops pm_ops = {
	.name = "acpi-pm", .destroy = pm_destroy, .reset = pm_power_on,
};

enum v3_status v3_acpi_pm_create(struct v3_vm *vm)
{
	struct acpi_pm *pm = v3_device_alloc(vm, sizeof(*pm));
	enum v3_status status;

	if (!pm)
		return V3_ERR_NOMEM;
	pm->vm = vm;
	v3_lock_init(&pm->lock);
	v3_timer_init(&pm->timer, v3_vm_vcpu(vm, 0), pm_timer, pm);
	pm_power_on(pm);
	status = v3_device_add(vm, &pm_ops, pm);
	if (status) {
		pm_destroy(pm);
		return status;
	}
	return v3_io_hook(vm, V3_PC_PM_BASE, PM_SIZE, &pm_io_ops, pm);
}

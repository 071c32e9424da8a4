/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What disturbed a vCPU, as text and as JSON.
 */
#include <stdio.h>
#include <string.h>

#include "json_out.h"
#include "noise.h"

/* Key of the JSON, and what people read. */
static const struct {
	const char *key, *text;
} causes[V3_IOC_NOISE_CAUSES] = {
	[V3_IOC_NOISE_GUEST_TIMER] = { "guest_timer", "timer, of the guest's own" },
	[V3_IOC_NOISE_TIMER] = { "timer", "timer, of the host" },
	[V3_IOC_NOISE_RESCHEDULE] = { "reschedule", "reschedule interrupt" },
	[V3_IOC_NOISE_CALL] = { "call", "function call interrupt" },
	[V3_IOC_NOISE_TLB] = { "tlb", "TLB shootdown" },
	[V3_IOC_NOISE_IRQ_WORK] = { "irq_work", "IRQ work" },
	[V3_IOC_NOISE_DEVICE] = { "device", "device interrupt" },
	[V3_IOC_NOISE_NMI] = { "nmi", "NMI" },
	[V3_IOC_NOISE_OTHER] = { "other", "other interrupt" },
	[V3_IOC_NOISE_YIELD] = { "yield", "Linux had the CPU" },
};

struct v3_ioc_noise_cause v3_noise_cause(const struct v3_noise *noise, unsigned int cause)
{
	const struct v3_ioc_noise_cause *a = &noise->before.noise.causes[cause];
	const struct v3_ioc_noise_cause *b = &noise->after.noise.causes[cause];

	return (struct v3_ioc_noise_cause){ b->count - a->count, b->ticks - a->ticks, b->longest };
}

uint64_t v3_noise_irq(const struct v3_noise *noise, const struct v3_irq *irq)
{
	int i;

	/* it ran nowhere then */
	if (!noise->before.num_irqs)
		return 0;
	for (i = 0; i < noise->before.num_irqs; i++)
		if (!strcmp(noise->before.irqs[i].label, irq->label))
			return irq->count - noise->before.irqs[i].count;
	return irq->count;
}

static uint64_t exits(const struct v3_noise *noise, unsigned int kind)
{
	return noise->after.stats.exits[kind] - noise->before.stats.exits[kind];
}

static double per_second(const struct v3_noise *noise, uint64_t count)
{
	return noise->seconds > 0 ? (double)count / noise->seconds : 0;
}

static const char *exit_name(const struct v3_noise *noise, unsigned int kind, char buf[16])
{
	if (kind < noise->names->count && kind < V3_IOC_EXITS && noise->names->names[kind][0])
		return noise->names->names[kind];
	snprintf(buf, 16, "kind_%u", kind);
	return buf;
}

/* --- Text --- */

static void print_causes(const struct v3_noise *noise)
{
	unsigned int i;

	printf("  %-28s %10s %12s %14s %10s\n", "disturbed by", "count", "per second", "TSC ticks",
	       "longest");
	for (i = 0; i < V3_IOC_NOISE_CAUSES; i++) {
		struct v3_ioc_noise_cause cause = v3_noise_cause(noise, i);

		printf("  %-28s %10llu %12.3f %14llu %10llu\n", causes[i].text,
		       (unsigned long long)cause.count, per_second(noise, cause.count),
		       (unsigned long long)cause.ticks, (unsigned long long)cause.longest);
	}
}

static void print_irqs(const struct v3_noise *noise)
{
	int i, rows = 0;

	for (i = 0; i < noise->after.num_irqs; i++) {
		const struct v3_irq *irq = &noise->after.irqs[i];
		uint64_t count = v3_noise_irq(noise, irq);

		if (!count)
			continue;
		if (!rows++)
			printf("  all interrupts of CPU %d (/proc/interrupts)\n", noise->cpu);
		printf("    %-26s %10llu %12.3f  %s\n", irq->label, (unsigned long long)count,
		       per_second(noise, count), irq->text);
	}
	if (!rows)
		printf("  no interrupt of CPU %d\n", noise->cpu);
}

static void print_exits(const struct v3_noise *noise)
{
	char name[16];
	unsigned int i, rows = 0;

	for (i = 0; i < noise->after.stats.num_exits; i++) {
		uint64_t count = exits(noise, i);

		if (!count)
			continue;
		if (!rows++)
			printf("  exits\n");
		printf("    %-26s %10llu %12.3f\n", exit_name(noise, i, name),
		       (unsigned long long)count, per_second(noise, count));
	}
	if (!rows)
		printf("  no exit\n");
}

void v3_noise_print(const struct v3_noise *noise)
{
	printf("%s, vCPU %u, ", noise->guest, noise->vcpu);
	if (noise->cpu < 0) {
		printf("has not run yet\n");
		return;
	}
	printf("CPU %d, %s, %.3f s:\n", noise->cpu, noise->owned ? "its own" : "shared",
	       noise->seconds);
	if (noise->owned)
		print_causes(noise);
	else
		printf("  which of these disturbed the guest, and what they took, is known of CPUs "
		       "that guests own\n");
	print_irqs(noise);
	print_exits(noise);
}

/* --- JSON --- */

static json_t *causes_json(const struct v3_noise *noise)
{
	json_t *all = json_object();
	unsigned int i;

	for (i = 0; all && i < V3_IOC_NOISE_CAUSES; i++) {
		struct v3_ioc_noise_cause cause = v3_noise_cause(noise, i);
		json_t *one = json_pack("{s:o, s:f, s:o, s:o}",
					"count", v3_json_uint(cause.count),
					"per_second", per_second(noise, cause.count),
					"ticks", v3_json_uint(cause.ticks),
					"longest", v3_json_uint(cause.longest));

		if (json_object_set_new(all, causes[i].key, one)) {
			json_decref(all);
			all = NULL;
		}
	}
	return all;
}

static json_t *irqs_json(const struct v3_noise *noise)
{
	json_t *all = json_array();
	int i;

	for (i = 0; all && i < noise->after.num_irqs; i++) {
		const struct v3_irq *irq = &noise->after.irqs[i];
		uint64_t count = v3_noise_irq(noise, irq);

		if (count && json_array_append_new(all, json_pack("{s:s, s:s, s:o}",
				"irq", irq->label, "name", irq->text,
				"count", v3_json_uint(count)))) {
			json_decref(all);
			all = NULL;
		}
	}
	return all;
}

static json_t *exits_json(const struct v3_noise *noise)
{
	json_t *all = json_object();
	char name[16];
	unsigned int i;

	for (i = 0; all && i < noise->after.stats.num_exits; i++)
		if (json_object_set_new(all, exit_name(noise, i, name),
					v3_json_uint(exits(noise, i)))) {
			json_decref(all);
			all = NULL;
		}
	return all;
}

json_t *v3_noise_json(const struct v3_noise *noise)
{
	return json_pack("{s:s, s:i, s:i, s:b, s:f, s:o, s:I, s:o, s:o, s:o, s:o}",
			 "name", noise->guest,
			 "vcpu", (int)noise->vcpu,
			 "cpu", noise->cpu,
			 "owned", noise->owned,
			 "seconds", noise->seconds,
			 "tsc_khz", v3_json_uint(noise->after.noise.tsc_khz),
			 "tsc_offset", (json_int_t)noise->after.noise.tsc_offset,
			 "tsc_ratio", v3_json_uint(noise->after.noise.tsc_ratio),
			 "causes", noise->owned ? causes_json(noise) : json_null(),
			 "interrupts", irqs_json(noise),
			 "exits", exits_json(noise));
}

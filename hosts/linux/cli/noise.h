/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What disturbed a vCPU between two looks.
 */
#ifndef V3_CLI_NOISE_H
#define V3_CLI_NOISE_H

#include <jansson.h>

#include "device.h"
#include "irqs.h"

/* One look. irqs are of its CPU, to be freed; none if it has none yet. */
struct v3_noise_look {
	struct v3_ioc_noise noise;
	struct v3_ioc_vcpu_stats stats;
	struct v3_irq *irqs;
	int num_irqs;
};

struct v3_noise {
	const char *guest;
	unsigned int vcpu;
	/* Of the second look. -1: it has not run yet. */
	int cpu;
	/* Causes and their times are known. */
	bool owned;
	double seconds;
	const struct v3_ioc_exit_names *names;
	struct v3_noise_look before, after;
};

/* What was added between the looks. */
struct v3_ioc_noise_cause v3_noise_cause(const struct v3_noise *noise, unsigned int cause);
/* Of the CPU's row with this label; both looks may have other rows. */
uint64_t v3_noise_irq(const struct v3_noise *noise, const struct v3_irq *irq);

void v3_noise_print(const struct v3_noise *noise);
/* NULL: no memory. */
json_t *v3_noise_json(const struct v3_noise *noise);

#endif

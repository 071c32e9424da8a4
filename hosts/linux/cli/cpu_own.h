/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taken CPUs and the module: who owns which, and who restores them when a command is killed.
 */
#ifndef V3_CLI_CPU_OWN_H
#define V3_CLI_CPU_OWN_H

#include "cpu_host.h"
#include "device.h"
#include "spec.h"

/* "v3 cpu take": until "v3 cpu give" or the end of the module. */
int v3_cpu_take_by_hand(int dev, const struct v3_mask *cpus, struct v3_msg *msg);
/* The module need not restore what was taken together with @cpu any more. */
void v3_cpu_release(int dev, int cpu);

/* For a guest whose CPUs are to be its own: whether that can be; before it is created. */
int v3_cpu_guest_check(const struct v3_spec *spec, struct v3_msg *msg);
/* Takes what is not taken by hand already; the module restores it when the VM is gone. */
int v3_cpu_guest_take(int vm, const struct v3_spec *spec, struct v3_msg *msg);
/* After its end: restores what the module could not. */
void v3_cpu_guest_end(int dev, const struct v3_spec *spec);

/* Whether a guest owns one of these CPUs or has a vCPU there; the message names both. */
bool v3_cpu_in_use(int dev, const struct v3_mask *cpus, struct v3_msg *msg);
/* Waits until no guest owns what was taken together with @cpu. */
int v3_cpu_wait_unused(int dev, int cpu, struct v3_msg *msg);

/* cpu_list.c */
int v3_cpu_print(bool json, struct v3_msg *msg);
/* Says so if CPUs are still taken for a guest that is gone. */
void v3_cpu_stale_warn(void);

#endif

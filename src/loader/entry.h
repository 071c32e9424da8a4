/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State of the first vCPU at a kernel's entry: Documentation/arch/x86/boot.rst of the kernel,
 * "32-bit Boot Protocol" and "64-bit Boot Protocol". CS is 0x10, the data segments 0x18, all flat;
 * interrupts are off; (R)SI is the address of boot_params.
 */
#ifndef V3_LOADER_ENTRY_H
#define V3_LOADER_ENTRY_H

#include <v3/boot.h>

/* Long mode, the low 4 GiB mapped one to one. Writes GDT and page tables. Logs errors. */
enum v3_status v3_enter_64(struct v3_vm *vm, v3_gpa_t rip);
/* Protected mode without paging; @p eip below 4 GiB. Writes the GDT. Logs errors. */
enum v3_status v3_enter_32(struct v3_vm *vm, v3_gpa_t eip);
/* The same with EAX and EBX: Multiboot 0.6.96, 3.2. */
enum v3_status v3_enter_multiboot(struct v3_vm *vm, v3_gpa_t eip, uint32_t eax, uint32_t ebx);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include <v3/pc.h>

#include "core/nodes.h"
#include "devices/acpi.h"
#include "devices/acpi_layout.h"
#include "devices/acpi_pm.h"
#include "devices/reset.h"
#include "devices/rtc.h"
#include "lib/mem.h"

#define SPACE_IO 1
/* Above these the specification counts C2 and C3 as absent (5.2.9). */
#define NO_C2_LATENCY 0xfff
#define NO_C3_LATENCY 0xfff
#define ISA_SCI_IRQ 9
#define ISA_PIT_IRQ 0
#define PIT_IOAPIC_PIN 2
#define NMI_LINT 1
/* 0xff is the broadcast ID, so that IDs from there on need x2APIC entries. */
#define MAX_XAPIC_ID 0xfe

/* The image under construction; offset 0 is V3_PC_RSDP_GPA. */
struct image {
	uint8_t *buf;
	size_t size, len;
	bool failed;
};

static uint32_t image_gpa(size_t offset)
{
	return (uint32_t)(V3_PC_RSDP_GPA + offset);
}

/* Zeroed room at the end, aligned (a power of two); NULL when there is none. */
static void *image_take(struct image *img, size_t align, size_t bytes, size_t *offset)
{
	size_t at = (img->len + align - 1) & ~(align - 1);

	if (img->failed || at > img->size || img->size - at < bytes) {
		img->failed = true;
		return NULL;
	}
	memset(img->buf + img->len, 0, at + bytes - img->len);
	img->len = at + bytes;
	if (offset)
		*offset = at;
	return img->buf + at;
}

static uint8_t checksum(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	return (uint8_t)-sum;
}

/* Fills the header of the table from @p offset to the end of the image. */
static void image_seal(struct image *img, size_t offset, const char *signature, uint8_t revision)
{
	struct v3_acpi_header *header = (void *)(img->buf + offset);

	if (img->failed)
		return;
	memcpy(header->signature, signature, sizeof(header->signature));
	header->length = (uint32_t)(img->len - offset);
	header->revision = revision;
	memcpy(header->oem_id, "LIBV3 ", sizeof(header->oem_id));
	memcpy(header->oem_table_id, "V3PC    ", sizeof(header->oem_table_id));
	header->oem_revision = 1;
	memcpy(header->creator_id, "V3  ", sizeof(header->creator_id));
	header->creator_revision = 1;
	header->checksum = 0;
	header->checksum = checksum(header, header->length);
}

static size_t build_facs(struct image *img)
{
	size_t offset = 0;
	struct v3_acpi_facs *facs = image_take(img, 64, sizeof(*facs), &offset);

	if (facs) {
		memcpy(facs->signature, "FACS", sizeof(facs->signature));
		facs->length = sizeof(*facs);
		facs->version = 2;
	}
	return offset;
}

static size_t build_dsdt(struct image *img)
{
	size_t offset = 0, bytes;

	if (!image_take(img, 16, sizeof(struct v3_acpi_header), &offset))
		return 0;
	bytes = v3_acpi_build_dsdt(img->buf + img->len, img->size - img->len);
	if (!bytes)
		img->failed = true;
	img->len += bytes;
	image_seal(img, offset, "DSDT", 2);
	return offset;
}

static struct v3_acpi_gas io_gas(uint16_t port, uint8_t bytes, uint8_t access)
{
	return (struct v3_acpi_gas){ .space = SPACE_IO, .bit_width = (uint8_t)(8 * bytes),
				     .access = access, .address = port };
}

static void fill_pm_blocks(struct v3_acpi_fadt *fadt)
{
	const uint16_t event = V3_PC_PM_BASE + V3_ACPI_PM1_EVENT;
	const uint16_t control = V3_PC_PM_BASE + V3_ACPI_PM1_CONTROL;
	const uint16_t timer = V3_PC_PM_BASE + V3_ACPI_PM_TIMER;

	fadt->sci = ISA_SCI_IRQ;
	fadt->pm1a_event = event;
	fadt->pm1_event_len = 4;
	fadt->x_pm1a_event = io_gas(event, 4, 2);
	fadt->pm1a_control = control;
	fadt->pm1_control_len = 2;
	fadt->x_pm1a_control = io_gas(control, 2, 2);
	fadt->pm_timer = timer;
	fadt->pm_timer_len = 4;
	fadt->x_pm_timer = io_gas(timer, 4, 3);
}

/* No SMI command port: ACPI is on from the start. */
static size_t build_fadt(struct image *img, size_t facs, size_t dsdt)
{
	size_t offset = 0;
	struct v3_acpi_fadt *fadt = image_take(img, 16, sizeof(*fadt), &offset);

	if (!fadt)
		return 0;
	fadt->facs = image_gpa(facs);
	fadt->dsdt = image_gpa(dsdt);
	fadt->x_dsdt = image_gpa(dsdt);
	fill_pm_blocks(fadt);
	fadt->c2_latency = NO_C2_LATENCY;
	fadt->c3_latency = NO_C3_LATENCY;
	fadt->century = V3_RTC_CENTURY;
	/* The 8042 has nothing plugged in: systems need not look for it. */
	fadt->boot_arch = V3_ACPI_BOOT_LEGACY | V3_ACPI_BOOT_NO_VGA;
	fadt->flags = V3_ACPI_FADT_WBINVD | V3_ACPI_FADT_C1 | V3_ACPI_FADT_NO_FIXED_POWER_BUTTON |
		V3_ACPI_FADT_NO_FIXED_SLEEP_BUTTON | V3_ACPI_FADT_NO_FIXED_RTC |
		V3_ACPI_FADT_TIMER_32BIT | V3_ACPI_FADT_RESET_REGISTER;
	fadt->reset = io_gas(V3_RESET_PORT, 1, 1);
	fadt->reset_value = V3_RESET_VALUE;
	memcpy(fadt->hypervisor, "libv3VMM", sizeof(fadt->hypervisor));
	image_seal(img, offset, "FACP", 6);
	return offset;
}

/* Local APIC IDs and processor UIDs are vCPU indices. */
static void add_cpu(struct image *img, unsigned int index)
{
	struct v3_madt_lapic *lapic;
	struct v3_madt_x2apic *x2apic;

	if (index <= MAX_XAPIC_ID) {
		lapic = image_take(img, 1, sizeof(*lapic), NULL);
		if (lapic)
			*lapic = (struct v3_madt_lapic){ .type = 0, .length = sizeof(*lapic),
				.uid = (uint8_t)index, .apic_id = (uint8_t)index, .flags = 1 };
	} else {
		x2apic = image_take(img, 1, sizeof(*x2apic), NULL);
		if (x2apic)
			*x2apic = (struct v3_madt_x2apic){ .type = 9, .length = sizeof(*x2apic),
				.apic_id = index, .uid = index, .flags = 1 };
	}
}

static void add_ioapic(struct image *img)
{
	struct v3_madt_ioapic *ioapic = image_take(img, 1, sizeof(*ioapic), NULL);

	if (ioapic)
		*ioapic = (struct v3_madt_ioapic){ .type = 1, .length = sizeof(*ioapic),
			.id = 0, .address = (uint32_t)V3_PC_IOAPIC_BASE, .gsi_base = 0 };
}

static void add_override(struct image *img, uint8_t irq, uint32_t gsi, uint16_t flags)
{
	struct v3_madt_override *entry = image_take(img, 1, sizeof(*entry), NULL);

	if (entry)
		*entry = (struct v3_madt_override){ .type = 2, .length = sizeof(*entry),
			.irq = irq, .gsi = gsi, .flags = flags };
}

static void add_nmis(struct image *img, unsigned int num_vcpus)
{
	struct v3_madt_nmi *nmi = image_take(img, 1, sizeof(*nmi), NULL);
	struct v3_madt_x2apic_nmi *wide;

	if (nmi)
		*nmi = (struct v3_madt_nmi){ .type = 4, .length = sizeof(*nmi), .uid = 0xff,
			.lint = NMI_LINT };
	if (num_vcpus <= MAX_XAPIC_ID + 1)
		return;
	wide = image_take(img, 1, sizeof(*wide), NULL);
	if (wide)
		*wide = (struct v3_madt_x2apic_nmi){ .type = 10, .length = sizeof(*wide),
			.uid = UINT32_MAX, .lint = NMI_LINT };
}

static size_t build_madt(struct image *img, unsigned int num_vcpus)
{
	size_t offset = 0;
	struct v3_acpi_madt *madt = image_take(img, 16, sizeof(*madt), &offset);
	unsigned int i;

	if (!madt)
		return 0;
	madt->lapic_address = (uint32_t)V3_PC_LAPIC_BASE;
	madt->flags = 1;
	for (i = 0; i < num_vcpus; i++)
		add_cpu(img, i);
	add_ioapic(img);
	add_override(img, ISA_PIT_IRQ, PIT_IOAPIC_PIN, 0);
	add_override(img, ISA_SCI_IRQ, V3_ACPI_SCI_GSI, V3_MADT_ACTIVE_HIGH | V3_MADT_LEVEL);
	add_nmis(img, num_vcpus);
	image_seal(img, offset, "APIC", 4);
	return offset;
}

/* --- NUMA --- */

/* Pieces with less between them are one: the first megabyte is. */
#define SMALL_GAP 0x100000u

_Static_assert(V3_MAX_VCPUS <= MAX_XAPIC_ID + 1, "larger IDs need x2APIC affinity entries");

static void add_cpu_affinity(struct image *img, unsigned int index, unsigned int domain)
{
	struct v3_srat_cpu *cpu = image_take(img, 1, sizeof(*cpu), NULL);

	if (cpu)
		*cpu = (struct v3_srat_cpu){ .type = 0, .length = sizeof(*cpu),
			.domain = (uint8_t)domain, .apic_id = (uint8_t)index, .flags = 1 };
}

static void add_memory_affinity(struct image *img, const struct v3_vm *vm)
{
	struct v3_srat_memory *entry = NULL;
	struct v3_mem_range range;
	unsigned int i, domain;

	for (i = 0; v3_vm_mem_range(vm, i, &range) == V3_OK; i++) {
		domain = v3_vm_guest_node(vm, range.node);
		if (!entry || entry->domain != domain ||
		    range.gpa - (entry->base + entry->size) > SMALL_GAP) {
			entry = image_take(img, 1, sizeof(*entry), NULL);
			if (!entry)
				return;
			*entry = (struct v3_srat_memory){ .type = 1, .length = sizeof(*entry),
				.domain = domain, .base = range.gpa, .flags = 1 };
		}
		entry->size = range.gpa + range.size - entry->base;
	}
}

static size_t build_srat(struct image *img, struct v3_vm *vm)
{
	size_t offset = 0;
	struct v3_acpi_srat *srat = image_take(img, 16, sizeof(*srat), &offset);
	unsigned int i;

	if (!srat)
		return 0;
	srat->table_revision = 1;
	for (i = 0; i < v3_vm_num_vcpus(vm); i++)
		add_cpu_affinity(img, i, v3_vcpu_guest_node(v3_vm_vcpu(vm, i)));
	add_memory_affinity(img, vm);
	image_seal(img, offset, "SRAT", 3);
	return offset;
}

static size_t build_slit(struct image *img, const struct v3_vm *vm)
{
	unsigned int nodes = v3_vm_num_nodes(vm), i;
	size_t offset = 0;
	struct v3_acpi_slit *slit = image_take(img, 16, sizeof(*slit) + nodes * nodes, &offset);
	uint8_t *distance = (uint8_t *)(slit + 1);

	if (!slit)
		return 0;
	slit->nodes = nodes;
	for (i = 0; i < nodes * nodes; i++)
		distance[i] = (uint8_t)v3_vm_node_distance(vm, i / nodes, i % nodes);
	image_seal(img, offset, "SLIT", 1);
	return offset;
}

/* --- What leads to all of them --- */

static size_t build_xsdt(struct image *img, const size_t *tables, unsigned int count)
{
	size_t offset = 0, at = sizeof(struct v3_acpi_header);
	uint8_t *xsdt = image_take(img, 16, at + count * sizeof(uint64_t), &offset);
	uint64_t entry;

	if (!xsdt)
		return 0;
	for (; count--; at += sizeof(entry)) {
		entry = image_gpa(*tables++);
		memcpy(xsdt + at, &entry, sizeof(entry));
	}
	image_seal(img, offset, "XSDT", 1);
	return offset;
}

static void fill_rsdp(struct v3_acpi_rsdp *rsdp, size_t xsdt)
{
	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "LIBV3 ", sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = image_gpa(xsdt);
	rsdp->checksum = checksum(rsdp, offsetof(struct v3_acpi_rsdp, length));
	rsdp->full_checksum = checksum(rsdp, sizeof(*rsdp));
}

size_t v3_acpi_build(uint8_t *buf, size_t size, unsigned int num_vcpus, struct v3_vm *vm)
{
	struct image img = { .buf = buf, .size = size };
	void *rsdp = image_take(&img, 1, V3_PC_TABLES_GPA - V3_PC_RSDP_GPA, NULL);
	size_t facs = build_facs(&img), dsdt = build_dsdt(&img), tables[4], xsdt;
	unsigned int count = 0;

	tables[count++] = build_fadt(&img, facs, dsdt);
	tables[count++] = build_madt(&img, num_vcpus);
	if (vm && v3_vm_num_nodes(vm) > 1) {
		tables[count++] = build_srat(&img, vm);
		tables[count++] = build_slit(&img, vm);
	}
	xsdt = build_xsdt(&img, tables, count);
	if (img.failed)
		return 0;
	fill_rsdp(rsdp, xsdt);
	return img.len;
}

enum v3_status v3_acpi_write(struct v3_vm *vm)
{
	uint8_t *buf = v3_vm_ptr(vm, V3_PC_RSDP_GPA, V3_ACPI_MAX_SIZE);

	if (!buf)
		return V3_ERR_RANGE;
	return v3_acpi_build(buf, V3_ACPI_MAX_SIZE, v3_vm_num_vcpus(vm), vm) ? V3_OK
								     : V3_ERR_INTERNAL;
}

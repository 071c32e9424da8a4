/* SPDX-License-Identifier: BSD-2-Clause */
/* "MP x.y" in comments is a section of the Intel MultiProcessor Specification 1.4. */
#include <v3/pc.h>

#include "devices/acpi.h"
#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "devices/mptable.h"
#include "lib/mem.h"

#define PACKED __attribute__((packed))

#define SPEC_REV_1_4 4
#define MAX_XAPIC_ID 0xfe
#define ALL_LAPICS 0xff
#define IOAPIC_ID 0
#define BUS_PCI 0
#define BUS_ISA 1
#define ISA_IRQS 16
#define ISA_CASCADE 2
#define ISA_SCI_IRQ 9
#define TIMER_PIN 2

/* MP 4.1 */
struct mp_pointer {
	char signature[4];
	uint32_t table;
	uint8_t length;		/* in 16 bytes */
	uint8_t spec_rev;
	uint8_t checksum;
	uint8_t features[5];	/* [0] is 0: there is a configuration table */
} PACKED;
_Static_assert(sizeof(struct mp_pointer) == 16, "MP table 4-1");
_Static_assert(!(V3_PC_MP_GPA & 15), "MP 4: on a 16-byte boundary");
_Static_assert(V3_PC_MP_GPA >= V3_PC_RSDP_GPA + V3_ACPI_MAX_SIZE &&
	       V3_PC_MP_GPA + V3_MPTABLE_MAX_SIZE <= V3_PC_TABLES_END,
	       "beside the ACPI tables, where systems look for it");

/* MP 4.2 */
struct mp_header {
	char signature[4];
	uint16_t length;
	uint8_t spec_rev;
	uint8_t checksum;
	char oem_id[8];
	char product_id[12];
	uint32_t oem_table;
	uint16_t oem_table_size;
	uint16_t entries;
	uint32_t lapic_address;
	uint16_t ext_length;
	uint8_t ext_checksum;
	uint8_t reserved;
} PACKED;
_Static_assert(sizeof(struct mp_header) == 44, "MP table 4-2");

/* MP 4.3.1 */
struct mp_processor {
	uint8_t type;
	uint8_t lapic_id;
	uint8_t lapic_version;
	uint8_t flags;
	uint32_t signature;
	uint32_t features;
	uint32_t reserved[2];
} PACKED;
_Static_assert(sizeof(struct mp_processor) == 20, "MP table 4-4");

#define CPU_ENABLED 0x1
#define CPU_BOOT 0x2
/* Family 15, where CPUID has more to say; what every 64-bit CPU has of MP table 4-6 */
#define CPU_SIGNATURE 0xf00
#define CPU_FPU (1u << 0)
#define CPU_CX8 (1u << 8)
#define CPU_APIC (1u << 9)

/* MP 4.3.2 */
struct mp_bus {
	uint8_t type;
	uint8_t id;
	char name[6];
} PACKED;
_Static_assert(sizeof(struct mp_bus) == 8, "MP table 4-7");

/* MP 4.3.3 */
struct mp_ioapic {
	uint8_t type;
	uint8_t id;
	uint8_t version;
	uint8_t flags;		/* bit 0: enabled */
	uint32_t address;
} PACKED;
_Static_assert(sizeof(struct mp_ioapic) == 8, "MP table 4-9");

/* MP 4.3.4 and 4.3.5: an interrupt of a bus and where it goes */
struct mp_interrupt {
	uint8_t type;
	uint8_t kind;
	uint16_t flags;		/* polarity 1:0, trigger mode 3:2; 0: as the bus has it */
	uint8_t bus;
	uint8_t irq;
	uint8_t apic;
	uint8_t pin;
} PACKED;
_Static_assert(sizeof(struct mp_interrupt) == 8, "MP tables 4-10 and 4-12");

enum entry_type { ENTRY_PROCESSOR, ENTRY_BUS, ENTRY_IOAPIC, ENTRY_IO_INTERRUPT, ENTRY_LINT };
enum interrupt_kind { KIND_INT = 0, KIND_NMI = 1, KIND_EXTINT = 3 };
#define ACTIVE_HIGH 0x1
#define LEVEL 0xc

/* The table under construction. */
struct image {
	uint8_t *buf;
	size_t size, len;
	unsigned int entries;
	bool failed;
};

static void put(struct image *img, const void *bytes, size_t len)
{
	if (img->failed || img->size - img->len < len) {
		img->failed = true;
		return;
	}
	memcpy(img->buf + img->len, bytes, len);
	img->len += len;
}

static void put_entry(struct image *img, const void *entry, size_t len)
{
	put(img, entry, len);
	img->entries++;
}

static uint8_t checksum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	return (uint8_t)-sum;
}

static void add_processors(struct image *img, unsigned int num_vcpus)
{
	unsigned int i;

	for (i = 0; i < num_vcpus && i <= MAX_XAPIC_ID; i++) {
		const struct mp_processor cpu = {
			.type = ENTRY_PROCESSOR,
			.lapic_id = (uint8_t)i,
			.lapic_version = (uint8_t)V3_LAPIC_VERSION,
			.flags = i ? CPU_ENABLED : CPU_ENABLED | CPU_BOOT,
			.signature = CPU_SIGNATURE,
			.features = CPU_FPU | CPU_CX8 | CPU_APIC,
		};

		put_entry(img, &cpu, sizeof(cpu));
	}
}

static void add_buses(struct image *img)
{
	const struct mp_bus pci = { ENTRY_BUS, BUS_PCI, { 'P', 'C', 'I', ' ', ' ', ' ' } };
	const struct mp_bus isa = { ENTRY_BUS, BUS_ISA, { 'I', 'S', 'A', ' ', ' ', ' ' } };

	put_entry(img, &pci, sizeof(pci));
	put_entry(img, &isa, sizeof(isa));
}

static void add_ioapic(struct image *img)
{
	const struct mp_ioapic ioapic = { ENTRY_IOAPIC, IOAPIC_ID, V3_IOAPIC_VERSION, 1,
					  (uint32_t)V3_PC_IOAPIC_BASE };

	put_entry(img, &ioapic, sizeof(ioapic));
}

/* Wires as intc.h has them; the SCI as the MADT has it. */
static void add_isa_interrupts(struct image *img)
{
	unsigned int irq;

	for (irq = 0; irq < ISA_IRQS; irq++) {
		const struct mp_interrupt entry = {
			.type = ENTRY_IO_INTERRUPT,
			.kind = KIND_INT,
			.flags = irq == ISA_SCI_IRQ ? ACTIVE_HIGH | LEVEL : 0,
			.bus = BUS_ISA,
			.irq = (uint8_t)irq,
			.apic = IOAPIC_ID,
			.pin = (uint8_t)(irq ? irq : TIMER_PIN),
		};

		if (irq != ISA_CASCADE)
			put_entry(img, &entry, sizeof(entry));
	}
}

static void add_lints(struct image *img)
{
	const struct mp_interrupt lints[2] = {
		{ ENTRY_LINT, KIND_EXTINT, 0, BUS_ISA, 0, ALL_LAPICS, 0 },
		{ ENTRY_LINT, KIND_NMI, 0, BUS_ISA, 0, ALL_LAPICS, 1 },
	};

	put_entry(img, &lints[0], sizeof(lints[0]));
	put_entry(img, &lints[1], sizeof(lints[1]));
}

static void seal(struct image *img)
{
	struct mp_pointer pointer = {
		.signature = { '_', 'M', 'P', '_' },
		.table = (uint32_t)(V3_PC_MP_GPA + sizeof(pointer)),
		.length = 1,
		.spec_rev = SPEC_REV_1_4,
	};
	struct mp_header header = {
		.signature = { 'P', 'C', 'M', 'P' },
		.length = (uint16_t)(img->len - sizeof(pointer)),
		.spec_rev = SPEC_REV_1_4,
		.entries = (uint16_t)img->entries,
		.lapic_address = (uint32_t)V3_PC_LAPIC_BASE,
	};
	uint8_t *table = img->buf + sizeof(pointer);

	memcpy(header.oem_id, "LIBV3   ", sizeof(header.oem_id));
	memcpy(header.product_id, "V3PC        ", sizeof(header.product_id));
	pointer.checksum = checksum((const uint8_t *)&pointer, sizeof(pointer));
	memcpy(img->buf, &pointer, sizeof(pointer));
	memcpy(table, &header, sizeof(header));
	header.checksum = checksum(table, header.length);
	memcpy(table, &header, sizeof(header));
}

size_t v3_mptable_build(uint8_t *buf, size_t size, unsigned int num_vcpus)
{
	static const uint8_t room[sizeof(struct mp_pointer) + sizeof(struct mp_header)];
	struct image img = { .buf = buf, .size = size };

	put(&img, room, sizeof(room));
	add_processors(&img, num_vcpus);
	add_buses(&img);
	add_ioapic(&img);
	add_isa_interrupts(&img);
	add_lints(&img);
	if (img.failed)
		return 0;
	seal(&img);
	return img.len;
}

enum v3_status v3_mptable_write(struct v3_vm *vm)
{
	uint8_t *buf = v3_vm_ptr(vm, V3_PC_MP_GPA, V3_MPTABLE_MAX_SIZE);

	if (!buf)
		return V3_ERR_RANGE;
	return v3_mptable_build(buf, V3_MPTABLE_MAX_SIZE, v3_vm_num_vcpus(vm)) ? V3_OK
									     : V3_ERR_INTERNAL;
}

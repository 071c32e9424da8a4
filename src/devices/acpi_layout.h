/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables as they lie in memory (ACPI 6.3, chapter 5).
 */
#ifndef V3_DEVICES_ACPI_LAYOUT_H
#define V3_DEVICES_ACPI_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define V3_PACKED __attribute__((packed))

/** 5.2.5.3 */
struct v3_acpi_rsdp {
	char signature[8];
	uint8_t checksum;	/**< over the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t full_checksum;
	uint8_t reserved[3];
} V3_PACKED;
_Static_assert(sizeof(struct v3_acpi_rsdp) == 36, "RSDP, ACPI 6.3 table 5-27");

/** 5.2.6 */
struct v3_acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} V3_PACKED;
_Static_assert(sizeof(struct v3_acpi_header) == 36, "header, ACPI 6.3 table 5-28");

/** Generic address structure, 5.2.3.2 */
struct v3_acpi_gas {
	uint8_t space;		/**< 1: I/O ports */
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access;		/**< 1: byte, 2: word, 3: double word */
	uint64_t address;
} V3_PACKED;
_Static_assert(sizeof(struct v3_acpi_gas) == 12, "GAS, ACPI 6.3 table 5-25");

/** 5.2.9 */
struct v3_acpi_fadt {
	struct v3_acpi_header header;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved1;
	uint8_t profile;
	uint16_t sci;
	uint32_t smi_command;
	uint8_t smi_values[4];
	uint32_t pm1a_event, pm1b_event;
	uint32_t pm1a_control, pm1b_control;
	uint32_t pm2_control;
	uint32_t pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_len, pm1_control_len, pm2_control_len, pm_timer_len;
	uint8_t gpe0_len, gpe1_len, gpe1_base;
	uint8_t cst_control;
	uint16_t c2_latency, c3_latency;
	uint16_t flush_size, flush_stride;
	uint8_t duty_offset, duty_width;
	uint8_t day_alarm, month_alarm, century;
	uint16_t boot_arch;
	uint8_t reserved2;
	uint32_t flags;
	struct v3_acpi_gas reset;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_version;
	uint64_t x_facs, x_dsdt;
	struct v3_acpi_gas x_pm1a_event, x_pm1b_event;
	struct v3_acpi_gas x_pm1a_control, x_pm1b_control;
	struct v3_acpi_gas x_pm2_control;
	struct v3_acpi_gas x_pm_timer;
	struct v3_acpi_gas x_gpe0, x_gpe1;
	struct v3_acpi_gas sleep_control, sleep_status;
	char hypervisor[8];
} V3_PACKED;
_Static_assert(offsetof(struct v3_acpi_fadt, pm1_event_len) == 88, "FADT, ACPI 6.3 table 5-33");
_Static_assert(offsetof(struct v3_acpi_fadt, boot_arch) == 109, "FADT");
_Static_assert(offsetof(struct v3_acpi_fadt, reset) == 116, "FADT");
_Static_assert(offsetof(struct v3_acpi_fadt, x_facs) == 132, "FADT");
_Static_assert(offsetof(struct v3_acpi_fadt, x_pm_timer) == 208, "FADT");
_Static_assert(sizeof(struct v3_acpi_fadt) == 276, "FADT");

#define V3_ACPI_BOOT_LEGACY (1u << 0)		/**< devices on the ISA bus */
#define V3_ACPI_BOOT_NO_VGA (1u << 2)
#define V3_ACPI_FADT_WBINVD (1u << 0)
#define V3_ACPI_FADT_C1 (1u << 2)
#define V3_ACPI_FADT_NO_FIXED_POWER_BUTTON (1u << 4)
#define V3_ACPI_FADT_NO_FIXED_SLEEP_BUTTON (1u << 5)
#define V3_ACPI_FADT_NO_FIXED_RTC (1u << 6)
#define V3_ACPI_FADT_TIMER_32BIT (1u << 8)
#define V3_ACPI_FADT_RESET_REGISTER (1u << 10)

/** 5.2.10 */
struct v3_acpi_facs {
	char signature[4];
	uint32_t length;
	uint32_t hardware_signature;
	uint32_t waking_vector;
	uint32_t global_lock;
	uint32_t flags;
	uint64_t x_waking_vector;
	uint8_t version;
	uint8_t reserved[31];
} V3_PACKED;
_Static_assert(sizeof(struct v3_acpi_facs) == 64, "FACS, ACPI 6.3 table 5-38");

/** 5.2.12; followed by entries */
struct v3_acpi_madt {
	struct v3_acpi_header header;
	uint32_t lapic_address;
	uint32_t flags;		/**< bit 0: there is an 8259 pair */
} V3_PACKED;
_Static_assert(sizeof(struct v3_acpi_madt) == 44, "MADT, ACPI 6.3 table 5-43");

struct v3_madt_lapic {
	uint8_t type, length;	/**< 0, 8 */
	uint8_t uid, apic_id;
	uint32_t flags;		/**< bit 0: enabled */
} V3_PACKED;
_Static_assert(sizeof(struct v3_madt_lapic) == 8, "MADT local APIC");

struct v3_madt_ioapic {
	uint8_t type, length;	/**< 1, 12 */
	uint8_t id, reserved;
	uint32_t address;
	uint32_t gsi_base;
} V3_PACKED;
_Static_assert(sizeof(struct v3_madt_ioapic) == 12, "MADT I/O APIC");

struct v3_madt_override {
	uint8_t type, length;	/**< 2, 10 */
	uint8_t bus, irq;
	uint32_t gsi;
	uint16_t flags;		/**< polarity 1:0, trigger mode 3:2; 0: as the bus has it */
} V3_PACKED;
_Static_assert(sizeof(struct v3_madt_override) == 10, "MADT interrupt source override");

#define V3_MADT_ACTIVE_HIGH 0x1u
#define V3_MADT_LEVEL 0xcu

struct v3_madt_nmi {
	uint8_t type, length;	/**< 4, 6 */
	uint8_t uid;		/**< 0xff: all */
	uint16_t flags;
	uint8_t lint;
} V3_PACKED;
_Static_assert(sizeof(struct v3_madt_nmi) == 6, "MADT local APIC NMI");

struct v3_madt_x2apic {
	uint8_t type, length;	/**< 9, 16 */
	uint16_t reserved;
	uint32_t apic_id;
	uint32_t flags;
	uint32_t uid;
} V3_PACKED;
_Static_assert(sizeof(struct v3_madt_x2apic) == 16, "MADT x2APIC");

struct v3_madt_x2apic_nmi {
	uint8_t type, length;	/**< 10, 12 */
	uint16_t flags;
	uint32_t uid;		/**< all ones: all */
	uint8_t lint;
	uint8_t reserved[3];
} V3_PACKED;
_Static_assert(sizeof(struct v3_madt_x2apic_nmi) == 12, "MADT x2APIC NMI");

/** 5.2.16; followed by entries */
struct v3_acpi_srat {
	struct v3_acpi_header header;
	uint32_t table_revision;	/**< 1 */
	uint64_t reserved;
} V3_PACKED;
_Static_assert(sizeof(struct v3_acpi_srat) == 48, "SRAT, ACPI 6.3 table 5-67");

struct v3_srat_cpu {
	uint8_t type, length;	/**< 0, 16 */
	uint8_t domain, apic_id;
	uint32_t flags;		/**< bit 0: enabled */
	uint8_t sapic_eid, domain_high[3];
	uint32_t clock_domain;
} V3_PACKED;
_Static_assert(sizeof(struct v3_srat_cpu) == 16, "SRAT processor local APIC affinity");

struct v3_srat_memory {
	uint8_t type, length;	/**< 1, 40 */
	uint32_t domain;
	uint16_t reserved1;
	uint64_t base, size;
	uint32_t reserved2;
	uint32_t flags;		/**< bit 0: enabled */
	uint64_t reserved3;
} V3_PACKED;
_Static_assert(sizeof(struct v3_srat_memory) == 40, "SRAT memory affinity");

/** 5.2.17; followed by a byte for each pair of nodes */
struct v3_acpi_slit {
	struct v3_acpi_header header;
	uint64_t nodes;
} V3_PACKED;
_Static_assert(sizeof(struct v3_acpi_slit) == 44, "SLIT, ACPI 6.3 table 5-72");

#endif

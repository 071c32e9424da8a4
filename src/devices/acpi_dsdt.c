/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DSDT: what an operating system cannot find by itself. In ASL:
 *
 *	Name (_S5, Package () { 5, 5, 0, 0 })
 *	Scope (_SB) { Device (PCI0) {...} Device (COM1) {...} Device (RTC) {...} }
 *
 * There is no _PRT as no PCI function has an interrupt line.
 */
#include "devices/acpi.h"
#include "devices/acpi_pm.h"
#include "devices/aml.h"
#include "devices/rtc.h"
#include "devices/uart.h"

/* Where PCI functions may have memory: from the end of low RAM to the I/O APIC. */
#define PCI_MEMORY_FIRST 0xc0000000u
#define PCI_MEMORY_LAST 0xfebfffffu
#define PCI_CONFIG_PORT 0xcf8
#define PCI_CONFIG_PORTS 8

static void add_s5(struct v3_aml *aml)
{
	v3_aml_name(aml, "_S5_");
	v3_aml_package(aml);
	v3_aml_integer(aml, V3_ACPI_S5_TYPE);
	v3_aml_integer(aml, V3_ACPI_S5_TYPE);
	v3_aml_integer(aml, 0);
	v3_aml_integer(aml, 0);
	v3_aml_end(aml);
}

static void add_host_bridge(struct v3_aml *aml)
{
	v3_aml_device(aml, "PCI0");
	v3_aml_name(aml, "_HID");
	v3_aml_eisa_id(aml, "PNP0A03");
	v3_aml_name(aml, "_UID");
	v3_aml_integer(aml, 0);
	v3_aml_name(aml, "_BBN");
	v3_aml_integer(aml, 0);
	v3_aml_name(aml, "_CRS");
	v3_aml_resources(aml);
	v3_aml_bus_range(aml, 0, 0);
	v3_aml_io_ports(aml, PCI_CONFIG_PORT, PCI_CONFIG_PORTS);
	v3_aml_io_range(aml, 0, PCI_CONFIG_PORT - 1);
	v3_aml_io_range(aml, PCI_CONFIG_PORT + PCI_CONFIG_PORTS, 0xffff);
	v3_aml_memory_range(aml, PCI_MEMORY_FIRST, PCI_MEMORY_LAST);
	v3_aml_end(aml);
	v3_aml_end(aml);
}

/* A device with one range of ports and one interrupt. */
static void add_isa_device(struct v3_aml *aml, const char *name, const char *id, uint16_t port,
			   uint8_t count, unsigned int irq)
{
	v3_aml_device(aml, name);
	v3_aml_name(aml, "_HID");
	v3_aml_eisa_id(aml, id);
	v3_aml_name(aml, "_UID");
	v3_aml_integer(aml, 0);
	v3_aml_name(aml, "_CRS");
	v3_aml_resources(aml);
	v3_aml_io_ports(aml, port, count);
	v3_aml_irq(aml, irq);
	v3_aml_end(aml);
	v3_aml_end(aml);
}

size_t v3_acpi_build_dsdt(uint8_t *buf, size_t size)
{
	struct v3_aml aml;

	v3_aml_init(&aml, buf, size);
	add_s5(&aml);
	v3_aml_scope(&aml, "_SB_");
	add_host_bridge(&aml);
	add_isa_device(&aml, "COM1", "PNP0501", V3_COM1_PORT, 8, V3_COM1_GSI);
	add_isa_device(&aml, "RTC_", "PNP0B00", V3_RTC_PORT, 2, V3_RTC_GSI);
	v3_aml_end(&aml);
	return v3_aml_finish(&aml);
}

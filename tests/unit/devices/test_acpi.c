/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables as an operating system walks them. What they mean is test_acpi_iasl.c's part. */
#include "device_test.h"

#include "devices/acpi.h"
#include "devices/acpi_layout.h"

static uint8_t image[65536];

static uint8_t sum(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint8_t total = 0;

	while (len--)
		total += *p++;
	return total;
}

/* A table by its address in the guest, with its header checked. */
static const void *table_at(uint64_t gpa, const char *signature, size_t used)
{
	const struct v3_acpi_header *header;

	assert_in_range(gpa, V3_PC_TABLES_GPA, V3_PC_RSDP_GPA + used - sizeof(*header));
	header = (const void *)(image + (gpa - V3_PC_RSDP_GPA));
	assert_memory_equal(header->signature, signature, 4);
	assert_true(gpa + header->length <= V3_PC_RSDP_GPA + used);
	assert_int_equal(sum(header, header->length), 0);
	return header;
}

static const struct v3_acpi_rsdp *check_rsdp(void)
{
	const struct v3_acpi_rsdp *rsdp = (const void *)image;

	assert_memory_equal(rsdp->signature, "RSD PTR ", 8);
	assert_int_equal(rsdp->revision, 2);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	assert_int_equal(rsdp->rsdt, 0);
	return rsdp;
}

static const void *find(size_t used, unsigned int index, const char *signature)
{
	const struct v3_acpi_header *xsdt = table_at(check_rsdp()->xsdt, "XSDT", used);
	uint64_t entry;

	assert_int_equal(xsdt->length, 36 + 2 * 8);
	memcpy(&entry, (const uint8_t *)xsdt + 36 + 8 * index, sizeof(entry));
	return table_at(entry, signature, used);
}

static void test_fadt(void **state)
{
	size_t used = v3_acpi_build(image, sizeof(image), 1, NULL);
	const struct v3_acpi_fadt *fadt = find(used, 0, "FACP");
	const struct v3_acpi_facs *facs;

	assert_true(used > 0 && used <= V3_ACPI_MAX_SIZE);
	assert_int_equal(fadt->header.length, 276);
	assert_int_equal(fadt->sci, 9);
	assert_int_equal(fadt->smi_command, 0);
	assert_int_equal(fadt->pm1a_event, 0x600);
	assert_int_equal(fadt->pm1a_control, 0x604);
	assert_int_equal(fadt->pm_timer, 0x608);
	assert_int_equal(fadt->reset.address, 0xcf9);
	assert_int_equal(fadt->reset_value, 6);
	assert_int_equal(fadt->century, 0x32);
	assert_int_equal(fadt->flags & V3_ACPI_FADT_RESET_REGISTER, V3_ACPI_FADT_RESET_REGISTER);
	table_at(fadt->dsdt, "DSDT", used);
	assert_int_equal(fadt->x_dsdt, fadt->dsdt);
	assert_int_equal(fadt->facs % 64, 0);
	assert_int_equal(fadt->x_facs, 0);
	facs = (const void *)(image + (fadt->facs - V3_PC_RSDP_GPA));
	assert_memory_equal(facs->signature, "FACS", 4);
	assert_int_equal(facs->length, 64);
}

struct madt_counts {
	unsigned int lapics, ioapics, overrides, nmis, x2apics, x2apic_nmis;
};

/* Counts entries by type, checking their lengths and that CPU IDs ascend without a gap. */
static struct madt_counts count_entries(const struct v3_acpi_madt *madt)
{
	static const uint8_t lengths[] = { 8, 12, 10, 0, 6, 0, 0, 0, 0, 16, 12 };
	struct madt_counts n = { 0 };
	unsigned int *by_type[] = { &n.lapics, &n.ioapics, &n.overrides, NULL, &n.nmis, NULL, NULL,
		NULL, NULL, &n.x2apics, &n.x2apic_nmis };
	const uint8_t *p = (const uint8_t *)(madt + 1);
	const uint8_t *end = (const uint8_t *)madt + madt->header.length;

	while (p < end) {
		assert_true(p[0] < sizeof(lengths) && by_type[p[0]]);
		assert_int_equal(p[1], lengths[p[0]]);
		if (p[0] == 0)
			assert_int_equal(p[3], n.lapics);
		if (p[0] == 9)
			assert_int_equal(p[4] | p[5] << 8, n.lapics + n.x2apics);
		++*by_type[p[0]];
		p += p[1];
	}
	assert_ptr_equal(p, end);
	return n;
}

static void test_madt(void **state)
{
	size_t used = v3_acpi_build(image, sizeof(image), 4, NULL);
	const struct v3_acpi_madt *madt = find(used, 1, "APIC");
	struct madt_counts n = count_entries(madt);
	const uint8_t *overrides = (const uint8_t *)(madt + 1) + 4 * 8 + 12;
	static const uint8_t expected[] = {
		2, 10, 0, 0, 2, 0, 0, 0, 0, 0,		/* IRQ 0 is pin 2 */
		2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0,	/* IRQ 9: level, active high */
		4, 6, 0xff, 0, 0, 1,			/* NMI on LINT1 of all */
	};

	assert_int_equal(madt->lapic_address, 0xfee00000);
	assert_int_equal(madt->flags, 1);
	assert_int_equal(n.lapics, 4);
	assert_int_equal(n.ioapics, 1);
	assert_int_equal(n.overrides, 2);
	assert_int_equal(n.nmis, 1);
	assert_int_equal(n.x2apics + n.x2apic_nmis, 0);
	assert_memory_equal(overrides, expected, sizeof(expected));
}

static void test_madt_of_many_cpus(void **state)
{
	size_t used = v3_acpi_build(image, sizeof(image), 300, NULL);
	struct madt_counts n = count_entries(find(used, 1, "APIC"));

	assert_int_equal(n.lapics, 255);
	assert_int_equal(n.x2apics, 45);
	assert_int_equal(n.x2apic_nmis, 1);
	n = count_entries(find(v3_acpi_build(image, sizeof(image), 255, NULL), 1, "APIC"));
	assert_int_equal(n.lapics, 255);
	assert_int_equal(n.x2apics + n.x2apic_nmis, 0);
}

/* Too small a buffer is an error at every size, and nothing past it is touched. */
static void test_no_space(void **state)
{
	size_t need = v3_acpi_build(image, sizeof(image), V3_MAX_VCPUS, NULL), size;

	assert_true(need > 0 && need <= V3_ACPI_MAX_SIZE);
	for (size = 0; size < need; size++) {
		image[size] = 0xcc;
		assert_int_equal(v3_acpi_build(image, size, V3_MAX_VCPUS, NULL), 0);
		assert_int_equal(image[size], 0xcc);
	}
	assert_int_equal(v3_acpi_build(image, need, V3_MAX_VCPUS, NULL), need);
}

static void test_write(void **state)
{
	struct v3_vm *vm = fake_vm_create(2);
	uint8_t *written = malloc(V3_ACPI_MAX_SIZE);
	size_t used = v3_acpi_build(image, sizeof(image), 2, NULL);

	assert_non_null(written);
	assert_int_equal(v3_acpi_write(vm), V3_ERR_RANGE);
	fake_vm_add_pc_mem(vm, 64 << 20);
	assert_int_equal(v3_acpi_write(vm), V3_OK);
	assert_int_equal(v3_vm_read(vm, V3_PC_RSDP_GPA, written, used), V3_OK);
	assert_memory_equal(written, image, used);
	free(written);
	fake_vm_destroy(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fadt),
		cmocka_unit_test(test_madt),
		cmocka_unit_test(test_madt_of_many_cpus),
		cmocka_unit_test(test_no_space),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

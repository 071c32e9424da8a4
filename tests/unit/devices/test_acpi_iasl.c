/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPICA's compiler as judge of the ACPI tables: it disassembles each, compiles what it got without
 * an error or warning, and ends up with the same bytes. Fails if iasl is not installed.
 */
#include "device_test.h"

#include <stdio.h>
#include <unistd.h>

#include "devices/acpi.h"
#include "devices/acpi_layout.h"

static char dir[96];
static uint8_t image[V3_ACPI_MAX_SIZE];

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	int len = snprintf(dir, sizeof(dir), "%s/v3-acpi-XXXXXX", tmp && *tmp ? tmp : "/tmp");

	if (system("iasl -v >/dev/null 2>&1") != 0) {
		fprintf(stderr, "iasl does not run: install Debian's package acpica-tools\n");
		return -1;
	}
	return len < (int)sizeof(dir) && mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static char *path_of(const char *name, const char *suffix)
{
	static char path[2][128];
	static unsigned int turn;

	turn ^= 1;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s%s", dir, name, suffix);
	return path[turn];
}

static void save(const char *name, const void *bytes, size_t len)
{
	FILE *file = fopen(path_of(name, ".dat"), "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static size_t load(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "rb");
	size_t len;

	if (!file)
		fail_msg("%s is missing", path);
	len = fread(text, 1, size - 1, file);
	text[len] = '\0';
	fclose(file);
	return len;
}

/* Runs a command in the directory; its output must hold @wanted, unless NULL, and no complaint. */
static void run(const char *command, const char *wanted)
{
	static char output[65536];
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s >output 2>&1", dir, command);
	if (system(line) != 0)
		line[0] = '\0';
	snprintf(output, sizeof(output), "%s/output", dir);
	load(output, output, sizeof(output));
	if (!line[0] || (wanted && !strstr(output, wanted)) || strstr(output, "Could not") ||
	    strstr(output, "Invalid") || strstr(output, "ncorrect"))
		fail_msg("%s said:\n%s", command, output);
}

/* Fields that the compiler fills in as it likes: checksum, creator and its revision. */
static void mask_header(char *table)
{
	struct v3_acpi_header *header = (void *)table;

	header->checksum = 0;
	memset(header->creator_id, 0, sizeof(header->creator_id));
	header->creator_revision = 0;
}

/* There and back again. */
static void check_table(const char *name, const void *bytes, size_t len, const char *verdict)
{
	static char original[V3_ACPI_MAX_SIZE], again[V3_ACPI_MAX_SIZE + 1];
	char command[64];
	size_t again_len;

	save(name, bytes, len);
	snprintf(command, sizeof(command), "iasl -d %s.dat", name);
	run(command, NULL);
	snprintf(command, sizeof(command), "iasl -we -p %s_again %s.dsl", name, name);
	run(command, verdict);
	again_len = load(path_of(name, "_again.aml"), again, sizeof(again));
	assert_int_equal(again_len, len);
	memcpy(original, bytes, len);
	if (strcmp(name, "facs") != 0) {
		mask_header(original);
		mask_header(again);
	}
	assert_memory_equal(original, again, len);
}

static const struct v3_acpi_header *at(uint64_t gpa)
{
	return (const void *)(image + (gpa - V3_PC_RSDP_GPA));
}

static const struct v3_acpi_header *entry(unsigned int index)
{
	const struct v3_acpi_rsdp *rsdp = (const void *)image;
	uint64_t gpa;

	memcpy(&gpa, (const uint8_t *)at(rsdp->xsdt) + 36 + 8 * index, sizeof(gpa));
	return at(gpa);
}

static const struct v3_acpi_fadt *build(unsigned int cpus)
{
	assert_true(v3_acpi_build(image, sizeof(image), cpus, NULL) > 0);
	return (const void *)entry(0);
}

static void test_dsdt(void **state)
{
	const struct v3_acpi_header *dsdt = at(build(1)->dsdt);
	static char text[65536];

	check_table("dsdt", dsdt, dsdt->length, "0 Errors, 0 Warnings");
	load(path_of("dsdt", ".dsl"), text, sizeof(text));
	assert_non_null(strstr(text, "Device (PCI0)"));
	assert_non_null(strstr(text, "EisaId (\"PNP0A03\")"));
	assert_non_null(strstr(text, "EisaId (\"PNP0501\")"));
	assert_non_null(strstr(text, "EisaId (\"PNP0B00\")"));
	assert_non_null(strstr(text, "Name (_S5, Package (0x04)"));
}

static void test_fadt(void **state)
{
	const struct v3_acpi_fadt *fadt = build(1);

	check_table("facp", fadt, fadt->header.length, NULL);
	check_table("facs", at(fadt->facs), sizeof(struct v3_acpi_facs), NULL);
}

static void test_madt(void **state)
{
	static const unsigned int cpus[] = { 1, V3_MAX_VCPUS };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		build(cpus[i]);
		check_table("apic", entry(1), entry(1)->length, NULL);
	}
}

static void test_xsdt(void **state)
{
	const struct v3_acpi_rsdp *rsdp = (const void *)image;

	build(1);
	check_table("xsdt", at(rsdp->xsdt), at(rsdp->xsdt)->length, NULL);
}

/* 64 vCPUs on 16 nodes with two pieces of memory each. */
static void test_nodes(void **state)
{
	struct v3_vm *vm = fake_vm_create(V3_MAX_VCPUS);
	unsigned int i;

	(void)state;
	vm->num_nodes = 16;
	for (i = 0; i < 32; i++)
		fake_vm_add_node_mem(vm, i * 0x40000000ull, 0x40000000, V3_MEM_RAM,
				     (int32_t)(i % 16));
	assert_true(v3_acpi_build(image, sizeof(image), V3_MAX_VCPUS, vm) > 0);
	check_table("srat", entry(2), entry(2)->length, NULL);
	check_table("slit", entry(3), entry(3)->length, NULL);
	fake_vm_destroy(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dsdt),
		cmocka_unit_test(test_fadt),
		cmocka_unit_test(test_madt),
		cmocka_unit_test(test_xsdt),
		cmocka_unit_test(test_nodes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

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

static unsigned int num_tables(size_t used)
{
	const struct v3_acpi_header *xsdt = table_at(check_rsdp()->xsdt, "XSDT", used);

	return (xsdt->length - 36) / 8;
}

static const void *find(size_t used, unsigned int index, const char *signature)
{
	const struct v3_acpi_header *xsdt = table_at(check_rsdp()->xsdt, "XSDT", used);
	uint64_t entry;

	assert_int_equal((xsdt->length - 36) % 8, 0);
	assert_true(index < num_tables(used));
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

/* --- NUMA --- */

#define PIECE (64ull << 20)

/* A VM of so many nodes, with its pieces of memory from 1 MiB on in turn, and a gap after each. */
static struct v3_vm *numa_vm(unsigned int vcpus, unsigned int nodes, unsigned int pieces)
{
	struct v3_vm *vm = fake_vm_create(vcpus);
	unsigned int i;

	vm->num_nodes = nodes;
	fake_vm_add_node_mem(vm, 0, 0xa0000, V3_MEM_RAM, 0);
	fake_vm_add_node_mem(vm, 0xc0000, 0x40000, V3_MEM_ROM, 0);
	for (i = 0; i < pieces; i++)
		fake_vm_add_node_mem(vm, 0x100000 + 2 * i * PIECE, PIECE, V3_MEM_RAM,
				     (int32_t)(i % nodes));
	return vm;
}

static const uint8_t *check_srat_cpus(const struct v3_acpi_srat *srat, unsigned int vcpus,
				      unsigned int nodes)
{
	const struct v3_srat_cpu *cpu = (const void *)(srat + 1);
	unsigned int i;

	assert_int_equal(srat->table_revision, 1);
	assert_int_equal(srat->header.revision, 3);
	for (i = 0; i < vcpus; i++, cpu++) {
		assert_int_equal(cpu->type, 0);
		assert_int_equal(cpu->length, 16);
		assert_int_equal(cpu->apic_id, i);
		assert_int_equal(cpu->domain, i % nodes);
		assert_int_equal(cpu->domain_high[0] | cpu->domain_high[1] | cpu->domain_high[2], 0);
		assert_int_equal(cpu->flags, 1);
	}
	return (const uint8_t *)cpu;
}

static void check_srat(const struct v3_acpi_srat *srat, unsigned int vcpus, unsigned int nodes,
		       unsigned int pieces)
{
	const struct v3_srat_memory *mem = (const void *)check_srat_cpus(srat, vcpus, nodes);
	unsigned int i;

	for (i = 0; i < pieces; i++, mem++) {
		assert_int_equal(mem->type, 1);
		assert_int_equal(mem->length, 40);
		assert_int_equal(mem->domain, i % nodes);
		assert_int_equal(mem->flags, 1);
		/* The first megabyte is one with what follows. */
		assert_int_equal(mem->base, i ? 0x100000 + 2 * i * PIECE : 0);
		assert_int_equal(mem->size, i ? PIECE : PIECE + 0x100000);
	}
	assert_ptr_equal(mem, (const uint8_t *)srat + srat->header.length);
}

static void check_slit(const struct v3_acpi_slit *slit, unsigned int nodes)
{
	const uint8_t *distance = (const uint8_t *)(slit + 1);
	unsigned int i;

	assert_int_equal(slit->nodes, nodes);
	assert_int_equal(slit->header.length, 44 + nodes * nodes);
	for (i = 0; i < nodes * nodes; i++)
		assert_int_equal(distance[i], i / nodes == i % nodes ? 10 :
				 20 + i / nodes + 2 * (i % nodes));
}

static void test_nodes(void **state)
{
	static const struct { unsigned int vcpus, nodes, pieces; } cases[] = {
		{ 1, 2, 2 }, { 3, 2, 5 }, { 4, 3, 3 }, { V3_MAX_VCPUS, 16, 16 },
		{ V3_MAX_VCPUS, 64, 128 },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned int vcpus = cases[i].vcpus, nodes = cases[i].nodes;
		struct v3_vm *vm = numa_vm(vcpus, nodes, cases[i].pieces);
		size_t used = v3_acpi_build(image, sizeof(image), vcpus, vm);

		assert_in_range(used, 1, V3_ACPI_MAX_SIZE);
		assert_int_equal(num_tables(used), 4);
		assert_int_equal(count_entries(find(used, 1, "APIC")).lapics, vcpus);
		check_srat(find(used, 2, "SRAT"), vcpus, nodes, cases[i].pieces);
		check_slit(find(used, 3, "SLIT"), nodes);
		fake_vm_destroy(vm);
	}
}

/* Ranges of one node are one piece only if next to nothing is between them. */
static void test_memory_of_one_node(void **state)
{
	struct v3_vm *vm = fake_vm_create(1);
	const struct v3_srat_memory *mem;
	const struct v3_acpi_srat *srat;

	(void)state;
	vm->num_nodes = 2;
	fake_vm_add_node_mem(vm, 0, 0xc0000000, V3_MEM_RAM, 0);
	fake_vm_add_node_mem(vm, 0x100000000, 0x40000000, V3_MEM_RAM, 0);
	fake_vm_add_node_mem(vm, 0x140000000, 0x40000000, V3_MEM_RAM, V3_NODE_ANY);
	fake_vm_add_node_mem(vm, 0x180000000, 0x40000000, V3_MEM_RAM, 1);
	srat = find(v3_acpi_build(image, sizeof(image), 1, vm), 2, "SRAT");
	mem = (const void *)((const uint8_t *)(srat + 1) + 16);
	assert_int_equal(srat->header.length, 48 + 16 + 3 * 40);
	assert_int_equal(mem[0].size, 0xc0000000);
	assert_int_equal(mem[1].base, 0x100000000);
	assert_int_equal(mem[1].size, 0x80000000);
	assert_int_equal(mem[2].base, 0x180000000);
	assert_int_equal(mem[2].domain, 1);
	fake_vm_destroy(vm);
}

static void test_no_space_for_nodes(void **state)
{
	struct v3_vm *vm = numa_vm(V3_MAX_VCPUS, 16, 16);
	size_t need = v3_acpi_build(image, sizeof(image), V3_MAX_VCPUS, vm), size;

	(void)state;
	for (size = 0; size < need; size++) {
		image[size] = 0xcc;
		assert_int_equal(v3_acpi_build(image, size, V3_MAX_VCPUS, vm), 0);
		assert_int_equal(image[size], 0xcc);
	}
	assert_int_equal(v3_acpi_build(image, need, V3_MAX_VCPUS, vm), need);
	fake_vm_destroy(vm);
}

/* With one node there is neither table, and the same bytes as without a VM. */
static void test_one_node(void **state)
{
	static uint8_t plain[65536];
	struct v3_vm *vm = numa_vm(2, 1, 2);
	size_t used = v3_acpi_build(plain, sizeof(plain), 2, NULL);

	(void)state;
	assert_int_equal(v3_acpi_build(image, sizeof(image), 2, vm), used);
	assert_memory_equal(image, plain, used);
	assert_int_equal(num_tables(used), 2);
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
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_memory_of_one_node),
		cmocka_unit_test(test_no_space_for_nodes),
		cmocka_unit_test(test_one_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

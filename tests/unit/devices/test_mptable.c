/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MP table as an operating system reads it: found by its signature, walked byte by byte with
 * the numbers of the MultiProcessor Specification 1.4, not with the builder's structures.
 */
#include "device_test.h"

#include "devices/mptable.h"

#define BIOS 0xf0000u
#define BIOS_SIZE 0x10000u

static uint8_t bios[BIOS_SIZE];

struct found {
	unsigned int cpus, buses, ioapics, isa_irqs, lints;
	bool cpu_seen[256], isa_seen[16];
	int isa_bus, pci_bus, ioapic_id;
	const uint8_t *table;
};

static unsigned int le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint8_t sum(const uint8_t *p, size_t len)
{
	uint8_t total = 0;

	while (len--)
		total += *p++;
	return total;
}

/* 4: on 16-byte boundaries, the only one there is. */
static const uint8_t *find_pointer(void)
{
	const uint8_t *found = NULL;
	uint32_t at;

	for (at = 0; at < BIOS_SIZE; at += 16)
		if (!memcmp(bios + at, "_MP_", 4)) {
			assert_null(found);
			found = bios + at;
		}
	assert_non_null(found);
	assert_int_equal(found[8], 1);
	assert_int_equal(found[9], 4);
	assert_int_equal(sum(found, 16), 0);
	assert_int_equal(found[11], 0);		/* full table */
	assert_int_equal(found[12], 0);		/* virtual wire mode */
	return found;
}

static void parse_processor(struct found *f, const uint8_t *p)
{
	assert_false(f->cpu_seen[p[1]]);
	f->cpu_seen[p[1]] = true;
	assert_int_equal(p[2], 0x14);
	assert_int_equal(p[3], p[1] == 0 ? 3 : 1);
	assert_int_equal(le32(p + 8) & 0x201, 0x201);
	assert_int_equal(le32(p + 12) | le32(p + 16), 0);
	f->cpus++;
}

static void parse_bus(struct found *f, const uint8_t *p)
{
	assert_int_not_equal(p[1], f->isa_bus);
	assert_int_not_equal(p[1], f->pci_bus);
	if (!memcmp(p + 2, "ISA   ", 6))
		f->isa_bus = p[1];
	else if (!memcmp(p + 2, "PCI   ", 6))
		f->pci_bus = p[1];
	else
		fail_msg("unknown bus %.6s", (const char *)p + 2);
	f->buses++;
}

static void parse_ioapic(struct found *f, const uint8_t *p)
{
	f->ioapic_id = p[1];
	assert_int_equal(p[2], 0x20);
	assert_int_equal(p[3], 1);
	assert_int_equal(le32(p + 4), 0xfec00000);
	f->ioapics++;
}

static void parse_io_interrupt(struct found *f, const uint8_t *p)
{
	unsigned int irq = p[5];

	assert_int_equal(p[1], 0);
	assert_int_equal(p[4], f->isa_bus);
	assert_in_range(irq, 0, 15);
	assert_false(f->isa_seen[irq]);
	f->isa_seen[irq] = true;
	assert_int_equal(p[6], f->ioapic_id);
	assert_int_equal(p[7], irq == 0 ? 2 : irq);
	assert_int_equal(le16(p + 2), irq == 9 ? 0xd : 0);
	f->isa_irqs++;
}

/* ExtINT comes in by pin 0 of all local APICs, NMI by pin 1. */
static void parse_lint(struct found *f, const uint8_t *p)
{
	assert_int_equal(p[1], p[7] == 0 ? 3 : 1);
	assert_int_equal(le16(p + 2), 0);
	assert_int_equal(p[4], f->isa_bus);
	assert_int_equal(p[5], 0);
	assert_int_equal(p[6], 0xff);
	assert_int_equal(p[7], f->lints);
	f->lints++;
}

static struct found parse(void)
{
	static void (*const parsers[])(struct found *f, const uint8_t *p) = {
		parse_processor, parse_bus, parse_ioapic, parse_io_interrupt, parse_lint,
	};
	struct found f = { .isa_bus = -1, .pci_bus = -1, .ioapic_id = -1 };
	uint32_t gpa = le32(find_pointer() + 4);
	const uint8_t *p, *end;
	unsigned int i, type = 0;

	assert_in_range(gpa, BIOS, BIOS + BIOS_SIZE - 44);
	f.table = bios + (gpa - BIOS);
	assert_memory_equal(f.table, "PCMP", 4);
	assert_in_range(le16(f.table + 4), 44, BIOS + BIOS_SIZE - gpa);
	end = f.table + le16(f.table + 4);
	assert_int_equal(f.table[6], 4);
	assert_int_equal(sum(f.table, le16(f.table + 4)), 0);
	assert_memory_equal(f.table + 8, "LIBV3   V3PC        ", 20);
	assert_int_equal(le32(f.table + 28), 0);
	assert_int_equal(le16(f.table + 32), 0);
	assert_int_equal(le32(f.table + 36), 0xfee00000);
	assert_int_equal(le32(f.table + 40), 0);	/* no extended table */
	for (i = 0, p = f.table + 44; i < le16(f.table + 34); i++) {
		assert_true(p < end && p[0] < 5);
		assert_true(p[0] >= type);	/* 4.3: in ascending order of type */
		type = p[0];
		parsers[type](&f, p);
		p += type == 0 ? 20 : 8;
	}
	assert_ptr_equal(p, end);
	return f;
}

static void check(unsigned int num_vcpus)
{
	struct found f = parse();
	unsigned int i;

	assert_int_equal(f.cpus, num_vcpus);
	for (i = 0; i < num_vcpus; i++)
		assert_true(f.cpu_seen[i]);
	assert_int_equal(f.buses, 2);
	assert_int_equal(f.pci_bus, 0);
	assert_int_equal(f.ioapics, 1);
	assert_int_equal(f.ioapic_id, 0);
	assert_int_equal(f.isa_irqs, 15);
	assert_false(f.isa_seen[2]);
	assert_int_equal(f.lints, 2);
}

static void test_every_number_of_vcpus(void **state)
{
	unsigned int n;

	(void)state;
	for (n = 1; n <= V3_MAX_VCPUS; n++) {
		memset(bios, 0, sizeof(bios));
		assert_in_range(v3_mptable_build(bios, V3_MPTABLE_MAX_SIZE, n), 1,
				V3_MPTABLE_MAX_SIZE);
		/* Built to lie elsewhere: put it there. */
		memmove(bios + (V3_PC_MP_GPA - BIOS), bios, V3_MPTABLE_MAX_SIZE);
		memset(bios, 0, V3_MPTABLE_MAX_SIZE);
		check(n);
	}
}

/* Local APIC IDs have 8 bits, and 0xff means all. */
static void test_more_than_ids(void **state)
{
	(void)state;
	memset(bios, 0, sizeof(bios));
	assert_true(v3_mptable_build(bios + (V3_PC_MP_GPA - BIOS),
				     BIOS_SIZE - (V3_PC_MP_GPA - BIOS), 300) > 0);
	check(255);
}

static void test_no_space(void **state)
{
	size_t need = v3_mptable_build(bios, sizeof(bios), V3_MAX_VCPUS), size;

	(void)state;
	assert_in_range(need, 1, V3_MPTABLE_MAX_SIZE);
	for (size = 0; size < need; size++) {
		bios[size] = 0xcc;
		assert_int_equal(v3_mptable_build(bios, size, V3_MAX_VCPUS), 0);
		assert_int_equal(bios[size], 0xcc);
	}
	assert_int_equal(v3_mptable_build(bios, need, V3_MAX_VCPUS), need);
}

static void test_write(void **state)
{
	struct v3_vm *vm = fake_vm_create(3);

	(void)state;
	assert_int_equal(v3_mptable_write(vm), V3_ERR_RANGE);
	fake_vm_add_pc_mem(vm, 64 << 20);
	assert_int_equal(v3_mptable_write(vm), V3_OK);
	fake_vm_destroy(vm);
}

/* With everything else that the platform puts there. */
static void test_platform(void **state)
{
	struct v3_pc_config pc = { .struct_size = sizeof(pc) };
	struct v3_vm *vm = fake_vm_create(3);

	(void)state;
	fake_vm_add_pc_mem(vm, 64 << 20);
	assert_int_equal(v3_pc_attach(vm, &pc), V3_OK);
	assert_int_equal(v3_vm_read(vm, BIOS, bios, sizeof(bios)), V3_OK);
	check(3);
	assert_memory_equal(bios + (V3_PC_RSDP_GPA - BIOS), "RSD PTR ", 8);
	fake_vm_destroy(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_number_of_vcpus),
		cmocka_unit_test(test_more_than_ids),
		cmocka_unit_test(test_no_space),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_platform),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "device_test.h"

#include "devices/aml.h"

static uint8_t buf[1 << 17];
static struct v3_aml aml;

static int setup(void **state)
{
	memset(buf, 0xcc, sizeof(buf));
	v3_aml_init(&aml, buf, sizeof(buf));
	return 0;
}

#define assert_aml(...) do { \
	static const uint8_t expected[] = { __VA_ARGS__ }; \
	assert_int_equal(v3_aml_finish(&aml), sizeof(expected)); \
	assert_memory_equal(buf, expected, sizeof(expected)); \
} while (0)

static void test_integers(void **state)
{
	v3_aml_integer(&aml, 0);
	v3_aml_integer(&aml, 1);
	v3_aml_integer(&aml, 2);
	v3_aml_integer(&aml, 0xff);
	v3_aml_integer(&aml, 0x100);
	v3_aml_integer(&aml, 0x10000);
	v3_aml_integer(&aml, 0x100000000);
	assert_aml(0x00, 0x01, 0x0a, 0x02, 0x0a, 0xff, 0x0b, 0x00, 0x01, 0x0c, 0, 0, 1, 0,
		   0x0e, 0, 0, 0, 0, 1, 0, 0, 0);
}

static void test_eisa_id(void **state)
{
	v3_aml_eisa_id(&aml, "PNP0A03");
	assert_aml(0x0c, 0x41, 0xd0, 0x0a, 0x03);
}

static void test_package_counts(void **state)
{
	v3_aml_name(&aml, "_S5_");
	v3_aml_package(&aml);
	v3_aml_integer(&aml, 5);
	v3_aml_package(&aml);
	v3_aml_end(&aml);
	v3_aml_integer(&aml, 0);
	v3_aml_end(&aml);
	assert_aml(0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x03, 0x0a, 0x05, 0x12, 0x02, 0x00, 0x00);
}

static void test_device_and_scope(void **state)
{
	v3_aml_scope(&aml, "_SB_");
	v3_aml_device(&aml, "PCI0");
	v3_aml_end(&aml);
	v3_aml_end(&aml);
	v3_aml_scope(&aml, "PCI0");
	v3_aml_end(&aml);
	assert_aml(0x10, 0x0c, '_', 'S', 'B', '_', 0x5b, 0x82, 0x05, 'P', 'C', 'I', '0',
		   0x10, 0x05, 'P', 'C', 'I', '0');
}

static void test_resources(void **state)
{
	v3_aml_resources(&aml);
	v3_aml_io_ports(&aml, 0x3f8, 8);
	v3_aml_irq(&aml, 4);
	v3_aml_end(&aml);
	assert_aml(0x11, 0x10, 0x0a, 0x0d, 0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x01, 0x08,
		   0x22, 0x10, 0x00, 0x79, 0x00);
}

static void test_ranges(void **state)
{
	v3_aml_resources(&aml);
	v3_aml_bus_range(&aml, 0, 0xff);
	v3_aml_memory_range(&aml, 0xc0000000, 0xfebfffff);
	v3_aml_end(&aml);
	assert_aml(0x11, 0x2f, 0x0a, 0x2c,
		   0x88, 0x0d, 0x00, 0x02, 0x0c, 0x00, 0, 0, 0, 0, 0xff, 0, 0, 0, 0x00, 0x01,
		   0x87, 0x17, 0x00, 0x00, 0x0c, 0x01, 0, 0, 0, 0, 0, 0, 0, 0xc0,
		   0xff, 0xff, 0xbf, 0xfe, 0, 0, 0, 0, 0, 0, 0xc0, 0x3e, 0x79, 0x00);
}

static void test_large_resource_buffer(void **state)
{
	unsigned int i;

	v3_aml_resources(&aml);
	for (i = 0; i < 100; i++)
		v3_aml_irq(&aml, 5);
	v3_aml_end(&aml);
	assert_int_equal(v3_aml_finish(&aml), 1 + 2 + 3 + 302);
	assert_int_equal(buf[3], 0x0b);
	assert_int_equal(buf[4] | buf[5] << 8, 302);
}

/* PkgLength counts itself, so its own size changes at these content sizes. */
static void test_package_lengths(void **state)
{
	static const struct { size_t content; unsigned int bytes; uint8_t first; } cases[] = {
		{ 62, 1, 63 }, { 63, 2, 0x41 }, { 4093, 2, 0x4f }, { 4094, 3, 0x81 },
		{ 65536, 3, 0x83 },
	};
	unsigned int i;
	size_t n;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		v3_aml_init(&aml, buf, sizeof(buf));
		v3_aml_device(&aml, "DEV0");
		for (n = 4; n < cases[i].content; n++)
			v3_aml_integer(&aml, 1);
		v3_aml_end(&aml);
		assert_int_equal(v3_aml_finish(&aml), 2 + cases[i].bytes + cases[i].content);
		assert_int_equal(buf[2], cases[i].first);
		assert_memory_equal(buf + 2 + cases[i].bytes, "DEV0", 4);
	}
}

static void test_mistakes(void **state)
{
	static const char *const names[] = { "ABC", "ABCDE", "0ABC", "abcd", "AB D", "" };
	static const char *const ids[] = { "PNP0A0", "PNP0A031", "PN00A03", "PNP0G03", "pnp0a03",
		"" };
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setup(NULL);
		v3_aml_name(&aml, names[i]);
		assert_int_equal(v3_aml_finish(&aml), 0);
	}
	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		setup(NULL);
		v3_aml_eisa_id(&aml, ids[i]);
		assert_int_equal(v3_aml_finish(&aml), 0);
	}
	setup(NULL);
	v3_aml_device(&aml, "DEV0");
	assert_int_equal(v3_aml_finish(&aml), 0);	/* not ended */
	setup(NULL);
	v3_aml_end(&aml);
	assert_int_equal(v3_aml_finish(&aml), 0);
	setup(NULL);
	v3_aml_irq(&aml, 3);				/* not in a resource buffer */
	assert_int_equal(v3_aml_finish(&aml), 0);
	setup(NULL);
	v3_aml_resources(&aml);
	v3_aml_irq(&aml, 16);
	v3_aml_end(&aml);
	assert_int_equal(v3_aml_finish(&aml), 0);
	setup(NULL);
	v3_aml_resources(&aml);
	v3_aml_io_range(&aml, 5, 4);
	v3_aml_end(&aml);
	assert_int_equal(v3_aml_finish(&aml), 0);
	setup(NULL);
	for (i = 0; i <= V3_AML_MAX_DEPTH; i++)
		v3_aml_device(&aml, "DEV0");
	for (i = 0; i <= V3_AML_MAX_DEPTH; i++)
		v3_aml_end(&aml);
	assert_int_equal(v3_aml_finish(&aml), 0);
	setup(NULL);
	v3_aml_package(&aml);
	for (i = 0; i < 256; i++)
		v3_aml_integer(&aml, 0);
	v3_aml_end(&aml);
	assert_int_equal(v3_aml_finish(&aml), 0);
}

static void build(size_t size)
{
	v3_aml_init(&aml, buf, size);
	v3_aml_device(&aml, "DEV0");
	v3_aml_name(&aml, "_CRS");
	v3_aml_resources(&aml);
	v3_aml_irq(&aml, 1);
	v3_aml_end(&aml);
	v3_aml_name(&aml, "_PKG");
	v3_aml_package(&aml);
	v3_aml_integer(&aml, 0x1234567890);
	v3_aml_end(&aml);
	v3_aml_end(&aml);
}

/* With every size that is too small it fails, and nothing past the end is touched. */
static void test_no_space(void **state)
{
	size_t need, size;

	build(sizeof(buf));
	need = v3_aml_finish(&aml);
	assert_true(need > 30);
	for (size = 0; size < need; size++) {
		memset(buf, 0xcc, sizeof(buf));
		build(size);
		assert_int_equal(v3_aml_finish(&aml), 0);
		assert_int_equal(buf[size], 0xcc);
	}
	build(need);
	assert_int_equal(v3_aml_finish(&aml), need);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_integers, setup),
		cmocka_unit_test_setup(test_eisa_id, setup),
		cmocka_unit_test_setup(test_package_counts, setup),
		cmocka_unit_test_setup(test_device_and_scope, setup),
		cmocka_unit_test_setup(test_resources, setup),
		cmocka_unit_test_setup(test_ranges, setup),
		cmocka_unit_test_setup(test_large_resource_buffer, setup),
		cmocka_unit_test_setup(test_package_lengths, setup),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test_setup(test_no_space, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

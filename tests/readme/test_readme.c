/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <v3/boot.h>
#include <v3/pc.h>

#include "fakes/fake_host.h"

/* In README.md. */
enum v3_status start_linux(struct v3_host *host, struct v3_blob kernel, struct v3_vm **vm);

static enum v3_status read_nonsense(void *ctx, uint64_t offset, void *dst, size_t len)
{
	memset(dst, 0x5a, len);
	return V3_OK;
}

static void test_example(void **state)
{
	struct v3_fake_host *fake = v3_fake_host_create();
	struct v3_blob kernel = { .size = 1 << 20, .read = read_nonsense };
	struct v3_host *host;
	struct v3_vm *vm;
	uint64_t heap;

	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
	heap = v3_fake_host_heap_bytes(fake);
	assert_int_equal(start_linux(host, kernel, &vm), V3_ERR_FORMAT);
	assert_int_equal(v3_fake_host_heap_bytes(fake), heap);
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

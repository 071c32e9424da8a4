/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host with a device of its own. It runs the first boot module as a guest, saves the device when
 * that guest has ended, and loads it into the VM of a second guest, the second module, which
 * finds the device as the first one left it.
 */
#include <v3/pc.h>

#include "doorbell.h"
#include "host.h"

#define EXIT_HOST	121	/* this host or libv3 failed */
#define EXIT_LEAK	122	/* all went well, but memory was not given back */
#define EXIT_GUEST	125	/* a guest did not end with an exit code */

#define GUEST_RAM	(64 * BM_MIB)
#define GUEST_SECONDS	60

const char bm_name[] = "own_device";
const char bm_first_line[] = "own_device: entry\n";

/* Enough for any device here; len 0: nothing was saved yet. */
static struct {
	uint8_t bytes[256];
	size_t len;
} saved;

/* Position of the doorbell in the VM's list of devices; past its end if there is none. */
static unsigned int find_doorbell(const struct v3_vm *vm)
{
	unsigned int i = 0;
	const char *name;

	while ((name = v3_device_name(vm, i)) && !bm_streq(name, DOORBELL_NAME))
		i++;
	return i;
}

/* All that libv3 has to know of a device. */
static bool build(struct v3_vm *vm)
{
	struct v3_pc_config pc = { .struct_size = sizeof(pc) };

	return !mh_failed("v3_pc_attach", v3_pc_attach(vm, &pc)) &&
	       !mh_failed("add the doorbell", doorbell_attach(vm));
}

static bool load_device(struct v3_vm *vm)
{
	if (!saved.len)
		return true;
	bm_printf("%s: loading %u bytes of the doorbell's state\n", bm_name,
		  (unsigned int)saved.len);
	return !mh_failed("load the doorbell", v3_device_load(vm, find_doorbell(vm), saved.bytes,
							      saved.len));
}

static bool save_device(struct v3_vm *vm)
{
	return !mh_failed("save the doorbell", v3_device_save(vm, find_doorbell(vm), saved.bytes,
							      sizeof(saved.bytes), &saved.len));
}

/* From start to end; the guest's exit code. */
static int run(struct v3_vm *vm, struct v3_host_event *event)
{
	struct v3_vm_end end;

	if (mh_failed("v3_vm_start", v3_vm_start(vm)))
		return EXIT_HOST;
	mh_guest_watch(vm, event, GUEST_SECONDS);
	v3_vm_state(vm, &end);
	bm_printf("%s: guest ended with code %u: %s\n", bm_name, end.code, end.reason);
	if (end.kind != V3_END_EXIT)
		return EXIT_GUEST;
	return save_device(vm) ? (int)end.code : EXIT_HOST;
}

static int run_guest(struct v3_host *host, unsigned int module)
{
	struct v3_mem_config mem = { .size = GUEST_RAM, .node = V3_NODE_ANY };
	struct v3_host_event event = { 0 };
	struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = 1, .name = "guest",
		.mem = &mem, .num_mem = 1, .ctx = &event,
	};
	int code = EXIT_HOST;
	struct v3_vm *vm;

	if (mh_failed("v3_vm_create", v3_vm_create(host, &config, &vm)))
		return EXIT_HOST;
	if (build(vm) && load_device(vm) &&
	    !mh_failed("load the guest", mh_guest_load(vm, &bm_boot.module[module], NULL, 64)))
		code = run(vm, &event);
	v3_vm_destroy(vm);
	return code;
}

int bm_program(void)
{
	struct v3_host *host;
	unsigned int i;
	int code = 0;

	if (bm_boot.module_count == 0) {
		bm_printf("%s: no guest: give kernels as boot modules\n", bm_name);
		return BM_EXIT_USAGE;
	}
	if (!mh_start() || mh_failed("v3_init", v3_init(&mh_hooks, &host)))
		return EXIT_HOST;
	for (i = 0; code == 0 && i < bm_boot.module_count; i++)
		code = run_guest(host, i);
	if (mh_failed("v3_exit", v3_exit(host)))
		return EXIT_HOST;
	return mh_leaked() ? EXIT_LEAK : code;
}

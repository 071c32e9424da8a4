/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest from its specification: images checked, VM created and loaded.
 */
#ifndef V3_CLI_GUEST_H
#define V3_CLI_GUEST_H

#include "device.h"
#include "image.h"
#include "spec.h"

/* The files of a guest, mapped and checked; kept to load them again after a reboot. */
struct v3_guest {
	struct v3_spec *spec; /* of the caller */
	struct v3_file kernel, initrd, modules[V3_SPEC_MODULES];
	enum v3_kernel_kind kind;
	struct v3_elf_image elf;
};

/* Maps and checks the files. Returns 0, or -1 with a message. */
int v3_guest_open(struct v3_guest *guest, struct v3_spec *spec, struct v3_msg *msg);
void v3_guest_close(struct v3_guest *guest);

/*
 * Creates the VM and loads the files, with a progress bar on stderr if they are large and it is
 * a terminal. @dev is /dev/v3; @flags V3_IOC_CREATE_*. A name that nobody gave is changed if it
 * is in use. Returns the VM's descriptor, or -1 with a message and no VM.
 */
int v3_guest_create(struct v3_guest *guest, int dev, unsigned int flags, struct v3_msg *msg);

/* Resets the VM and loads the files again; it is not started. Returns 0, or -1 with a message. */
int v3_guest_again(struct v3_guest *guest, int vm, struct v3_msg *msg);

#endif

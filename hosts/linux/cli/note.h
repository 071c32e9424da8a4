/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a guest's images came from, kept by the module with the VM: what it takes to load them
 * again.
 */
#ifndef V3_CLI_NOTE_H
#define V3_CLI_NOTE_H

#include "device.h"
#include "spec.h"

/* Leaves the note with the VM. 0, or -1 with a message. */
int v3_note_write(int vm, const struct v3_spec *spec, struct v3_msg *msg);
/*
 * Fills a specification with what is needed to load: the caller frees it. 0, or -1 with a message
 * and nothing to free: there is no note, it is damaged, or another user wrote it, whose word is not
 * taken for files that this one may read.
 */
int v3_note_read(int vm, struct v3_spec *spec, struct v3_msg *msg);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A VMCS that passes all checks of VM entry: a 64-bit guest. */
#ifndef VMCS_FILL_H
#define VMCS_FILL_H

#include <v3/types.h>

/* Uses what the model has of EPT, VPID and unrestricted guest. */
void vmcs_fill(v3_hpa_t vmcs);
/* The same in real mode, which needs unrestricted guest. */
void vmcs_fill_real_mode(v3_hpa_t vmcs);

#endif

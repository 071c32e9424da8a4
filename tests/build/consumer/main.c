/* SPDX-License-Identifier: BSD-2-Clause */
/* The smallest user of an installed libv3: links, and gets an error for an empty hook table. */
#include <stdio.h>
#include <v3/v3.h>

int main(void)
{
	struct v3_os_hooks hooks = { 0 };
	struct v3_host *host = NULL;
	enum v3_status status = v3_init(&hooks, &host);

	printf("libv3 %s: empty hook table: %s\n", V3_VERSION_STRING, v3_status_str(status));
	return status == V3_ERR_VERSION && host == NULL ? 0 : 1;
}

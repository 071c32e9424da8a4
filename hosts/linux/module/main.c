/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * v3.ko: libv3 in a stock Linux kernel. The module loads on machines that cannot run VMs, too:
 * V3_IOC_CAPS tells why, and V3_IOC_CREATE fails with the same words.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "blocks.h"

MODULE_DESCRIPTION("libv3 virtual machine monitor");
MODULE_LICENSE("Dual BSD/GPL");
MODULE_VERSION(V3_VERSION_STRING);

struct v3_lx v3_lx;

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "v3",
	.fops = &v3_lx_control_fops,
	.mode = 0600,
};

/* Called with the parameters' lock held, from the command line before there is a host. */
static int halt_poll_set(const char *value, const struct kernel_param *param)
{
	unsigned int ns;
	int err = kstrtouint(value, 0, &ns);

	if (err)
		return err;
	if (ns > V3_HALT_POLL_MAX_NS)
		return -ERANGE;
	if (v3_lx.host)
		v3_host_set_halt_poll(v3_lx.host, ns);
	*(unsigned int *)param->arg = ns;
	return 0;
}

static const struct kernel_param_ops halt_poll_ops = {
	.set = halt_poll_set,
	.get = param_get_uint,
};
static unsigned int halt_poll_ns = V3_HALT_POLL_NS;
module_param_cb(halt_poll_ns, &halt_poll_ops, &halt_poll_ns, 0644);
MODULE_PARM_DESC(halt_poll_ns, "how long at most the end of a HLT is polled for; 0: never");

static char *features_off = "";
module_param(features_off, charp, 0444);
MODULE_PARM_DESC(features_off, "optional features of SVM or VT-x not to be used, such as vpid,ple");

/* 0 also where the machine cannot do it; an error only if the module is unusable. */
static int host_init(void)
{
	struct v3_os_hooks hooks = v3_lx_hooks;
	struct v3_lx_call call;

	hooks.features_off = features_off;
	v3_lx_call_begin(&call);
	v3_lx.init_status = v3_init(&hooks, &v3_lx.host);
	v3_lx_call_end(&call);
	if (!v3_lx.init_status) {
		kernel_param_lock(THIS_MODULE);
		v3_host_set_halt_poll(v3_lx.host, halt_poll_ns);
		kernel_param_unlock(THIS_MODULE);
		return 0;
	}
	v3_lx.host = NULL;
	strscpy(v3_lx.init_message, *call.log ? call.log : v3_status_str(v3_lx.init_status),
		sizeof(v3_lx.init_message));
	switch (v3_lx.init_status) {
	case V3_ERR_NOTSUP:
	case V3_ERR_DENIED:
	case V3_ERR_BUSY:
		return 0;
	case V3_ERR_NOMEM:
		return -ENOMEM;
	default:
		/* libv3 has said why, or nobody has */
		if (!*call.log)
			v3_lx_logf(V3_LOG_ERROR, "cannot initialize: %s", v3_lx.init_message);
		return -EINVAL;
	}
}

static void host_exit(void)
{
	struct v3_host *host = v3_lx.host;

	/* nobody sets its parameters any more */
	kernel_param_lock(THIS_MODULE);
	v3_lx.host = NULL;
	kernel_param_unlock(THIS_MODULE);
	if (host && v3_exit(host))
		v3_lx_logf(V3_LOG_ERROR, "virtual machines were left at unload");
	v3_lx_blocks_exit();
	v3_lx_memory_exit();
}

static int __init v3_lx_init(void)
{
	int err = v3_lx_virt_init();

	if (err)
		return err;
	err = v3_lx_offline_init();
	if (err)
		goto out_virt;
	err = host_init();
	if (err)
		goto out_offline;
	err = v3_lx_hotplug_init();
	if (err)
		goto out_host;
	err = misc_register(&device);
	if (err)
		goto out_hotplug;
	return 0;
out_hotplug:
	v3_lx_hotplug_exit();
out_host:
	host_exit();
out_offline:
	v3_lx_offline_exit();
out_virt:
	v3_lx_virt_exit();
	return err;
}

static void __exit v3_lx_exit(void)
{
	misc_deregister(&device);
	v3_lx_restore_exit();
	v3_lx_hotplug_exit();
	host_exit();
	v3_lx_offline_exit();
	v3_lx_virt_exit();
}

module_init(v3_lx_init);
module_exit(v3_lx_exit);

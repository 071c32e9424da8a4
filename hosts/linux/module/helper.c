/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * The v3 command, run by the kernel: it restores what a killed v3 command left changed in the
 * host and what only user space can restore. The command names itself: it writes its own path to
 * the module parameter "helper".
 */
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/namei.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/umh.h>

#include "lx.h"

#define HELPER_DEFAULT "/usr/local/bin/v3"
#define HELPER_PATH 256
#define HELPER_ARGS 8

/* Changed under the parameters' lock. */
static char helper_path[HELPER_PATH] = HELPER_DEFAULT;

/* Whether only root can change what the inode stands for; a sticky directory's entries are safe. */
static bool safe_inode(const struct inode *inode)
{
	if (!uid_eq(inode->i_uid, GLOBAL_ROOT_UID))
		return false;
	return !(inode->i_mode & 022) || (S_ISDIR(inode->i_mode) && inode->i_mode & S_ISVTX);
}

/* The same for all directories above; @path moves up to the root of what is mounted. */
static bool safe_above(struct path *path)
{
	struct dentry *up;

	for (;;) {
		while (!IS_ROOT(path->dentry)) {
			up = dget_parent(path->dentry);
			dput(path->dentry);
			path->dentry = up;
			if (!safe_inode(d_backing_inode(up)))
				return false;
		}
		if (!follow_up(path))
			return true;
	}
}

/*
 * NULL, or why the file is not to be run as root. *real: its path without symbolic links, as those
 * may lie where others can change them; in a buffer of HELPER_PATH bytes.
 */
static const char *refuse(const char *name, char *buffer, char **real)
{
	const char *why = NULL;
	struct path path;

	if (*name != '/')
		return "its path does not begin with a slash";
	if (kern_path(name, LOOKUP_FOLLOW, &path))
		return "there is no such file";
	*real = d_path(&path, buffer, HELPER_PATH);
	if (IS_ERR(*real))
		why = "its path is too long";
	else if (!d_is_reg(path.dentry))
		why = "it is not a regular file";
	else if (!(d_backing_inode(path.dentry)->i_mode & 0111))
		why = "it is not executable";
	else if (!safe_inode(d_backing_inode(path.dentry)))
		why = "somebody else than root can write to it";
	else if (!safe_above(&path))
		why = "somebody else than root can write to a directory above it";
	path_put(&path);
	return why;
}

static int helper_set(const char *value, const struct kernel_param *param)
{
	char name[HELPER_PATH], buffer[HELPER_PATH], *real;
	const char *why;

	if (strscpy(name, value, sizeof(name)) < 0)
		return -ENAMETOOLONG;
	strim(name); /* echo's newline */
	why = refuse(name, buffer, &real);
	if (why) {
		v3_lx_logf(V3_LOG_WARN, "'%s' cannot be the helper of this module: %s", name,
			   why);
		return -EPERM;
	}
	strscpy(helper_path, real, sizeof(helper_path));
	return 0;
}

static int helper_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", helper_path);
}

static const struct kernel_param_ops helper_ops = { .set = helper_set, .get = helper_get };
module_param_cb(helper, &helper_ops, NULL, 0600);
MODULE_PARM_DESC(helper, "the v3 command, which restores what others of it left when they died");

/* What remains to be done, by whoever reads the log. */
static void tell(const char *const args[], const char *path, int status)
{
	char words[160];
	size_t used = 0;

	words[0] = 0;
	for (; *args; args++)
		used += scnprintf(words + used, sizeof(words) - used, " %s", *args);
	if (status > 0)
		v3_lx_logf(V3_LOG_ERROR,
			   "'%s%s' ended with status 0x%x: what v3 took from the host may not be back; run 'v3%s' as root",
			   path, words, status, words);
	else
		v3_lx_logf(V3_LOG_ERROR,
			   "'%s' cannot be run: error %d: what v3 took from the host is not back; run 'v3%s' as root",
			   path, status, words);
}

/*
 * argv and the path live until the process has them, or, as nobody waits, for ever: this is its
 * own allocation.
 */
struct helper_run {
	char path[HELPER_PATH], real[HELPER_PATH];
	char args[HELPER_ARGS][64];
	char *argv[HELPER_ARGS + 2];
};

/* In the new process, just before the file is executed there. */
static int helper_init(struct subprocess_info *info, struct cred *new)
{
	struct helper_run *run = info->data;
	char *real;
	const char *why = refuse(info->path, run->real, &real);

	if (!why) {
		info->path = real;
		return 0;
	}
	v3_lx_logf(V3_LOG_ERROR, "'%s' is not run: %s", info->path, why);
	return -EPERM;
}

static void helper_cleanup(struct subprocess_info *info)
{
	kfree(info->data);
}

static struct helper_run *run_alloc(const char *const args[])
{
	struct helper_run *run = kzalloc(sizeof(*run), GFP_KERNEL);
	unsigned int i;

	if (!run)
		return NULL;
	kernel_param_lock(THIS_MODULE);
	strscpy(run->path, helper_path, sizeof(run->path));
	kernel_param_unlock(THIS_MODULE);
	run->argv[0] = run->path;
	for (i = 0; args[i] && i < HELPER_ARGS; i++) {
		strscpy(run->args[i], args[i], sizeof(run->args[i]));
		run->argv[i + 1] = run->args[i];
	}
	return run;
}

int v3_lx_helper(const char *const args[], bool wait)
{
	static char *envp[] = { "HOME=/", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	struct helper_run *run = run_alloc(args);
	struct subprocess_info *info;
	char path[HELPER_PATH];
	int status = -ENOMEM;

	strscpy(path, run ? run->path : "v3", sizeof(path));
	if (!run)
		goto out;
	info = call_usermodehelper_setup(run->path, run->argv, envp, GFP_KERNEL, helper_init,
					 helper_cleanup, run);
	if (info)
		status = call_usermodehelper_exec(info, wait ? UMH_WAIT_PROC : UMH_WAIT_EXEC);
	else
		kfree(run);
out:
	if (status)
		tell(args, path, status);
	return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory blocks of sysfs: which there are, which to take, and taking them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "cpu_mask.h"
#include "mem.h"
#include "parse.h"
#include "progress.h"
#include "spec.h"

#define GIB (1ull << 30)
#define MEMORY "/sys/devices/system/memory"

/* A CPU that a guest owns looks so often at what Linux wants if no interval is set. */
#define LOOK_NS 10000000000ull
/* So many looks it may take until it has given up what it keeps of a memory block. */
#define LOOKS 4

/* A small file, without its newline. Returns 0, or -1 and errno. */
static int read_small(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = read(fd, buf, size - 1);
	close(fd);
	if (len < 0)
		return -1;
	buf[len] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return 0;
}

/* --- What there is --- */

/* The node is a link in the block's folder; without NUMA there is none. */
static int block_node(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	uint64_t node = 0;
	struct v3_msg ignored;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, "node", 4) &&
		    !v3_number_parse(entry->d_name + 4, "node", 0, INT32_MAX, &node, &ignored))
			break;
	closedir(dir);
	return (int)node;
}

static void block_read(const char *root, unsigned long number, struct v3_mem_block *block)
{
	char folder[256], path[300], text[64];

	*block = (struct v3_mem_block){ .number = number };
	snprintf(folder, sizeof(folder), "%s" MEMORY "/memory%lu", root, number);
	block->node = block_node(folder);
	snprintf(path, sizeof(path), "%s/state", folder);
	block->online = !read_small(path, text, sizeof(text)) && !strcmp(text, "online");
	snprintf(path, sizeof(path), "%s/valid_zones", folder);
	/* Of an online block it is the one that it is in; "none": there is more than one. */
	if (read_small(path, text, sizeof(text)))
		strcpy(text, "none");
	block->movable = !strcmp(text, "Movable");
	block->low = !strncmp(text, "DMA", 3);
	block->fixed = !strcmp(text, "none");
}

static int by_number(const void *a, const void *b)
{
	const struct v3_mem_block *left = a, *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

static int read_all(const char *root, DIR *dir, struct v3_mem_blocks *blocks)
{
	unsigned int room = 0;
	struct dirent *entry;
	struct v3_msg ignored;
	uint64_t number;

	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "memory", 6) ||
		    v3_number_parse(entry->d_name + 6, "", 0, UINT32_MAX, &number, &ignored))
			continue;
		if (blocks->count == room) {
			struct v3_mem_block *more;

			room = 2 * room + 64;
			more = realloc(blocks->blocks, room * sizeof(*more));
			if (!more)
				return -1;
			blocks->blocks = more;
		}
		block_read(root, number, &blocks->blocks[blocks->count++]);
	}
	return 0;
}

int v3_mem_blocks_read(const char *root, struct v3_mem_blocks *blocks, struct v3_msg *msg)
{
	char path[256], text[64], *end;
	int err;
	DIR *dir;

	*blocks = (struct v3_mem_blocks){ 0 };
	snprintf(path, sizeof(path), "%s" MEMORY "/block_size_bytes", root);
	if (read_small(path, text, sizeof(text)))
		return v3_msg_set(msg,
				  "%s: %s: this kernel cannot set memory offline; do without "
				  "--offline",
				  path, strerror(errno));
	blocks->unit = strtoull(text, &end, 16);
	if (!*text || *end || !blocks->unit || blocks->unit & (blocks->unit - 1))
		return v3_msg_set(msg, "%s: '%s' is no size of memory blocks", path,
				  v3_printable(text));
	snprintf(path, sizeof(path), "%s" MEMORY, root);
	dir = opendir(path);
	if (!dir)
		return v3_msg_set(msg, "%s: %s", path, strerror(errno));
	err = read_all(root, dir, blocks);
	closedir(dir);
	if (err)
		return v3_msg_set(msg, "out of memory");
	qsort(blocks->blocks, blocks->count, sizeof(blocks->blocks[0]), by_number);
	return 0;
}

void v3_mem_blocks_free(struct v3_mem_blocks *blocks)
{
	free(blocks->blocks);
	blocks->blocks = NULL;
	blocks->count = 0;
}

/* --- Which to take --- */

static bool usable(const struct v3_mem_block *block, int node)
{
	return block->online && !block->fixed && (node < 0 || block->node == node);
}

/* How gladly the host gives it: movable, then ordinary, then low memory. */
static int rank(const struct v3_mem_block *block)
{
	return block->movable ? 2 : !block->low;
}

/* An aligned run of @n blocks of one kind from index @first on. */
static bool is_run(const struct v3_mem_blocks *blocks, int node, unsigned int first,
		   unsigned int n)
{
	const struct v3_mem_block *block = &blocks->blocks[first];
	unsigned int i;

	if (block->number % n || blocks->count - first < n)
		return false;
	for (i = 0; i < n; i++)
		if (!usable(&block[i], node) || block[i].number != block->number + i ||
		    block[i].node != block->node || rank(&block[i]) != rank(block))
			return false;
	return true;
}

unsigned int v3_mem_blocks_next(const struct v3_mem_blocks *blocks, int node, unsigned int want,
				unsigned int *first)
{
	unsigned int n = blocks->unit < GIB ? (unsigned int)(GIB / blocks->unit) : 1;
	unsigned int i;
	int best;

	/* From 1 GiB down to single blocks; of each size from the highest address down. */
	for (; n; n /= 2) {
		if (n > want)
			continue;
		for (best = 2; best >= 0; best--)
			for (i = blocks->count; i-- > 0;)
				if (rank(&blocks->blocks[i]) == best &&
				    is_run(blocks, node, i, n)) {
					*first = i;
					return n;
				}
	}
	return 0;
}

/* --- Taking --- */

struct taking {
	struct v3_mem_blocks blocks;
	int dev, node;
	const char *root;
	uint64_t size, done;
	/* Milliseconds that blocks may refuse in all; a fourth of that for each. */
	unsigned int patience;
	/* Milliseconds beside that for each, in which the kernel waits for CPUs that guests own. */
	unsigned int owned;
	/* The last block that would not go, and why: rather one that might have gone, not EINVAL. */
	bool refused;
	unsigned long refused_block;
	int refused_errno;
};

static int plan(const struct taking *taking, unsigned long request, unsigned int first,
		unsigned int n, struct v3_msg *msg)
{
	const struct v3_mem_block *block = &taking->blocks.blocks[first];
	struct v3_ioc_mem_range range = {
		.start = block->number * taking->blocks.unit,
		.size = n * taking->blocks.unit,
		.node = block->node,
		.flags = block->movable ? V3_IOC_MEM_MOVABLE : 0,
	};
	struct v3_ioc_mem_plan arg = { .ranges = (uintptr_t)&range, .count = 1 };

	return v3_dev_call(taking->dev, request, &arg, msg);
}

static void woken(int signal_)
{
	(void)signal_;
}

/*
 * The kernel tries for ever to empty a block with a pinned page in it, until there is a signal. It
 * comes again and again: the first one may come too early.
 */
static void watch(unsigned int ms)
{
	struct sigaction action = { .sa_handler = woken };
	struct itimerval timer = {
		.it_value = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 },
		.it_interval = { .tv_usec = ms ? 100000 : 0 },
	};

	if (ms)
		sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* 0, or an errno: ETIME if the block was not empty in time. */
static int set_offline(const struct taking *taking, const struct v3_mem_block *block)
{
	static const char offline[] = "offline";
	char path[256];
	int fd, err = 0;

	if (!taking->patience)
		return ETIME;

	snprintf(path, sizeof(path), "%s" MEMORY "/memory%lu/state", taking->root, block->number);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	watch(taking->patience / 4 + 1 + taking->owned);
	if (write(fd, offline, strlen(offline)) < 0)
		err = errno == EINTR ? ETIME : errno;
	watch(0);
	close(fd);
	return err;
}

/* One block: 0, or an errno. */
static int take_block(struct taking *taking, unsigned int index)
{
	struct v3_mem_block *block = &taking->blocks.blocks[index];
	uint64_t start = now_ms(), spent;
	struct v3_msg ignored;
	/* The module is to know first: it restores what is offline when we are killed. */
	int err = -plan(taking, V3_IOC_MEM_PLAN, index, 1, &ignored);

	if (!err)
		err = set_offline(taking, block);
	if (!err) {
		taking->done += taking->blocks.unit;
		v3_progress_show("setting offline", taking->done, taking->size);
		return 0;
	}
	spent = now_ms() - start;
	spent -= spent < taking->owned ? spent : taking->owned;
	taking->patience -= spent < taking->patience ? (unsigned int)spent : taking->patience;
	block->fixed = true;
	if (!taking->refused || err != EINVAL) {
		taking->refused = true;
		taking->refused_block = block->number;
		taking->refused_errno = err;
	}
	return err;
}

/*
 * Sets a run offline; what has gone comes back if one of it will not go. Returns how many have
 * gone, or -1 with a message.
 */
static int take_run(struct taking *taking, unsigned int first, unsigned int n, struct v3_msg *msg)
{
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		err = take_block(taking, first + i);
		if (err == EACCES || err == EPERM)
			return v3_msg_set(msg, "setting memory offline is for root: %s",
					  strerror(err));
		if (err)
			return plan(taking, V3_IOC_MEM_UNPLAN, first, n, msg) ? -1 : 0;
	}
	for (i = 0; i < n; i++)
		taking->blocks.blocks[first + i].online = false;
	return (int)n;
}

/* As many as can be had. Bytes, or -1 with a message. */
static int64_t take_runs(struct taking *taking, struct v3_msg *msg)
{
	unsigned int want = (unsigned int)(taking->size / taking->blocks.unit), first, n;
	unsigned int have = 0;
	int took;

	while (have < want) {
		n = v3_mem_blocks_next(&taking->blocks, taking->node, want - have, &first);
		if (!n)
			break;
		took = take_run(taking, first, n, msg);
		if (took < 0)
			return -1;
		have += (unsigned int)took;
		taking->done = have * taking->blocks.unit;
	}
	return (int64_t)(have * taking->blocks.unit);
}

static const char *why_not(int err)
{
	switch (err) {
	case ETIME:
		return "it could not be emptied in time";
	case EINVAL:
		return "not all of it is RAM";
	case EBUSY:
		return "it has memory of the kernel that does not move";
	}
	return strerror(err);
}

static int too_little(const struct taking *taking, uint64_t have, struct v3_msg *msg)
{
	char want_text[V3_SIZE_TEXT], have_text[V3_SIZE_TEXT], node[32] = "this host", why[128];

	if (taking->node >= 0)
		snprintf(node, sizeof(node), "node %d", taking->node);
	snprintf(why, sizeof(why), "it has no more blocks that are online and in one zone");
	if (taking->refused)
		snprintf(why, sizeof(why), "memory block %lu (at %#llx) will not go: %s",
			 taking->refused_block,
			 (unsigned long long)(taking->refused_block * taking->blocks.unit),
			 why_not(taking->refused_errno));
	return v3_msg_set(msg,
			  "%s: %s wanted, but only %s can be set offline: %s; all is online "
			  "again. Take less, or soon after boot, or without --offline",
			  node, v3_size_text(taking->size, want_text),
			  v3_size_text(have, have_text), why);
}

static int check(const struct taking *taking, struct v3_msg *msg)
{
	char unit_text[V3_SIZE_TEXT], low[V3_SIZE_TEXT], high[V3_SIZE_TEXT];
	uint64_t unit = taking->blocks.unit, less = taking->size / unit * unit;
	unsigned int i;

	if (taking->size != less)
		return v3_msg_set(msg,
				  "memory goes offline in blocks of %s here: take %s%s%s",
				  v3_size_text(unit, unit_text),
				  less ? v3_size_text(less, low) : "", less ? " or " : "",
				  v3_size_text(less + unit, high));
	for (i = 0; taking->node >= 0 && i < taking->blocks.count; i++)
		if (taking->blocks.blocks[i].node == taking->node)
			return 0;
	return taking->node < 0 ? 0 : v3_msg_set(msg, "this host has no memory on NUMA node %d",
						 taking->node);
}

/* As long as the module searches for memory. */
static unsigned int patience(const char *root)
{
	struct v3_msg ignored;
	char path[256], text[32];
	uint64_t seconds;

	snprintf(path, sizeof(path), "%s/sys/module/v3/parameters/search_seconds", root);
	if (read_small(path, text, sizeof(text)) ||
	    v3_number_parse(text, "", 0, 1000000, &seconds, &ignored))
		seconds = 20;
	return (unsigned int)seconds * 1000;
}

/*
 * A block goes offline when each CPU has given up what it keeps of it. One that a guest owns does
 * that when it looks at what Linux wants, and there are several such things, one after the other.
 */
static unsigned int owned_ms(int dev)
{
	struct v3_ioc_caps caps = { .cpus_capacity = V3_MASK_CPUS };
	struct v3_ioc_cpu *cpus = v3_xmalloc(V3_MASK_CPUS * sizeof(*cpus));
	uint64_t slowest = 0, ns;
	struct v3_msg ignored;
	unsigned int i;

	caps.cpus = (uintptr_t)cpus;
	if (v3_dev_call(dev, V3_IOC_CAPS, &caps, &ignored))
		caps.cpus_count = 0;
	for (i = 0; i < caps.cpus_count && i < V3_MASK_CPUS; i++) {
		ns = cpus[i].yield_ns ? cpus[i].yield_ns : LOOK_NS;
		if (cpus[i].vm[0] && ns > slowest)
			slowest = ns;
	}
	free(cpus);
	return (unsigned int)(LOOKS * slowest / 1000000);
}

static int take(struct taking *taking, uint64_t *taken, struct v3_msg *msg)
{
	struct v3_ioc_mem_take arg = { .node = -1, .flags = V3_IOC_MEM_TAKE_PLAN };
	int64_t have;
	int err;

	if (check(taking, msg))
		return -1;
	have = take_runs(taking, msg);
	v3_progress_show(NULL, 0, 0);
	if (have < 0)
		return -1;
	if ((uint64_t)have < taking->size)
		return too_little(taking, (uint64_t)have, msg);
	err = v3_progress_mem_call(taking->dev, V3_IOC_MEM_TAKE, &arg, taking->size, msg);
	*taken = arg.taken;
	return err ? -1 : 0;
}

int v3_mem_take_offline(int dev, const char *root, uint64_t size, int node, uint64_t *taken,
			struct v3_msg *msg)
{
	struct v3_ioc_mem_range all = { .size = 1ull << 52 };
	struct v3_ioc_mem_plan undo = { .ranges = (uintptr_t)&all, .count = 1 };
	struct taking taking = { .dev = dev, .node = node, .root = root, .size = size,
				 .patience = patience(root), .owned = owned_ms(dev) };
	struct v3_msg restore;
	int err;

	if (v3_mem_blocks_read(root, &taking.blocks, msg)) {
		v3_mem_blocks_free(&taking.blocks);
		return -1;
	}
	err = take(&taking, taken, msg);
	if (err && v3_dev_call(dev, V3_IOC_MEM_UNPLAN, &undo, &restore))
		v3_err("%s", restore.text);
	v3_mem_blocks_free(&taking.blocks);
	return err;
}

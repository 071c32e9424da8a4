/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool of large blocks: see include/v3/pool.h. */
#include <v3/pool.h>

#define AREA 0x40000000ull	/* what is kept whole if possible: the largest nested leaf */
#define UNIT_MASK (V3_POOL_UNIT - 1)

/* A range or a piece, in one of two lists. */
struct v3_pool_node {
	struct v3_pool_node *next;
	v3_hpa_t hpa;
	uint64_t size;
	uint64_t busy;		/* bytes in use: of a piece none or all */
	void *cookie;
	int32_t node;
};

/* Where a claim could go. */
struct place {
	struct v3_pool_node *piece;
	v3_hpa_t hpa;
	uint64_t broken;	/* bytes of whole areas that would be whole no longer */
};

void v3_pool_init(struct v3_pool *pool, const struct v3_pool_mem *mem)
{
	*pool = (struct v3_pool){ .mem = *mem };
}

static struct v3_pool_node *node_alloc(struct v3_pool *pool)
{
	return pool->mem.alloc(pool->mem.ctx, sizeof(struct v3_pool_node));
}

static void node_free(struct v3_pool *pool, struct v3_pool_node *node)
{
	if (node)
		pool->mem.free(pool->mem.ctx, node, sizeof(*node));
}

static void list_free(struct v3_pool *pool, struct v3_pool_node **list)
{
	struct v3_pool_node *node;

	while ((node = *list) != NULL) {
		*list = node->next;
		node_free(pool, node);
	}
}

void v3_pool_destroy(struct v3_pool *pool)
{
	list_free(pool, &pool->ranges);
	list_free(pool, &pool->pieces);
}

/* The link to the first node at or above an address. */
static struct v3_pool_node **list_at(struct v3_pool_node **list, v3_hpa_t hpa)
{
	while (*list && (*list)->hpa < hpa)
		list = &(*list)->next;
	return list;
}

static void insert(struct v3_pool_node **at, struct v3_pool_node *node)
{
	node->next = *at;
	*at = node;
}

static bool joins(const struct v3_pool_node *a, const struct v3_pool_node *b)
{
	return b && !a->busy && !b->busy && a->node == b->node && a->hpa + a->size == b->hpa;
}

/* Makes one of a free piece and what is free around it. */
static void join(struct v3_pool *pool, struct v3_pool_node *piece)
{
	struct v3_pool_node *at = pool->pieces, *next;

	/* The one before it, if there is one that joins, swallows it. */
	while (at != piece && !joins(at, piece))
		at = at->next;
	while (joins(at, at->next)) {
		next = at->next;
		at->size += next->size;
		at->next = next->next;
		node_free(pool, next);
	}
}

static bool is_free_for(struct v3_pool *pool, v3_hpa_t hpa, uint64_t size)
{
	const struct v3_pool_node *range;

	for (range = pool->ranges; range; range = range->next)
		if (hpa < range->hpa + range->size && range->hpa < hpa + size)
			return false;
	return true;
}

enum v3_status v3_pool_add(struct v3_pool *pool, v3_hpa_t hpa, uint64_t size, int32_t node,
			   void *cookie)
{
	struct v3_pool_node *range, *piece;

	/* The last unit of the address space is left out: so no end overflows. */
	if (!size || (hpa | size) & UNIT_MASK || size > ~UNIT_MASK - hpa || node < 0)
		return V3_ERR_INVALID;
	if (!is_free_for(pool, hpa, size))
		return V3_ERR_EXIST;
	range = node_alloc(pool);
	piece = node_alloc(pool);
	if (!range || !piece) {
		node_free(pool, range);
		node_free(pool, piece);
		return V3_ERR_NOMEM;
	}
	*range = (struct v3_pool_node){ .hpa = hpa, .size = size, .node = node, .cookie = cookie };
	*piece = (struct v3_pool_node){ .hpa = hpa, .size = size, .node = node };
	insert(list_at(&pool->ranges, hpa), range);
	insert(list_at(&pool->pieces, hpa), piece);
	join(pool, piece);
	return V3_OK;
}

enum v3_status v3_pool_remove(struct v3_pool *pool, v3_hpa_t hpa, uint64_t size)
{
	struct v3_pool_node **at = list_at(&pool->ranges, hpa), **link = &pool->pieces;
	struct v3_pool_node *range = *at, *piece;
	v3_hpa_t end;

	if (!range || range->hpa != hpa || range->size != size)
		return V3_ERR_NOENT;
	if (range->busy)
		return V3_ERR_BUSY;
	*at = range->next;
	/* One free piece holds all of it, and maybe ranges before and after. */
	while (hpa - (*link)->hpa >= (*link)->size)
		link = &(*link)->next;
	piece = *link;
	end = piece->hpa + piece->size;
	piece->size = hpa - piece->hpa;
	/* What is after it takes the range's node: so this cannot fail. */
	range->hpa = hpa + size;
	range->size = end - range->hpa;
	range->cookie = NULL;
	if (range->size)
		insert(&piece->next, range);
	else
		node_free(pool, range);
	if (!piece->size) {
		*link = piece->next;
		node_free(pool, piece);
	}
	return V3_OK;
}

/* --- Claims --- */

/* Bytes of whole aligned areas within a piece of memory. */
static uint64_t whole(v3_hpa_t hpa, uint64_t size)
{
	uint64_t head = -hpa & (AREA - 1);

	return size <= head ? 0 : (size - head) & ~(AREA - 1);
}

/* Proposes [hpa, hpa + size) of a free piece; keeps it if it is better. */
static void propose(struct place *best, struct v3_pool_node *piece, v3_hpa_t hpa, uint64_t size)
{
	uint64_t before = hpa - piece->hpa, after = piece->size - before - size;
	uint64_t broken = whole(piece->hpa, piece->size) - whole(piece->hpa, before) -
			  whole(hpa + size, after);

	if (best->piece && (broken > best->broken || (broken == best->broken &&
						       piece->size >= best->piece->size)))
		return;
	*best = (struct place){ piece, hpa, broken };
}

/* From both ends of a piece: further inside is never better. */
static void propose_ends(struct place *best, struct v3_pool_node *piece,
			 const struct v3_block_request *request)
{
	const uint64_t mask = request->align - 1;
	uint64_t skip = -piece->hpa & mask, room;

	if (skip > piece->size || piece->size - skip < request->size)
		return;
	room = piece->size - skip - request->size;
	propose(best, piece, piece->hpa + skip, request->size);
	propose(best, piece, piece->hpa + skip + (room & ~mask), request->size);
}

static bool request_is_valid(const struct v3_block_request *request)
{
	uint64_t align = request->align;

	return request->size && !(request->size & UNIT_MASK) && align >= V3_POOL_UNIT &&
	       !(align & (align - 1)) && request->node >= V3_NODE_ANY;
}

static bool is_on(const struct v3_pool_node *piece, int32_t node)
{
	return node == V3_NODE_ANY || piece->node == node;
}

/* The nodes for what is left before and after a claim, if anything; false: no memory. */
static bool rests_alloc(struct v3_pool *pool, uint64_t before, uint64_t after,
			struct v3_pool_node *rest[2])
{
	rest[0] = before ? node_alloc(pool) : NULL;
	rest[1] = after ? node_alloc(pool) : NULL;
	if (!before == !rest[0] && !after == !rest[1])
		return true;
	node_free(pool, rest[0]);
	node_free(pool, rest[1]);
	return false;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* A piece is in use now, or no longer: ranges know how much of them is. */
static void set_busy(struct v3_pool *pool, struct v3_pool_node *piece, uint64_t busy)
{
	v3_hpa_t end = piece->hpa + piece->size, from, to;
	struct v3_pool_node *range;

	for (range = pool->ranges; range && range->hpa < end; range = range->next) {
		to = range->hpa + range->size;
		from = larger(piece->hpa, range->hpa);
		to = to < end ? to : end;
		if (from < to)
			range->busy += busy ? to - from : from - to;
	}
	piece->busy = busy;
}

static enum v3_status take(struct v3_pool *pool, const struct place *place, uint64_t size,
			   void *cookie)
{
	struct v3_pool_node *piece = place->piece, *rest[2];
	uint64_t before = place->hpa - piece->hpa, after = piece->size - before - size;

	if (!rests_alloc(pool, before, after, rest))
		return V3_ERR_NOMEM;
	if (rest[0]) {
		*rest[0] = (struct v3_pool_node){ .hpa = piece->hpa, .size = before,
						  .node = piece->node };
		insert(list_at(&pool->pieces, piece->hpa), rest[0]);
	}
	if (rest[1]) {
		*rest[1] = (struct v3_pool_node){ .hpa = place->hpa + size, .size = after,
						  .node = piece->node };
		insert(&piece->next, rest[1]);
	}
	piece->hpa = place->hpa;
	piece->size = size;
	piece->cookie = cookie;
	set_busy(pool, piece, size);
	return V3_OK;
}

enum v3_status v3_pool_claim(struct v3_pool *pool, const struct v3_block_request *request,
			     void *cookie, v3_hpa_t *hpa, int32_t *node)
{
	struct place best = { NULL, 0, 0 };
	struct v3_pool_node *piece;
	enum v3_status status;

	if (!request_is_valid(request))
		return V3_ERR_INVALID;
	for (piece = pool->pieces; piece; piece = piece->next)
		if (!piece->busy && is_on(piece, request->node))
			propose_ends(&best, piece, request);
	if (!best.piece)
		return V3_ERR_NOMEM;
	status = take(pool, &best, request->size, cookie);
	if (status != V3_OK)
		return status;
	*hpa = best.hpa;
	if (node)
		*node = best.piece->node;
	return V3_OK;
}

enum v3_status v3_pool_free(struct v3_pool *pool, v3_hpa_t hpa, uint64_t size)
{
	struct v3_pool_node *piece = *list_at(&pool->pieces, hpa);

	if (!piece || !piece->busy || piece->hpa != hpa || piece->size != size)
		return V3_ERR_NOENT;
	set_busy(pool, piece, 0);
	piece->cookie = NULL;
	join(pool, piece);
	return V3_OK;
}

/* --- What there is --- */

void v3_pool_query(const struct v3_pool *pool, int32_t node, struct v3_block_info *info)
{
	const struct v3_pool_node *piece;
	uint64_t head;

	*info = (struct v3_block_info){ 0 };
	for (piece = pool->pieces; piece; piece = piece->next) {
		if (!is_on(piece, node))
			continue;
		info->held += piece->size;
		if (piece->busy)
			continue;
		info->free += piece->size;
		info->largest_2m = larger(info->largest_2m, piece->size);
		head = -piece->hpa & (AREA - 1);
		if (piece->size > head)
			info->largest_1g = larger(info->largest_1g, piece->size - head);
	}
}

static bool tell(const struct v3_pool_node *node, struct v3_pool_piece *piece)
{
	if (node)
		*piece = (struct v3_pool_piece){
			.hpa = node->hpa, .size = node->size, .cookie = node->cookie,
			.node = node->node, .used = node->busy, .busy = node->busy, .at = node,
		};
	return node;
}

static const struct v3_pool_node *first(const struct v3_pool_node *list, v3_hpa_t from)
{
	while (list && list->hpa < from)
		list = list->next;
	return list;
}

bool v3_pool_next(const struct v3_pool *pool, v3_hpa_t from, struct v3_pool_piece *piece)
{
	return tell(first(pool->pieces, from), piece);
}

bool v3_pool_range(const struct v3_pool *pool, v3_hpa_t from, struct v3_pool_piece *range)
{
	return tell(first(pool->ranges, from), range);
}

bool v3_pool_range_after(struct v3_pool_piece *range)
{
	return tell(range->at->next, range);
}

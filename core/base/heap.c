#include "base/coll.h"
#include "base/die.h"
#include "base/mem.h"

/* v[0] is unused, so that children of i are 2i and 2i+1 and `at` 0 is free. */

static void put(struct heap *h, size_t i, struct heap_node *node);
static void rise(struct heap *h, struct heap_node *node);
static void sink(struct heap *h, struct heap_node *node);

void
heap_init(struct heap *h)
{
	*h = (struct heap){ NULL, 0, 0 };
}

void
heap_fini(struct heap *h)
{
	mem_free(h->v);
	heap_init(h);
}

void
heap_add(struct heap *h, struct heap_node *node, int64_t key)
{
	ASSERT(node->at == 0);
	if (h->n + 1 >= h->cap) {
		h->cap = h->cap > 0 ? h->cap * 2 : 16;
		h->v = mem_realloc(h->v, h->cap * sizeof(h->v[0]));
	}
	node->key = key;
	put(h, ++h->n, node);
	rise(h, node);
}

void
heap_remove(struct heap *h, struct heap_node *node)
{
	size_t i = node->at;
	struct heap_node *last;

	ASSERT(i >= 1 && i <= h->n && h->v[i] == node);
	last = h->v[h->n--];
	node->at = 0;
	if (last != node) {
		put(h, i, last);
		rise(h, last);
		sink(h, last);
	}
	/* Give back what a peak took, but never flutter around a size. */
	if (h->cap > 1024 && h->n < h->cap / 8) {
		h->cap /= 4;
		h->v = mem_realloc(h->v, h->cap * sizeof(h->v[0]));
	}
}

void
heap_change(struct heap *h, struct heap_node *node, int64_t key)
{
	ASSERT(node->at >= 1 && node->at <= h->n && h->v[node->at] == node);
	node->key = key;
	rise(h, node);
	sink(h, node);
}

struct heap_node *
heap_first(const struct heap *h)
{
	return h->n > 0 ? h->v[1] : NULL;
}

bool
heap_in(const struct heap_node *node)
{
	return node->at != 0;
}

static void
put(struct heap *h, size_t i, struct heap_node *node)
{
	h->v[i] = node;
	node->at = i;
}

static void
rise(struct heap *h, struct heap_node *node)
{
	size_t i = node->at;

	while (i > 1 && h->v[i / 2]->key > node->key) {
		put(h, i, h->v[i / 2]);
		i /= 2;
	}
	put(h, i, node);
}

static void
sink(struct heap *h, struct heap_node *node)
{
	size_t child, i = node->at;

	while ((child = i * 2) <= h->n) {
		if (child < h->n && h->v[child + 1]->key < h->v[child]->key)
			child++;
		if (h->v[child]->key >= node->key)
			break;
		put(h, i, h->v[child]);
		i = child;
	}
	put(h, i, node);
}

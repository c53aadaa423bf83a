/*
 * Collections: BSD lists and trees, a binary heap, a hash table.
 *
 * All are intrusive: the node is a member of the element, which owns itself.
 * COLL_OF() gets from the node to the element.
 */
#ifndef BASE_COLL_H
#define BASE_COLL_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define COLL_OF(node, type, member)                                            \
	((type *)(void *)((char *)(node) - offsetof(type, member)))

/* Min-heap by key; the index makes removal and change O(log n). */
struct heap_node {
	int64_t key;
	size_t at; /* 1-based; 0: in no heap */
};

struct heap {
	struct heap_node **v;
	size_t n, cap;
};

void heap_init(struct heap *h);
void heap_fini(struct heap *h); /* elements are not touched */
void heap_add(struct heap *h, struct heap_node *node, int64_t key);
void heap_remove(struct heap *h, struct heap_node *node);
void heap_change(struct heap *h, struct heap_node *node, int64_t key);
struct heap_node *heap_first(const struct heap *h); /* NULL: empty */
bool heap_in(const struct heap_node *node);

/* Keyed hash (SipHash) with a key chosen at random per process. */
uint64_t hash_bytes(const void *p, size_t n);
uint64_t hash_istr(struct str s); /* ASCII case folded */
uint64_t hash_u64(uint64_t n);
/* The same on every node and in every process (shared memory keys). */
uint64_t hash_stable(const void *p, size_t n);

/* Chained hash table that grows; equal keys are the caller's business. */
struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash {
	struct hash_node **v;
	size_t n, size; /* elements, buckets (a power of two, or 0) */
};

void hash_init(struct hash *h);
void hash_fini(struct hash *h); /* elements are not touched */
void hash_add(struct hash *h, struct hash_node *node, uint64_t hash);
void hash_remove(struct hash *h, struct hash_node *node);
/* First node with this hash, then the next; compare the keys yourself. */
struct hash_node *hash_first(const struct hash *h, uint64_t hash);
struct hash_node *hash_next(const struct hash_node *node);
/* Every node; fn may remove the node it is given. */
void hash_each(struct hash *h, void (*fn)(struct hash_node *, void *),
    void *arg);

#endif

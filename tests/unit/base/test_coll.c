#include <stdio.h>
#include <string.h>

#include "base/coll.h"
#include "base/rand.h"
#include "unit.h"

#define N 2000

struct item {
	struct heap_node heap;
	struct hash_node hash;
	unsigned n;
};

static struct item items[N];

START_TEST(a_heap_hands_out_the_smallest_key_first)
{
	struct heap_node *first;
	int64_t last = INT64_MIN;
	struct heap h;
	unsigned i, in = 0;

	rand_seed(1);
	heap_init(&h);
	ck_assert_ptr_null(heap_first(&h));
	for (i = 0; i < N; i++)
		heap_add(&h, &items[i].heap, (int64_t)rand_below(1000) - 500);
	for (i = 0; i < N; i += 3)
		heap_remove(&h, &items[i].heap);
	for (i = 1; i < N; i += 3)
		heap_change(&h, &items[i].heap, rand_below(1000));
	while ((first = heap_first(&h)) != NULL) {
		ck_assert_int_ge(first->key, last);
		last = first->key;
		ck_assert(heap_in(first));
		heap_remove(&h, first);
		ck_assert(!heap_in(first));
		in++;
	}
	ck_assert_uint_eq(in, N - (N + 2) / 3);
	heap_fini(&h);
}
END_TEST

static void
count(struct hash_node *node, void *arg)
{
	unsigned *sum = arg;

	*sum += COLL_OF(node, struct item, hash)->n;
}

static void
empty(struct hash_node *node, void *arg)
{
	hash_remove(arg, node);
}

START_TEST(a_hash_finds_every_element_among_equal_hashes)
{
	struct hash_node *node;
	unsigned i, sum = 0, seen;
	struct hash h;

	hash_init(&h);
	ck_assert_ptr_null(hash_first(&h, 0));
	for (i = 0; i < N; i++) {
		items[i].n = i;
		hash_add(&h, &items[i].hash, i / 4);
	}
	for (i = 0; i < N / 4; i++) {
		seen = 0;
		for (node = hash_first(&h, i); node != NULL;
		     node = hash_next(node)) {
			ck_assert_uint_eq(
			    COLL_OF(node, struct item, hash)->n / 4, i);
			seen++;
		}
		ck_assert_uint_eq(seen, 4);
	}
	hash_each(&h, count, &sum);
	ck_assert_uint_eq(sum, N * (N - 1) / 2);
	hash_each(&h, empty, &h);
	ck_assert_uint_eq(h.n, 0);
	hash_fini(&h);
}
END_TEST

START_TEST(hashes_fold_case_only_where_they_say_so)
{
	ck_assert(hash_istr(STR("Example.ORG-long-enough")) ==
	    hash_istr(STR("eXAMPLE.org-LONG-enough")));
	ck_assert(hash_bytes("Ab", 2) != hash_bytes("ab", 2));
	ck_assert(hash_bytes("ab", 2) == hash_bytes("ab", 2));
	ck_assert(hash_bytes("a\0", 2) != hash_bytes("a", 1));
	ck_assert(hash_u64(1) != hash_u64(2));
	ck_assert(hash_u64(1) == hash_u64(1));
}
END_TEST

/* Another value here would make nodes of two releases disagree. */
START_TEST(a_stable_hash_never_changes)
{
	ck_assert(hash_stable("example.org", 11) == hash_stable(
	    "example.org", 11));
	ck_assert_uint_eq(hash_stable("", 0), 10967813996054777374U);
	ck_assert_uint_eq(hash_stable("example.org", 11),
	    4081848407763810898U);
}
END_TEST

UNIT_SUITE(coll)
{
	tcase_add_test(tc, a_heap_hands_out_the_smallest_key_first);
	tcase_add_test(tc, a_hash_finds_every_element_among_equal_hashes);
	tcase_add_test(tc, hashes_fold_case_only_where_they_say_so);
	tcase_add_test(tc, a_stable_hash_never_changes);
}

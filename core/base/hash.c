#include <endian.h>
#include <string.h>

#include "base/coll.h"
#include "base/die.h"
#include "base/mem.h"
#include "base/rand.h"

/*
 * SipHash-1-3 (Aumasson, Bernstein 2012): one round per word and three at the
 * end resist flooding as far as is known and cost half of 2-4.
 */
struct sip {
	uint64_t a, b, c, d;
};

static uint64_t key0, key1;
static bool have_key;

static void need_key(void);
static uint64_t sip_hash(uint64_t k0, uint64_t k1, const char *p, size_t n,
    bool fold);
static void resize(struct hash *h, size_t size);

uint64_t
hash_bytes(const void *p, size_t n)
{
	need_key();
	return sip_hash(key0, key1, p, n, false);
}

uint64_t
hash_istr(struct str s)
{
	need_key();
	return sip_hash(key0, key1, s.p, s.n, true);
}

uint64_t
hash_u64(uint64_t n)
{
	need_key();
	n ^= key0;
	n = (n ^ n >> 32) * 0xd6e8feb86659fd93ULL;
	n = (n ^ n >> 32) * 0xd6e8feb86659fd93ULL;
	return (n ^ n >> 32) + key1;
}

uint64_t
hash_stable(const void *p, size_t n)
{
	return sip_hash(0x506f737465726e31ULL, 0x73746162696c6974ULL, p, n,
	    false);
}

void
hash_init(struct hash *h)
{
	*h = (struct hash){ NULL, 0, 0 };
}

void
hash_fini(struct hash *h)
{
	mem_free(h->v);
	hash_init(h);
}

void
hash_add(struct hash *h, struct hash_node *node, uint64_t hash)
{
	struct hash_node **head;

	if (h->n >= h->size)
		resize(h, h->size > 0 ? h->size * 2 : 16);
	head = &h->v[hash & (h->size - 1)];
	node->hash = hash;
	node->next = *head;
	*head = node;
	h->n++;
}

void
hash_remove(struct hash *h, struct hash_node *node)
{
	struct hash_node **np;

	ASSERT(h->size > 0);
	np = &h->v[node->hash & (h->size - 1)];
	while (*np != NULL && *np != node)
		np = &(*np)->next;
	ASSERT(*np == node);
	*np = node->next;
	node->next = NULL;
	h->n--;
}

struct hash_node *
hash_first(const struct hash *h, uint64_t hash)
{
	struct hash_node *node;

	if (h->n == 0)
		return NULL;
	node = h->v[hash & (h->size - 1)];
	while (node != NULL && node->hash != hash)
		node = node->next;
	return node;
}

struct hash_node *
hash_next(const struct hash_node *node)
{
	struct hash_node *next = node->next;

	while (next != NULL && next->hash != node->hash)
		next = next->next;
	return next;
}

void
hash_each(struct hash *h, void (*fn)(struct hash_node *, void *), void *arg)
{
	struct hash_node *node, *next;
	size_t i;

	for (i = 0; i < h->size; i++) {
		for (node = h->v[i]; node != NULL; node = next) {
			next = node->next;
			fn(node, arg);
		}
	}
}

static void
need_key(void)
{
	if (have_key)
		return;
	key0 = rand_u64();
	key1 = rand_u64();
	have_key = true;
}

static uint64_t
rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void
sip_round(struct sip *s)
{
	s->a += s->b;
	s->b = rotl(s->b, 13) ^ s->a;
	s->a = rotl(s->a, 32);
	s->c += s->d;
	s->d = rotl(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = rotl(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = rotl(s->b, 17) ^ s->c;
	s->c = rotl(s->c, 32);
}

static void
sip_word(struct sip *s, uint64_t m)
{
	s->d ^= m;
	sip_round(s);
	s->a ^= m;
}

/* Eight bytes as a little-endian number, A-Z folded to a-z if wanted. */
static uint64_t
load(const char *p, size_t n, bool fold)
{
	char b[8] = { 0 };
	uint64_t m;

	if (n > 0)
		memcpy(b, p, n);
	if (fold)
		str_lower(b, n);
	memcpy(&m, b, sizeof(m));
	return le64toh(m);
}

static uint64_t
sip_hash(uint64_t k0, uint64_t k1, const char *p, size_t n, bool fold)
{
	struct sip s = {
		k0 ^ 0x736f6d6570736575ULL,
		k1 ^ 0x646f72616e646f6dULL,
		k0 ^ 0x6c7967656e657261ULL,
		k1 ^ 0x7465646279746573ULL,
	};
	uint64_t last = (uint64_t)n << 56;

	for (; n >= 8; p += 8, n -= 8)
		sip_word(&s, load(p, 8, fold));
	sip_word(&s, last | load(p, n, fold));
	s.c ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}

static void
resize(struct hash *h, size_t size)
{
	struct hash_node **v = mem_array(size, sizeof(v[0]));
	struct hash_node *node, *next;
	size_t i;

	for (i = 0; i < h->size; i++) {
		for (node = h->v[i]; node != NULL; node = next) {
			next = node->next;
			node->next = v[node->hash & (size - 1)];
			v[node->hash & (size - 1)] = node;
		}
	}
	mem_free(h->v);
	h->v = v;
	h->size = size;
}

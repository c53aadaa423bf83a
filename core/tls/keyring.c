#include "tls/keyring.h"

#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/codec.h"
#include "base/coll.h"
#include "base/obj.h"
#include "tls/certs.h"
#include "tls/tlskey.h"
#include "tls/tlslib.h"

#define KEYRING_MAGIC 0x10091b10u

enum { PEM_LINE = 48 };

struct held {
	struct hash_node node;
	struct tlskey_id id;
	EVP_PKEY *key;
	uint64_t generation;
};

struct keyring {
	unsigned magic;
	struct hash keys;
	uint64_t before; /* keyring_forget() */
};

static void	held_free(struct hash_node *, void *);
static void	held_forget(struct hash_node *, void *);
static struct held *find(const struct keyring *, const struct tlskey_id *);
static void	keep(struct keyring *, uint64_t, const struct tlskey_id *,
		    EVP_PKEY *);
static int	leaf_name(const struct certs *, struct tlskey_id *);
static void	chain_write(const struct certs *, struct buf *);

struct keyring *
keyring_new(void)
{
	struct keyring *k;

	OBJ_NEW(k, KEYRING_MAGIC);
	hash_init(&k->keys);
	return k;
}

void
keyring_destroy(struct keyring **kp)
{
	struct keyring *k = *kp;

	if (k == NULL)
		return;
	OBJ_CHECK(k, KEYRING_MAGIC);
	*kp = NULL;
	hash_each(&k->keys, held_free, k);
	hash_fini(&k->keys);
	OBJ_FREE(k);
}

static void
held_free(struct hash_node *node, void *arg)
{
	struct held *h = COLL_OF(node, struct held, node);
	struct keyring *k = arg;

	hash_remove(&k->keys, node);
	EVP_PKEY_free(h->key); /* which clears it */
	mem_free(h);
}

int
keyring_add(struct keyring *k, uint64_t generation, const char *chain_file,
    struct str chain, const char *key_file, struct str key,
    struct buf *public, struct tlskey_id *id_r, struct err *why)
{
	struct tlskey_id id;
	struct certs c;
	int r = 0;

	OBJ_CHECK(k, KEYRING_MAGIC);
	if (certs_parse(&c, chain, chain_file, key, key_file, why) != 0)
		return -1;
	if (leaf_name(&c, &id) != 0) {
		r = err_text(why, "%s: an unusable public key", chain_file);
	} else {
		keep(k, generation, &id, c.key);
		c.key = NULL;
		chain_write(&c, public);
		*id_r = id;
	}
	certs_fini(&c);
	return r;
}

/* Takes key. */
static void
keep(struct keyring *k, uint64_t generation, const struct tlskey_id *id,
    EVP_PKEY *key)
{
	struct held *h = find(k, id);

	if (h == NULL) {
		h = mem_zalloc(sizeof(*h));
		h->id = *id;
		h->key = key;
		hash_add(&k->keys, &h->node, hash_bytes(id, sizeof(*id)));
	} else {
		EVP_PKEY_free(key);
	}
	h->generation = generation;
}

static struct held *
find(const struct keyring *k, const struct tlskey_id *id)
{
	struct hash_node *node = hash_first(&k->keys,
	    hash_bytes(id, sizeof(*id)));
	struct held *h;

	for (; node != NULL; node = hash_next(node)) {
		h = COLL_OF(node, struct held, node);
		if (memcmp(&h->id, id, sizeof(*id)) == 0)
			return h;
	}
	return NULL;
}

void
keyring_forget(struct keyring *k, uint64_t before)
{
	OBJ_CHECK(k, KEYRING_MAGIC);
	k->before = before;
	hash_each(&k->keys, held_forget, k);
}

static void
held_forget(struct hash_node *node, void *arg)
{
	struct held *h = COLL_OF(node, struct held, node);
	const struct keyring *k = arg;

	if (h->generation < k->before)
		held_free(node, arg);
}

unsigned
keyring_count(const struct keyring *k)
{
	return (unsigned)k->keys.n;
}

enum keyring_cost
keyring_cost(const struct keyring *k, const struct tlskey_id *id)
{
	const struct held *h = find(k, id);

	if (h == NULL)
		return KEYRING_UNKNOWN;
	return EVP_PKEY_id(h->key) == EVP_PKEY_RSA ? KEYRING_SLOW :
	    KEYRING_FAST;
}

int
keyring_sign(struct keyring *k, const struct tlskey_id *id,
    uint16_t algorithm, struct str in, uint8_t *out, size_t *out_n,
    size_t max)
{
	struct held *h = find(k, id);

	OBJ_CHECK(k, KEYRING_MAGIC);
	if (h == NULL ||
	    SSL_get_signature_algorithm_key_type(algorithm) !=
	    EVP_PKEY_id(h->key))
		return -1;
	return tlskey_sign(h->key, algorithm, in, out, out_n, max) ? 0 : -1;
}

static int
leaf_name(const struct certs *c, struct tlskey_id *id)
{
	X509 *leaf = tlslib_x509(c->chain[0]);
	uint8_t *der = NULL;
	int n = -1;

	if (leaf != NULL)
		n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
	X509_free(leaf);
	if (n <= 0)
		return -1;
	(void)SHA256(der, (size_t)n, id->sha256);
	OPENSSL_free(der);
	return 0;
}

static void
chain_write(const struct certs *c, struct buf *dst)
{
	const char *p;
	size_t i, n, left;

	for (i = 0; i < c->n; i++) {
		p = (const char *)CRYPTO_BUFFER_data(c->chain[i]);
		left = CRYPTO_BUFFER_len(c->chain[i]);
		(void)buf_add_c(dst, "-----BEGIN CERTIFICATE-----\n");
		for (; left > 0; left -= n, p += n) {
			n = left < PEM_LINE ? left : PEM_LINE;
			(void)base64_encode(dst, str_n(p, n));
			(void)buf_add_char(dst, '\n');
		}
		(void)buf_add_c(dst, "-----END CERTIFICATE-----\n");
	}
}

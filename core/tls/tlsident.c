#include "tls/tlsident.h"

#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"
#include "tls/tlsident_priv.h"
#include "tls/tlskey.h"
#include "tls/tlslib.h"

#define TLSIDENT_MAGIC 0x10091b04u

enum { FILE_MAX = 16 * 1024 * 1024 };

static struct tlsident *tlsident_make(const char *what, struct certs *c,
    const struct tls_keyops *ops, void *ops_arg);
static void tlsident_look_at_key(struct tlsident *id, X509 *leaf);
static void tlsident_take_names(struct tlsident *id, X509 *leaf);
static void tlsident_add_name(struct tlsident *id, const ASN1_STRING *s);
static bool name_covers(const char *own, struct str name);

int
tlsident_new(struct tlsident **id_r, const char *what, struct str chain,
    struct str key, const struct tls_keyops *ops, void *ops_arg,
    struct err *why)
{
	struct certs c;

	ASSERT((key.p == NULL) == (ops != NULL));
	if (certs_parse(&c, chain, what, key, what, why) < 0)
		return -1;
	*id_r = tlsident_make(what, &c, ops, ops_arg);
	return 0;
}

int
tlsident_load(struct tlsident **id_r, const char *chain_file,
    const char *key_file, const struct tls_keyops *ops, void *ops_arg,
    struct err *why)
{
	struct buf chain, key;
	struct certs c;
	int result;

	if (key_file == NULL)
		key_file = chain_file;
	buf_init(&chain, FILE_MAX);
	buf_init(&key, FILE_MAX);
	result = file_read(&chain, chain_file, why);
	if (result == 0 && ops == NULL)
		result = file_read(&key, key_file, why);
	if (result == 0)
		result = certs_parse(&c, buf_str(&chain), chain_file,
		    ops == NULL ? buf_str(&key) : STR_NULL, key_file, why);
	if (result == 0)
		*id_r = tlsident_make(chain_file, &c, ops, ops_arg);
	/* Either may be the file with the key. */
	OPENSSL_cleanse(buf_p(&chain), buf_len(&chain));
	OPENSSL_cleanse(buf_p(&key), buf_len(&key));
	buf_fini(&chain);
	buf_fini(&key);
	return result;
}

struct tlsident *
tlsident_ref(struct tlsident *id)
{
	OBJ_CHECK(id, TLSIDENT_MAGIC);
	id->refs++;
	return id;
}

void
tlsident_unref(struct tlsident **idp)
{
	struct tlsident *id = *idp;

	if (id == NULL)
		return;
	OBJ_CHECK(id, TLSIDENT_MAGIC);
	*idp = NULL;
	if (--id->refs > 0)
		return;
	while (id->n > 0)
		CRYPTO_BUFFER_free(id->chain[--id->n]);
	while (id->nnames > 0)
		mem_free(id->names[--id->nnames]);
	mem_free(id->names);
	EVP_PKEY_free(id->key);
	mem_free(id->what);
	mem_free(id->warning);
	OBJ_FREE(id);
}

const char *
tlsident_what(const struct tlsident *id)
{
	OBJ_CHECK(id, TLSIDENT_MAGIC);
	return id->what;
}

const struct tlskey_id *
tlsident_key_id(const struct tlsident *id)
{
	OBJ_CHECK(id, TLSIDENT_MAGIC);
	return &id->id;
}

const char *
tlsident_warning(const struct tlsident *id)
{
	OBJ_CHECK(id, TLSIDENT_MAGIC);
	return id->warning;
}

bool
tlsident_is_ecdsa(const struct tlsident *id)
{
	OBJ_CHECK(id, TLSIDENT_MAGIC);
	return id->type == EVP_PKEY_EC;
}

bool
tlsident_covers(const struct tlsident *id, struct str name)
{
	size_t i;

	OBJ_CHECK(id, TLSIDENT_MAGIC);
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	for (i = 0; i < id->nnames; i++) {
		if (name_covers(id->names[i], name))
			return true;
	}
	return false;
}

msec
tlsident_expires(const struct tlsident *id)
{
	OBJ_CHECK(id, TLSIDENT_MAGIC);
	return id->expires;
}

bool
tlsident_sign(const struct tlsident *id, uint16_t algorithm, struct str in,
    uint8_t *out, size_t *n_r, size_t max)
{
	OBJ_CHECK(id, TLSIDENT_MAGIC);
	return id->key != NULL &&
	       tlskey_sign(id->key, algorithm, in, out, n_r, max);
}

bool
tlsident_twin(const struct tlsident *a, const struct tlsident *b)
{
	size_t i;

	if (a->nnames != b->nnames)
		return false;
	for (i = 0; i < a->nnames; i++) {
		if (strcmp(a->names[i], b->names[i]) != 0)
			return false;
	}
	return true;
}

/* Takes what is in c, which is good. */
static struct tlsident *
tlsident_make(const char *what, struct certs *c, const struct tls_keyops *ops,
    void *ops_arg)
{
	X509 *leaf = tlslib_x509(c->chain[0]);
	struct tlsident *id;

	ASSERT(leaf != NULL);
	OBJ_NEW(id, TLSIDENT_MAGIC);
	id->refs = 1;
	id->what = mem_strdup(what);
	id->ops = ops;
	id->ops_arg = ops_arg;
	memcpy(id->chain, c->chain, sizeof(id->chain));
	id->n = c->n;
	id->key = c->key;
	id->expires = c->expires;
	if (c->warning[0] != '\0')
		id->warning = mem_strdup(c->warning);
	tlsident_look_at_key(id, leaf);
	tlsident_take_names(id, leaf);
	X509_free(leaf);
	ERR_clear_error();
	return id;
}

static void
tlsident_look_at_key(struct tlsident *id, X509 *leaf)
{
	EVP_PKEY *key = X509_get_pubkey(leaf);
	uint8_t *der = NULL;
	int n, curve = 0;

	ASSERT(key != NULL);
	n = i2d_PUBKEY(key, &der);
	ASSERT(n > 0);
	(void)SHA256(der, (size_t)n, id->id.sha256);
	OPENSSL_free(der);
	id->type = EVP_PKEY_id(key);
	if (id->type == EVP_PKEY_EC)
		curve = EC_GROUP_get_curve_name(
		    EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key)));
	id->group = curve == NID_X9_62_prime256v1 ? SSL_CURVE_SECP256R1
		    : curve == NID_secp384r1	  ? SSL_CURVE_SECP384R1
		    : curve == NID_secp521r1	  ? SSL_CURVE_SECP521R1
						  : 0;
	EVP_PKEY_free(key);
}

/* The CN only where there is no name of any kind (RFC 6125 6.4.4). */
static void
tlsident_take_names(struct tlsident *id, X509 *leaf)
{
	GENERAL_NAMES *sans =
	    X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	const X509_NAME *subject = X509_get_subject_name(leaf);
	size_t i, n = sans == NULL ? 0 : sk_GENERAL_NAME_num(sans);
	const GENERAL_NAME *name;
	int at;

	id->names = mem_array(n + 1, sizeof(*id->names));
	for (i = 0; i < n; i++) {
		name = sk_GENERAL_NAME_value(sans, i);
		if (name->type == GEN_DNS)
			tlsident_add_name(id, name->d.dNSName);
	}
	GENERAL_NAMES_free(sans);
	at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	if (n == 0 && at >= 0)
		tlsident_add_name(id,
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

/* Kept in order, so that equal sets are equal lists. */
static void
tlsident_add_name(struct tlsident *id, const ASN1_STRING *s)
{
	const char *p = (const char *)ASN1_STRING_get0_data(s);
	size_t n = (size_t)ASN1_STRING_length(s), at = id->nnames;
	char *name;

	if (n == 0 || memchr(p, '\0', n) != NULL)
		return;
	name = mem_strndup(p, n);
	str_lower(name, n);
	for (; at > 0 && strcmp(id->names[at - 1], name) > 0; at--)
		id->names[at] = id->names[at - 1];
	id->names[at] = name;
	id->nnames++;
}

/* A wildcard stands for one whole label, the first (RFC 9525 6.3). */
static bool
name_covers(const char *own, struct str name)
{
	size_t dot;

	if (str_ieq_c(name, own))
		return true;
	if (strncmp(own, "*.", 2) != 0)
		return false;
	dot = str_find(name, '.');
	return dot > 0 && dot < name.n &&
	       str_ieq_c(str_n(name.p + dot, name.n - dot), own + 1);
}

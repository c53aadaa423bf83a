#include "pki.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/rand.h"
#include "unit.h"

enum { CERTS = 256, FILES = 64 };

static struct pool *pool;
static char folder[64];
static const char *files[FILES];
static unsigned nfiles;
static struct pki_cert certs[CERTS];
static unsigned ncerts;
static const struct pki_cert *ca;
static long serial;

static EVP_PKEY *
new_rsa(void)
{
	EVP_PKEY *key = EVP_PKEY_new();
	BIGNUM *e = BN_new();
	RSA *r = RSA_new();

	ck_assert(BN_set_word(e, RSA_F4) == 1);
	ck_assert_int_eq(RSA_generate_key_ex(r, 2048, e, NULL), 1);
	ck_assert_int_eq(EVP_PKEY_set1_RSA(key, r), 1);
	BN_free(e);
	RSA_free(r);
	return key;
}

static EVP_PKEY *
new_ec(int curve)
{
	EVP_PKEY *key = EVP_PKEY_new();
	EC_KEY *ec = EC_KEY_new_by_curve_name(curve);

	ck_assert_int_eq(EC_KEY_generate_key(ec), 1);
	ck_assert_int_eq(EVP_PKEY_set1_EC_KEY(key, ec), 1);
	EC_KEY_free(ec);
	return key;
}

static EVP_PKEY *
new_key(enum pki_key kind)
{
	unsigned char seed[32];

	switch (kind) {
	case PKI_KEY_P256:
		return new_ec(NID_X9_62_prime256v1);
	case PKI_KEY_P384:
		return new_ec(NID_secp384r1);
	case PKI_KEY_P521:
		return new_ec(NID_secp521r1);
	case PKI_KEY_ED25519:
		rand_bytes(seed, sizeof(seed));
		return EVP_PKEY_new_raw_private_key(
		    EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
	case PKI_KEY_RSA:
		return new_rsa();
	}
	return NULL;
}

static void
add_ext(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e;

	if (value == NULL)
		return;
	e = X509V3_EXT_nconf_nid(NULL, NULL, nid, value);
	ck_assert_ptr_nonnull(e);
	ck_assert_int_eq(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void
add_unknown(X509 *x, const char *oid)
{
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e;

	ck_assert_int_eq(
	    ASN1_OCTET_STRING_set(value, (const unsigned char *)"\5", 2), 1);
	e = X509_EXTENSION_create_by_OBJ(NULL, o, 1, value);
	ck_assert_int_eq(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(o);
}

static void
add_dns(GENERAL_NAMES *names, struct str name)
{
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	ck_assert_int_eq(ASN1_STRING_set(s, name.p, (int)name.n), 1);
	GENERAL_NAME_set0_value(g, GEN_DNS, s);
	ck_assert(sk_GENERAL_NAME_push(names, g) > 0);
}

static void
add_raw_names(X509 *x, unsigned many, struct str raw)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	char text[64];
	unsigned i;

	for (i = 0; i < many; i++) {
		(void)snprintf(text, sizeof(text), "n%u.example", i);
		add_dns(names, str_c(text));
	}
	add_dns(names, raw);
	ck_assert_int_eq(
	    X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0), 1);
	GENERAL_NAMES_free(names);
}

static void
add_cn(X509 *x, const char *cn)
{
	if (cn != NULL)
		ck_assert_int_eq(
		    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
			MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0),
		    1);
}

/* One bit of the signature, which ends the certificate. */
static void
spoil(X509 **xp)
{
	unsigned char *der = NULL;
	const unsigned char *p;
	int n = i2d_X509(*xp, &der);

	ck_assert_int_gt(n, 0);
	der[n - 1] ^= 1;
	X509_free(*xp);
	p = der;
	*xp = d2i_X509(NULL, &p, n);
	ck_assert_ptr_nonnull(*xp);
	OPENSSL_free(der);
}

static const EVP_MD *
digest(const EVP_PKEY *key, bool sha1)
{
	if (EVP_PKEY_id(key) == EVP_PKEY_ED25519)
		return NULL;
	return sha1 ? EVP_sha1() : EVP_sha256();
}

const struct pki_cert *
pki_make(const struct pki_order *o)
{
	const struct pki_cert *by;
	X509 *x = X509_new();
	struct pki_cert *c;

	ck_assert_uint_lt(ncerts, CERTS);
	c = &certs[ncerts++];
	c->x = x;
	c->key = o->twin != NULL ? o->twin->key : new_key(o->key);
	ck_assert_ptr_nonnull(c->key);
	if (o->twin != NULL)
		EVP_PKEY_up_ref(c->key);
	by = o->issuer != NULL ? o->issuer : c;
	ck_assert_int_eq(X509_set_version(x, 2), 1);
	ck_assert_int_eq(
	    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial), 1);
	ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(x),
	    o->from != 0 ? o->from : -7200));
	ck_assert_ptr_nonnull(X509_gmtime_adj(
	    X509_getm_notAfter(x), o->to != 0 ? o->to : 86400));
	add_cn(x, o->cn);
	add_cn(x, o->cn2);
	ck_assert_int_eq(
	    X509_set_issuer_name(x, X509_get_subject_name(by->x)), 1);
	ck_assert_int_eq(X509_set_pubkey(x, c->key), 1);
	if (o->ca)
		add_ext(x, NID_basic_constraints, "critical,CA:TRUE");
	add_ext(x, NID_subject_alt_name, o->san);
	if (o->raw.p != NULL)
		add_raw_names(x, o->many, o->raw);
	add_ext(x, NID_ext_key_usage, o->eku);
	add_ext(x, NID_name_constraints, o->constraints);
	if (o->critical != NULL)
		add_unknown(x, o->critical);
	ck_assert_int_gt(X509_sign(x, by->key, digest(by->key, o->sha1)), 0);
	if (o->spoiled)
		spoil(&c->x);
	return c;
}

const struct pki_cert *
pki_root(void)
{
	return ca;
}

static struct str
drain(BIO *bio)
{
	const uint8_t *p = NULL;
	struct str text;
	size_t n = 0;

	ck_assert_int_eq(BIO_mem_contents(bio, &p, &n), 1);
	text = pool_str(pool, str_n((const char *)p, n));
	BIO_free(bio);
	return text;
}

struct str
pki_pem(const struct pki_cert *const *v, unsigned n)
{
	BIO *bio = BIO_new(BIO_s_mem());
	unsigned i;

	for (i = 0; i < n; i++)
		ck_assert_int_eq(PEM_write_bio_X509(bio, v[i]->x), 1);
	return drain(bio);
}

struct str
pki_crl(const struct pki_cert *issuer, const struct pki_cert *revoked,
    long from, long to)
{
	BIO *bio = BIO_new(BIO_s_mem());
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();
	X509_REVOKED *r;

	ck_assert_int_eq(X509_CRL_set_version(crl, 1), 1);
	ck_assert_int_eq(X509_CRL_set_issuer_name(
			     crl, X509_get_subject_name(issuer->x)),
	    1);
	ck_assert_ptr_nonnull(X509_gmtime_adj(t, from));
	ck_assert_int_eq(X509_CRL_set1_lastUpdate(crl, t), 1);
	ck_assert_ptr_nonnull(X509_gmtime_adj(t, to));
	ck_assert_int_eq(X509_CRL_set1_nextUpdate(crl, t), 1);
	if (revoked != NULL) {
		r = X509_REVOKED_new();
		ck_assert_int_eq(X509_REVOKED_set_serialNumber(r,
				     X509_get_serialNumber(revoked->x)),
		    1);
		ck_assert_int_eq(X509_REVOKED_set_revocationDate(r, t), 1);
		ck_assert_int_eq(X509_CRL_add0_revoked(crl, r), 1);
	}
	ck_assert_int_gt(
	    X509_CRL_sign(crl, issuer->key, digest(issuer->key, false)), 0);
	ck_assert_int_eq(PEM_write_bio_X509_CRL(bio, crl), 1);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
	return drain(bio);
}

static void
save(const char *path, X509 *x, EVP_PKEY *key)
{
	BIO *bio = BIO_new_file(path, "w");

	ck_assert_ptr_nonnull(bio);
	ck_assert_int_eq(PEM_write_bio_X509(bio, x), 1);
	if (key != NULL)
		ck_assert_int_eq(PEM_write_bio_PrivateKey(
				     bio, key, NULL, NULL, 0, NULL, NULL),
		    1);
	BIO_free(bio);
}

void
pki_start(void)
{
	static const struct pki_order order = { .cn = "Test Root",
		.from = -86400,
		.ca = true };

	pool = pool_new(0);
	nfiles = ncerts = 0;
	(void)snprintf(folder, sizeof(folder), "/tmp/postern-pki-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ca = pki_make(&order);
	save(pki_path("ca.pem"), ca->x, NULL);
}

void
pki_stop(void)
{
	while (nfiles > 0)
		(void)unlink(files[--nfiles]);
	(void)rmdir(folder);
	while (ncerts > 0) {
		X509_free(certs[--ncerts].x);
		EVP_PKEY_free(certs[ncerts].key);
	}
	pool_destroy(&pool);
}

const char *
pki_ca(void)
{
	return files[0];
}

const char *
pki_path(const char *name)
{
	ck_assert_uint_lt(nfiles, FILES);
	files[nfiles] = pool_printf(pool, "%s/%s", folder, name);
	return files[nfiles++];
}

void
pki_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

const char *
pki_issue(const char *file, const char *san, unsigned flags)
{
	const char *path = pki_path(file), *cn = strchr(san, ':');
	struct pki_order o = { .issuer = (flags & PKI_SELF) ? NULL : ca };
	const struct pki_cert *c;

	o.cn = cn == NULL ? san : cn + 1;
	o.san = (flags & PKI_NO_SAN) ? NULL : san;
	o.key = (flags & PKI_RSA) ? PKI_KEY_RSA : PKI_KEY_P256;
	o.from = (flags & PKI_FUTURE) ? 3600 : -7200;
	o.to = (flags & PKI_EXPIRED) ? -3600 : 86400;
	o.eku = (flags & PKI_CLIENT_ONLY) ? "clientAuth" : NULL;
	c = pki_make(&o);
	save(path, c->x, c->key);
	return path;
}

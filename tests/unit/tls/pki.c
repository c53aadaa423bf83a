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
#include "unit.h"

static struct pool *pool;
static char folder[64];
static const char *files[64];
static unsigned nfiles;
static X509 *ca;
static EVP_PKEY *ca_key;
static long serial;

static EVP_PKEY *
new_key(bool rsa)
{
	EVP_PKEY *key = EVP_PKEY_new();
	EC_KEY *ec;
	BIGNUM *e;
	RSA *r;

	if (rsa) {
		r = RSA_new();
		e = BN_new();
		ck_assert(BN_set_word(e, RSA_F4) == 1);
		ck_assert_int_eq(RSA_generate_key_ex(r, 2048, e, NULL), 1);
		ck_assert_int_eq(EVP_PKEY_set1_RSA(key, r), 1);
		BN_free(e);
		RSA_free(r);
		return key;
	}
	ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	ck_assert_int_eq(EC_KEY_generate_key(ec), 1);
	ck_assert_int_eq(EVP_PKEY_set1_EC_KEY(key, ec), 1);
	EC_KEY_free(ec);
	return key;
}

static void
add_ext(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_nconf_nid(NULL, NULL, nid, value);

	ck_assert_ptr_nonnull(e);
	ck_assert_int_eq(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static X509 *
new_cert(const char *cn, EVP_PKEY *key, long from, long to)
{
	X509 *x = X509_new();

	ck_assert_int_eq(X509_set_version(x, 2), 1);
	ck_assert_int_eq(
	    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial), 1);
	ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(x), from));
	ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(x), to));
	ck_assert_int_eq(
	    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
		MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0),
	    1);
	ck_assert_int_eq(X509_set_pubkey(x, key), 1);
	return x;
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
	pool = pool_new(0);
	nfiles = 0;
	(void)snprintf(folder, sizeof(folder), "/tmp/postern-pki-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ca_key = new_key(false);
	ca = new_cert("Test Root", ca_key, -86400, 86400);
	ck_assert_int_eq(
	    X509_set_issuer_name(ca, X509_get_subject_name(ca)), 1);
	add_ext(ca, NID_basic_constraints, "critical,CA:TRUE");
	ck_assert_int_gt(X509_sign(ca, ca_key, EVP_sha256()), 0);
	save(pki_path("ca.pem"), ca, NULL);
}

void
pki_stop(void)
{
	while (nfiles > 0)
		(void)unlink(files[--nfiles]);
	(void)rmdir(folder);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
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
	ck_assert_uint_lt(nfiles, sizeof(files) / sizeof(files[0]));
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
	EVP_PKEY *key = new_key((flags & PKI_RSA) != 0);
	bool self = (flags & PKI_SELF) != 0;
	X509 *x;

	cn = cn == NULL ? san : cn + 1;
	x = new_cert(cn, key, (flags & PKI_FUTURE) ? 3600 : -7200,
	    (flags & PKI_EXPIRED) ? -3600 : 86400);
	ck_assert_int_eq(
	    X509_set_issuer_name(x, X509_get_subject_name(self ? x : ca)), 1);
	if (!(flags & PKI_NO_SAN))
		add_ext(x, NID_subject_alt_name, san);
	if (flags & PKI_CLIENT_ONLY)
		add_ext(x, NID_ext_key_usage, "clientAuth");
	ck_assert_int_gt(X509_sign(x, self ? key : ca_key, EVP_sha256()), 0);
	save(path, x, key);
	X509_free(x);
	EVP_PKEY_free(key);
	return path;
}

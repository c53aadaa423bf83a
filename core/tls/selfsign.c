#include "tls/selfsign.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define YEARS 10
#define DAY (24L * 60 * 60)

static EVP_PKEY	*key_make(void);
static X509	*cert_make(const char *, EVP_PKEY *);
static int	cert_fill(X509 *, const char *, EVP_PKEY *);
static int	cert_names(X509 *, const char *);
static int	pem_write(X509 *, EVP_PKEY *, struct buf *);

int
selfsign_pem(const char *name, struct buf *pem, struct err *why)
{
	EVP_PKEY *key = key_make();
	X509 *cert = key == NULL ? NULL : cert_make(name, key);
	int r = -1;

	if (cert != NULL)
		r = pem_write(cert, key, pem);
	X509_free(cert);
	EVP_PKEY_free(key);
	return r == 0 ? 0 : err_text(why,
	    "making a certificate for \"%s\" failed", name);
}

static EVP_PKEY *
key_make(void)
{
	EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	EVP_PKEY *key = EVP_PKEY_new();

	if (ec != NULL && key != NULL && EC_KEY_generate_key(ec) == 1 &&
	    EVP_PKEY_set1_EC_KEY(key, ec) == 1) {
		EC_KEY_free(ec);
		return key;
	}
	EC_KEY_free(ec);
	EVP_PKEY_free(key);
	return NULL;
}

static X509 *
cert_make(const char *name, EVP_PKEY *key)
{
	X509 *cert = X509_new();

	if (cert != NULL && cert_fill(cert, name, key) == 0 &&
	    X509_sign(cert, key, EVP_sha256()) > 0)
		return cert;
	X509_free(cert);
	return NULL;
}

static int
cert_fill(X509 *cert, const char *name, EVP_PKEY *key)
{
	BIGNUM *serial = BN_new();
	X509_NAME *subject;
	int ok;

	/* The common name holds 64 octets; the whole name is in the SAN. */
	ok = serial != NULL &&
	    BN_rand(serial, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
	    BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL &&
	    X509_set_version(cert, X509_VERSION_3) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -DAY) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), YEARS * 365 * DAY) !=
		NULL &&
	    X509_set_pubkey(cert, key) == 1;
	BN_free(serial);
	if (!ok)
		return -1;
	subject = X509_get_subject_name(cert);
	if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
		(const uint8_t *)name,
		strlen(name) > 64 ? 64 : (int)strlen(name), -1, 0) != 1 ||
	    X509_set_issuer_name(cert, subject) != 1)
		return -1;
	return cert_names(cert, name);
}

/* An address is a name of another kind. */
static int
cert_names(X509 *cert, const char *name)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_STRING *text = NULL;
	int type = GEN_DNS, n = (int)strlen(name), ok = 0;
	const void *value = name;
	unsigned char ip[16];

	if (inet_pton(AF_INET, name, ip) == 1 ||
	    inet_pton(AF_INET6, name, ip) == 1) {
		n = strchr(name, ':') == NULL ? 4 : 16;
		type = GEN_IPADD;
		value = ip;
		text = ASN1_OCTET_STRING_new();
	} else {
		text = ASN1_IA5STRING_new();
	}
	if (names != NULL && one != NULL && text != NULL &&
	    ASN1_STRING_set(text, value, n) == 1) {
		GENERAL_NAME_set0_value(one, type, text);
		text = NULL;
		if (sk_GENERAL_NAME_push(names, one) > 0) {
			one = NULL;
			ok = X509_add1_ext_i2d(cert, NID_subject_alt_name,
			    names, 0, 0);
		}
	}
	ASN1_STRING_free(text);
	GENERAL_NAME_free(one);
	GENERAL_NAMES_free(names);
	return ok == 1 ? 0 : -1;
}

static int
pem_write(X509 *cert, EVP_PKEY *key, struct buf *pem)
{
	BIO *bio = BIO_new(BIO_s_mem());
	const uint8_t *p;
	size_t n;
	int r = -1;

	if (bio != NULL && PEM_write_bio_X509(bio, cert) == 1 &&
	    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL,
		NULL) == 1 &&
	    BIO_mem_contents(bio, &p, &n) == 1)
		r = buf_add(pem, p, n);
	BIO_free(bio);
	return r;
}

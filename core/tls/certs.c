#include "tls/certs.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "tls/tlslib.h"

enum { FILE_MAX = 16 * 1024 * 1024 };

typedef int
certs_fn(void *arg, const unsigned char *der, long n, struct err *why);

static int certs_each(struct str pem, const char *file, certs_fn *fn,
    void *arg, struct err *why);
static int certs_add(
    void *arg, const unsigned char *der, long n, struct err *why);
static int certs_read_key(
    struct certs *c, struct str pem, const char *file, struct err *why);
static int certs_check(struct certs *c, const char *cert_file,
    const char *key_file, struct err *why);
static void certs_look_at_dates(
    struct certs *c, const X509 *leaf, const char *file);
static BIO *open_pem(struct str pem);
static int no_password(char *buf, int size, int rwflag, void *arg);

int
certs_parse(struct certs *c, struct str chain, const char *what, struct str key,
    const char *key_what, struct err *why)
{
	memset(c, 0, sizeof(*c));
	if (certs_each(chain, what, certs_add, c, why) == 0 &&
	    (key.p == NULL || certs_read_key(c, key, key_what, why) == 0) &&
	    certs_check(c, what, key_what, why) == 0)
		return 0;
	certs_fini(c);
	return -1;
}

void
certs_fini(struct certs *c)
{
	while (c->n > 0)
		CRYPTO_BUFFER_free(c->chain[--c->n]);
	EVP_PKEY_free(c->key);
	c->key = NULL;
}

msec
certs_time(const ASN1_TIME *t)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;

	if (epoch == NULL)
		fatal("out of memory");
	(void)ASN1_TIME_diff(&days, &seconds, epoch, t);
	ASN1_TIME_free(epoch);
	return HOURS(24) * days + SECONDS(seconds);
}

/* Other things than certificates are passed over: a key may be there too. */
static int
certs_each(struct str pem, const char *file, certs_fn *fn, void *arg,
    struct err *why)
{
	char *name = NULL, *header = NULL, reason[128];
	unsigned char *der = NULL;
	BIO *bio = open_pem(pem);
	unsigned count = 0;
	int result = 0;
	long n = 0;

	while (result == 0 && PEM_read_bio(bio, &name, &header, &der, &n)) {
		if (strcmp(name, "CERTIFICATE") == 0 ||
		    strcmp(name, "TRUSTED CERTIFICATE") == 0 ||
		    strcmp(name, "X509 CERTIFICATE") == 0) {
			count++;
			result = fn(arg, der, n, why);
		}
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
		name = header = NULL;
		der = NULL;
	}
	BIO_free(bio);
	if (result < 0)
		return err_prefix(why, "%s: certificate %u: ", file, count);
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		(void)tlslib_reason(reason, sizeof(reason), "unreadable");
		return err_text(why, "%s: behind certificate %u: %s", file,
		    count, reason);
	}
	ERR_clear_error();
	if (count == 0)
		return err_text(why, "%s: no certificate in it (PEM)", file);
	return 0;
}

static int
certs_add(void *arg, const unsigned char *der, long n, struct err *why)
{
	struct certs *c = arg;
	X509 *x;

	if (c->n == CERTS_MAX)
		return err_text(why, "a chain may have %d at most", CERTS_MAX);
	c->chain[c->n] = CRYPTO_BUFFER_new(der, (size_t)n, NULL);
	if (c->chain[c->n] == NULL)
		fatal("out of memory");
	x = tlslib_x509(c->chain[c->n++]);
	ERR_clear_error();
	if (x == NULL)
		return err_text(why, "not an X.509 certificate");
	X509_free(x);
	return 0;
}

static int
certs_read_key(
    struct certs *c, struct str pem, const char *file, struct err *why)
{
	BIO *bio = open_pem(pem);
	char reason[128];
	uint32_t code;

	c->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	if (c->key != NULL) {
		ERR_clear_error();
		return 0;
	}
	code = ERR_peek_error();
	if (ERR_GET_LIB(code) == ERR_LIB_PEM &&
	    ERR_GET_REASON(code) == PEM_R_NO_START_LINE) {
		ERR_clear_error();
		return err_text(why, "%s: no private key in it (PEM)", file);
	}
	if (ERR_GET_LIB(code) == ERR_LIB_PEM &&
	    ERR_GET_REASON(code) == PEM_R_BAD_PASSWORD_READ) {
		ERR_clear_error();
		return err_text(why,
		    "%s: the private key is encrypted; store it without a "
		    "password",
		    file);
	}
	(void)tlslib_reason(reason, sizeof(reason), "unreadable");
	return err_text(why, "%s: bad private key: %s", file, reason);
}

static int
certs_check(struct certs *c, const char *cert_file, const char *key_file,
    struct err *why)
{
	X509 *leaf = tlslib_x509(c->chain[0]), *other;
	int fits, type, result = 0;
	EVP_PKEY *public;
	size_t i;

	public = X509_get_pubkey(leaf);
	type = public == NULL ? 0 : EVP_PKEY_id(public);
	EVP_PKEY_free(public);
	if (type != EVP_PKEY_RSA && type != EVP_PKEY_EC &&
	    type != EVP_PKEY_ED25519) {
		result = err_text(why,
		    "%s: the certificate's key is neither RSA, ECDSA nor "
		    "Ed25519",
		    cert_file);
	} else if (c->key != NULL && !X509_check_private_key(leaf, c->key)) {
		result = err_text(why,
		    "the private key in %s does not belong to the first "
		    "certificate in %s",
		    key_file, cert_file);
		for (i = 1; i < c->n; i++) {
			other = tlslib_x509(c->chain[i]);
			fits = X509_check_private_key(other, c->key);
			X509_free(other);
			if (fits)
				result = err_text(why,
				    "%s: certificate %zu is the one of the "
				    "private key; it must come first",
				    cert_file, i + 1);
		}
	}
	if (result == 0)
		certs_look_at_dates(c, leaf, cert_file);
	X509_free(leaf);
	ERR_clear_error();
	return result;
}

static void
certs_look_at_dates(struct certs *c, const X509 *leaf, const char *file)
{
	struct err text = ERR_INIT;

	c->expires = certs_time(X509_get0_notAfter(leaf));
	if (c->expires < clock_wall())
		(void)err_text(&text, "%s: the certificate has expired", file);
	else if (certs_time(X509_get0_notBefore(leaf)) > clock_wall())
		(void)err_text(
		    &text, "%s: the certificate is not valid yet", file);
	(void)str_copy(c->warning, sizeof(c->warning), str_c(text.text));
}

/* Reads from memory that stays. */
static BIO *
open_pem(struct str pem)
{
	BIO *bio;

	ERR_clear_error();
	bio = BIO_new_mem_buf(pem.n > 0 ? pem.p : "", (int)pem.n);
	if (bio == NULL)
		fatal("out of memory");
	return bio;
}

static int
no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

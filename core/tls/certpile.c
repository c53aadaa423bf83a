#include "tls/certpile.h"

#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>

#include "base/die.h"
#include "base/mem.h"
#include "tls/certpile_priv.h"
#include "tls/tlslib.h"

#define KINDS(list) (sizeof(list) / sizeof((list)[0]))

static int read_any(struct certpile *, struct str, const char *, const char *,
    struct err *);
static int read_pem(struct certpile *, struct str, const char *, const char *,
    struct err *);
static int read_block(struct certpile *, const char *, const unsigned char *,
    long, unsigned *, struct err *);
static int read_key(struct certpile *, struct str, const char *,
    struct err *);
static int read_der(struct certpile *, struct str, const char *, const char *,
    struct err *);
static int read_pkcs7(struct certpile *, struct str, struct err *);
static int refuse(struct str, const char *, struct err *);
static int give_passphrase(char *, int, int, void *);
static BIO *open_text(struct str);
static int take_text(BIO *, struct buf *);
static void move_all(struct certpile *, struct certpile *);

struct certpile *
certpile_new(void)
{
	struct certpile *p = mem_zalloc(sizeof(*p));

	p->certs = sk_X509_new_null();
	if (p->certs == NULL)
		fatal("out of memory");
	return p;
}

void
certpile_destroy(struct certpile **pp)
{
	struct certpile *p = *pp;

	if (p == NULL)
		return;
	sk_X509_pop_free(p->certs, X509_free);
	EVP_PKEY_free(p->key);
	mem_free(p);
	*pp = NULL;
}

int
certpile_read(struct certpile *p, struct str bytes, const char *what,
    const char *passphrase, struct err *why)
{
	struct certpile *news = certpile_new();
	int r;

	ERR_clear_error();
	r = read_any(news, bytes, what, passphrase, why);
	if (r == 0 && news->key != NULL && p->key != NULL &&
	    EVP_PKEY_cmp(news->key, p->key) != 1)
		r = err_text(why, "%s: a second private key", what);
	if (r == 0 && sk_X509_num(p->certs) + sk_X509_num(news->certs) >
	    CERTPILE_MAX)
		r = err_text(why, "%s: more than %d certificates", what,
		    CERTPILE_MAX);
	if (r == 0)
		move_all(p, news);
	certpile_destroy(&news);
	ERR_clear_error();
	return r;
}

void
certpile_read_bundle(struct certpile *p, struct str pem)
{
	char *name = NULL, *header = NULL;
	unsigned char *der = NULL;
	const unsigned char *at;
	BIO *bio = open_text(pem);
	long n = 0;
	X509 *x;

	while (PEM_read_bio(bio, &name, &header, &der, &n) == 1) {
		at = der;
		x = strstr(name, "CERTIFICATE") == NULL ? NULL :
		    d2i_X509(NULL, &at, n);
		if (x != NULL && certpile_count(p) < CERTPILE_MAX)
			certpile_add(p, x);
		X509_free(x);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	BIO_free(bio);
	ERR_clear_error();
}

/* PFX ::= SEQUENCE { version INTEGER {v3(3)}, … } */
bool
certpile_is_pkcs12(struct str bytes)
{
	const unsigned char *p = (const unsigned char *)bytes.p;
	size_t at;

	if (bytes.n < 8 || p[0] != 0x30)
		return false;
	at = p[1] <= 0x80 ? 2 : 2 + (p[1] & 0x7fU);
	return at + 3 <= bytes.n && p[at] == 2 && p[at + 1] == 1 &&
	    p[at + 2] == 3;
}

unsigned
certpile_count(const struct certpile *p)
{
	return (unsigned)sk_X509_num(p->certs);
}

bool
certpile_has_key(const struct certpile *p)
{
	return p->key != NULL;
}

int
certpile_pem(const struct certpile *p, unsigned i, struct buf *pem)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL || PEM_write_bio_X509(bio, certpile_x509(p, i)) != 1)
		fatal("out of memory");
	return take_text(bio, pem);
}

int
certpile_pem_all(const struct certpile *p, struct buf *pem)
{
	unsigned i, n = certpile_count(p);

	for (i = 0; i < n; i++) {
		if (certpile_pem(p, i, pem) != 0)
			return -1;
	}
	return 0;
}

int
certpile_key_pem(const struct certpile *p, struct buf *pem)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL ||
	    PEM_write_bio_PKCS8PrivateKey(bio, p->key, NULL, NULL, 0, NULL,
		NULL) != 1)
		fatal("out of memory");
	return take_text(bio, pem);
}

bool
certpile_has(const struct certpile *p, const struct certpile *of, unsigned i)
{
	unsigned k, n = certpile_count(p);

	for (k = 0; k < n; k++) {
		if (X509_cmp(certpile_x509(p, k), certpile_x509(of, i)) == 0)
			return true;
	}
	return false;
}

void
certpile_remove(struct certpile *p, unsigned i)
{
	X509_free(sk_X509_delete(p->certs, i));
}

void
certpile_copy(struct certpile *p, const struct certpile *from, unsigned i)
{
	certpile_add(p, certpile_x509(from, i));
}

X509 *
certpile_x509(const struct certpile *p, unsigned i)
{
	return sk_X509_value(p->certs, i);
}

void
certpile_add(struct certpile *p, X509 *x)
{
	if (X509_up_ref(x) != 1 || sk_X509_push(p->certs, x) == 0)
		fatal("out of memory");
}

static int
read_any(struct certpile *p, struct str bytes, const char *what,
    const char *passphrase, struct err *why)
{
	static const char armour[] = "-----BEGIN ";

	if (bytes.n == 0)
		return err_text(why, "%s: empty", what);
	if (memmem(bytes.p, bytes.n, armour, strlen(armour)) != NULL)
		return read_pem(p, bytes, what, passphrase, why);
	if (bytes.p[0] == 0x30)
		return read_der(p, bytes, what, passphrase, why);
	return refuse(bytes, what, why);
}

static int
read_pem(struct certpile *p, struct str bytes, const char *what,
    const char *passphrase, struct err *why)
{
	char *name = NULL, *header = NULL, reason[128];
	unsigned char *der = NULL;
	BIO *bio = open_text(bytes);
	unsigned keys = 0;
	long n = 0;
	int r = 0;

	while (r == 0 && PEM_read_bio(bio, &name, &header, &der, &n) == 1) {
		r = read_block(p, name, der, n, &keys, why);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_cleanse(der, (size_t)n);
		OPENSSL_free(der);
	}
	BIO_free(bio);
	if (r != 0)
		return err_prefix(why, "%s: ", what);
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return err_text(why, "%s: damaged PEM: %s", what,
		    tlslib_reason(reason, sizeof(reason), "unreadable"));
	ERR_clear_error();
	if (keys > 1)
		return err_text(why, "%s: %u private keys", what, keys);
	if (keys == 1 && read_key(p, bytes, passphrase, why) != 0)
		return err_prefix(why, "%s: ", what);
	if (keys == 0 && certpile_count(p) == 0)
		return err_text(why, "%s: PEM without a certificate", what);
	return 0;
}

static int
read_block(struct certpile *p, const char *name, const unsigned char *der,
    long n, unsigned *keys, struct err *why)
{
	static const char *const skipped[] = { "EC PARAMETERS",
		"DH PARAMETERS", "X509 CRL" };
	static const char *const refused[][2] = {
		{ "CERTIFICATE REQUEST", "a certificate request" },
		{ "NEW CERTIFICATE REQUEST", "a certificate request" },
		{ "PUBLIC KEY", "a public key" },
		{ "OPENSSH PRIVATE KEY", "an OpenSSH key" },
	};
	size_t i;
	X509 *x;

	if (strcmp(name, "CERTIFICATE") == 0 ||
	    strcmp(name, "TRUSTED CERTIFICATE") == 0 ||
	    strcmp(name, "X509 CERTIFICATE") == 0) {
		x = d2i_X509(NULL, &der, n);
		if (x == NULL)
			return err_text(why, "certificate %u is damaged",
			    certpile_count(p) + 1);
		certpile_add(p, x);
		X509_free(x);
		return 0;
	}
	if (strcmp(name, "PKCS7") == 0 || strcmp(name, "CMS") == 0 ||
	    strcmp(name, "PKCS #7 SIGNED DATA") == 0)
		return read_pkcs7(p, str_n((const char *)der, (size_t)n), why);
	for (i = 0; i < KINDS(refused); i++) {
		if (strcmp(name, refused[i][0]) == 0)
			return err_text(why, "it holds %s, not a certificate",
			    refused[i][1]);
	}
	for (i = 0; i < KINDS(skipped); i++) {
		if (strcmp(name, skipped[i]) == 0)
			return 0;
	}
	if (str_iends(str_c(name), "PRIVATE KEY") &&
	    strncmp(name, "PGP", 3) != 0) {
		(*keys)++;
		return 0;
	}
	return err_text(why, "it holds \"%.40s\" (PEM), not a certificate",
	    name);
}

static int
read_key(struct certpile *p, struct str bytes, const char *passphrase,
    struct err *why)
{
	BIO *bio = open_text(bytes);
	char reason[128];
	int code;

	/* A cast for an argument that the callback only reads. */
	p->key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase,
	    (void *)(uintptr_t)passphrase);
	BIO_free(bio);
	if (p->key != NULL)
		return 0;
	code = ERR_GET_REASON(ERR_peek_error());
	if (ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_PEM &&
	    code == PEM_R_BAD_PASSWORD_READ)
		return err_text(why, "the private key is encrypted: a "
		    "passphrase is needed");
	(void)tlslib_reason(reason, sizeof(reason), "unreadable");
	if (passphrase != NULL && passphrase[0] != '\0' &&
	    (strstr(reason, "decrypt") != NULL ||
		strstr(reason, "password") != NULL))
		return err_text(why, "wrong passphrase for the private key");
	return err_text(why, "bad private key: %s", reason);
}

static int
read_der(struct certpile *p, struct str bytes, const char *what,
    const char *passphrase, struct err *why)
{
	const unsigned char *at = (const unsigned char *)bytes.p;
	const unsigned char *end = at + bytes.n;
	X509 *x;
	CBS cbs;

	if (certpile_is_pkcs12(bytes))
		return pkcs12_read(p, bytes, what, passphrase, why);
	x = d2i_X509(NULL, &at, (long)bytes.n);
	if (x != NULL) {
		certpile_add(p, x);
		X509_free(x);
		return at == end ? 0 : err_text(why,
		    "%s: something behind the certificate (DER)", what);
	}
	CBS_init(&cbs, (const uint8_t *)bytes.p, bytes.n);
	p->key = EVP_parse_private_key(&cbs);
	if (p->key != NULL && CBS_len(&cbs) == 0)
		return 0;
	ERR_clear_error();
	if (read_pkcs7(p, bytes, why) != 0)
		return err_text(why, "%s: DER or BER, but neither a "
		    "certificate, a private key (PKCS#8), PKCS#7 nor PKCS#12",
		    what);
	return 0;
}

static int
read_pkcs7(struct certpile *p, struct str der, struct err *why)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	char reason[128];
	int r = -1;
	CBS cbs;
	size_t i;

	CBS_init(&cbs, (const uint8_t *)der.p, der.n);
	if (certs == NULL)
		fatal("out of memory");
	if (PKCS7_get_certificates(certs, &cbs) != 1) {
		(void)tlslib_reason(reason, sizeof(reason), "unreadable");
		(void)err_text(why, "damaged PKCS#7: %s", reason);
	} else if (sk_X509_num(certs) == 0) {
		(void)err_text(why, "PKCS#7 without a certificate");
	} else if (sk_X509_num(certs) > CERTPILE_MAX) {
		(void)err_text(why, "PKCS#7 with more than %d certificates",
		    CERTPILE_MAX);
	} else {
		for (i = 0; i < sk_X509_num(certs); i++)
			certpile_add(p, sk_X509_value(certs, i));
		r = 0;
	}
	sk_X509_pop_free(certs, X509_free);
	return r;
}

/* What it is instead, as far as the first octets tell. */
static int
refuse(struct str bytes, const char *what, struct err *why)
{
	static const struct {
		struct str magic;
		const char *is;
	} kind[] = {
		{ STR("\xfe\xed\xfe\xed"), "a Java key store (JKS)" },
		{ STR("\xce\xce\xce\xce"), "a Java key store (JCEKS)" },
		{ STR("PK\x03\x04"), "a ZIP archive" },
		{ STR("\x1f\x8b"), "compressed by gzip" },
		{ STR("%PDF"), "a PDF document" },
		{ STR("\xff\xfe"), "text in UTF-16" },
		{ STR("\xfe\xff"), "text in UTF-16" },
		{ STR("MII"), "base64 without the lines BEGIN and END (PEM)" },
		{ STR("ssh-"), "an OpenSSH public key" },
		{ STR("<"), "HTML or XML" },
	};
	size_t i;

	for (i = 0; i < KINDS(kind); i++) {
		if (bytes.n >= kind[i].magic.n &&
		    memcmp(bytes.p, kind[i].magic.p, kind[i].magic.n) == 0)
			return err_text(why, "%s: this is %s; wanted is PEM, "
			    "DER, PKCS#7 or PKCS#12", what, kind[i].is);
	}
	return err_text(why, "%s: of a format that is unknown here; wanted is "
	    "PEM, DER, PKCS#7 or PKCS#12", what);
}

static int
give_passphrase(char *buf, int size, int rwflag, void *arg)
{
	const char *passphrase = arg;

	(void)rwflag;
	if (passphrase == NULL || passphrase[0] == '\0' ||
	    !str_copy(buf, (size_t)size, str_c(passphrase)))
		return -1;
	return (int)strlen(passphrase);
}

/* Reads from memory that stays. */
static BIO *
open_text(struct str text)
{
	BIO *bio;

	ERR_clear_error();
	bio = BIO_new_mem_buf(text.n > 0 ? text.p : "", (int)text.n);
	if (bio == NULL)
		fatal("out of memory");
	return bio;
}

static int
take_text(BIO *bio, struct buf *pem)
{
	const uint8_t *p;
	int r = -1;
	size_t n;

	if (BIO_mem_contents(bio, &p, &n) == 1) {
		r = buf_add(pem, p, n);
		/* It may have been a key. */
		OPENSSL_cleanse((void *)(uintptr_t)p, n);
	}
	BIO_free(bio);
	return r;
}

static void
move_all(struct certpile *p, struct certpile *from)
{
	unsigned i, n = certpile_count(from);

	for (i = 0; i < n; i++)
		certpile_add(p, certpile_x509(from, i));
	if (from->key != NULL && p->key == NULL) {
		p->key = from->key;
		from->key = NULL;
	}
}

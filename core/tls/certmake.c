#include "tls/certmake.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/codec.h"
#include "tls/tlslib.h"

#define DAY (24L * 60 * 60)

static int check_text(const char *, const char *, size_t, struct err *);
static int check_name(const char *, struct err *);
static EVP_PKEY *make_rsa(const struct certmake *);
static EVP_PKEY *make_ec(const struct certmake *);
static int on_prime(int, int, BN_GENCB *);
static int write_key(EVP_PKEY *, struct buf *);
static EVP_PKEY *read_key(struct str, struct err *);
static int fill(X509 *, const struct certmake *, EVP_PKEY *);
static int fill_subject(X509_NAME *, const struct certmake *);
static GENERAL_NAMES *make_names(const struct certmake *);
static GENERAL_NAME *make_name(const char *);
static X509_EXTENSIONS *make_extensions(GENERAL_NAMES *);
static int sign_request(X509_REQ *, X509_NAME *, GENERAL_NAMES *, EVP_PKEY *,
    struct buf *);
static const EVP_MD *digest_for(const EVP_PKEY *);
static int failed(struct err *, const char *);

int
certmake_check(const struct certmake *m, struct err *why)
{
	size_t i;

	if (m->cn == NULL || m->cn[0] == '\0')
		return err_text(why, "a common name is needed");
	/* The upper bounds of RFC 5280, appendix A.1. */
	if (check_text("common name", m->cn, 64, why) != 0 ||
	    check_text("organization", m->organisation, 64, why) != 0 ||
	    check_text("unit", m->unit, 64, why) != 0 ||
	    check_text("locality", m->locality, 128, why) != 0 ||
	    check_text("state", m->state, 128, why) != 0)
		return -1;
	if (m->country != NULL && m->country[0] != '\0' &&
	    (strlen(m->country) != 2 || !ch_alpha(m->country[0]) ||
		!ch_alpha(m->country[1])))
		return err_text(why, "the country is a code of two letters, "
		    "as \"DE\"");
	for (i = 0; m->name != NULL && m->name[i] != NULL; i++) {
		if (check_name(m->name[i], why) != 0)
			return -1;
	}
	if (i > 1000)
		return err_text(why, "more than 1000 names");
	if (m->type == CERTMAKE_RSA &&
	    (m->bits < 2048 || m->bits > 4096 || m->bits % 8 != 0))
		return err_text(why, "an RSA key has 2048 to 4096 bits");
	if (m->type == CERTMAKE_EC && m->bits != 256 && m->bits != 384)
		return err_text(why, "an ECDSA key is of P-256 or P-384");
	if (m->days < 1 || m->days > CERTMAKE_DAYS_MAX)
		return err_text(why, "a certificate is valid for 1 to %d days",
		    CERTMAKE_DAYS_MAX);
	return 0;
}

int
certmake_key(const struct certmake *m, struct buf *pem, struct err *why)
{
	EVP_PKEY *key;
	int r;

	if (certmake_check(m, why) != 0)
		return -1;
	key = m->type == CERTMAKE_RSA ? make_rsa(m) : make_ec(m);
	if (key == NULL)
		return failed(why, "making a key");
	r = write_key(key, pem);
	EVP_PKEY_free(key);
	return r == 0 ? 0 : failed(why, "writing a key");
}

int
certmake_self(const struct certmake *m, struct str key, struct buf *pem,
    struct err *why)
{
	EVP_PKEY *pkey;
	BIO *bio = NULL;
	const uint8_t *p;
	X509 *cert;
	int r = -1;
	size_t n;

	if (certmake_check(m, why) != 0)
		return -1;
	pkey = read_key(key, why);
	if (pkey == NULL)
		return -1;
	cert = X509_new();
	if (cert != NULL && fill(cert, m, pkey) == 0 &&
	    X509_sign(cert, pkey, digest_for(pkey)) > 0 &&
	    (bio = BIO_new(BIO_s_mem())) != NULL &&
	    PEM_write_bio_X509(bio, cert) == 1 &&
	    BIO_mem_contents(bio, &p, &n) == 1)
		r = buf_add(pem, p, n);
	BIO_free(bio);
	X509_free(cert);
	EVP_PKEY_free(pkey);
	return r == 0 ? 0 : failed(why, "making a certificate");
}

int
certmake_demo(const char *host, enum certmake_type type, unsigned days,
    struct buf *key, struct buf *cert, struct err *why)
{
	const char *const names[] = { host, NULL };
	char cn[65];
	struct certmake m = { .cn = cn, .name = names, .type = type,
		.bits = type == CERTMAKE_EC ? 256 : 4096, .days = days };

	/* The whole of a longer name is among the alternative ones. */
	(void)str_copy(cn, sizeof(cn), str_c(host));
	if (certmake_key(&m, key, why) != 0)
		return -1;
	return certmake_self(&m, buf_str(key), cert, why);
}

int
certmake_request(const struct certmake *m, struct str key, struct buf *pem,
    struct err *why)
{
	GENERAL_NAMES *names;
	X509_NAME *subject;
	EVP_PKEY *pkey;
	X509_REQ *req;
	int r = -1;

	if (certmake_check(m, why) != 0)
		return -1;
	pkey = read_key(key, why);
	if (pkey == NULL)
		return -1;
	req = X509_REQ_new();
	subject = X509_NAME_new();
	names = make_names(m);
	if (req != NULL && subject != NULL && names != NULL &&
	    fill_subject(subject, m) == 0)
		r = sign_request(req, subject, names, pkey, pem);
	GENERAL_NAMES_free(names);
	X509_NAME_free(subject);
	X509_REQ_free(req);
	EVP_PKEY_free(pkey);
	return r == 0 ? 0 : failed(why, "making a request");
}

int
certmake_renewal(struct str cert, struct str key, struct buf *pem,
    struct err *why)
{
	BIO *bio = BIO_new_mem_buf(cert.n > 0 ? cert.p : "", (int)cert.n);
	GENERAL_NAMES *names = NULL;
	X509_REQ *req = X509_REQ_new();
	EVP_PKEY *pkey;
	X509 *old;
	int r = -1;

	old = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (old == NULL) {
		X509_REQ_free(req);
		return failed(why, "reading the certificate");
	}
	pkey = read_key(key, why);
	if (pkey != NULL) {
		names = X509_get_ext_d2i(old, NID_subject_alt_name, NULL,
		    NULL);
		r = sign_request(req, X509_get_subject_name(old), names, pkey,
		    pem);
		if (r != 0)
			(void)failed(why, "making a request");
	}
	GENERAL_NAMES_free(names);
	EVP_PKEY_free(pkey);
	X509_free(old);
	X509_REQ_free(req);
	return r;
}

static int
check_text(const char *what, const char *text, size_t max, struct err *why)
{
	struct str rest = str_c(text);
	size_t n, count = 0;
	uint32_t c;

	while (rest.n > 0) {
		n = utf8_char(rest, &c);
		if (n == 0)
			return err_text(why, "the %s is not UTF-8", what);
		if (c < 0x20 || c == 0x7f)
			return err_text(why, "the %s has a control character",
			    what);
		rest = str_n(rest.p + n, rest.n - n);
		count++;
	}
	if (count > max)
		return err_text(why, "the %s has more than %zu characters",
		    what, max);
	return 0;
}

/* A host name, perhaps with *. in front, or an address. */
static int
check_name(const char *name, struct err *why)
{
	unsigned char ip[16];
	size_t i, start = 0, n = strlen(name);

	if (inet_pton(AF_INET, name, ip) == 1 ||
	    inet_pton(AF_INET6, name, ip) == 1)
		return 0;
	if (strncmp(name, "*.", 2) == 0)
		start = 2;
	for (i = start; i < n; i++) {
		if (!ch_alnum(name[i]) && name[i] != '-' && name[i] != '_' &&
		    name[i] != '.')
			break;
		if (name[i] == '.' && (i == start || name[i - 1] == '.'))
			break;
	}
	if (n == 0 || n > 253 || i < n || i == start || name[n - 1] == '.')
		return err_text(why, "\"%.80s\" is neither a host name (in "
		    "ASCII) nor an address", name);
	return 0;
}

static EVP_PKEY *
make_rsa(const struct certmake *m)
{
	EVP_PKEY *key = EVP_PKEY_new();
	BIGNUM *e = BN_new();
	RSA *rsa = RSA_new();
	BN_GENCB cb;
	int ok;

	BN_GENCB_set(&cb, on_prime, (void *)(uintptr_t)m);
	ok = key != NULL && e != NULL && rsa != NULL &&
	    BN_set_word(e, RSA_F4) == 1 &&
	    RSA_generate_key_ex(rsa, (int)m->bits, e, &cb) == 1 &&
	    EVP_PKEY_set1_RSA(key, rsa) == 1;
	RSA_free(rsa);
	BN_free(e);
	if (ok)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static EVP_PKEY *
make_ec(const struct certmake *m)
{
	EC_KEY *ec = EC_KEY_new_by_curve_name(
	    m->bits == 384 ? NID_secp384r1 : NID_X9_62_prime256v1);
	EVP_PKEY *key = EVP_PKEY_new();
	int ok;

	ok = ec != NULL && key != NULL && EC_KEY_generate_key(ec) == 1 &&
	    EVP_PKEY_set1_EC_KEY(key, ec) == 1;
	EC_KEY_free(ec);
	if (ok)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static int
on_prime(int event, int n, BN_GENCB *cb)
{
	const struct certmake *m = cb->arg;

	(void)event;
	(void)n;
	if (m->progress != NULL)
		m->progress(m->progress_arg);
	return 1;
}

static int
write_key(EVP_PKEY *key, struct buf *pem)
{
	BIO *bio = BIO_new(BIO_s_mem());
	const uint8_t *p;
	int r = -1;
	size_t n;

	if (bio != NULL &&
	    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL,
		NULL) == 1 &&
	    BIO_mem_contents(bio, &p, &n) == 1) {
		r = buf_add(pem, p, n);
		OPENSSL_cleanse((void *)(uintptr_t)p, n);
	}
	BIO_free(bio);
	return r;
}

static EVP_PKEY *
read_key(struct str key, struct err *why)
{
	BIO *bio = BIO_new_mem_buf(key.n > 0 ? key.p : "", (int)key.n);
	EVP_PKEY *pkey;
	char none[] = "";

	/* A callback's argument stands for a password that nobody is asked. */
	pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, none);
	BIO_free(bio);
	if (pkey == NULL)
		(void)failed(why, "reading the private key");
	return pkey;
}

static int
fill(X509 *cert, const struct certmake *m, EVP_PKEY *key)
{
	X509_NAME *subject = X509_NAME_new();
	GENERAL_NAMES *names = make_names(m);
	BIGNUM *serial = BN_new();
	int ok;

	ok = subject != NULL && names != NULL && serial != NULL &&
	    BN_rand(serial, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
	    BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL &&
	    X509_set_version(cert, X509_VERSION_3) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -DAY) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), (long)m->days * DAY) !=
		NULL &&
	    X509_set_pubkey(cert, key) == 1 && fill_subject(subject, m) == 0 &&
	    X509_set_subject_name(cert, subject) == 1 &&
	    X509_set_issuer_name(cert, subject) == 1 &&
	    (sk_GENERAL_NAME_num(names) == 0 ||
		X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) ==
		    1);
	BN_free(serial);
	GENERAL_NAMES_free(names);
	X509_NAME_free(subject);
	return ok ? 0 : -1;
}

static int
fill_subject(X509_NAME *subject, const struct certmake *m)
{
	const char *field[][2] = {
		{ "C", m->country }, { "ST", m->state }, { "L", m->locality },
		{ "O", m->organisation }, { "OU", m->unit }, { "CN", m->cn }
	};
	char country[3] = "";
	size_t i;

	if (m->country != NULL && str_copy(country, 3, str_c(m->country))) {
		country[0] &= (char)~0x20;
		country[1] &= (char)~0x20;
		field[0][1] = country;
	}
	for (i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
		if (field[i][1] == NULL || field[i][1][0] == '\0')
			continue;
		if (X509_NAME_add_entry_by_txt(subject, field[i][0],
			MBSTRING_UTF8, (const uint8_t *)field[i][1], -1, -1,
			0) != 1)
			return -1;
	}
	return 0;
}

static GENERAL_NAMES *
make_names(const struct certmake *m)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *one;
	size_t i;

	for (i = 0; m->name != NULL && m->name[i] != NULL; i++) {
		one = make_name(m->name[i]);
		if (one == NULL || sk_GENERAL_NAME_push(names, one) == 0) {
			GENERAL_NAME_free(one);
			GENERAL_NAMES_free(names);
			return NULL;
		}
	}
	return names;
}

/* An address is a name of another kind. */
static GENERAL_NAME *
make_name(const char *text)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	int type = GEN_DNS, n = (int)strlen(text);
	const void *value = text;
	unsigned char ip[16];
	ASN1_STRING *string;

	if (inet_pton(AF_INET, text, ip) == 1 ||
	    inet_pton(AF_INET6, text, ip) == 1) {
		n = strchr(text, ':') == NULL ? 4 : 16;
		type = GEN_IPADD;
		value = ip;
		string = ASN1_OCTET_STRING_new();
	} else {
		string = ASN1_IA5STRING_new();
	}
	if (name == NULL || string == NULL ||
	    ASN1_STRING_set(string, value, n) != 1) {
		ASN1_STRING_free(string);
		GENERAL_NAME_free(name);
		return NULL;
	}
	GENERAL_NAME_set0_value(name, type, string);
	return name;
}

static X509_EXTENSIONS *
make_extensions(GENERAL_NAMES *names)
{
	X509_EXTENSIONS *all = sk_X509_EXTENSION_new_null();
	X509_EXTENSION *one;

	one = X509V3_EXT_i2d(NID_subject_alt_name, 0, names);
	if (all != NULL && one != NULL && sk_X509_EXTENSION_push(all, one) > 0)
		return all;
	X509_EXTENSION_free(one);
	sk_X509_EXTENSION_free(all);
	return NULL;
}

static int
sign_request(X509_REQ *req, X509_NAME *subject, GENERAL_NAMES *names,
    EVP_PKEY *key, struct buf *pem)
{
	X509_EXTENSIONS *extensions = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	const uint8_t *p;
	int r = -1;
	size_t n;

	if (names != NULL && sk_GENERAL_NAME_num(names) > 0)
		extensions = make_extensions(names);
	if (bio != NULL && X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
	    X509_REQ_set_subject_name(req, subject) == 1 &&
	    X509_REQ_set_pubkey(req, key) == 1 &&
	    (extensions == NULL ||
		X509_REQ_add_extensions(req, extensions) == 1) &&
	    X509_REQ_sign(req, key, digest_for(key)) > 0 &&
	    PEM_write_bio_X509_REQ(bio, req) == 1 &&
	    BIO_mem_contents(bio, &p, &n) == 1)
		r = buf_add(pem, p, n);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	BIO_free(bio);
	return r;
}

/* Ed25519 brings its own. */
static const EVP_MD *
digest_for(const EVP_PKEY *key)
{
	return EVP_PKEY_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
}

static int
failed(struct err *why, const char *what)
{
	char reason[128];

	(void)tlslib_reason(reason, sizeof(reason), "out of memory");
	return err_text(why, "%s failed: %s", what, reason);
}

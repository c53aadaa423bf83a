#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/codec.h"
#include "base/die.h"
#include "tls/certpile_priv.h"

#define NAMES_MAX 1000
#define TEXT_MAX 4096

static const char *name_text(const X509_NAME *, struct pool *);
static const char *common_name(const X509 *, struct pool *);
static const char *const *alternative_names(const X509 *, struct pool *);
static const char *serial_text(const X509 *, struct pool *);
static const char *key_text(X509 *, struct pool *);
static const char *digest_text(const X509 *, const EVP_MD *, struct pool *);
static const char *spki_text(const X509 *, struct pool *);
static msec wall_of(const ASN1_TIME *);
static const char *clean(struct str, struct pool *);
static const char *hex(const uint8_t *, size_t, struct pool *);
static bool name_is(const char *, const char *);

void
certpile_fact(const struct certpile *p, unsigned i, struct pool *pool,
    struct certfact *f_r)
{
	X509 *x = certpile_x509(p, i);
	const char *name = OBJ_nid2sn(X509_get_signature_nid(x));

	f_r->subject = name_text(X509_get_subject_name(x), pool);
	f_r->issuer = name_text(X509_get_issuer_name(x), pool);
	f_r->cn = common_name(x, pool);
	f_r->name = alternative_names(x, pool);
	f_r->serial = serial_text(x, pool);
	f_r->key = key_text(x, pool);
	f_r->signature = pool_strdup(pool, name == NULL ? "unknown" : name);
	f_r->sha256 = digest_text(x, EVP_sha256(), pool);
	f_r->sha1 = digest_text(x, EVP_sha1(), pool);
	f_r->spki = spki_text(x, pool);
	f_r->not_before = wall_of(X509_get0_notBefore(x));
	f_r->not_after = wall_of(X509_get0_notAfter(x));
	f_r->ca = X509_check_ca(x) == 1;
	/* Without the extension, all bits are set. */
	f_r->server = (X509_get_extended_key_usage(x) & XKU_SSL_SERVER) != 0;
	f_r->client = (X509_get_extended_key_usage(x) & XKU_SSL_CLIENT) != 0;
	f_r->self_signed = X509_NAME_cmp(X509_get_subject_name(x),
			       X509_get_issuer_name(x)) == 0;
	ERR_clear_error();
}

enum certfact_match
certfact_covers(const struct certfact *f, const char *host)
{
	size_t i;

	for (i = 0; f->name[i] != NULL; i++) {
		if (name_is(f->name[i], host))
			return CERTFACT_BY_NAME;
	}
	if (i == 0 && name_is(f->cn, host))
		return CERTFACT_BY_CN;
	return CERTFACT_NO;
}

/* "CN=mx.example,O=Example", the most particular first. */
static const char *
name_text(const X509_NAME *name, struct pool *pool)
{
	const unsigned long flags = (ASN1_STRFLGS_RFC2253 &
	    ~(unsigned long)ASN1_STRFLGS_ESC_MSB) | XN_FLAG_SEP_COMMA_PLUS |
	    XN_FLAG_DN_REV | XN_FLAG_FN_SN;
	BIO *bio = BIO_new(BIO_s_mem());
	const char *text = "";
	const uint8_t *p;
	size_t n;

	if (bio != NULL && X509_NAME_print_ex(bio, name, 0, flags) >= 0 &&
	    BIO_mem_contents(bio, &p, &n) == 1)
		text = clean(str_n((const char *)p, n), pool);
	BIO_free(bio);
	return text;
}

static const char *
common_name(const X509 *x, struct pool *pool)
{
	const X509_NAME *name = X509_get_subject_name(x);
	const char *text = "";
	unsigned char *utf8 = NULL;
	int at, n, last = -1;

	while ((at = X509_NAME_get_index_by_NID(name, NID_commonName,
		    last)) >= 0)
		last = at;
	if (last < 0)
		return text;
	n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(
	    X509_NAME_get_entry(name, last)));
	if (n >= 0)
		text = clean(str_n((const char *)utf8, (size_t)n), pool);
	OPENSSL_free(utf8);
	return text;
}

static const char *const *
alternative_names(const X509 *x, struct pool *pool)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL,
	    NULL);
	size_t i, k = 0, n = all == NULL ? 0 : sk_GENERAL_NAME_num(all);
	const GENERAL_NAME *one;
	const ASN1_STRING *s;
	const char **v;
	char ip[64];

	n = n > NAMES_MAX ? NAMES_MAX : n;
	v = pool_alloc(pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++) {
		one = sk_GENERAL_NAME_value(all, i);
		if (one->type == GEN_DNS) {
			s = one->d.dNSName;
			v[k++] = clean(str_n((const char *)
			    ASN1_STRING_get0_data(s),
			    (size_t)ASN1_STRING_length(s)), pool);
		} else if (one->type == GEN_IPADD) {
			s = one->d.iPAddress;
			if (inet_ntop(ASN1_STRING_length(s) == 4 ? AF_INET :
				AF_INET6, ASN1_STRING_get0_data(s), ip,
				sizeof(ip)) != NULL &&
			    (ASN1_STRING_length(s) == 4 ||
				ASN1_STRING_length(s) == 16))
				v[k++] = pool_strdup(pool, ip);
		}
	}
	GENERAL_NAMES_free(all);
	return v;
}

static const char *
serial_text(const X509 *x, struct pool *pool)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
	char *text = n == NULL ? NULL : BN_bn2hex(n);
	const char *copy = pool_strdup(pool, text == NULL ? "" : text);

	OPENSSL_free(text);
	BN_free(n);
	return copy;
}

static const char *
key_text(X509 *x, struct pool *pool)
{
	EVP_PKEY *key = X509_get_pubkey(x);
	const char *text = "unknown", *curve;
	const EC_KEY *ec;

	if (key == NULL)
		return text;
	switch (EVP_PKEY_id(key)) {
	case EVP_PKEY_RSA:
		text = pool_printf(pool, "RSA-%d", EVP_PKEY_bits(key));
		break;
	case EVP_PKEY_EC:
		ec = EVP_PKEY_get0_EC_KEY(key);
		curve = EC_curve_nid2nist(EC_GROUP_get_curve_name(
		    EC_KEY_get0_group(ec)));
		text = pool_printf(pool, "ECDSA %s",
		    curve == NULL ? "unknown" : curve);
		break;
	case EVP_PKEY_ED25519:
		text = "Ed25519";
		break;
	default: /* the library has others, none of which can serve */
		break;
	}
	EVP_PKEY_free(key);
	return text;
}

static const char *
digest_text(const X509 *x, const EVP_MD *md, struct pool *pool)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (X509_digest(x, md, digest, &n) != 1)
		fatal("out of memory");
	return hex(digest, n, pool);
}

static const char *
spki_text(const X509 *x, struct pool *pool)
{
	uint8_t digest[SHA256_DIGEST_LENGTH], *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

	if (n < 0)
		return "";
	(void)SHA256(der, (size_t)n, digest);
	OPENSSL_free(der);
	return hex(digest, sizeof(digest), pool);
}

static msec
wall_of(const ASN1_TIME *t)
{
	static const time_t epoch = 0;
	ASN1_TIME *zero = ASN1_TIME_set(NULL, epoch);
	int days = 0, seconds = 0;
	msec wall = 0;

	if (zero != NULL && ASN1_TIME_diff(&days, &seconds, zero, t) == 1)
		wall = SECONDS((msec)days * 24 * 60 * 60 + seconds);
	ASN1_TIME_free(zero);
	return wall;
}

/* Fit for a line, a terminal and JSON. */
static const char *
clean(struct str text, struct pool *pool)
{
	const char *copy;
	struct buf b;

	buf_init(&b, 8 * TEXT_MAX);
	(void)log_clean(&b, text, TEXT_MAX, true);
	copy = pool_strndup(pool, buf_p(&b), buf_len(&b));
	buf_fini(&b);
	return copy;
}

static const char *
hex(const uint8_t *p, size_t n, struct pool *pool)
{
	char *text = pool_alloc(pool, 2 * n + 1);
	size_t i;

	for (i = 0; i < n; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", p[i]);
	return text;
}

/* A wildcard stands for one label, the first. */
static bool
name_is(const char *name, const char *host)
{
	const char *dot;

	if (strncmp(name, "*.", 2) != 0)
		return str_ieq_c(str_c(name), host);
	dot = strchr(host, '.');
	return dot != NULL && dot != host && strchr(name + 2, '.') != NULL &&
	    str_ieq_c(str_c(name + 1), dot);
}

#include "tls/certlab.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/obj.h"
#include "tls/certmake.h"
#include "tls/tlslib.h"

#define CERTLAB_MAGIC 0x10091b21u
#define DAY	      (24L * 60 * 60)

enum {
	CHAIN_MAX = 4,
	REVOKED_MAX = 256,
	CN_MAX = 64, /* octets (RFC 5280, ub-common-name) */
	KEY_PEM_MAX = 16384,
	NAMES_MAX = 16384 /* octets of a subjectAltName as text */
};

enum who {
	ROOT,
	MIDDLE,
	OLD,	    /* an intermediate that has expired */
	OTHER_ROOT, /* nobody is told of it */
	OTHER,	    /* its intermediate */
	SIGNERS
};

/* A certificate, and the key that signs below it. */
struct signer {
	X509 *cert;
	EVP_PKEY *key;
};

struct certlab {
	unsigned magic;
	struct signer signer[SIGNERS];
	ASN1_INTEGER *revoked[REVOKED_MAX];
	unsigned nrevoked;
};

/* What a certificate is to be. */
struct plan {
	const char *cn;	  /* NULL: none, a subject without a name of a host */
	long from, until; /* seconds from now */
	bool ca;
	const char *usage; /* extendedKeyUsage, or NULL */
	const char *names; /* subjectAltName, or NULL */
};

static int lab_fill(struct certlab *lab);
static int
make_ca(struct signer *s, const char *cn, const struct signer *by, long until);
static int issue_leaf(struct certlab *lab, enum certlab_kind kind,
    struct signer *leaf, const char *const *names);
static const struct signer *
issuer_of(const struct certlab *lab, enum certlab_kind kind);
static void plan_leaf(struct plan *p, enum certlab_kind kind);
static int revoke(struct certlab *lab, const X509 *cert);
static EVP_PKEY *make_key(enum certlab_key kind);
static X509 *
make_cert(const struct plan *p, EVP_PKEY *key, const struct signer *by);
static int fill_cert(X509 *x, const struct plan *p, EVP_PKEY *key);
static int add_subject(X509 *x, const char *cn);
static int add_extensions(X509 *x, const struct plan *p, X509 *issuer);
static int add_extension(X509 *x, X509V3_CTX *v3, int nid, const char *value);
static int
names_text(struct buf *dst, enum certlab_kind kind, const char *const *names);
static int add_name(struct buf *dst, const char *name, bool wild);
static bool is_address(const char *name);
static int write_chain(const struct certlab *lab, enum certlab_kind kind,
    const struct signer *leaf, struct buf *pem);
static unsigned chain_of(const struct certlab *lab, enum certlab_kind kind,
    X509 *leaf, X509 **chain);
static int write_crl(
    const struct certlab *lab, const struct signer *by, bool leaves, BIO *bio);
static X509_CRL *
make_crl(const struct certlab *lab, const struct signer *by, bool leaves);
static int add_revoked(X509_CRL *crl, const ASN1_INTEGER *serial);
static int
set_time(X509_CRL *crl, long at, int (*set)(X509_CRL *, const ASN1_TIME *));
static int take_bio(BIO *bio, int ok, struct buf *pem);
static int failed(struct err *why, const char *what);

static const struct {
	const char *word, *text;
} kinds[CERTLAB_KINDS] = {
#define CERT_KIND(id, word, text) { word, text },
#include "tbl/certkinds.h"
#undef CERT_KIND
};

static const struct {
	const char *word;
	enum certmake_type type;
	unsigned bits;
} keys[CERTLAB_KEYS] = {
	[CERTLAB_P256] = { "p256", CERTMAKE_EC, 256 },
	[CERTLAB_P384] = { "p384", CERTMAKE_EC, 384 },
	[CERTLAB_RSA2048] = { "rsa", CERTMAKE_RSA, 2048 },
	[CERTLAB_RSA4096] = { "rsa4096", CERTMAKE_RSA, 4096 },
};

int
certlab_kind_parse(struct str word, enum certlab_kind *kind_r)
{
	unsigned i;

	for (i = 0; i < CERTLAB_KINDS; i++) {
		if (str_ieq_c(word, kinds[i].word)) {
			*kind_r = (enum certlab_kind)i;
			return 0;
		}
	}
	return -1;
}

int
certlab_key_parse(struct str word, enum certlab_key *key_r)
{
	unsigned i;

	for (i = 0; i < CERTLAB_KEYS; i++) {
		if (str_ieq_c(word, keys[i].word)) {
			*key_r = (enum certlab_key)i;
			return 0;
		}
	}
	return -1;
}

const char *
certlab_kind_word(enum certlab_kind kind)
{
	return kinds[kind].word;
}

const char *
certlab_kind_text(enum certlab_kind kind)
{
	return kinds[kind].text;
}

int
certlab_new(struct certlab **lab_r, struct err *why)
{
	struct certlab *lab;

	OBJ_NEW(lab, CERTLAB_MAGIC);
	if (lab_fill(lab) < 0) {
		certlab_destroy(&lab);
		return failed(why, "making a throw-away root");
	}
	*lab_r = lab;
	return 0;
}

void
certlab_destroy(struct certlab **labp)
{
	struct certlab *lab = *labp;
	unsigned i;

	if (lab == NULL)
		return;
	OBJ_CHECK(lab, CERTLAB_MAGIC);
	*labp = NULL;
	for (i = 0; i < SIGNERS; i++) {
		X509_free(lab->signer[i].cert);
		EVP_PKEY_free(lab->signer[i].key);
	}
	while (lab->nrevoked > 0)
		ASN1_INTEGER_free(lab->revoked[--lab->nrevoked]);
	OBJ_FREE(lab);
}

int
certlab_issue(struct certlab *lab, enum certlab_kind kind, enum certlab_key key,
    const char *const *names, struct buf *pem, struct err *why)
{
	struct signer leaf = { NULL, make_key(key) };
	int result = -1;

	OBJ_CHECK(lab, CERTLAB_MAGIC);
	ASSERT(names[0] != NULL);
	if (leaf.key != NULL && issue_leaf(lab, kind, &leaf, names) == 0)
		result = write_chain(lab, kind, &leaf, pem);
	X509_free(leaf.cert);
	EVP_PKEY_free(leaf.key);
	return result == 0 ? 0 : failed(why, "making a certificate");
}

int
certlab_root(const struct certlab *lab, struct buf *pem, struct err *why)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int ok;

	OBJ_CHECK(lab, CERTLAB_MAGIC);
	ok =
	    bio != NULL && PEM_write_bio_X509(bio, lab->signer[ROOT].cert) == 1;
	return take_bio(bio, ok, pem) == 0 ? 0 : failed(why, "writing a root");
}

int
certlab_crls(const struct certlab *lab, struct buf *pem, struct err *why)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int ok;

	OBJ_CHECK(lab, CERTLAB_MAGIC);
	ok = bio != NULL &&
	     write_crl(lab, &lab->signer[MIDDLE], true, bio) == 0 &&
	     write_crl(lab, &lab->signer[ROOT], false, bio) == 0;
	return take_bio(bio, ok, pem) == 0
		   ? 0
		   : failed(why, "writing a revocation list");
}

static int
lab_fill(struct certlab *lab)
{
	struct signer *s = lab->signer;

	if (make_ca(&s[ROOT], "Throw-away Root", NULL, 365 * DAY) < 0 ||
	    make_ca(&s[OTHER_ROOT], "Unknown Root", NULL, 365 * DAY) < 0)
		return -1;
	if (make_ca(&s[MIDDLE], "Throw-away Intermediate", &s[ROOT],
		300 * DAY) < 0 ||
	    make_ca(&s[OTHER], "Unknown Intermediate", &s[OTHER_ROOT],
		300 * DAY) < 0)
		return -1;
	return make_ca(&s[OLD], "Expired Intermediate", &s[ROOT], -DAY);
}

static int
make_ca(struct signer *s, const char *cn, const struct signer *by, long until)
{
	struct plan p = { .cn = cn, .from = -30 * DAY, .ca = true };

	p.until = until;
	s->key = make_key(CERTLAB_P256);
	if (s->key == NULL)
		return -1;
	s->cert = make_cert(&p, s->key, by);
	return s->cert == NULL ? -1 : 0;
}

static int
issue_leaf(struct certlab *lab, enum certlab_kind kind, struct signer *leaf,
    const char *const *names)
{
	static const char *const wrong[] = { "wrong.invalid", NULL };
	struct plan p = { .cn = names[0] };
	struct buf text;

	if (kind == CERTLAB_WRONGNAME)
		names = wrong;
	p.cn = names[0];
	plan_leaf(&p, kind);
	buf_init(&text, NAMES_MAX);
	if (names_text(&text, kind, names) == 0) {
		if (kind != CERTLAB_CN_ONLY)
			p.names = buf_p(&text);
		leaf->cert = make_cert(&p, leaf->key, issuer_of(lab, kind));
	}
	buf_fini(&text);
	if (leaf->cert == NULL)
		return -1;
	return kind == CERTLAB_REVOKED ? revoke(lab, leaf->cert) : 0;
}

/* NULL: the certificate signs itself. */
static const struct signer *
issuer_of(const struct certlab *lab, enum certlab_kind kind)
{
	if (kind == CERTLAB_SELF)
		return NULL;
	if (kind == CERTLAB_UNTRUSTED)
		return &lab->signer[OTHER];
	return &lab->signer[kind == CERTLAB_OLDCHAIN ? OLD : MIDDLE];
}

static void
plan_leaf(struct plan *p, enum certlab_kind kind)
{
	p->from = kind == CERTLAB_NOTYET ? DAY : -7 * DAY;
	p->until = kind == CERTLAB_EXPIRED ? -DAY : 90 * DAY;
	p->usage = kind == CERTLAB_CLIENT_ONLY ? "clientAuth" : "serverAuth";
	if (kind == CERTLAB_SAN_ONLY)
		p->cn = NULL;
}

static int
revoke(struct certlab *lab, const X509 *cert)
{
	ASN1_INTEGER *serial;

	if (lab->nrevoked == REVOKED_MAX)
		return -1;
	serial = ASN1_INTEGER_dup(X509_get0_serialNumber(cert));
	if (serial == NULL)
		return -1;
	lab->revoked[lab->nrevoked++] = serial;
	return 0;
}

static EVP_PKEY *
make_key(enum certlab_key kind)
{
	struct certmake m = { .cn = "throw-away",
		.type = keys[kind].type,
		.bits = keys[kind].bits,
		.days = 1 };
	struct err why = ERR_INIT;
	EVP_PKEY *key = NULL;
	struct buf pem;
	BIO *bio;

	buf_init(&pem, KEY_PEM_MAX);
	if (certmake_key(&m, &pem, &why) == 0) {
		bio = BIO_new_mem_buf(buf_p(&pem), (int)buf_len(&pem));
		if (bio != NULL)
			key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
		BIO_free(bio);
	}
	buf_fini(&pem);
	return key;
}

static X509 *
make_cert(const struct plan *p, EVP_PKEY *key, const struct signer *by)
{
	X509 *x = X509_new();
	X509 *issuer = by == NULL ? x : by->cert;

	if (x != NULL && fill_cert(x, p, key) == 0 &&
	    X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1 &&
	    add_extensions(x, p, issuer) == 0 &&
	    X509_sign(x, by == NULL ? key : by->key, EVP_sha256()) > 0)
		return x;
	X509_free(x);
	return NULL;
}

static int
fill_cert(X509 *x, const struct plan *p, EVP_PKEY *key)
{
	BIGNUM *serial = BN_new();
	int ok;

	ok = serial != NULL &&
	     BN_rand(serial, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
	     BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) != NULL &&
	     X509_set_version(x, X509_VERSION_3) == 1 &&
	     X509_gmtime_adj(X509_getm_notBefore(x), p->from) != NULL &&
	     X509_gmtime_adj(X509_getm_notAfter(x), p->until) != NULL &&
	     X509_set_pubkey(x, key) == 1;
	BN_free(serial);
	return ok ? add_subject(x, p->cn) : -1;
}

/* A name too long for a CN is in the subjectAltName only. */
static int
add_subject(X509 *x, const char *cn)
{
	X509_NAME *name = X509_get_subject_name(x);

	if (X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
		(const uint8_t *)"Postern throw-away authority", -1, -1,
		0) != 1)
		return -1;
	if (cn == NULL || strlen(cn) > CN_MAX)
		return 0;
	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		   (const uint8_t *)cn, -1, -1, 0) == 1
		   ? 0
		   : -1;
}

static int
add_extensions(X509 *x, const struct plan *p, X509 *issuer)
{
	X509V3_CTX v3;

	X509V3_set_ctx(&v3, issuer, x, NULL, NULL, 0);
	if (add_extension(x, &v3, NID_basic_constraints,
		p->ca ? "critical,CA:TRUE" : "critical,CA:FALSE") < 0 ||
	    add_extension(x, &v3, NID_key_usage,
		p->ca ? "critical,keyCertSign,cRLSign"
		      : "critical,digitalSignature,keyEncipherment") < 0 ||
	    add_extension(x, &v3, NID_subject_key_identifier, "hash") < 0)
		return -1;
	if (issuer != x && add_extension(x, &v3, NID_authority_key_identifier,
			       "keyid:always") < 0)
		return -1;
	if (p->usage != NULL &&
	    add_extension(x, &v3, NID_ext_key_usage, p->usage) < 0)
		return -1;
	if (p->names != NULL &&
	    add_extension(x, &v3, NID_subject_alt_name, p->names) < 0)
		return -1;
	return 0;
}

static int
add_extension(X509 *x, X509V3_CTX *v3, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_nconf_nid(NULL, v3, nid, value);
	int ok = e != NULL && X509_add_ext(x, e, -1) == 1;

	X509_EXTENSION_free(e);
	return ok ? 0 : -1;
}

/* "DNS:a.test,IP:192.0.2.1"; the caller has seen that they are names. */
static int
names_text(struct buf *dst, enum certlab_kind kind, const char *const *names)
{
	unsigned i;

	for (i = 0; names[i] != NULL; i++) {
		if (i > 0 && buf_add_char(dst, ',') < 0)
			return -1;
		if (add_name(dst, names[i], kind == CERTLAB_WILD) < 0)
			return -1;
	}
	return 0;
}

static int
add_name(struct buf *dst, const char *name, bool wild)
{
	const char *dot = strchr(name, '.');

	if (is_address(name))
		return buf_printf(dst, "IP:%s", name);
	if (wild && dot != NULL && strchr(dot + 1, '.') != NULL)
		return buf_printf(dst, "DNS:*%s", dot);
	/* A wildcard for all of a top-level domain is good for nobody. */
	return buf_printf(dst, "DNS:%s%s", wild ? "*." : "", name);
}

static bool
is_address(const char *name)
{
	unsigned char ip[16];

	return inet_pton(AF_INET, name, ip) == 1 ||
	       inet_pton(AF_INET6, name, ip) == 1;
}

static int
write_chain(const struct certlab *lab, enum certlab_kind kind,
    const struct signer *leaf, struct buf *pem)
{
	BIO *bio = BIO_new(BIO_s_mem());
	X509 *chain[CHAIN_MAX];
	unsigned n, i;
	int ok;

	n = chain_of(lab, kind, leaf->cert, chain);
	ok = bio != NULL && PEM_write_bio_PKCS8PrivateKey(
				bio, leaf->key, NULL, NULL, 0, NULL, NULL) == 1;
	for (i = 0; ok && i < n; i++)
		ok = PEM_write_bio_X509(bio, chain[i]) == 1;
	return take_bio(bio, ok, pem);
}

static unsigned
chain_of(
    const struct certlab *lab, enum certlab_kind kind, X509 *leaf, X509 **chain)
{
	unsigned n = 0;

	chain[n++] = leaf;
	if (kind == CERTLAB_SELF || kind == CERTLAB_NOCHAIN)
		return n;
	if (kind == CERTLAB_MISORDERED)
		chain[n++] = lab->signer[ROOT].cert;
	chain[n++] = issuer_of(lab, kind)->cert;
	if (kind == CERTLAB_DUPCHAIN) {
		chain[n++] = leaf;
		chain[n++] = lab->signer[MIDDLE].cert;
	}
	return n;
}

static int
write_crl(
    const struct certlab *lab, const struct signer *by, bool leaves, BIO *bio)
{
	X509_CRL *crl = make_crl(lab, by, leaves);
	int ok = crl != NULL && PEM_write_bio_X509_CRL(bio, crl) == 1;

	X509_CRL_free(crl);
	return ok ? 0 : -1;
}

static X509_CRL *
make_crl(const struct certlab *lab, const struct signer *by, bool leaves)
{
	X509_CRL *crl = X509_CRL_new();
	unsigned i;
	int ok;

	ok = crl != NULL && X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
	     X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->cert)) ==
		 1 &&
	     set_time(crl, -DAY, X509_CRL_set1_lastUpdate) == 0 &&
	     set_time(crl, 30 * DAY, X509_CRL_set1_nextUpdate) == 0;
	for (i = 0; ok && leaves && i < lab->nrevoked; i++)
		ok = add_revoked(crl, lab->revoked[i]) == 0;
	if (ok && X509_CRL_sort(crl) == 1 &&
	    X509_CRL_sign(crl, by->key, EVP_sha256()) > 0)
		return crl;
	X509_CRL_free(crl);
	return NULL;
}

static int
add_revoked(X509_CRL *crl, const ASN1_INTEGER *serial)
{
	ASN1_TIME *at = X509_gmtime_adj(NULL, -DAY);
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_INTEGER *copy = ASN1_INTEGER_dup(serial);
	int ok;

	ok = at != NULL && r != NULL && copy != NULL &&
	     X509_REVOKED_set_serialNumber(r, copy) == 1 &&
	     X509_REVOKED_set_revocationDate(r, at) == 1;
	if (ok && X509_CRL_add0_revoked(crl, r) == 1)
		r = NULL;
	else
		ok = 0;
	X509_REVOKED_free(r);
	ASN1_INTEGER_free(copy);
	ASN1_TIME_free(at);
	return ok ? 0 : -1;
}

static int
set_time(X509_CRL *crl, long at, int (*set)(X509_CRL *, const ASN1_TIME *))
{
	ASN1_TIME *t = X509_gmtime_adj(NULL, at);
	int ok = t != NULL && set(crl, t) == 1;

	ASN1_TIME_free(t);
	return ok ? 0 : -1;
}

/* Adds what was written to pem; the bio is gone then. */
static int
take_bio(BIO *bio, int ok, struct buf *pem)
{
	const uint8_t *p;
	int result = -1;
	size_t n;

	if (ok && BIO_mem_contents(bio, &p, &n) == 1)
		result = buf_add(pem, p, n);
	BIO_free(bio);
	return result;
}

static int
failed(struct err *why, const char *what)
{
	char reason[128];

	(void)tlslib_reason(reason, sizeof(reason), "it does not work");
	return err_text(why, "%s: %s", what, reason);
}

#include "tls/tlstrust.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/pool.h"

enum { NOTES_MAX = 100, NAME_MAX_LEN = 256 };

#define TLSTRUST_MAGIC 0x10091b0bu

struct tlstrust {
	unsigned magic;
	unsigned refs;
	unsigned count;
	X509_STORE *store;
	STACK_OF(X509_CRL) *crls; /* those of the store */
	struct pool *pool;	  /* of the notes */
	const char *note[NOTES_MAX];
	unsigned nnote;
};

/* A PEM file while it is read. */
struct reading {
	struct tlstrust *t;
	const char *what;
	const char *kind; /* "certificate" or "revocation list" */
	unsigned n;	  /* of it, from 1 */
};

typedef int take_fn(struct reading *r, const unsigned char *der, long n,
    struct err *why);

static int read_pem(struct reading *r, struct str pem, const char *label,
    take_fn *take, struct err *why);
static bool is_label(const char *name, const char *label);
static int take_root(
    struct reading *r, const unsigned char *der, long n, struct err *why);
static int take_crl(
    struct reading *r, const unsigned char *der, long n, struct err *why);
static void note(const struct reading *r, const X509_NAME *name,
    const ASN1_TIME *time, const char *text);
static size_t in_store(const struct tlstrust *t);
static int cmp_now(const ASN1_TIME *t);

struct tlstrust *
tlstrust_new(void)
{
	struct tlstrust *t;

	OBJ_NEW(t, TLSTRUST_MAGIC);
	t->refs = 1;
	t->pool = pool_new(0);
	t->store = X509_STORE_new();
	t->crls = sk_X509_CRL_new_null();
	if (t->store == NULL || t->crls == NULL)
		fatal("out of memory");
	return t;
}

int
tlstrust_roots(struct tlstrust *t, struct str pem, const char *what,
    struct err *why)
{
	struct reading r = { t, what, "certificate", 0 };

	OBJ_CHECK(t, TLSTRUST_MAGIC);
	return read_pem(&r, pem, "CERTIFICATE", take_root, why);
}

int
tlstrust_crls(struct tlstrust *t, struct str pem, const char *what,
    struct err *why)
{
	struct reading r = { t, what, "revocation list", 0 };

	OBJ_CHECK(t, TLSTRUST_MAGIC);
	return read_pem(&r, pem, "X509 CRL", take_crl, why);
}

struct tlstrust *
tlstrust_ref(struct tlstrust *t)
{
	OBJ_CHECK(t, TLSTRUST_MAGIC);
	t->refs++;
	return t;
}

void
tlstrust_unref(struct tlstrust **tp)
{
	struct tlstrust *t = *tp;

	if (t == NULL)
		return;
	OBJ_CHECK(t, TLSTRUST_MAGIC);
	*tp = NULL;
	if (--t->refs > 0)
		return;
	X509_STORE_free(t->store);
	sk_X509_CRL_pop_free(t->crls, X509_CRL_free);
	pool_destroy(&t->pool);
	OBJ_FREE(t);
}

unsigned
tlstrust_count(const struct tlstrust *t)
{
	OBJ_CHECK(t, TLSTRUST_MAGIC);
	return t->count;
}

const char *
tlstrust_note(const struct tlstrust *t, unsigned i)
{
	OBJ_CHECK(t, TLSTRUST_MAGIC);
	return i < t->nnote ? t->note[i] : NULL;
}

X509_STORE *
tlstrust_store(const struct tlstrust *t)
{
	OBJ_CHECK(t, TLSTRUST_MAGIC);
	return t->store;
}

bool
tlstrust_has_crl(const struct tlstrust *t, const X509 *x)
{
	size_t i;

	OBJ_CHECK(t, TLSTRUST_MAGIC);
	for (i = 0; i < sk_X509_CRL_num(t->crls); i++) {
		if (X509_NAME_cmp(X509_get_issuer_name(x),
			X509_CRL_get_issuer(sk_X509_CRL_value(t->crls, i))) ==
		    0)
			return true;
	}
	return false;
}

/* Other things may be in the file: a key, or certificates beside lists. */
static int
read_pem(struct reading *r, struct str pem, const char *label, take_fn *take,
    struct err *why)
{
	char *name = NULL, *header = NULL;
	unsigned char *der = NULL;
	int result = 0;
	long n = 0;
	BIO *bio;

	ERR_clear_error();
	bio = BIO_new_mem_buf(pem.n > 0 ? pem.p : "", (int)pem.n);
	if (bio == NULL)
		fatal("out of memory");
	while (result == 0 && PEM_read_bio(bio, &name, &header, &der, &n)) {
		if (is_label(name, label)) {
			r->n++;
			result = take(r, der, n, why);
		}
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
		name = header = NULL;
		der = NULL;
	}
	BIO_free(bio);
	if (result == 0 && ERR_GET_REASON(ERR_peek_last_error()) !=
			       PEM_R_NO_START_LINE)
		result = err_text(why, "%s: unreadable behind %s %u", r->what,
		    r->kind, r->n);
	else if (result == 0 && r->n == 0)
		result = err_text(
		    why, "%s: no %s in it (PEM)", r->what, r->kind);
	ERR_clear_error();
	return result;
}

static bool
is_label(const char *name, const char *label)
{
	if (strcmp(name, label) == 0)
		return true;
	return strcmp(label, "CERTIFICATE") == 0 &&
	       (strcmp(name, "X509 CERTIFICATE") == 0 ||
		   strcmp(name, "TRUSTED CERTIFICATE") == 0);
}

/*
 * A bundle has what its makers put into it. What is of no use is left out and
 * told of: less is trusted then, never more.
 */
static int
take_root(
    struct reading *r, const unsigned char *der, long n, struct err *why)
{
	X509 *x = d2i_X509(NULL, &der, n);
	size_t before = in_store(r->t);

	(void)why;
	if (x == NULL) {
		note(r, NULL, NULL, "is not readable, left out");
	} else if (cmp_now(X509_get0_notAfter(x)) <= 0) {
		note(r, X509_get_subject_name(x), X509_get0_notAfter(x),
		    "has expired, left out");
	} else if (X509_STORE_add_cert(r->t->store, x) != 1) {
		note(r, X509_get_subject_name(x), NULL,
		    "is not usable, left out");
	} else if (in_store(r->t) == before) {
		note(r, X509_get_subject_name(x), NULL, "is there twice");
	} else {
		r->t->count++;
		if (X509_check_ca(x) == 0)
			note(r, X509_get_subject_name(x), NULL,
			    "is no CA, trusted for itself alone");
		if (cmp_now(X509_get0_notBefore(x)) > 0)
			note(r, X509_get_subject_name(x),
			    X509_get0_notBefore(x), "is not valid before then");
	}
	X509_free(x);
	ERR_clear_error();
	return 0;
}

/* Here what is left out would mean that more is trusted: an error. */
static int
take_crl(struct reading *r, const unsigned char *der, long n, struct err *why)
{
	X509_CRL *crl = d2i_X509_CRL(NULL, &der, n);

	if (crl == NULL || X509_CRL_get0_nextUpdate(crl) == NULL ||
	    X509_STORE_add_crl(r->t->store, crl) != 1) {
		X509_CRL_free(crl);
		return err_text(why,
		    "%s: revocation list %u is not readable, or never ends",
		    r->what, r->n);
	}
	if (!sk_X509_CRL_push(r->t->crls, crl))
		fatal("out of memory");
	if (cmp_now(X509_CRL_get0_nextUpdate(crl)) <= 0)
		note(r, X509_CRL_get_issuer(crl), X509_CRL_get0_nextUpdate(crl),
		    "is out of date, certificates of its issuer fail");
	return 0;
}

/* "ca.pem: certificate 3 (CN=Old Root, Sep 30 14:01:15 2021 GMT) …" */
static void
note(const struct reading *r, const X509_NAME *name, const ASN1_TIME *time,
    const char *text)
{
	struct tlstrust *t = r->t;
	BIO *bio = BIO_new(BIO_s_mem());
	const uint8_t *p = NULL;
	size_t n = 0;

	if (bio == NULL)
		fatal("out of memory");
	if (t->nnote < NOTES_MAX) {
		if (name != NULL)
			(void)X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
		if (time != NULL && BIO_puts(bio, ", ") > 0)
			(void)ASN1_TIME_print(bio, time);
		if (BIO_mem_contents(bio, &p, &n) != 1 || n > NAME_MAX_LEN)
			n = n > NAME_MAX_LEN ? NAME_MAX_LEN : 0;
		t->note[t->nnote++] = pool_printf(t->pool,
		    "%s: %s %u%s%.*s%s %s", r->what, r->kind, r->n,
		    n > 0 ? " (" : "", (int)n, n > 0 ? (const char *)p : "",
		    n > 0 ? ")" : "", text);
	}
	BIO_free(bio);
}

static size_t
in_store(const struct tlstrust *t)
{
	return sk_X509_OBJECT_num(X509_STORE_get0_objects(t->store));
}

/* Below, at or above 0: that time is before now, is now, is to come. What
 * cannot be read is long past. */
static int
cmp_now(const ASN1_TIME *t)
{
	time_t now = (time_t)(clock_wall() / 1000);

	return X509_cmp_time(t, &now);
}

#include "tls/tlsverify.h"

#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "tls/tlslib.h"

/* Of a chain, without leaf and root; enough for any that is meant. */
enum { DEPTH_MAX = 10 };

/* What the library's callback is told. */
struct checking {
	const struct tlstrust *trust;
	bool unlisted; /* no revocation list of the leaf's issuer */
};

/* How one try at a chain ended. */
struct attempt {
	int error; /* X509_V_OK: it holds */
	int depth; /* of the certificate that is to blame */
	STACK_OF(X509) *chain;
	bool revocation_checked;
};

static bool pinned(const struct tlsverify_in *in, struct tlsverify *v);
static bool pin_is(const struct tlspin *p, const CRYPTO_BUFFER *leaf);
static bool cut_spki(const CRYPTO_BUFFER *cert, CBS *spki_r);
static X509 *parse(const STACK_OF(CRYPTO_BUFFER) *chain, STACK_OF(X509) *rest);
static void verify(const struct tlsverify_in *in, X509 *leaf,
    STACK_OF(X509) *rest, struct tlsverify *v);
static void try_chain(const struct tlsverify_in *in, X509 *leaf,
    STACK_OF(X509) *rest, struct attempt *a);
static enum tls_reason beyond_the_library(STACK_OF(X509) *chain);
static int on_error(int ok, X509_STORE_CTX *ctx);
static bool drop_blamed(const struct attempt *a, STACK_OF(X509) *rest);
static bool names_itself(const struct attempt *a);
static enum tls_reason
reason_of(const struct attempt *a, const struct tlstrust *trust);
static uint8_t alert_of(enum tls_reason r);
static const char *word_of(const struct tlsref *ref, bool by_cn);

void
tlsverify_chain(const struct tlsverify_in *in, struct tlsverify *v_r)
{
	struct tlsverify v = { .reason = TLSR_INVALID, .by = "" };
	STACK_OF(X509) *rest = sk_X509_new_null();
	X509 *leaf = NULL;

	if (rest == NULL)
		fatal("out of memory");
	ERR_clear_error();
	if (in->chain == NULL || sk_CRYPTO_BUFFER_num(in->chain) == 0)
		v.reason = TLSR_NO_CERT;
	else if (!pinned(in, &v))
		leaf = parse(in->chain, rest);
	if (leaf != NULL)
		verify(in, leaf, rest, &v);
	v.ok = v.reason == TLSR_NONE;
	v.alert = alert_of(v.reason);
	X509_free(leaf);
	sk_X509_pop_free(rest, X509_free);
	ERR_clear_error();
	*v_r = v;
}

/* True: a pin counts now, and the verdict is there. */
static bool
pinned(const struct tlsverify_in *in, struct tlsverify *v)
{
	const CRYPTO_BUFFER *leaf = sk_CRYPTO_BUFFER_value(in->chain, 0);
	msec now = clock_wall();
	bool any = false;
	unsigned i;

	for (i = 0; i < in->npin; i++) {
		if (!tlspin_counts(&in->pin[i], now))
			continue;
		any = true;
		if (pin_is(&in->pin[i], leaf)) {
			v->reason = TLSR_NONE;
			v->by = "pin";
			return true;
		}
	}
	if (any)
		v->reason = TLSR_PIN;
	return any;
}

static bool
pin_is(const struct tlspin *p, const CRYPTO_BUFFER *leaf)
{
	uint8_t sha[SHA256_DIGEST_LENGTH];
	CBS what;

	CRYPTO_BUFFER_init_CBS(leaf, &what);
	if (p->spki && !cut_spki(leaf, &what))
		return false;
	(void)SHA256(CBS_data(&what), CBS_len(&what), sha);
	return memcmp(sha, p->sha256, sizeof(sha)) == 0;
}

/* SubjectPublicKeyInfo with its tag (RFC 5280 4.1), whatever X.509 the library
 * thinks of the rest: a pin is for what is odd, too. */
static bool
cut_spki(const CRYPTO_BUFFER *cert, CBS *spki_r)
{
	CBS der, all, tbs;

	CRYPTO_BUFFER_init_CBS(cert, &der);
	return CBS_get_asn1(&der, &all, CBS_ASN1_SEQUENCE) &&
	       CBS_get_asn1(&all, &tbs, CBS_ASN1_SEQUENCE) &&
	       CBS_get_optional_asn1(&tbs, NULL, NULL,
		   CBS_ASN1_CONSTRUCTED | CBS_ASN1_CONTEXT_SPECIFIC | 0) &&
	       CBS_get_asn1(&tbs, NULL, CBS_ASN1_INTEGER) &&
	       CBS_get_asn1(&tbs, NULL, CBS_ASN1_SEQUENCE) && /* algorithm */
	       CBS_get_asn1(&tbs, NULL, CBS_ASN1_SEQUENCE) && /* issuer */
	       CBS_get_asn1(&tbs, NULL, CBS_ASN1_SEQUENCE) && /* dates */
	       CBS_get_asn1(&tbs, NULL, CBS_ASN1_SEQUENCE) && /* subject */
	       CBS_get_asn1_element(&tbs, spki_r, CBS_ASN1_SEQUENCE);
}

/* The leaf; NULL if it cannot be read. An intermediate that cannot be read
 * may be one that nobody needs. */
static X509 *
parse(const STACK_OF(CRYPTO_BUFFER) *chain, STACK_OF(X509) *rest)
{
	X509 *leaf = tlslib_x509(sk_CRYPTO_BUFFER_value(chain, 0)), *x;
	size_t n = sk_CRYPTO_BUFFER_num(chain), i;

	for (i = 1; leaf != NULL && i < n && i < TLSVERIFY_CHAIN_MAX; i++) {
		x = tlslib_x509(sk_CRYPTO_BUFFER_value(chain, i));
		if (x != NULL && !sk_X509_push(rest, x))
			fatal("out of memory");
	}
	return leaf;
}

/*
 * The library follows one path only. Where that ends badly at a certificate
 * the peer sent, another path may be there: an expired intermediate beside its
 * successor, say. So it is taken away and the rest is tried again; the first
 * failure is the one to tell.
 */
static void
verify(const struct tlsverify_in *in, X509 *leaf, STACK_OF(X509) *rest,
    struct tlsverify *v)
{
	const struct tlsref *ref;
	struct attempt a;
	bool again, first, by_cn;

	for (first = true, again = true; again; first = false) {
		try_chain(in, leaf, rest, &a);
		if (first || a.error == X509_V_OK)
			v->reason = reason_of(&a, in->trust);
		again = a.error != X509_V_OK && drop_blamed(&a, rest);
		if (again)
			sk_X509_pop_free(a.chain, X509_free);
	}
	if (v->reason == TLSR_NONE)
		v->reason = beyond_the_library(a.chain);
	v->revocation_checked =
	    v->reason == TLSR_NONE && a.revocation_checked;
	if (v->reason == TLSR_NONE && (in->server || in->refs != NULL)) {
		ref = tlsverify_name(a.chain, in->refs, &by_cn);
		v->reason = ref == NULL ? TLSR_NAME : TLSR_NONE;
		if (ref == NULL)
			tlsverify_mismatch(a.chain, in->refs,
			    v->names, sizeof(v->names));
		if (ref != NULL) {
			v->by = word_of(ref, by_cn);
			(void)str_copy(
			    v->matched, sizeof(v->matched), ref->name);
		}
	}
	sk_X509_pop_free(a.chain, X509_free);
}

static void
try_chain(const struct tlsverify_in *in, X509 *leaf, STACK_OF(X509) *rest,
    struct attempt *a)
{
	struct checking c = { .trust = in->trust };
	X509_STORE *empty = NULL, *store;
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	store = in->trust != NULL ? tlstrust_store(in->trust) : NULL;
	if (store == NULL)
		store = empty = X509_STORE_new();
	if (ctx == NULL || store == NULL ||
	    !X509_STORE_CTX_init(ctx, store, leaf, rest))
		fatal("out of memory");
	(void)X509_STORE_CTX_set_purpose(ctx,
	    in->server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT);
	X509_STORE_CTX_set_time(ctx, 0, (time_t)(clock_wall() / 1000));
	X509_STORE_CTX_set_depth(ctx, DEPTH_MAX);
	/* What the administrator lists is trusted, be it a root or not. */
	X509_STORE_CTX_set_flags(ctx,
	    X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_CRL_CHECK |
		X509_V_FLAG_CRL_CHECK_ALL);
	(void)X509_STORE_CTX_set_app_data(ctx, &c);
	X509_STORE_CTX_set_verify_cb(ctx, on_error);
	a->error = X509_V_OK;
	if (X509_verify_cert(ctx) != 1)
		a->error = X509_STORE_CTX_get_error(ctx);
	a->depth = X509_STORE_CTX_get_error_depth(ctx);
	a->chain = X509_STORE_CTX_get1_chain(ctx);
	if (a->chain == NULL)
		a->chain = sk_X509_new_null();
	if (a->chain == NULL)
		fatal("out of memory");
	a->revocation_checked = !c.unlisted;
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(empty);
}

/*
 * What the library lets pass: SHA-1, for which other certificates with the
 * same signature can be made, and one that is listed without being a CA as the
 * issuer of others. What is listed needs no signature.
 */
static enum tls_reason
beyond_the_library(STACK_OF(X509) *chain)
{
	size_t i;

	for (i = 0; i + 1 < sk_X509_num(chain); i++) {
		switch (X509_get_signature_nid(sk_X509_value(chain, i))) {
		case NID_sha1WithRSAEncryption:
		case NID_sha1WithRSA:
		case NID_dsaWithSHA1:
		case NID_dsaWithSHA1_2:
		case NID_ecdsa_with_SHA1:
			return TLSR_SIGNATURE;
		default: /* not an enum */
			break;
		}
		if (X509_check_ca(sk_X509_value(chain, i + 1)) == 0)
			return TLSR_INVALID;
	}
	return TLSR_NONE;
}

/* One thing only is let pass: that nobody gave us a list of that issuer. */
static int
on_error(int ok, X509_STORE_CTX *ctx)
{
	struct checking *c = X509_STORE_CTX_get_app_data(ctx);
	const X509 *x = X509_STORE_CTX_get_current_cert(ctx);

	if (ok || X509_STORE_CTX_get_error(ctx) != X509_V_ERR_UNABLE_TO_GET_CRL)
		return ok;
	if (c->trust != NULL && tlstrust_has_crl(c->trust, x))
		return 0;
	if (X509_STORE_CTX_get_error_depth(ctx) == 0)
		c->unlisted = true;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

/* False: the leaf or what we trust is to blame; it stays as it is. */
static bool
drop_blamed(const struct attempt *a, STACK_OF(X509) *rest)
{
	size_t blamed = a->depth < 0 ? 0 : (size_t)a->depth, i;
	const X509 *x;

	if (a->error == X509_V_ERR_CERT_REVOKED)
		return false;
	/* Whose signature is wrong may have the wrong issuer. */
	if (a->error == X509_V_ERR_CERT_SIGNATURE_FAILURE ||
	    a->error == X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY)
		blamed++;
	if (blamed == 0 || blamed >= sk_X509_num(a->chain))
		return false;
	x = sk_X509_value(a->chain, blamed);
	for (i = 0; i < sk_X509_num(rest); i++) {
		if (sk_X509_value(rest, i) == x) {
			X509_free(sk_X509_delete(rest, i));
			return true;
		}
	}
	return false;
}

static bool
names_itself(const struct attempt *a)
{
	size_t at = a->depth < 0 ? 0 : (size_t)a->depth;
	const X509 *x;

	if (at >= sk_X509_num(a->chain))
		return false;
	x = sk_X509_value(a->chain, at);
	return X509_NAME_cmp(X509_get_subject_name(x),
		   X509_get_issuer_name(x)) == 0;
}

static enum tls_reason
reason_of(const struct attempt *a, const struct tlstrust *trust)
{
	switch (a->error) { /* not an enum: dozens */
	case X509_V_OK:
		return TLSR_NONE;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		/* A root that expired since it was read. */
		if (a->depth > 0 &&
		    (size_t)a->depth + 1 == sk_X509_num(a->chain))
			return TLSR_UNTRUSTED;
		return TLSR_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLSR_NOT_YET;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return TLSR_SELF_SIGNED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
		/* The library calls no certificate self-signed whose key
		 * usage forbids to sign any. */
		if (names_itself(a))
			return a->depth <= 0 ? TLSR_SELF_SIGNED
					     : TLSR_UNTRUSTED;
		/* Where nothing is trusted, no certificate is missing. */
		if (trust != NULL && tlstrust_count(trust) > 0)
			return TLSR_INCOMPLETE;
		return TLSR_UNTRUSTED;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_UNTRUSTED:
	case X509_V_ERR_CERT_REJECTED:
		return TLSR_UNTRUSTED;
	case X509_V_ERR_INVALID_PURPOSE:
		return TLSR_PURPOSE;
	case X509_V_ERR_CERT_REVOKED:
		return TLSR_REVOKED;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
	case X509_V_ERR_CRL_SIGNATURE_FAILURE:
	case X509_V_ERR_DIFFERENT_CRL_SCOPE:
	case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
	case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
	case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
	case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
		return TLSR_CRL_STALE;
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return TLSR_SIGNATURE;
	default:
		return TLSR_INVALID;
	}
}

static uint8_t
alert_of(enum tls_reason r)
{
	if (r == TLSR_EXPIRED)
		return SSL_AD_CERTIFICATE_EXPIRED;
	if (r == TLSR_REVOKED)
		return SSL_AD_CERTIFICATE_REVOKED;
	if (r == TLSR_SELF_SIGNED || r == TLSR_UNTRUSTED ||
	    r == TLSR_INCOMPLETE)
		return SSL_AD_UNKNOWN_CA;
	if (r == TLSR_PURPOSE)
		return SSL_AD_UNSUPPORTED_CERTIFICATE;
	if (r == TLSR_SIGNATURE)
		return SSL_AD_DECRYPT_ERROR;
	if (r == TLSR_NAME || r == TLSR_PIN || r == TLSR_CRL_STALE)
		return SSL_AD_CERTIFICATE_UNKNOWN;
	return SSL_AD_BAD_CERTIFICATE;
}

static const char *
word_of(const struct tlsref *ref, bool by_cn)
{
	switch (ref->kind) {
	case TLSREF_DOMAIN:
		return by_cn ? "cn:domain" : "san:domain";
	case TLSREF_MX:
		return by_cn ? "cn:mx" : "san:mx";
	case TLSREF_ROUTE:
		return by_cn ? "cn:route" : "san:route";
	case TLSREF_NAME:
		return by_cn ? "cn:name" : "san:name";
	case TLSREF_PTR:
		return by_cn ? "cn:ptr" : "san:ptr";
	}
	panic("a reference of kind %d", (int)ref->kind);
}

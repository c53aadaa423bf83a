#include "tls/tlsverify.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "tls/tlslib.h"

enum { NAME_MAX_LEN = 256 };

static X509 *get_chain(const SSL *ssl, STACK_OF(X509) * rest);
static bool chain_holds(X509 *leaf, STACK_OF(X509) * rest, X509_STORE *store,
    bool server, struct tlsverify *v);
static void chain_reason(int error, struct tlsverify *v);
static bool name_matches(X509 *leaf, struct str name);

void
tlsverify_chain(const SSL *ssl, X509_STORE *store, bool server,
    const struct str *names, struct tlsverify *v_r)
{
	struct tlsverify v = { .why = "certificate-invalid",
		.alert = SSL_AD_BAD_CERTIFICATE };
	STACK_OF(X509) *rest = sk_X509_new_null();
	X509 *leaf;

	if (rest == NULL)
		fatal("out of memory");
	leaf = get_chain(ssl, rest);
	if (leaf != NULL && chain_holds(leaf, rest, store, server, &v)) {
		v.ok = !server;
		for (; server && !v.ok && names->p != NULL; names++) {
			v.ok = name_matches(leaf, *names);
			if (v.ok)
				v.matched = *names;
		}
		v.why = v.ok ? "" : "name-mismatch";
		v.alert = SSL_AD_CERTIFICATE_UNKNOWN;
	}
	X509_free(leaf);
	sk_X509_pop_free(rest, X509_free);
	ERR_clear_error();
	*v_r = v;
}

/* The leaf; NULL if any certificate of the chain cannot be read. */
static X509 *
get_chain(const SSL *ssl, STACK_OF(X509) * rest)
{
	const STACK_OF(CRYPTO_BUFFER) *chain = SSL_get0_peer_certificates(ssl);
	X509 *leaf = NULL, *x;
	size_t i, n;

	n = chain == NULL ? 0 : sk_CRYPTO_BUFFER_num(chain);
	for (i = 0; i < n; i++) {
		x = tlslib_x509(sk_CRYPTO_BUFFER_value(chain, i));
		if (x == NULL) {
			X509_free(leaf);
			return NULL;
		}
		if (i == 0)
			leaf = x;
		else if (!sk_X509_push(rest, x))
			fatal("out of memory");
	}
	return leaf;
}

static bool
chain_holds(X509 *leaf, STACK_OF(X509) * rest, X509_STORE *store, bool server,
    struct tlsverify *v)
{
	X509_STORE *empty = NULL;
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ok;

	if (store == NULL)
		store = empty = X509_STORE_new();
	if (ctx == NULL || store == NULL ||
	    !X509_STORE_CTX_init(ctx, store, leaf, rest))
		fatal("out of memory");
	(void)X509_STORE_CTX_set_purpose(
	    ctx, server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT);
	X509_STORE_CTX_set_time(ctx, 0, (time_t)(clock_wall() / 1000));
	/* What the administrator lists is trusted, be it a root or not. */
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_PARTIAL_CHAIN);
	ok = X509_verify_cert(ctx) == 1;
	if (!ok)
		chain_reason(X509_STORE_CTX_get_error(ctx), v);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(empty);
	return ok;
}

static void
chain_reason(int error, struct tlsverify *v)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		v->why = "certificate-expired";
		v->alert = SSL_AD_CERTIFICATE_EXPIRED;
		return;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		v->why = "certificate-not-yet-valid";
		v->alert = SSL_AD_BAD_CERTIFICATE;
		return;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		v->why = "self-signed";
		v->alert = SSL_AD_UNKNOWN_CA;
		return;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_UNTRUSTED:
		v->why = "untrusted";
		v->alert = SSL_AD_UNKNOWN_CA;
		return;
	case X509_V_ERR_INVALID_PURPOSE:
		v->why = "wrong-purpose";
		v->alert = SSL_AD_UNSUPPORTED_CERTIFICATE;
		return;
	case X509_V_ERR_CERT_REVOKED:
		v->why = "certificate-revoked";
		v->alert = SSL_AD_CERTIFICATE_REVOKED;
		return;
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		v->why = "bad-signature";
		v->alert = SSL_AD_DECRYPT_ERROR;
		return;
	default: /* not an enum: dozens, none of which an operator can mend */
		v->why = "certificate-invalid";
		v->alert = SSL_AD_BAD_CERTIFICATE;
	}
}

/* subjectAltName only (RFC 9525); a wildcard stands for one whole label. */
static bool
name_matches(X509 *leaf, struct str name)
{
	unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
			 X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
	char text[NAME_MAX_LEN];

	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0 || name.p[0] == '.' ||
	    !str_copy(text, sizeof(text), name) || strlen(text) != name.n)
		return false;
	if (X509_check_ip_asc(leaf, text, 0) == 1)
		return true;
	return X509_check_host(leaf, text, name.n, flags, NULL) == 1;
}

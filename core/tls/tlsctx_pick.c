/*
 * Which identity a client is shown: RFC 6066 3 and what its hello says of the
 * keys it can do something with.
 */
#include <openssl/bytestring.h>
#include <openssl/nid.h>

#include "base/obj.h"
#include "tls/tlsctx_priv.h"
#include "tls/tlsident_priv.h"
#include "tls/tlsio_priv.h"

enum { EXT_GROUPS = 10, EXT_ALGORITHMS = 13, EXT_VERSIONS = 43 };
enum { ALGORITHMS_MAX = 64 };

/* Of a hello. Lists are NULL if they are not there. */
struct offer {
	bool tls13;
	bool ecdsa, rsa; /* suites of TLS 1.2 that we share, by key */
	CBS groups, algorithms;
};

static void offer_read(
    struct offer *o, const struct tlsctx *ctx, const SSL_CLIENT_HELLO *hello);
static void offer_read_request(
    struct offer *o, const SSL *ssl, uint8_t octets[2 * ALGORITHMS_MAX]);
static void offer_read_suites(struct offer *o, const SSL_CLIENT_HELLO *hello);
static CBS hello_list(
    const SSL_CLIENT_HELLO *hello, uint16_t extension, size_t length_octets);
static bool list_has(CBS list, uint16_t n);
static bool list_has_any(CBS list, const uint16_t *of);
static bool is_shared(const SSL *ssl, const SSL_CIPHER *cipher);
static struct tlsident *pick(const struct tlsctx *ctx, const struct offer *o,
    struct str name, bool any_name);
static unsigned rank(const struct tlsident *id, const struct offer *o);
static bool ecdsa_ok(const struct tlsident *id, const struct offer *o);
static bool rsa_ok(const struct offer *o);

enum ssl_select_cert_result_t
tlsctx_pick(const SSL_CLIENT_HELLO *hello)
{
	struct tlsio *t = tlsio_of(hello->ssl);
	struct tlsident *id = NULL;
	struct offer o = { .tls13 = false };
	const char *name;

	offer_read(&o, t->ctx, hello);
	name = SSL_get_servername(hello->ssl, TLSEXT_NAMETYPE_host_name);
	if (name != NULL)
		id = pick(t->ctx, &o, str_c(name), false);
	if (id == NULL)
		id = pick(t->ctx, &o, STR_NULL, true);
	return tlsio_show(t, id) < 0 ? ssl_select_cert_error
				     : ssl_select_cert_success;
}

/* What the server cannot use is not shown: it would end the handshake. */
int
tlsctx_pick_own(SSL *ssl, void *arg)
{
	struct tlsio *t = tlsio_of(ssl);
	struct tlsident *id = t->shake->own;
	uint8_t octets[2 * ALGORITHMS_MAX];
	struct offer o;

	(void)arg;
	t->asked = true;
	offer_read_request(&o, ssl, octets);
	if (id == NULL && t->ctx->nident > 0)
		id = pick(t->ctx, &o, STR_NULL, true);
	if (id == NULL || rank(id, &o) == 0)
		return 1;
	return tlsio_show(t, id) < 0 ? 0 : 1;
}

/* Of a request for a client's certificate. octets: room for the lists. */
static void
offer_read_request(
    struct offer *o, const SSL *ssl, uint8_t octets[2 * ALGORITHMS_MAX])
{
	const uint16_t *algorithms;
	const uint8_t *types;
	size_t i, n;

	*o = (struct offer){ .tls13 = SSL_version(ssl) >= TLS1_3_VERSION };
	n = SSL_get0_peer_verify_algorithms(ssl, &algorithms);
	for (i = 0; i < n && i < ALGORITHMS_MAX; i++) {
		octets[2 * i] = (uint8_t)(algorithms[i] >> 8);
		octets[2 * i + 1] = (uint8_t)algorithms[i];
	}
	CBS_init(&o->algorithms, octets, 2 * i);
	n = SSL_get0_certificate_types(ssl, &types);
	for (i = 0; i < n; i++) {
		o->rsa = o->rsa || types[i] == SSL3_CT_RSA_SIGN;
		o->ecdsa = o->ecdsa || types[i] == TLS_CT_ECDSA_SIGN;
	}
	CBS_init(&o->groups, NULL, 0);
}

static void
offer_read(
    struct offer *o, const struct tlsctx *ctx, const SSL_CLIENT_HELLO *hello)
{
	o->tls13 = ctx->max_version >= TLS1_3_VERSION &&
		   list_has(hello_list(hello, EXT_VERSIONS, 1), TLS1_3_VERSION);
	o->groups = hello_list(hello, EXT_GROUPS, 2);
	o->algorithms = hello_list(hello, EXT_ALGORITHMS, 2);
	offer_read_suites(o, hello);
}

static void
offer_read_suites(struct offer *o, const SSL_CLIENT_HELLO *hello)
{
	const SSL_CIPHER *cipher;
	uint16_t id;
	CBS suites;
	int auth;

	CBS_init(&suites, hello->cipher_suites, hello->cipher_suites_len);
	while (CBS_get_u16(&suites, &id)) {
		cipher = SSL_get_cipher_by_value(id);
		if (cipher == NULL)
			continue;
		auth = SSL_CIPHER_get_auth_nid(cipher);
		if (auth == NID_auth_ecdsa)
			o->ecdsa = o->ecdsa || is_shared(hello->ssl, cipher);
		if (auth == NID_auth_rsa)
			o->rsa = o->rsa || is_shared(hello->ssl, cipher);
	}
}

/* A list behind its length; nothing is checked that the library will refuse. */
static CBS
hello_list(
    const SSL_CLIENT_HELLO *hello, uint16_t extension, size_t length_octets)
{
	const uint8_t *p;
	CBS ext, list;
	size_t n;

	CBS_init(&list, NULL, 0);
	if (!SSL_early_callback_ctx_extension_get(hello, extension, &p, &n))
		return list;
	CBS_init(&ext, p, n);
	if (CBS_skip(&ext, length_octets))
		list = ext;
	return list;
}

static bool
list_has(CBS list, uint16_t n)
{
	uint16_t one;

	while (CBS_get_u16(&list, &one)) {
		if (one == n)
			return true;
	}
	return false;
}

static bool
list_has_any(CBS list, const uint16_t *of)
{
	for (; *of != 0; of++) {
		if (list_has(list, *of))
			return true;
	}
	return false;
}

static bool
is_shared(const SSL *ssl, const SSL_CIPHER *cipher)
{
	const STACK_OF(SSL_CIPHER) *ours = SSL_get_ciphers(ssl);
	size_t i;

	for (i = 0; i < sk_SSL_CIPHER_num(ours); i++) {
		if (sk_SSL_CIPHER_value(ours, i) == cipher)
			return true;
	}
	return false;
}

/*
 * The best of those that are for the name; NULL if the client can use none of
 * them. any_name: of the default and its twins, and then of all; if the client
 * can use none, the default, and the handshake fails for the true reason.
 */
static struct tlsident *
pick(const struct tlsctx *ctx, const struct offer *o, struct str name,
    bool any_name)
{
	struct tlsident *best = NULL, *other = NULL, *id;
	unsigned i, r, best_rank = 0, other_rank = 0;

	for (i = 0; i < ctx->nident; i++) {
		id = ctx->ident[i];
		r = rank(id, o);
		if (r > best_rank &&
		    (any_name ? tlsident_twin(id, ctx->ident[0])
			      : tlsident_covers(id, name))) {
			best = id;
			best_rank = r;
		} else if (r > other_rank) {
			other = id;
			other_rank = r;
		}
	}
	if (best != NULL || !any_name)
		return best;
	return other != NULL ? other : ctx->ident[0];
}

/* 0: the client cannot use it. */
static unsigned
rank(const struct tlsident *id, const struct offer *o)
{
	if (id->type == EVP_PKEY_EC)
		return ecdsa_ok(id, o) ? 3 : 0;
	if (id->type == EVP_PKEY_ED25519)
		return (o->tls13 || o->ecdsa) &&
			       list_has(o->algorithms, SSL_SIGN_ED25519)
			   ? 2
			   : 0;
	return rsa_ok(o) ? 1 : 0;
}

/* TLS 1.3 ties the curve to the algorithm; TLS 1.2 does not. */
static bool
ecdsa_ok(const struct tlsident *id, const struct offer *o)
{
	static const uint16_t any[] = { SSL_SIGN_ECDSA_SECP256R1_SHA256,
		SSL_SIGN_ECDSA_SECP384R1_SHA384,
		SSL_SIGN_ECDSA_SECP521R1_SHA512, 0 };

	if (id->group == 0)
		return false;
	if (o->tls13)
		return list_has(o->algorithms,
		    id->group == SSL_CURVE_SECP256R1
			? SSL_SIGN_ECDSA_SECP256R1_SHA256
		    : id->group == SSL_CURVE_SECP384R1
			? SSL_SIGN_ECDSA_SECP384R1_SHA384
			: SSL_SIGN_ECDSA_SECP521R1_SHA512);
	return o->ecdsa && list_has_any(o->algorithms, any) &&
	       (CBS_len(&o->groups) == 0 || list_has(o->groups, id->group));
}

static bool
rsa_ok(const struct offer *o)
{
	static const uint16_t pss[] = { SSL_SIGN_RSA_PSS_RSAE_SHA256,
		SSL_SIGN_RSA_PSS_RSAE_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA512,
		0 };

	return o->tls13 ? list_has_any(o->algorithms, pss) : o->rsa;
}

/*
 * The peer's certificates: verdict, fingerprint, text.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/obj.h"
#include "tls/certs.h"
#include "tls/tlsio_priv.h"
#include "tls/tlslib.h"
#include "tls/tlsverify.h"

enum { NAME_TEXT_MAX = 512 };

static void take_fingerprint(struct tlsio *t);
static void hex_sha256(char hex[65], const CRYPTO_BUFFER *der);
static void add_name(struct buf *dst, const char *label, const X509_NAME *name);
static void add_time(struct buf *dst, const char *label, const ASN1_TIME *at);

bool
tlsio_check_peer(struct tlsio *t, uint8_t *alert_r)
{
	bool server = t->ctx->server;
	struct tlsio_shake *k = t->shake;
	struct tlsverify_in in = { .chain = SSL_get0_peer_certificates(t->ssl),
		.trust = k->trust,
		.server = !server,
		.refs = k->refs,
		.pin = k->want.pin,
		.npin = k->want.npin };
	struct tlsverify v;

	t->info.peer_cert = true;
	take_fingerprint(t);
	if (!server && !tlswant_verifies(k->want.level)) {
		t->info.verify_why = "not-checked";
		return true;
	}
	tlsverify_chain(&in, &v);
	t->info.verified = v.ok;
	t->info.verify_why = tls_reason_word(v.reason);
	t->info.reason = v.reason;
	t->info.matched_by = v.by;
	t->info.revocation_checked = v.revocation_checked;
	mem_free(t->matched);
	t->info.matched = t->matched = mem_strdup(v.matched);
	mem_free(t->names);
	t->info.names = t->names = mem_strdup(v.names);
	*alert_r = v.alert;
	return v.ok || !(server ? t->ctx->verify_client_cert
				: tlswant_insists(k->want.level));
}

void
tlsio_chain_text(const struct tlsio *t, struct buf *dst)
{
	const STACK_OF(CRYPTO_BUFFER) *chain;
	const CRYPTO_BUFFER *der;
	char hex[65];
	size_t i, n;
	X509 *x;

	OBJ_CHECK(t, TLSIO_MAGIC);
	chain = SSL_get0_peer_certificates(t->ssl);
	n = chain == NULL ? 0 : sk_CRYPTO_BUFFER_num(chain);
	for (i = 0; i < n; i++) {
		der = sk_CRYPTO_BUFFER_value(chain, i);
		hex_sha256(hex, der);
		(void)buf_printf(dst, "%zu/%zu ", i + 1, n);
		x = tlslib_x509((CRYPTO_BUFFER *)(uintptr_t)der);
		if (x == NULL) {
			(void)buf_printf(dst, "unreadable, %zu octets",
			    CRYPTO_BUFFER_len(der));
		} else {
			add_name(dst, "subject", X509_get_subject_name(x));
			add_name(dst, " issuer", X509_get_issuer_name(x));
			add_time(dst, " from", X509_get0_notBefore(x));
			add_time(dst, " until", X509_get0_notAfter(x));
		}
		X509_free(x);
		(void)buf_printf(dst, " sha256 %s\n", hex);
	}
	ERR_clear_error();
}

int
tlsio_chain_der(const struct tlsio *t, unsigned i, struct str *der_r)
{
	const STACK_OF(CRYPTO_BUFFER) *chain;
	const CRYPTO_BUFFER *der;

	OBJ_CHECK(t, TLSIO_MAGIC);
	chain = SSL_get0_peer_certificates(t->ssl);
	if (chain == NULL || i >= sk_CRYPTO_BUFFER_num(chain))
		return -1;
	der = sk_CRYPTO_BUFFER_value(chain, i);
	*der_r = str_n(
	    (const char *)CRYPTO_BUFFER_data(der), CRYPTO_BUFFER_len(der));
	return 0;
}

static void
take_fingerprint(struct tlsio *t)
{
	const STACK_OF(CRYPTO_BUFFER) *chain =
	    SSL_get0_peer_certificates(t->ssl);

	if (chain != NULL && sk_CRYPTO_BUFFER_num(chain) > 0)
		hex_sha256(
		    t->info.fingerprint, sk_CRYPTO_BUFFER_value(chain, 0));
}

static void
hex_sha256(char hex[65], const CRYPTO_BUFFER *der)
{
	unsigned char sha[SHA256_DIGEST_LENGTH];
	struct buf text;

	(void)SHA256(CRYPTO_BUFFER_data(der), CRYPTO_BUFFER_len(der), sha);
	buf_init(&text, 64);
	(void)hex_encode(&text, str_n((const char *)sha, sizeof(sha)));
	(void)str_copy(hex, 65, buf_str(&text));
	buf_fini(&text);
}

/* Control characters and what is no ASCII are escaped; a stranger's name has
 * no end. */
static void
add_name(struct buf *dst, const char *label, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	const uint8_t *p = NULL;
	size_t n = 0;

	if (bio == NULL)
		fatal("out of memory");
	(void)X509_NAME_print_ex(
	    bio, (X509_NAME *)(uintptr_t)name, 0, XN_FLAG_RFC2253);
	(void)BIO_mem_contents(bio, &p, &n);
	(void)buf_printf(dst, "%s %.*s", label,
	    (int)(n > NAME_TEXT_MAX ? NAME_TEXT_MAX : n), (const char *)p);
	BIO_free(bio);
}

static void
add_time(struct buf *dst, const char *label, const ASN1_TIME *at)
{
	char text[40];

	clock_rfc3339(text, sizeof(text), certs_time(at));
	(void)buf_printf(dst, "%s %s", label, text);
}

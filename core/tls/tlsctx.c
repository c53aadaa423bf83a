#include "tls/tlsctx.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"
#include "tls/certmake.h"
#include "tls/certs.h"
#include "tls/tlsctx_priv.h"
#include "tls/tlsident_priv.h"
#include "tls/tlsio_priv.h"

enum { SELFSIGNED_MAX = 16384, SELFSIGNED_DAYS = 3652 };
enum { TRUST_MAX = 16 * 1024 * 1024 };
enum { OWN_CACHE = 4 * 1024 * 1024 };

#define TLSCTX_MAGIC 0x10091b02u

static struct tlsctx *tlsctx_make(bool server);
static int tlsctx_set_up(
    struct tlsctx *ctx, const struct tlsctx_conf *conf, struct err *why);
static int
tlsctx_set_trust(struct tlsctx *ctx, const char *file, struct err *why);
static int tlsctx_set_idents(
    struct tlsctx *ctx, const struct tlsctx_conf *conf, struct err *why);
static void tlsctx_set_server(
    struct tlsctx *ctx, const struct tlsctx_conf *conf);
static void tlsctx_set_client(
    struct tlsctx *ctx, const struct tlsctx_conf *conf);

int
tlsctx_new(
    struct tlsctx **ctx_r, const struct tlsctx_conf *conf, struct err *why)
{
	struct tlsctx *ctx = tlsctx_make(conf->server);
	int result;

	result = tlsctx_set_up(ctx, conf, why);
	if (result == 0)
		result = tlsctx_set_idents(ctx, conf, why);
	if (result < 0) {
		tlsctx_unref(&ctx);
		return -1;
	}
	*ctx_r = ctx;
	return 0;
}

int
tlsctx_new_selfsigned(struct tlsctx **ctx_r, const char *name, struct err *why)
{
	struct tlsctx_conf conf = { .server = true };
	struct tlsident *ident = NULL;
	struct buf key, cert;
	int result;

	buf_init(&key, SELFSIGNED_MAX);
	buf_init(&cert, SELFSIGNED_MAX);
	result = certmake_demo(
	    name, CERTMAKE_EC, SELFSIGNED_DAYS, &key, &cert, why);
	if (result == 0)
		result = tlsident_new(&ident, "self-signed", buf_str(&cert),
		    buf_str(&key), NULL, NULL, why);
	if (result == 0) {
		conf.ident = &ident;
		conf.nident = 1;
		result = tlsctx_new(ctx_r, &conf, why);
	}
	tlsident_unref(&ident);
	OPENSSL_cleanse(buf_p(&key), buf_len(&key));
	buf_fini(&key);
	buf_fini(&cert);
	return result;
}

const char *
tlsctx_warning(const struct tlsctx *ctx)
{
	OBJ_CHECK(ctx, TLSCTX_MAGIC);
	return ctx->warning;
}

struct tlsctx *
tlsctx_ref(struct tlsctx *ctx)
{
	OBJ_CHECK(ctx, TLSCTX_MAGIC);
	ctx->refs++;
	return ctx;
}

/* The pool comes last: certificates of sessions and connections are in it. */
void
tlsctx_unref(struct tlsctx **ctxp)
{
	struct tlsctx *ctx = *ctxp;

	if (ctx == NULL)
		return;
	OBJ_CHECK(ctx, TLSCTX_MAGIC);
	*ctxp = NULL;
	if (--ctx->refs > 0)
		return;
	if (ctx->own_cache)
		tlscache_destroy(&ctx->cache);
	OPENSSL_cleanse(ctx->ticket, sizeof(ctx->ticket));
	SSL_CTX_free(ctx->ssl);
	tlstrust_unref(&ctx->trust);
	while (ctx->nident > 0)
		tlsident_unref(&ctx->ident[--ctx->nident]);
	mem_free(ctx->ident);
	BIO_meth_free(ctx->bio);
	CRYPTO_BUFFER_POOL_free(ctx->pool);
	mem_free(ctx->warning);
	mem_free(ctx->ciphers);
	mem_free(ctx->groups);
	OBJ_FREE(ctx);
}

void
tlsctx_warn(struct tlsctx *ctx, const char *text, const char *words)
{
	size_t n = strlen(text) + (words == NULL ? 0 : strlen(words)) + 3;

	if (ctx->warning != NULL)
		return;
	ctx->warning = mem_alloc(n);
	(void)snprintf(ctx->warning, n, "%s%s%s", text,
	    words == NULL ? "" : ": ", words == NULL ? "" : words);
}

static struct tlsctx *
tlsctx_make(bool server)
{
	struct tlsctx *ctx;

	OBJ_NEW(ctx, TLSCTX_MAGIC);
	ctx->refs = 1;
	ctx->server = server;
	ctx->pool = CRYPTO_BUFFER_POOL_new();
	ctx->ssl = SSL_CTX_new(TLS_with_buffers_method());
	ctx->bio = tlsio_bio_new();
	if (ctx->pool == NULL || ctx->ssl == NULL || ctx->bio == NULL)
		fatal("out of memory");
	SSL_CTX_set0_buffer_pool(ctx->ssl, ctx->pool);
	return ctx;
}

static int
tlsctx_set_up(
    struct tlsctx *ctx, const struct tlsctx_conf *conf, struct err *why)
{
	uint16_t low =
	    conf->min_version != 0 ? conf->min_version : TLS1_2_VERSION;
	uint16_t high =
	    conf->max_version != 0 ? conf->max_version : TLS1_3_VERSION;

	ERR_clear_error();
	if (low > high || !SSL_CTX_set_min_proto_version(ctx->ssl, low) ||
	    !SSL_CTX_set_max_proto_version(ctx->ssl, high))
		return err_text(why, "no TLS version from %#x to %#x",
		    (unsigned)low, (unsigned)high);
	ctx->min_version = low;
	ctx->max_version = high;
	if (tlsctx_set_groups(ctx, conf->groups, why) < 0 ||
	    tlsctx_set_ciphers(ctx, conf->ciphers, why) < 0)
		return -1;
	if (conf->trust != NULL)
		ctx->trust = tlstrust_ref(conf->trust);
	else if (conf->ca_file != NULL &&
		 tlsctx_set_trust(ctx, conf->ca_file, why) < 0)
		return -1;
	/* Tickets only: sessions of ten thousand clients are not ours to keep.
	 */
	SSL_CTX_set_session_cache_mode(ctx->ssl,
	    (ctx->server ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_CLIENT) |
		SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_set_info_callback(ctx->ssl, tlsio_on_alert);
	if (ctx->server)
		tlsctx_set_server(ctx, conf);
	else
		tlsctx_set_client(ctx, conf);
	return 0;
}

static int
tlsctx_set_trust(struct tlsctx *ctx, const char *file, struct err *why)
{
	struct buf pem;
	int result;

	ctx->trust = tlstrust_new();
	buf_init(&pem, TRUST_MAX);
	result = file_read(&pem, file, why);
	if (result == 0)
		result = tlstrust_roots(ctx->trust, buf_str(&pem), file, why);
	buf_fini(&pem);
	return result;
}

/*
 * A session that was made without a certificate is none where one is demanded:
 * the id context tells such contexts apart, for ticket keys are common to all.
 */
static void
tlsctx_set_server(struct tlsctx *ctx, const struct tlsctx_conf *conf)
{
	bool ask = conf->request_client_cert || conf->require_client_cert ||
		   conf->verify_client_cert;
	char sid[16];
	int n;

	ctx->request_client_cert = ask;
	ctx->require_client_cert = conf->require_client_cert;
	ctx->verify_client_cert = conf->verify_client_cert;
	n = snprintf(sid, sizeof(sid), "postern %d%d%d", ask,
	    conf->require_client_cert, conf->verify_client_cert);
	(void)SSL_CTX_set_session_id_context(
	    ctx->ssl, (const uint8_t *)sid, (size_t)n);
	(void)SSL_CTX_set_options(ctx->ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_select_certificate_cb(ctx->ssl, tlsctx_pick);
	if (ask)
		SSL_CTX_set_custom_verify(ctx->ssl,
		    SSL_VERIFY_PEER | (conf->require_client_cert
					      ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
					      : 0),
		    tlsio_verify);
}

static int
tlsctx_set_idents(
    struct tlsctx *ctx, const struct tlsctx_conf *conf, struct err *why)
{
	unsigned i;

	ctx->ident = mem_array(conf->nident + 1, sizeof(struct tlsident *));
	if (conf->cert_file != NULL) {
		if (tlsident_load(&ctx->ident[0], conf->cert_file,
			conf->key_file, NULL, NULL, why) < 0)
			return -1;
		ctx->nident = 1;
	}
	for (i = 0; i < conf->nident; i++)
		ctx->ident[ctx->nident++] = tlsident_ref(conf->ident[i]);
	if (ctx->nident == 0 && ctx->server)
		return err_text(why, "a TLS server needs a certificate");
	for (i = 0; i < ctx->nident; i++) {
		if (ctx->ident[i]->warning != NULL)
			tlsctx_warn(ctx, ctx->ident[i]->warning, NULL);
	}
	return 0;
}

/*
 * Strong algorithms first, and behind them what some mail servers have: a
 * certificate is better than clear text.
 */
static void
tlsctx_set_client(struct tlsctx *ctx, const struct tlsctx_conf *conf)
{
	static const uint16_t prefs[] = { SSL_SIGN_ECDSA_SECP256R1_SHA256,
		SSL_SIGN_ED25519, SSL_SIGN_RSA_PSS_RSAE_SHA256,
		SSL_SIGN_RSA_PKCS1_SHA256, SSL_SIGN_ECDSA_SECP384R1_SHA384,
		SSL_SIGN_RSA_PSS_RSAE_SHA384, SSL_SIGN_RSA_PKCS1_SHA384,
		SSL_SIGN_ECDSA_SECP521R1_SHA512, SSL_SIGN_RSA_PSS_RSAE_SHA512,
		SSL_SIGN_RSA_PKCS1_SHA512, SSL_SIGN_RSA_PKCS1_SHA1 };

	if (!SSL_CTX_set_verify_algorithm_prefs(
		ctx->ssl, prefs, sizeof(prefs) / sizeof(prefs[0])))
		panic("the library does not know our algorithms");
	SSL_CTX_set_custom_verify(ctx->ssl, SSL_VERIFY_PEER, tlsio_verify);
	SSL_CTX_set_reverify_on_resume(ctx->ssl, 1);
	SSL_CTX_sess_set_new_cb(ctx->ssl, tlsio_new_session);
	ctx->own_cache = conf->cache == NULL;
	ctx->cache = ctx->own_cache ? tlscache_new(OWN_CACHE) : conf->cache;
}

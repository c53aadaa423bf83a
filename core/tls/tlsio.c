#include "tls/tlsio.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/mem.h"
#include "base/obj.h"
#include "tls/tlsident_priv.h"
#include "tls/tlsio_priv.h"
#include "tls/tlslib.h"

enum {
	PIECE = 16384,	      /* a record's worth of plain octets */
	KEPT_MAX = 256 * 1024 /* raw octets that no room was left for */
};

static enum stream_more tlsio_input(void *filter, const char *raw, size_t n,
    struct buf *plain, struct err *why);
static int tlsio_output(void *filter, const char *p, size_t n, struct err *why);
static int tlsio_eof(void *filter, struct buf *plain, struct err *why);
static void tlsio_finish(void *filter);
static void tlsio_destroy(void *filter);
static bool tlsio_handshake(struct tlsio *t, struct err *why);
static void tlsio_fail_library(struct tlsio *t, struct err *why);
static void tlsio_fail(struct tlsio *t, struct err *why, const char *text);
static bool tlsio_established(struct tlsio *t, struct err *why);
static void tlsio_take_info(struct tlsio *t);
static enum stream_more
tlsio_read(struct tlsio *t, struct buf *plain, struct err *why);
static bool tlsio_keep(struct tlsio *t);
static bool tlsio_waits(int error);
static void tlsio_shake_free(struct tlsio *t);

static const struct stream_filter tlsio_filter = { .input = tlsio_input,
	.output = tlsio_output,
	.eof = tlsio_eof,
	.finish = tlsio_finish,
	.destroy = tlsio_destroy };

struct tlsio *
tlsio_start(struct stream *s, struct tlsctx *ctx,
    const struct tlsio_client *client, tlsio_handshake_fn *fn, void *arg)
{
	struct tlstrust *trust;
	struct tlsio *t;
	BIO *bio;

	ASSERT((client == NULL) == ctx->server);
	OBJ_NEW(t, TLSIO_MAGIC);
	t->stream = s;
	t->ctx = tlsctx_ref(ctx);
	t->fn = fn;
	t->arg = arg;
	t->shake = mem_zalloc(sizeof(*t->shake));
	trust = client != NULL && client->trust != NULL ? client->trust
							: ctx->trust;
	/* Roots of its own that nobody could give: not the common ones. */
	if (client != NULL && client->want->ca != NULL && client->trust == NULL)
		trust = NULL;
	if (trust != NULL)
		t->shake->trust = tlstrust_ref(trust);
	buf_init(&t->kept, KEPT_MAX);
	t->info.group = t->info.matched = t->info.sni = "";
	t->info.matched_by = t->info.names = "";
	t->info.verify_why = "no-certificate";
	t->ssl = SSL_new(ctx->ssl);
	bio = BIO_new(ctx->bio);
	if (t->ssl == NULL || bio == NULL)
		fatal("out of memory");
	BIO_set_data(bio, t);
	SSL_set_bio(t->ssl, bio, bio);
	(void)SSL_set_app_data(t->ssl, t);
	SSL_set_shed_handshake_config(t->ssl, 1);
	if (client != NULL)
		tlsio_set_up_client(t, client);
	else
		SSL_set_accept_state(t->ssl);
	stream_filter_set(s, &tlsio_filter, t);
	stream_filter_kick(s);
	return t;
}

const struct tls_info *
tlsio_info(const struct tlsio *t)
{
	OBJ_CHECK(t, TLSIO_MAGIC);
	return &t->info;
}

static enum stream_more
tlsio_input(
    void *filter, const char *raw, size_t n, struct buf *plain, struct err *why)
{
	enum stream_more got = STREAM_DONE;
	struct tlsio *t;

	OBJ_CAST(t, filter, TLSIO_MAGIC);
	if (t->failed)
		return STREAM_DONE;
	t->raw = raw;
	t->raw_n = n;
	if (!t->done && !tlsio_handshake(t, why))
		got = STREAM_REFUSED;
	if (t->done)
		got = tlsio_read(t, plain, why);
	if (!tlsio_keep(t) && !t->failed) {
		/* While a key operation waits, say. */
		tlsio_failed_here(
		    t, TLSR_PROTOCOL, "too much data before its end");
		tlsio_fail(t, why, "too much data before its end");
		got = STREAM_REFUSED;
	}
	return got;
}

static int
tlsio_output(void *filter, const char *p, size_t n, struct err *why)
{
	char reason[128];
	struct tlsio *t;
	int piece, put;

	OBJ_CAST(t, filter, TLSIO_MAGIC);
	if (!t->done || t->failed)
		return err_set(why, 454, "4.7.0", "TLS is not established");
	while (n > 0) {
		piece = n > PIECE ? PIECE : (int)n;
		ERR_clear_error();
		put = SSL_write(t->ssl, p, piece);
		if (put <= 0) {
			t->failed = true;
			(void)tlslib_reason(
			    reason, sizeof(reason), "cannot send");
			return err_set(why, 421, "4.4.2", "TLS: %s", reason);
		}
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

static int
tlsio_eof(void *filter, struct buf *plain, struct err *why)
{
	struct tlsio *t;

	OBJ_CAST(t, filter, TLSIO_MAGIC);
	if (t->failed)
		return 0;
	if (!t->done) {
		tlsio_failed_system(t, stream_error(t->stream));
		tlsio_fail(t, why,
		    stream_error(t->stream) != 0 ? t->failure->text :
		    "the peer closed the connection");
		return -1;
	}
	return tlsio_read(t, plain, why) == STREAM_REFUSED ? -1 : 0;
}

static void
tlsio_finish(void *filter)
{
	struct tlsio *t;

	OBJ_CAST(t, filter, TLSIO_MAGIC);
	ERR_clear_error();
	if (t->done && !t->failed)
		(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}

static void
tlsio_destroy(void *filter)
{
	struct tlsio *t;

	OBJ_CAST(t, filter, TLSIO_MAGIC);
	if (t->shake != NULL && t->shake->key_wait)
		t->shake->ident->ops->cancel(t->shake->ident->ops_arg, t);
	SSL_free(t->ssl);
	tlsio_shake_free(t);
	buf_fini(&t->kept);
	mem_free(t->matched);
	mem_free(t->names);
	mem_free(t->sni);
	mem_free(t->failure);
	tlsctx_unref(&t->ctx);
	OBJ_FREE(t);
}

/* False: it failed, and that has been told. */
static bool
tlsio_handshake(struct tlsio *t, struct err *why)
{
	const char *unfit = t->shake->unfit_text;
	int result;

	if (unfit != NULL) {
		tlsio_failed_here(t, t->shake->unfit, unfit);
		tlsio_fail(t, why, unfit);
		return false;
	}
	ERR_clear_error();
	result = SSL_do_handshake(t->ssl);
	if (result == 1)
		return tlsio_established(t, why);
	if (tlsio_waits(SSL_get_error(t->ssl, result))) {
		ERR_clear_error();
		return true;
	}
	tlsio_fail_library(t, why);
	return false;
}

static void
tlsio_fail_library(struct tlsio *t, struct err *why)
{
	bool refused = ERR_GET_REASON(ERR_peek_error()) ==
		       SSL_R_CERTIFICATE_VERIFY_FAILED;
	char reason[128];

	tlsio_failed_library(t);
	(void)tlslib_reason(reason, sizeof(reason), "protocol error");
	tlsio_fail(t, why, refused ? t->info.verify_why : reason);
}

static void
tlsio_fail(struct tlsio *t, struct err *why, const char *text)
{
	t->failed = true;
	(void)err_set(why, 454, "4.7.5", "TLS handshake failed: %s", text);
	if (!t->done)
		t->fn(t->arg, false, why);
}

/*
 * A client whose session is resumed was verified again by the library's call;
 * for a server we do it ourselves (the library never does), and ask again for
 * what a full handshake would have demanded.
 */
static bool
tlsio_established(struct tlsio *t, struct err *why)
{
	const STACK_OF(CRYPTO_BUFFER) *chain;
	uint8_t alert = 0;
	bool ok = true;

	if (t->ctx->server && t->ctx->request_client_cert) {
		chain = SSL_get0_peer_certificates(t->ssl);
		if (chain == NULL || sk_CRYPTO_BUFFER_num(chain) == 0)
			ok = !t->ctx->require_client_cert;
		else if (SSL_session_reused(t->ssl))
			ok = tlsio_check_peer(t, &alert);
	}
	if (!ok) {
		tlsio_failed_here(
		    t, TLSR_CLIENT_CERT, t->info.verify_why);
		tlsio_fail(t, why, t->info.verify_why);
		return false;
	}
	tlsio_take_info(t);
	t->fn(t->arg, true, NULL);
	return true;
}

/* Everything is asked now: afterwards the library forgets what it can. */
static void
tlsio_take_info(struct tlsio *t)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(t->ssl);
	struct tls_info *i = &t->info;
	const char *sni;

	t->done = true;
	i->version = SSL_get_version(t->ssl);
	i->cipher = SSL_CIPHER_standard_name(cipher);
	i->bits = SSL_CIPHER_get_bits(cipher, &i->alg_bits);
	i->group = tlslib_group(t->ssl);
	i->resumed = SSL_session_reused(t->ssl) != 0;
	sni = t->ctx->server
		  ? SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name)
		  : NULL;
	if (sni != NULL)
		i->sni = t->sni = mem_strdup(sni);
	tlsio_shake_free(t);
}

static enum stream_more
tlsio_read(struct tlsio *t, struct buf *plain, struct err *why)
{
	char reason[128], *p;
	int got, error;
	size_t room;

	for (;;) {
		room = plain->max - buf_len(plain);
		if (room == 0)
			return SSL_pending(t->ssl) > 0 || t->raw_n > 0 ||
				       buf_len(&t->kept) > 0
				   ? STREAM_MORE
				   : STREAM_DONE;
		if (room > PIECE)
			room = PIECE;
		p = buf_room(plain, room);
		ERR_clear_error();
		got = SSL_read(t->ssl, p, (int)room);
		if (got <= 0)
			break;
		buf_added(plain, (size_t)got);
	}
	error = SSL_get_error(t->ssl, got);
	if (error == SSL_ERROR_ZERO_RETURN)
		return STREAM_BYE;
	if (tlsio_waits(error)) {
		ERR_clear_error();
		return STREAM_DONE;
	}
	t->failed = true;
	tlsio_failed_library(t);
	(void)tlslib_reason(reason, sizeof(reason), "protocol error");
	(void)err_set(why, 421, "4.7.0", "TLS: %s", reason);
	return STREAM_REFUSED;
}

/* What the library did not want yet is the caller's memory no longer. */
static bool
tlsio_keep(struct tlsio *t)
{
	bool fits = t->failed || t->raw_n == 0 ||
		    buf_add(&t->kept, t->raw, t->raw_n) == 0;

	t->raw = NULL;
	t->raw_n = 0;
	if (buf_len(&t->kept) == 0)
		buf_shrink(&t->kept);
	return fits;
}

/* Not failures: the handshake goes on when someone has answered. */
static bool
tlsio_waits(int error)
{
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ||
	       error == SSL_ERROR_PENDING_CERTIFICATE ||
	       error == SSL_ERROR_WANT_PRIVATE_KEY_OPERATION ||
	       error == SSL_ERROR_WANT_CERTIFICATE_VERIFY ||
	       error == SSL_ERROR_PENDING_SESSION ||
	       error == SSL_ERROR_PENDING_TICKET;
}

static void
tlsio_shake_free(struct tlsio *t)
{
	struct tlsio_shake *k = t->shake;
	size_t i;

	if (k == NULL)
		return;
	for (i = 0; k->own_refs != NULL && k->own_refs[i].name.p != NULL; i++)
		mem_free((char *)(uintptr_t)k->own_refs[i].name.p);
	mem_free(k->own_refs);
	tlstrust_unref(&k->trust);
	tlsident_unref(&k->ident);
	tlsident_unref(&k->own);
	mem_free(k);
	t->shake = NULL;
}

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/mem.h"
#include "base/obj.h"
#include "tls/tlsident_priv.h"
#include "tls/tlsio_priv.h"

static enum ssl_private_key_result_t
tlsio_sign(SSL *ssl, uint8_t *out, size_t *out_len, size_t max,
    uint16_t algorithm, const uint8_t *in, size_t n);
static enum ssl_private_key_result_t tlsio_decrypt(SSL *ssl, uint8_t *out,
    size_t *out_len, size_t max, const uint8_t *in, size_t n);
static enum ssl_private_key_result_t
tlsio_key_result(SSL *ssl, uint8_t *out, size_t *out_len, size_t max);
static int tlsio_bio_read(BIO *bio, char *dst, int n);
static int tlsio_bio_write(BIO *bio, const char *p, int n);
static long tlsio_bio_ctrl(BIO *bio, int command, long n, void *arg);
static int tlsio_bio_create(BIO *bio);

static const SSL_PRIVATE_KEY_METHOD key_method = { .sign = tlsio_sign,
	.decrypt = tlsio_decrypt,
	.complete = tlsio_key_result };

struct tlsio *
tlsio_of(const SSL *ssl)
{
	struct tlsio *t;

	OBJ_CAST(t, SSL_get_app_data(ssl), TLSIO_MAGIC);
	return t;
}

int
tlsio_show(struct tlsio *t, struct tlsident *id)
{
	struct tlsio_shake *k = t->shake;

	tlsident_unref(&k->ident);
	k->ident = tlsident_ref(id);
	return SSL_set_chain_and_key(
		   t->ssl, id->chain, id->n, NULL, &key_method) == 1
		   ? 0
		   : -1;
}

/* A resumed session comes here as well (SSL_CTX_set_reverify_on_resume). */
enum ssl_verify_result_t
tlsio_verify(SSL *ssl, uint8_t *alert_r)
{
	return tlsio_check_peer(tlsio_of(ssl), alert_r) ? ssl_verify_ok
							: ssl_verify_invalid;
}

int
tlsio_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tlsio *t = tlsio_of(ssl);

	if (t->session != 0)
		tlscache_put(t->ctx->cache, t->session, session);
	return 0;
}

void
tlsio_key_done(void *ticket, bool ok, const uint8_t *sig, size_t n)
{
	struct tlsio *t;

	OBJ_CAST(t, ticket, TLSIO_MAGIC);
	ASSERT(t->shake != NULL && t->shake->key_wait);
	t->shake->key_wait = false;
	t->shake->key_ok = ok && n <= TLSIO_SIG_MAX;
	if (t->shake->key_ok) {
		memcpy(t->shake->sig, sig, n);
		t->shake->sig_n = n;
	}
	stream_filter_kick(t->stream);
}

BIO_METHOD *
tlsio_bio_new(void)
{
	BIO_METHOD *m =
	    BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");

	if (m == NULL)
		return NULL;
	(void)BIO_meth_set_create(m, tlsio_bio_create);
	(void)BIO_meth_set_read(m, tlsio_bio_read);
	(void)BIO_meth_set_write(m, tlsio_bio_write);
	(void)BIO_meth_set_ctrl(m, tlsio_bio_ctrl);
	return m;
}

static enum ssl_private_key_result_t
tlsio_sign(SSL *ssl, uint8_t *out, size_t *out_len, size_t max,
    uint16_t algorithm, const uint8_t *in, size_t n)
{
	struct tlsio *t = tlsio_of(ssl);
	const struct tlsident *id = t->shake->ident;
	struct str text = str_n((const char *)in, n);

	if (id->ops == NULL)
		return tlsident_sign(id, algorithm, text, out, out_len, max)
			   ? ssl_private_key_success
			   : ssl_private_key_failure;
	switch (id->ops->sign(id->ops_arg, &id->id, algorithm, text, out,
	    out_len, max, t)) {
	case TLS_KEYOP_DONE:
		return ssl_private_key_success;
	case TLS_KEYOP_WAIT:
		t->shake->key_wait = true;
		return ssl_private_key_retry;
	case TLS_KEYOP_FAILED:
		return ssl_private_key_failure;
	}
	panic("a key operation of no kind");
}

/* Only RSA key exchange would need it, which no server of ours offers. */
static enum ssl_private_key_result_t
tlsio_decrypt(SSL *ssl, uint8_t *out, size_t *out_len, size_t max,
    const uint8_t *in, size_t n)
{
	(void)ssl;
	(void)out;
	(void)out_len;
	(void)max;
	(void)in;
	(void)n;
	return ssl_private_key_failure;
}

static enum ssl_private_key_result_t
tlsio_key_result(SSL *ssl, uint8_t *out, size_t *out_len, size_t max)
{
	struct tlsio_shake *k = tlsio_of(ssl)->shake;

	if (k->key_wait)
		return ssl_private_key_retry;
	if (!k->key_ok || k->sig_n > max)
		return ssl_private_key_failure;
	memcpy(out, k->sig, k->sig_n);
	*out_len = k->sig_n;
	return ssl_private_key_success;
}

/* What was kept is older than what input() brought. */
static int
tlsio_bio_read(BIO *bio, char *dst, int n)
{
	struct tlsio *t = BIO_get_data(bio);
	size_t want = n < 0 ? 0 : (size_t)n;

	BIO_clear_retry_flags(bio);
	if (buf_len(&t->kept) > 0) {
		if (want > buf_len(&t->kept))
			want = buf_len(&t->kept);
		memcpy(dst, buf_p(&t->kept), want);
		buf_consume(&t->kept, want);
		return (int)want;
	}
	if (want > t->raw_n)
		want = t->raw_n;
	if (want == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(dst, t->raw, want);
	t->raw += want;
	t->raw_n -= want;
	return (int)want;
}

/* Never blocks: back-pressure is the stream's business. */
static int
tlsio_bio_write(BIO *bio, const char *p, int n)
{
	struct tlsio *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (n > 0)
		stream_filter_raw(t->stream, p, (size_t)n);
	return n;
}

static long
tlsio_bio_ctrl(BIO *bio, int command, long n, void *arg)
{
	(void)bio;
	(void)n;
	(void)arg;
	return command == BIO_CTRL_FLUSH;
}

static int
tlsio_bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

#include "wire.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_SESSION *first_session;

static SSL_CTX *
new_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	if (ctx == NULL ||
	    !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
	    !SSL_CTX_set1_curves_list(ctx, "X25519:P-256"))
		errx(1, "no TLS context");
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	return ctx;
}

SSL_CTX *
wire_server(const char *cert, const char *key, bool resume)
{
	SSL_CTX *ctx = new_context();

	if (!SSL_CTX_use_certificate_chain_file(ctx, cert) ||
	    !SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM))
		errx(1, "%s, %s: no certificate and key", cert, key);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (!resume)
		(void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	return ctx;
}

static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	if (first_session != NULL)
		return 0;
	first_session = session;
	return 1;
}

SSL_CTX *
wire_client(bool resume)
{
	SSL_CTX *ctx = new_context();

	if (resume) {
		(void)SSL_CTX_set_session_cache_mode(
		    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, keep_session);
	}
	return ctx;
}

void
wire_secure(struct wire *w, SSL_CTX *ctx, bool server)
{
	w->ssl = SSL_new(ctx);
	if (w->ssl == NULL || !SSL_set_fd(w->ssl, w->fd))
		errx(1, "no TLS connection");
	if (server) {
		SSL_set_accept_state(w->ssl);
		return;
	}
	SSL_set_connect_state(w->ssl);
	if (first_session != NULL && !SSL_set_session(w->ssl, first_session))
		errx(1, "no session");
}

int
wire_shake(struct wire *w)
{
	int got = SSL_do_handshake(w->ssl);

	if (got == 1)
		return 1;
	if (SSL_get_error(w->ssl, got) == SSL_ERROR_WANT_READ)
		return 0;
	ERR_print_errors_fp(stderr);
	return -1;
}

bool
wire_resumed(const struct wire *w)
{
	return SSL_session_reused(w->ssl) != 0;
}

/* What SSL_read() and SSL_write() gave, as the system would say it. */
static ssize_t
as_system(struct wire *w, int got)
{
	if (got > 0)
		return got;
	switch (SSL_get_error(w->ssl, got)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		ERR_clear_error();
		errno = ECONNRESET;
		return -1;
	}
}

ssize_t
wire_recv(struct wire *w, void *dst, size_t n)
{
	if (w->ssl == NULL)
		return recv(w->fd, dst, n, 0);
	return as_system(
	    w, SSL_read(w->ssl, dst, n > INT_MAX ? INT_MAX : (int)n));
}

ssize_t
wire_send(struct wire *w, const void *src, size_t n)
{
	if (w->ssl == NULL)
		return send(w->fd, src, n, MSG_NOSIGNAL);
	return as_system(
	    w, SSL_write(w->ssl, src, n > INT_MAX ? INT_MAX : (int)n));
}

void
wire_close(struct wire *w)
{
	if (w->ssl != NULL && SSL_is_init_finished(w->ssl))
		(void)SSL_shutdown(w->ssl);
	SSL_free(w->ssl);
	w->ssl = NULL;
	(void)close(w->fd);
	w->fd = -1;
}

double
wire_seconds(const struct rusage *used)
{
	return (double)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) +
	       (double)(used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1e6;
}

/*
 * Lists of ciphers and groups, ours and the administrator's.
 */
#include <openssl/err.h>

#include "base/mem.h"
#include "tls/tlsctx_priv.h"
#include "tls/tlslib.h"

enum { LIST_MAX = 4096 };

/*
 * For TLS 1.2 and below, the strongest first; 1.3 has its own. A server's key
 * only ever signs (security.md 4), so it takes part in no RSA key exchange, and
 * CBC is only for versions that have nothing else; a client meets servers that
 * know nothing else, and nobody is served better by clear text.
 */
#define CIPHERS_AEAD                                                           \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"           \
	"ECDHE+CHACHA20:"                                                      \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
#define CIPHERS_CBC                                                            \
	":ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"                         \
	":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"
#define CIPHERS_RSA                                                            \
	":AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-SHA:AES128-SHA"

static int use_ciphers(SSL_CTX *ssl, const char *list, bool server,
    struct buf *known, struct buf *unknown, struct err *why);

int
tlsctx_set_ciphers(struct tlsctx *ctx, const char *list, struct err *why)
{
	struct buf known, unknown;
	int result;

	tlslib_strongest(ctx->ssl);
	if (list == NULL) {
		ctx->ciphers =
		    mem_strdup(!ctx->server ? CIPHERS_AEAD CIPHERS_CBC
					    CIPHERS_RSA
			       : ctx->min_version < TLS1_2_VERSION
				   ? CIPHERS_AEAD CIPHERS_CBC
				   : CIPHERS_AEAD);
		if (!SSL_CTX_set_strict_cipher_list(ctx->ssl, ctx->ciphers))
			panic("the library does not know our ciphers");
		return 0;
	}
	buf_init(&known, LIST_MAX);
	buf_init(&unknown, LIST_MAX);
	result =
	    use_ciphers(ctx->ssl, list, ctx->server, &known, &unknown, why);
	if (result == 0) {
		ctx->ciphers = buf_steal(&known);
		if (buf_len(&unknown) > 0)
			tlsctx_warn(ctx, "unknown words in the list of ciphers",
			    buf_p(&unknown));
	}
	buf_fini(&known);
	buf_fini(&unknown);
	return result;
}

int
tlsctx_set_groups(struct tlsctx *ctx, const char *list, struct err *why)
{
	if (tlslib_groups(ctx->ssl, NULL, list, false) < 0)
		return err_text(why, "\"%s\" is not a list of groups",
		    list == NULL ? "default" : list);
	if (list != NULL)
		ctx->groups = mem_strdup(list);
	return 0;
}

int
tlsctx_check_ciphers(const char *list, struct buf *unknown, struct err *why)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_with_buffers_method());
	struct buf known;
	int result;

	if (ssl == NULL)
		fatal("out of memory");
	buf_init(&known, LIST_MAX);
	result = use_ciphers(ssl, list, false, &known, unknown, why);
	buf_fini(&known);
	SSL_CTX_free(ssl);
	return result;
}

int
tlsctx_check_groups(const char *list, struct err *why)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_with_buffers_method());
	int result;

	if (ssl == NULL)
		fatal("out of memory");
	result = tlslib_groups(ssl, NULL, list, false);
	SSL_CTX_free(ssl);
	return result == 0 ? 0
			   : err_text(why, "\"%s\" is not a list of groups",
				 list);
}

static int
use_ciphers(SSL_CTX *ssl, const char *list, bool server, struct buf *known,
    struct buf *unknown, struct err *why)
{
	int result = 0;

	tlslib_cipher_words(ssl, list, known, unknown);
	if (server)
		(void)buf_add_c(known, ":!kRSA");
	if (buf_full(known))
		result = err_text(why, "the list of ciphers is too long");
	else if (!SSL_CTX_set_strict_cipher_list(ssl, buf_p(known)))
		result = err_text(why, "no cipher of \"%s\" is there", list);
	ERR_clear_error();
	return result;
}

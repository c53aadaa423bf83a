#include "tls/tlslib.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "tls/tlsctx.h"

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

/* The first is the one API 17 does not know. */
#define OUR_GROUPS "X25519MLKEM768:X25519:P-256:P-384:P-521"

enum { LIST_MAX = 4096 };

static bool is_post_quantum(struct str group);
static bool knows_group(SSL_CTX *ctx, SSL *ssl, struct str group);
static int set_groups(SSL_CTX *ctx, SSL *ssl, const char *list);
static int same_object(
    const void *own, const void *shared, const char *name, struct err *why);

const char *
tls_library(void)
{
	return "BoringSSL API " TEXT_OF(
	    BORINGSSL_API_VERSION) " (" POSTERN_BORINGSSL_KIND ")";
}

unsigned
tls_library_api(void)
{
	return BORINGSSL_API_VERSION;
}

/*
 * A name that only BoringSSL has and one that OpenSSL has as well must come
 * from the same object: with a shared BoringSSL, a library that brings OpenSSL
 * along may have taken the second.
 */
int
tls_self_check(struct err *why)
{
	if (same_object((const void *)SSL_CTX_set_grease_enabled,
		(const void *)SSL_CTX_new, "SSL_CTX_new", why) < 0)
		return -1;
	return same_object((const void *)BORINGSSL_self_test,
	    (const void *)EVP_PKEY_free, "EVP_PKEY_free", why);
}

const char *
tlslib_reason(char *dst, size_t n, const char *otherwise)
{
	uint32_t code = ERR_get_error();
	const char *text = NULL;
	char *p;

	ERR_clear_error();
	if (code != 0)
		text = ERR_reason_error_string(code);
	(void)str_copy(dst, n, str_c(text != NULL ? text : otherwise));
	if (text != NULL) {
		str_lower(dst, strlen(dst));
		for (p = dst; *p != '\0'; p++) {
			if (*p == '_')
				*p = ' ';
		}
	}
	return dst;
}

const char *
tlslib_group(const SSL *ssl)
{
	const char *name;

#if HAVE_DECL_SSL_GET_GROUP_ID && HAVE_DECL_SSL_GET_GROUP_NAME
	name = SSL_get_group_name(SSL_get_group_id(ssl));
#else
	name = SSL_get_curve_name(SSL_get_curve_id(ssl));
#endif
	return name == NULL ? "" : name;
}

int
tlslib_groups(SSL_CTX *ctx, SSL *ssl, const char *list, bool classic)
{
	struct str rest = str_c(list == NULL ? OUR_GROUPS : list), word;
	struct buf use;
	int ok = 0;

	buf_init(&use, LIST_MAX);
	while (str_split(&rest, ':', &word)) {
		if (is_post_quantum(word) &&
		    (classic || !knows_group(ctx, ssl, word)))
			continue;
		(void)buf_printf(&use, "%s%.*s", buf_len(&use) > 0 ? ":" : "",
		    STR_FMT(word));
	}
	if (buf_len(&use) > 0 && !buf_full(&use))
		ok = set_groups(ctx, ssl, buf_p(&use));
	ERR_clear_error();
	buf_fini(&use);
	return ok == 1 ? 0 : -1;
}

void
tlslib_strongest(SSL_CTX *ctx)
{
#if HAVE_DECL_SSL_CTX_SET1_TLS13_CIPHERS
	static const uint16_t suites[] = { SSL_CIPHER_AES_256_GCM_SHA384,
		SSL_CIPHER_CHACHA20_POLY1305_SHA256,
		SSL_CIPHER_AES_128_GCM_SHA256 };

	if (SSL_CTX_set1_tls13_ciphers(ctx, suites, NULL,
		sizeof(suites) / sizeof(suites[0])) != 1)
		panic("the library does not know the suites of TLS 1.3");
#else
	(void)ctx;
#endif
}

/*
 * A word is known unless the strict list calls it a bad command; what else may
 * be wrong with it ("!ALL" leaves nothing) is not about the word.
 */
void
tlslib_cipher_words(SSL_CTX *scratch, const char *list, struct buf *known,
    struct buf *unknown)
{
	const char *at = list;
	struct buf text, *dst;
	size_t n;

	for (; *at != '\0'; at += n) {
		n = strcspn(at, ": ;,");
		if (n == 0) {
			n = 1;
			continue;
		}
		buf_init(&text, LIST_MAX);
		(void)buf_printf(&text, "ALL:%.*s", (int)n, at);
		dst = known;
		ERR_clear_error();
		if (buf_full(&text) ||
		    (SSL_CTX_set_strict_cipher_list(scratch, buf_p(&text)) !=
			    1 &&
			ERR_GET_REASON(ERR_peek_error()) ==
			    SSL_R_INVALID_COMMAND))
			dst = unknown;
		(void)buf_printf(dst, "%s%.*s", buf_len(dst) > 0 ? ":" : "",
		    (int)n, at);
		buf_fini(&text);
	}
	ERR_clear_error();
}

void
tlslib_tolerate(SSL *ssl)
{
#if HAVE_DECL_SSL_SET_ENFORCE_RSA_KEY_USAGE
	SSL_set_enforce_rsa_key_usage(ssl, 0);
#else
	(void)ssl;
#endif
}

X509 *
tlslib_x509(CRYPTO_BUFFER *der)
{
	return X509_parse_from_buffer(der);
}

static bool
is_post_quantum(struct str group)
{
	return memmem(group.p, group.n, "MLKEM", 5) != NULL ||
	       memmem(group.p, group.n, "Kyber", 5) != NULL;
}

/* Sets it: the whole list comes after. */
static bool
knows_group(SSL_CTX *ctx, SSL *ssl, struct str group)
{
	char text[64];

	return str_copy(text, sizeof(text), group) &&
	       set_groups(ctx, ssl, text) == 1;
}

static int
set_groups(SSL_CTX *ctx, SSL *ssl, const char *list)
{
#if HAVE_DECL_SSL_CTX_SET1_GROUP_IDS
	return ssl != NULL ? SSL_set1_groups_list(ssl, list)
			   : SSL_CTX_set1_groups_list(ctx, list);
#else
	return ssl != NULL ? SSL_set1_curves_list(ssl, list)
			   : SSL_CTX_set1_curves_list(ctx, list);
#endif
}

static int
same_object(
    const void *own, const void *shared, const char *name, struct err *why)
{
	Dl_info a, b;

	if (dladdr(own, &a) == 0 || dladdr(shared, &b) == 0)
		return err_text(why, "cannot tell where %s comes from", name);
	if (a.dli_fbase != b.dli_fbase)
		return err_text(why,
		    "%s comes from %s, not from BoringSSL in %s", name,
		    b.dli_fname, a.dli_fname);
	return 0;
}

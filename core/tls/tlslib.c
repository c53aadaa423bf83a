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
tlslib_set_groups(SSL_CTX *ctx, const char *list)
{
	/* The first is the one API 17 does not know. */
	static const char ours[] = "X25519MLKEM768:X25519:P-256:P-384:P-521";
	int ok;

#if HAVE_DECL_SSL_CTX_SET1_GROUP_IDS
	ok = SSL_CTX_set1_groups_list(ctx, list == NULL ? ours : list);
#else
	ok = SSL_CTX_set1_curves_list(
	    ctx, list == NULL ? strchr(ours, ':') + 1 : list);
#endif
	return ok == 1 ? 0 : -1;
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

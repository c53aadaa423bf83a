#include "tls/tlskey.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

static enum tls_keyop_status
tlskey_sign(void *arg, const void *key_id, uint16_t algorithm, struct str in,
    uint8_t *out, size_t *out_len, size_t max, void *ticket);
static void tlskey_cancel(void *arg, void *ticket);

const struct tls_keyops tlskey_local = { .sign = tlskey_sign,
	.cancel = tlskey_cancel };

static enum tls_keyop_status
tlskey_sign(void *arg, const void *key_id, uint16_t algorithm, struct str in,
    uint8_t *out, size_t *out_len, size_t max, void *ticket)
{
	/* Signing counts references in the key, but does not change it. */
	EVP_PKEY *key = (EVP_PKEY *)(uintptr_t)key_id;
	const EVP_MD *md = SSL_get_signature_algorithm_digest(algorithm);
	EVP_PKEY_CTX *pctx;
	EVP_MD_CTX ctx;
	bool ok;

	(void)arg;
	(void)ticket;
	*out_len = max;
	EVP_MD_CTX_init(&ctx);
	ok = EVP_DigestSignInit(&ctx, &pctx, md, NULL, key) == 1;
	if (ok && SSL_is_signature_algorithm_rsa_pss(algorithm))
		ok = EVP_PKEY_CTX_set_rsa_padding(
			 pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, -1) == 1;
	ok = ok && EVP_DigestSign(
		       &ctx, out, out_len, (const uint8_t *)in.p, in.n) == 1;
	(void)EVP_MD_CTX_cleanup(&ctx);
	return ok ? TLS_KEYOP_DONE : TLS_KEYOP_FAILED;
}

/* Nothing ever waits. */
static void
tlskey_cancel(void *arg, void *ticket)
{
	(void)arg;
	(void)ticket;
}

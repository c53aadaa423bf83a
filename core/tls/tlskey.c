#include "tls/tlskey.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

bool
tlskey_sign(EVP_PKEY *key, uint16_t algorithm, struct str in, uint8_t *out,
    size_t *out_len, size_t max)
{
	const EVP_MD *md = SSL_get_signature_algorithm_digest(algorithm);
	EVP_PKEY_CTX *pctx;
	EVP_MD_CTX ctx;
	size_t n = max;
	bool ok;

	if (SSL_get_signature_algorithm_key_type(algorithm) != EVP_PKEY_id(key))
		return false;
	EVP_MD_CTX_init(&ctx);
	ok = EVP_DigestSignInit(&ctx, &pctx, md, NULL, key) == 1;
	if (ok && SSL_is_signature_algorithm_rsa_pss(algorithm))
		ok = EVP_PKEY_CTX_set_rsa_padding(
			 pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, -1) == 1;
	ok = ok && EVP_DigestSign(
		       &ctx, out, &n, (const uint8_t *)in.p, in.n) == 1;
	(void)EVP_MD_CTX_cleanup(&ctx);
	ERR_clear_error();
	if (ok)
		*out_len = n;
	return ok;
}

#include "tls/tlsmac.h"

#include <openssl/digest.h>
#include <openssl/hmac.h>

#include "base/die.h"

void
tlsmac_sha1(struct str key, struct str text, uint8_t mac[TLSMAC_SHA1])
{
	unsigned n = 0;

	if (HMAC(EVP_sha1(), key.p, key.n, (const uint8_t *)text.p, text.n,
		mac, &n) == NULL || n != TLSMAC_SHA1)
		panic("no HMAC-SHA-1");
}

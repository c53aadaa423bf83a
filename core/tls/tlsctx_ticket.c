/*
 * Session tickets (RFC 5077 4) under a ring of keys that all workers have.
 *
 * The 48 octets of a key are a name and a secret, of which HKDF makes the keys
 * of AES-256-CBC and HMAC-SHA256. Whoever has the ring can read what was sent
 * under TLS 1.2 with resumption; so it is renewed, and kept in memory only.
 */
#include <openssl/cipher.h>
#include <openssl/digest.h>
#include <openssl/hkdf.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/rand.h>
#include <string.h>

#include "tls/tlsio_priv.h"

enum { KEY_OCTETS = 48 };
enum { TICKET_ERROR = -1, TICKET_UNKNOWN, TICKET_OK, TICKET_RENEW };

static int on_ticket(SSL *ssl, uint8_t *name, uint8_t *iv,
    EVP_CIPHER_CTX *cipher, HMAC_CTX *hmac, int encrypt);

void
tlsctx_ticket_keys(struct tlsctx *ctx, const struct tls_ticket_keys *k)
{
	static const char info[] = "postern session ticket";
	struct tlsctx_ticket *t = ctx->ticket;
	uint8_t both[64];
	unsigned i;

	ASSERT(ctx->server && k->n > 0 && k->n <= TLSCTX_TICKETS);
	for (i = 0; i < k->n; i++, t++) {
		memcpy(t->name, k->key[i], sizeof(t->name));
		if (HKDF(both, sizeof(both), EVP_sha256(),
			k->key[i] + sizeof(t->name),
			KEY_OCTETS - sizeof(t->name), NULL, 0,
			(const uint8_t *)info, sizeof(info) - 1) != 1)
			panic("keys of a ticket cannot be made");
		memcpy(t->aes, both, sizeof(t->aes));
		memcpy(t->hmac, both + sizeof(t->aes), sizeof(t->hmac));
	}
	ctx->ntickets = k->n;
	OPENSSL_cleanse(both, sizeof(both));
	(void)SSL_CTX_set_tlsext_ticket_key_cb(ctx->ssl, on_ticket);
}

static int
on_ticket(SSL *ssl, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
    HMAC_CTX *hmac, int encrypt)
{
	const struct tlsctx *ctx = tlsio_of(ssl)->ctx;
	const struct tlsctx_ticket *t = ctx->ticket;
	const EVP_CIPHER *aes = EVP_aes_256_cbc();
	unsigned i = 0;

	if (encrypt) {
		memcpy(name, t->name, sizeof(t->name));
		if (RAND_bytes(iv, EVP_CIPHER_iv_length(aes)) != 1 ||
		    EVP_EncryptInit_ex(cipher, aes, NULL, t->aes, iv) != 1)
			return TICKET_ERROR;
	} else {
		while (i < ctx->ntickets &&
		       memcmp(name, t[i].name, sizeof(t->name)) != 0)
			i++;
		if (i == ctx->ntickets)
			return TICKET_UNKNOWN;
		if (EVP_DecryptInit_ex(cipher, aes, NULL, t[i].aes, iv) != 1)
			return TICKET_ERROR;
	}
	if (HMAC_Init_ex(hmac, t[i].hmac, sizeof(t->hmac), EVP_sha256(),
		NULL) != 1)
		return TICKET_ERROR;
	return i == 0 ? TICKET_OK : TICKET_RENEW;
}

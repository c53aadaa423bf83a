/*
 * What contexts and connections see of an identity.
 */
#ifndef TLS_TLSIDENT_PRIV_H
#define TLS_TLSIDENT_PRIV_H

#include <openssl/pool.h>
#include <openssl/ssl.h>

#include "tls/certs.h"
#include "tls/tlsident.h"

struct tlsident {
	unsigned magic;
	unsigned refs;
	char *what, *warning;
	CRYPTO_BUFFER *chain[CERTS_MAX];
	size_t n;
	EVP_PKEY *key; /* NULL: behind ops */
	const struct tls_keyops *ops;
	void *ops_arg;
	struct tlskey_id id;
	int type;	/* EVP_PKEY_RSA, EVP_PKEY_EC, EVP_PKEY_ED25519 */
	uint16_t group; /* of an EC key: TLS NamedGroup; 0: another one */
	char **names;	/* DNS names of the leaf, small letters */
	size_t nnames;
	msec expires;
};

/* Are both for the same names? */
bool tlsident_twin(const struct tlsident *a, const struct tlsident *b);

#endif

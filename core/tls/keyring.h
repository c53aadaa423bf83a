/*
 * Private keys by the name of their public halves: what the keeper has.
 *
 * It signs what a TLS handshake signs and does nothing else with a key.
 */
#ifndef TLS_KEYRING_H
#define TLS_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "tls/tlsident.h"

enum { KEYRING_SIG_MAX = 1024 }; /* RSA-8192 */

struct keyring;

struct keyring *keyring_new(void);
void keyring_destroy(struct keyring **kp);

/*
 * Takes the key of a certificate: both PEM, without a passphrase, maybe the
 * same text. The key must be that of the first certificate. Its certificates,
 * and nothing else of the text, are added to public. chain_file and key_file:
 * names in errors. A key that is there already moves to the generation.
 */
int keyring_add(struct keyring *k, uint64_t generation,
    const char *chain_file, struct str chain, const char *key_file,
    struct str key, struct buf *public, struct tlskey_id *id_r,
    struct err *why);
/* Forgets keys of earlier generations. */
void keyring_forget(struct keyring *k, uint64_t before);
unsigned keyring_count(const struct keyring *k);

enum keyring_cost { KEYRING_UNKNOWN, KEYRING_FAST, KEYRING_SLOW };

/* What a signature with the key costs: RSA is a hundred times ECDSA. */
enum keyring_cost keyring_cost(const struct keyring *k,
    const struct tlskey_id *id);
/* algorithm: a TLS SignatureScheme. -1: no such key, or not its algorithm. */
int keyring_sign(struct keyring *k, const struct tlskey_id *id,
    uint16_t algorithm, struct str in, uint8_t *out, size_t *out_n,
    size_t max);

#endif

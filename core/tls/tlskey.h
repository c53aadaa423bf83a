/*
 * Signing with a private key that is in this process.
 */
#ifndef TLS_TLSKEY_H
#define TLS_TLSKEY_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* algorithm: TLS SignatureScheme. *out_len is set only if it succeeds. */
bool tlskey_sign(EVP_PKEY *key, uint16_t algorithm, struct str in, uint8_t *out,
    size_t *out_len, size_t max);

#endif

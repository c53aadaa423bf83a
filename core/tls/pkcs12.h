/*
 * PKCS#12: a certificate with its chain and key in one file, under a
 * passphrase. Reading one is part of certpile_read().
 */
#ifndef TLS_PKCS12_H
#define TLS_PKCS12_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "tls/certpile.h"

#define PKCS12_ROUNDS 200000

/*
 * The first of the pile is the certificate of its key, the others go along.
 * AES-256 with PBKDF2, or with legacy 3DES and SHA-1 for old programs. An
 * empty passphrase is refused. *legacy_r: it became the old form, asked for
 * or because the library knows no other.
 */
int pkcs12_write(const struct certpile *p, const char *name,
    const char *passphrase, bool legacy, struct buf *der, bool *legacy_r,
    struct err *why);

#endif

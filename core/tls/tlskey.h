/*
 * Private keys in this process: the simplest struct tls_keyops. key_id is an
 * EVP_PKEY.
 */
#ifndef TLS_TLSKEY_H
#define TLS_TLSKEY_H

#include "tls/tlsctx.h"

extern const struct tls_keyops tlskey_local;

#endif

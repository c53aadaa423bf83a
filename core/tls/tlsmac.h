/*
 * Checksums with a key.
 */
#ifndef TLS_TLSMAC_H
#define TLS_TLSMAC_H

#include <stdint.h>

#include "base/str.h"

#define TLSMAC_SHA1 20

/* HMAC-SHA-1 (RFC 2104), where a format asks for it. */
void tlsmac_sha1(struct str key, struct str text, uint8_t mac[TLSMAC_SHA1]);

#endif

/*
 * Certificates of our own, signed by themselves: for a first start and for
 * the receiver that shows what arrives. Nobody can verify them.
 */
#ifndef TLS_SELFSIGN_H
#define TLS_SELFSIGN_H

#include "base/buf.h"
#include "base/err.h"

/* Adds a P-256 key and a certificate for name, valid for ten years, as PEM. */
int selfsign_pem(const char *name, struct buf *pem, struct err *why);

#endif

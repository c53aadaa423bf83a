/*
 * Who we are: a certificate chain and the key behind it, which may be here or
 * in the keeper. Counted, shared by contexts; never changes.
 *
 * A server context has any number: it shows the one whose names the client
 * asked for (SNI), else its first, and of several with the same names that
 * which the client can use (ECDSA before RSA).
 */
#ifndef TLS_TLSIDENT_H
#define TLS_TLSIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct tlsident;
struct tls_keyops; /* tls/tlsctx.h */

/* SHA-256 of the leaf's SubjectPublicKeyInfo: how the keeper knows a key. */
struct tlskey_id {
	uint8_t sha256[32];
};

/*
 * chain: PEM, the leaf first, intermediates behind it; private keys in it are
 * skipped. key: PEM, or STR_NULL with ops: then whoever is behind ops signs
 * for the tlskey_id. The key must fit the leaf. what: name in errors.
 */
int tlsident_new(struct tlsident **id_r, const char *what, struct str chain,
    struct str key, const struct tls_keyops *ops, void *ops_arg,
    struct err *why);
/* The same from files; with ops, key_file is not read. NULL: that of the
 * chain. */
int tlsident_load(struct tlsident **id_r, const char *chain_file,
    const char *key_file, const struct tls_keyops *ops, void *ops_arg,
    struct err *why);
struct tlsident *tlsident_ref(struct tlsident *id);
void tlsident_unref(struct tlsident **idp);

const char *tlsident_what(const struct tlsident *id);
const struct tlskey_id *tlsident_key_id(const struct tlsident *id);
/* What is odd but no reason to refuse it ("certificate has expired"), or NULL.
 */
const char *tlsident_warning(const struct tlsident *id);
bool tlsident_is_ecdsa(const struct tlsident *id);
/* Is the leaf for this name (SAN, wildcards; CN where there is no SAN)? */
bool tlsident_covers(const struct tlsident *id, struct str name);
msec tlsident_expires(const struct tlsident *id); /* wall time */
/* Signs with a key that is here, for a keeper: see struct tls_keyops. False:
 * it is not here, or cannot do that algorithm. *n_r is set on success. */
bool tlsident_sign(const struct tlsident *id, uint16_t algorithm,
    struct str in, uint8_t *out, size_t *n_r, size_t max);

#endif

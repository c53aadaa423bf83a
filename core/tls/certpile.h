/*
 * What is in the files people hand over: certificates in any order and any of
 * the usual formats, and perhaps a private key.
 *
 * Known are PEM, DER, PKCS#7 (either) and PKCS#12 by its passphrase; anything
 * else is refused with the name of what it seems to be. A pile keeps the order
 * in which certificates came; certchain.h makes a chain of it.
 */
#ifndef TLS_CERTPILE_H
#define TLS_CERTPILE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"

#define CERTPILE_MAX 2000 /* certificates of one pile: a bundle of roots */

struct certpile;

struct certpile *certpile_new(void);
void certpile_destroy(struct certpile **pp);
/*
 * Adds what is in bytes; what: its name in errors. passphrase: of PKCS#12 and
 * of encrypted keys, NULL: none is known. On failure nothing was added.
 */
int certpile_read(struct certpile *p, struct str bytes, const char *what,
    const char *passphrase, struct err *why);
/* Adds the certificates of PEM text and passes over what is unreadable. */
void certpile_read_bundle(struct certpile *p, struct str pem);
/* Is that a PKCS#12 file, so that a passphrase is to be asked for? */
bool certpile_is_pkcs12(struct str bytes);

unsigned certpile_count(const struct certpile *p);
bool certpile_has_key(const struct certpile *p);
/* The i-th certificate, or all, or the key, as PEM. */
int certpile_pem(const struct certpile *p, unsigned i, struct buf *pem);
int certpile_pem_all(const struct certpile *p, struct buf *pem);
int certpile_key_pem(const struct certpile *p, struct buf *pem);
bool certpile_has(const struct certpile *p, const struct certpile *of,
    unsigned i); /* the i-th of the other */
void certpile_remove(struct certpile *p, unsigned i);
void certpile_copy(struct certpile *p, const struct certpile *from,
    unsigned i);

/* What a person wants to know of a certificate. Text is printable UTF-8. */
struct certfact {
	const char *subject, *issuer, *cn; /* cn "": none */
	const char *const *name; /* alternative names; NULL at the end */
	const char *serial, *key, *signature;
	const char *sha256, *sha1, *spki; /* fingerprints, hexadecimal */
	msec not_before, not_after;	  /* wall time */
	bool ca, self_signed;
	bool server, client; /* may be used by one, by its extended key usage */
};

void certpile_fact(const struct certpile *p, unsigned i, struct pool *pool,
    struct certfact *f_r);

enum certfact_match { CERTFACT_NO, CERTFACT_BY_CN, CERTFACT_BY_NAME };

/* Is a certificate for that host? The common name counts only where there is
 * no alternative one (RFC 9525: then it should not count at all). */
enum certfact_match certfact_covers(const struct certfact *f, const char *host);

#endif

/*
 * A cast of certificates, and what we make of their chains.
 */
#ifndef CAST_H
#define CAST_H

#include "pki.h"
#include "tls/tlsverify.h"

/*
 * Who is who, by letter:
 *   R  the trusted root         I  an intermediate of R
 *   U  a root nobody trusts     V  an intermediate of U
 *   J  an intermediate of I     X  as I, expired (same key)
 *   F  as I, of another key     C  an intermediate for clients only
 *   N  one for corp.example only, O one of R that expired
 *   P  a leaf of R that plays a CA   W  as I, but issued by U
 */
extern const struct pki_cert *cast[128];
extern struct tlstrust *cast_trust; /* of R */

void cast_start(void); /* pki_start() too */
void cast_stop(void);
/* chain: letters; L is leaf. */
void cast_verify(struct tlsverify_in *in, const struct pki_cert *leaf,
    const char *chain, struct tlsverify *v);

#endif

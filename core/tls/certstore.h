/*
 * The certificate store: named certificates with their keys, requests, earlier
 * versions and uses, in a directory of files (postern-certconfig(8)).
 *
 *     DIR/<name>/cert.pem    served chain: the leaf, then intermediates
 *     DIR/<name>/key.pem     private key, mode 0600
 *     DIR/<name>/csr.pem     request for the key, if there is one
 *     DIR/<name>/old/N.pem   earlier chains
 *     DIR/assign             a line "USE<TAB>name" for each use (certmap.h)
 *     DIR/ca.pem             the administrator's own list of roots
 *
 * <name> is percent-encoded where a file name forbids an octet. Changes are
 * made by renaming whole files under a lock, so that a reader never sees half
 * of one. Names of tls.directories (certbot, lego) can be found and assigned
 * as well, but are never written.
 */
#ifndef TLS_CERTSTORE_H
#define TLS_CERTSTORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/pool.h"

#define CERTSTORE_DEFAULT "Default certificate"	      /* RSA-4096 */
#define CERTSTORE_DEFAULT_EC "Default certificate (ECDSA)" /* P-256 */

struct certstore;

/* A directory that is not there is an empty store; errors name file and
 * cause. directories: NULL-terminated, may be NULL. */
int certstore_open(struct certstore **cs_r, const char *dir,
    const char *const *directories, struct err *why);
void certstore_close(struct certstore **csp);

/* The files of a certificate; -1: there is none of that name, or it has no
 * certificate yet. Strings are the store's. */
int certstore_find(struct certstore *cs, const char *name,
    const char **chain_r, const char **key_r, struct err *why);
/* The i-th name assigned to a use, the default first; NULL: no more. */
const char *certstore_assigned(const struct certstore *cs, const char *use,
    unsigned i);
/*
 * Makes the demonstration certificates that are missing, for hostname, valid
 * for ten years, self-signed with SHA-256. The ECDSA twin takes a millisecond;
 * the RSA-4096 one up to some seconds, so rsa asks for it and is not for an
 * event loop. *made_r tells whether anything was written.
 */
int certstore_make_default(struct certstore *cs, const char *hostname,
    bool rsa, bool *made_r, struct err *why);
bool certstore_is_default(const char *name);

#endif

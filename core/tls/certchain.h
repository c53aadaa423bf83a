/*
 * Chains: which certificates of a pile a server should show, in which order,
 * what is wrong with those it does show, and which roots may be trusted.
 */
#ifndef TLS_CERTCHAIN_H
#define TLS_CERTCHAIN_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/pool.h"
#include "tls/certpile.h"

enum certchain_level { CERTCHAIN_NOTE, CERTCHAIN_WARN, CERTCHAIN_FAIL };

/* word: machine-readable ("missing-intermediate"), text: for a person. */
struct certchain_finding {
	enum certchain_level level;
	const char *word, *text;
};

struct certchain {
	struct pool *pool;
	struct certchain_finding *v;
	unsigned n, cap;
	bool verified; /* ends in a trusted root, every one is valid now */
};

/*
 * served: as a server shows them, with the key if it is known. roots: what is
 * trusted; intermediates among them help to repair. Adds to c what is wrong.
 */
void certchain_check(struct certchain *c, const struct certpile *served,
    const struct certpile *roots, msec now);
/*
 * The chain that should be served: the certificate of the key, then its
 * issuers without the root. Duplicates and what does not belong to it are
 * left out, what is missing is taken from roots if it is there. -1: none is
 * the key's.
 */
int certchain_clean(const struct certpile *any, const struct certpile *roots,
    msec now, struct certpile *chain, struct err *why);

/*
 * Adds to list, the administrator's roots, what of news may be added: not
 * expired, not there yet, a CA's, and an intermediate only with its root.
 * The findings say what was left out. Returns the number added.
 */
unsigned certchain_add_roots(struct certchain *c, struct certpile *list,
    const struct certpile *news, const struct certpile *system, msec now);
bool certchain_expired(const struct certpile *p, unsigned i, msec now);

#endif

/*
 * Which certificate serves what: the outcome of boot file and certificate
 * store, made by who may read them (policy/conf, conf_certs()), handed to the
 * workers with the epoch, and read there by conf_tls().
 *
 * A use is "listener:NAME", "outbound", "destination:NAME" (of a destination
 * block), "https" or "service:NAME" (a plugin that asks for a client
 * certificate). A use has any number of rows; the first is the default.
 */
#ifndef TLS_CERTMAP_H
#define TLS_CERTMAP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"

struct certmap_row {
	const char *use;
	const char *name;  /* in the store, or the path of the chain */
	const char *chain; /* absolute path: PEM, the leaf first */
	const char *key;   /* absolute path; may be that of the chain */
};

struct certmap {
	struct certmap_row *row;
	unsigned n, cap;
	struct pool *pool; /* of rows and strings; the maker's */
};

void certmap_add(struct certmap *m, const char *use, const char *name,
    const char *chain, const char *key);
/* The i-th row of a use; NULL: no more. */
const struct certmap_row *certmap_find(const struct certmap *m,
    const char *use, unsigned i);
/* As lines of text, and back. */
void certmap_write(const struct certmap *m, struct buf *dst);
int certmap_read(struct certmap *m, struct str text, struct err *why);

#endif

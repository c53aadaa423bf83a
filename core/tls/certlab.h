/*
 * A throw-away certification authority, in memory: a root, an intermediate, and
 * certificates below it that are good or have one fault (tbl/certkinds.h). For
 * peers that shall be verified, or not: `postern sink --cert-kind`.
 */
#ifndef TLS_CERTLAB_H
#define TLS_CERTLAB_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum certlab_kind {
#define CERT_KIND(id, word, text) CERTLAB_##id,
#include "tbl/certkinds.h"
#undef CERT_KIND
	CERTLAB_KINDS
};

enum certlab_key {
	CERTLAB_P256,
	CERTLAB_P384,
	CERTLAB_RSA2048,
	CERTLAB_RSA4096, /* takes seconds */
	CERTLAB_KEYS
};

struct certlab;

/* "wrongname", "p256"; -1: there is no such word. */
int certlab_kind_parse(struct str word, enum certlab_kind *kind_r);
int certlab_key_parse(struct str word, enum certlab_key *key_r);
const char *certlab_kind_word(enum certlab_kind kind);
const char *certlab_kind_text(enum certlab_kind kind);

int certlab_new(struct certlab **lab_r, struct err *why);
void certlab_destroy(struct certlab **labp);
/* Adds a key and the chain to be sent, the leaf first, as PEM. names: domains
 * or addresses, at least one, ends with NULL. */
int certlab_issue(struct certlab *lab, enum certlab_kind kind,
    enum certlab_key key, const char *const *names, struct buf *pem,
    struct err *why);
/* Adds the root as PEM. */
int certlab_root(const struct certlab *lab, struct buf *pem, struct err *why);
/* Adds the revocation lists of intermediate and root as PEM: what was issued as
 * revoked so far is in them. */
int certlab_crls(const struct certlab *lab, struct buf *pem, struct err *why);

#endif

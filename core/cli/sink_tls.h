/*
 * The TLS contexts of the sink's addresses: certificates of a throw-away
 * authority, as the words of each want them.
 */
#ifndef CLI_SINK_TLS_H
#define CLI_SINK_TLS_H

#include "cli/sink_fault.h"
#include "tls/tlsctx.h"

struct sink_tls_conf {
	const char *hostname; /* names the certificate, if nobody else does */
	const char *cert, *key; /* files in place of certificates made */
	bool ask, require;	/* a certificate of the peer's */
	const char *ca_out, *crl_out; /* files to write, or NULL */
};

struct sink_tls;

int sink_tls_new(struct sink_tls **st_r, const struct sink_tls_conf *conf,
    struct err *why);
void sink_tls_destroy(struct sink_tls **stp);
/* A context for connections with that setting. */
int sink_tls_ctx(struct sink_tls *st, const struct sink_words *words,
    const struct sink_setting *s, struct tlsctx **ctx_r, struct err *why);
/* Writes the files, when all contexts have been made. */
int sink_tls_write(const struct sink_tls *st, struct err *why);

#endif

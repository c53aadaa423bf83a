/*
 * What the files of tlsio share: tlsio.c is the filter, tlsio_lib.c what the
 * library calls back.
 */
#ifndef TLS_TLSIO_PRIV_H
#define TLS_TLSIO_PRIV_H

#include "base/buf.h"
#include "tls/tlsctx_priv.h"
#include "tls/tlsio.h"
#include "tls/tlsref.h"

#define TLSIO_MAGIC 0x10091b03u

enum { TLSIO_SIG_MAX = 1024 }; /* RSA-8192 */

/* Needed during the handshake only. */
struct tlsio_shake {
	struct tlswant want;
	const struct tlsref *refs;
	struct tlsref *own_refs; /* if the caller had none */
	struct tlstrust *trust;	 /* NULL: nothing is trusted */
	char *domain;
	struct tlsident *own;	/* client: its own, in place of the context's */
	struct tlsident *ident; /* the one that is shown */
	bool asked;		/* client: for a certificate */
	bool key_wait; /* the ticket is out */
	bool key_ok;
	uint8_t sig[TLSIO_SIG_MAX];
	size_t sig_n;
};

struct tlsio {
	unsigned magic;
	bool done;
	bool failed;
	SSL *ssl;
	struct stream *stream;
	struct tlsctx *ctx;
	tlsio_handshake_fn *fn;
	void *arg;
	const char *raw; /* what input() was given and is not read yet */
	size_t raw_n;
	struct buf kept; /* raw octets from before */
	uint64_t session; /* key of the session cache, or 0 */
	struct tlsio_shake *shake;
	char *matched, *sni; /* what info points to */
	struct tls_info info;
};

struct tlsio *tlsio_of(const SSL *ssl);
/* What the peer is shown from here on. */
int tlsio_show(struct tlsio *t, struct tlsident *id);

#endif

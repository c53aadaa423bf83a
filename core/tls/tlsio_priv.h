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
	const struct tlsref *refs; /* those below or the caller's */
	struct tlsref *own_refs;
	uint16_t low;		   /* lowest version */
	enum tls_reason unfit;	   /* what was asked for cannot be done */
	const char *unfit_text;
	struct tlstrust *trust;	   /* NULL: nothing is trusted */
	struct tlsident *own;	/* client: its own, in place of the context's */
	struct tlsident *ident; /* the one that is shown */
	bool key_wait; /* the ticket is out */
	bool key_ok;
	uint8_t sig[TLSIO_SIG_MAX];
	size_t sig_n;
};

struct tlsio {
	unsigned magic;
	bool done;
	bool failed;
	bool asked; /* client: for a certificate */
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
	struct tls_failure *failure;
	char *matched, *sni, *names; /* what info points to */
	struct tls_info info;
};

/* tlsio_client.c */
void tlsio_set_up_client(struct tlsio *t, const struct tlsio_client *c);

/* tlsio_fail.c: fills tlsio_failure() from what the library has queued, from
 * an errno (0: end of file), or from what we say. */
void tlsio_failed_library(struct tlsio *t);
void tlsio_failed_system(struct tlsio *t, int error);
void tlsio_failed_here(
    struct tlsio *t, enum tls_reason reason, const char *text);
void tlsio_on_alert(const SSL *ssl, int type, int value);

/* tlsio_peer.c: fills the info about the peer's certificate. False: it must
 * not go on; *alert_r is for the peer. */
bool tlsio_check_peer(struct tlsio *t, uint8_t *alert_r);

/* tlsio_lib.c */
struct tlsio *tlsio_of(const SSL *ssl);
/* What the peer is shown from here on. */
int tlsio_show(struct tlsio *t, struct tlsident *id);

#endif

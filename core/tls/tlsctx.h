/*
 * TLS contexts: certificates, keys, trust and limits, shared by connections.
 *
 * Reference counted: configuration generations and connections die in any
 * order. Buffers method, certificate buffer pool, TLS 1.2 to 1.3 always set
 * on both ends.
 */
#ifndef TLS_TLSCTX_H
#define TLS_TLSCTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct tlsctx;
struct tlscache;
struct tlsident;
struct tlskey_id;
struct tlstrust;

enum tls_keyop_status { TLS_KEYOP_DONE, TLS_KEYOP_WAIT, TLS_KEYOP_FAILED };

/* Who holds a private key that is not here (tlsident.h); the seam behind which
 * another process sits. sign() fills out at once, or returns WAIT and later,
 * never from inside the call, calls tlsio_key_done(ticket, …). in is what is to
 * be hashed and signed with algorithm (TLS SignatureScheme); tlsident_sign()
 * does that. After cancel() it must not call. */
struct tls_keyops {
	enum tls_keyop_status (*sign)(void *arg, const struct tlskey_id *key,
	    uint16_t algorithm, struct str in, uint8_t *out, size_t *out_len,
	    size_t max, void *ticket);
	void (*cancel)(void *arg, void *ticket);
};

struct tlsctx_conf {
	bool server;
	/* One identity from files: see tlsident_load(). */
	const char *cert_file, *key_file;
	/* More of them, behind it. The context takes references. A server
	 * needs one at least; a client shows the first to those that ask,
	 * unless a connection has its own. */
	struct tlsident *const *ident;
	unsigned nident;
	const char *ca_file;	/* trusted roots; NULL: none are trusted */
	bool request_client_cert;
	uint16_t min_version, max_version; /* 0: TLS 1.2, TLS 1.3 */
	const char *ciphers;	/* NULL: ours. For TLS 1.2 only */
	const char *groups;	/* "X25519:P-256"; NULL: ours */
	struct tlstrust *trust; /* in place of ca_file; takes a reference */
	/* Server: a client without a certificate, or with one that does not
	 * hold, gets no session. */
	bool require_client_cert, verify_client_cert;
	/* Client: sessions, shared with other contexts and processes; it
	 * must outlive the context. NULL: a small one of its own. */
	struct tlscache *cache;
};

/* Errors name the file and what is wrong in it. */
int tlsctx_new(struct tlsctx **ctx_r, const struct tlsctx_conf *conf,
    struct err *why);
/* A server context with a fresh self-signed P-256 certificate for name, kept
 * in memory only (postern sink, first start). */
int tlsctx_new_selfsigned(struct tlsctx **ctx_r, const char *name,
    struct err *why);
/* What is odd but no reason to refuse it ("certificate has expired"), one
 * line; NULL when all is well. */
const char *tlsctx_warning(const struct tlsctx *ctx);
struct tlsctx *tlsctx_ref(struct tlsctx *ctx);
void tlsctx_unref(struct tlsctx **ctxp);
/*
 * For whoever reads settings. Words of a cipher list that the library does
 * not know are added to unknown, separated by colons: they do no harm, and
 * are worth a warning. -1: nothing is left of it. Of groups, only
 * post-quantum ones may be missing in a library; any other unknown one is an
 * error.
 */
int tlsctx_check_ciphers(const char *list, struct buf *unknown,
    struct err *why);
int tlsctx_check_groups(const char *list, struct err *why);
/* Keys for session tickets: the first makes new ones, all are accepted. The
 * master makes and rotates them for all workers. Without them the library
 * makes its own. */
struct tls_ticket_keys {
	uint8_t key[3][48];
	unsigned n;
};
void tlsctx_ticket_keys(struct tlsctx *ctx, const struct tls_ticket_keys *k);

/* Version text, API number and where it came from; for `postern version`. */
const char *tls_library(void);
unsigned tls_library_api(void);
/* Do BoringSSL's names come from BoringSSL? (plugins.md 4.1) */
int tls_self_check(struct err *why);

#endif

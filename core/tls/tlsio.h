/*
 * TLS on a live stream: STARTTLS both ways, or from the first byte.
 *
 * tlsio_start() puts a filter on the stream. The input buffer must be empty
 * at that moment (the caller drains it on the server side and closes on the
 * client side: RFC 3207 and security.md 1.3). handshake() is called once, from
 * the loop; after success the stream carries plain text as before. On failure
 * nothing more is ever sent in clear on this connection; the caller destroys
 * the stream. Nothing may be written before handshake() has been called. The
 * handshake's deadline is the caller's timer. The verdict on a certificate
 * is ours and is in tls_info; resumption checks again. A peer that closes
 * without close_notify is at its end like any other.
 */
#ifndef TLS_TLSIO_H
#define TLS_TLSIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/stream.h"
#include "tls/tlsctx.h"
#include "tls/tlsreason.h"
#include "tls/tlswant.h"

struct tlsident;
struct tlsref;
struct tlstrust;
struct tlsio;

/*
 * How much a client offers: steps of the retry ladder, from the strongest down
 * (dependencies.md 1.8). Each is a new connection, and a reason to log. Below
 * FULL only CLASSIC is for wants that verify.
 */
enum tls_step {
	TLS_STEP_FULL,
	TLS_STEP_CLASSIC, /* without post-quantum groups: a small hello */
	TLS_STEP_TLS12,	  /* nothing above TLS 1.2 */
	TLS_STEP_RSA,	  /* TLS 1.2 with RSA key exchange only */
	TLS_STEPS
};

/* What was achieved; strings live as long as the tlsio. */
struct tls_info {
	const char *version;	/* "TLSv1.3" */
	const char *cipher;	/* IETF name, "TLS_AES_256_GCM_SHA384" */
	int bits, alg_bits;
	const char *group;	/* key agreement, or "" */
	bool resumed;
	bool peer_cert;		/* the peer showed a certificate */
	bool verified;		/* chain and name hold */
	const char *matched;	/* the reference name that matched, or "" */
	const char *verify_why;	/* why not verified, "" if it is: see below */
	char fingerprint[65];	/* SHA-256 of the peer's leaf, hex; or "" */
	const char *sni;	/* server: what the client asked for, or "" */
	enum tls_reason reason; /* why not verified; NONE: it is, or nobody
				   checked */
	const char *matched_by; /* "san:domain", "cn:ptr", "pin", or "" */
	const char *names; /* reason NAME: "mx.example != a.example", or "" */
	bool revocation_checked;
};

/* Why a handshake failed, at length. */
struct tls_failure {
	enum tls_reason reason;
	uint32_t code;	  /* the library's packed error, 0: none */
	char text[192];	  /* "error:100000b8:SSL routines:OPENSSL_internal:
			     NO_SHARED_CIPHER", or of the system: "[Errno 104]
			     Connection reset by peer" */
	char names[224];  /* as in tls_info, or "" */
	int alert;	  /* number of a fatal alert, -1: none */
	bool alert_sent;  /* by us, else by the peer */
};

/*
 * verify_why: "not-checked" (opportunistic), "no-certificate",
 * "certificate-expired", "certificate-not-yet-valid", "self-signed",
 * "untrusted" (no chain to a root of ca_file), "wrong-purpose",
 * "name-mismatch", "certificate-revoked", "bad-signature",
 * "certificate-invalid".
 */

typedef void tlsio_handshake_fn(void *arg, bool ok, const struct err *why);

struct tlsio_client {
	const char *sni;	/* NULL: none sent (literals) */
	/* Copied; what it points to (names, pins), and the octets of domain,
	 * must live until the handshake ends. */
	const struct tlswant *want;
	struct str domain;	/* reference name when want has none */
	/* In place of names of the want and domain, in order; must live
	 * until the handshake ends. NULL: those. */
	const struct tlsref *refs;
	struct tlstrust *trust; /* NULL: the context's, or nobody is trusted
				   if the want names its own */
	/* Shown if asked for; takes a reference. NULL: the context's first, if
	 * it has any. */
	struct tlsident *cert;
	enum tls_step step;
	uint64_t session;	/* 0, or what sessions are shared by: a hash of
				   destination, sni and tlswant_key() */
};

/* Client if client is not NULL. The stream owns the tlsio. */
struct tlsio *tlsio_start(struct stream *s, struct tlsctx *ctx,
    const struct tlsio_client *client, tlsio_handshake_fn *fn, void *arg);
const struct tls_info *tlsio_info(const struct tlsio *t);
/* After a handshake that failed; as long as the tlsio. */
const struct tls_failure *tlsio_failure(const struct tlsio *t);
/* Inside the handshake's callback, or while it runs: the certificates that the
 * peer showed, a line each: "1/2 subject CN=… issuer CN=… from … until …
 * sha256 …". Nothing if it showed none. */
void tlsio_chain_text(const struct tlsio *t, struct buf *dst);
/* The same certificates as DER, the leaf first; -1: no more. */
int tlsio_chain_der(const struct tlsio *t, unsigned i, struct str *der_r);
void tlsio_key_done(void *ticket, bool ok, const uint8_t *sig, size_t n);

#endif

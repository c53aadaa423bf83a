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

#include "base/err.h"
#include "net/stream.h"
#include "tls/tlsctx.h"
#include "tls/tlswant.h"

struct tlsio;

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
	const struct tlswant *want;
	struct str domain;	/* reference name when want has none */
	uint64_t session;	/* 0, or what sessions are shared by: a hash of
				   destination, sni and tlswant_key() */
};

/* Client if client is not NULL. The stream owns the tlsio. */
struct tlsio *tlsio_start(struct stream *s, struct tlsctx *ctx,
    const struct tlsio_client *client, tlsio_handshake_fn *fn, void *arg);
const struct tls_info *tlsio_info(const struct tlsio *t);
void tlsio_key_done(void *ticket, bool ok, const uint8_t *sig, size_t n);

#endif

/*
 * Our verdict on a peer's certificate: pins, chain, dates, purpose,
 * revocation and name (requirements.md 4.1, docs/internals/verification.md).
 *
 * The library's own verdict (SSL_get_verify_result) says OK after any callback
 * that did, so nobody asks for it.
 */
#ifndef TLS_TLSVERIFY_H
#define TLS_TLSVERIFY_H

#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/str.h"
#include "tls/tlsreason.h"
#include "tls/tlsref.h"
#include "tls/tlstrust.h"
#include "tls/tlswant.h"

enum {
	TLSVERIFY_CHAIN_MAX = 32, /* so many of a peer's are looked at */
	TLSVERIFY_NAME_MAX = 255,
	TLSVERIFY_NAMES_MAX = 320
};

struct tlsverify_in {
	const STACK_OF(CRYPTO_BUFFER) *chain; /* the leaf first; may be NULL */
	const struct tlstrust *trust; /* NULL: nothing is trusted */
	bool server; /* the peer is one: its name is always compared */
	const struct tlsref *refs; /* for a client NULL: no name is compared */
	/* The leaf must be one of those that count now, if any does; chain,
	 * dates and name are then not asked for. */
	const struct tlspin *pin;
	unsigned npin;
};

struct tlsverify {
	bool ok;
	enum tls_reason reason; /* TLSR_NONE when ok */
	uint8_t alert;		/* for the peer when not ok */
	const char *by; /* "san:domain", "cn:ptr", "pin", …; "": no name */
	char matched[TLSVERIFY_NAME_MAX + 1]; /* the reference; or "" */
	/* TLSR_NAME: what was looked for and what the certificate is for, as
	 * far as there is room: "mx.example != a.example, b.example". */
	char names[TLSVERIFY_NAMES_MAX + 1];
	bool revocation_checked; /* a list of the leaf's issuer was there */
};

void tlsverify_chain(const struct tlsverify_in *in, struct tlsverify *v_r);

/* tlsverify_name.c: the reference that matched, NULL: none. chain: as
 * it was verified, the leaf first. */
const struct tlsref *tlsverify_name(
    STACK_OF(X509) *chain, const struct tlsref *refs, bool *by_cn_r);
void tlsverify_mismatch(STACK_OF(X509) *chain, const struct tlsref *refs,
    char *dst, size_t n);
/* Is a DNS name of a certificate for this one? A leading dot in ref: for any
 * below. */
bool tlsverify_dns(struct str presented, struct str ref);

#endif

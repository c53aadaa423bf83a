/*
 * What another want would make of the certificates that a peer showed.
 */
#ifndef TLS_TLSPEER_H
#define TLS_TLSPEER_H

#include <stdbool.h>

#include "tls/tlsio.h"
#include "tls/tlsref.h"

struct tlspeer {
	bool verified;
	enum tls_reason reason;
	char matched[256];	/* the reference name, or "" */
	const char *matched_by; /* as in tls_info */
};

/* Inside the callback of a client's handshake. trust NULL: nobody is
 * trusted. */
void tlspeer_judge(const struct tlsio *t, const struct tlswant *want,
    const struct tlsref *refs, const struct tlstrust *trust,
    struct tlspeer *p_r);

#endif

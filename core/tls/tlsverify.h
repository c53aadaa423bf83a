/*
 * Our verdict on a peer's certificate: chain, dates, purpose and name.
 */
#ifndef TLS_TLSVERIFY_H
#define TLS_TLSVERIFY_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/str.h"

struct tlsverify {
	bool ok;
	const char *why;     /* a word of tlsio.h, "" when ok */
	struct str matched;  /* points into the names that were given */
	uint8_t alert;	     /* for the peer when not ok */
};

/*
 * store may be NULL: nothing is trusted. server: the peer is one. Names end
 * with a NULL str and are only compared for servers; none there: no name
 * can match. A name that is an IP address is compared with IP names.
 */
void tlsverify_chain(const SSL *ssl, X509_STORE *store, bool server,
    const struct str *names, struct tlsverify *v_r);

#endif

/*
 * A failed handshake in words: for the log, which has the form of Cisco's
 * appliances (requirements.md S2-80), and for people.
 */
#ifndef TLS_TLSFAIL_H
#define TLS_TLSFAIL_H

#include "base/buf.h"
#include "base/err.h"
#include "tls/tlsio.h"

/* The peer said nothing any more, and the library knows of no mistake. */
void tls_failure_set(struct tls_failure *f_r, enum tls_reason reason,
    const char *text);
/* The connection broke: "[Errno 104] Connection reset by peer". */
void tls_failure_broken(struct tls_failure *f_r, const struct err *why);
/*
 * Adds "(268435640, 'error:100000b8:SSL routines:OPENSSL_internal:
 * NO_SHARED_CIPHER')", the number being that of the text; what is no error of
 * the library as it is.
 */
void tls_failure_line(const struct tls_failure *f, struct buf *dst);
/* The lines of a block for people (tls.verbose): the alert, and the reason with
 * the line above. */
void tls_failure_block(const struct tls_failure *f, struct buf *dst);
/* RFC 8446 6: "handshake_failure"; "unknown" for a number without a name. */
const char *tls_alert_name(int alert);

#endif

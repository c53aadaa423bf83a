/*
 * Why TLS was not had, or not trusted: numbers and words (tbl/reasons.h).
 */
#ifndef TLS_TLSREASON_H
#define TLS_TLSREASON_H

#include "base/str.h"

enum tls_reason {
	TLSR_NONE,
#define TLS_REASON(id, word, type, status, text) TLSR_##id,
#include "tbl/reasons.h"
#undef TLS_REASON
	TLSR_COUNT
};

/* For TLSR_NONE each is "". */
const char *tls_reason_word(enum tls_reason r);	  /* "name-mismatch" */
const char *tls_reason_type(enum tls_reason r);	  /* RFC 8460 4.3 */
const char *tls_reason_status(enum tls_reason r); /* "4.7.5" */
const char *tls_reason_text(enum tls_reason r);
/* By its word; TLSR_NONE if there is none of that name. */
enum tls_reason tls_reason_find(struct str word);

#endif

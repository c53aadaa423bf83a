/*
 * Reference identities: the names a certificate may be for (RFC 9525 2), each
 * with how it became one. Whoever knows the destination makes the list
 * (relay/refs); tlsverify compares in its order, the first match ends it.
 */
#ifndef TLS_TLSREF_H
#define TLS_TLSREF_H

#include <stdbool.h>

#include "base/str.h"

enum tlsref_kind {
	TLSREF_DOMAIN, /* the recipient's domain */
	TLSREF_MX,     /* host name of an MX record */
	TLSREF_ROUTE,  /* host of a static route */
	TLSREF_NAME,   /* named by the administrator */
	TLSREF_PTR     /* name of the address we are connected to */
};

enum tlsref_how {
	TLSREF_SAN,	  /* DNS names, or IP addresses, of subjectAltName */
	TLSREF_CN,	 /* the subject's CN, exactly, SANs or not */
	TLSREF_SAN_OR_CN /* SANs; the CN where there is no SAN */
};

struct tlsref {
	enum tlsref_kind kind;
	enum tlsref_how how;
	/* An IP address is compared with IP names. A leading dot: any name
	 * below. A trailing dot does not count. NULL str: end of a list. */
	struct str name;
};

/* "domain", "mx", "route", "name", "ptr" */
const char *tlsref_kind_word(enum tlsref_kind kind);

#endif

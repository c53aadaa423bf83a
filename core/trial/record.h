/*
 * DNS records as people write them in a zone file, made into rdata.
 */
#ifndef TRIAL_RECORD_H
#define TRIAL_RECORD_H

#include "net/dns.h"

#define RECORD_MAX 4096

/* Octets in dst, or -1: it is no record of that type. *name_r: of the host
 * that MX, PTR and CNAME name, a part of text; *pref_r: of MX. */
int record_wire(enum dns_type type, const char *text,
    unsigned char dst[RECORD_MAX], uint16_t *pref_r, const char **name_r);

#endif

/*
 * What is posted: the JSON text of an alert and its signature.
 */
#ifndef HOOK_H
#define HOOK_H

#include <postern/alert_sink.h>

/* Freed by the caller; NULL: no memory. */
char *hook_json(const struct pst_alert_record *r, uint64_t times);
/* "sha256=" and HMAC-SHA256 of body in hexadecimal digits. */
#define HOOK_SIGNATURE 72
void hook_sign(char dst[HOOK_SIGNATURE], const char *secret,
    const char *body);

#endif

/*
 * What an entry of Postfix's smtp_tls_policy_maps comes to as a TLS want
 * (tls/tlswant.h). Nothing becomes weaker: what has no counterpart becomes the
 * next stronger, or is told.
 */
#ifndef CLI_POSTTLS_H
#define CLI_POSTTLS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"

#define POSTTLS_LEFT 16

struct posttls_left {
	const char *word, *reason, *instead;
};

struct posttls {
	const char *want;     /* NULL: the entry is not mapped */
	const char *stronger; /* in what it is more than there, or NULL */
	bool once;	      /* connections are for one message */
	struct posttls_left left[POSTTLS_LEFT];
	unsigned nleft;
};

/* The entry is for domain, or with a leading dot for those below it, or for the
 * host of a next hop. -1: Postfix has no use for it either. */
int posttls_read(struct pool *pool, const char *domain, const char *value,
    struct posttls *p, struct err *why);

#endif

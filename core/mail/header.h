/*
 * Header fields, byte-exact (RFC 5322 2.2).
 *
 * An index over bytes that stay where they are: each field with its folds and
 * its final CRLF. Used for reports, Message-ID and later for rules. Parsing
 * never changes a byte and never fails: what is not a field ends the header.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include <stddef.h>

#include "base/pool.h"
#include "base/str.h"

struct header_field {
	struct str name;  /* without the colon */
	struct str value; /* behind the colon, folds kept, without last CRLF */
	struct str raw;	  /* all of it, with last CRLF */
};

struct header {
	struct header_field *v;
	size_t n;
	size_t bytes; /* up to the blank line, without it */
};

/* At most max fields are indexed; bytes still counts all. */
void header_parse(struct pool *pool, struct str message, size_t max,
    struct header *h_r);
/* The nth (from 0) field of that name, case-insensitive; NULL: none. */
const struct header_field *header_find(const struct header *h,
    const char *name, unsigned nth);
/* Value with folds undone and outer blanks off, in pool memory. */
struct str header_unfold(struct pool *pool, struct str value);

#endif

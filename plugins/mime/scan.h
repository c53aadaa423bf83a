/*
 * The structure of a message, from octets that come in pieces of any size:
 * header fields, boundaries, nested messages.
 *
 * GMime's own parser pulls, and keeps the fields of every part for as long as
 * it works, a hundred thousand of them if there are; so the walk is ours, and
 * GMime reads what fields say. Nothing is kept of a message but the start of
 * the line at hand, the three fields of the part at hand, and the boundaries of
 * what it is in.
 */
#ifndef MIME_SCAN_H
#define MIME_SCAN_H

#include "field.h"
#include "look.h"

struct scan;

/* A message. archive: what it is in, for the rows of what it holds. */
struct scan *scan_new(struct look *k, unsigned depth, const char *archive);
/* The body of an entity whose header was read elsewhere; e is taken. */
struct scan *scan_new_body(struct look *k, unsigned depth, const char *archive,
    struct entity *e);
void scan_feed(struct scan *s, const char *p, size_t n);
/* The message is over: what is open ends here. */
void scan_end(struct scan *s);
void scan_free(struct scan *s);

#endif

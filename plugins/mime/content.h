/*
 * Decoded octets: of a part, of a file in an archive, of a uuencoded file.
 *
 * Whether they are text, a message or an archive is decided by type, name and
 * first octets, since senders choose all three; several may be true.
 */
#ifndef MIME_CONTENT_H
#define MIME_CONTENT_H

#include "field.h"
#include "look.h"

struct content;

/* Rows for all its names, if it is an attachment. depth: of what is inside. */
struct content *content_new(struct look *k, unsigned depth,
    const char *archive, const struct entity *e);
void content_feed(struct content *c, const char *p, size_t n);
/* What an archive says of its size. */
void content_declared(struct content *c, uint64_t size);
/* No more is asked for. */
bool content_full(const struct content *c);
/* It is whole: archives are opened now. c is gone. */
void content_end(struct content *c);
/* It is gone, and nothing is opened. */
void content_free(struct content *c);
/* Its rows say why it was not looked into, or are made to if it had none. */
void content_unreadable(struct content *c, const char *why);
void content_encrypted(struct content *c);

/* Transfer decoding in front of it. */
struct leaf;
struct leaf *leaf_new(struct look *k, unsigned depth, const char *archive,
    const struct entity *e);
void leaf_feed(struct leaf *l, const char *p, size_t n);
void leaf_end(struct leaf *l);
void leaf_free(struct leaf *l);

#endif

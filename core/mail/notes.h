/*
 * Notes: small texts by name that travel with a message (note.* of plugins
 * and rules). Names are [a-z0-9_.-]{1,64}, values any text; at most 64 notes
 * and 16 KB of their text form in all.
 */
#ifndef MAIL_NOTES_H
#define MAIL_NOTES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"

#define NOTES_MAX 64
#define NOTES_TEXT_MAX 16384

struct notes;

struct notes *notes_new(struct pool *pool);
struct notes *notes_copy(struct pool *pool, const struct notes *n);
bool notes_empty(const struct notes *n); /* NULL is */
const char *notes_get(const struct notes *n, const char *name); /* or NULL */
/* value NULL: it goes. */
int notes_set(struct notes *n, const char *name, const char *value,
    struct err *why);
/* name and value in the order of the names; false: no more. */
bool notes_at(const struct notes *n, unsigned i, const char **name_r,
    const char **value_r);
/* ASCII, "" for none. dst must take NOTES_TEXT_MAX octets. */
void notes_write(const struct notes *n, struct buf *dst);
int notes_read(struct notes **n_r, struct pool *pool, struct str text,
    struct err *why);

#endif

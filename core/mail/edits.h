/*
 * Edits of a header: an overlay on content that never changes.
 *
 * A list of operations, applied in order whenever the header is read or sent;
 * each sees what those before it left. It is kept with the message in its text
 * form. Names are RFC 5322 ftext, values one field's text in which LF begins a
 * folded line (a blank is put in front if there is none); CR, NUL, folded lines
 * without text (some take them for the end of the header) and lines above 998
 * octets are refused. Limits: 200 operations, 64 KB of their text form.
 *
 * Octets above 127 are refused, unless the list belongs to a message with
 * SMTPUTF8; then they must be UTF-8. Others write RFC 2047 words: only who
 * makes the field knows where those may stand.
 */
#ifndef MAIL_EDITS_H
#define MAIL_EDITS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"
#include "mail/header.h"

#define EDITS_MAX 200
#define EDITS_TEXT_MAX 65536

/* The values are those of enum pst_edit. */
enum edit_op { EDIT_ADD, EDIT_INSERT, EDIT_SET, EDIT_DELETE };

struct edits;

struct edits *edits_new(struct pool *pool);
struct edits *edits_copy(struct pool *pool, const struct edits *e);
void edits_set_utf8(struct edits *e, bool on); /* at first: no */
bool edits_has_utf8(const struct edits *e); /* octets above 127 */
/* name and value are copied; nth is looked at by EDIT_SET and EDIT_DELETE. */
int edits_add(struct edits *e, enum edit_op op, const char *name,
    unsigned nth, const char *value, struct err *why);
bool edits_empty(const struct edits *e); /* NULL is */
/* Same operations in the same order? NULL is empty. */
bool edits_equal(const struct edits *a, const struct edits *b);

/* The text form: ASCII, "" for none; what cannot be read is an error. It is
 * not asked for SMTPUTF8 again. dst must take EDITS_TEXT_MAX octets. */
void edits_write(const struct edits *e, struct buf *dst);
int edits_read(struct edits **e_r, struct pool *pool, struct str text,
    struct err *why);

/* The header that comes of h: fields with their CRLF, without the blank line.
 * EDIT_INSERT goes below the first `keep` fields (our Received), or what is
 * left of them. dst must take h->bytes + EDITS_TEXT_MAX octets. Fields that h
 * does not index, because it was parsed with a ceiling, stay as they are. */
void edits_apply(const struct edits *e, const struct header *h, size_t keep,
    struct buf *dst);

#endif

/*
 * Bytes of our own: a buffer that grows up to a ceiling.
 *
 * It is born with its ceiling. Passing the ceiling is refused input: the
 * function returns -1, the buffer is unchanged and marked (buf_full()).
 * Adding within the ceiling never fails. There is always a NUL behind the
 * contents. Consuming from the front is cheap.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/die.h"
#include "base/str.h"

struct buf {
	char *mem;   /* what was allocated; NULL while empty and unused */
	size_t off;  /* consumed bytes at the front of mem */
	size_t len;  /* bytes of contents behind off */
	size_t cap;  /* bytes allocated */
	size_t max;  /* the ceiling of len */
	bool full;   /* something did not fit */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
void buf_reset(struct buf *b);  /* empty, memory kept */
void buf_shrink(struct buf *b); /* gives memory back when empty */

int buf_add(struct buf *b, const void *p, size_t n);
int buf_add_c(struct buf *b, const char *s);
int buf_add_str(struct buf *b, struct str s);
int buf_add_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) ATTR_PRINTF(2, 3);
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) ATTR_PRINTF(2, 0);
/* Room for n bytes at the end, to be filled and counted by buf_added(). */
char *buf_room(struct buf *b, size_t n); /* NULL: past the ceiling */
void buf_added(struct buf *b, size_t n);

char *buf_p(const struct buf *b); /* contents, NUL behind; "" when empty */
size_t buf_len(const struct buf *b);
struct str buf_str(const struct buf *b); /* valid until the next change */
void buf_consume(struct buf *b, size_t n);
void buf_truncate(struct buf *b, size_t n);
bool buf_full(const struct buf *b);
/* The contents as a heap string of the caller's; the buffer is empty after. */
char *buf_steal(struct buf *b);

#endif

/*
 * Text of any character set, plain or HTML, to UTF-8 that words are looked for
 * in.
 *
 * What is not shown is left out: line ends' CR, NULs, marks without a width; of
 * HTML tags, comments, scripts and styles, while blocks end a line and entities
 * are what they stand for. A character set that nobody knows is read as ASCII
 * with the rest as in ISO 8859-1, so that words are found all the same.
 */
#ifndef MIME_TEXT_H
#define MIME_TEXT_H

#include "look.h"

struct text;

/* charset: NULL if it is not known; then a byte order mark counts. */
struct text *text_new(struct look *k, const char *charset, bool html);
void text_feed(struct text *t, const char *p, size_t n);
/* The rest of it; t is gone. */
void text_end(struct text *t);

#endif

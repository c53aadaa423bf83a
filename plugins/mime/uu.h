/*
 * Text with uuencoded files in it, as mail had them before MIME, and as some
 * programs still read them: "begin 644 name", lines, "end".
 */
#ifndef MIME_UU_H
#define MIME_UU_H

#include "look.h"
#include "text.h"

struct uu;

/* text gets all that is no file; or NULL. It is taken. */
struct uu *uu_new(struct look *k, unsigned depth, const char *archive,
    struct text *text);
void uu_feed(struct uu *u, const char *p, size_t n);
void uu_end(struct uu *u);

#endif

/*
 * Tables of Postfix in text form, as postmap(1) reads them: "key value" lines,
 * '#' lines, and lines that begin with white space and go on with the one
 * before. What postmap leaves out with a warning is an error here.
 */
#ifndef CLI_POSTTABLE_H
#define CLI_POSTTABLE_H

#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"

#define POSTTABLE_LINE_MAX (64 * 1024)

struct posttable {
	struct str rest;
	int line; /* of the last that was taken, or of the error */
};

struct posttable_row {
	int line;
	const char *key, *value; /* neither is empty; UTF-8, no controls */
};

/* Is there another? -1: it is malformed, in line t->line. */
int posttable_next(struct posttable *t, struct pool *pool,
    struct posttable_row *row_r, struct err *why);
/* White space as there: blank, tab, CR, VT, FF. */
struct str posttable_trim(struct str s);
/* Cuts the next piece of one of these off *rest; pieces are not empty. */
bool posttable_word(struct str *rest, const char *seps, struct str *word_r);

#endif

/*
 * Lines of fields with commas or semicolons between, with or without quotes
 * (RFC 4180). The first line says which of both it is, and names the columns.
 * A field does not go over the end of a line.
 */
#ifndef CLI_CSV_H
#define CLI_CSV_H

#include <stdbool.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"

#define CSV_LINE_MAX (16 * 1024)
#define CSV_FIELDS_MAX 64

struct csv {
	struct str rest;
	int line; /* of the last that was taken, or of the error */
	char sep;
};

void csv_init(struct csv *c, struct str text); /* skips a byte order mark */
/* The number of fields of the next line that is not empty; 0: there is none;
 * -1: it is malformed. Fields are UTF-8 without controls, blanks around them
 * cut off where there are no quotes. */
int csv_next(struct csv *c, struct pool *pool,
    const char *field_r[CSV_FIELDS_MAX], struct err *why);

#endif

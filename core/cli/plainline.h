/*
 * A line of a file that people write: UTF-8, with no controls but white space,
 * so that it can be shown.
 */
#ifndef CLI_PLAINLINE_H
#define CLI_PLAINLINE_H

#include "base/err.h"
#include "base/str.h"

/* The text of such a file without the byte order mark that editors of other
 * systems put there. */
struct str plainline_text(struct str text);
int plainline_check(struct str s, struct err *why);

#endif

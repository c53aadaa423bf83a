/*
 * A line of a file that people write: UTF-8, with no controls but white space,
 * so that it can be shown.
 */
#ifndef CLI_PLAINLINE_H
#define CLI_PLAINLINE_H

#include "base/err.h"
#include "base/str.h"

int plainline_check(struct str s, struct err *why);

#endif

/*
 * Dates of header fields (RFC 5322 3.3, with the obsolete forms of 4.3).
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/clock.h"
#include "base/str.h"

/* "[Tue,] 17 Apr 2018 00:57[:53] +0200", with comments anywhere. A zone that
 * nobody knows counts as UTC. -1: no date. */
int date_parse(struct str text, msec *wall_r);

#endif

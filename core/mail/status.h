/*
 * Reply codes and enhanced status codes (RFC 5321 4.2, RFC 3463, RFC 5248).
 */
#ifndef MAIL_STATUS_H
#define MAIL_STATUS_H

#include <stdbool.h>

#include "base/str.h"

struct status {
	int code;	/* 250, 451, 550 …; 0: no reply (network error) */
	char enh[12];	/* "5.1.1"; always filled */
};

/* "5.1.1" at the front of text, class must match the code; moves *text. */
bool status_parse_enh(struct str *text, int code, char *enh_r, size_t n);
/* Generic code for a reply without one: 2.0.0, 4.0.0, 5.0.0, … */
const char *status_default(int code);
/* Log phrase: "Bad destination host" for 5.1.2 (requirements.md section 5). */
const char *status_phrase(const char *enh);
bool status_enh_valid(struct str s);

#endif

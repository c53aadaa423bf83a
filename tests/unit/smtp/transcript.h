/*
 * Conversations as tables. Each step is a string that begins with
 *	"C: "	the client says this line
 *	"R: "	the client sends these octets; "\0" is written as backslash, 0
 *	"H: "	the client says EHLO c, and any good answer will do
 *	"S: "	the server says this line; "..." at its end: anything follows
 *	"X: "	the server closes
 *	"O: "	what the server asked its owner, in this order (smtpd_fake.h);
 *		without any, it is not looked at
 */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include "smtpd_fake.h"

enum { TRANSCRIPT_STEPS = 48 };

struct transcript {
	const char *name;
	void (*setup)(struct fake *f); /* NULL: as it is */
	const char *step[TRANSCRIPT_STEPS];
};

/* Plays it with and without waiting, octet by octet, cut at each place and all
 * at once: the replies and the log must be those written down each time. */
void transcript_play(const struct transcript *t);

#endif

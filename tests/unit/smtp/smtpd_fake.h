/*
 * A server session with a made-up owner, and a client that is an array of
 * octets, over a socket pair. Time stands still unless it is moved.
 *
 * What the owner is asked is written down in `log`, a line each; an accepted
 * message with its content. It decides by name: a local part or EHLO name that
 * begins with "no" is refused 550, "temp" 450, "close" 421 and closed, and with
 * "later" answered yes from the loop; anything else is accepted.
 */
#ifndef SMTPD_FAKE_H
#define SMTPD_FAKE_H

#include "base/buf.h"
#include "net/loop.h"
#include "smtp/smtpd.h"

struct fake {
	struct smtpd_conf conf; /* may be changed before fake_start() */
	struct smtpd_ops ops;
	bool wait;		/* answer every question later */
	bool stop;	 /* told to stop before anything else */
	bool body_wait;		/* the same for content */
	struct smtpd_verdict connect, tls, body, eom, etrn; /* answers */

	struct loop *loop;
	struct smtpd *s; /* NULL: closed */
	int fd;		 /* the client's end; -1: closed */
	bool eof;	 /* the server has closed its side */
	struct buf replies;
	struct buf log;
	struct buf content; /* of the message that is coming in */
	enum smtpd_end how;
	struct err why;
	unsigned questions; /* open now */
	unsigned envelopes; /* transactions begun and not ended */
	unsigned messages;  /* accepted */
	unsigned refused;   /* after their content was sent */
	size_t peak;	    /* longest content seen */
	struct smtpd_verdict pending;
};

void fake_init(struct fake *f); /* a clock, a loop, defaults */
void fake_start(struct fake *f);
void fake_fini(struct fake *f);

/* Sends and runs the loop until nothing happens any more. */
void fake_send(struct fake *f, const void *p, size_t n);
void fake_run(struct fake *f);
void fake_shutdown(struct fake *f); /* the client has sent everything */
void fake_hang_up(struct fake *f);
/* Time goes by, timers fire. */
void fake_wait(struct fake *f, msec ms);

#endif

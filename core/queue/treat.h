/*
 * Treatments: what plugins and rules want done with a message, and with each
 * of its recipients, before it is queued.
 *
 * Whoever speaks for the message says so with rcpt TREAT_ALL, for a recipient
 * with its index. A recipient begins with what holds for all at that moment;
 * edits for all that come later are its as well, so that each edit sees what
 * those before it left. The TLS want and the route are the recipient's own
 * (struct rcpt) and no matter of this: they are the next hop's key.
 *
 * A new body is written piece by piece behind the header as it was received,
 * in which bare CR and LF become CRLF. What is refused changes nothing; but
 * what cannot be undone (a body beyond its limit) fails the whole: the message
 * must not be taken then, treat_check() says why.
 *
 * A word of its own makes a branch of recipients that would otherwise be
 * treated as others are; and one may be sent after the recipients of a word
 * had the TLS they need, or were given up (queue/after.c).
 */
#ifndef QUEUE_TREAT_H
#define QUEUE_TREAT_H

#include "base/clock.h"
#include "base/err.h"
#include "base/pool.h"
#include "mail/edits.h"
#include "store/store.h"

#define TREAT_ALL (-1)
#define TREAT_REASON_MAX 255	      /* octets of a quarantine's reason */
#define TREAT_HOLD_MAX HOURS(720)	      /* 30 days; of waits, too */
#define TREAT_WORD_MAX 64		      /* octets of a branch's word */

struct treat;

/* What holds for a recipient, or for all. */
struct treatment {
	const struct edits *edits;  /* NULL: none */
	struct body_ref *body;	    /* a whole new content; NULL: as it was
				     * received. Finished by treat_check() */
	const char *quarantine;	    /* why it is held; NULL: it is not */
	msec hold;		    /* until the first attempt; 0: at once */
	const char *word;	    /* of its branch; NULL: none */
	const char *after;	    /* word whose branches go first, or NULL */
	msec wait;		    /* for them, not longer */
	bool eightbit;		    /* body: an octet above 127 behind the
				     * header */
	const char *by;		    /* who gave the recipient its own */
};

/* utf8: the message is SMTPUTF8; max_body: octets of a new content. */
struct treat *treat_new(struct store *store, bool utf8, uint64_t max_body);
void treat_destroy(struct treat **tp);

/* The instance (plugin, rule) that speaks from now on, for the log. */
void treat_by(struct treat *t, const char *instance);
int treat_edit(struct treat *t, int rcpt, enum edit_op op, const char *name,
    unsigned nth, const char *value, struct err *why);
/* why is cleaned of what is not printable, and cut. The first reason stays. */
void treat_quarantine(struct treat *t, int rcpt, const char *why);
int treat_hold(struct treat *t, int rcpt, msec hold, struct err *why);
/* Words are of [A-Za-z0-9_.-]; "": none from now on. The last one counts. */
int treat_word(struct treat *t, int rcpt, const char *word, struct err *why);
int treat_after(struct treat *t, int rcpt, const char *word, msec wait,
    struct err *why);
/* Could it be one? "WORD SECONDS" taken apart; "": none. */
int treat_is_word(struct str word, struct err *why);
int treat_read_after(const char *value, struct str *word_r, msec *wait_r,
    struct err *why);
/* Seconds, up to TREAT_HOLD_MAX. */
int treat_read_hold(const char *value, msec *hold_r, struct err *why);
/* That recipient is not taken: the next one has its number. */
void treat_forget(struct treat *t, int rcpt);
/* header: the received one with its Received, without the blank line; used by
 * the first call, which begins the body. */
int treat_body(struct treat *t, int rcpt, struct str header, const void *p,
    size_t n, struct err *why);

const struct treatment *treat_of(const struct treat *t, int rcpt);
/* No more changes; -1: a new body failed, the message must not be taken. */
int treat_check(struct treat *t, struct err *why);
bool treatment_equal(const struct treatment *a, const struct treatment *b);

#endif

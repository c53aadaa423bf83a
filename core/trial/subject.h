/*
 * What the plugins of a script are asked about: a session, the message it
 * sends, its recipients and the branches they make.
 *
 * It stands in for the session and the delivery of the relay, as struct
 * about_ops; here are facts, edits, notes, bodies and scopes, and nobody asks
 * anything. All memory is of one pool.
 */
#ifndef TRIAL_SUBJECT_H
#define TRIAL_SUBJECT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "host/about.h"
#include "host/hooks.h"
#include "mail/addr.h"
#include "relay/relay.h"

#define SUBJECT_MAGIC 0x7c61e203U
#define SUBJECT_RCPTS 1000

struct subject_rcpt {
	struct addr addr;
	const char *tls, *route, *profile, *quarantine, *hold, *word, *after;
	struct edits *edits;
	struct buf *body; /* NULL: the message's */
	struct notes *notes; /* of its branch; NULL: there is none yet */
	struct scope *scope;
	unsigned branch;
	bool dropped; /* it is in none */
};

struct subject {
	unsigned magic;
	struct pool *pool;
	/* Whose routes and profiles there are; NULL: nobody knows which */
	const struct relay_conf *relay;
	const char *fact[FACT_COUNT];
	enum hook at; /* what is being asked: what can be set depends on it */
	int about;    /* and about whom: a recipient, or -1 */
	bool session, message;
	struct scope *session_scope, *message_scope, *event_scope;
	/* The session's are noted with each message. */
	struct notes *session_notes, *notes;
	struct edits *edits;
	struct buf content; /* header and body as received, CRLF */
	size_t body_at;	    /* where the body begins; 0: not known yet */
	struct buf *body;   /* a new one for all */
	struct subject_rcpt *rcpt[SUBJECT_RCPTS + 1];
	unsigned nrcpt;	    /* the one asked about at RCPT is behind them */
	unsigned nbranch, notices;
};

extern const struct about_ops subject_ops;

struct subject *subject_new(struct pool *pool);
/* Scopes end: message and recipients first, then the session. */
void subject_end_message(struct subject *s);
void subject_end_session(struct subject *s);
void subject_end_event(struct subject *s);
/* A new message; the last one has ended. */
int subject_mail(struct subject *s, const char *from, struct err *why);
int subject_rcpt(struct subject *s, const char *to, struct err *why);
void subject_rcpt_done(struct subject *s, bool taken);
/* Recipient's own or that for all; NULL: "", which takes it back, or none. */
const char *subject_said(const struct subject *s, enum fact f,
    const char *own);
/* subject_split.c: makes the branches. */
void subject_split(struct subject *s);
/* Of the message; once there are branches, of that recipient's (-1: of the
 * first). */
struct notes *subject_notes(struct subject *s, int rcpt);
/* The first recipient of a branch. */
int subject_branch(struct subject *s, unsigned branch);
/* The recipient's number, or -1. */
int subject_find(const struct subject *s, const char *address);
/* Header and body as that recipient (-1: anybody) gets them. */
void subject_header_text(struct subject *s, int rcpt, struct buf *dst);
struct str subject_body_of(const struct subject *s, int rcpt);
/* NULL: none is at hand. */
struct subject_rcpt *subject_at(struct subject *s, int rcpt);
/* subject_set.c and subject_rcpt.c: as struct about_ops has them. */
int subject_set(void *arg, enum fact f, int rcpt, const char *value,
    struct err *why);
bool subject_dropped(void *arg, int rcpt);
int subject_add(void *arg, const char *address, int flags, struct err *why);
int subject_drop(void *arg, int rcpt, const char *by, struct err *why);
int subject_notify(void *arg, const struct about_notice *n, struct err *why);
/* A fact by its name; false: there is none. */
bool subject_fact(const char *name, enum fact *f_r);
const char *subject_fact_name(enum fact f);

#endif

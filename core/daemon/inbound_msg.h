/*
 * A message that is coming in, as plugins see and treat it: from MAIL until
 * the queue has it or it was given up.
 *
 * What was asked for is kept apart from the envelope, per message (all) and
 * per recipient (plan), until the end of the data; recipients are numbered as
 * in the envelope, and the one that is being asked about comes behind them.
 * The header is kept from the first octet to the end of the message, ours in
 * front, if anybody may read it.
 */
#ifndef DAEMON_INBOUND_MSG_H
#define DAEMON_INBOUND_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/filter.h>

#include "base/buf.h"
#include "host/about.h"
#include "host/hooks.h"
#include "mail/envelope.h"
#include "mail/header.h"
#include "queue/queue.h"
#include "store/store.h"

#define INMSG_MAGIC 0x1b0d0005u

struct branch;
struct inmsg_routing;
struct treat;
struct treatment;

/* What is no matter of the branches: of one recipient, or of all. */
struct plan {
	const char *want;	/* TLS, text; NULL: none */
	const char *route;	/* NULL: none */
	const char *profile;	/* for bounces; NULL: none of its own */
	struct scope *scope;	/* of a recipient: PST_RCPT */
};

/* Where it is, between the end of the data and the queue. */
enum inmsg_step { INMSG_HEADERS, INMSG_SETTLE, INMSG_FILTERS, INMSG_EOM,
	INMSG_ROUTES, INMSG_SPLIT, INMSG_BRANCH, INMSG_SUBMIT };

struct inmsg {
	unsigned magic;
	struct session *s;
	struct pool *pool;
	struct envelope *env;
	bool complete;		  /* the data has ended */
	bool env_ours;		  /* since then, up to the split */
	const struct rcpt *asking; /* not in env yet, or NULL */
	struct plan all;
	struct plan **plan;	  /* by RID; NULL: nothing special */
	unsigned nplan;
	const char *turn;	  /* the instance that was asked last */
	struct treat *treat;	  /* all else that was asked for; or NULL */
	struct notes *notes;	  /* NULL: none */
	struct scope *scope;	  /* PST_MESSAGE */

	/* the header, ours first */
	bool watched;		  /* somebody may look at the content */
	bool head_done;		  /* it is complete */
	bool parsed;		  /* header is what it says */
	bool head_due;		  /* and nobody was told yet */
	struct buf head;
	size_t received;	  /* octets of it that are ours */
	uint64_t given;		  /* octets of content so far */
	struct header header;	  /* as it came */
	struct pool *edited_pool;
	struct header edited;	  /* with the edits, of that recipient */
	bool edited_good;
	int edited_rcpt;

	/* the content */
	struct body_ref *body;
	bool stalled;		  /* the store takes no more */
	bool unreadable;	  /* somebody could not read it */
	bool writing;		  /* a new body, into fresh */
	struct buf fresh;
	bool rewritten;		  /* the content has text behind its header */
	struct buf text;

	/* filter/1 */
	const char *filter_op;	  /* that is asked; NULL: none */
	struct instance *filter;  /* who is asked */
	struct inmsg_off *off;	  /* who has ended */
	struct buf piece;
	struct pst_chunk chunk;

	enum inmsg_step step;
	struct inmsg_routing *routing; /* inbound_route.c */
	struct body_ref *settling; /* that is waited for; or NULL */
	struct branch *branch;	  /* since the split, nbranch of them */
	unsigned nbranch, at_branch;
	struct branch *cur;	  /* of them, that is asked about; or NULL */
	/* What the client is told at the end, whatever comes. */
	enum hook_act end;
	struct err end_reply;
	const char *end_by;
	const char *drop_by;	  /* who dropped recipients */
	struct branch *notice;	  /* messages of ours that go with it */
	unsigned nnotice;
};

void inmsg_new(struct session *s, struct envelope *env);
/* Clean-ups of plugins run; env goes if it is ours. */
void inmsg_destroy(struct inmsg **mp);

/* The plan of a recipient, made if there is none; of all: rcpt -1. */
struct plan *inmsg_plan(struct inmsg *m, int rcpt);
/* NULL: nothing special. */
const struct plan *inmsg_planned(const struct inmsg *m, int rcpt);
/* A recipient that was asked about is not taken. */
void inmsg_plan_drop(struct inmsg *m, unsigned rcpt);
const struct rcpt *inmsg_rcpt(const struct inmsg *m, int rcpt);
struct treat *inmsg_treat(struct inmsg *m); /* made if there is none */
const struct treatment *inmsg_treatment(const struct inmsg *m, int rcpt);
/* Of the branch, if one is asked about. */
void inmsg_quarantine(struct inmsg *m, int rcpt, const char *why);
msec inmsg_hold(const struct inmsg *m);
const char *inmsg_route(const struct inmsg *m, int rcpt); /* NULL: none */
const char *inmsg_profile(const struct inmsg *m, int rcpt); /* so */
/* The want of a recipient: its own and that for all. "" = none. */
const char *inmsg_want(const struct inmsg *m, int rcpt, struct pool *pool);

/* Octets of the content, of which in has seen all (NULL: they are ours); true:
 * the header is complete now. */
void inmsg_head_add(struct inmsg *m, const char *p, size_t n,
    const struct bodyin *in);
bool inmsg_head_ended(struct inmsg *m, uint64_t header_bytes);
const struct header *inmsg_header(struct inmsg *m, int rcpt);
int inmsg_edit(struct inmsg *m, int rcpt, enum edit_op op, const char *name,
    unsigned nth, const char *value, struct err *why);
bool inmsg_body(struct inmsg *m, uint64_t off, struct str *piece_r);
int inmsg_body_write(struct inmsg *m, int rcpt, const void *p, size_t n,
    struct err *why);
/* Whose turn it is. */
void inmsg_turn(struct inmsg *m, const char *instance);

/* All that was asked for goes into the envelope and what split() makes of it:
 * m->branch, if it was anything or `always`. -1: it cannot be done, the message
 * must be refused. */
int inmsg_split(struct inmsg *m, bool always, struct err *why);
/* Where there are no branches. */
void inmsg_submit(struct inmsg **mp, queue_submitted *done, void *arg);
void inmsg_branch(struct inmsg *m, unsigned i);
void inmsg_branch_end(struct inmsg *m);
struct rcpt *inmsg_branch_rcpt(const struct inmsg *m, unsigned n);
unsigned inmsg_nrcpt(const struct inmsg *m); /* of the branch, if it is one */

/* inbound_rcpt.c: recipients that plugins add and drop, and notices. A number,
 * or -1 and why. */
int inmsg_rcpt_add(struct inmsg *m, const char *address, int flags,
    struct err *why);
int inmsg_rcpt_drop(struct inmsg *m, int rcpt, const char *by,
    struct err *why);
bool inmsg_rcpt_dropped(const struct inmsg *m, int rcpt);
int inmsg_notify(struct inmsg *m, const struct about_notice *n,
    struct err *why);
/* Those of m, m->nnotice of them, as messages behind the n of *v; logged. */
void inmsg_notices(struct inmsg *m, struct branch **v, unsigned n);

/* inbound_facts.c */
extern const struct about_ops session_about;

#endif

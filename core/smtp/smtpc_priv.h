/*
 * Inside the SMTP client: what the files smtpc*.c share.
 *
 * smtpc.c owns the life cycle, the timers and the road of a reply to the
 * file of the step that waits for it. The others each have the steps of one
 * phase. A function that may end the connection or call the owner returns
 * nothing: afterwards c->ended is set if the connection is gone, and whoever
 * goes on must look. The struct itself lives until the end of the loop's
 * round.
 */
#ifndef SMTP_SMTPC_PRIV_H
#define SMTP_SMTPC_PRIV_H

#include "mail/body.h"
#include "net/loop.h"
#include "smtp/replyin.h"
#include "smtp/smtpc.h"

#define SMTPC_MAGIC 0x53c11e47u

/* What the peer offers: replaced whole at every EHLO, zeroed at STARTTLS. */
struct smtpc_caps {
	bool esmtp;
	bool pipelining, starttls, eightbit, smtputf8, dsn;
	bool requiretls;
	bool masked; /* a keyword is overwritten with X's */
	bool auth_plain, auth_login;
	bool size;
	uint64_t size_max; /* 0: SIZE without a limit */
};

/*
 * The transaction's commands have positions, so that two numbers tell all:
 * what is sent and what is answered. Recipient i is at TXN_RCPT + i, then come
 * DATA and the end of data.
 */
enum { TXN_RSET, TXN_MAIL, TXN_RCPT };

struct smtpc_run {
	const struct smtpc_txn *txn; /* NULL: no transaction */
	unsigned sent, answered;     /* the next to send, to be answered */
	unsigned accepted;	     /* recipients */
	bool begun;		     /* something may have been sent */
	bool utf8;		     /* MAIL says SMTPUTF8 */
	bool mail_refused;	     /* its reply is in c->kept */
	bool empty;		     /* 354 with no recipient accepted */
	bool source_late;	     /* SMTPC_MORE_LATER was the answer */
	bool header_sent;
	bool filling; /* inside txn_fill(): no second one */
	struct bodyout out;
};

struct smtpc {
	unsigned magic;
	struct loop *loop;
	struct smtpc_conf conf;
	const struct smtpc_ops *ops;
	void *arg;

	struct stream_connect *connecting;
	struct stream *stream; /* NULL: not there yet, or gone */
	struct tlsio *tls;     /* the stream's; NULL: clear */
	bool tls_up;
	bool ended; /* closed() was called, or must not be */

	enum smtpc_step step; /* set_step() is the only writer */
	struct loop_timer timer;
	uint64_t out_seen;	/* octets written when the timer was set */
	uint64_t in_seen;	/* octets read when the handshake began */
	struct loop_timer soon; /* runs soon_fn from the loop */
	void (*soon_fn)(struct smtpc *c);

	struct replyin in;
	struct smtpc_reply kept; /* a reply that is told later */
	char kept_text[496];
	struct smtpc_caps caps;
	enum { AUTH_PLAIN, AUTH_LOGIN_USER, AUTH_LOGIN_PASSWORD } auth_state;
	bool needs_rset; /* the peer may think a transaction is open */
	unsigned messages;
	struct smtpc_run run;
};

/* smtpc.c */
/* smtpc_new() in two halves: a client, and the stream it shall use (tests and
 * fuzzers bring their own). */
struct smtpc *smtpc_alloc(struct loop *l, const struct smtpc_conf *conf,
    const struct smtpc_ops *ops, void *arg);
void smtpc_adopt(struct smtpc *c, struct stream *s);
void smtpc_set_step(struct smtpc *c, enum smtpc_step step);
/* The waiting goes on: the step's time begins anew. */
void smtpc_patience(struct smtpc *c);
/* A command (with its CRLF) while nothing else is under way; ends the
 * connection if octets came that nobody asked for. */
void smtpc_command(struct smtpc *c, enum smtpc_step step, struct str line);
bool smtpc_unasked(const struct smtpc *c);
/* fn(c) from the loop, unless the connection is gone by then. */
void smtpc_soon(struct smtpc *c, void (*fn)(struct smtpc *c));
void smtpc_set_ready(struct smtpc *c);
/* Ends the connection: QUIT is sent first if the peer still listens. */
void smtpc_end(struct smtpc *c, const struct smtpc_reply *r, bool quit);
/* The same, with a reply made here. */
void smtpc_end_fail(struct smtpc *c, enum smtpc_fail fail, bool quit,
    const char *enh, const char *fmt, ...) ATTR_PRINTF(5, 6);
void smtpc_end_protocol(struct smtpc *c, const char *what);
/* A reply of ours: its text is e's, so e must live as long. */
struct smtpc_reply smtpc_reply_made(
    const struct smtpc *c, enum smtpc_fail fail, const struct err *e);
/* Copies r to c->kept; a long text is cut. */
void smtpc_keep(struct smtpc *c, const struct smtpc_reply *r);

/* smtpc_hello.c */
void smtpc_hello_banner(struct smtpc *c, const struct smtpc_reply *r);
void smtpc_hello_begin(struct smtpc *c); /* EHLO, also again after TLS */
void smtpc_hello_ehlo(struct smtpc *c, const struct smtpc_reply *r);
void smtpc_hello_helo(struct smtpc *c, const struct smtpc_reply *r);
void smtpc_caps_parse(struct smtpc_caps *caps_r, struct str text);

/* smtpc_tls.c */
bool smtpc_tls_wanted(const struct smtpc *c);
void smtpc_tls_begin(struct smtpc *c); /* STARTTLS, or what is without it */
void smtpc_tls_answer(struct smtpc *c, const struct smtpc_reply *r);
void smtpc_tls_handshake(struct smtpc *c);
void smtpc_tls_refused(struct smtpc *c, enum tls_reason reason,
    const char *text, const struct smtpc_reply *said);
/* Something that the want asks of a host with TLS: ends. */
void smtpc_tls_lacks(struct smtpc *c, enum tls_reason reason);
void smtpc_tls_cut(struct smtpc *c, enum smtpc_fail fail,
    const struct err *why);
/* In the handshake: the connection is gone, or the time is over. */
void smtpc_tls_broken(struct smtpc *c, enum stream_end how,
    const struct err *why);
void smtpc_tls_late(struct smtpc *c);
/* Did the connection end because the peer did not like our handshake? */
bool smtpc_tls_disowned(struct smtpc *c);

/* smtpc_auth.c */
void smtpc_auth_begin(struct smtpc *c);
void smtpc_auth_answer(struct smtpc *c, const struct smtpc_reply *r);

/* smtpc_envelope.c: demands and command lines of a transaction */
/* -1: the message cannot be sent to this peer at all. */
int smtpc_demand_message(const struct smtpc *c, struct err *why);
/* -1: recipient i cannot. */
int smtpc_demand_rcpt(const struct smtpc *c, unsigned i, struct err *why);
bool smtpc_needs_utf8(const struct smtpc *c);
void smtpc_line_mail(const struct smtpc *c, struct buf *dst);
void smtpc_line_rcpt(const struct smtpc *c, unsigned i, struct buf *dst);

/* smtpc_txn.c */
void smtpc_txn_answer(struct smtpc *c, const struct smtpc_reply *r);
void smtpc_txn_early(struct smtpc *c, const struct smtpc_reply *r);
void smtpc_txn_drained(struct smtpc *c);

#endif

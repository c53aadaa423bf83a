/*
 * What the files of the SMTP server share.
 *
 * One command goes: line, check() (syntax, no effects, fills why), the hook
 * (a question to struct smtpd_ops, which may wait), act() (effect and reply).
 * act() is told the verdict: if it is not SMTPD_OK, it takes back what check()
 * has put into the session and hands the verdict to smtpd_refused().
 */
#ifndef SMTP_SMTPD_PRIV_H
#define SMTP_SMTPD_PRIV_H

#include "mail/body.h"
#include "net/loop.h"
#include "smtp/cmdline.h"
#include "smtp/smtpd.h"

#define SMTPD_HELO_MAX 255 /* octets of EHLO's argument */

/* X(id, name for the status, states it may be left for) */
#define SMTPD_STATES(X)                                                        \
	X(CONNECT, "connecting", AT_TLS | AT_START | AT_REFUSED)               \
	X(REFUSED, "refused", AT_REFUSED | AT_CHUNK)                           \
	X(START, "greeted", AT_START | AT_READY | AT_TLS | AT_CHUNK)           \
	X(READY, "ready",                                                      \
	    AT_START | AT_READY | AT_MAIL | AT_TLS | AT_AUTH | AT_CHUNK)       \
	X(MAIL, "mail",                                                        \
	    AT_START | AT_READY | AT_MAIL | AT_RCPT | AT_BDAT | AT_CHUNK |     \
		AT_TLS)                                                        \
	X(RCPT, "recipients",                                                  \
	    AT_START | AT_READY | AT_RCPT | AT_DATA | AT_BDAT | AT_CHUNK |     \
		AT_TLS)                                                        \
	X(DATA, "data", AT_READY | AT_EOM)                                     \
	X(CHUNK, "chunk",                                                      \
	    AT_REFUSED | AT_START | AT_READY | AT_MAIL | AT_RCPT | AT_BDAT |   \
		AT_EOM)                                                        \
	X(BDAT, "between chunks", AT_START | AT_READY | AT_BDAT | AT_CHUNK)    \
	X(EOM, "committing", AT_READY)                                         \
	X(AUTH, "authenticating", AT_READY | AT_AUTH)                          \
	X(TLS, "handshake", AT_START | AT_REFUSED)                             \
	X(CLOSING, "closing", 0)

enum smtpd_state {
#define X(id, name, next) ST_##id,
	SMTPD_STATES(X)
#undef X
};

enum {
#define X(id, name, next) AT_##id = 1 << ST_##id,
	SMTPD_STATES(X)
#undef X
	    AT_ANY = AT_START | AT_READY | AT_MAIL | AT_RCPT | AT_BDAT,
	AT_TXN = AT_MAIL | AT_RCPT | AT_BDAT,
	/* A message is in transit. */
	AT_TRANSIT = AT_DATA | AT_CHUNK | AT_BDAT | AT_EOM
};

enum smtpd_verb_flags {
	VF_CLEAR = 1 << 0,  /* legal in clear although TLS is required */
	VF_NO_ARG = 1 << 1, /* takes no argument */
	VF_CHUNK = 1 << 2   /* octets follow, even if it is refused */
};

enum smtpd_hook {
	HOOK_NONE,
	HOOK_HELO,
	HOOK_MAIL,
	HOOK_RCPT,
	HOOK_DATA,
	HOOK_BDAT,
	HOOK_ETRN
};

struct smtpd_verb {
	const char *text;
	size_t len;
	unsigned states, flags;
	enum smtpd_hook hook;
	int (*check)(struct smtpd *s, struct str arg, struct err *why);
	void (*act)(struct smtpd *s, const struct smtpd_verdict *v);
};

#define VERB(id, text, states, flags, hook)                                    \
	int smtpd_##id##_check(struct smtpd *s, struct str arg,                \
	    struct err *why);                                                  \
	void smtpd_##id##_act(struct smtpd *s, const struct smtpd_verdict *v);
#include "tbl/verbs.h"
#undef VERB

/* Which question is open. */
enum smtpd_asked {
	ASKED_NOTHING,
	ASKED_CONNECT,
	ASKED_TLS,
	ASKED_VERB,
	ASKED_AUTH,
	ASKED_BODY,
	ASKED_EOM
};

/* What the client has told about itself: forgotten at STARTTLS. */
struct smtpd_facts {
	char *helo; /* NULL: it has not greeted yet */
	bool esmtp;
	char *auth; /* who it is, NULL: nobody */
};

struct smtpd {
	unsigned magic;
	enum smtpd_state state;
	enum smtpd_asked asked;
	const struct smtpd_verb *verb; /* being executed */
	const struct smtpd_conf *conf;
	const struct smtpd_ops *ops;
	void *arg;
	struct loop *loop;
	struct stream *stream;
	struct tlsio *tlsio; /* NULL: clear */

	bool pumping;  /* input is being worked off: the stack is in it */
	bool tls_up;   /* the handshake has succeeded */
	bool stopping; /* close as soon as nothing is in transit */
	bool eof;      /* the peer sends no more */
	bool broken;   /* nothing can be sent any more either */
	bool dead;     /* closed; freed when the stack is empty */

	struct loop_timer timer;
	msec started;
	msec deadline;	 /* 0: none */
	msec armed_for;	 /* what the timer is set to, not later than it */
	msec asked_at;	 /* when the open question was asked */
	msec rate_since; /* when the content began, waiting taken off */
	msec rate_at;	 /* next look at the rate, 0: none */
	uint64_t rate_bytes;

	struct smtpd_facts facts;
	struct err *refusal; /* said to all commands but QUIT; or NULL */
	unsigned errors, bad_rcpts, commands, messages;

	struct cmdline line;
	size_t take; /* octets of the line that is executed */

	/* The transaction. env is ours until eom. */
	struct envelope *env;
	struct pool *scratch; /* of one command; NULL: none yet */
	struct rcpt *rcpt;    /* being asked about */
	struct str etrn;
	bool subdomains; /* of etrn */
	bool rcpt_tried; /* there was a RCPT */
	unsigned dropped; /* recipients that are not in env */
	bool begun;	 /* ops->mail said yes: abort() is owed */
	bool framed;	 /* BDAT */
	bool failed;	 /* BDAT: a chunk was refused, RSET is due */
	bool reading;	 /* body is initialised */
	bool last;	 /* BDAT LAST */
	bool swallow;	 /* the chunk is refused already */
	bool ended;	 /* all content has been read */
	bool too_big, header_too_big;
	struct smtpd_verdict *body_no; /* the owner's, given after the end */
	struct buf backlog; /* content cut off behind a piece that waits */
	enum smtpd_state after; /* the chunk */
	uint64_t left;		/* octets of the chunk to come */
	uint64_t chunk;		/* all octets of it */
	uint64_t content;	/* octets handed out */
	struct bodyin body;

	/* AUTH */
	bool auth_plain;
	struct str auth_initial; /* while the command is executed */
	char *auth_user; /* pending */

	enum smtpd_end how; /* while closing */
	struct err *why;    /* the same; NULL: QUIT */
};

#define SMTPD_MAGIC 0x534d5044u

/* smtpd.c */
void smtpd_set_state(struct smtpd *s, enum smtpd_state next);
/* The command line that is being executed leaves the stream. */
void smtpd_take(struct smtpd *s);
/* Notes the question; when WAIT, nothing goes on before the answer. */
void smtpd_ask(struct smtpd *s, enum smtpd_asked what);
/* What to do with a verdict on asked, given at once or later. */
void smtpd_resume(struct smtpd *s, enum smtpd_asked asked,
    const struct smtpd_verdict *v);
void smtpd_greet(struct smtpd *s);
const char *smtpd_host(const struct smtpd *s); /* that we greet with */
void smtpd_forget(struct smtpd *s); /* facts */

/* smtpd_reply.c */
void smtpd_say(struct smtpd *s, const char *line); /* without CRLF */
/* A verdict that says yes: its own words, or this line, "250 2.1.0 Ok". */
void smtpd_said_yes(
    struct smtpd *s, const struct smtpd_verdict *v, const char *line);
/* Answers a mistake of the client; 5yz are counted, and too many of them end
 * the session, as a 421 does. */
void smtpd_error(struct smtpd *s, const struct err *why);
/* The same for a verdict that is not SMTPD_OK. */
void smtpd_refused(struct smtpd *s, const struct smtpd_verdict *v);
/* Answers such a verdict without counting it. */
void smtpd_answer_no(struct smtpd *s, const struct smtpd_verdict *v);
/* Something for the mail log. */
void smtpd_trouble(struct smtpd *s, const char *what);
/* One more of them; past max (0: any) the session is closed: true. */
bool smtpd_too_many(struct smtpd *s, unsigned *count, unsigned max,
    const char *text);

/* smtpd_end.c */
/* Says goodbye, then closes when it is sent. */
void smtpd_close(struct smtpd *s, enum smtpd_end how, int code,
    const char *enh, const char *text);
void smtpd_finish(struct smtpd *s, enum smtpd_end how, const struct err *why);
/* The end, at once. */
void smtpd_end(struct smtpd *s, enum smtpd_end how, const struct err *why);

/* smtpd_time.c */
void smtpd_patience(struct smtpd *s); /* a new deadline for this state */
void smtpd_rate_start(struct smtpd *s);
void smtpd_timer_fired(void *arg);

/* smtpd_input.c */
/* One line, or what there is of content; false: needs more input. */
bool smtpd_command_input(struct smtpd *s);

/* smtpd_cmd_mail.c */
void smtpd_txn_end(struct smtpd *s); /* aborts what is open */
struct pool *smtpd_scratch(struct smtpd *s); /* emptied */

/* smtpd_cmd_data.c */
bool smtpd_data_input(struct smtpd *s);
bool smtpd_chunk_input(struct smtpd *s);
void smtpd_body_answered(struct smtpd *s, const struct smtpd_verdict *v);
void smtpd_eom_answered(struct smtpd *s, const struct smtpd_verdict *v);
/* BDAT's argument, before anything else is looked at. */
int smtpd_bdat_size(struct smtpd *s, struct str arg, struct err *why);
void smtpd_bdat_swallow(struct smtpd *s); /* its octets, after a refusal */

/* smtpd_cmd_auth.c */
void smtpd_auth_line(struct smtpd *s, struct str line);
void smtpd_auth_answered(struct smtpd *s, const struct smtpd_verdict *v);
void smtpd_auth_cancel(struct smtpd *s); /* the exchange, after a bad line */

/* smtpd_cmd_starttls.c */
bool smtpd_tls_offered(const struct smtpd *s);
bool smtpd_requiretls_offered(const struct smtpd *s);
void smtpd_tls_start(struct smtpd *s);
void smtpd_tls_answered(struct smtpd *s, const struct smtpd_verdict *v);
void smtpd_tls_lost(
    struct smtpd *s, enum smtpd_end how, const struct err *why);

#endif

/*
 * The SMTP server: one session on one stream (RFC 5321).
 *
 * It speaks the protocol and decides nothing: whatever has a meaning beyond
 * syntax is asked of struct smtpd_ops, and each question may be answered at
 * once (SMTPD_NOW, verdict filled in) or later by smtpd_answer()
 * (SMTPD_WAIT); meanwhile the session reads nothing more. Syntax errors,
 * command order, limits of one session, line ends, pipelining, BDAT framing,
 * STARTTLS and the timers are handled here, before any question is asked.
 *
 * A bare LF or CR in a command is a 500; in a message it is refused with 550
 * 5.6.0 after the end of data unless conf->normalize. What was learned before
 * STARTTLS is forgotten, what was pipelined behind it discarded.
 */
#ifndef SMTP_SMTPD_H
#define SMTP_SMTPD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "mail/body.h"
#include "mail/envelope.h"
#include "net/stream.h"
#include "tls/tlsctx.h"
#include "tls/tlsio.h"

enum smtpd_tls {
	SMTPD_TLS_OFF,
	SMTPD_TLS_PREFERRED,
	SMTPD_TLS_REQUIRED
};

/* Const while any session uses it; belongs to a configuration generation. */
struct smtpd_conf {
	const char *hostname;	  /* "by"; greets unless banner_host */
	const char *banner_host;
	unsigned banner_code;	  /* 0: 220 */
	const char *banner_text;  /* behind "220 HOST ESMTP " */
	const char *listener;	  /* name, for log and rules */
	enum smtpd_tls tls;
	struct tlsctx *tlsctx;	  /* NULL: STARTTLS is not offered */
	bool implicit_tls;	  /* TLS from the first octet */
	uint64_t max_size;	  /* octets; SIZE */
	uint64_t max_header;	  /* octets of header; 552 5.3.4 */
	unsigned max_rcpt;	  /* per message; 452 4.5.3 */
	unsigned max_messages;	  /* per session, 0: any; then 421 */
	unsigned max_hops;	  /* Received fields; 554 5.4.6 */
	/* A message that is accepted makes up for earlier errors. */
	unsigned max_errors;	  /* then 421 and close */
	unsigned max_bad_rcpt;	  /* recipients refused 5yz, then 421 */
	unsigned max_commands;	  /* without a message started, then 421 */
	msec idle_timeout;	  /* for a command (RFC 5321: 5 min) */
	msec data_timeout;	  /* between pieces of data (3 min) */
	msec total_timeout;	  /* of the session; twice that in a message */
	uint64_t min_rate;	  /* octets/s during data, 0: none */
	msec tls_timeout;	  /* handshake */
	bool normalize;		  /* bare CR/LF in data become CRLF */
	bool etrn, dsn, chunking, smtputf8, limits; /* extensions offered */
	bool requiretls;	  /* RFC 8689, inside TLS */
	bool auth;		  /* offer AUTH PLAIN LOGIN inside TLS */
	bool received_tls;	  /* TLS clause in Received */
};

struct smtpd;

enum smtpd_step { SMTPD_NOW, SMTPD_WAIT };

enum smtpd_act {
	SMTPD_OK,	 /* go on; an empty text means the usual reply */
	SMTPD_REFUSE,	 /* answer verdict.reply, go on with the session */
	SMTPD_DROP,	 /* rcpt: as OK, but it does not go into the envelope */
	SMTPD_CLOSE,	 /* answer verdict.reply (421, 554 …) and close */
	SMTPD_RESET	 /* connect: the connection is reset, not a word */
};

struct smtpd_verdict {
	enum smtpd_act act;
	struct err reply;
};

enum smtpd_end {
	SMTPD_END_QUIT,	   /* client said QUIT */
	SMTPD_END_CLOSED,  /* we closed: limits, timeout, refusal */
	SMTPD_END_LOST	   /* the peer vanished */
};

/*
 * arg is what smtpd_new was given. Whatever returns enum smtpd_step may be
 * answered later; v is SMTPD_OK when asked (auth: SMTPD_REFUSE). A question
 * that is NULL is answered with yes (auth, etrn: no); body, eom, abort and
 * close must be there.
 * A client that vanishes while a question is open: with commands of its behind
 * it that have arrived (it may only have shut its side), or after the end of
 * the data, close() comes after the answer. Else abort() and close() come at
 * once, and the question must not be answered any more.
 * Replies: a verdict without a code gets the usual one; one line of printable
 * text, cut at 512 octets. 421 always closes.
 */
struct smtpd_ops {
	/* From the loop after smtpd_new(). SMTPD_REFUSE: 554 in place of the
	 * greeting, then only QUIT is understood. */
	enum smtpd_step (*connect)(void *arg, struct smtpd_verdict *v);
	enum smtpd_step (*helo)(void *arg, struct smtpd_verdict *v);
	/* After a handshake (ok) or a failed one (the session ends, no answer
	 * is read). No command waits for a reply: SMTPD_REFUSE answers all
	 * that follow but NOOP and QUIT. */
	enum smtpd_step (*tls)(void *arg, bool ok, const struct err *why,
	    struct smtpd_verdict *v);
	/* The strings are gone when it returns. */
	enum smtpd_step (*auth)(void *arg, struct str user, struct str pass,
	    struct smtpd_verdict *v);
	/* env: sender, flags, envid, helo, auth, client_ip, listener; size
	 * is what the client declared, or 0. */
	enum smtpd_step (*mail)(void *arg, struct envelope *env,
	    struct smtpd_verdict *v);
	/* rcpt is not in env yet; it is added after SMTPD_OK, as it is then.
	 * After SMTPD_DROP there may be a message without any. */
	enum smtpd_step (*rcpt)(void *arg, struct envelope *env,
	    struct rcpt *rcpt, struct smtpd_verdict *v);
	/* Before 354, or at the first BDAT. */
	enum smtpd_step (*data)(void *arg, struct envelope *env,
	    struct smtpd_verdict *v);
	/* Content; SMTPD_WAIT: taken, but no more until smtpd_answer(). Its
	 * answer SMTPD_REFUSE: the rest is read and thrown away, the refusal
	 * said then. */
	enum smtpd_step (*body)(void *arg, const char *p, size_t n);
	/* Everything is there and within the limits: commit, then 250. env
	 * belongs to the owner from here on, whatever it answers; facts are
	 * gone when it returns. env->size is the content as received. */
	enum smtpd_step (*eom)(void *arg, struct envelope *env,
	    const struct bodyin *facts, struct smtpd_verdict *v);
	/* A transaction to which mail said SMTPD_OK ends without eom: RSET,
	 * refusal, loss. env is freed afterwards. */
	void (*abort)(void *arg, struct envelope *env);
	/* domain is gone when it returns. SMTPD_OK with a reply of 250 to 253
	 * or SMTPD_REFUSE with 458, 459 (RFC 1985 5.3). */
	enum smtpd_step (*etrn)(void *arg, struct str domain, bool subdomains,
	    struct smtpd_verdict *v);
	/* An error worth a mail-log line ("Message size exceeds limit"). */
	void (*trouble)(void *arg, const char *what);
	/* Content that was sent has been refused, by whomever. */
	void (*refused)(void *arg);
	/* Last call; the smtpd is gone when it returns. */
	void (*close)(void *arg, enum smtpd_end how, const struct err *why);
};

/* Takes the stream, whose in_max must be at least SMTPD_IN_MAX. conf and ops
 * must outlive the session. Nothing is asked from inside the call. */
#define SMTPD_IN_MAX 65536
struct smtpd *smtpd_new(struct stream *stream, const struct smtpd_conf *conf,
    const struct smtpd_ops *ops, void *arg);
/* While connect is asked: from then on it is this one. */
void smtpd_conf_set(struct smtpd *s, const struct smtpd_conf *conf);
/* Is TLS missing for MAIL? Then that is the reply. */
bool smtpd_needs_tls(const struct smtpd_conf *conf, bool tls,
    struct err *reply);
/* The answer to the one question that is open. */
void smtpd_answer(struct smtpd *s, const struct smtpd_verdict *v);
/* 421 4.3.2 as soon as no message is in transit; a transaction that has
 * reached DATA is finished first. For shutdown. */
void smtpd_stop(struct smtpd *s);
/* Now, without a word to the client: abort() and close() come from inside the
 * call. A question that is open must not be answered any more. */
void smtpd_kill(struct smtpd *s);

struct stream *smtpd_stream(const struct smtpd *s);
struct str smtpd_helo(const struct smtpd *s);
bool smtpd_esmtp(const struct smtpd *s);
const struct tls_info *smtpd_tls(const struct smtpd *s); /* NULL: clear */
/* The handshake, inside ops->tls and after it; NULL: none was begun. */
const struct tlsio *smtpd_tlsio(const struct smtpd *s);
const char *smtpd_auth(const struct smtpd *s);		 /* NULL: nobody */
/* What is known of the content so far, inside ops->body; NULL: none comes. */
const struct bodyin *smtpd_content(const struct smtpd *s);
const char *smtpd_state_name(const struct smtpd *s);	 /* for status */

#endif

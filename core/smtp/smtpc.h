/*
 * The SMTP client: one connection to one host, any number of messages.
 *
 * It connects, greets, negotiates TLS and AUTH as the settings want, then
 * reports ready(). smtpc_send() runs one transaction, pipelined with two
 * cursors (what is sent, what is answered); the result comes recipient by
 * recipient and then as a whole. After done() the connection is ready again.
 * It classifies nothing: what a reply means is relay/verdict's business.
 *
 * Replies are read with limits (lines of 4 kB, 100 lines, 64 kB; EHLO 6,000
 * lines); octets that nobody asked for, or codes that differ inside a reply,
 * are protocol errors and end the connection. What the peer offered before
 * TLS is forgotten after it. Demands of each message (SIZE, 8BITMIME,
 * SMTPUTF8) are checked at each transaction against what is offered now.
 */
#ifndef SMTP_SMTPC_H
#define SMTP_SMTPC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "mail/envelope.h"
#include "net/stream.h"
#include "tls/tlsctx.h"
#include "tls/tlsio.h"

struct tlsident;
struct tlsref;
struct tlstrust;

/* Steps, for timeouts and for phrases: tbl/steps.h has both. */
enum smtpc_step {
#define STEP(id, seconds, phrase) SMTPC_AT_##id,
#include "tbl/steps.h"
#undef STEP
	SMTPC_STEPS
};

/* Copied by smtpc_new(); what it points to must outlive the connection. */
struct smtpc_conf {
	const char *helo; /* our name */
	struct sock_addr to;
	struct sock_addr from; /* len 0: any */
	const char *host;      /* MX or route host name (SNI, log) */
	struct str domain;     /* next-hop domain (verification) */
	struct tlswant want;
	struct tlsctx *tlsctx; /* client context; NULL: no TLS */
	/* As in struct tlsio_client. */
	const struct tlsref *refs;
	struct tlstrust *trust;
	struct tlsident *cert;
	enum tls_step tls_step;
	uint64_t tls_session;
	bool implicit_tls;
	bool avoid_tls;	       /* clear text after a failed handshake */
	const char *auth_user; /* NULL: no AUTH */
	const char *auth_password;
	bool lmtp_never;      /* reserved, false */
	double timeout_scale; /* 1.0: RFC 5321 4.5.3.2 */
};

/*
 * What the peer said, or why there is no reply. Whatever kept a connection
 * from TLS that the want asks for has a tls_reason, whether the session ends
 * for it or goes on in clear. fail tells what happened to the connection.
 */
struct smtpc_reply {
	int code;	      /* 0: no reply */
	char enh[12];	      /* "" if it gave none */
	struct str text;      /* lines joined by \n, without the reply
			       * code but with their enhanced status; or
			       * our own words */
	enum smtpc_step step; /* where */
	enum smtpc_fail {
		SMTPC_FAIL_NONE,    /* the peer answered */
		SMTPC_FAIL_NETWORK, /* connect failed, reset */
		SMTPC_FAIL_LOST,    /* closed unexpectedly */
		SMTPC_FAIL_TIMEOUT,
		SMTPC_FAIL_PROTOCOL,	/* nonsense from the peer */
		SMTPC_FAIL_TLS,		/* handshake or verification */
		SMTPC_FAIL_TLS_REFUSED, /* required: not offered, refused */
		SMTPC_FAIL_AUTH,	/* no mechanism, or not over TLS */
		SMTPC_FAIL_DEMAND,	/* the peer lacks what the message
					 * needs (5.3.4, 5.6.3, 5.6.7) */
		SMTPC_FAIL_SOURCE	/* SMTPC_MORE_ERROR: our trouble */
	} fail;
	enum tls_reason tls_reason; /* TLSR_NONE: it is not about TLS */
	bool tls_begun;	  /* after the 220, or there was no STARTTLS: the
			   * peer was ready for the handshake */
	bool tls_cert;	  /* it had shown its certificate */
	struct str said;  /* its answer to EHLO or STARTTLS, where text is
			   * ours; its code is in code */
	/* At length, after a handshake that failed; else NULL. */
	const struct tls_failure *tls_failure;
};

/* Where the content comes from, piece by piece. A piece must stay until the
 * next call; what the peer does not take at once is copied, so pieces of a
 * large message should not be above 64 KB. */
enum smtpc_more {
	SMTPC_MORE_DATA,
	SMTPC_MORE_EOF,
	SMTPC_MORE_LATER,
	SMTPC_MORE_ERROR
};
struct smtpc_source {
	/* LATER: smtpc_source_ready() follows, not from inside. ERROR: the
	 * connection is closed before the final dot, so that nothing half
	 * arrives. */
	enum smtpc_more (*next)(void *arg, struct str *piece_r);
	void *arg;
};

struct smtpc_txn {
	const struct envelope *env;
	const struct addr *sender; /* in place of that of env; or NULL */
	struct rcpt *const *rcpt;
	unsigned nrcpt;
	struct str header; /* put in front of the content; may be "" */
	uint64_t size;	   /* header and content, before stuffing */
	struct smtpc_source source;
	bool dsn_relay; /* pass RFC 3461 parameters on if offered */
};

struct smtpc;

struct smtpc_ops {
	/* The connection is there (for the log: DCID), before the banner. */
	void (*connected)(void *arg);
	/* TLS came up, or there is none for this reason: ready() follows if
	 * the session goes on in clear, else closed() with the same. */
	void (*tls)(void *arg, const struct tls_info *info,
	    const struct smtpc_reply *why);
	void (*ready)(void *arg);
	/* The answer for recipient i of the transaction at RCPT. */
	void (*rcpt)(void *arg, unsigned i, const struct smtpc_reply *r);
	/* End of transaction: MAIL or DATA refused, the final reply, or all
	 * recipients refused (r NULL then). The connection is ready again
	 * unless closed() follows. */
	void (*done)(void *arg, const struct smtpc_reply *r);
	/* The connection is gone; r tells why (NULL: we quit). A running
	 * transaction got no done(): its fate is r. Last call but destroy. */
	void (*closed)(void *arg, const struct smtpc_reply *r);
	/* What is said, for testers; may be NULL: a reply of the peer, or (r
	 * NULL) a line of ours outside transactions. The connection must not
	 * be ended from inside. */
	void (*said)(void *arg, const struct smtpc_reply *r, struct str line);
};

struct smtpc *smtpc_new(struct loop *l, const struct smtpc_conf *conf,
    const struct smtpc_ops *ops, void *arg);
/* Only when ready() or done() was the last word. txn must live until done. */
void smtpc_send(struct smtpc *c, const struct smtpc_txn *txn);
void smtpc_source_ready(struct smtpc *c);
/* MAIL FROM and no more, for testers; when smtpc_send() would be right.
 * done(reply) follows, then nothing is to be done but quit. */
void smtpc_mail(struct smtpc *c, struct str sender);
void smtpc_quit(struct smtpc *c);      /* QUIT; closed(NULL) follows */
void smtpc_destroy(struct smtpc **cp); /* silent */

bool smtpc_is_ready(const struct smtpc *c);
const struct tls_info *smtpc_tls(const struct smtpc *c);  /* NULL: clear */
/* NULL: no handshake was begun. Also inside tls() of one that failed. */
const struct tlsio *smtpc_tlsio(const struct smtpc *c);
const struct stream *smtpc_stream(const struct smtpc *c); /* NULL: none yet */
bool smtpc_offers_dsn(const struct smtpc *c);
unsigned smtpc_messages(const struct smtpc *c); /* sent on it so far */
/* Does a session that TLS was kept from before the handshake go on in clear, on
 * the same connection? code: of the answer to EHLO or STARTTLS, or 0. */
bool smtpc_clear_here(enum tlswant_level level, bool implicit_tls, int code);
/* "while sending RCPT TO" */
const char *smtpc_step_phrase(enum smtpc_step step);

#endif

/*
 * Private to the inbound glue: inbound.c (connections), inbound_session.c
 * (greeting to goodbye), inbound_group.c (who the client is), inbound_mail.c
 * (transactions), inbound_sender.c (is there such a sender), inbound_data.c
 * (content), inbound_eom.c (its end), inbound_auth.c; and where plugins come
 * in, inbound_hook.c (they are asked), inbound_route.c (for routes),
 * inbound_facts.c (what they see and set), inbound_msg.c (the message as they
 * have it).
 */
#ifndef DAEMON_INBOUND_PRIV_H
#define DAEMON_INBOUND_PRIV_H

#include "daemon/inbound.h"

#include "base/coll.h"
#include "daemon/inbound_msg.h"
#include "host/hooks.h"
#include "host/scope.h"
#include "net/listen.h"
#include "net/mx.h"
#include "smtp/smtpd.h"

#define INBOUND_MAGIC 0x1b0d0001u
#define PORT_MAGIC 0x1b0d0002u
#define SESSION_MAGIC 0x1b0d0003u

struct port {
	unsigned magic;
	LIST_ENTRY(port) entry;
	struct inbound *in;
	struct conf *conf;
	const struct conf_listener *l;
	struct listen *listen;
};

/* What a client's certificate says. */
struct session_cert {
	const char *subject, *issuer, *names;
};

/* Who the client is, kept when the server's side of it has gone. */
struct session_who {
	struct sock_addr peer;	/* from the beginning */
	const char *helo, *auth;
	bool esmtp;
	const struct tls_info *tls;
};

/* What to do when a hook has been asked: SMTPD_NOW: v is the answer. */
typedef enum smtpd_step hooked(struct session *s,
    const struct hook_verdict *hv, struct smtpd_verdict *v);
typedef enum smtpd_step operated(struct session *s,
    const struct op_answer *a, struct smtpd_verdict *v);

struct session {
	unsigned magic;
	unsigned busy;		/* answers of others that are awaited */
	LIST_ENTRY(session) entry;
	struct inbound *in;
	struct conf *conf;
	const struct conf_listener *l;
	const struct conf_flow *flow; /* what it may: the listener's own, or */
	const struct conf_group *group; /* by this; NULL: in none */
	const struct sgpat *pattern;
	struct stream *stream;	/* until the smtpd has it */
	struct smtpd *smtpd;	/* NULL: not yet, or gone */
	uint64_t icid;
	uint64_t client;	/* key of its count */
	bool counted;
	bool uncounted;		/* what was counted is given back */
	bool known;		/* New SMTP ICID was logged */
	bool network;		/* of relay.networks, or of a group that may */
	bool certificate;	/* of relay.certificates */
	struct session_cert *cert; /* that the client showed; or NULL */
	bool tls;		/* TLS came up */
	bool tls_begun;		/* or failed */
	bool tls_demanded;	/* a sender was refused for want of it */
	bool verified;		/* reverse name */
	bool waiting;		/* the server waits for our answer */
	char *rname;
	struct whois *whois;	/* being found out; or NULL */
	struct sendercheck *sendercheck; /* so */
	struct asked_user *asked_user;	 /* so */
	struct loop_timer timer;
	/* plugins */
	struct session_who who;
	bool hooked;		/* "connect" was asked, "disconnect" is owed */
	struct about about;	/* of the question that is open */
	struct hook_run *run;	/* the question, or */
	struct op_run *op;	/* the operation */
	hooked *then;
	operated *op_then;
	struct scope *scope;	/* PST_SESSION */
	struct pool *pool;	/* NULL: not needed so far */
	struct notes *notes;	/* for messages to come; or NULL */
	/* the message */
	struct inmsg *m;	/* begun, not yet the queue's; or NULL */
	uint64_t mid;
};

struct inbound {
	unsigned magic;
	struct inbound_world w;
	LIST_HEAD(, port) ports;
	LIST_HEAD(, session) sessions;
	struct conf *conf;
	uint64_t space;
	bool stopping;
	loop_fn *done;
	void *done_arg;
	struct inbound_stats stats;
};

extern const struct smtpd_ops session_ops;

void session_new(struct port *p, int fd, const struct sock_addr *peer);
void session_answer(struct session *s, enum smtpd_act act, int code,
    const char *enh, const char *text);
void session_free(struct session *s); /* when nobody needs it */
/* An awaited answer was dealt with. The server may have closed inside it. */
void session_done(struct session *s);
void session_checked_end(struct inbound *in);
const char *session_ip(const struct session *s, char *dst, size_t n);
bool session_may_relay(const struct session *s);

struct pool *session_pool(struct session *s);
/* So, with a verdict. */
void session_reply(struct session *s, const struct smtpd_verdict *v);

/* inbound_session.c: NULL: within the limits of connections. */
const char *session_refusal(struct session *s);
void session_log_new(struct session *s);

/* inbound_group.c: finds out who it is, then asks "connect". */
struct whois;
enum smtpd_step session_identify(struct session *s, struct smtpd_verdict *v);

/* inbound_hook.c */
/* Asks, at once or later, then() what comes of it; rcpt: index or -1. */
enum smtpd_step session_ask(struct session *s, enum hook h, int rcpt,
    hooked *then, struct smtpd_verdict *v);
enum smtpd_step session_op(struct session *s, struct instance *i,
    const char *op, int rcpt, void *oparg, operated *then,
    struct smtpd_verdict *v);
/* What is open is taken back. */
void session_ask_cancel(struct session *s);
/* As the reply of a command; nothing happens for HOOK_GO and HOOK_DISCARD. */
void session_verdict(const struct hook_verdict *hv, struct smtpd_verdict *v);
void session_goodbye(struct session *s); /* asks "disconnect" */
enum smtpd_step session_helo(void *arg, struct smtpd_verdict *v);
enum smtpd_step session_connected(struct session *s, struct smtpd_verdict *v);
enum smtpd_step session_secured(struct session *s, struct smtpd_verdict *v);

/* inbound_tls.c: the handshake's end. */
enum smtpd_step session_tls(void *arg, bool ok, const struct err *why,
    struct smtpd_verdict *v);
enum smtpd_step session_auth(void *arg, struct str user, struct str pass,
    struct smtpd_verdict *v);

/* inbound_sender.c: is its domain looked up? Then the answer goes on. */
struct sendercheck;
bool session_sender_asked(struct session *s, struct envelope *env);
void session_sender_end(struct session *s);

/* inbound_auth.c: what a table is asked for. */
struct asked_user;
void session_auth_forget(struct session *s);

/* inbound_mail.c */
enum smtpd_step session_mail_go(struct session *s, struct envelope *env,
    struct smtpd_verdict *v);
enum smtpd_step session_mail(void *arg, struct envelope *env,
    struct smtpd_verdict *v);
enum smtpd_step session_rcpt(void *arg, struct envelope *env,
    struct rcpt *rcpt, struct smtpd_verdict *v);
void session_abort(void *arg, struct envelope *env);
/* The message is given up; why is for the log. */
void session_message_end(struct session *s, const char *why);
enum smtpd_step session_etrn(void *arg, struct str domain, bool subdomains,
    struct smtpd_verdict *v);

/* inbound_data.c */
enum smtpd_step session_data(void *arg, struct envelope *env,
    struct smtpd_verdict *v);
enum smtpd_step session_body(void *arg, const char *p, size_t n);
/* The header is there: its hook, then go_on() and what comes of it. */
enum smtpd_step session_headers(struct session *s, hooked *then,
    struct smtpd_verdict *v);
/* The next filter that has op and has not ended, from the first if NULL. */
struct instance *inmsg_filter_next(const struct inmsg *m, const char *op,
    const struct instance *prev);
/* What the hooks of the content say: kept for its end. */
void inmsg_heard(struct inmsg *m, const struct hook_verdict *hv);
/* A verdict that holds at the end of the data, unless there is one. */
void inmsg_end_set(struct inmsg *m, const struct hook_verdict *hv);
/* So, of an operation; true: it is over for that filter. */
bool inmsg_end_op(struct inmsg *m, const struct op_answer *a);

/* inbound_route.c: asks for the routes of the recipients, then then(). */
enum smtpd_step session_route(struct session *s, hooked *then,
    struct smtpd_verdict *v);

/* inbound_eom.c */
enum smtpd_step session_eom(void *arg, struct envelope *env,
    const struct bodyin *facts, struct smtpd_verdict *v);

#endif

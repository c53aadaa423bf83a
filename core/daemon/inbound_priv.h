/*
 * Private to the inbound glue: inbound.c (connections), inbound_session.c
 * (greeting to goodbye), inbound_mail.c (transactions), inbound_auth.c.
 */
#ifndef DAEMON_INBOUND_PRIV_H
#define DAEMON_INBOUND_PRIV_H

#include "daemon/inbound.h"

#include "base/coll.h"
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

struct session {
	unsigned magic;
	unsigned busy;		/* answers of others that are awaited */
	LIST_ENTRY(session) entry;
	struct inbound *in;
	struct conf *conf;
	const struct conf_listener *l;
	struct stream *stream;	/* until the smtpd has it */
	struct smtpd *smtpd;	/* NULL: not yet, or gone */
	uint64_t icid;
	uint64_t client;	/* key of its count */
	bool counted;
	bool known;		/* New SMTP ICID was logged */
	bool network;		/* of relay.networks */
	bool certificate;	/* of relay.certificates */
	bool tls;		/* TLS came up */
	bool tls_begun;		/* or failed */
	bool tls_demanded;	/* a sender was refused for want of it */
	bool verified;		/* reverse name */
	bool waiting;		/* the server waits for our answer */
	char *rname;
	struct mx_reverse *reverse;
	struct loop_timer timer;
	/* the message */
	struct envelope *env;	/* begun, not yet the queue's */
	struct body_ref *body;
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

/* inbound_tls.c: the handshake's end. */
enum smtpd_step session_tls(void *arg, bool ok, const struct err *why,
    struct smtpd_verdict *v);
enum smtpd_step session_auth(void *arg, struct str user, struct str pass,
    struct smtpd_verdict *v);
enum smtpd_step session_mail(void *arg, struct envelope *env,
    struct smtpd_verdict *v);
enum smtpd_step session_rcpt(void *arg, struct envelope *env,
    const struct rcpt *rcpt, struct smtpd_verdict *v);
enum smtpd_step session_data(void *arg, struct envelope *env,
    struct smtpd_verdict *v);
enum smtpd_step session_body(void *arg, const char *p, size_t n);
enum smtpd_step session_eom(void *arg, struct envelope *env,
    const struct bodyin *facts, struct smtpd_verdict *v);
void session_abort(void *arg, struct envelope *env);
enum smtpd_step session_etrn(void *arg, struct str domain, bool subdomains,
    struct smtpd_verdict *v);

#endif

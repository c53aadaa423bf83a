#include "relay/outlook.h"

#include <stdio.h>

#include "queue/retry.h"
#include "relay/relay_priv.h"

enum { BEGUN = 1, LOGIN = 2 };

struct hosts_point {
	enum mx_status status;
	const char *word, *text;
};

struct point {
	enum smtpc_step step;
	const char *word;
	enum smtpc_fail fail;
	int code;
	enum tls_reason reason;
	unsigned flags;
	const char *text;
};

static const struct hosts_point hosts_points[] = {
#define HOSTS_POINT(status, word, text) { MX_##status, word, text },
#include "tbl/points.h"
};

static const struct point points[] = {
#define POINT(step, word, fail, code, tls, flags, text)                        \
	{ SMTPC_AT_##step, word, SMTPC_FAIL_##fail, code, TLSR_##tls, flags,   \
	    text },
#include "tbl/points.h"
};

struct list {
	const struct outlook_in *in;
	struct queue_want want;
	struct outlook *v;
	unsigned n;
};

static struct outlook *add(struct list *l, const char *stage,
    const char *word, const char *text, enum tls_reason reason);
static void add_hosts(struct list *l);
static void add_points(struct list *l, enum smtpc_step from,
    enum smtpc_step to);
static void add_reasons(struct list *l, enum tls_reason from,
    enum tls_reason to);
static bool happens(const struct list *l, const struct point *p);
static void foresee(struct list *l, struct outlook *o,
    const struct smtpc_reply *r);
static void judged(const struct list *l, struct outlook *o,
    const struct verdict *v);

unsigned
outlook_all(const struct outlook_in *in, struct outlook *v)
{
	struct list l = { .in = in, .v = v };

	l.want.level = in->want->level;
	l.want.deadline = in->want->deadline;
	l.want.warn_after = in->want->warn_after;
	add_hosts(&l);
	add_points(&l, SMTPC_AT_CONNECT, SMTPC_AT_HANDSHAKE);
	add_reasons(&l, TLSR_INJECTION, TLSR_CLIENT_CERT);
	add_reasons(&l, TLSR_NO_CERT, TLSR_INVALID);
	add_points(&l, SMTPC_AT_AUTH, SMTPC_AT_DOT);
	return l.n;
}

const char *
outlook_word(enum outlook_does does)
{
	static const char *const words[] = { "tls", "clear", "clear-anew",
		"not-sent" };

	return words[does];
}

static struct outlook *
add(struct list *l, const char *stage, const char *word, const char *text,
    enum tls_reason reason)
{
	struct outlook *o;

	ASSERT(l->n < OUTLOOK_MAX);
	o = &l->v[l->n++];
	*o = (struct outlook){ .stage = stage, .word = word, .text = text,
		.reason = reason, .does = OUTLOOK_NOT };
	return o;
}

/* A route says where its hosts are; a name in it may still not be found. */
static void
add_hosts(struct list *l)
{
	const size_t n = sizeof(hosts_points) / sizeof(hosts_points[0]);
	const struct hosts_point *p;
	struct verdict v;
	size_t i;

	for (i = 0; i < n; i++) {
		struct mx_result mx = { .status = hosts_points[i].status };

		p = &hosts_points[i];
		if (l->in->route && p->status != MX_FAIL)
			continue;
		verdict_of_mx(&mx, &v);
		judged(l, add(l, "hosts", p->word, p->text, TLSR_NONE), &v);
	}
}

static const char *
stage_of(enum smtpc_step step)
{
	if (step <= SMTPC_AT_BANNER)
		return "connect";
	if (step <= SMTPC_AT_HELO)
		return "ehlo";
	if (step == SMTPC_AT_STARTTLS)
		return "starttls";
	return step == SMTPC_AT_HANDSHAKE ? "handshake" : "message";
}

static void
add_points(struct list *l, enum smtpc_step from, enum smtpc_step to)
{
	const size_t n = sizeof(points) / sizeof(points[0]);
	const struct point *p;
	size_t i;

	for (i = 0; i < n; i++) {
		p = &points[i];
		if (p->step < from || p->step > to || !happens(l, p))
			continue;
		foresee(l, add(l, stage_of(p->step), p->word, p->text,
		    p->reason), &(struct smtpc_reply){ .step = p->step,
		    .fail = p->fail, .code = p->code,
		    .tls_reason = p->reason,
		    .tls_begun = (p->flags & BEGUN) != 0 });
	}
}

static void
add_reasons(struct list *l, enum tls_reason from, enum tls_reason to)
{
	bool cert = from >= TLSR_NO_CERT;
	enum tls_reason reason;
	struct outlook *o;

	if (l->in->want->level == TLSWANT_NONE && !l->in->implicit_tls)
		return;
	for (reason = from; reason <= to; reason++) {
		o = add(l, cert ? "certificate" : "handshake",
		    tls_reason_word(reason), tls_reason_text(reason), reason);
		if (cert && !tlswant_insists(l->in->want->level)) {
			o->does = OUTLOOK_TLS;
			continue;
		}
		foresee(l, o, &(struct smtpc_reply){
		    .step = SMTPC_AT_HANDSHAKE, .fail = SMTPC_FAIL_TLS,
		    .tls_reason = reason, .tls_begun = true,
		    .tls_cert = cert });
	}
}

/* With TLS from the first octet there is no STARTTLS, under `none` neither. */
static bool
happens(const struct list *l, const struct point *p)
{
	if ((p->flags & LOGIN) != 0 && !l->in->login)
		return false;
	if (p->reason == TLSR_NONE)
		return true;
	return !l->in->implicit_tls && l->in->want->level != TLSWANT_NONE;
}

static void
foresee(struct list *l, struct outlook *o, const struct smtpc_reply *r)
{
	const struct tlswant *want = l->in->want;
	enum tls_step step = TLS_STEP_FULL, next;
	unsigned n = 0;
	struct verdict v;

	verdict_of_reply(r, 0, &v);
	judged(l, o, &v);
	/* After MAIL the next try goes elsewhere, not this one. */
	o->next_host = v.host && r->step < SMTPC_AT_READY;
	if (r->tls_reason == TLSR_NONE)
		return;
	if (r->fail == SMTPC_FAIL_TLS_REFUSED && smtpc_clear_here(want->level,
		l->in->implicit_tls, r->code)) {
		o->does = OUTLOOK_CLEAR;
		return;
	}
	while ((next = conn_tls_next(want, step, r)) != step) {
		o->step[n++] = conn_tls_step_name(next);
		step = next;
	}
	if (conn_tls_clear(want, l->in->implicit_tls, r))
		o->does = OUTLOOK_CLEAR_ANEW;
}

static void
judged(const struct list *l, struct outlook *o, const struct verdict *v)
{
	enum tls_reason tls = v->tls;

	o->next_host = v->host;
	o->bounce = v->result == QRESULT_BOUNCE;
	(void)snprintf(o->status, sizeof(o->status), "%s", v->status);
	if (o->bounce)
		return;
	o->until = retry_end(l->in->profile, &l->want, tls);
	retry_status(tls, o->final, sizeof(o->final));
}

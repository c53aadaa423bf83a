/*
 * The client of a message: which sender group it is in, what that allows, and
 * what the server refuses by itself, before it asks anybody.
 */
#include "cli/explain.h"

#include <string.h>

#include "policy/admit.h"

static const char *const tls_words[] = { [SMTPD_TLS_OFF] = "off",
	[SMTPD_TLS_PREFERRED] = "preferred",
	[SMTPD_TLS_REQUIRED] = "required" };

static json_t *
reply_json(const struct err *e)
{
	return json_pack("{s:i, s:s, s:s}", "code", e->code, "enhanced",
	    e->enh, "text", e->text);
}

static json_t *
limits_json(const struct conf_flow *f)
{
	const struct conf_limits *m = &f->limits;
	const struct conf_policy_flow *p = f->policy;

	return json_pack("{s:I, s:i, s:i, s:i, s:i, s:i}", "message_size",
	    (json_int_t)m->message_size, "recipients", (int)m->recipients,
	    "messages", (int)m->messages, "client_connections",
	    (int)m->client_connections, "client_rate", (int)m->client_rate,
	    "recipients_per_hour", p == NULL ? 0 :
	    (int)p->recipients_per_hour);
}

static const char *
behavior(const struct policy_who *w)
{
	static const char *const words[] = { [CONF_ACCEPT] = "ACCEPT",
		[CONF_RELAY] = "RELAY", [CONF_REJECT] = "REJECT",
		[CONF_TCPREFUSE] = "TCPREFUSE" };

	if (w->flow != NULL && w->flow->policy != NULL)
		return words[w->flow->policy->behavior];
	return w->network ? "RELAY" : "ACCEPT";
}

static const char *
auth_word(const struct conf_flow *f)
{
	if (f->policy != NULL && f->policy->auth == CONF_AUTH_REQUIRED)
		return "required";
	return f->smtpd.auth ? "offered" : "off";
}

/* A client that does not come inside TLS of itself. */
static void
check_tls(struct explain *e)
{
	const struct conf_flow *f = e->who.flow;

	if (f->smtpd.implicit_tls && e->m->tls == NULL)
		e->m->tls = "TLSv1.3";
	if (f->smtpd.tls != SMTPD_TLS_OFF || f->smtpd.implicit_tls ||
	    e->m->tls == NULL)
		return;
	explain_unknown(e, "this client is not offered STARTTLS: it is taken "
	    "for one in clear");
	e->m->tls = NULL;
}

static json_t *
hat(struct explain *e)
{
	const struct policy_who *w = &e->who;
	json_t *o = json_pack("{s:s, s:s}", "listener", w->l->name,
	    "behavior", behavior(w));
	unsigned i;

	if (w->is.group != NULL) {
		explain_put(o, "group", w->is.group->name);
		explain_put(o, "match", w->is.pattern->text);
		explain_put(o, "policy", w->flow->policy->name);
	}
	if (w->is.unasked != NULL)
		explain_unknown(e, "whether the client is %s is not known and "
		    "taken for no; --live asks", w->is.unasked->text);
	for (i = 0; i < w->is.nmaybe; i++)
		explain_unknown(e, "it cannot be found out whether sender "
		    "group %s is the client's", w->is.maybe[i]->name);
	explain_put(o, "tls", w->flow->smtpd.implicit_tls ? "implicit" :
	    tls_words[w->flow->smtpd.tls]);
	explain_put(o, "auth", auth_word(w->flow));
	(void)json_object_set_new(o, "limits", limits_json(w->flow));
	return o;
}

int
explain_client(struct explain *e, json_t *all, struct err *no)
{
	const struct conf_flow *f = e->who.flow;
	json_t *o;

	err_clear(no);
	if (f == NULL) {
		(void)json_object_set_new(all, "hat", json_pack("{s:s}",
		    "behavior", behavior(&e->who)));
		return 0;
	}
	o = hat(e);
	(void)json_object_set_new(all, "hat", o);
	if (e->who.doubt.code != 0) {
		*no = e->who.doubt;
		(void)json_object_set_new(o, "reply", reply_json(no));
		return -1;
	}
	switch (admit_client(f, no)) {
	case ADMIT_YES:
		check_tls(e);
		return 0;
	case ADMIT_RESET:
		return -1;
	case ADMIT_REFUSE:
	case ADMIT_TLS:
	case ADMIT_AUTH:
		(void)json_object_set_new(o, "reply", reply_json(no));
		return -1;
	}
	return -1;
}

struct asked {
	enum mx_status status;
	bool done;
};

static void
found(void *arg, const struct mx_result *r)
{
	struct asked *a = arg;

	a->status = r->status;
	a->done = true;
}

static enum admit
sender_domain(struct explain *e, struct err *no)
{
	struct asked a = { .done = false };

	if (!admit_domain_asked(e->conf, e->who.flow, &e->sender))
		return ADMIT_YES;
	if (e->dns == NULL) {
		explain_unknown(e, "whether the sender's domain exists, which "
		    "the policy asks for, is taken for yes; --live asks");
		return ADMIT_YES;
	}
	(void)mx_lookup(e->dns, e->pool, pool_str(e->pool,
	    e->sender.domain).p, 25, MX_PREFER_V4, found, &a);
	while (!a.done)
		loop_once(e->loop, true);
	return admit_domain(e->who.flow, a.status, no);
}

/* MAIL, in the order in which the server looks. */
static bool
sender_refused(struct explain *e, struct err *no)
{
	const struct conf_flow *f = e->who.flow;
	bool tls = e->m->tls != NULL;
	const struct admit_sender s = { .conf = e->conf, .flow = f,
		.tls = tls, .auth = e->m->auth, .sender = &e->sender };

	return smtpd_needs_tls(&f->smtpd, tls, no) ||
	    admit_sender(&s, no) != ADMIT_YES ||
	    sender_domain(e, no) != ADMIT_YES;
}

static bool
read_sender(struct explain *e, struct err *no)
{
	const char *from = e->m->from;
	struct str rest = str_c(pool_printf(e->pool, "%s%s%s",
	    from[0] == '<' ? "" : "<", from, from[0] == '<' ? "" : ">"));

	if (addr_parse_path(e->pool, &rest, ADDR_NULL_OK | ADDR_UTF8_OK,
		&e->sender, no) != 0)
		return false;
	if (rest.n > 0)
		(void)err_set(no, 501, "5.1.7", "There is more behind the "
		    "sender address");
	return rest.n == 0;
}

/* No policy is asked about it. */
static int
bad_sender(struct explain *e, json_t *all, const struct err *no)
{
	(void)json_object_update_new(all, json_pack(
	    "{s:s, s:s, s:o, s:[], s:[], s:[]}", "stage", "mail", "verdict",
	    "reject", "reply", reply_json(no), "tried", "branches",
	    "recipients"));
	e->status = 1;
	return 1;
}

static json_t *
refusal(const struct err *no, const char *by)
{
	json_t *o = reply_json(no);

	explain_put(o, "by", by);
	return o;
}

/* One row of "access"; NULL, or what it is refused with. */
static json_t *
recipient(struct explain *e, const char **address, json_t *rows,
    struct err *why)
{
	bool relay = e->m->relay > 0;
	const char *entry = "", *by = NULL;
	struct err no = ERR_INIT;
	struct addr a;
	json_t *row;

	if (addr_parse(e->pool, str_c(*address), ADDR_UTF8_OK |
		ADDR_POSTMASTER_OK, &a, why) != 0) {
		(void)err_prefix(why, "%s: ", *address);
		return NULL;
	}
	if (admit_tag(e->conf, e->who.flow, relay, &e->sender, &a,
		&no) != ADMIT_YES)
		by = "bounce verification";
	else if (conf_takes_by(e->conf, e->m->listener, relay, &a, &entry,
		&no) != 0)
		by = "RAT";
	row = json_pack("{s:s, s:b, s:s}", "address", *address, "taken",
	    by == NULL, "entry", entry);
	(void)json_array_append_new(rows, row);
	if (by != NULL) {
		explain_put(row, "by", by);
		(void)json_object_set_new(row, "reply", reply_json(&no));
		return refusal(&no, by);
	}
	if (!str_eq_c(a.full, *address)) {
		*address = pool_str(e->pool, a.full).p;
		explain_put(row, "for", *address);
	}
	return NULL;
}

int
explain_envelope(struct explain *e, json_t *all, json_t **refused_r,
    struct err *why)
{
	struct policy_message *m = e->m;
	json_t *rows = json_array(), *rcpts = json_object(), *no;
	const struct policy_who *w = &e->who;
	struct err reply = ERR_INIT;
	const char *address;
	unsigned i;

	*refused_r = json_pack("{s:o}", "rcpt", rcpts);
	(void)json_object_set_new(all, "access", rows);
	if (!read_sender(e, &reply))
		return bad_sender(e, all, &reply);
	if (w->flow != NULL && sender_refused(e, &reply)) {
		(void)json_object_set_new(*refused_r, "mail", refusal(&reply,
		    pool_printf(e->pool, "%s %s", w->flow->policy != NULL ?
			"mail_flow_policy" : "listener",
			w->flow->policy != NULL ? w->flow->policy->name :
			w->l->name)));
		return 0;
	}
	for (i = 0; i < m->nrcpt; i++) {
		address = m->rcpt[i];
		no = recipient(e, &m->rcpt[i], rows, why);
		if (why->text[0] != '\0')
			return -1;
		if (no != NULL)
			(void)json_object_set_new(rcpts, address, no);
	}
	return 0;
}

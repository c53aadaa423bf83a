/*
 * The configurations of a worker: the one it starts with, and those that the
 * master proposes later. Such a one is prepared, its plugins started, while
 * the worker goes on under the one before; then it is kept until the master has
 * heard from all workers and says to switch, or to drop it.
 */
#include "daemon/worker_priv.h"

#include "base/log.h"
#include "base/obj.h"
#include "daemon/logs.h"
#include "daemon/tickets.h"
#include "policy/sgpat.h"
#include "policy/whois.h"
#include "tls/tlsctx.h"

static int	plugins_load(struct worker *, struct conf *, struct epoch *,
		    struct err *);
static void	first_started(void *, const struct err *);
static void	next_take(struct worker *, struct epoch *);
static int	next_prepare(struct worker *, struct epoch *, struct err *);
static void	next_started(void *, const struct err *);
static void	next_switch(struct worker *);
static void	next_drop(struct worker *);
static void	answer(struct worker *, const char *, const char *);
static int	worker_tls(struct worker *, struct conf *, struct epoch *,
		    struct err *);
static void	tls_alerts(struct worker *);
static void	listener_tls(struct worker *, struct conf_listener *);
static int	broken(void *, const char *, const char *, struct err *);
static void	tickets_set(struct worker *, struct conf *);
static void	conf_free(void *);

int
worker_epoch_first(struct worker *w, struct err *why)
{
	w->conf->generation = epoch_generation(w->epoch);
	if (worker_tls(w, w->conf, w->epoch, why) != 0 ||
	    plugins_load(w, w->conf, w->epoch, why) != 0)
		return -1;
	host_start(w->conf->plugins, first_started, w);
	return 0;
}

static int
plugins_load(struct worker *w, struct conf *c, struct epoch *e,
    struct err *why)
{
	if (host_self_check(why) != 0 ||
	    host_load(w->host, c, epoch_reader(e), &c->plugins, why) != 0)
		return -1;
	c->plugins_drop = host_gen_unref;
	return 0;
}

static void
first_started(void *arg, const struct err *why)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	if (why == NULL)
		tls_alerts(w);
	worker_started(w, why);
}

void
worker_epoch_new(struct worker *w, const json_t *msg, int *fds, unsigned n)
{
	struct err why = ERR_INIT;
	struct epoch *e = NULL;

	next_drop(w);
	w->ballot = (uint64_t)control_number(msg, "ballot", 0);
	if (epoch_unpack(&e, msg, fds, n, &why) != 0) {
		answer(w, "refused", why.text);
	} else if (w->stopping) {
		epoch_destroy(&e);
		answer(w, "leaves", NULL);
	} else if (!w->serving) {
		w->waiting = e;
	} else {
		next_take(w, e);
	}
}

void
worker_epoch_next(struct worker *w)
{
	struct epoch *e = w->waiting;

	w->waiting = NULL;
	if (e != NULL)
		next_take(w, e);
}

static void
next_take(struct worker *w, struct epoch *e)
{
	struct err why = ERR_INIT;

	w->next_epoch = e;
	if (next_prepare(w, e, &why) != 0) {
		next_drop(w);
		answer(w, "refused", why.text);
		return;
	}
	host_start(w->next->plugins, next_started, w);
}

static int
next_prepare(struct worker *w, struct epoch *e, struct err *why)
{
	if (epoch_conf(e, epoch_reader(e), &w->next, why) != 0)
		return -1;
	w->next->generation = epoch_generation(e);
	if (worker_tls(w, w->next, e, why) != 0)
		return -1;
	return plugins_load(w, w->next, e, why);
}

static void
next_started(void *arg, const struct err *why)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	if (why != NULL) {
		next_drop(w);
		answer(w, "refused", why->text);
		return;
	}
	w->prepared = true;
	answer(w, "prepared", NULL);
}

void
worker_epoch_decided(struct worker *w, const json_t *msg, bool carried)
{
	/* Of one that it has dropped by itself? */
	if ((uint64_t)control_number(msg, "ballot", 0) != w->ballot)
		return;
	if (carried && w->prepared)
		next_switch(w);
	else
		next_drop(w);
}

void
worker_epoch_leave(struct worker *w)
{
	if (w->next_epoch == NULL && w->waiting == NULL)
		return;
	next_drop(w);
	answer(w, "leaves", NULL);
}

static void
next_switch(struct worker *w)
{
	struct conf *c = w->next, *old = w->conf, *relays = w->relay_conf;
	struct epoch *e = w->next_epoch, *last = w->epoch;
	struct err why = ERR_INIT;

	w->next = NULL;
	w->next_epoch = NULL;
	w->prepared = false;
	w->conf = c;
	w->epoch = e;
	tickets_set(w, c); /* they may have turned meanwhile */
	if (logs_open(c, epoch_reader(e), false, &why) != 0)
		log_critical("worker %u: the log stays as it is: %s",
		    w->env->index, why.text);
	inbound_listen(w->inbound, c, e);
	w->relay_conf = conf_ref(c);
	plugs_out_set(w->plugs_out, c);
	relay_conf_set(w->relay, &c->relay_conf, conf_free, relays);
	queue_recover(w->queue); /* by the new routes */
	conf_unref(&old);
	epoch_destroy(&last);
	worker_tell(w, json_pack("{s:s, s:I, s:b}", "type", "switched",
	    "generation", (json_int_t)epoch_generation(e), "logs",
	    (int)logs_plugins(c->plugins)));
	tls_alerts(w);
}

static void
next_drop(struct worker *w)
{
	if (w->next != NULL && w->next->plugins != NULL)
		host_start_cancel(w->next->plugins);
	conf_unref(&w->next);
	epoch_destroy(&w->next_epoch);
	epoch_destroy(&w->waiting);
	w->prepared = false;
}

static void
answer(struct worker *w, const char *what, const char *why)
{
	worker_tell(w, json_pack("{s:s, s:I, s:s*}", "type", what, "ballot",
	    (json_int_t)w->ballot, "why", why));
}

void
worker_epoch_end(struct worker *w)
{
	conf_unref(&w->next);
	conf_unref(&w->conf);
	epoch_destroy(&w->next_epoch);
	epoch_destroy(&w->waiting);
	epoch_destroy(&w->epoch);
}

/* The relay's reference, once nothing in it needs the generation. */
static void
conf_free(void *arg)
{
	struct conf *c = arg;

	conf_unref(&c);
}

static int
worker_tls(struct worker *w, struct conf *c, struct epoch *e, struct err *why)
{
	struct conf_tls_env env = { .reader = epoch_reader(e),
		.map = epoch_map(e), .sessions = w->env->sessions,
		.broken = broken, .arg = w };
	unsigned i;

	if (w->keys != NULL) {
		env.ops = &keyclient_ops;
		env.ops_arg = w->keys;
	}
	if (conf_tls(c, &env, why) != 0)
		return -1;
	for (i = 0; i < c->nlistener; i++) {
		if (!conf_listener_wants_tls(&c->listener[i]))
			continue;
		listener_tls(w, &c->listener[i]);
	}
	return 0;
}

static bool
is_everybody(const struct conf_group *g)
{
	unsigned i;

	for (i = 0; i < g->npattern; i++) {
		if (g->pattern[i].type == SGPAT_ALL)
			return true;
	}
	return false;
}

/* What clients that are served see of a listener that has no certificate. */
static const char *
without_tls(const struct conf_listener *l)
{
	unsigned i, n[SMTPD_TLS_REQUIRED + 1] = { 0 };
	const struct conf_flow *f;
	enum conf_behavior b;
	bool all = false;

	if (l->implicit_tls)
		return "connections are closed";
	for (i = 0; i < l->ngroup && !all; i++) {
		f = whois_flow(l, l->group[i]);
		b = (enum conf_behavior)f->policy->behavior;
		if (b == CONF_CONTINUE)
			continue; /* it is passed over */
		if (b != CONF_REJECT && b != CONF_TCPREFUSE)
			n[f->smtpd.tls]++;
		all = is_everybody(l->group[i]);
	}
	/* Its own level is that of who is in no group. */
	if (!all)
		n[l->flow[0].smtpd.tls]++;
	if (n[SMTPD_TLS_REQUIRED] == 0)
		return "STARTTLS is not offered";
	if (n[SMTPD_TLS_OFF] + n[SMTPD_TLS_PREFERRED] == 0)
		return "STARTTLS is answered 454 and no mail is taken";
	return "STARTTLS is not offered, and where it is required it is "
	    "answered 454 and no mail is taken";
}

/* A configuration is in force: one worker tells which listeners cannot do the
 * TLS that they are asked for. */
static void
tls_alerts(struct worker *w)
{
	struct host_alert a = { .severity = "Critical", .category = "System",
		.detail = "Clients that demand TLS go away, and the others "
		    "send in clear where they may. See postern certconfig." };
	const struct conf_listener *l;
	struct pool *pool;

	if (w->env->index != 0)
		return;
	pool = pool_new(0);
	for (l = w->conf->listener;
	     l < w->conf->listener + w->conf->nlistener; l++) {
		if (!conf_listener_wants_tls(l) ||
		    l->flow[0].smtpd.tlsctx != NULL)
			continue;
		a.key = pool_printf(pool, "no_certificate:%s", l->name);
		a.text = pool_printf(pool, "listener %s has no usable "
		    "certificate: %s", l->name, without_tls(l));
		alerts_raise(w->alerts, &a);
	}
	pool_destroy(&pool);
}

/* One worker speaks for all. */
static void
listener_tls(struct worker *w, struct conf_listener *l)
{
	struct tlsctx *ctx = l->flow[0].smtpd.tlsctx;
	const char *odd;
	unsigned i;

	if (ctx == NULL) {
		if (w->env->index == 0)
			log_critical("listener %s: there is no usable "
			    "certificate, %s", l->name, without_tls(l));
		return;
	}
	for (i = 0; i < l->nflow; i++) {
		if (l->flow[i].smtpd.tlsctx != NULL)
			tlsctx_ticket_keys(l->flow[i].smtpd.tlsctx,
			    &w->tickets);
	}
	odd = tlsctx_warning(ctx);
	if (odd != NULL && w->env->index == 0)
		log_warning("listener %s: %s", l->name, odd);
}

/* A certificate may be missing; without roots and revocations that are asked
 * for it must not go on. */
static int
broken(void *arg, const char *use, const char *file, struct err *why)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	if (use == NULL)
		return -1;
	if (w->env->index == 0)
		log_critical("certificate %s (%s) cannot be used: %s", file,
		    use, why->text);
	return 0;
}

void
worker_tickets(struct worker *w, const json_t *msg)
{
	if (tickets_unpack(&w->tickets, msg) == 0)
		tickets_set(w, w->conf);
}

static void
tickets_set(struct worker *w, struct conf *c)
{
	const struct conf_listener *l;
	struct tlsctx *ctx;
	unsigned i;

	for (l = c->listener; l < c->listener + c->nlistener; l++) {
		for (i = 0; i < l->nflow; i++) {
			ctx = l->flow[i].smtpd.tlsctx;
			if (ctx != NULL)
				tlsctx_ticket_keys(ctx, &w->tickets);
		}
	}
}

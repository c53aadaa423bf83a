#include "daemon/worker_priv.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "daemon/tickets.h"
#include "tls/tlsio.h"

#define BEAT SECONDS(1)

static int	worker_start(struct worker *, struct err *);
static int	worker_tls(struct worker *, struct conf *, struct epoch *,
		    struct err *);
static void	worker_listener_tls(struct worker *, struct conf_listener *);
static int	worker_broken(void *, const char *, const char *,
		    struct err *);
static void	worker_tickets(struct worker *, const json_t *);
static int	worker_queue(struct worker *, struct err *);
static void	worker_adopt(struct worker *);
static int	worker_control(struct worker *, struct err *);
static void	worker_end(struct worker *);
static void	worker_stop(struct worker *);
static void	on_master(void *, const json_t *, int *, unsigned);
static void	on_term(void *);
static void	on_beat(void *);
static void	on_stop_late(void *);
static void	on_round(void *);
static void	inbound_gone(void *);
static void	relay_gone(void *);
static void	stop_check(struct worker *);
static void	switch_epoch(struct worker *, const json_t *, int *, unsigned);
static int	switch_to(struct worker *, struct epoch *, struct err *);
static void	conf_free(void *);
static void	job_work(void *);
static void	job_done(void *);
static unsigned	flush_domain(void *, struct str, bool);
static void	tell_master(struct worker *, json_t *);
static void	tell_alert(void *, json_t *);
static void	tls_alert(void *, struct str, const char *, const char *,
		    struct str);

int
worker_main(const struct worker_env *env)
{
	struct err why = ERR_INIT;
	struct worker *w;
	char name[16];
	int status;

	OBJ_NEW(w, WORKER_MAGIC);
	w->env = env;
	w->conf = env->conf;
	w->epoch = env->epoch;
	w->tickets = *env->tickets;
	w->started = clock_wall();
	(void)snprintf(name, sizeof(name), "postern-w%u", env->index);
	(void)prctl(PR_SET_NAME, name);
	(void)umask(077);
	if (privs_drop(env->privs, env->master, &why) != 0) {
		(void)fprintf(stderr, "postern: worker %u: %s\n", env->index,
		    why.text);
		return EXIT_FAILURE;
	}
	worker_log_open(w->conf, false);
	ids_forked(env->ids);
	if (worker_start(w, &why) != 0) {
		log_critical("worker %u: %s", env->index, why.text);
		(void)fprintf(stderr, "postern: worker %u: %s\n", env->index,
		    why.text);
		w->status = EXIT_FAILURE;
	} else {
		tell_master(w, json_pack("{s:s}", "type", "ready"));
		loop_run(w->loop);
	}
	status = w->status;
	worker_end(w);
	return status;
}

void
worker_log_open(const struct conf *conf, bool sync)
{
	const struct conf_log *l = &conf->log;
	struct log_conf c = { .file = l->file, .json = l->json,
		.stderr_on = l->stderr, .syslog_on = l->syslog,
		.ident = l->ident, .level = (enum log_level)l->level,
		.sync = sync };

	if (l->file[0] == '\0' && l->json[0] == '\0' && !l->syslog)
		c.stderr_on = true;
	log_open(&c);
}

static int
worker_start(struct worker *w, struct err *why)
{
	struct dns_conf d = { .servers = w->conf->dns.servers,
		.timeout = w->conf->dns.timeout };
	struct inbound_world in;

	w->loop = loop_new();
	w->ipc = ipc_new(w->loop, w->env->ipc, on_master, w);
	if (w->env->keeper_keys)
		w->keys = keyclient_new(w->loop, w->env->keeper,
		    tlsio_key_done);
	w->term = loop_signal_start(w->loop, SIGTERM, on_term, w);
	loop_timer_init(w->loop, &w->beat, on_beat, w);
	loop_timer_init(w->loop, &w->stop_late, on_stop_late, w);
	loop_each_round(w->loop, on_round, w);
	w->alerts = alerts_new(w->loop, tell_alert, w);
	w->aux = offload_new("aux");
	loop_offload(w->loop, w->aux);
	if (w->conf->dns.records[0] != '\0')
		d.records = w->conf->dns.records;
	if (w->conf->dns.trust_anchor[0] != '\0')
		d.trust_anchor = w->conf->dns.trust_anchor;
	if (dns_new(&w->dns, w->loop, &d, why) != 0 ||
	    worker_tls(w, w->conf, w->epoch, why) != 0 ||
	    worker_queue(w, why) != 0)
		return -1;
	in = (struct inbound_world){ .loop = w->loop, .dns = w->dns,
		.shm = w->env->shm, .ids = w->env->ids, .store = w->store,
		.queue = w->queue, .aux = w->aux, .worker = w->env->index,
		.flush = flush_domain, .arg = w };
	w->inbound = inbound_new(&in);
	inbound_listen(w->inbound, w->conf, w->epoch);
	on_beat(w);
	return worker_control(w, why);
}

static int
worker_tls(struct worker *w, struct conf *c, struct epoch *e, struct err *why)
{
	struct conf_tls_env env = { .reader = epoch_reader(e),
		.map = epoch_map(e), .sessions = w->env->sessions,
		.broken = worker_broken, .arg = w };
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
		worker_listener_tls(w, &c->listener[i]);
	}
	return 0;
}

/* One worker speaks for all. */
static void
worker_listener_tls(struct worker *w, struct conf_listener *l)
{
	struct tlsctx *ctx = l->smtpd.tlsctx;
	const char *odd;

	if (ctx == NULL) {
		if (w->env->index == 0)
			log_critical("listener %s: there is no usable "
			    "certificate, %s", l->name, l->implicit_tls ?
				"connections are closed" :
				l->tls == SMTPD_TLS_REQUIRED ?
				"STARTTLS is answered 454 and no mail is "
				"taken" : "STARTTLS is not offered");
		return;
	}
	tlsctx_ticket_keys(ctx, &w->tickets);
	odd = tlsctx_warning(ctx);
	if (odd != NULL && w->env->index == 0)
		log_warning("listener %s: %s", l->name, odd);
}

/* A certificate may be missing; without roots and revocations that are asked
 * for it must not go on. */
static int
worker_broken(void *arg, const char *use, const char *file, struct err *why)
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

static void
worker_tickets(struct worker *w, const json_t *msg)
{
	struct tlsctx *ctx;
	unsigned i;

	if (tickets_unpack(&w->tickets, msg) != 0)
		return;
	for (i = 0; i < w->conf->nlistener; i++) {
		ctx = w->conf->listener[i].smtpd.tlsctx;
		if (ctx != NULL)
			tlsctx_ticket_keys(ctx, &w->tickets);
	}
}

static int
worker_queue(struct worker *w, struct err *why)
{
	struct store_conf s = { .dir = w->conf->top.spool,
		.index = w->env->index,
		.body_in_row = w->conf->queue.body_in_row,
		.segment_size = w->conf->queue.segment_size };
	struct relay_world world = { .loop = w->loop, .dns = w->dns,
		.shm = w->env->shm, .ids = w->env->ids,
		.worker = w->env->index, .tls_alert = tls_alert,
		.alert_arg = w };

	if (store_open(&w->store, w->loop, &s, why) != 0)
		return -1;
	world.store = w->store;
	/* The generation stays until relay_conf_set() lets it go. */
	w->relay_conf = conf_ref(w->conf);
	w->relay = relay_new(&world, &w->relay_conf->relay_conf);
	if (queue_new(&w->queue, w->loop, w->store, relay_queue_ops(),
		w->relay, why) != 0)
		return -1;
	relay_queue_set(w->relay, w->queue);
	queue_recover(w->queue);
	worker_adopt(w);
	return 0;
}

/* Stores of workers that are no more go to those that are, in turn. */
static void
worker_adopt(struct worker *w)
{
	struct err why = ERR_INIT;
	unsigned v[256], n, i;

	n = store_orphans(w->conf->top.spool, w->env->count, v, 256);
	for (i = 0; i < n; i++) {
		if (v[i] % w->env->count != w->env->index)
			continue;
		if (queue_adopt(w->queue, v[i], &why) != 0)
			log_critical("store %u: %s", v[i], why.text);
		else
			log_info("worker %u takes over store %u",
			    w->env->index, v[i]);
	}
}

static int
worker_control(struct worker *w, struct err *why)
{
	const char *path = pool_printf(w->conf->pool, "%s/worker-%u.sock",
	    w->conf->top.run, w->env->index);

	return control_new(&w->control, w->loop, path, worker_verbs, w, why);
}

static void
worker_end(struct worker *w)
{
	if (w->inbound != NULL)
		inbound_kill(w->inbound);
	/* What the disk still owes is told while all are there to hear it. */
	if (w->store != NULL)
		store_finish(w->store);
	relay_destroy(&w->relay);
	conf_unref(&w->relay_conf);
	queue_destroy(&w->queue);
	store_close(&w->store);
	if (w->aux != NULL)
		offload_drain(w->aux);
	inbound_destroy(&w->inbound);
	control_destroy(&w->control);
	alerts_destroy(&w->alerts);
	dns_destroy(&w->dns);
	if (w->loop != NULL) {
		loop_timer_clear(&w->beat);
		loop_timer_clear(&w->stop_late);
		if (w->term != NULL)
			loop_signal_stop(&w->term);
		ipc_destroy(&w->ipc);
		keyclient_destroy(&w->keys);
		loop_once(w->loop, false);
		loop_offload_stop(w->loop, w->aux);
		offload_destroy(&w->aux);
		loop_destroy(&w->loop);
	}
	conf_unref(&w->conf);
	epoch_destroy(&w->epoch);
	log_close();
	mem_free(w->job.spool);
	OBJ_FREE(w);
}

static void
on_round(void *arg)
{
	(void)arg;
	log_flush();
}

static void
on_master(void *arg, const json_t *msg, int *fds, unsigned n)
{
	const char *type = control_text(msg, "type"), *domain;
	struct worker *w;
	bool sub;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	if (msg == NULL) {
		/* Without a master nobody would start us again. */
		log_critical("worker %u: the master is gone", w->env->index);
		worker_stop(w);
		return;
	}
	if (type != NULL && strcmp(type, "epoch") == 0) {
		switch_epoch(w, msg, fds, n);
		return;
	}
	if (type != NULL && strcmp(type, "keeper") == 0 && n == 1 &&
	    w->keys != NULL) {
		keyclient_connect(w->keys, fds[0]);
		return;
	}
	while (n > 0)
		(void)close(fds[--n]);
	if (type == NULL)
		return;
	if (strcmp(type, "tickets") == 0) {
		worker_tickets(w, msg);
	} else if (strcmp(type, "stop") == 0) {
		worker_stop(w);
	} else if (strcmp(type, "reopen") == 0) {
		log_reopen();
	} else if (strcmp(type, "alert") == 0) {
		alerts_emit(w->alerts, w->conf->plugins,
		    w->conf->top.hostname, msg);
	} else if (strcmp(type, "flush") == 0) {
		domain = control_text(msg, "domain");
		sub = json_is_true(json_object_get(msg, "sub"));
		if (domain != NULL && !w->stopping) {
			(void)queue_flush_domain(w->queue, str_c(domain), sub);
			relay_wake(w->relay, str_c(domain), sub);
		}
	}
}

static void
on_term(void *arg)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	worker_stop(w);
}

static void
worker_stop(struct worker *w)
{
	if (w->stopping)
		return;
	w->stopping = true;
	loop_timer_set(&w->stop_late, w->conf->top.stop_timeout);
	inbound_stop(w->inbound, inbound_gone, w);
	relay_stop(w->relay, relay_gone, w);
}

static void
inbound_gone(void *arg)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	w->inbound_done = true;
	stop_check(w);
}

static void
relay_gone(void *arg)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	w->relay_done = true;
	stop_check(w);
}

static void
stop_check(struct worker *w)
{
	if (w->inbound_done && w->relay_done)
		loop_stop(w->loop);
}

static void
on_stop_late(void *arg)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	log_warning("worker %u: stop_timeout is over", w->env->index);
	loop_stop(w->loop);
}

static void
on_beat(void *arg)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	shm_beat(w->env->shm, w->env->index, clock_now());
	loop_timer_set(&w->beat, BEAT);
	if (w->aux_busy)
		return;
	w->aux_busy = true;
	if (w->job.spool == NULL)
		w->job.spool = mem_strdup(w->conf->top.spool);
	w->job.ids = w->env->ids;
	w->job.extend = ids_low(w->env->ids);
	err_clear(&w->job.why);
	offload_submit(w->aux, job_work, job_done, w);
}

/* On the thread: nothing but w->job. */
static void
job_work(void *arg)
{
	struct worker_job *j;
	struct statvfs st;
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	j = &w->job;
	j->space = UINT64_MAX;
	if (statvfs(j->spool, &st) == 0)
		j->space = (uint64_t)st.f_bavail * st.f_frsize;
	if (j->extend)
		(void)ids_extend(j->ids, &j->why);
}

static void
job_done(void *arg)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	w->aux_busy = false;
	if (w->job.why.text[0] != '\0')
		log_critical("worker %u: %s", w->env->index, w->job.why.text);
	if (w->inbound != NULL)
		inbound_space_set(w->inbound, w->job.space);
}

static void
switch_epoch(struct worker *w, const json_t *msg, int *fds, unsigned n)
{
	struct err why = ERR_INIT;
	struct epoch *e = NULL;

	if (epoch_unpack(&e, msg, fds, n, &why) != 0 || w->stopping ||
	    switch_to(w, e, &why) != 0) {
		epoch_destroy(&e);
		tell_master(w, json_pack("{s:s, s:s}", "type", "refused",
		    "why", why.text));
		return;
	}
	tell_master(w, json_pack("{s:s, s:I}", "type", "switched",
	    "generation", (json_int_t)epoch_generation(e)));
}

static int
switch_to(struct worker *w, struct epoch *e, struct err *why)
{
	struct epoch *last = w->epoch;
	struct conf *c, *old = w->conf, *relays = w->relay_conf;

	if (conf_parse(&c, epoch_file(e), epoch_text(e), epoch_reader(e),
		why) != 0)
		return -1;
	if (worker_tls(w, c, e, why) != 0) {
		conf_unref(&c);
		return -1;
	}
	c->generation = epoch_generation(e);
	w->conf = c;
	w->epoch = e;
	worker_log_open(c, false);
	inbound_listen(w->inbound, c, e);
	w->relay_conf = conf_ref(c);
	relay_conf_set(w->relay, &c->relay_conf, conf_free, relays);
	queue_recover(w->queue); /* by the new routes */
	conf_unref(&old);
	epoch_destroy(&last);
	return 0;
}

/* The relay's reference, once nothing in it needs the generation. */
static void
conf_free(void *arg)
{
	struct conf *c = arg;

	conf_unref(&c);
}

static unsigned
flush_domain(void *arg, struct str domain, bool subdomains)
{
	struct worker *w;
	unsigned n;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	n = queue_flush_domain(w->queue, domain, subdomains);
	relay_wake(w->relay, domain, subdomains);
	tell_master(w, json_pack("{s:s, s:s%, s:b, s:i}", "type", "flush",
	    "domain", domain.p, domain.n, "sub", (int)subdomains, "from",
	    (int)w->env->index));
	return n;
}

static void
tell_master(struct worker *w, json_t *msg)
{
	struct err why = ERR_INIT;

	if (msg != NULL && ipc_send(w->ipc, msg, NULL, 0, &why) != 0)
		log_debug("worker %u: %s", w->env->index, why.text);
}

static void
tell_alert(void *arg, json_t *msg)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	tell_master(w, msg);
}

static void
tls_alert(void *arg, struct str domain, const char *ip, const char *reason,
    struct str detail)
{
	struct host_alert a = { .severity = "Warning", .category = "System" };
	struct worker *w;
	struct pool *pool;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	pool = pool_new(0);
	a.key = pool_printf(pool, "tls:%.*s", STR_FMT(domain));
	a.text = pool_printf(pool, "TLS that is required for %.*s could not "
	    "be had: %s", STR_FMT(domain), reason);
	a.detail = pool_printf(pool, "Host: %s\nReason: %.*s", ip,
	    STR_FMT(detail));
	alerts_raise(w->alerts, &a);
	pool_destroy(&pool);
}

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
#include "daemon/alerttest.h"
#include "daemon/logs.h"
#include "daemon/plugs_metrics.h"
#include "daemon/tickets.h"
#include "tls/tlsio.h"

#define BEAT SECONDS(1)

static int	worker_start(struct worker *, struct err *);
static void	worker_failed(struct worker *, const struct err *);
static int	worker_serve(struct worker *, struct err *);
static int	worker_queue(struct worker *, struct err *);
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
static void	job_work(void *);
static void	job_done(void *);
static unsigned	flush_domain(void *, struct str, bool);
static const char *suspect(void *, uint64_t);
static void	frozen(void *, uint64_t);
static void	host_alerts(void *, const struct host_alert *);
static void	tell_alert(void *, json_t *);
static void	held_alert(void *, uint64_t, const struct addr *, struct str);
static void	tls_failed(void *, const struct relay_tls_fail *);
static void	tls_told(void *, struct str, enum queue_fate);
static void	tls_watch(void *, bool);

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
	if (logs_open(w->conf, epoch_reader(w->epoch), false, &why) != 0)
		log_critical("worker %u: the log stays on standard error: %s",
		    env->index, why.text);
	ids_forked(env->ids);
	if (worker_start(w, &why) != 0)
		worker_failed(w, &why);
	else
		loop_run(w->loop);
	status = w->status;
	worker_end(w);
	return status;
}

static void
worker_failed(struct worker *w, const struct err *why)
{
	log_critical("worker %u: %s", w->env->index, why->text);
	(void)fprintf(stderr, "postern: worker %u: %s\n", w->env->index,
	    why->text);
	w->status = EXIT_FAILURE;
}

static int
worker_start(struct worker *w, struct err *why)
{
	struct dns_conf d = { .servers = w->conf->dns.servers,
		.timeout = w->conf->dns.timeout };
	struct host_world world;

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
	w->watch = tlswatch_new(tell_alert, tls_watch, w);
	w->aux = offload_new("aux");
	loop_offload(w->loop, w->aux);
	if (w->conf->dns.records[0] != '\0')
		d.records = w->conf->dns.records;
	if (w->conf->dns.trust_anchor[0] != '\0')
		d.trust_anchor = w->conf->dns.trust_anchor;
	if (dns_new(&w->dns, w->loop, &d, why) != 0)
		return -1;
	world = (struct host_world){ .loop = w->loop, .dns = w->dns,
		.shm = w->env->shm, .worker = w->env->index,
		.hostname = w->conf->top.hostname, .alert = host_alerts,
		.arg = w };
	w->host = host_new(&world);
	on_beat(w);
	return worker_epoch_first(w, why);
}

/* Its plugins have started, or one of them does not: why. */
void
worker_started(struct worker *w, const struct err *no)
{
	struct err why = ERR_INIT;

	if (w->stopping)
		return;
	if (no != NULL)
		why = *no;
	if (no != NULL || worker_store_open(w, &why) != 0) {
		worker_failed(w, &why);
		loop_stop(w->loop);
	}
}

void
worker_opened(struct worker *w, const struct err *no)
{
	struct err why = ERR_INIT;

	if (w->stopping)
		return;
	if (no != NULL)
		why = *no;
	if (no != NULL || worker_serve(w, &why) != 0) {
		worker_failed(w, &why);
		loop_stop(w->loop);
		return;
	}
	w->serving = true;
	worker_tell(w, json_pack("{s:s, s:b}", "type", "ready", "logs",
	    (int)logs_plugins(w->conf->plugins)));
	worker_epoch_next(w);
}

static int
worker_serve(struct worker *w, struct err *why)
{
	struct inbound_world in;

	if (worker_queue(w, why) != 0)
		return -1;
	in = (struct inbound_world){ .loop = w->loop, .dns = w->dns,
		.shm = w->env->shm, .ids = w->env->ids, .store = w->store,
		.queue = w->queue, .aux = w->aux, .worker = w->env->index,
		.flush = flush_domain, .arg = w };
	w->inbound = inbound_new(&in);
	inbound_listen(w->inbound, w->conf, w->epoch);
	return worker_control(w, why);
}

static int
worker_queue(struct worker *w, struct err *why)
{
	struct relay_world world = { .loop = w->loop, .dns = w->dns,
		.shm = w->env->shm, .ids = w->env->ids,
		.worker = w->env->index, .tls_failed = tls_failed,
		.tls_told = tls_told, .held_alert = held_alert,
		.alert_arg = w };

	world.store = w->store;
	/* The generation stays until relay_conf_set() lets it go. */
	w->relay_conf = conf_ref(w->conf);
	w->plugs_out = plugs_out_new(w->loop);
	plugs_out_set(w->plugs_out, w->conf);
	world.asks = &plugs_out_asks;
	world.asks_arg = w->plugs_out;
	w->relay = relay_new(&world, &w->relay_conf->relay_conf);
	if (queue_new(&w->queue, w->loop, w->store, relay_queue_ops(),
		w->relay, why) != 0)
		return -1;
	relay_queue_set(w->relay, w->queue);
	queue_set_suspects(w->queue, suspect, frozen, w);
	queue_recover(w->queue);
	worker_store_adopt(w);
	return 0;
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
	/* The loop turns below, for plugins that stop, when queue and sessions
	 * are gone: neither the beat nor the master may ask about them. */
	w->serving = false;
	w->stopping = true;
	if (w->loop != NULL) {
		loop_timer_clear(&w->beat);
		loop_timer_clear(&w->stop_late);
	}
	if (w->inbound != NULL)
		inbound_kill(w->inbound);
	/* What the disk still owes is told while all are there to hear it. */
	worker_store_finish(w);
	relay_destroy(&w->relay);
	conf_unref(&w->relay_conf);
	queue_destroy(&w->queue);
	plugs_out_destroy(&w->plugs_out);
	worker_store_close(w);
	if (w->aux != NULL)
		offload_drain(w->aux);
	inbound_destroy(&w->inbound);
	control_destroy(&w->control);
	alerttest_end(w);
	alerts_destroy(&w->alerts);
	tlswatch_destroy(&w->watch);
	(void)logs_plugins(NULL);
	/* What plugins wait for goes before that which would tell them. */
	worker_epoch_end(w);
	host_destroy(&w->host);
	dns_destroy(&w->dns);
	if (w->loop != NULL) {
		if (w->term != NULL)
			loop_signal_stop(&w->term);
		ipc_destroy(&w->ipc);
		keyclient_destroy(&w->keys);
		loop_once(w->loop, false);
		loop_offload_stop(w->loop, w->aux);
		offload_destroy(&w->aux);
		loop_destroy(&w->loop);
	}
	logs_close();
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
		worker_epoch_new(w, msg, fds, n);
		return;
	}
	if (type != NULL && strcmp(type, "keeper") == 0 && n == 1 &&
	    w->keys != NULL) {
		keyclient_connect(w->keys, fds[0]);
		return;
	}
	while (n > 0)
		(void)close(fds[--n]);
	if (type == NULL || w->conf == NULL)
		return; /* it has ended */
	if (strcmp(type, "tickets") == 0) {
		worker_tickets(w, msg);
	} else if (strcmp(type, "switch") == 0) {
		worker_epoch_decided(w, msg, true);
	} else if (strcmp(type, "drop") == 0) {
		worker_epoch_decided(w, msg, false);
	} else if (strcmp(type, "stop") == 0) {
		worker_stop(w);
	} else if (strcmp(type, "reopen") == 0) {
		log_reopen();
	} else if (strcmp(type, "alert") == 0) {
		if (w->serving)
			alerts_emit(w->alerts, w->conf->plugins,
			    w->conf->top.hostname, msg);
	} else if (strcmp(type, "episode") == 0) {
		if (w->watch != NULL)
			tlswatch_heard(w->watch, msg);
	} else if (strcmp(type, "log") == 0) {
		logs_passed(msg);
	} else if (strcmp(type, "flush") == 0) {
		domain = control_text(msg, "domain");
		sub = json_is_true(json_object_get(msg, "sub"));
		if (domain != NULL && !w->stopping && w->serving) {
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
	worker_epoch_leave(w);
	if (!w->serving) {
		loop_stop(w->loop);
		return;
	}
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
	json_t *msg;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	shm_beat(w->env->shm, w->env->index, clock_now());
	shm_metric_add(w->env->shm, w->env->index, M_LOG_LOST,
	    (int64_t)log_lost());
	while ((msg = logs_alert()) != NULL)
		worker_tell(w, msg);
	loop_timer_set(&w->beat, BEAT);
	if (w->serving) {
		worker_count(w);
		tlswatch_beat(w->watch, w->queue);
	}
	plugs_metrics(w->env->shm, w->conf->plugins);
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

static unsigned
flush_domain(void *arg, struct str domain, bool subdomains)
{
	struct worker *w;
	unsigned n;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	n = queue_flush_domain(w->queue, domain, subdomains);
	relay_wake(w->relay, domain, subdomains);
	worker_tell(w, json_pack("{s:s, s:s%, s:b, s:i}", "type", "flush",
	    "domain", domain.p, domain.n, "sub", (int)subdomains, "from",
	    (int)w->env->index));
	return n;
}

/* Why a message of an earlier life is not to be tried again. */
static const char *
suspect(void *arg, uint64_t mid)
{
	char name[SHM_PLUGIN_NAME];
	struct worker *w;
	int number;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	if (!shm_suspect(w->env->shm, mid, &number))
		return NULL;
	(void)snprintf(w->suspicion, sizeof(w->suspicion), "plugin %s crashed "
	    "with it, and it was not the first time",
	    shm_plugin_name(w->env->shm, number, name, sizeof(name)));
	return w->suspicion;
}

static void
frozen(void *arg, uint64_t mid)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	shm_suspect_done(w->env->shm, mid);
}

void
worker_tell(struct worker *w, json_t *msg)
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
	worker_tell(w, msg);
}

/* Of a plugin; of its stop hook nobody can tell any more. */
static void
host_alerts(void *arg, const struct host_alert *a)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	if (w->alerts != NULL)
		alerts_raise(w->alerts, a);
}

static void
tls_failed(void *arg, const struct relay_tls_fail *f)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	if (w->watch != NULL)
		tlswatch_failed(w->watch, f);
}

static void
tls_told(void *arg, struct str domain, enum queue_fate fate)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	if (w->watch != NULL)
		tlswatch_told(w->watch, domain, fate);
}

static void
tls_watch(void *arg, bool on)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	if (w->relay != NULL)
		relay_tls_watch(w->relay, on);
}

static void
held_alert(void *arg, uint64_t mid, const struct addr *rcpt, struct str why)
{
	struct host_alert a = { .severity = "Critical", .category = "System" };
	struct worker *w;
	struct pool *pool;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	pool = pool_new(0);
	a.key = pool_printf(pool, "double_bounce:%.*s", STR_FMT(rcpt->domain));
	a.text = pool_printf(pool, "MID %" PRIu64 ", a report to %.*s, is "
	    "held: the TLS that its message needed could not be had", mid,
	    STR_FMT(rcpt->full));
	a.detail = pool_printf(pool, "Reason: %.*s", STR_FMT(why));
	alerts_raise(w->alerts, &a);
	pool_destroy(&pool);
}

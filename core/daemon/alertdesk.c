/*
 * The master's alerts: what it and the workers raise, those of episodes, and
 * the book of them.
 */
#include "base/log.h"
#include "base/obj.h"
#include "daemon/logs.h"
#include "daemon/master_priv.h"

static bool	send_alert(void *, unsigned, json_t *);
static void	tell_worker(void *, unsigned, json_t *);
static void	episode_news(void *, json_t *, bool);
static void	save(struct master *);

static const struct episodes_ops episodes_ops = {
	.news = episode_news,
	.tell = tell_worker,
};

void
desk_start(struct master *m)
{
	struct err why = ERR_INIT;
	json_t *saved;

	m->alerts = alertpost_new(m->nchild, send_alert, m);
	m->episodes = episodes_new(m->nchild, &episodes_ops, m);
	m->book = alertbook_new(m->conf->top.spool);
	m->news = json_array();
	if (alertbook_load(m->book, &saved, &why) != 0)
		log_critical("alerts begin anew: %s", why.text);
	episodes_load(m->episodes, saved);
	json_decref(saved);
	(void)episodes_changed(m->episodes);
}

void
desk_end(struct master *m)
{
	if (m->book != NULL && (alertbook_changed(m->book) ||
	    episodes_changed(m->episodes)))
		save(m);
	json_decref(m->news);
	alertbook_destroy(&m->book);
	episodes_destroy(&m->episodes);
	alertpost_destroy(&m->alerts);
}

void
desk_said(struct child *c, const json_t *msg)
{
	episodes_said(c->m->episodes, c->index, msg);
}

void
desk_worker(struct child *c, bool ready)
{
	alertpost_ready(c->m->alerts, c->index, ready);
	episodes_worker(c->m->episodes, c->index, ready);
}

void
desk_take(struct master *m, json_t *alert)
{
	if (alert == NULL)
		return;
	shm_metric_add(m->shm, 0, M_ALERTS, 1);
	alertbook_add(m->book, alert, 1);
	alertpost_add(m->alerts, alert);
}

void
desk_tick(struct master *m)
{
	uint64_t opened, resolved;
	json_t *msg;
	size_t i;

	while ((msg = logs_alert()) != NULL)
		desk_take(m, msg);
	if (m->stopping)
		return;
	episodes_tick(m->episodes, m->conf->delivery.alert_required_tls);
	opened = episodes_opened(m->episodes);
	resolved = episodes_resolved(m->episodes);
	shm_metric_set(m->shm, 0, M_TLS_EPISODES,
	    (int64_t)episodes_open(m->episodes));
	shm_metric_add(m->shm, 0, M_TLS_EPISODES_OPENED,
	    (int64_t)(opened - m->opened));
	shm_metric_add(m->shm, 0, M_TLS_EPISODES_RESOLVED,
	    (int64_t)(resolved - m->resolved));
	m->opened = opened;
	m->resolved = resolved;
	/* A restart between the two would announce them once more. */
	if (alertbook_changed(m->book) || episodes_changed(m->episodes))
		save(m);
	json_array_foreach(m->news, i, msg)
		alertpost_add(m->alerts, json_incref(msg));
	(void)json_array_clear(m->news);
}

static void
save(struct master *m)
{
	struct err why = ERR_INIT;
	bool failed;

	failed = alertbook_save(m->book, episodes_save(m->episodes),
	    &why) != 0;
	if (failed && !m->book_failed)
		log_critical("alerts cannot be kept: %s", why.text);
	m->book_failed = failed;
}

void
master_alert(struct master *m, const char *severity, const char *key,
    const char *text, const char *detail)
{
	struct host_alert a = { .severity = severity, .category = "System",
		.key = key, .text = text, .detail = detail };

	desk_take(m, alert_raise(&a));
}

/* The line in the log is that of any alert. Where the switch is off there is
 * none, but the history has it. */
static void
episode_news(void *arg, json_t *news, bool told)
{
	struct host_alert a = { .severity = "Warning", .category = "System" };
	struct master *m;
	json_t *msg;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	a.key = control_text(news, "key");
	a.text = control_text(news, "text");
	a.detail = control_text(news, "detail");
	msg = told ? alert_raise(&a) : alert_pack(&a);
	(void)json_object_update_missing(msg, news);
	json_decref(news);
	alertbook_add(m->book, msg, told);
	if (told) {
		shm_metric_add(m->shm, 0, M_ALERTS, 1);
		(void)json_array_append(m->news, msg);
	}
	json_decref(msg);
}

static int
to_worker(struct master *m, unsigned worker, json_t *msg)
{
	struct err why = ERR_INIT;

	if (m->child[worker].ipc == NULL) {
		json_decref(msg);
		return -1;
	}
	if (ipc_send(m->child[worker].ipc, msg, NULL, 0, &why) == 0)
		return 0;
	log_warning("worker %u: alert: %s", worker, why.text);
	return -1;
}

static bool
send_alert(void *arg, unsigned worker, json_t *msg)
{
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	return to_worker(m, worker, msg) == 0;
}

static void
tell_worker(void *arg, unsigned worker, json_t *msg)
{
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	(void)to_worker(m, worker, msg);
}

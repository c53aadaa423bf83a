/*
 * The table of services that plugins are given, and the small ones of it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "host/event_priv.h"

enum { LOG_LINE = 1024 };

static void api_log(struct pst_event *, enum pst_level, const char *, ...)
    ATTR_PRINTF(3, 4);
static void api_count(struct pst_event *, const char *, int64_t);
static void api_gauge(struct pst_event *, const char *, int64_t);
static void api_alert(struct pst_event *, enum pst_level, const char *,
    const char *, ...) ATTR_PRINTF(4, 5);
static void *api_alloc(struct pst_event *, enum pst_scope, size_t);
static void *api_data(struct pst_event *, enum pst_scope, size_t);
static void api_defer(struct pst_event *, enum pst_scope, void (*)(void *),
    void *);
static int64_t api_now(struct pst_event *);
static uint32_t api_rate(struct pst_event *, const char *, uint32_t,
    uint32_t);
static int api_task(struct pst_event *, pst_fn *, void *);
static void api_at(struct pst_event *, const char *);
static int api_mute(struct pst_event *, const char *);

const struct pst_api api_table = {
	.size = sizeof(struct pst_api),
	.major = PST_ABI_MAJOR,
	.minor = PST_ABI_MINOR,
	.host = "Postern " PACKAGE_VERSION,
	.log = api_log,
	.count = api_count,
	.gauge = api_gauge,
	.alert = api_alert,
	.alloc = api_alloc,
	.data = api_data,
	.defer = api_defer,
	.get = api_get,
	.set = api_set,
	.reply = api_reply,
	.header = api_header,
	.field = api_field,
	.edit = api_edit,
	.body = api_body,
	.body_write = api_body_write,
	.each_rcpt = api_each_rcpt,
	.now = api_now,
	.rate = api_rate,
	.task = api_task,
	.timer = api_timer,
	.watch = api_watch,
	.offload = api_offload,
	.dns = api_dns,
	.lookup = api_lookup,
	.http = api_http,
	.park = api_park,
	.wake = api_wake,
	.rcpt = api_rcpt,
	.rcpt_add = api_rcpt_add,
	.rcpt_drop = api_rcpt_drop,
	.notify = api_notify,
	.at = api_at,
	.mute = api_mute,
};

static void
api_log(struct pst_event *pub, enum pst_level level, const char *fmt, ...)
{
	static const struct {
		enum log_event event;
		enum log_level level;
	} as[] = {
		[PST_DEBUG] = { EV_PLUGIN_DEBUG, LOG_LV_DEBUG },
		[PST_INFO] = { EV_PLUGIN_INFO, LOG_LV_INFO },
		[PST_NOTICE] = { EV_PLUGIN_INFO, LOG_LV_INFO },
		[PST_WARNING] = { EV_PLUGIN_WARNING, LOG_LV_WARNING },
		[PST_ERROR] = { EV_PLUGIN_CRITICAL, LOG_LV_CRITICAL },
	};
	struct event *ev = event_of(pub);
	char text[LOG_LINE];
	va_list ap;
	bool sink;

	if ((unsigned)level > PST_ERROR)
		level = PST_ERROR;
	if (ev == NULL || !log_would(as[level].level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* What became of alerts is told in words that tools know. */
	sink = ev->inst->fn[ON_ALERT_EMIT] != NULL;
	if (sink && as[level].event == EV_PLUGIN_INFO)
		mail_log(EV_ALERT_SENT, str_c(text), ev->inst->name);
	else if (sink && as[level].event == EV_PLUGIN_CRITICAL)
		mail_log(EV_ALERT_FAILED, str_c(text), ev->inst->name);
	else
		mail_log(as[level].event, ev->inst->name, ev->about->mid,
		    ev->about->icid, str_c(text));
}

static void
api_count(struct pst_event *pub, const char *metric, int64_t by)
{
	struct event *ev = event_of(pub);

	if (ev != NULL)
		stat_metric(ev, SHM_COUNTER, metric, by);
}

static void
api_gauge(struct pst_event *pub, const char *metric, int64_t value)
{
	struct event *ev = event_of(pub);

	if (ev != NULL)
		stat_metric(ev, SHM_GAUGE, metric, value);
}

static void
api_alert(struct pst_event *pub, enum pst_level level, const char *key,
    const char *fmt, ...)
{
	struct event *ev = event_of(pub);
	const struct host_world *w;
	struct host_alert alert;
	char text[LOG_LINE];
	va_list ap;

	if (ev == NULL)
		return;
	w = &ev->engine->host->world;
	if (w->alert == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	reply_clean(text);
	alert = (struct host_alert){
		.severity = level >= PST_ERROR ? "Critical" :
		    level == PST_WARNING ? "Warning" : "Information",
		.category = "System",
		.key = key,
		.text = text,
		.detail = "",
	};
	w->alert(w->arg, &alert);
}

static void *
api_alloc(struct pst_event *pub, enum pst_scope which, size_t n)
{
	struct event *ev = event_of(pub);
	struct scope *s = ev != NULL ? event_scope(ev, which) : NULL;

	return s == NULL ? NULL : scope_alloc(s, n);
}

static void *
api_data(struct pst_event *pub, enum pst_scope which, size_t n)
{
	struct event *ev = event_of(pub);
	struct scope *s = ev != NULL ? event_scope(ev, which) : NULL;

	return s == NULL ? NULL : scope_data(s, ev->inst, n);
}

/* Without such a scope the end is now: better than never. */
static void
api_defer(struct pst_event *pub, enum pst_scope which, void (*fn)(void *),
    void *arg)
{
	struct event *ev = event_of(pub);
	struct scope *s = ev != NULL ? event_scope(ev, which) : NULL;

	if (s == NULL && ev != NULL)
		s = event_scope(ev, PST_EVENT);
	if (s != NULL)
		event_defer(ev, s, fn, arg);
}

static int64_t
api_now(struct pst_event *pub)
{
	(void)pub;
	return clock_wall();
}

/* The key is the instance's own. */
static uint32_t
api_rate(struct pst_event *pub, const char *key, uint32_t window_ms,
    uint32_t by)
{
	struct event *ev = event_of(pub);
	const struct host_world *w;
	uint64_t hash[2];

	if (ev == NULL)
		return 0;
	w = &ev->engine->host->world;
	if (w->shm == NULL)
		return 0;
	hash[0] = hash_stable(ev->inst->name, strlen(ev->inst->name));
	hash[1] = hash_stable(key, strlen(key));
	return shm_rate_by(w->shm, w->worker, hash_stable(hash, sizeof(hash)),
	    window_ms, by);
}

static int
api_task(struct pst_event *pub, pst_fn *fn, void *arg)
{
	struct event *ev = event_of(pub);

	return ev == NULL ? -1 : event_task(ev, fn, arg);
}

static void
api_at(struct pst_event *pub, const char *place)
{
	struct event *ev = event_of(pub);

	if (ev == NULL)
		return;
	(void)str_copy(ev->place, sizeof(ev->place), str_c(place));
	reply_clean(ev->place);
	if (ev->engine->recorder != NULL)
		flight_place(ev->engine->recorder, ev->place);
}

static int
api_mute(struct pst_event *pub, const char *on)
{
	struct event *ev = event_of(pub);
	int hook;

	if (ev == NULL)
		return -1;
	hook = on_find(on);
	if (ev->on != ON_START || ev->task)
		event_misuse(ev, "hooks are muted at start");
	else if (hook < 0 || hook >= HOOK_COUNT ||
	    ev->inst->fn[hook] == NULL)
		event_misuse(ev, "it has no such hook to mute");
	else {
		order_mute(ev->inst, (enum hook)hook);
		return 0;
	}
	return -1;
}

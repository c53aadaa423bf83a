/*
 * Alerts to a web server: a JSON object by POST, signed with a secret that
 * both sides know. What it does not take is sent again, with growing pauses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <postern/alert_sink.h>

#include "../common/gather.h"
#include "hook.h"

enum { WAITING = 256 };
#define PAUSE_MAX 600000

struct conf {
	const char *url, *secret, *ca_file;
	int64_t initial_wait, maximum_wait, patience, tries;
};

static const struct pst_option options[] = {
	PST_STRING(struct conf, url, NULL, "where alerts are posted"),
	PST_SECRET(struct conf, secret, "", "signs what is posted: header "
	    "X-Postern-Signature, \"sha256=\" and HMAC-SHA256 of the body"),
	PST_PATH(struct conf, ca_file, "", "roots for its certificate, PEM; "
	    "default those of the system"),
	PST_DURATION(struct conf, initial_wait, "5m", "0s..1d",
	    "the same alert again is told of after this time at the earliest, "
	    "then after twice as long and so on; 0s: each at once"),
	PST_DURATION(struct conf, maximum_wait, "1h", "0s..7d",
	    "longest such wait; 0s: there is none"),
	PST_DURATION(struct conf, patience, "10s", "1s..5m", "of a request"),
	PST_INT(struct conf, tries, "8", "1..100", "how often it is tried: "
	    "the pauses are 1 s, 2 s, 4 s ... 10 min"),
	PST_END
};

struct state {
	struct gather *gather;
	unsigned waiting;
};

/* Of one post; memory of its event, but body. */
struct post {
	struct state *s;
	char *body;
	unsigned tries;
	char headers[128];
};

static void	tell(struct pst_event *, const struct pst_alert_record *,
		    uint64_t);
static enum pst_verdict run(struct pst_event *);
static enum pst_verdict post(struct pst_event *);
static enum pst_verdict answered(struct pst_event *,
		    const struct pst_result *);
static enum pst_verdict again(struct pst_event *, const struct pst_result *);

static enum pst_verdict
on_start(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	const struct conf *c = ev->conf;

	if (s == NULL)
		return PST_TEMPFAIL;
	s->gather = gather_new(ev, tell, c->initial_wait, c->maximum_wait);
	return s->gather != NULL ? PST_CONTINUE : PST_TEMPFAIL;
}

static enum pst_verdict
on_emit(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);

	gather_came(ev, s->gather, ev->arg);
	return PST_CONTINUE;
}

static void
tell(struct pst_event *ev, const struct pst_alert_record *r, uint64_t times)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	char *body = NULL;

	if (s->waiting < WAITING)
		body = hook_json(r, times);
	if (body == NULL || pst_task(ev, run, body) != 0) {
		pst_log(ev, PST_ERROR, "Error while sending alert: too many "
		    "are waiting");
		free(body);
		return;
	}
	s->waiting++;
}

static void
gone(void *arg)
{
	struct post *p = arg;

	free(p->body);
	p->s->waiting--;
}

static enum pst_verdict
run(struct pst_event *ev)
{
	struct post *p = pst_data(ev, PST_EVENT, struct post);
	const struct conf *c = ev->conf;
	char signature[HOOK_SIGNATURE];

	if (p == NULL) {
		free(ev->arg);
		return PST_TEMPFAIL;
	}
	p->s = pst_data(ev, PST_INSTANCE, struct state);
	p->body = ev->arg;
	pst_defer(ev, PST_EVENT, gone, p);
	if (c->secret[0] != '\0') {
		hook_sign(signature, c->secret, p->body);
		(void)snprintf(p->headers, sizeof(p->headers),
		    "X-Postern-Signature: %s", signature);
	}
	return post(ev);
}

static enum pst_verdict
post(struct pst_event *ev)
{
	struct post *p = pst_data(ev, PST_EVENT, struct post);
	const struct conf *c = ev->conf;
	struct pst_http q = { .size = sizeof(q), .url = c->url,
		.method = "POST", .content_type = "application/json",
		.timeout_ms = (uint32_t)c->patience, .max = 65536,
		.headers = p->headers };

	q.ca_file = c->ca_file[0] != '\0' ? c->ca_file : NULL;
	q.body.p = p->body;
	q.body.n = strlen(p->body);
	return pst_http(ev, &q, answered);
}

static enum pst_verdict
answered(struct pst_event *ev, const struct pst_result *r)
{
	struct post *p = pst_data(ev, PST_EVENT, struct post);
	const struct conf *c = ev->conf;
	uint32_t pause;
	char why[64];

	if (r->status == PST_OK && r->code / 100 == 2) {
		pst_count(ev, "sent");
		pst_log(ev, PST_INFO, "An alert was posted to %s", c->url);
		return PST_CONTINUE;
	}
	pst_count(ev, "failed");
	(void)snprintf(why, sizeof(why), "it answers %u", (unsigned)r->code);
	pause = p->tries < 10 ? 1000u << p->tries : PAUSE_MAX;
	if (pause > PAUSE_MAX)
		pause = PAUSE_MAX;
	if (++p->tries >= (unsigned)c->tries || r->status == PST_FAILED) {
		pst_log(ev, PST_ERROR, "Error while sending alert: Unable to "
		    "post it to %s: %s, given up", c->url,
		    r->status == PST_OK ? why : r->error);
		return PST_CONTINUE;
	}
	pst_log(ev, PST_WARNING, "Error while sending alert: %s: %s, next "
	    "try in %u s", c->url, r->status == PST_OK ? why : r->error,
	    (unsigned)pause / 1000);
	return pst_timer(ev, pause, again);
}

static enum pst_verdict
again(struct pst_event *ev, const struct pst_result *r)
{
	(void)r;
	return post(ev);
}

static const char *
check(const void *conf)
{
	const struct conf *c = conf;

	if (strncasecmp(c->url, "http://", 7) != 0 &&
	    strncasecmp(c->url, "https://", 8) != 0)
		return "url: begins with https:// or http://";
	return NULL;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_START, on_start),
	PST_HOOK(PST_ALERT_SINK_EMIT, on_emit),
	PST_END
};

PST_PLUGIN(alert_webhook, .version = "1.0",
    .summary = "Alerts to a web server, as signed JSON",
    .license = "BSD-2-Clause", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct conf), .check = check);

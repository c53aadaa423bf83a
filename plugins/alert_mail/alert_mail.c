/*
 * Alerts by mail, on a road of their own: straight to a server or to the
 * recipient's MX, past rules, queue and destination settings, so that they go
 * out when these are what is broken.
 *
 * An alert becomes a message for each recipient that wants it. At most SENDERS
 * of them are on their way at once, each an event of the instance. What is not
 * sent when a reload ends the instance is its successor's. Nothing here raises
 * an alert, so none can cause another.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern/alert_sink.h>

#include "../common/gather.h"
#include "courier.h"
#include "mailtext.h"
#include "outbox.h"
#include "place.h"

enum { SENDERS = 4, TRIES = 3, RESTING = 100 };
#define PAUSE 60000	/* before it is tried again, twice that the next time */
#define LOOK 1000	/* for a place, and for what a predecessor leaves */

struct conf {
	const char *const *to;
	const char *from, *server;
	int64_t port, initial_wait, maximum_wait, patience;
};

static const struct pst_option options[] = {
	PST_LIST(struct conf, to, NULL, "recipients, each with the alerts it "
	    "gets: \"ops@example.net System/Warning,all/Critical\"; without "
	    "such, all"),
	PST_STRING(struct conf, from, "", "sender; default alert@HOST"),
	PST_STRING(struct conf, server, "", "HOST or HOST:PORT that takes the "
	    "mail; default the MX of the recipient's domain"),
	PST_INT(struct conf, port, "25", "1..65535", "port of those hosts"),
	PST_DURATION(struct conf, initial_wait, "5m", "0s..1d",
	    "the same alert again is told of after this time at the earliest, "
	    "then after twice as long and so on; 0s: each at once"),
	PST_DURATION(struct conf, maximum_wait, "1h", "0s..7d",
	    "longest such wait; 0s: there is none"),
	PST_DURATION(struct conf, patience, "1m", "1s..10m",
	    "of one attempt to send"),
	PST_END
};

struct state {
	struct gather *gather;
	struct outbox *outbox;
	unsigned sending, resting; /* events */
	unsigned hired;		   /* of sending: they have no letter yet */
	unsigned held;		   /* letters that events have */
	uint64_t serial;
	struct places places;
};

/* Of one message: memory of its event. */
struct job {
	struct errand e; /* first */
	struct state *s;
	struct letter *letter;
	bool rests; /* its place is another's meanwhile */
	/* of a test: all its recipients, one after another */
	const struct pst_alert_test *test;
	const char *const *next;
	char wrong[400];
};

static void	from_of(const struct conf *, const struct pst_alert_record *,
		    char *, size_t);
static void	tell(struct pst_event *, const struct pst_alert_record *,
		    uint64_t);
static enum pst_verdict look(struct pst_event *);
static enum pst_verdict run(struct pst_event *);
static enum pst_verdict tried(struct pst_event *, struct errand *,
		    const char *);
static enum pst_verdict tested(struct pst_event *, struct errand *,
		    const char *);
static enum pst_verdict again(struct pst_event *, const struct pst_result *);
static enum pst_verdict test_next(struct pst_event *);

static enum pst_verdict
on_start(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	const struct conf *c = ev->conf;

	if (s == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return PST_TEMPFAIL;
	s->outbox = outbox_new(ev->instance);
	if (s->outbox == NULL)
		return PST_TEMPFAIL;
	pst_defer(ev, PST_INSTANCE, outbox_free, s->outbox);
	if (!outbox_alone(s->outbox) && pst_task(ev, look, s) != 0)
		return PST_TEMPFAIL;
	s->gather = gather_new(ev, tell, c->initial_wait, c->maximum_wait);
	return s->gather != NULL ? PST_CONTINUE : PST_TEMPFAIL;
}

static enum pst_verdict
on_stop(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	unsigned n;

	if (s == NULL || s->outbox == NULL || !outbox_alone(s->outbox))
		return PST_CONTINUE;
	n = outbox_waiting(s->outbox) + s->held;
	if (n > 0)
		pst_log(ev, PST_WARNING, "stopped before %u messages were "
		    "sent", n);
	return PST_CONTINUE;
}

static enum pst_verdict
on_emit(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);

	gather_came(ev, s->gather, ev->arg);
	return PST_CONTINUE;
}

/* One more event, if there is a letter for it. */
static bool
hire_one(struct pst_event *ev, struct state *s)
{
	if (outbox_waiting(s->outbox) <= s->hired ||
	    pst_task(ev, run, s) != 0)
		return false;
	s->hired++;
	return true;
}

/* Somebody sends what waits. */
static void
hire(struct pst_event *ev, struct state *s)
{
	unsigned n = outbox_dropped(s->outbox);

	if (n > 0)
		pst_log(ev, PST_ERROR, "Error while sending alert: more than "
		    "%d messages were left by a reload, the oldest %u are "
		    "dropped", OUTBOX_MAX, n);
	while (s->sending < SENDERS && hire_one(ev, s))
		s->sending++;
}

static enum pst_verdict
look_again(struct pst_event *ev, const struct pst_result *r)
{
	(void)r;
	return look(ev);
}

static enum pst_verdict
look(struct pst_event *ev)
{
	struct state *s = ev->arg;

	hire(ev, s);
	return outbox_alone(s->outbox) ? PST_CONTINUE :
	    pst_timer(ev, LOOK, look_again);
}

static struct letter *
letter_of(struct pst_event *ev, const struct pst_alert_record *r,
    uint64_t times, const char *item, size_t n)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	char from[300], subject[MAILTEXT_SUBJECT];
	struct letter *l = letter_new();

	if (l == NULL)
		return NULL;
	from_of(ev->conf, r, from, sizeof(from));
	mailtext_subject(subject, sizeof(subject), r);
	(void)snprintf(l->what, sizeof(l->what), "%s/%s", r->category,
	    r->severity);
	l->to = strndup(item, n);
	l->from = strdup(from);
	l->host = strdup(r->host);
	l->subject = strdup(subject);
	if (l->to != NULL)
		l->text = mailtext_message(r, times, from, l->to, pst_now(ev),
		    ++s->serial);
	if (l->from != NULL && l->host != NULL && l->subject != NULL &&
	    l->text != NULL)
		return l;
	letter_free(l);
	return NULL;
}

/* A message for each who wants it. */
static void
tell(struct pst_event *ev, const struct pst_alert_record *r, uint64_t times)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	const struct conf *c = ev->conf;
	const char *const *to;
	struct letter *l;
	size_t n;

	for (to = c->to; *to != NULL; to++) {
		if (!mailtext_wants(*to, r->category, r->severity, &n))
			continue;
		l = letter_of(ev, r, times, *to, n);
		if (l == NULL)
			return;
		if (!outbox_put(s->outbox, l)) {
			letter_free(l);
			pst_log(ev, PST_ERROR, "Error while sending alert: "
			    "more than %d messages are waiting", OUTBOX_MAX);
			return;
		}
		hire(ev, s);
	}
}

static void
from_of(const struct conf *c, const struct pst_alert_record *r, char *dst,
    size_t n)
{
	if (c->from[0] != '\0')
		(void)snprintf(dst, n, "%s", c->from);
	else
		(void)snprintf(dst, n, "alert@%s", r->host);
}

static void
errand_init(struct errand *e, const struct letter *l, const struct conf *c,
    struct state *s, courier_then *then)
{
	e->to = l->to;
	e->from = l->from;
	e->host = l->host;
	e->text = l->text;
	e->server = c->server;
	e->port = (long)c->port;
	e->timeout = (long)c->patience;
	e->places = &s->places;
	e->then = then;
}

/* ---- what was put into the outbox ---- */

/* However the event ended: it is sent, given up, or another's. */
static void
job_end(void *arg)
{
	struct job *j = arg;

	j->s->held--;
	if (j->letter == NULL)
		return;
	if (j->e.sent)
		letter_free(j->letter);
	else
		outbox_back(j->s->outbox, j->letter);
	j->letter = NULL;
}

/* The next one. */
static enum pst_verdict
over(struct pst_event *ev, struct state *s)
{
	if (!hire_one(ev, s))
		s->sending--;
	return PST_CONTINUE;
}

static enum pst_verdict
run(struct pst_event *ev)
{
	struct job *j = pst_data(ev, PST_EVENT, struct job);
	struct state *s = ev->arg;

	s->hired--;
	if (j == NULL)
		return over(ev, s);
	j->s = s;
	j->letter = outbox_take(s->outbox);
	if (j->letter == NULL)
		return over(ev, s);
	s->held++;
	pst_defer(ev, PST_EVENT, job_end, j);
	errand_init(&j->e, j->letter, ev->conf, s, tried);
	return courier_send(ev, &j->e);
}

static void
log_sent(struct pst_event *ev, const struct letter *l)
{
	pst_count(ev, "sent");
	pst_log(ev, PST_INFO, "A %s alert was sent to %s with subject "
	    "\"%s\".", l->what, l->to, l->subject);
}

static void
log_failed(struct pst_event *ev, const struct letter *l, const char *why)
{
	pst_count(ev, "failed");
	pst_log(ev, PST_ERROR, "Error while sending alert: Unable to send %s "
	    "alert to %s: %s", l->what, l->to, why);
}

/* Until it is tried again. Hosts that are down must not be in the way of those
 * that are not. */
static enum pst_verdict
rest(struct pst_event *ev, struct job *j)
{
	struct state *s = j->s;

	j->rests = s->resting < RESTING;
	if (j->rests) {
		s->resting++;
		s->sending--;
		hire(ev, s);
	}
	return pst_timer(ev, PAUSE << (j->letter->tries - 1), again);
}

static enum pst_verdict
tried(struct pst_event *ev, struct errand *e, const char *why)
{
	struct job *j = pst_data(ev, PST_EVENT, struct job);
	struct letter *l = j->letter;

	(void)e;
	if (why == NULL) {
		log_sent(ev, l);
	} else {
		log_failed(ev, l, why);
		if (!l->extra)
			l->tries++;
		l->extra = false;
		if (l->tries < TRIES)
			return rest(ev, j);
	}
	j->letter = NULL;
	letter_free(l);
	return over(ev, j->s);
}

static enum pst_verdict
again(struct pst_event *ev, const struct pst_result *r)
{
	struct job *j = pst_data(ev, PST_EVENT, struct job);

	(void)r;
	if (j->rests && j->s->sending >= SENDERS)
		return pst_timer(ev, LOOK, again);
	if (j->rests) {
		j->s->resting--;
		j->s->sending++;
	}
	j->rests = false;
	return courier_send(ev, &j->e);
}

/* ---- a test: now, and once ---- */

static void
test_end(void *arg)
{
	struct job *j = arg;

	if (j->letter != NULL)
		letter_free(j->letter);
	j->letter = NULL;
}

static enum pst_verdict
on_test(struct pst_event *ev)
{
	struct job *j = pst_data(ev, PST_EVENT, struct job);
	const struct conf *c = ev->conf;

	if (j == NULL)
		return PST_TEMPFAIL;
	j->s = pst_data(ev, PST_INSTANCE, struct state);
	j->test = ev->arg;
	j->next = c->to;
	pst_defer(ev, PST_EVENT, test_end, j);
	return test_next(ev);
}

/* To the one who is named, or to all, whatever they want. */
static enum pst_verdict
test_next(struct pst_event *ev)
{
	struct job *j = pst_data(ev, PST_EVENT, struct job);
	const struct pst_alert_record *r = j->test->alert;
	const char *to = *j->next;
	size_t n;

	if (to == NULL)
		return j->wrong[0] == '\0' ? PST_CONTINUE :
		    pst_tempfail(ev, 451, "4.4.0", "%s", j->wrong);
	j->next++;
	if (j->test->to[0] != '\0') {
		to = j->test->to;
		while (*j->next != NULL)
			j->next++;
	}
	(void)mailtext_wants(to, r->category, r->severity, &n);
	test_end(j);
	j->letter = letter_of(ev, r, 0, to, n);
	if (j->letter == NULL)
		return PST_TEMPFAIL;
	errand_init(&j->e, j->letter, ev->conf, j->s, tested);
	return courier_send(ev, &j->e);
}

static enum pst_verdict
tested(struct pst_event *ev, struct errand *e, const char *why)
{
	struct job *j = pst_data(ev, PST_EVENT, struct job);

	if (why == NULL)
		log_sent(ev, j->letter);
	else
		log_failed(ev, j->letter, why);
	if (why != NULL && j->wrong[0] == '\0')
		(void)snprintf(j->wrong, sizeof(j->wrong), "%s: %s", e->to,
		    why);
	return test_next(ev);
}

static const char *
check(const void *conf)
{
	const struct conf *c = conf;
	const char *const *to, *why;
	const char *p;
	char host[256];
	long port;

	if (*c->to == NULL)
		return "to: nobody gets the alerts";
	for (to = c->to; *to != NULL; to++) {
		why = mailtext_check(*to);
		if (why != NULL)
			return why;
	}
	for (p = c->from; *p != '\0'; p++) {
		if ((unsigned char)*p <= 0x20 || *p == 0x7f || *p == '<' ||
		    *p == '>')
			return "from: not an address";
	}
	if (c->from[0] != '\0' && strchr(c->from, '@') == NULL)
		return "from: not an address";
	if (c->server[0] != '\0') {
		port = place_server(c->server, (long)c->port, host,
		    sizeof(host));
		if (port < 1 || port > 65535 || host[0] == '\0')
			return "server: HOST or HOST:PORT";
	}
	return NULL;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_START, on_start),
	PST_HOOK(PST_ON_STOP, on_stop),
	PST_HOOK(PST_ALERT_SINK_EMIT, on_emit),
	PST_HOOK(PST_ALERT_SINK_TEST, on_test),
	PST_END
};

PST_PLUGIN(alert_mail, .version = "1.0",
    .summary = "Alerts by mail, past the queue", .license = "BSD-2-Clause",
    .hooks = hooks, .options = options, .conf_size = sizeof(struct conf),
    .check = check);

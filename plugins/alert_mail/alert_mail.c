/*
 * Alerts by mail, on a road of their own: straight to a server or to the
 * recipient's MX, past rules, queue and destination settings, so that they go
 * out when these are what is broken.
 *
 * An alert becomes a message for each recipient that wants it. At most SENDERS
 * of them are on their way at once, each an event of the instance: the host is
 * looked up, then libcurl speaks SMTP on another thread. Nothing here raises
 * an alert, so none can cause another.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern/alert_sink.h>

#include "../common/gather.h"
#include "mailtext.h"
#include "place.h"

enum { SENDERS = 4, WAITING = 1000, TRIES = 3 };
#define PAUSE 60000	/* before it is tried again, twice that the next time */

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

/* A message that waits, or is being sent. */
struct letter {
	struct letter *next;
	char *to, *from, *host, *subject, *text;
	char what[64]; /* "System/Warning" */
};

struct state {
	struct gather *gather;
	struct letter *first, **last;
	unsigned waiting, sending;
	uint64_t serial;
	struct places places;
};

/* Of one message: memory of its event, so that the thread may use it. */
struct job {
	struct state *s;
	char *to, *from, *host, *subject, *text;
	char what[64];
	unsigned tries;
	struct place place;
	char mx[PLACE_HOSTS][256];
	unsigned nmx, at;
	long timeout;
	size_t sent;
	char error[300];
	/* of a test: all its recipients, one after another */
	const struct pst_alert_test *test;
	const char *const *next;
	char wrong[400];
};

static void	from_of(const struct conf *, const struct pst_alert_record *,
		    char *, size_t);
static void	tell(struct pst_event *, const struct pst_alert_record *,
		    uint64_t);
static enum pst_verdict run(struct pst_event *);
static enum pst_verdict find_place(struct pst_event *);
static enum pst_verdict got_mx(struct pst_event *, const struct pst_result *);
static enum pst_verdict next_host(struct pst_event *);
static enum pst_verdict got_a(struct pst_event *, const struct pst_result *);
static enum pst_verdict got_aaaa(struct pst_event *,
		    const struct pst_result *);
static enum pst_verdict send_it(struct pst_event *);
static enum pst_verdict sent(struct pst_event *, const struct pst_result *);
static enum pst_verdict test_next(struct pst_event *);
static enum pst_verdict again(struct pst_event *, const struct pst_result *);
static enum pst_verdict failed(struct pst_event *, const char *);
static int	work(void *);

static void
letter_free(struct letter *l)
{
	free(l->to);
	free(l->from);
	free(l->host);
	free(l->subject);
	free(l->text);
	free(l);
}

static void
state_end(void *arg)
{
	struct state *s = arg;
	struct letter *l;

	while ((l = s->first) != NULL) {
		s->first = l->next;
		letter_free(l);
	}
}

static enum pst_verdict
on_start(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	const struct conf *c = ev->conf;

	if (s == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return PST_TEMPFAIL;
	s->last = &s->first;
	pst_defer(ev, PST_INSTANCE, state_end, s);
	s->gather = gather_new(ev, tell, c->initial_wait, c->maximum_wait);
	return s->gather != NULL ? PST_CONTINUE : PST_TEMPFAIL;
}

static enum pst_verdict
on_stop(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);

	if (s != NULL && s->waiting + s->sending > 0)
		pst_log(ev, PST_WARNING, "stopped before %u messages were "
		    "sent", s->waiting + s->sending);
	return PST_CONTINUE;
}

static enum pst_verdict
on_emit(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);

	gather_came(ev, s->gather, ev->arg);
	return PST_CONTINUE;
}

/* A message for each who wants it. */
static void
tell(struct pst_event *ev, const struct pst_alert_record *r, uint64_t times)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	const struct conf *c = ev->conf;
	const char *const *to;
	char from[300], subject[MAILTEXT_SUBJECT];
	struct letter *l;
	size_t n;

	from_of(c, r, from, sizeof(from));
	mailtext_subject(subject, sizeof(subject), r);
	for (to = c->to; *to != NULL; to++) {
		if (!mailtext_wants(*to, r->category, r->severity, &n))
			continue;
		if (s->waiting == WAITING) {
			pst_log(ev, PST_ERROR, "Error while sending alert: "
			    "more than %d messages are waiting", WAITING);
			return;
		}
		l = calloc(1, sizeof(*l));
		if (l == NULL)
			return;
		l->to = strndup(*to, n);
		l->from = strdup(from);
		l->host = strdup(r->host);
		l->subject = strdup(subject);
		if (l->to != NULL)
			l->text = mailtext_message(r, times, from, l->to,
			    pst_now(ev), ++s->serial);
		(void)snprintf(l->what, sizeof(l->what), "%s/%s", r->category,
		    r->severity);
		if (l->from == NULL || l->host == NULL ||
		    l->subject == NULL || l->text == NULL) {
			letter_free(l);
			return;
		}
		*s->last = l;
		s->last = &l->next;
		s->waiting++;
		if (s->sending < SENDERS && pst_task(ev, run, s) == 0)
			s->sending++;
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

static char *
copy(struct pst_event *ev, const char *s)
{
	char *p = pst_alloc(ev, PST_EVENT, strlen(s) + 1);

	if (p != NULL)
		memcpy(p, s, strlen(s));
	return p;
}

static struct job *
job_of(struct pst_event *ev)
{
	return pst_data(ev, PST_EVENT, struct job);
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
	j->timeout = (long)c->patience;
	return test_next(ev);
}

/* To the one who is named, or to all, whatever they want. */
static enum pst_verdict
test_next(struct pst_event *ev)
{
	struct job *j = job_of(ev);
	const struct pst_alert_record *r = j->test->alert;
	const char *to = *j->next;
	char from[300], subject[MAILTEXT_SUBJECT], *text;
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
	from_of(ev->conf, r, from, sizeof(from));
	mailtext_subject(subject, sizeof(subject), r);
	(void)snprintf(j->what, sizeof(j->what), "%s/%s", r->category,
	    r->severity);
	j->to = copy(ev, to);
	j->from = copy(ev, from);
	j->host = copy(ev, r->host);
	j->subject = copy(ev, subject);
	if (j->to == NULL || j->from == NULL || j->host == NULL ||
	    j->subject == NULL)
		return PST_TEMPFAIL;
	j->to[n] = '\0';
	text = mailtext_message(r, 0, from, j->to, pst_now(ev),
	    ++j->s->serial);
	j->text = text != NULL ? copy(ev, text) : NULL;
	free(text);
	return j->text != NULL ? find_place(ev) : PST_TEMPFAIL;
}

/* The job's end, however it came: the next one. */
static enum pst_verdict
over(struct pst_event *ev, struct state *s)
{
	if (s->first == NULL || pst_task(ev, run, s) != 0)
		s->sending--;
	return PST_CONTINUE;
}

static enum pst_verdict
run(struct pst_event *ev)
{
	const struct conf *c = ev->conf;
	struct state *s = ev->arg;
	struct letter *l = s->first;
	struct job *j = pst_data(ev, PST_EVENT, struct job);

	if (l == NULL || j == NULL)
		return over(ev, s);
	s->first = l->next;
	if (s->first == NULL)
		s->last = &s->first;
	s->waiting--;
	j->s = s;
	j->to = copy(ev, l->to);
	j->from = copy(ev, l->from);
	j->host = copy(ev, l->host);
	j->subject = copy(ev, l->subject);
	j->text = copy(ev, l->text);
	memcpy(j->what, l->what, sizeof(j->what));
	letter_free(l);
	j->timeout = (long)c->patience;
	if (j->to == NULL || j->from == NULL || j->host == NULL ||
	    j->subject == NULL || j->text == NULL)
		return over(ev, s);
	return find_place(ev);
}

static enum pst_verdict
find_place(struct pst_event *ev)
{
	const struct conf *c = ev->conf;
	struct job *j = job_of(ev);
	unsigned char ip[16];
	const struct place *p;
	long port;

	j->place.n = j->nmx = j->at = 0;
	if (c->server[0] == '\0') {
		(void)snprintf(j->place.name, sizeof(j->place.name), "%s",
		    strrchr(j->to, '@') + 1);
		p = places_find(&j->s->places, j->place.name, pst_now(ev));
		if (p == NULL)
			return pst_dns(ev, j->place.name, "MX", got_mx);
		j->place = *p;
		return send_it(ev);
	}
	port = place_server(c->server, (long)c->port, j->place.name,
	    sizeof(j->place.name));
	p = places_find(&j->s->places, j->place.name, pst_now(ev));
	if (p != NULL) {
		j->place = *p;
		return send_it(ev);
	}
	if (inet_pton(AF_INET, j->place.name, ip) == 1 ||
	    inet_pton(AF_INET6, j->place.name, ip) == 1) {
		place_add(&j->place, j->place.name, port);
		return send_it(ev);
	}
	memcpy(j->mx[0], j->place.name, sizeof(j->mx[0]));
	j->nmx = 1;
	return next_host(ev);
}

/* In the order of their preference; equal ones as they came. */
static enum pst_verdict
got_mx(struct pst_event *ev, const struct pst_result *r)
{
	long pref[PLACE_HOSTS], p;
	struct job *j = job_of(ev);
	unsigned i, k;
	char *name;

	if (r->status == PST_NOTFOUND) {
		memcpy(j->mx[0], j->place.name, sizeof(j->mx[0]));
		j->nmx = 1;
		return next_host(ev);
	}
	if (r->status != PST_OK)
		return failed(ev, r->error);
	for (i = 0; i < r->count; i++) {
		p = strtol(r->item[i].p, &name, 10);
		name += strspn(name, " ");
		for (k = j->nmx; k > 0 && pref[k - 1] > p; k--) {
			if (k < PLACE_HOSTS) {
				pref[k] = pref[k - 1];
				memcpy(j->mx[k], j->mx[k - 1],
				    sizeof(j->mx[0]));
			}
		}
		if (k == PLACE_HOSTS)
			continue;
		pref[k] = p;
		(void)snprintf(j->mx[k], sizeof(j->mx[0]), "%s", name);
		if (j->nmx < PLACE_HOSTS)
			j->nmx++;
	}
	if (j->nmx == 1 && j->mx[0][strspn(j->mx[0], ".")] == '\0')
		return failed(ev, "the domain takes no mail");
	return next_host(ev);
}

static enum pst_verdict
next_host(struct pst_event *ev)
{
	struct job *j = job_of(ev);

	if (j->at < j->nmx && j->place.n < PLACE_HOSTS)
		return pst_dns(ev, j->mx[j->at], "A", got_a);
	if (j->place.n == 0)
		return failed(ev, "no host that takes its mail has an "
		    "address");
	places_keep(&j->s->places, &j->place, pst_now(ev));
	return send_it(ev);
}

static long
port_of(const struct conf *c)
{
	char host[256];

	return c->server[0] != '\0' ? place_server(c->server, (long)c->port,
		host, sizeof(host)) : (long)c->port;
}

static enum pst_verdict
got_a(struct pst_event *ev, const struct pst_result *r)
{
	struct job *j = job_of(ev);
	unsigned i;

	for (i = 0; r->status == PST_OK && i < r->count; i++)
		place_add(&j->place, r->item[i].p, port_of(ev->conf));
	return pst_dns(ev, j->mx[j->at], "AAAA", got_aaaa);
}

static enum pst_verdict
got_aaaa(struct pst_event *ev, const struct pst_result *r)
{
	struct job *j = job_of(ev);
	unsigned i;

	for (i = 0; r->status == PST_OK && i < r->count; i++)
		place_add(&j->place, r->item[i].p, port_of(ev->conf));
	j->at++;
	return next_host(ev);
}

static enum pst_verdict
send_it(struct pst_event *ev)
{
	return pst_offload(ev, work, job_of(ev), sent);
}

static size_t
feed(char *dst, size_t size, size_t n, void *arg)
{
	struct job *j = arg;
	size_t left = strlen(j->text + j->sent), room = size * n;

	if (left > room)
		left = room;
	memcpy(dst, j->text + j->sent, left);
	j->sent += left;
	return left;
}

/* To one host. TLS if it has it, whatever its certificate: an alert that does
 * not arrive helps nobody. */
static CURLcode
attempt(struct job *j, const char *target)
{
	struct curl_slist *rcpt = curl_slist_append(NULL, j->to);
	CURLcode r = CURLE_OUT_OF_MEMORY;
	CURL *c = curl_easy_init();
	char url[400];

	j->sent = 0;
	j->error[0] = '\0';
	if (c == NULL || rcpt == NULL)
		goto out;
	(void)snprintf(url, sizeof(url), "smtp://%s/%s", target, j->host);
	(void)curl_easy_setopt(c, CURLOPT_URL, url);
	(void)curl_easy_setopt(c, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, j->timeout);
	(void)curl_easy_setopt(c, CURLOPT_USE_SSL, (long)CURLUSESSL_TRY);
	(void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
	(void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	(void)curl_easy_setopt(c, CURLOPT_MAIL_FROM, j->from);
	(void)curl_easy_setopt(c, CURLOPT_MAIL_RCPT, rcpt);
	(void)curl_easy_setopt(c, CURLOPT_READFUNCTION, feed);
	(void)curl_easy_setopt(c, CURLOPT_READDATA, j);
	(void)curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
	(void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, j->error);
	r = curl_easy_perform(c);
out:
	if (r != CURLE_OK && j->error[0] == '\0')
		(void)snprintf(j->error, sizeof(j->error), "%s",
		    curl_easy_strerror(r));
	curl_slist_free_all(rcpt);
	if (c != NULL)
		curl_easy_cleanup(c);
	return r;
}

/* On another thread; nothing but the job. */
static int
work(void *arg)
{
	struct job *j = arg;
	unsigned i;

	for (i = 0; i < j->place.n; i++) {
		if (attempt(j, j->place.target[i]) == CURLE_OK)
			return 0;
	}
	return 1;
}

static enum pst_verdict
sent(struct pst_event *ev, const struct pst_result *r)
{
	struct job *j = job_of(ev);

	if (r->status != PST_OK)
		return failed(ev, r->error);
	if (r->code != 0)
		return failed(ev, j->error);
	pst_count(ev, "sent");
	pst_log(ev, PST_INFO, "A %s alert was sent to %s with subject "
	    "\"%s\".", j->what, j->to, j->subject);
	return j->test != NULL ? test_next(ev) : over(ev, j->s);
}

static enum pst_verdict
failed(struct pst_event *ev, const char *why)
{
	struct job *j = job_of(ev);

	pst_count(ev, "failed");
	pst_log(ev, PST_ERROR, "Error while sending alert: Unable to send %s "
	    "alert to %s: %s", j->what, j->to, why != NULL ? why : "");
	places_forget(&j->s->places, j->place.name);
	if (j->test != NULL) {
		if (j->wrong[0] == '\0')
			(void)snprintf(j->wrong, sizeof(j->wrong), "%s: %s",
			    j->to, why != NULL ? why : "");
		return test_next(ev);
	}
	if (++j->tries >= TRIES)
		return over(ev, j->s);
	return pst_timer(ev, PAUSE << (j->tries - 1), again);
}

static enum pst_verdict
again(struct pst_event *ev, const struct pst_result *r)
{
	(void)r;
	return find_place(ev);
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

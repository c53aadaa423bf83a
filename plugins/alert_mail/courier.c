#include "courier.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum pst_verdict got_mx(struct pst_event *, const struct pst_result *);
static enum pst_verdict next_host(struct pst_event *);
static enum pst_verdict got_a(struct pst_event *, const struct pst_result *);
static enum pst_verdict got_aaaa(struct pst_event *,
		    const struct pst_result *);
static enum pst_verdict send_it(struct pst_event *);
static enum pst_verdict worked(struct pst_event *, const struct pst_result *);
static enum pst_verdict failed(struct pst_event *, struct errand *,
		    const char *);
static int	work(void *);

static struct errand *
errand_of(struct pst_event *ev)
{
	return pst_data(ev, PST_EVENT, struct errand);
}

enum pst_verdict
courier_send(struct pst_event *ev, struct errand *e)
{
	unsigned char ip[16];
	const struct place *p;
	long port;

	e->sent = false;
	e->place.n = e->nmx = e->at = e->target = 0;
	if (e->server[0] == '\0') {
		(void)snprintf(e->place.name, sizeof(e->place.name), "%s",
		    strrchr(e->to, '@') + 1);
		p = places_find(e->places, e->place.name, pst_now(ev));
		if (p == NULL)
			return pst_dns(ev, e->place.name, "MX", got_mx);
		e->place = *p;
		return send_it(ev);
	}
	port = place_server(e->server, e->port, e->place.name,
	    sizeof(e->place.name));
	p = places_find(e->places, e->place.name, pst_now(ev));
	if (p != NULL) {
		e->place = *p;
		return send_it(ev);
	}
	if (inet_pton(AF_INET, e->place.name, ip) == 1 ||
	    inet_pton(AF_INET6, e->place.name, ip) == 1) {
		place_add(&e->place, e->place.name, port);
		return send_it(ev);
	}
	memcpy(e->mx[0], e->place.name, sizeof(e->mx[0]));
	e->nmx = 1;
	return next_host(ev);
}

/* In the order of their preference; equal ones as they came. */
static enum pst_verdict
got_mx(struct pst_event *ev, const struct pst_result *r)
{
	long pref[PLACE_HOSTS], p;
	struct errand *e = errand_of(ev);
	unsigned i, k;
	char *name;

	if (r->status == PST_NOTFOUND) {
		memcpy(e->mx[0], e->place.name, sizeof(e->mx[0]));
		e->nmx = 1;
		return next_host(ev);
	}
	if (r->status != PST_OK)
		return failed(ev, e, r->error);
	for (i = 0; i < r->count; i++) {
		p = strtol(r->item[i].p, &name, 10);
		name += strspn(name, " ");
		for (k = e->nmx; k > 0 && pref[k - 1] > p; k--) {
			if (k < PLACE_HOSTS) {
				pref[k] = pref[k - 1];
				memcpy(e->mx[k], e->mx[k - 1],
				    sizeof(e->mx[0]));
			}
		}
		if (k == PLACE_HOSTS)
			continue;
		pref[k] = p;
		(void)snprintf(e->mx[k], sizeof(e->mx[0]), "%s", name);
		if (e->nmx < PLACE_HOSTS)
			e->nmx++;
	}
	if (e->nmx == 1 && e->mx[0][strspn(e->mx[0], ".")] == '\0')
		return failed(ev, e, "the domain takes no mail");
	return next_host(ev);
}

static enum pst_verdict
next_host(struct pst_event *ev)
{
	struct errand *e = errand_of(ev);

	if (e->at < e->nmx && e->place.n < PLACE_HOSTS)
		return pst_dns(ev, e->mx[e->at], "A", got_a);
	if (e->place.n == 0)
		return failed(ev, e, "no host that takes its mail has an "
		    "address");
	places_keep(e->places, &e->place, pst_now(ev));
	return send_it(ev);
}

static long
port_of(const struct errand *e)
{
	char host[256];

	return e->server[0] != '\0' ? place_server(e->server, e->port, host,
		sizeof(host)) : e->port;
}

static enum pst_verdict
got_a(struct pst_event *ev, const struct pst_result *r)
{
	struct errand *e = errand_of(ev);
	unsigned i;

	for (i = 0; r->status == PST_OK && i < r->count; i++)
		place_add(&e->place, r->item[i].p, port_of(e));
	return pst_dns(ev, e->mx[e->at], "AAAA", got_aaaa);
}

static enum pst_verdict
got_aaaa(struct pst_event *ev, const struct pst_result *r)
{
	struct errand *e = errand_of(ev);
	unsigned i;

	for (i = 0; r->status == PST_OK && i < r->count; i++)
		place_add(&e->place, r->item[i].p, port_of(e));
	e->at++;
	return next_host(ev);
}

static enum pst_verdict
send_it(struct pst_event *ev)
{
	return pst_offload(ev, work, errand_of(ev), worked);
}

static size_t
feed(char *dst, size_t size, size_t n, void *arg)
{
	struct errand *e = arg;
	size_t left = strlen(e->text + e->read), room = size * n;

	if (left > room)
		left = room;
	memcpy(dst, e->text + e->read, left);
	e->read += left;
	return left;
}

/* To one host. TLS if it has it, whatever its certificate: an alert that does
 * not arrive helps nobody. */
static CURLcode
attempt(struct errand *e, const char *target)
{
	struct curl_slist *rcpt = curl_slist_append(NULL, e->to);
	CURLcode r = CURLE_OUT_OF_MEMORY;
	CURL *c = curl_easy_init();
	char url[400];

	e->read = 0;
	e->error[0] = '\0';
	if (c == NULL || rcpt == NULL)
		goto out;
	(void)snprintf(url, sizeof(url), "smtp://%s/%s", target, e->host);
	(void)curl_easy_setopt(c, CURLOPT_URL, url);
	(void)curl_easy_setopt(c, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, e->timeout);
	(void)curl_easy_setopt(c, CURLOPT_USE_SSL, (long)CURLUSESSL_TRY);
	(void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
	(void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	(void)curl_easy_setopt(c, CURLOPT_MAIL_FROM, e->from);
	(void)curl_easy_setopt(c, CURLOPT_MAIL_RCPT, rcpt);
	(void)curl_easy_setopt(c, CURLOPT_READFUNCTION, feed);
	(void)curl_easy_setopt(c, CURLOPT_READDATA, e);
	(void)curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
	(void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, e->error);
	r = curl_easy_perform(c);
out:
	if (r != CURLE_OK && e->error[0] == '\0')
		(void)snprintf(e->error, sizeof(e->error), "%s",
		    curl_easy_strerror(r));
	curl_slist_free_all(rcpt);
	if (c != NULL)
		curl_easy_cleanup(c);
	return r;
}

/* On another thread; nothing but the errand. One host at a time: others have
 * the thread in between, and none of them hangs for long. */
static int
work(void *arg)
{
	struct errand *e = arg;

	e->sent = attempt(e, e->place.target[e->target]) == CURLE_OK;
	return 0;
}

static enum pst_verdict
worked(struct pst_event *ev, const struct pst_result *r)
{
	struct errand *e = errand_of(ev);

	if (r->status != PST_OK)
		return failed(ev, e, r->error);
	if (e->sent)
		return e->then(ev, e, NULL);
	if (++e->target < e->place.n)
		return send_it(ev);
	return failed(ev, e, e->error);
}

static enum pst_verdict
failed(struct pst_event *ev, struct errand *e, const char *why)
{
	places_forget(e->places, e->place.name);
	return e->then(ev, e, why != NULL ? why : "");
}

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/control.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/obj.h"
#include "daemon/episode_priv.h"

#define DETAIL_MAX 16384
#define TEXT_MAX 800

static void
put_time(struct buf *b, const char *what, msec wall)
{
	char at[64];

	if (wall == 0)
		return;
	clock_rfc5322(at, sizeof(at), wall);
	(void)buf_printf(b, "%s: %s\n", what, at);
}

static const char *
lasted(const struct episode *ep, char *dst, size_t n)
{
	msec ms = (ep->resolved != 0 ? ep->resolved : clock_wall()) -
	    ep->opened;

	return num_fmt_duration(dst, n, ms < 1000 ? 1000 : ms / 1000 * 1000);
}

static void
put_detail(const struct episode *ep, const char *state,
    const struct site_held *sum, struct buf *b)
{
	char life[32];
	unsigned i;

	(void)buf_printf(b, "Episode: %" PRIu64 ", %s\nDomain: %s\n"
	    "Cause: %s (%s)\n", ep->number, state, ep->site->domain,
	    tls_reason_word(ep->cause), tls_reason_text(ep->cause));
	for (i = ep->nhost; i > 0; i--)
		(void)buf_printf(b, "Host: %s [%s], %" PRIu64 " times: %s\n",
		    ep->host[i - 1].host[0] != '\0' ? ep->host[i - 1].host :
		    "-", ep->host[i - 1].ip, ep->host[i - 1].times,
		    ep->host[i - 1].why);
	(void)buf_printf(b, "Attempts that failed: %" PRIu64 "\n",
	    ep->attempts);
	put_time(b, "First", ep->opened);
	put_time(b, "Last", ep->last);
	put_time(b, "Resolved", ep->resolved);
	if (ep->resolved != 0)
		(void)buf_printf(b, "Lasted: %s\n", lasted(ep, life,
		    sizeof(life)));
	(void)buf_printf(b, "Messages held: %" PRIu64 "\n", sum->held);
	put_time(b, "The oldest is of", sum->oldest);
	put_time(b, "The first is given up on", sum->deadline);
	if (ep->delivered > 0 || ep->bounced > 0 || ep->resolved != 0)
		(void)buf_printf(b, "Messages delivered since: %" PRIu64
		    "\nMessages given up since: %" PRIu64 "\n", ep->delivered,
		    ep->bounced);
}

static void
put_text(const struct episode *ep, const char *state,
    const struct site_held *sum, struct buf *b)
{
	const char *domain = ep->site->domain;
	const char *cause = tls_reason_text(ep->cause);
	char life[32];

	if (strcmp(state, "opened") == 0)
		(void)buf_printf(b, "TLS that is required for %s could not be "
		    "had: %s", domain, cause);
	else if (strcmp(state, "updated") == 0)
		(void)buf_printf(b, "TLS that is required for %s still cannot "
		    "be had: %s (messages held: %" PRIu64 ", attempts: %"
		    PRIu64 ")", domain, cause, sum->held, ep->attempts);
	else if (ep->through)
		(void)buf_printf(b, "TLS that is required for %s can be had "
		    "again after %s, resolved: %s", domain, lasted(ep, life,
		    sizeof(life)), cause);
	else
		(void)buf_printf(b, "No message waits any more for TLS that is "
		    "required for %s, resolved after %s: %s", domain,
		    lasted(ep, life, sizeof(life)), cause);
}

static void
set_number(json_t *j, const char *name, uint64_t n)
{
	(void)json_object_set_new(j, name, json_integer((json_int_t)n));
}

/* What alert, file and command line have in common. */
static json_t *
facts(const struct episode *ep)
{
	struct site_held sum;
	json_t *j = json_pack("{s:s, s:s, s:s}", "domain", ep->site->domain,
	    "cause", tls_reason_word(ep->cause), "reason",
	    tls_reason_text(ep->cause));

	site_sum(ep->site, &sum);
	set_number(j, "episode", ep->number);
	set_number(j, "attempts", ep->attempts);
	set_number(j, "delivered", ep->delivered);
	set_number(j, "bounced", ep->bounced);
	set_number(j, "held", sum.held);
	set_number(j, "first", (uint64_t)ep->opened);
	set_number(j, "last", (uint64_t)ep->last);
	set_number(j, "resolved", (uint64_t)ep->resolved);
	set_number(j, "oldest", (uint64_t)sum.oldest);
	set_number(j, "deadline", (uint64_t)sum.deadline);
	return j;
}

json_t *
episode_news(const struct episode *ep, const char *state)
{
	const struct episode_host *h = ep->nhost > 0 ?
	    &ep->host[ep->nhost - 1] : NULL;
	struct site_held sum;
	struct buf text, detail;
	json_t *j = facts(ep);

	buf_init(&text, TEXT_MAX);
	buf_init(&detail, DETAIL_MAX);
	site_sum(ep->site, &sum);
	put_text(ep, state, &sum, &text);
	put_detail(ep, state, &sum, &detail);
	(void)json_object_set_new(j, "state", json_string(state));
	(void)json_object_set_new(j, "key", json_sprintf("tls:%s:%s",
	    ep->site->domain, tls_reason_word(ep->cause)));
	(void)json_object_set_new(j, "text", json_string(buf_p(&text)));
	(void)json_object_set_new(j, "detail", json_string(buf_p(&detail)));
	(void)json_object_set_new(j, "mx", json_string(h != NULL ? h->host :
	    ""));
	(void)json_object_set_new(j, "ip", json_string(h != NULL ? h->ip :
	    ""));
	buf_fini(&text);
	buf_fini(&detail);
	return j;
}

static json_t *
host_pack(const struct episode_host *h)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I}", "mx", h->host, "ip",
	    h->ip, "why", h->why, "times", (json_int_t)h->times, "last",
	    (json_int_t)h->last);
}

static json_t *
episode_pack(const struct episode *ep)
{
	json_t *j = facts(ep), *hosts = json_array();
	unsigned i;

	for (i = 0; i < ep->nhost; i++)
		(void)json_array_append_new(hosts, host_pack(&ep->host[i]));
	(void)json_object_set_new(j, "hosts", hosts);
	set_number(j, "told", (uint64_t)ep->told);
	set_number(j, "relapses", ep->relapses);
	(void)json_object_set_new(j, "announced",
	    json_boolean(ep->announced));
	return j;
}

json_t *
episodes_save(const struct episodes *e)
{
	json_t *list = json_array();
	const struct episode *ep;
	const struct site *s;

	TAILQ_FOREACH(s, &e->sites, link)
		TAILQ_FOREACH(ep, &s->episodes, link)
			(void)json_array_append_new(list, episode_pack(ep));
	return list;
}

static const char *
text(const json_t *j, const char *name)
{
	const char *s = control_text(j, name);

	return s != NULL ? s : "";
}

static void
load_hosts(struct episode *ep, const json_t *list)
{
	const json_t *x;
	size_t i;

	json_array_foreach(list, i, x) {
		/* copied by who keeps it */
		struct episode_host h = {
			.host = (char *)(uintptr_t)text(x, "mx"),
			.ip = (char *)(uintptr_t)text(x, "ip"),
			.why = (char *)(uintptr_t)text(x, "why"),
			.times = (uint64_t)control_number(x, "times", 1),
			.last = control_number(x, "last", 0) };

		episode_host_put(ep, &h);
	}
}

/* What was held counts for the first worker until it has looked itself. */
static void
load_one(struct episodes *e, const json_t *x)
{
	enum tls_reason cause = tls_reason_find(str_c(text(x, "cause")));
	const char *domain = text(x, "domain");
	uint64_t number = (uint64_t)control_number(x, "episode", 0);
	struct episode *ep;
	struct site *s;

	if (cause == TLSR_NONE || domain[0] == '\0' || number == 0)
		return;
	s = site_find(e, domain);
	if (s == NULL)
		s = site_add(e, domain);
	TAILQ_FOREACH(ep, &s->episodes, link)
		if (ep->cause == cause)
			return;
	ep = episode_add(e, s, cause);
	ep->number = number;
	ep->attempts = (uint64_t)control_number(x, "attempts", 0);
	ep->delivered = (uint64_t)control_number(x, "delivered", 0);
	ep->bounced = (uint64_t)control_number(x, "bounced", 0);
	ep->opened = control_number(x, "first", 0);
	ep->last = control_number(x, "last", 0);
	ep->resolved = control_number(x, "resolved", 0);
	ep->told = control_number(x, "told", 0);
	ep->relapses = (unsigned)control_number(x, "relapses", 0);
	ep->announced = json_is_true(json_object_get(x, "announced"));
	load_hosts(ep, json_object_get(x, "hosts"));
	if (ep->resolved == 0) {
		e->open++;
		s->open = true;
		s->worker[0].held = (uint64_t)control_number(x, "held", 0);
		s->worker[0].oldest = control_number(x, "oldest", 0);
		s->worker[0].deadline = control_number(x, "deadline", 0);
	}
	if (number > e->number)
		e->number = number;
}

void
episodes_load(struct episodes *e, const json_t *saved)
{
	const json_t *x;
	size_t i;

	json_array_foreach(saved, i, x) {
		if (e->open < EPISODES_MAX)
			load_one(e, x);
	}
}

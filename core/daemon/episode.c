#include "daemon/episode.h"

#include <inttypes.h>
#include <string.h>

#include "admin/control.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "daemon/episode_priv.h"

#define EPISODES_MAGIC 0xe915d001u

static void	site_free(struct episodes *, struct site *);
static void	episode_free(struct episode *);
static void	failed(struct episodes *, struct site *, const json_t *);
static struct episode *begin(struct episodes *, struct site *,
		    enum tls_reason);
static void	count_on(struct site *, const json_t *);
static void	tell(const struct episodes *, const struct site *, unsigned);
static void	tell_all(struct episodes *, struct site *);
static bool	all_counted(const struct episodes *, const struct site *);
static void	look(struct episodes *, struct episode *, bool);
static void	resolve(struct episodes *, struct episode *, bool);

struct episodes *
episodes_new(unsigned workers, const struct episodes_ops *ops, void *arg)
{
	struct episodes *e;

	OBJ_NEW(e, EPISODES_MAGIC);
	ASSERT(workers <= SHM_MAX_WORKERS);
	e->workers = workers;
	e->ops = ops;
	e->arg = arg;
	TAILQ_INIT(&e->sites);
	return e;
}

void
episodes_destroy(struct episodes **ep)
{
	struct episodes *e = *ep;

	if (e == NULL)
		return;
	OBJ_CHECK(e, EPISODES_MAGIC);
	while (!TAILQ_EMPTY(&e->sites))
		site_free(e, TAILQ_FIRST(&e->sites));
	OBJ_FREE(e);
	*ep = NULL;
}

void
episodes_said(struct episodes *e, unsigned worker, const json_t *msg)
{
	const char *domain = control_text(msg, "domain");
	const json_t *list = json_object_get(msg, "failed"), *x;
	struct site_held *h;
	struct site *s;
	size_t i;

	OBJ_CHECK(e, EPISODES_MAGIC);
	if (domain == NULL || domain[0] == '\0' || worker >= e->workers)
		return;
	s = site_find(e, domain);
	if (s == NULL && json_array_size(list) > 0)
		s = site_add(e, domain);
	if (s == NULL)
		return;
	json_array_foreach(list, i, x)
		failed(e, s, x);
	if (json_array_size(list) > 0)
		s->worker[worker].counted = false;
	count_on(s, msg);
	h = &s->worker[worker];
	if (json_object_get(msg, "held") != NULL) {
		h->counted = true;
		h->held = (uint64_t)control_number(msg, "held", 0);
		h->oldest = control_number(msg, "oldest", 0);
		h->deadline = control_number(msg, "deadline", 0);
	}
	e->changed = true;
	tell_all(e, s);
}

void
episodes_worker(struct episodes *e, unsigned worker, bool ready)
{
	struct site *s;

	OBJ_CHECK(e, EPISODES_MAGIC);
	ASSERT(worker < e->workers);
	e->ready[worker] = ready;
	TAILQ_FOREACH(s, &e->sites, link) {
		s->worker[worker].counted = false;
		if (ready && s->open)
			tell(e, s, worker);
	}
}

void
episodes_tick(struct episodes *e, bool alerts)
{
	struct episode *ep, *next;
	struct site *s, *after;

	OBJ_CHECK(e, EPISODES_MAGIC);
	TAILQ_FOREACH_SAFE(s, &e->sites, link, after) {
		TAILQ_FOREACH_SAFE(ep, &s->episodes, link, next) {
			if (ep->resolved == 0) {
				look(e, ep, alerts);
			} else if (clock_wall() - ep->resolved >=
			    EPISODE_RELAPSE) {
				TAILQ_REMOVE(&s->episodes, ep, link);
				episode_free(ep);
				e->changed = true;
			}
		}
		if (TAILQ_EMPTY(&s->episodes))
			site_free(e, s);
		else
			tell_all(e, s);
	}
}

unsigned
episodes_open(const struct episodes *e)
{
	return e->open;
}

uint64_t
episodes_opened(const struct episodes *e)
{
	return e->opened;
}

uint64_t
episodes_resolved(const struct episodes *e)
{
	return e->resolved;
}

bool
episodes_changed(struct episodes *e)
{
	bool changed = e->changed;

	e->changed = false;
	return changed;
}

struct site *
site_find(struct episodes *e, const char *domain)
{
	struct site *s;

	TAILQ_FOREACH(s, &e->sites, link) {
		if (strcmp(s->domain, domain) == 0)
			return s;
	}
	return NULL;
}

struct site *
site_add(struct episodes *e, const char *domain)
{
	struct site *s = mem_zalloc(sizeof(*s));

	s->domain = mem_strdup(domain);
	TAILQ_INIT(&s->episodes);
	TAILQ_INSERT_TAIL(&e->sites, s, link);
	return s;
}

static void
site_free(struct episodes *e, struct site *s)
{
	struct episode *ep;

	while ((ep = TAILQ_FIRST(&s->episodes)) != NULL) {
		TAILQ_REMOVE(&s->episodes, ep, link);
		episode_free(ep);
	}
	TAILQ_REMOVE(&e->sites, s, link);
	mem_free(s->domain);
	mem_free(s);
}

void
site_sum(const struct site *s, struct site_held *r)
{
	const struct site_held *h;
	unsigned i;

	memset(r, 0, sizeof(*r));
	for (i = 0; i < SHM_MAX_WORKERS; i++) {
		h = &s->worker[i];
		r->held += h->held;
		if (h->oldest != 0 &&
		    (r->oldest == 0 || h->oldest < r->oldest))
			r->oldest = h->oldest;
		if (h->deadline != 0 &&
		    (r->deadline == 0 || h->deadline < r->deadline))
			r->deadline = h->deadline;
	}
}

struct episode *
episode_add(struct episodes *e, struct site *s, enum tls_reason cause)
{
	struct episode *ep = mem_zalloc(sizeof(*ep));

	ep->site = s;
	ep->cause = cause;
	ep->since = clock_wall();
	TAILQ_INSERT_TAIL(&s->episodes, ep, link);
	e->changed = true;
	return ep;
}

static void
host_free(struct episode_host *h)
{
	mem_free(h->host);
	mem_free(h->ip);
	mem_free(h->why);
}

static void
episode_free(struct episode *ep)
{
	while (ep->nhost > 0)
		host_free(&ep->host[--ep->nhost]);
	mem_free(ep);
}

void
episode_host_put(struct episode *ep, const struct episode_host *h)
{
	struct episode_host new = *h;
	unsigned i;

	for (i = 0; i < ep->nhost; i++)
		if (strcmp(ep->host[i].ip, h->ip) == 0)
			break;
	if (i < ep->nhost)
		new.times += ep->host[i].times;
	else if (ep->nhost == EPISODE_HOSTS)
		i = 0;
	new.host = mem_strdup(h->host);
	new.ip = mem_strdup(h->ip);
	new.why = mem_strdup(h->why);
	if (i < ep->nhost) {
		host_free(&ep->host[i]);
		ep->nhost--;
		memmove(&ep->host[i], &ep->host[i + 1],
		    (ep->nhost - i) * sizeof(ep->host[0]));
	}
	ep->host[ep->nhost++] = new;
}

/* ---- what workers say ---- */

static const char *
text(const json_t *j, const char *name)
{
	const char *s = control_text(j, name);

	return s != NULL ? s : "";
}

static void
failed(struct episodes *e, struct site *s, const json_t *x)
{
	enum tls_reason cause = tls_reason_find(str_c(text(x, "cause")));
	/* mem_strdup'ed by who keeps it */
	struct episode_host h = {
		.host = (char *)(uintptr_t)text(x, "host"),
		.ip = (char *)(uintptr_t)text(x, "ip"),
		.why = (char *)(uintptr_t)text(x, "why"),
		.times = (uint64_t)control_number(x, "times", 1),
		.last = control_number(x, "last", clock_wall()) };
	struct episode *ep;

	if (cause == TLSR_NONE)
		return;
	ep = begin(e, s, cause);
	if (ep == NULL)
		return;
	if (ep->opened == 0)
		ep->opened = control_number(x, "first", h.last);
	if (h.last > ep->last)
		ep->last = h.last;
	ep->attempts += h.times;
	ep->failed = true;
	ep->through = false;
	episode_host_put(ep, &h);
}

/* The open one, the one that comes back, or a new one; NULL: too many. */
static struct episode *
begin(struct episodes *e, struct site *s, enum tls_reason cause)
{
	struct episode *ep;

	TAILQ_FOREACH(ep, &s->episodes, link)
		if (ep->cause == cause)
			break;
	if (ep != NULL && ep->resolved == 0)
		return ep;
	if (e->open == EPISODES_MAX) {
		if (e->full == 0 || clock_wall() - e->full >= MINUTES(1)) {
			e->full = clock_wall();
			log_warning("TLS required for %s could not be had, but "
			    "%d episodes are open already", s->domain,
			    EPISODES_MAX);
		}
		return NULL;
	}
	if (ep != NULL) {
		ep->resolved = 0;
		ep->relapses++;
		ep->again = true;
	} else {
		ep = episode_add(e, s, cause);
		ep->number = ++e->number;
		e->opened++;
	}
	e->open++;
	return ep;
}

/* What went through did so for all causes. */
static void
count_on(struct site *s, const json_t *msg)
{
	struct episode *ep;

	TAILQ_FOREACH(ep, &s->episodes, link) {
		if (ep->resolved != 0)
			continue;
		ep->delivered += (uint64_t)control_number(msg, "delivered", 0);
		ep->bounced += (uint64_t)control_number(msg, "bounced", 0);
		if (json_is_true(json_object_get(msg, "through")))
			ep->through = true;
	}
}

static void
tell(const struct episodes *e, const struct site *s, unsigned worker)
{
	e->ops->tell(e->arg, worker, json_pack("{s:s, s:s, s:b}", "type",
	    "episode", "domain", s->domain, "open", (int)s->open));
}

/* If it changed whether the domain has an open one; one that could not be
 * opened is told of as closed. */
static void
tell_all(struct episodes *e, struct site *s)
{
	struct episode *ep;
	bool open = false;
	unsigned i;

	TAILQ_FOREACH(ep, &s->episodes, link)
		open = open || ep->resolved == 0;
	if (open == s->open && !TAILQ_EMPTY(&s->episodes))
		return;
	s->open = open;
	for (i = 0; i < e->workers; i++) {
		if (e->ready[i])
			tell(e, s, i);
		if (open) /* they count anew */
			s->worker[i].counted = false;
	}
}

/* ---- what becomes of them ---- */

static bool
all_counted(const struct episodes *e, const struct site *s)
{
	unsigned i;

	for (i = 0; i < e->workers; i++)
		if (!e->ready[i] || !s->worker[i].counted)
			return false;
	return true;
}

static void
look(struct episodes *e, struct episode *ep, bool alerts)
{
	bool counted = all_counted(e, ep->site), first = ep->told == 0;
	msec now = clock_wall();
	struct site_held sum;

	site_sum(ep->site, &sum);
	if (first && !counted && !ep->through &&
	    now - ep->since < EPISODE_PATIENCE)
		return;
	/* Announced late, if the switch was turned meanwhile. */
	if (first || (alerts && !ep->announced && ep->failed)) {
		ep->announced = alerts;
		ep->told = now;
		ep->failed = ep->again = false;
		e->changed = true;
		e->ops->news(e->arg, episode_news(ep, "opened"), alerts);
	} else if (ep->again ||
	    (ep->failed && now - ep->told >= EPISODE_UPDATE)) {
		e->ops->news(e->arg, episode_news(ep, "updated"),
		    alerts && ep->announced);
		ep->told = now;
		ep->failed = ep->again = false;
		e->changed = true;
	}
	if (ep->relapses > 0 && now - ep->last < EPISODE_RELAPSE)
		return;
	if (ep->through || (counted && sum.held == 0))
		resolve(e, ep, alerts);
}

static void
resolve(struct episodes *e, struct episode *ep, bool alerts)
{
	ep->resolved = clock_wall();
	e->open--;
	e->resolved++;
	e->changed = true;
	e->ops->news(e->arg, episode_news(ep, "resolved"),
	    alerts && ep->announced);
}

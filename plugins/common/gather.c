#include "gather.h"

#include <stdlib.h>
#include <string.h>

#include "throttle.h"

enum { LOOK_MS = 60000 }; /* at least so often, while there is anything */

struct matter {
	struct matter *next;
	struct throttle th;
	char *category, *key;
	/* the last that came */
	char *severity, *host, *text, *detail;
	int64_t wall;
};

/* What instances of one name know together: after a reload there are two for a
 * while, and the young one may yet be dropped. */
struct store {
	struct store *next;
	char *name;
	struct matter *matters;
	unsigned n;
	struct gather *users; /* the youngest, who tells, is first */
};

struct gather {
	struct gather *next; /* of store->users */
	struct store *store;
	gather_tell *tell;
	int64_t first, most;
	bool looks;	 /* its task is there */
	int64_t until;	 /* when it looks */
	uint64_t parked; /* its id, if it waits */
};

/* The code stays when instances go. */
static struct store *stores;

static struct store *store_of(const char *);
static struct matter *find(struct gather *, const struct pst_alert_record *);
static void	keep(struct matter *, const struct pst_alert_record *);
static void	put(char **, const char *);
static void	matter_free(struct matter *);
static void	store_free(struct store *);
static void	gather_free(void *);
static void	see_to_it(struct pst_event *, struct gather *);
static enum pst_verdict look(struct pst_event *);
static enum pst_verdict wait_for(struct pst_event *, struct gather *);
static enum pst_verdict occasion(struct pst_event *,
		    const struct pst_result *);
static void	tell_of(struct pst_event *, struct gather *,
		    const struct matter *, uint64_t);

struct gather *
gather_new(struct pst_event *ev, gather_tell *tell, int64_t first,
    int64_t most)
{
	struct gather *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->store = store_of(ev->instance);
	if (g->store == NULL) {
		free(g);
		return NULL;
	}
	g->tell = tell;
	g->first = first;
	g->most = most;
	g->next = g->store->users;
	g->store->users = g;
	pst_defer(ev, PST_INSTANCE, gather_free, g);
	see_to_it(ev, g);
	return g;
}

static struct store *
store_of(const char *name)
{
	struct store *s;

	for (s = stores; s != NULL; s = s->next) {
		if (strcmp(s->name, name) == 0)
			return s;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->name = strdup(name);
	if (s->name == NULL) {
		free(s);
		return NULL;
	}
	s->next = stores;
	stores = s;
	return s;
}

void
gather_came(struct pst_event *ev, struct gather *g,
    const struct pst_alert_record *r)
{
	struct matter *m = find(g, r);

	if (m == NULL) {
		g->tell(ev, r, 0);
		return;
	}
	if (throttle_came(&m->th, pst_now(ev), g->first, g->most))
		g->tell(ev, r, 0);
	else
		keep(m, r);
	see_to_it(ev, g);
}

/* NULL: there is no memory. */
static struct matter *
find(struct gather *g, const struct pst_alert_record *r)
{
	const char *category = r->category, *key = r->key;
	struct store *s = g->store;
	struct matter *m;
	bool more = false;

	for (;;) {
		for (m = s->matters; m != NULL; m = m->next) {
			if (strcmp(m->category, category) == 0 &&
			    strcmp(m->key, key) == 0)
				return m;
		}
		if (s->n < GATHER_MAX || more)
			break;
		category = key = "";
		more = true;
	}
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return NULL;
	put(&m->category, category);
	put(&m->key, key);
	if (m->category == NULL || m->key == NULL) {
		matter_free(m);
		return NULL;
	}
	m->next = s->matters;
	s->matters = m;
	s->n++;
	return m;
}

static void
keep(struct matter *m, const struct pst_alert_record *r)
{
	put(&m->severity, r->severity);
	put(&m->host, r->host);
	put(&m->text, r->text);
	put(&m->detail, r->detail);
	m->wall = r->wall;
}

static void
put(char **p, const char *s)
{
	free(*p);
	*p = strdup(s);
}

static void
matter_free(struct matter *m)
{
	free(m->category);
	free(m->key);
	free(m->severity);
	free(m->host);
	free(m->text);
	free(m->detail);
	free(m);
}

static void
store_free(struct store *s)
{
	struct store **p;
	struct matter *m;

	for (p = &stores; *p != s; p = &(*p)->next)
		continue;
	*p = s->next;
	while ((m = s->matters) != NULL) {
		s->matters = m->next;
		matter_free(m);
	}
	free(s->name);
	free(s);
}

static void
gather_free(void *arg)
{
	struct gather *g = arg, **p;

	for (p = &g->store->users; *p != g; p = &(*p)->next)
		continue;
	*p = g->next;
	if (g->store->users == NULL)
		store_free(g->store);
	free(g);
}

/* Until the next occasion, at most LOOK_MS; until the young one may be gone. */
static int64_t
next_occasion(const struct gather *g, int64_t now)
{
	int64_t ms, least = g->first > 0 && g->first < LOOK_MS ? g->first :
	    LOOK_MS;
	struct matter *m;

	if (g->store->users != g)
		return least;
	for (m = g->store->matters; m != NULL; m = m->next) {
		ms = throttle_wait(&m->th, now, g->most);
		if (ms < least)
			least = ms;
	}
	return least > 0 ? least : 0;
}

/* While there are matters somebody looks after them until they are over. */
static void
see_to_it(struct pst_event *ev, struct gather *g)
{
	int64_t now = pst_now(ev);

	if (g->store->matters == NULL)
		return;
	if (!g->looks)
		g->looks = pst_task(ev, look, g) == 0;
	else if (now + next_occasion(g, now) < g->until)
		(void)pst_wake(ev, g->parked, NULL);
}

static enum pst_verdict
look(struct pst_event *ev)
{
	return wait_for(ev, ev->arg);
}

static enum pst_verdict
wait_for(struct pst_event *ev, struct gather *g)
{
	int64_t now = pst_now(ev), ms = next_occasion(g, now);

	if (g->store->matters == NULL) {
		g->looks = false;
		return PST_CONTINUE;
	}
	/* Nobody waits for 0: that is for ever. */
	ms = ms > 0 ? ms : 1;
	g->until = now + ms;
	return pst_park(ev, (uint32_t)ms, &g->parked, occasion);
}

static enum pst_verdict
occasion(struct pst_event *ev, const struct pst_result *res)
{
	struct gather *g = ev->arg;
	int64_t now = pst_now(ev);
	struct matter *m, **p;
	uint64_t n;

	if (res->status == PST_FAILED) /* too many are parked */
		return pst_timer(ev, 1000, occasion);
	for (p = &g->store->matters; g->store->users == g &&
	     (m = *p) != NULL;) {
		if (throttle_wait(&m->th, now, g->most) < 0) {
			*p = m->next;
			g->store->n--;
			matter_free(m);
			continue;
		}
		n = throttle_due(&m->th, now, g->first, g->most);
		if (n > 0)
			tell_of(ev, g, m, n);
		p = &m->next;
	}
	return wait_for(ev, g);
}

static void
tell_of(struct pst_event *ev, struct gather *g, const struct matter *m,
    uint64_t n)
{
	struct pst_alert_record r = { .size = sizeof(r),
		.severity = m->severity, .category = m->category,
		.key = m->key, .host = m->host, .text = m->text,
		.detail = m->detail, .wall = m->wall };

	if (r.severity != NULL && r.host != NULL && r.text != NULL &&
	    r.detail != NULL)
		g->tell(ev, &r, n);
}

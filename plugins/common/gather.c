#include "gather.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "throttle.h"

enum { LOOK_MS = 60000 }; /* at least so often, while there is anything */

struct matter {
	struct matter *next;
	struct throttle th;
	char *category, *key;
	struct pst_alert_record last; /* that came; its texts are ours */
};

/* Texts of a record but category and key. */
static const size_t texts[] = {
	offsetof(struct pst_alert_record, severity),
	offsetof(struct pst_alert_record, host),
	offsetof(struct pst_alert_record, text),
	offsetof(struct pst_alert_record, detail),
	offsetof(struct pst_alert_record, state),
	offsetof(struct pst_alert_record, domain),
	offsetof(struct pst_alert_record, cause),
	offsetof(struct pst_alert_record, reason),
	offsetof(struct pst_alert_record, mx),
	offsetof(struct pst_alert_record, ip),
};
enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };

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
static bool	is_over(const struct pst_alert_record *);
static void	forget(struct gather *, struct matter *);
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
	if (is_over(r)) {
		g->tell(ev, r, m->th.gathered > 0 ? m->th.gathered + 1 : 0);
		if (m->key[0] != '\0') /* else others are in it, too */
			forget(g, m);
	} else if (throttle_came(&m->th, pst_now(ev), g->first, g->most)) {
		g->tell(ev, r, 0);
	} else {
		keep(m, r);
	}
	see_to_it(ev, g);
}

/* Nothing comes behind it that it could be gathered with. */
static bool
is_over(const struct pst_alert_record *r)
{
	return PST_ALERT_HAS(r, state) && r->state != NULL &&
	    strcmp(r->state, "resolved") == 0;
}

static void
forget(struct gather *g, struct matter *m)
{
	struct matter **p = &g->store->matters;

	while (*p != m)
		p = &(*p)->next;
	*p = m->next;
	g->store->n--;
	matter_free(m);
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
	m->category = strdup(category);
	m->key = strdup(key);
	if (m->category == NULL || m->key == NULL) {
		matter_free(m);
		return NULL;
	}
	m->next = s->matters;
	s->matters = m;
	s->n++;
	return m;
}

/* Of a record and the place of a text in it. */
static const char **
text_at(struct pst_alert_record *r, size_t at)
{
	return (const char **)(void *)((char *)r + at);
}

static void
drop(struct matter *m)
{
	size_t i;

	for (i = 0; i < TEXTS; i++)
		free((char *)(uintptr_t)*text_at(&m->last, texts[i]));
	memset(&m->last, 0, sizeof(m->last));
}

/* What an older host does not have is "" and 0. */
static void
keep(struct matter *m, const struct pst_alert_record *r)
{
	size_t i, n = r->size < sizeof(*r) ? r->size : sizeof(*r);
	struct pst_alert_record new = { .size = sizeof(new) };
	const char **text;

	memcpy(&new, r, n);
	new.size = sizeof(new);
	for (i = 0; i < TEXTS; i++) {
		text = text_at(&new, texts[i]);
		*text = strdup(*text != NULL ? *text : "");
	}
	drop(m);
	m->last = new;
}

static void
matter_free(struct matter *m)
{
	drop(m);
	free(m->category);
	free(m->key);
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
	struct pst_alert_record r = m->last;
	size_t i;

	r.category = m->category;
	r.key = m->key;
	for (i = 0; i < TEXTS; i++) {
		if (*text_at(&r, texts[i]) == NULL)
			return; /* there was no memory */
	}
	g->tell(ev, &r, n);
}

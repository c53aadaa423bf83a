#include "gather.h"

#include <stdlib.h>
#include <string.h>

#include "throttle.h"

struct matter {
	struct matter *next;
	struct gather *g;
	struct throttle th;
	char *category, *key;
	/* the last that came */
	char *severity, *host, *text, *detail;
	int64_t wall;
};

struct gather {
	gather_tell *tell;
	int64_t first, most;
	struct matter *matters;
	unsigned n;
};

static struct matter *find(struct gather *, const struct pst_alert_record *);
static void	keep(struct matter *, const struct pst_alert_record *);
static void	put(char **, const char *);
static void	matter_free(struct matter *);
static void	gather_free(void *);
static enum pst_verdict wait_for(struct pst_event *);
static enum pst_verdict occasion(struct pst_event *,
		    const struct pst_result *);

struct gather *
gather_new(struct pst_event *ev, gather_tell *tell, int64_t first,
    int64_t most)
{
	struct gather *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->tell = tell;
	g->first = first;
	g->most = most;
	pst_defer(ev, PST_INSTANCE, gather_free, g);
	return g;
}

void
gather_came(struct pst_event *ev, struct gather *g,
    const struct pst_alert_record *r)
{
	struct matter *m = find(g, r);
	bool begun;

	if (m == NULL) {
		g->tell(ev, r, 0);
		return;
	}
	begun = m->th.begun;
	if (throttle_came(&m->th, pst_now(ev), g->first, g->most))
		g->tell(ev, r, 0);
	else
		keep(m, r);
	/* From its first on, somebody looks after it until it is over. */
	if (!begun && m->th.begun && pst_task(ev, wait_for, m) != 0)
		m->th.begun = false;
}

/* NULL: there is no memory. */
static struct matter *
find(struct gather *g, const struct pst_alert_record *r)
{
	const char *category = r->category, *key = r->key;
	struct matter *m;
	bool more = false;

	for (;;) {
		for (m = g->matters; m != NULL; m = m->next) {
			if (strcmp(m->category, category) == 0 &&
			    strcmp(m->key, key) == 0)
				return m;
		}
		if (g->n < GATHER_MAX || more)
			break;
		category = key = "";
		more = true;
	}
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return NULL;
	m->g = g;
	put(&m->category, category);
	put(&m->key, key);
	if (m->category == NULL || m->key == NULL) {
		matter_free(m);
		return NULL;
	}
	m->next = g->matters;
	g->matters = m;
	g->n++;
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
gather_free(void *arg)
{
	struct gather *g = arg;
	struct matter *m;

	while ((m = g->matters) != NULL) {
		g->matters = m->next;
		matter_free(m);
	}
	free(g);
}

static enum pst_verdict
wait_for(struct pst_event *ev)
{
	struct matter *m = ev->arg, **p;
	struct gather *g = m->g;
	int64_t ms = throttle_wait(&m->th, pst_now(ev), g->most);

	if (ms >= 0)
		return pst_timer(ev, ms < 3600000 ? (uint32_t)ms : 3600000,
		    occasion);
	for (p = &g->matters; *p != m; p = &(*p)->next)
		continue;
	*p = m->next;
	g->n--;
	matter_free(m);
	return PST_CONTINUE;
}

static enum pst_verdict
occasion(struct pst_event *ev, const struct pst_result *res)
{
	struct matter *m = ev->arg;
	struct gather *g = m->g;
	struct pst_alert_record r = { .size = sizeof(r),
		.severity = m->severity, .category = m->category,
		.key = m->key, .host = m->host, .text = m->text,
		.detail = m->detail, .wall = m->wall };
	uint64_t n;

	(void)res;
	n = throttle_due(&m->th, pst_now(ev), g->first, g->most);
	if (n > 0 && r.severity != NULL && r.host != NULL && r.text != NULL &&
	    r.detail != NULL)
		g->tell(ev, &r, n);
	return wait_for(ev);
}

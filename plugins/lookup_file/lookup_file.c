/*
 * lookup_file: a table in a file (lookup/1), read again when it changes.
 */
#include <postern/lookup.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/filemark.h"
#include "table.h"

#define VALUES_MAX 1000

struct conf {
	const char *file;
	const char *type;
	int64_t watch;
};

static const struct pst_option options[] = {
	PST_PATH(struct conf, file, NULL,
	    "the file: KEY, blanks, VALUE a line"),
	PST_CHOICE(struct conf, type, "exact", "exact|domain|cidr|regex",
	    "what its keys are"),
	PST_DURATION(struct conf, watch, "10s", "0s..1d",
	    "how often it is looked at for changes; 0s: never"),
	PST_END
};

/* Of the instance. */
struct state {
	struct table *table;
	struct filemark mark;
	bool told; /* that it cannot be read as it is now */
};

/* What the thread gets, and gives. */
struct job {
	char file[4096];
	enum table_kind kind;
	struct filemark mark;
	struct table *table;
	char why[TABLE_WHY];
};

static enum pst_verdict looked(struct pst_event *,
		    const struct pst_result *);
static enum pst_verdict was_read(struct pst_event *,
		    const struct pst_result *);

static enum table_kind
kind_of(const char *type)
{
	switch (type[0]) {
	case 'd':
		return TABLE_DOMAIN;
	case 'c':
		return TABLE_CIDR;
	case 'r':
		return TABLE_REGEX;
	default:
		return TABLE_EXACT;
	}
}

/* On the thread. */
static int
work(void *arg)
{
	struct job *j = arg;

	j->mark = filemark_of(j->file);
	j->table = table_read(j->file, j->kind, j->why);
	return j->table != NULL ? 0 : -1;
}

static void
job_free(void *arg)
{
	struct job *j = arg;

	table_free(j->table); /* NULL if it was taken */
	free(j);
}

/* The job outlives the event, should that be cancelled meanwhile. */
static enum pst_verdict
read_file(struct pst_event *ev, pst_then *then)
{
	const struct conf *c = ev->conf;
	struct job *j = calloc(1, sizeof(*j)), **kept;

	kept = pst_data(ev, PST_EVENT, struct job *);
	if (j == NULL || kept == NULL) {
		free(j);
		return pst_tempfail(ev, 451, "4.3.0", "out of memory");
	}
	(void)snprintf(j->file, sizeof(j->file), "%s", c->file);
	j->kind = kind_of(c->type);
	*kept = j;
	pst_defer(ev, PST_EVENT, job_free, j);
	return pst_offload(ev, work, j, then);
}

static void
state_free(void *arg)
{
	struct state *s = arg;

	table_free(s->table);
	s->table = NULL;
}

/* The new table in place of the old one; NULL, or why not. */
static const char *
take(struct pst_event *ev, const struct pst_result *res)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	struct job **kept = pst_data(ev, PST_EVENT, struct job *);
	struct job *j;

	if (s == NULL || kept == NULL || *kept == NULL)
		return "out of memory";
	j = *kept;
	if (res->status != PST_OK)
		return res->error;
	s->mark = j->mark;
	if (j->table == NULL)
		return j->why;
	table_free(s->table);
	s->table = j->table;
	j->table = NULL;
	s->told = false;
	pst_gauge(ev, "entries", (int64_t)table_count(s->table));
	return NULL;
}

static enum pst_verdict
watch(struct pst_event *ev)
{
	const struct conf *c = ev->conf;

	return pst_timer(ev, (uint32_t)c->watch, looked);
}

static enum pst_verdict
look(struct pst_event *ev)
{
	const struct conf *c = ev->conf;
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	struct filemark now = filemark_of(c->file);

	if (s == NULL || filemark_same(&now, &s->mark))
		return watch(ev);
	return read_file(ev, was_read);
}

/* Each look is an event of its own, so that its memory goes. */
static enum pst_verdict
looked(struct pst_event *ev, const struct pst_result *res)
{
	(void)res;
	if (pst_task(ev, look, NULL) == 0)
		return PST_CONTINUE;
	pst_log(ev, PST_ERROR, "the file is not looked at any more");
	return PST_CONTINUE;
}

static enum pst_verdict
was_read(struct pst_event *ev, const struct pst_result *res)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	const char *why = take(ev, res);

	if (why == NULL)
		pst_log(ev, PST_INFO, "read again, %zu entries",
		    table_count(s->table));
	else if (s != NULL && !s->told) {
		pst_log(ev, PST_ERROR, "the table read before stays in use: "
		    "%s", why);
		pst_alert(ev, PST_WARNING, "broken", "table %s: %s",
		    ev->instance, why);
	}
	if (s != NULL)
		s->told = why != NULL;
	return watch(ev);
}

static enum pst_verdict
started(struct pst_event *ev, const struct pst_result *res)
{
	const struct conf *c = ev->conf;
	const char *why = take(ev, res);

	if (why != NULL)
		return pst_tempfail(ev, 451, "4.3.0", "%s", why);
	if (c->watch > 0 && pst_task(ev, watch, NULL) != 0)
		return PST_TEMPFAIL;
	return PST_CONTINUE;
}

static enum pst_verdict
on_start(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);

	if (s == NULL)
		return PST_TEMPFAIL;
	pst_defer(ev, PST_INSTANCE, state_free, s);
	return read_file(ev, started);
}

struct answer {
	struct pst_event *ev;
	struct pst_str *item;
	uint32_t n, cap;
	bool failed;
};

static void
keep(void *arg, const char *p, size_t n)
{
	struct answer *a = arg;
	struct pst_str *more;
	uint32_t cap;
	char *copy;

	if (a->failed || a->n == VALUES_MAX)
		return;
	if (a->n == a->cap) {
		cap = a->cap == 0 ? 4 : a->cap * 4;
		more = pst_alloc(a->ev, PST_EVENT, cap * sizeof(*more));
		if (more == NULL) {
			a->failed = true;
			return;
		}
		if (a->n > 0)
			memcpy(more, a->item, a->n * sizeof(*more));
		a->item = more;
		a->cap = cap;
	}
	copy = pst_alloc(a->ev, PST_EVENT, n + 1);
	if (copy == NULL) {
		a->failed = true;
		return;
	}
	memcpy(copy, p, n);
	a->item[a->n++] = (struct pst_str){ copy, n };
}

static enum pst_verdict
get(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	struct pst_lookup *l = ev->arg;
	struct answer a = { .ev = ev };

	if (s == NULL || s->table == NULL)
		return pst_tempfail(ev, 451, "4.3.0", "there is no table");
	if (table_get(s->table, l->key.p, l->key.n, keep, &a) < 0)
		return pst_tempfail(ev, 451, "4.3.0",
		    "an expression took too long");
	if (a.failed)
		return pst_tempfail(ev, 451, "4.3.0", "out of memory");
	l->count = a.n;
	l->item = a.item;
	return PST_CONTINUE;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_START, on_start),
	PST_HOOK(PST_LOOKUP_GET, get),
	PST_END
};

PST_PLUGIN(lookup_file, .version = "1.0",
    .summary = "Tables in files: exact keys, domains, networks, expressions",
    .license = "BSD-2-Clause", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct conf));

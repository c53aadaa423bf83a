#include "outbox.h"

#include <stdlib.h>
#include <string.h>

struct letters {
	struct letter *first, **last;
	unsigned n;
};

/* What instances of one name share. */
struct store {
	struct store *next;
	char *name;
	unsigned users;
	struct letters left; /* by those that ended */
	unsigned dropped;    /* of them, and nobody was told */
};

struct outbox {
	struct store *store;
	struct letters own;
};

/* The code stays when instances go. */
static struct store *stores;

static void
add(struct letters *v, struct letter *l)
{
	if (v->n++ == 0)
		v->last = &v->first;
	l->next = NULL;
	*v->last = l;
	v->last = &l->next;
}

static struct letter *
take(struct letters *v)
{
	struct letter *l = v->first;

	if (v->n == 0)
		return NULL;
	v->first = l->next;
	v->n--;
	return l;
}

struct letter *
letter_new(void)
{
	return calloc(1, sizeof(struct letter));
}

void
letter_free(struct letter *l)
{
	free(l->to);
	free(l->from);
	free(l->host);
	free(l->subject);
	free(l->text);
	free(l);
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

static void
store_free(struct store *s)
{
	struct store **p;
	struct letter *l;

	for (p = &stores; *p != s; p = &(*p)->next)
		continue;
	*p = s->next;
	while ((l = take(&s->left)) != NULL)
		letter_free(l);
	free(s->name);
	free(s);
}

struct outbox *
outbox_new(const char *name)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->store = store_of(name);
	if (o->store == NULL) {
		free(o);
		return NULL;
	}
	o->store->users++;
	return o;
}

void
outbox_free(void *outbox)
{
	struct outbox *o = outbox;
	struct letter *l;

	while ((l = take(&o->own)) != NULL)
		outbox_back(o, l);
	if (--o->store->users == 0)
		store_free(o->store);
	free(o);
}

bool
outbox_put(struct outbox *o, struct letter *l)
{
	if (o->own.n == OUTBOX_MAX)
		return false;
	add(&o->own, l);
	return true;
}

struct letter *
outbox_take(struct outbox *o)
{
	struct letter *l = take(&o->store->left);

	return l != NULL ? l : take(&o->own);
}

/* Perhaps the settings were what was wrong. */
void
outbox_back(struct outbox *o, struct letter *l)
{
	struct store *s = o->store;

	if (s->left.n == OUTBOX_MAX) {
		letter_free(take(&s->left));
		s->dropped++;
	}
	l->extra = l->tries > 0;
	add(&s->left, l);
}

unsigned
outbox_dropped(struct outbox *o)
{
	unsigned n = o->store->dropped;

	o->store->dropped = 0;
	return n;
}

unsigned
outbox_waiting(const struct outbox *o)
{
	return o->own.n + o->store->left.n;
}

bool
outbox_alone(const struct outbox *o)
{
	return o->store->users == 1;
}

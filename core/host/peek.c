/*
 * What a table sees when it is asked: the asker's object, to be read. An event
 * stands where its object would; events are never given back to the heap, and
 * one that is dead shows nothing.
 */
#include "host/request_priv.h"

static const struct about *
asker(void *arg)
{
	static const struct about_ops nothing;
	static const struct about none = { .ops = &nothing, .rcpt = -1 };
	struct event *ev = arg;

	OBJ_CHECK(ev, EVENT_MAGIC);
	return ev->dead ? &none : ev->about;
}

static const char *
get(void *arg, enum fact f, int rcpt, struct pool *pool)
{
	const struct about *a = asker(arg);

	return a->ops->get == NULL ? NULL : a->ops->get(a->arg, f, rcpt, pool);
}

static struct notes *
notes(void *arg)
{
	const struct about *a = asker(arg);

	return a->ops->notes == NULL ? NULL : a->ops->notes(a->arg);
}

static unsigned
nrcpt(void *arg)
{
	const struct about *a = asker(arg);

	return a->ops->nrcpt == NULL ? 0 : a->ops->nrcpt(a->arg);
}

static bool
dropped(void *arg, int rcpt)
{
	const struct about *a = asker(arg);

	return a->ops->dropped != NULL && a->ops->dropped(a->arg, rcpt);
}

static const struct header *
header(void *arg, int rcpt)
{
	const struct about *a = asker(arg);

	return a->ops->header == NULL ? NULL : a->ops->header(a->arg, rcpt);
}

static bool
body(void *arg, uint64_t off, struct str *piece_r)
{
	const struct about *a = asker(arg);

	return a->ops->body != NULL && a->ops->body(a->arg, off, piece_r);
}

/* Its own memory there: what it found out about a message once. */
static struct scope **
scope(void *arg, int which, int rcpt)
{
	const struct about *a = asker(arg);

	return a->ops->scope == NULL ? NULL :
	    a->ops->scope(a->arg, which, rcpt);
}

const struct about_ops peek_ops = {
	.get = get,
	.notes = notes,
	.nrcpt = nrcpt,
	.dropped = dropped,
	.header = header,
	.body = body,
	.scope = scope,
};

#include "mail/envelope.h"

#include <string.h>

struct envelope *
envelope_new(void)
{
	struct pool *pool = pool_new(0);
	struct envelope *e = POOL_NEW(pool, struct envelope);

	e->pool = pool;
	return e;
}

struct envelope *
envelope_copy(const struct envelope *from)
{
	struct envelope *e = envelope_new();
	struct pool *pool = e->pool;

	*e = *from;
	e->pool = pool;
	e->sender.full = pool_str(pool, from->sender.full);
	e->sender.local = str_n(e->sender.full.p, from->sender.local.n);
	e->sender.domain = from->sender.domain.n > 0 ?
	    str_n(e->sender.full.p + from->sender.full.n -
		from->sender.domain.n, from->sender.domain.n) : STR("");
	e->envid = pool_str(pool, from->envid);
	e->client_ip = pool_str(pool, from->client_ip);
	e->helo = pool_str(pool, from->helo);
	e->auth = pool_str(pool, from->auth);
	e->listener = pool_strdup(pool, from->listener);
	e->edits = pool_str(pool, from->edits);
	e->notes = pool_str(pool, from->notes);
	e->quarantine = pool_str(pool, from->quarantine);
	e->waits_for = pool_str(pool, from->waits_for);
	e->rcpt = NULL;
	e->nrcpt = e->rcpt_cap = 0;
	return e;
}

void
envelope_destroy(struct envelope **ep)
{
	struct pool *pool;

	if (*ep == NULL)
		return;
	/* The envelope itself lies in the pool. */
	pool = (*ep)->pool;
	pool_destroy(&pool);
	*ep = NULL;
}

struct rcpt *
envelope_add_rcpt(struct envelope *e, const struct addr *a, struct str orcpt,
    unsigned notify)
{
	struct rcpt *r = POOL_NEW(e->pool, struct rcpt), **bigger;

	r->rid = e->nrcpt;
	r->addr = *a;
	r->addr.full = pool_str(e->pool, a->full);
	r->addr.local = str_n(r->addr.full.p, a->local.n);
	r->addr.domain = a->domain.n > 0 ?
	    str_n(r->addr.full.p + a->local.n + 1, a->domain.n) : STR("");
	r->orcpt = orcpt.n > 0 ? pool_str(e->pool, orcpt) : STR("");
	r->notify = notify;
	r->want = r->route = r->profile = STR("");
	r->state = RCPT_PENDING;
	if (e->nrcpt == e->rcpt_cap) {
		e->rcpt_cap = e->rcpt_cap > 0 ? e->rcpt_cap * 2 : 4;
		bigger = pool_alloc(e->pool,
		    e->rcpt_cap * sizeof(struct rcpt *));
		if (e->nrcpt > 0)
			memcpy(bigger, e->rcpt,
			    e->nrcpt * sizeof(struct rcpt *));
		e->rcpt = bigger;
	}
	e->rcpt[e->nrcpt++] = r;
	return r;
}

struct rcpt *
envelope_copy_rcpt(struct envelope *e, const struct rcpt *from)
{
	struct rcpt *r = envelope_add_rcpt(e, &from->addr, from->orcpt,
	    from->notify);

	r->state = from->state;
	r->warned = from->warned;
	r->warned_at = from->warned_at;
	r->want = pool_str(e->pool, from->want);
	r->route = pool_str(e->pool, from->route);
	r->profile = pool_str(e->pool, from->profile);
	return r;
}

unsigned
envelope_pending(const struct envelope *e)
{
	unsigned i, n = 0;

	for (i = 0; i < e->nrcpt; i++)
		n += e->rcpt[i]->state == RCPT_PENDING;
	return n;
}

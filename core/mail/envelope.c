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
	r->want = r->route = STR("");
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

unsigned
envelope_pending(const struct envelope *e)
{
	unsigned i, n = 0;

	for (i = 0; i < e->nrcpt; i++)
		n += e->rcpt[i]->state == RCPT_PENDING;
	return n;
}

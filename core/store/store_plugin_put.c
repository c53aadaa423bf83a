#include <stdio.h>
#include <string.h>

#include "base/coll.h"
#include "base/mem.h"
#include "base/obj.h"
#include "store/segment.h"
#include "store/store_plugin.h"

/*
 * Commits of a plugin's engine. The plugin commits all of a group or nothing;
 * what is done about a failure is decided here, as with SQLite: one bad message
 * fails alone, a full store still takes what frees room, and what was refused
 * but may be there is removed by the next commit.
 */

struct put_op {
	struct pst_store_op op;
	struct pst_store_message m;
	const struct store_op *src;
	struct plug *plug;
};

/* A commit in the plugin's terms. */
struct put {
	struct plug *plug;
	struct pool *pool;
	const struct pst_store_op **v;
	size_t n;
};

static int commit_group(struct plug *p, struct store_txn **v, size_t n,
    struct pst_store_why *w);
static void build(struct put *c, const struct store_txn *t);
static void add_put(struct put *c, struct put_op *o, const struct store_txn *t);
static int content(const struct pst_store_op *op, uint64_t *offset,
    struct pst_str *piece, struct pst_store_why *why);
static bool is_refused(struct store_txn *t);
static void refuse(struct plug *p, struct store_txn *t,
    const struct pst_store_why *w);

bool
plug_commit(void *e, struct store_txn **v, size_t n)
{
	struct store_txn **good = mem_array(n, sizeof(*good));
	struct pst_store_why w = PLUG_WHY;
	size_t i, ngood = 0;
	struct plug *p;
	bool ok, refused = false;

	OBJ_CAST(p, e, PLUG_MAGIC);
	for (i = 0; i < n; i++) {
		if (!is_refused(v[i]))
			good[ngood++] = v[i];
	}
	ok = ngood == 0 || commit_group(p, good, ngood, &w) == 0;
	refused = !ok && w.fail == PST_STORE_FULL;
	for (i = 0; !ok && i < ngood; i++) {
		/* Whatever stands in the way of one of them stands in the way
		 * of all, unless it is in the message. */
		if ((w.fail != PST_STORE_BAD && w.fail != PST_STORE_FULL) ||
		    (refused && store_txn_puts(good[i]))) {
			refuse(p, good[i], &w);
			continue;
		}
		if (commit_group(p, &good[i], 1, &w) == 0) {
			w.fail = refused ? PST_STORE_FULL : PST_STORE_BAD;
			continue;
		}
		refuse(p, good[i], &w);
		refused |= w.fail == PST_STORE_FULL;
	}
	for (i = 0, ok = true; i < n; i++)
		ok = ok && !v[i]->failed;
	mem_free(good);
	return ok;
}

void
plug_drop_ghosts(struct plug *p)
{
	struct pst_store_why ignored = PLUG_WHY;

	if (p->ghosts.n > 0)
		(void)commit_group(p, NULL, 0, &ignored);
}

static int
commit_group(struct plug *p, struct store_txn **v, size_t n,
    struct pst_store_why *w)
{
	struct put c = { .plug = p, .pool = pool_new(0) };
	struct store_op *op;
	struct put_op *o;
	size_t i, count = p->ghosts.n;
	int rc;

	for (i = 0; i < n; i++) {
		STAILQ_FOREACH (op, &v[i]->ops, link)
			count++;
	}
	c.v = pool_alloc(c.pool, (count + 1) * sizeof(struct pst_store_op *));
	for (i = 0; i < p->ghosts.n; i++) {
		o = POOL_NEW(c.pool, struct put_op);
		o->op = (struct pst_store_op){ .size = sizeof(o->op),
			.act = PST_STORE_DELETE, .mid = p->ghosts.v[i] };
		c.v[c.n++] = &o->op;
	}
	for (i = 0; i < n; i++)
		build(&c, v[i]);
	memset(w, 0, sizeof(*w));
	w->size = sizeof(*w);
	rc = p->ops->commit(p->h, c.v, c.n, w);
	p->had |= rc == 0;
	if (rc == 0)
		p->ghosts.n = 0;
	else if (w->fail == PST_STORE_UNKNOWN)
		store_ghosts_add(&p->ghosts, v, n);
	pool_destroy(&c.pool);
	return rc;
}

static struct pst_str
of(struct str s)
{
	return (struct pst_str){ s.p != NULL ? s.p : "", s.n };
}

static void
build(struct put *c, const struct store_txn *t)
{
	const struct pst_store_rcpt **v;
	const struct store_op *op;
	struct pst_store_rcpt *r;
	struct put_op *o;

	STAILQ_FOREACH (op, &t->ops, link) {
		o = POOL_NEW(c->pool, struct put_op);
		o->op = (struct pst_store_op){ .size = sizeof(o->op),
			.mid = op->mid, .hold = (int32_t)op->hold };
		o->src = op;
		o->plug = c->plug;
		c->v[c->n++] = &o->op;
		if (op->kind == OP_PUT) {
			add_put(c, o, t);
			continue;
		}
		if (op->kind == OP_HOLD || op->kind == OP_DELETE ||
		    op->kind == OP_GO) {
			o->op.act = op->kind == OP_HOLD ? PST_STORE_HOLD :
			    op->kind == OP_GO		? PST_STORE_GO :
							  PST_STORE_DELETE;
			continue;
		}
		ASSERT(op->kind == OP_RCPT || op->kind == OP_TREAT);
		r = POOL_NEW(c->pool, struct pst_store_rcpt);
		v = pool_alloc(c->pool, sizeof(*v));
		v[0] = r;
		o->op.rcpt = v;
		o->op.count = 1;
		o->op.act = op->kind == OP_RCPT ? PST_STORE_RCPT :
						  PST_STORE_TREAT;
		*r = (struct pst_store_rcpt){ .size = sizeof(*r),
			.rid = op->rcpt.rid, .want = of(op->want),
			.route = of(op->route) };
		if (op->kind == OP_TREAT)
			continue;
		r->state = (int32_t)op->rcpt.state;
		r->code = op->rcpt.code;
		r->attempts = op->rcpt.attempts;
		r->next = op->rcpt.next;
		r->warned = op->rcpt.warned > 0;
		r->warnings = op->rcpt.warned;
		r->warned_at = op->rcpt.warned_at;
		r->status = of(str_c(op->rcpt.status));
		r->reason = of(str_c(op->rcpt.text));
		r->remote = of(str_c(op->rcpt.remote));
		r->tls_reason = of(str_c(tls_reason_word(op->rcpt.tls)));
	}
}

/* An earlier operation of the transaction that puts the same body. */
static const struct store_op *
find_same(const struct store_txn *t, const struct store_op *op)
{
	const struct store_op *o;

	STAILQ_FOREACH (o, &t->ops, link) {
		if (o == op)
			break;
		if (o->kind == OP_PUT && o->body == op->body)
			return o;
	}
	return NULL;
}

static void
add_message(struct put_op *o)
{
	const struct store_op *op = o->src;
	const struct envelope *e = op->env;
	struct body_place at;
	struct str s;

	if (!body_large(op->body, &at)) {
		s = body_memory(op->body);
		at.len = s.n;
		at.sum = sum_of(s.p, s.n);
	}
	o->m = (struct pst_store_message){ .size = sizeof(o->m),
		.mid = op->mid, .icid = e->icid, .flags = e->flags,
		.queued = e->queued, .not_before = e->not_before,
		.octets = e->size, .length = at.len, .sum = at.sum,
		.hold = (int32_t)op->hold, .sender = of(e->sender.full),
		.envid = of(e->envid), .client_ip = of(e->client_ip),
		.helo = of(e->helo), .auth = of(e->auth),
		.listener = of(str_c(e->listener)), .edits = of(e->edits),
		.notes = of(e->notes), .quarantine = of(e->quarantine),
		.waits_for = of(e->waits_for) };
}

static void
add_put(struct put *c, struct put_op *o, const struct store_txn *t)
{
	const struct store_op *op = o->src, *same = find_same(t, op);
	const struct envelope *e = op->env;
	const struct pst_store_rcpt **v;
	struct pst_store_rcpt *r;
	const struct rcpt *to;
	unsigned i;

	v = pool_alloc(c->pool, (e->nrcpt + 1) * sizeof(*v));
	for (i = 0; i < e->nrcpt; i++) {
		to = e->rcpt[i];
		r = POOL_NEW(c->pool, struct pst_store_rcpt);
		*r = (struct pst_store_rcpt){ .size = sizeof(*r),
			.rid = to->rid, .state = (int32_t)to->state,
			.warned = to->warned > 0, .warnings = to->warned,
			.warned_at = to->warned_at, .next = op->next,
			.notify = to->notify, .addr = of(to->addr.full),
			.orcpt = of(to->orcpt), .want = of(to->want),
			.route = of(to->route), .status = of(STR("")),
			.reason = of(STR("")), .remote = of(STR("")),
			.tls_reason = of(STR("")),
			.bounce_profile = of(to->profile) };
		v[i] = r;
	}
	add_message(o);
	o->op.act = PST_STORE_PUT;
	o->op.message = &o->m;
	o->op.rcpt = v;
	o->op.count = e->nrcpt;
	o->op.share = same != NULL ? same->mid : 0;
	o->op.content = content;
}

static int
content(const struct pst_store_op *op, uint64_t *offset, struct pst_str *piece,
    struct pst_store_why *why)
{
	const struct put_op *o = COLL_OF(op, const struct put_op, op);
	struct plug *p = o->plug;
	struct err err = ERR_INIT;
	struct body_place at;
	uint64_t left = o->m.length - *offset;
	size_t n;

	*piece = (struct pst_str){ "", 0 };
	if (*offset >= o->m.length)
		return 0;
	if (!body_large(o->src->body, &at)) {
		piece->p = body_memory(o->src->body).p + *offset;
		piece->n = (size_t)left;
		*offset = o->m.length;
		return 0;
	}
	n = left < PLUG_PIECE ? (size_t)left : PLUG_PIECE;
	if (p->piece == NULL)
		p->piece = mem_alloc(PLUG_PIECE);
	if (seg_read(p->store->seg_dir, at.seg, *offset, p->piece, n,
		&err) < 0) {
		why->fail = PST_STORE_BAD;
		(void)snprintf(why->text, sizeof(why->text), "%.250s",
		    err.text);
		return -1;
	}
	*piece = (struct pst_str){ p->piece, n };
	*offset += n;
	return 0;
}

/* Before anything is tried: its body could not be written. */
static bool
is_refused(struct store_txn *t)
{
	struct store_op *op;

	STAILQ_FOREACH (op, &t->ops, link) {
		if (op->kind != OP_PUT || body_error(op->body) == NULL)
			continue;
		t->failed = true;
		t->why = *body_error(op->body);
	}
	return t->failed;
}

static void
refuse(struct plug *p, struct store_txn *t, const struct pst_store_why *w)
{
	t->failed = true;
	plug_failed(p, w, &t->why);
}

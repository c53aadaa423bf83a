/*
 * What a transaction is made of, until it is committed.
 */
#include "base/mem.h"
#include "base/obj.h"
#include "store/store_priv.h"

static struct store_op *
add_op(struct store_txn *t, enum op_kind kind, uint64_t mid)
{
	struct store_op *op;

	OBJ_CHECK(t, STORE_TXN_MAGIC);
	op = POOL_NEW(t->pool, struct store_op);
	op->kind = kind;
	op->mid = mid;
	STAILQ_INSERT_TAIL(&t->ops, op, link);
	return op;
}

struct store_txn *
store_txn_new(struct store *s)
{
	struct store_txn *t;

	OBJ_CHECK(s, STORE_MAGIC);
	OBJ_NEW(t, STORE_TXN_MAGIC);
	t->store = s;
	t->pool = pool_new(0);
	STAILQ_INIT(&t->ops);
	return t;
}

void
store_put(struct store_txn *t, const struct envelope *env,
    struct body_ref *body, msec next)
{
	struct store_op *op = add_op(t, OP_PUT, env->mid);

	op->env = env;
	op->body = body_ref(body);
	op->next = next > env->not_before ? next : env->not_before;
	op->hold = env->quarantine.n > 0 ? STORE_HELD : STORE_ACTIVE;
}

void
store_rcpt(struct store_txn *t, uint64_t mid, const struct store_rcpt *r)
{
	struct store_op *op = add_op(t, OP_RCPT, mid);

	op->rcpt = *r;
	op->rcpt.status = pool_strdup(t->pool, r->status);
	op->rcpt.text = pool_strdup(t->pool, r->text);
	op->rcpt.remote = pool_strdup(t->pool, r->remote);
}

void
store_treat(struct store_txn *t, uint64_t mid, unsigned rid, struct str want,
    struct str route)
{
	struct store_op *op = add_op(t, OP_TREAT, mid);

	op->rcpt.rid = rid;
	op->want = pool_str(t->pool, want);
	op->route = pool_str(t->pool, route);
}

void
store_go(struct store_txn *t, uint64_t mid)
{
	(void)add_op(t, OP_GO, mid);
}

void
store_hold(struct store_txn *t, uint64_t mid, enum store_hold hold)
{
	add_op(t, OP_HOLD, mid)->hold = hold;
}

void
store_delete(struct store_txn *t, uint64_t mid)
{
	(void)add_op(t, OP_DELETE, mid);
}

void
store_move(struct store_txn *t, uint64_t mid, uint64_t seg)
{
	add_op(t, OP_MOVE, mid)->seg = seg;
}

void
store_txn_drop(struct store_txn **tp)
{
	struct store_txn *t = *tp;

	if (t == NULL)
		return;
	OBJ_CHECK(t, STORE_TXN_MAGIC);
	store_txn_free(t);
	*tp = NULL;
}

void
store_txn_free(struct store_txn *t)
{
	struct store_op *op;

	STAILQ_FOREACH (op, &t->ops, link) {
		body_unref(&op->body);
		mem_free(op->bytes);
	}
	pool_destroy(&t->pool);
	OBJ_FREE(t);
}

bool
store_txn_puts(const struct store_txn *t)
{
	const struct store_op *op;

	STAILQ_FOREACH (op, &t->ops, link) {
		if (op->kind == OP_PUT)
			return true;
	}
	return false;
}

void
store_ghosts_add(struct store_ghosts *g, struct store_txn **v, size_t n)
{
	struct store_op *op;
	size_t i;

	for (i = 0; i < n; i++) {
		STAILQ_FOREACH (op, &v[i]->ops, link) {
			if (op->kind != OP_PUT)
				continue;
			if (g->n == g->cap) {
				g->cap = 2 * g->cap + 64;
				g->v = mem_realloc(g->v,
				    g->cap * sizeof(*g->v));
			}
			g->v[g->n++] = op->mid;
		}
	}
}

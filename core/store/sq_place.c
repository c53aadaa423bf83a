#include <string.h>

#include "base/mem.h"
#include "store/sq_group.h"

/*
 * Bodies of a group that together are no more than this go into rows: one
 * sync instead of two. Beyond it, appending them to a segment costs less than
 * letting SQLite copy each of them twice. Messages/s and CPU each, put and
 * deleted again, row against segment:
 *	 4 KB, 1 in a commit   2,400 (70 us) against 1,300 (122 us)
 *	 4 KB, 4              13,900 (41 us) against 9,400 (38 us)
 *	 4 KB, 16             26,200 (23 us) against 33,500 (16 us)
 *	 4 KB, 64             47,800 (16 us) against 47,200 (11 us)
 *	75 KB, 1               1,180 (189 us) against 1,820 (177 us)
 *	75 KB, 16              4,600 (141 us) against 5,600 (52 us)
 */
#define GROUP_IN_ROW (64 * 1024)

static void place_bodies(struct group *g);
static bool append(struct group *g);
static void place_same(struct group *g);

bool
sq_place(struct group *g)
{
	place_bodies(g);
	if (g->niov > 0 && !append(g))
		return false;
	place_same(g);
	return true;
}

/* A segment takes what is not in rows. */
static bool
append(struct group *g)
{
	struct store_op *op;
	uint64_t seg, off;
	size_t i;

	if (segs_append(g->q->segs, g->iov, (int)g->niov, g->total, &seg,
		&off, &g->why) < 0)
		return false;
	g->appended = true;
	for (i = 0; i < g->n; i++) {
		STAILQ_FOREACH (op, &g->v[i]->ops, link) {
			if (op->in_row || op->place.seg != 0 ||
			    op->place.len == 0 || op->same != NULL)
				continue;
			op->place.seg = seg;
			op->place.off = off;
			off += op->place.len;
		}
	}
	return true;
}

static void
place_same(struct group *g)
{
	struct store_op *op;
	size_t i;

	for (i = 0; i < g->n; i++) {
		STAILQ_FOREACH (op, &g->v[i]->ops, link) {
			if (op->same == NULL)
				continue;
			op->place = op->same->place;
			if (op->same->in_row)
				op->place.share = op->same->mid;
		}
	}
}

/* An earlier operation of the transaction that puts the same body, or moves
 * the same octets. */
static const struct store_op *
find_same(const struct store_txn *t, const struct store_op *op)
{
	const struct store_op *o;

	STAILQ_FOREACH (o, &t->ops, link) {
		if (o == op)
			break;
		if (o->kind != op->kind || o->same != NULL)
			continue;
		if (op->kind == OP_PUT ? o->body == op->body :
			o->bytes != NULL && o->from == op->from)
			return o;
	}
	return NULL;
}

static void
add_iov(struct group *g, const char *p, size_t n)
{
	if (g->niov == g->iov_cap) {
		g->iov_cap = g->iov_cap == 0 ? 64 : g->iov_cap * 2;
		g->iov = mem_realloc(g->iov, g->iov_cap * sizeof(*g->iov));
	}
	g->iov[g->niov].iov_base = (void *)(uintptr_t)p;
	g->iov[g->niov++].iov_len = n;
	g->total += n;
}

/* Reads what is to move; a message that is gone, or whose octets are not what
 * they were, stays as it is: loading it will tell. */
static void
fetch_move(struct group *g, const struct store_txn *t, struct store_op *op)
{
	sqlite3_stmt *st = g->q->st[SQ_PLACE];
	struct err why = ERR_INIT;

	mem_free(op->bytes);
	op->bytes = NULL;
	op->place = (struct body_place){ 0 };
	sq_bind_u64(st, 1, op->mid);
	if (sqlite3_step(st) == SQLITE_ROW &&
	    (uint64_t)sqlite3_column_int64(st, 0) == op->seg) {
		op->place.off = (uint64_t)sqlite3_column_int64(st, 1);
		op->place.len = (uint64_t)sqlite3_column_int64(st, 2);
		op->place.sum = (uint32_t)sqlite3_column_int64(st, 3);
	}
	(void)sqlite3_reset(st);
	if (op->place.len == 0 || op->place.len > BODY_MEMORY_MAX)
		goto stay;
	op->from = op->place.off;
	op->same = find_same(t, op);
	if (op->same != NULL)
		return;
	op->bytes = mem_alloc((size_t)op->place.len);
	if (seg_read(g->q->store->seg_dir, op->seg, op->place.off, op->bytes,
		(size_t)op->place.len, &why) < 0 ||
	    sum_of(op->bytes, (size_t)op->place.len) != op->place.sum)
		goto stay;
	add_iov(g, op->bytes, (size_t)op->place.len);
	return;
stay:
	op->place = (struct body_place){ 0 };
	mem_free(op->bytes);
	op->bytes = NULL;
}

static void
place_bodies(struct group *g)
{
	uint64_t most = g->q->store->conf.body_in_row, sum = 0;
	struct store_op *op;
	struct str s;
	size_t i;

	for (i = 0; i < g->n; i++) {
		STAILQ_FOREACH (op, &g->v[i]->ops, link) {
			op->same = NULL;
			if (op->kind != OP_PUT)
				continue;
			op->same = find_same(g->v[i], op);
			if (op->same == NULL)
				sum += body_memory(op->body).n;
		}
	}
	if (sum > GROUP_IN_ROW)
		most = 0;
	for (i = 0; i < g->n; i++) {
		STAILQ_FOREACH (op, &g->v[i]->ops, link) {
			if (op->kind == OP_MOVE)
				fetch_move(g, g->v[i], op);
			if (op->kind != OP_PUT)
				continue;
			op->in_row = false;
			if (op->same != NULL)
				continue;
			if (body_large(op->body, &op->place))
				continue;
			s = body_memory(op->body);
			op->place = (struct body_place){ .len = s.n,
				.sum = sum_of(s.p, s.n) };
			op->in_row = s.n <= most;
			if (!op->in_row)
				add_iov(g, s.p, s.n);
		}
	}
}

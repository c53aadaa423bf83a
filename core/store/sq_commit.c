#include <string.h>

#include "base/mem.h"
#include "base/obj.h"
#include "store/sq_group.h"

/* New messages of a failed group that are tried alone. */
#define PUTS_TRIED 2
/* What a message takes besides its body, about. */
#define ROW 2048

static bool commit_group(struct sq *q, struct store_txn **v, size_t n,
    struct err *why, int *rc_r);
static size_t commit_rest(struct sq *q, struct store_txn **v, size_t n);
static int apply(struct group *g);
static int apply_op(struct group *g, struct store_op *op);
static int apply_put(struct group *g, struct store_op *op);
static int apply_delete(struct group *g, uint64_t mid);
static void after_failure(struct group *g, bool committing);
static uint64_t size_of(struct store_txn **v, size_t n);
static bool is_refused(struct sq *q, struct store_txn *t, bool room);

bool
sq_commit(void *e, struct store_txn **v, size_t n)
{
	struct store_txn **good;
	struct err why = ERR_INIT;
	struct sq *q;
	size_t i, ngood = 0;
	uint64_t size = size_of(v, n);
	unsigned refused = 0, stuck = 0;
	bool ok, room;
	int rc = SQLITE_OK;

	OBJ_CAST(q, e, SQ_MAGIC);
	good = mem_array(n, sizeof(*good));
	room = size == 0 || (store_room(q->store, size) && sq_reserve(q));
	for (i = 0; i < n; i++) {
		if (!is_refused(q, v[i], room))
			good[ngood++] = v[i];
	}
	ok = commit_group(q, good, ngood, &why, &rc);
	if (!ok && why.code != 452 && !store_room(q->store, SQ_LITTLE))
		(void)err_set(&why, 452, "4.3.1", "%s: the disk is full",
		    q->store->db_path);
	if (!ok && why.code == 452) {
		sq_spend(q);
		refused = PUTS_TRIED;
	}
	if (!ok && (rc & 0xff) != SQLITE_BUSY)
		ngood = commit_rest(q, good, ngood);
	for (i = 0; !ok && i < ngood; i++) {
		/* One bad message fails alone. A bad or full disk takes no new
		 * mail, but what frees room is still tried. An administrator
		 * who holds the lock made us wait long enough once. */
		if ((rc & 0xff) == SQLITE_BUSY || stuck >= PUTS_TRIED ||
		    (refused >= PUTS_TRIED && store_txn_puts(good[i]))) {
			good[i]->failed = true;
			good[i]->why = why;
			continue;
		}
		if (commit_group(q, &good[i], 1, &good[i]->why, &rc))
			continue;
		good[i]->failed = true;
		why = good[i]->why;
		refused += (rc & 0xff) != SQLITE_CONSTRAINT &&
		    store_txn_puts(good[i]);
		stuck += why.code == 452 && !store_txn_puts(good[i]);
	}
	for (i = 0, ok = true; i < n; i++)
		ok = ok && !v[i]->failed;
	mem_free(good);
	return ok;
}

void
sq_drop_ghosts(struct sq *q)
{
	struct store_txn empty = { .magic = STORE_TXN_MAGIC };
	struct store_txn *v = &empty;
	struct err ignored = ERR_INIT;
	int rc;

	STAILQ_INIT(&empty.ops);
	if (q->ghosts.n > 0)
		(void)commit_group(q, &v, 1, &ignored, &rc);
}

/*
 * What brings no mail goes first, together or in smaller parts: thousands of
 * completions that wait for a full disk must not be one failing commit each.
 * Returns how many are left of v.
 */
static size_t
commit_rest(struct sq *q, struct store_txn **v, size_t n)
{
	struct store_txn **rest = mem_array(n, sizeof(*rest));
	size_t i, nrest = 0, part, done = 0, gone = 0, left = 0;
	struct err why = ERR_INIT;
	int rc;

	for (i = 0; i < n; i++) {
		if (!store_txn_puts(v[i]))
			rest[nrest++] = v[i];
	}
	for (part = nrest; part > 1 && done < nrest;) {
		if (part > nrest - done)
			part = nrest - done;
		if (commit_group(q, rest + done, part, &why, &rc))
			done += part;
		else
			part /= 8;
	}
	for (i = 0; i < n; i++) {
		if (!store_txn_puts(v[i]) && gone < done)
			gone++;
		else
			v[left++] = v[i];
	}
	mem_free(rest);
	return left;
}

/* All of the group or, as far as anybody can know, nothing of it. */
static bool
commit_group(struct sq *q, struct store_txn **v, size_t n, struct err *why,
    int *rc_r)
{
	struct group g = { .q = q, .v = v, .n = n };
	bool committing = false, mail;
	size_t i;

	g.why = (struct err)ERR_INIT;
	if (n == 0)
		return true;
	g.rc = SQLITE_OK;
	if (q->db == NULL && sq_open_db(q, &g.why) < 0) {
		g.rc = q->db != NULL ? sqlite3_errcode(q->db) : SQLITE_IOERR;
		goto failed;
	}
	if (!sq_place(&g))
		goto failed;
	g.rc = sq_step(q, SQ_BEGIN);
	for (i = 0; g.rc == SQLITE_OK && i < q->ghosts.n; i++)
		g.rc = apply_delete(&g, q->ghosts.v[i]);
	g.ndelta = 0; /* a ghost was never counted */
	if (g.rc == SQLITE_OK)
		g.rc = apply(&g);
	/* What brings no mail is written all the same, and leaves the last
	 * room to the WAL. */
	mail = size_of(v, n) > 0;
	if (g.rc == SQLITE_OK && (mail || store_room(q->store, SQ_LITTLE)) &&
	    sq_grow(q) == SQLITE_FULL && mail)
		g.rc = SQLITE_FULL;
	if (g.rc == SQLITE_OK) {
		committing = true;
		g.rc = sq_step(q, SQ_COMMIT);
	}
	if (g.rc != SQLITE_OK) {
		(void)sq_err(q->db, g.rc, &g.why, q->store->db_path);
		goto failed;
	}
	q->ghosts.n = 0;
	for (i = 0; i < g.ndelta; i++)
		segs_account(q->segs, g.delta[i].seg, g.delta[i].len);
	segs_sweep(q->segs, NULL);
	mem_free(g.iov);
	mem_free(g.delta);
	return true;
failed:
	*why = g.why;
	*rc_r = g.rc;
	after_failure(&g, committing);
	mem_free(g.iov);
	mem_free(g.delta);
	return false;
}

static int
apply(struct group *g)
{
	struct store_op *op;
	int rc = SQLITE_OK;
	size_t i;

	for (i = 0; i < g->n; i++) {
		STAILQ_FOREACH (op, &g->v[i]->ops, link) {
			rc = apply_op(g, op);
			if (rc != SQLITE_OK)
				return rc;
		}
	}
	return rc;
}

static void
add_delta(struct group *g, uint64_t seg, int64_t len)
{
	if (g->ndelta == g->delta_cap) {
		g->delta_cap = g->delta_cap == 0 ? 64 : g->delta_cap * 2;
		g->delta = mem_realloc(g->delta,
		    g->delta_cap * sizeof(*g->delta));
	}
	g->delta[g->ndelta++] = (struct delta){ seg, len };
}

static int
apply_move(struct group *g, struct store_op *op)
{
	struct sq *q = g->q;
	sqlite3_stmt *st = q->st[SQ_MOVE];
	int rc;

	if (op->bytes == NULL && op->same == NULL)
		return SQLITE_OK;
	sq_bind_u64(st, 1, op->place.seg);
	sq_bind_u64(st, 2, op->place.off);
	sq_bind_u64(st, 3, op->mid);
	sq_bind_u64(st, 4, op->seg);
	rc = sq_step(q, SQ_MOVE);
	if (rc == SQLITE_OK && sqlite3_changes(q->db) > 0) {
		add_delta(g, op->seg, -(int64_t)op->place.len);
		add_delta(g, op->place.seg, (int64_t)op->place.len);
	}
	return rc;
}

static int
apply_rcpt(struct group *g, uint64_t mid, const struct store_rcpt *r)
{
	sqlite3_stmt *st = g->q->st[SQ_RCPT];

	(void)sqlite3_bind_int(st, 1, (int)r->state);
	sq_bind_u64(st, 2, r->warned);
	sq_bind_u64(st, 3, r->attempts);
	(void)sqlite3_bind_int64(st, 4, r->next);
	(void)sqlite3_bind_int(st, 5, r->code);
	sq_bind_str(st, 6, str_c(r->status));
	sq_bind_str(st, 7, str_c(r->text));
	sq_bind_str(st, 8, str_c(r->remote));
	sq_bind_str(st, 9, str_c(tls_reason_word(r->tls)));
	(void)sqlite3_bind_int64(st, 10, r->warned_at);
	sq_bind_u64(st, 11, mid);
	sq_bind_u64(st, 12, r->rid);
	return sq_step(g->q, SQ_RCPT);
}

static int
apply_treat(struct group *g, const struct store_op *op)
{
	sqlite3_stmt *st = g->q->st[SQ_TREAT];

	sq_bind_str(st, 1, op->want);
	sq_bind_str(st, 2, op->route);
	sq_bind_u64(st, 3, op->mid);
	sq_bind_u64(st, 4, op->rcpt.rid);
	return sq_step(g->q, SQ_TREAT);
}

static int
apply_go(struct group *g, uint64_t mid)
{
	int rc;

	sq_bind_u64(g->q->st[SQ_GO], 1, mid);
	rc = sq_step(g->q, SQ_GO);
	if (rc != SQLITE_OK)
		return rc;
	sq_bind_u64(g->q->st[SQ_GO_RCPT], 1, mid);
	return sq_step(g->q, SQ_GO_RCPT);
}

static int
apply_op(struct group *g, struct store_op *op)
{
	sqlite3_stmt *st;

	switch (op->kind) {
	case OP_PUT:
		return apply_put(g, op);
	case OP_RCPT:
		return apply_rcpt(g, op->mid, &op->rcpt);
	case OP_TREAT:
		return apply_treat(g, op);
	case OP_GO:
		return apply_go(g, op->mid);
	case OP_HOLD:
		st = g->q->st[SQ_HOLD];
		(void)sqlite3_bind_int(st, 1, (int)op->hold);
		sq_bind_u64(st, 2, op->mid);
		return sq_step(g->q, SQ_HOLD);
	case OP_DELETE:
		return apply_delete(g, op->mid);
	case OP_MOVE:
		return apply_move(g, op);
	}
	panic("store operation %d", (int)op->kind);
}

static int
put_message(struct group *g, const struct store_op *op)
{
	const struct envelope *e = op->env;
	sqlite3_stmt *st = g->q->st[SQ_PUT];

	sq_bind_u64(st, 1, e->mid);
	(void)sqlite3_bind_int64(st, 2, e->queued);
	(void)sqlite3_bind_int(st, 3, (int)op->hold);
	sq_bind_str(st, 4, e->sender.full);
	sq_bind_u64(st, 5, e->size);
	sq_bind_u64(st, 6, op->place.seg);
	sq_bind_u64(st, 7, op->place.off);
	sq_bind_u64(st, 8, op->place.len);
	sq_bind_u64(st, 9, op->place.sum);
	sq_bind_u64(st, 10, e->icid);
	sq_bind_u64(st, 11, e->flags);
	sq_bind_str(st, 12, e->envid);
	sq_bind_str(st, 13, e->client_ip);
	sq_bind_str(st, 14, e->helo);
	sq_bind_str(st, 15, e->auth);
	sq_bind_str(st, 16, str_c(e->listener));
	sq_bind_str(st, 17, e->edits);
	sq_bind_str(st, 18, e->notes);
	sq_bind_str(st, 19, e->quarantine);
	(void)sqlite3_bind_int64(st, 20, e->not_before);
	sq_bind_u64(st, 21, op->place.share);
	sq_bind_str(st, 22, e->waits_for);
	return sq_step(g->q, SQ_PUT);
}

static int
apply_put(struct group *g, struct store_op *op)
{
	const struct envelope *e = op->env;
	struct sq *q = g->q;
	const struct rcpt *r;
	sqlite3_stmt *st = q->st[SQ_PUT_RCPT];
	struct str s;
	unsigned i;
	int rc;

	rc = put_message(g, op);
	for (i = 0; rc == SQLITE_OK && i < e->nrcpt; i++) {
		r = e->rcpt[i];
		sq_bind_u64(st, 1, e->mid);
		sq_bind_u64(st, 2, r->rid);
		(void)sqlite3_bind_int(st, 3, (int)r->state);
		sq_bind_u64(st, 4, r->warned);
		(void)sqlite3_bind_int64(st, 5, op->next);
		sq_bind_str(st, 6, r->addr.full);
		sq_bind_str(st, 7, r->orcpt);
		sq_bind_u64(st, 8, r->notify);
		sq_bind_str(st, 9, r->want);
		sq_bind_str(st, 10, r->route);
		sq_bind_str(st, 11, r->profile);
		(void)sqlite3_bind_int64(st, 12, r->warned_at);
		rc = sq_step(q, SQ_PUT_RCPT);
	}
	if (rc == SQLITE_OK && op->in_row) {
		s = body_memory(op->body);
		st = q->st[SQ_PUT_BODY];
		sq_bind_u64(st, 1, e->mid);
		(void)sqlite3_bind_blob(st, 2, s.p, (int)s.n, SQLITE_STATIC);
		rc = sq_step(q, SQ_PUT_BODY);
	} else if (rc == SQLITE_OK && op->place.seg != 0) {
		add_delta(g, op->place.seg, (int64_t)op->place.len);
	}
	return rc;
}

static int
apply_delete(struct group *g, uint64_t mid)
{
	struct sq *q = g->q;
	sqlite3_stmt *st = q->st[SQ_PLACE];
	uint64_t seg = 0, len = 0, share = 0;
	int rc;

	sq_bind_u64(st, 1, mid);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		seg = (uint64_t)sqlite3_column_int64(st, 0);
		len = (uint64_t)sqlite3_column_int64(st, 2);
		share = (uint64_t)sqlite3_column_int64(st, 4);
	}
	(void)sqlite3_reset(st);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	sq_bind_u64(q->st[SQ_DELETE], 1, mid);
	rc = sq_step(q, SQ_DELETE);
	if (rc == SQLITE_OK) {
		sq_bind_u64(q->st[SQ_DELETE_RCPT], 1, mid);
		rc = sq_step(q, SQ_DELETE_RCPT);
	}
	if (rc == SQLITE_OK && seg == 0) {
		sq_bind_u64(q->st[SQ_DELETE_BODY], 1,
		    share != 0 ? share : mid);
		rc = sq_step(q, SQ_DELETE_BODY);
	} else if (rc == SQLITE_OK) {
		add_delta(g, seg, -(int64_t)len);
	}
	return rc;
}

/*
 * After a commit that failed, what the disk has is not known, and after a
 * failed sync not even what the page cache says is true. So the connection is
 * opened afresh without a checkpoint, the next transaction removes the
 * messages that were refused, and the segment is not written again.
 */
static void
after_failure(struct group *g, bool committing)
{
	struct sq *q = g->q;
	char text[sizeof(g->why.text)];
	struct err why = ERR_INIT;
	int kind = g->rc & 0xff;

	sq_rollback(q);
	if (g->appended)
		segs_undo(q->segs, committing);
	if (sq_is_damage(g->rc)) {
		if (sq_salvage(q, text, &why) == 0) {
			mem_free(q->store->news);
			q->store->news = mem_strdup(text);
		}
		return;
	}
	if (committing)
		store_ghosts_add(&g->q->ghosts, g->v, g->n);
	if (!committing && kind != SQLITE_IOERR && kind != SQLITE_FULL &&
	    kind != SQLITE_CANTOPEN)
		return;
	sq_close_db(q, true);
	if (sq_open_db(q, &why) < 0) {
		sq_close_db(q, true);
		return;
	}
	/* Room in the WAL lets deletions through on a full disk. */
	if (kind == SQLITE_FULL)
		sq_cut_wal(q);
}

/* What new messages of the group need of the disk, about; 0: there is none. */
static uint64_t
size_of(struct store_txn **v, size_t n)
{
	struct store_op *op;
	uint64_t size = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		STAILQ_FOREACH (op, &v[i]->ops, link) {
			if (op->kind == OP_PUT)
				size += ROW + body_memory(op->body).n;
		}
	}
	return size;
}

/* Before anything is tried: its body was not written, or the disk is full. */
static bool
is_refused(struct sq *q, struct store_txn *t, bool room)
{
	struct store_op *op;

	STAILQ_FOREACH (op, &t->ops, link) {
		if (op->kind != OP_PUT)
			continue;
		if (body_error(op->body) != NULL) {
			t->failed = true;
			t->why = *body_error(op->body);
		} else if (!room) {
			t->failed = true;
			(void)err_set(&t->why, 452, "4.3.1",
			    "%s: the disk is full", q->store->db_path);
		}
	}
	return t->failed;
}

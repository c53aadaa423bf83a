#include "store/revs_priv.h"

#include <string.h>

#include "base/obj.h"
#include "store/sum.h"

#define COLUMNS "kind, name, scope, body, who, at, "

static int each(struct revs *, sqlite3_stmt *, revs_object_fn *, void *,
    struct err *);
static void rev_of(sqlite3_stmt *, struct pool *, struct rev *);

int
revs_head(struct revs *r, uint64_t *n_r, struct err *why)
{
	sqlite3_stmt *st = revs_prepare(r, "SELECT head FROM state", why);

	return st == NULL ? -1 : revs_number(r, st, n_r, why);
}

int
revs_serial(struct revs *r, uint64_t *serial_r, struct err *why)
{
	sqlite3_stmt *st = revs_prepare(r, "SELECT serial FROM state", why);

	return st == NULL ? -1 : revs_number(r, st, serial_r, why);
}

int
revs_get(struct revs *r, uint64_t n, struct pool *pool, struct rev *rev_r,
    struct err *why)
{
	struct err no = ERR_INIT;
	sqlite3_stmt *st;
	uint64_t head;
	int rc;

	st = revs_prepare(r, "SELECT n, parent, at, who, comment, changes, "
	    "objects, token FROM revision WHERE n = ? AND accepted = 1", why);
	if (st == NULL)
		return -1;
	revs_bind_n(st, 1, n);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		rev_of(st, pool, rev_r);
	else if (rc == SQLITE_DONE)
		(void)err_text(why, n > 0 && revs_head(r, &head, &no) == 0 &&
		    n < head ? "%s: revision %ju was pruned" :
		    "%s: there is no revision %ju", r->path, (uintmax_t)n);
	else
		(void)revs_fail(r, rc, why);
	(void)sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : -1;
}

int
revs_before(struct revs *r, uint64_t n, uint64_t *before_r, struct err *why)
{
	sqlite3_stmt *st = revs_prepare(r, "SELECT max(n) FROM revision "
	    "WHERE n < ? AND accepted = 1", why);

	if (st == NULL)
		return -1;
	revs_bind_n(st, 1, n);
	return revs_number(r, st, before_r, why);
}

static void
rev_of(sqlite3_stmt *st, struct pool *pool, struct rev *v)
{
	v->n = (uint64_t)sqlite3_column_int64(st, 0);
	v->parent = (uint64_t)sqlite3_column_int64(st, 1);
	v->at = sqlite3_column_int64(st, 2);
	v->who = pool_strdup(pool, revs_column(st, 3));
	v->comment = pool_strdup(pool, revs_column(st, 4));
	v->changes = (unsigned)sqlite3_column_int64(st, 5);
	v->objects = (unsigned)sqlite3_column_int64(st, 6);
	(void)str_copy(v->token, sizeof(v->token),
	    str_c(revs_column(st, 7)));
}

int
revs_proposal(struct revs *r, uint64_t n, const char *token, struct err *why)
{
	sqlite3_stmt *st;
	uint64_t is;

	st = revs_prepare(r, "SELECT count(*) FROM revision WHERE n = ? AND "
	    "token = ? AND accepted = 0", why);
	if (st == NULL)
		return -1;
	revs_bind_n(st, 1, n);
	revs_bind(st, 2, str_c(token));
	if (revs_number(r, st, &is, why) != 0)
		return -1;
	return is == 1 ? 0 : err_text(why, "%s: revision %ju is proposed no "
	    "more", r->path, (uintmax_t)n);
}

int
revs_objects(struct revs *r, uint64_t n, revs_object_fn *fn, void *arg,
    struct err *why)
{
	sqlite3_stmt *st;

	st = revs_prepare(r, "SELECT " COLUMNS "from_rev FROM object WHERE "
	    REVS_IN " ORDER BY kind, name", why);
	if (st == NULL)
		return -1;
	revs_bind_n(st, 1, n);
	return each(r, st, fn, arg, why);
}

int
revs_draft(struct revs *r, revs_object_fn *fn, void *arg, struct err *why)
{
	sqlite3_stmt *st;

	st = revs_prepare(r, "SELECT " COLUMNS "0 FROM draft ORDER BY kind, "
	    "name", why);
	return st == NULL ? -1 : each(r, st, fn, arg, why);
}

int
revs_merged(struct revs *r, revs_object_fn *fn, void *arg, struct err *why)
{
	sqlite3_stmt *st;
	uint64_t head;

	if (revs_head(r, &head, why) != 0)
		return -1;
	st = revs_prepare(r, "SELECT " COLUMNS "from_rev FROM object o WHERE "
	    REVS_IN " AND NOT EXISTS(SELECT 1 FROM draft d WHERE "
	    "d.kind = o.kind AND d.name = o.name) UNION ALL SELECT " COLUMNS
	    "0 FROM draft WHERE body IS NOT NULL ORDER BY 1, 2", why);
	if (st == NULL)
		return -1;
	revs_bind_n(st, 1, head);
	return each(r, st, fn, arg, why);
}

/* Finalizes it. */
static int
each(struct revs *r, sqlite3_stmt *st, revs_object_fn *fn, void *arg,
    struct err *why)
{
	struct revs_object o;
	int rc, result = 0;

	ASSERT(r->in);
	while (result == 0 && (rc = sqlite3_step(st)) != SQLITE_DONE) {
		if (rc != SQLITE_ROW) {
			result = revs_fail(r, rc, why);
			break;
		}
		o.kind = revs_column(st, 0);
		o.name = revs_column(st, 1);
		o.node = strcmp(revs_column(st, 2), "node") == 0;
		o.body.p = (const char *)sqlite3_column_text(st, 3);
		o.body.n = (size_t)sqlite3_column_bytes(st, 3);
		o.who = revs_column(st, 4);
		o.at = sqlite3_column_int64(st, 5);
		o.rev = (uint64_t)sqlite3_column_int64(st, 6);
		result = fn(arg, &o, why);
	}
	(void)sqlite3_finalize(st);
	return result;
}

struct summing {
	struct sum sum;
	unsigned n;
	struct buf *dst;
};

/* What is between them is summed as well. */
static int
on_object(void *arg, const struct revs_object *o, struct err *why)
{
	struct summing *s = arg;

	sum_add(&s->sum, o->kind, strlen(o->kind) + 1);
	sum_add(&s->sum, o->name, strlen(o->name) + 1);
	sum_add(&s->sum, o->node ? "n" : "c", 1);
	sum_add(&s->sum, o->body.p, o->body.n);
	s->n++;
	if (s->dst != NULL && buf_add_str(s->dst, o->body) != 0)
		return err_text(why, "a revision has at most %d octets",
		    REVS_TEXT_MAX);
	return 0;
}

int
revs_sum(struct revs *r, uint64_t n, uint32_t *sum_r, unsigned *count_r,
    struct buf *dst, struct err *why)
{
	struct summing s = { .dst = dst };

	sum_init(&s.sum);
	if (revs_objects(r, n, on_object, &s, why) != 0)
		return -1;
	*sum_r = sum_end(&s.sum);
	*count_r = s.n;
	return 0;
}

int
revs_text(struct revs *r, uint64_t n, struct buf *dst, struct err *why)
{
	sqlite3_stmt *st;
	unsigned count;
	uint64_t want;
	uint32_t sum;

	st = revs_prepare(r, "SELECT sum FROM revision WHERE n = ?", why);
	if (st == NULL)
		return -1;
	revs_bind_n(st, 1, n);
	if (revs_number(r, st, &want, why) != 0 ||
	    revs_sum(r, n, &sum, &count, dst, why) != 0)
		return -1;
	return sum == want ? 0 : err_text(why, "%s: revision %ju is damaged: "
	    "what it has is not what was committed", r->path, (uintmax_t)n);
}

int
revs_read(const char *path, uint64_t proposal, const char *token,
    struct buf *dst, uint64_t *n_r, struct err *why)
{
	struct revs *r;
	int rc;

	*n_r = 0;
	if (revs_open(&r, path, false, why) != 0)
		return -1;
	if (r == NULL)
		return proposal == 0 ? 0 : err_text(why, "%s: there is no "
		    "such file", path);
	rc = revs_begin(r, false, why);
	if (rc == 0) {
		*n_r = proposal;
		rc = token != NULL ? revs_proposal(r, proposal, token, why) :
		    revs_head(r, n_r, why);
		if (rc == 0 && *n_r != 0)
			rc = revs_text(r, *n_r, dst, why);
		(void)revs_end(r, false, NULL);
	}
	revs_close(&r);
	return rc;
}

static int
add_body(void *arg, const struct revs_object *o, struct err *why)
{
	return buf_add_str(arg, o->body) == 0 ? 0 :
	    err_text(why, "the objects are too long");
}

int
revs_read_draft(const char *path, struct buf *dst, struct err *why)
{
	struct revs *r;
	uint64_t head;
	int rc;

	if (revs_open(&r, path, false, why) != 0)
		return -1;
	if (r == NULL)
		return 0;
	rc = revs_begin(r, false, why);
	if (rc == 0) {
		rc = revs_head(r, &head, why);
		if (rc == 0 && head != 0)
			rc = revs_text(r, head, NULL, why);
		if (rc == 0)
			rc = revs_merged(r, add_body, dst, why);
		(void)revs_end(r, false, NULL);
	}
	revs_close(&r);
	return rc;
}

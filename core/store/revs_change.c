/*
 * Changes of the configuration store: the draft, and revisions made of it.
 */
#include "store/revs_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/obj.h"
#include "base/rand.h"

static int run_n(struct revs *, const char *, uint64_t, struct err *);
static int touch(struct revs *, uint64_t *, struct err *);
static int count(struct revs *, const char *, uint64_t *, struct err *);
static int same_as_head(struct revs *, const struct revs_object *, bool *,
    struct err *);
static int put_row(struct revs *, const struct revs_object *, uint64_t,
    struct err *);
static int make_objects(struct revs *, uint64_t, struct err *);
static int sound(struct revs *, const struct rev *, uint32_t, struct err *);
static int make_row(struct revs *, const struct rev *, uint64_t, uint32_t,
    struct err *);

int
revs_put(struct revs *r, const struct revs_object *o, struct err *why)
{
	sqlite3_stmt *st;
	uint64_t serial;
	bool same;

	ASSERT(r->in && r->write);
	if (touch(r, &serial, why) != 0 ||
	    same_as_head(r, o, &same, why) != 0)
		return -1;
	if (!same)
		return put_row(r, o, serial, why);
	st = revs_prepare(r, "DELETE FROM draft WHERE kind = ? AND name = ?",
	    why);
	if (st == NULL)
		return -1;
	revs_bind(st, 1, str_c(o->kind));
	revs_bind(st, 2, str_c(o->name));
	return revs_run(r, st, why);
}

static int
put_row(struct revs *r, const struct revs_object *o, uint64_t serial,
    struct err *why)
{
	sqlite3_stmt *st;

	st = revs_prepare(r, "INSERT OR REPLACE INTO draft(kind, name, scope, "
	    "body, who, at, serial) VALUES(?,?,?,?,?,?,?)", why);
	if (st == NULL)
		return -1;
	revs_bind(st, 1, str_c(o->kind));
	revs_bind(st, 2, str_c(o->name));
	revs_bind(st, 3, str_c(o->node ? "node" : "cluster"));
	revs_bind(st, 4, o->body);
	revs_bind(st, 5, str_c(o->who));
	revs_bind_n(st, 6, (uint64_t)o->at);
	revs_bind_n(st, 7, serial);
	return revs_run(r, st, why);
}

static int
same_as_head(struct revs *r, const struct revs_object *o, bool *same_r,
    struct err *why)
{
	sqlite3_stmt *st;
	uint64_t n;

	st = revs_prepare(r, o->body.p != NULL ?
	    "SELECT count(*) FROM object WHERE kind = ? AND name = ? AND "
	    "to_rev > (SELECT head FROM state) AND from_rev <= (SELECT head "
	    "FROM state) AND scope = ? AND body = ?" :
	    "SELECT NOT EXISTS(SELECT 1 FROM object WHERE kind = ? AND "
	    "name = ? AND to_rev > (SELECT head FROM state) AND from_rev <= "
	    "(SELECT head FROM state))", why);
	if (st == NULL)
		return -1;
	revs_bind(st, 1, str_c(o->kind));
	revs_bind(st, 2, str_c(o->name));
	if (o->body.p != NULL) {
		revs_bind(st, 3, str_c(o->node ? "node" : "cluster"));
		revs_bind(st, 4, o->body);
	}
	if (revs_number(r, st, &n, why) != 0)
		return -1;
	*same_r = n != 0;
	return 0;
}

int
revs_clear(struct revs *r, struct err *why)
{
	uint64_t serial;

	ASSERT(r->in && r->write);
	if (touch(r, &serial, why) != 0)
		return -1;
	return revs_exec(r, "DELETE FROM draft", why);
}

int
revs_revert(struct revs *r, uint64_t n, const char *who, struct err *why)
{
	uint64_t serial, drafted;
	sqlite3_stmt *st;

	ASSERT(r->in && r->write);
	if (count(r, "SELECT count(*) FROM draft", &drafted, why) != 0)
		return -1;
	if (drafted > 0)
		return err_text(why, "there are uncommitted changes: commit "
		    "or clear them first");
	if (touch(r, &serial, why) != 0)
		return -1;
	/* What n had and the head has not so; then what it had not. */
	st = revs_prepare(r, "INSERT INTO draft SELECT kind, name, scope, "
	    "body, ?2, ?3, ?4 FROM object o WHERE " REVS_IN " AND NOT EXISTS("
	    "SELECT 1 FROM object h, state WHERE h.kind = o.kind AND h.name = "
	    "o.name AND h.from_rev <= head AND h.to_rev > head AND h.body = "
	    "o.body AND h.scope = o.scope)", why);
	if (st == NULL)
		return -1;
	revs_bind_n(st, 1, n);
	revs_bind(st, 2, str_c(who));
	revs_bind_n(st, 3, (uint64_t)clock_wall());
	revs_bind_n(st, 4, serial);
	if (revs_run(r, st, why) != 0)
		return -1;
	st = revs_prepare(r, "INSERT INTO draft SELECT kind, name, scope, "
	    "NULL, ?2, ?3, ?4 FROM object h, state WHERE h.from_rev <= head "
	    "AND h.to_rev > head AND NOT EXISTS(SELECT 1 FROM object WHERE "
	    "kind = h.kind AND name = h.name AND " REVS_IN ")", why);
	if (st == NULL)
		return -1;
	revs_bind_n(st, 1, n);
	revs_bind(st, 2, str_c(who));
	revs_bind_n(st, 3, (uint64_t)clock_wall());
	revs_bind_n(st, 4, serial);
	return revs_run(r, st, why);
}

int
revs_propose(struct revs *r, const char *who, const char *comment,
    struct pool *pool, struct rev *rev_r, struct err *why)
{
	struct rev v = { .at = clock_wall() };
	uint64_t serial, changes;
	uint32_t sum;

	ASSERT(r->in && r->write);
	if (revs_refuse(r, why) != 0 ||
	    count(r, "SELECT count(*) FROM draft", &changes, why) != 0 ||
	    revs_head(r, &v.parent, why) != 0 ||
	    revs_serial(r, &serial, why) != 0)
		return -1;
	if (changes == 0)
		return err_text(why, "there is nothing to commit");
	v.n = v.parent + 1;
	v.who = pool_strdup(pool, who);
	v.comment = pool_strdup(pool, comment);
	v.changes = (unsigned)changes;
	(void)snprintf(v.token, sizeof(v.token), "%016jx%016jx",
	    (uintmax_t)rand_u64(), (uintmax_t)rand_u64());
	if (make_objects(r, v.n, why) != 0 ||
	    revs_sum(r, v.n, &sum, &v.objects, NULL, why) != 0 ||
	    sound(r, &v, sum, why) != 0)
		return -1;
	if (v.objects > REVS_OBJECTS_MAX)
		return err_text(why, "more than %d objects",
		    REVS_OBJECTS_MAX);
	if (make_row(r, &v, serial, sum, why) != 0)
		return -1;
	*rev_r = v;
	return 0;
}

static int
make_objects(struct revs *r, uint64_t n, struct err *why)
{
	if (run_n(r, "UPDATE object SET to_rev = ?1 WHERE to_rev = " REVS_NOW
	    " AND EXISTS(SELECT 1 FROM draft d WHERE d.kind = object.kind AND "
	    "d.name = object.name)", n, why) != 0)
		return -1;
	return run_n(r, "INSERT INTO object(kind, name, from_rev, to_rev, "
	    "scope, who, at, body) SELECT kind, name, ?1, " REVS_NOW ", "
	    "scope, who, at, body FROM draft WHERE body IS NOT NULL", n, why);
}

/* Damage of the parent does not become what somebody has committed: nothing is
 * left of it where all objects are what has been committed once. */
static int
sound(struct revs *r, const struct rev *v, uint32_t sum, struct err *why)
{
	struct err no = ERR_INIT;
	sqlite3_stmt *st;
	uint64_t n;

	if (v->parent == 0 || revs_text(r, v->parent, NULL, &no) == 0)
		return 0;
	st = revs_prepare(r, "SELECT count(*) FROM revision WHERE sum = ?",
	    why);
	if (st == NULL)
		return -1;
	revs_bind_n(st, 1, sum);
	if (revs_number(r, st, &n, why) != 0)
		return -1;
	return n > 0 ? 0 : err_text(why, "%s; roll back to another", no.text);
}

static int
make_row(struct revs *r, const struct rev *v, uint64_t serial, uint32_t sum,
    struct err *why)
{
	sqlite3_stmt *st;

	st = revs_prepare(r, "INSERT INTO revision(n, parent, at, who, "
	    "comment, changes, objects, sum, serial, token, accepted) "
	    "VALUES(?,?,?,?,?,?,?,?,?,?,0)", why);
	if (st == NULL)
		return -1;
	revs_bind_n(st, 1, v->n);
	revs_bind_n(st, 2, v->parent);
	revs_bind_n(st, 3, (uint64_t)v->at);
	revs_bind(st, 4, str_c(v->who));
	revs_bind(st, 5, str_c(v->comment));
	revs_bind_n(st, 6, v->changes);
	revs_bind_n(st, 7, v->objects);
	revs_bind_n(st, 8, sum);
	revs_bind_n(st, 9, serial);
	revs_bind(st, 10, str_c(v->token));
	return revs_run(r, st, why);
}

/* What was drafted since then stays. */
int
revs_accept(struct revs *r, uint64_t n, const char *token, struct err *why)
{
	uint64_t serial;

	ASSERT(r->in && r->write);
	if (revs_proposal(r, n, token, why) != 0 ||
	    touch(r, &serial, why) != 0 ||
	    run_n(r, "UPDATE revision SET accepted = 1 WHERE n = ?1", n,
		why) != 0 ||
	    run_n(r, "DELETE FROM draft WHERE serial <= (SELECT serial FROM "
		"revision WHERE n = ?1)", n, why) != 0)
		return -1;
	return run_n(r, "UPDATE state SET head = ?1", n, why);
}

int
revs_refuse(struct revs *r, struct err *why)
{
	uint64_t head;

	ASSERT(r->in && r->write);
	if (revs_head(r, &head, why) != 0 ||
	    run_n(r, "DELETE FROM object WHERE from_rev > ?1", head,
		why) != 0 ||
	    run_n(r, "UPDATE object SET to_rev = " REVS_NOW " WHERE to_rev > "
		"?1 AND to_rev < " REVS_NOW, head, why) != 0)
		return -1;
	return run_n(r, "DELETE FROM revision WHERE n > ?1", head, why);
}

/* Objects that no revision has any more go with them. */
int
revs_prune(struct revs *r, uint64_t keep, uint64_t in_force, uint64_t *n_r,
    struct err *why)
{
	uint64_t head, n;
	sqlite3_stmt *st;

	ASSERT(r->in && r->write && keep > 0);
	*n_r = 0;
	if (revs_head(r, &head, why) != 0)
		return -1;
	if (head <= keep)
		return 0;
	st = revs_prepare(r, "DELETE FROM revision WHERE n <= ?1 AND n <> ?2",
	    why);
	if (st == NULL)
		return -1;
	revs_bind_n(st, 1, head - keep);
	revs_bind_n(st, 2, in_force);
	if (revs_run(r, st, why) != 0)
		return -1;
	n = (uint64_t)sqlite3_changes(r->db);
	if (revs_exec(r, "DELETE FROM object WHERE NOT EXISTS(SELECT 1 FROM "
	    "revision v WHERE v.n >= from_rev AND v.n < to_rev)", why) != 0)
		return -1;
	*n_r = n;
	return 0;
}

static int
run_n(struct revs *r, const char *sql, uint64_t n, struct err *why)
{
	sqlite3_stmt *st = revs_prepare(r, sql, why);

	if (st == NULL)
		return -1;
	revs_bind_n(st, 1, n);
	return revs_run(r, st, why);
}

static int
touch(struct revs *r, uint64_t *serial_r, struct err *why)
{
	if (revs_exec(r, "UPDATE state SET serial = serial + 1", why) != 0)
		return -1;
	return revs_serial(r, serial_r, why);
}

static int
count(struct revs *r, const char *sql, uint64_t *n_r, struct err *why)
{
	sqlite3_stmt *st = revs_prepare(r, sql, why);

	return st == NULL ? -1 : revs_number(r, st, n_r, why);
}

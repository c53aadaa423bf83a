#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/sys.h"
#include "mail/edits.h"
#include "mail/notes.h"
#include "store/sq.h"

/*
 * Rows become a message again. A row may hold anything (a decayed disk, an
 * administrator's SQL): what would not have been accepted is set aside.
 */

#define TEXT_MAX 4096	/* of a field */
#define ADDR_MAX 1024
#define RCPT_MAX 1000000
#define WAITS_MAX (21 * RCPT_MAX) /* octets of the MIDs of as many branches */

static int load_message(struct sq *q, struct store_load_job *job);
static int load_overlay(sqlite3_stmt *st, struct envelope *e);
static int load_rcpts(struct sq *q, struct store_load_job *job);
static int load_body(struct sq *q, struct store_load_job *job);
static void save_body(struct sq *q, uint64_t mid);

static int
damaged(struct store_load_job *job, const char *what)
{
	job->aside = true;
	return err_set(&job->why, 451, "4.3.0", "%s", what);
}

static int
trouble(struct sq *q, struct store_load_job *job, int rc)
{
	if (sq_is_damage(rc))
		job->aside = true;
	return sq_err(q->db, rc, &job->why, q->store->db_path);
}

void
sq_load(void *e, struct store_load_job *job)
{
	struct sq *q;
	int rc;

	OBJ_CAST(q, e, SQ_MAGIC);
	if (q->db == NULL && sq_open_db(q, &job->why) < 0) {
		sq_close_db(q, true);
		job->failed = true;
		return;
	}
	rc = load_message(q, job);
	if (rc == 0 && job->env != NULL) {
		rc = load_rcpts(q, job);
		if (rc == 0)
			rc = load_body(q, job);
	}
	if (rc == 0)
		return;
	job->failed = true;
	envelope_destroy(&job->env);
	mem_free(job->bytes);
	job->bytes = NULL;
	if (job->aside)
		sq_set_aside(q, job->mid, job->why.text);
}

void
sq_set_aside(void *e, uint64_t mid, const char *why)
{
	char text[sizeof(((struct err *)NULL)->text)];
	struct err ignored = ERR_INIT;
	struct store_txn txn = { .magic = STORE_TXN_MAGIC };
	struct store_txn *v = &txn;
	struct store_op op = { .kind = OP_DELETE, .mid = mid };
	sqlite3_stmt *st;
	struct sq *q;
	int rc;

	OBJ_CAST(q, e, SQ_MAGIC);
	if (q->db == NULL)
		return;
	save_body(q, mid);
	st = q->st[SQ_ASIDE];
	sq_bind_u64(st, 1, mid);
	(void)sqlite3_bind_int64(st, 2, clock_wall());
	sq_bind_str(st, 3, str_c(why));
	rc = sq_step(q, SQ_ASIDE);
	if (sq_is_damage(rc)) {
		if (sq_salvage(q, text, &ignored) == 0) {
			mem_free(q->store->news);
			q->store->news = mem_strdup(text);
		}
		return;
	}
	STAILQ_INIT(&txn.ops);
	STAILQ_INSERT_TAIL(&txn.ops, &op, link);
	(void)sq_commit(q, &v, 1);
}

static bool
is_clean(struct str s, size_t max)
{
	size_t i;

	if (s.n > max)
		return false;
	for (i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	}
	return true;
}

/* An address as addr_parse_path() had left it, pointing into text; -1: it
 * never did. */
static int
make_addr(struct str text, bool null_ok, struct addr *a)
{
	size_t i, at;

	if (!is_clean(text, ADDR_MAX) || (text.n == 0 && !null_ok))
		return -1;
	memset(a, 0, sizeof(*a));
	a->full = text;
	for (at = text.n; at > 0 && text.p[at - 1] != '@';)
		at--;
	a->local = str_n(text.p, at > 0 ? at - 1 : text.n);
	a->domain = at > 0 ? str_n(text.p + at, text.n - at) : STR("");
	a->literal = a->domain.n > 0 && a->domain.p[0] == '[';
	for (i = 0; i < text.n; i++)
		a->utf8 |= (unsigned char)text.p[i] > 0x7f;
	if (at > 0 && (a->local.n == 0 || a->domain.n == 0))
		return -1;
	return 0;
}

/* Edits that cannot be read would let a message out as it must not go. */
static int
load_overlay(sqlite3_stmt *st, struct envelope *e)
{
	struct edits *edits;
	struct notes *notes;

	if (!is_clean(sq_column(st, 17), TEXT_MAX))
		return -1;
	e->edits = pool_str(e->pool, sq_column(st, 15));
	e->notes = pool_str(e->pool, sq_column(st, 16));
	e->quarantine = pool_str(e->pool, sq_column(st, 17));
	if (!is_clean(sq_column(st, 20), WAITS_MAX))
		return -1;
	e->waits_for = pool_str(e->pool, sq_column(st, 20));
	if (e->edits.n > 0 &&
	    edits_read(&edits, e->pool, e->edits, NULL) != 0)
		return -1;
	return e->notes.n > 0 ?
	    notes_read(&notes, e->pool, e->notes, NULL) : 0;
}

static int
load_message(struct sq *q, struct store_load_job *job)
{
	sqlite3_stmt *st = q->st[SQ_LOAD];
	struct envelope *e;
	struct pool *pool;
	int rc, i;

	sq_bind_u64(st, 1, job->mid);
	rc = sqlite3_step(st);
	if (rc != SQLITE_ROW) {
		(void)sqlite3_reset(st);
		return rc == SQLITE_DONE ? 0 : trouble(q, job, rc);
	}
	e = job->env = envelope_new();
	pool = e->pool;
	e->mid = job->mid;
	e->queued = sqlite3_column_int64(st, 0);
	i = sqlite3_column_int(st, 1);
	job->hold = i == STORE_ACTIVE || i == STORE_HELD ? (enum store_hold)i :
							   STORE_FROZEN;
	e->size = (uint64_t)sqlite3_column_int64(st, 3);
	job->place.seg = (uint64_t)sqlite3_column_int64(st, 4);
	job->place.off = (uint64_t)sqlite3_column_int64(st, 5);
	job->place.len = (uint64_t)sqlite3_column_int64(st, 6);
	job->place.sum = (uint32_t)sqlite3_column_int64(st, 7);
	e->icid = (uint64_t)sqlite3_column_int64(st, 8);
	e->flags = (unsigned)sqlite3_column_int(st, 9);
	e->not_before = sqlite3_column_int64(st, 18);
	job->place.share = (uint64_t)sqlite3_column_int64(st, 19);
	rc = make_addr(pool_str(pool, sq_column(st, 2)), true, &e->sender);
	for (i = 10; rc == 0 && i <= 14; i++)
		rc = is_clean(sq_column(st, i), TEXT_MAX) ? 0 : -1;
	if (rc == 0) {
		e->envid = pool_str(pool, sq_column(st, 10));
		e->client_ip = pool_str(pool, sq_column(st, 11));
		e->helo = pool_str(pool, sq_column(st, 12));
		e->auth = pool_str(pool, sq_column(st, 13));
		e->listener = pool_str(pool, sq_column(st, 14)).p;
		rc = load_overlay(st, e);
	}
	(void)sqlite3_reset(st);
	if (rc < 0)
		return damaged(job, "the envelope is not readable");
	return 0;
}

static int
load_rcpt(struct store_load_job *job, sqlite3_stmt *st, struct store_rcpt *s)
{
	struct pool *pool = job->env->pool;
	struct str orcpt = sq_column(st, 6), want = sq_column(st, 12);
	struct str route = sq_column(st, 14);
	struct addr addr;
	struct rcpt *r;
	int state = sqlite3_column_int(st, 1);

	if (sqlite3_column_int64(st, 0) != job->env->nrcpt ||
	    job->env->nrcpt >= RCPT_MAX || state < RCPT_PENDING ||
	    state > RCPT_MOVED ||
	    make_addr(sq_column(st, 5), false, &addr) < 0 ||
	    !is_clean(orcpt, TEXT_MAX) || !is_clean(want, RCPT_WANT_MAX) ||
	    !is_clean(route, RCPT_ROUTE_MAX))
		return damaged(job, "a recipient is not readable");
	r = envelope_add_rcpt(job->env, &addr, orcpt,
	    (unsigned)sqlite3_column_int(st, 7));
	r->state = (enum rcpt_state)state;
	r->warned = sqlite3_column_int(st, 2) != 0;
	if (want.n > 0)
		r->want = pool_str(pool, want);
	if (route.n > 0)
		r->route = pool_str(pool, route);
	s->rid = r->rid;
	s->state = r->state;
	s->warned = r->warned;
	s->attempts = (unsigned)sqlite3_column_int(st, 3);
	s->next = sqlite3_column_int64(st, 4);
	s->code = sqlite3_column_int(st, 8);
	s->status = pool_str(pool, sq_column(st, 9)).p;
	s->text = pool_str(pool, sq_column(st, 10)).p;
	s->remote = pool_str(pool, sq_column(st, 11)).p;
	s->tls = tls_reason_find(sq_column(st, 13));
	return 0;
}

static int
load_rcpts(struct sq *q, struct store_load_job *job)
{
	sqlite3_stmt *st = q->st[SQ_LOAD_RCPT];
	struct store_rcpt *v = NULL;
	size_t cap = 0, n = 0;
	int rc, step;

	sq_bind_u64(st, 1, job->mid);
	for (rc = 0; rc == 0 && (step = sqlite3_step(st)) == SQLITE_ROW; n++) {
		if (n == cap) {
			cap = cap == 0 ? 4 : cap * 2;
			v = mem_realloc(v, cap * sizeof(*v));
		}
		rc = load_rcpt(job, st, &v[n]);
	}
	(void)sqlite3_reset(st);
	if (rc == 0 && step != SQLITE_DONE)
		rc = trouble(q, job, step);
	if (rc == 0 && n == 0)
		rc = damaged(job, "it has no recipients");
	if (rc == 0)
		job->rcpt = pool_dup(job->env->pool, v, n * sizeof(*v));
	mem_free(v);
	return rc;
}

static int
load_row(struct sq *q, struct store_load_job *job)
{
	sqlite3_stmt *st = q->st[SQ_LOAD_BODY];
	const void *p;
	size_t n;
	int rc;

	sq_bind_u64(st, 1, job->place.share != 0 ? job->place.share :
						   job->mid);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		p = sqlite3_column_blob(st, 0);
		n = (size_t)sqlite3_column_bytes(st, 0);
		if (n == job->place.len) {
			job->bytes = mem_alloc(n > 0 ? n : 1);
			if (n > 0)
				memcpy(job->bytes, p, n);
		}
	}
	(void)sqlite3_reset(st);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return trouble(q, job, rc);
	if (job->bytes == NULL)
		return damaged(job, "the body is missing");
	return 0;
}

/* Large bodies stay where they are; the front reads them through. */
static int
load_body(struct sq *q, struct store_load_job *job)
{
	struct body_place *at = &job->place;
	uint64_t size;

	if (at->seg == 0) {
		if (load_row(q, job) < 0)
			return -1;
	} else {
		if (!segs_size(q->segs, at->seg, &size) || at->off > size ||
		    at->len > size - at->off)
			return damaged(job, "the body is missing");
		if (at->len > BODY_MEMORY_MAX)
			return 0;
		job->bytes = mem_alloc(at->len > 0 ? (size_t)at->len : 1);
		if (seg_read(q->store->seg_dir, at->seg, at->off, job->bytes,
			(size_t)at->len, &job->why) < 0) {
			job->aside = true;
			return -1;
		}
	}
	if (sum_of(job->bytes, (size_t)at->len) != at->sum)
		return damaged(job, "the body's checksum is wrong");
	return 0;
}

/* SPOOL/corrupt/store-N-MID.eml: what can be read of the body. */
static void
save_body(struct sq *q, uint64_t mid)
{
	struct store *s = q->store;
	struct err ignored = ERR_INIT;
	struct body_place at = { 0 };
	char path[SEG_PATH_MAX], *bytes = NULL;
	sqlite3_stmt *st = q->st[SQ_PLACE];
	const void *p = NULL;
	size_t n = 0;
	int fd;

	sq_bind_u64(st, 1, mid);
	if (sqlite3_step(st) == SQLITE_ROW) {
		at.seg = (uint64_t)sqlite3_column_int64(st, 0);
		at.off = (uint64_t)sqlite3_column_int64(st, 1);
		at.len = (uint64_t)sqlite3_column_int64(st, 2);
		at.share = (uint64_t)sqlite3_column_int64(st, 4);
	}
	(void)sqlite3_reset(st);
	st = q->st[SQ_LOAD_BODY];
	if (at.seg != 0 && at.len > 0 && at.len <= BODY_MEMORY_MAX) {
		bytes = mem_zalloc((size_t)at.len);
		if (seg_read(s->seg_dir, at.seg, at.off, bytes,
			(size_t)at.len, &ignored) == 0) {
			p = bytes;
			n = (size_t)at.len;
		}
	} else if (at.seg == 0) {
		sq_bind_u64(st, 1, at.share != 0 ? at.share : mid);
		if (sqlite3_step(st) == SQLITE_ROW) {
			p = sqlite3_column_blob(st, 0);
			n = (size_t)sqlite3_column_bytes(st, 0);
		}
	}
	if (p != NULL && file_mkdirs(s->corrupt_dir, 0700, &ignored) == 0) {
		(void)snprintf(path, sizeof(path), "%s/store-%u-%" PRIu64
						   ".eml",
		    s->corrupt_dir, s->conf.index, mid);
		fd = sys_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd >= 0) {
			(void)sys_write_all(fd, p, n);
			(void)sys_fdatasync(fd);
			(void)close(fd);
		}
	}
	(void)sqlite3_reset(st);
	mem_free(bytes);
}

uint64_t
sq_thin(void *e)
{
	struct sq *q;

	OBJ_CAST(q, e, SQ_MAGIC);
	return segs_thin(q->segs, clock_now());
}

size_t
sq_members(void *e, uint64_t seg, uint64_t *mid, size_t max)
{
	sqlite3_stmt *st;
	struct sq *q;
	size_t n = 0;

	OBJ_CAST(q, e, SQ_MAGIC);
	if (q->db == NULL)
		return 0;
	st = q->st[SQ_MEMBERS];
	sq_bind_u64(st, 1, seg);
	sq_bind_u64(st, 2, max);
	while (n < max && sqlite3_step(st) == SQLITE_ROW)
		mid[n++] = (uint64_t)sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	return n;
}

#include <string.h>

#include "base/mem.h"
#include "base/obj.h"
#include "store/row.h"
#include "store/sq.h"

/* The reader's connection: scans, lists and picks. */

enum { BOUND_MAX = 16 };

/* A query under construction: its text and what is bound to it. */
struct query {
	char text[2048];
	struct {
		bool is_text;
		int64_t n;
		char *text;
	} bound[BOUND_MAX];
	int n;
};

static int open_reader(struct sq *q, struct err *why);
static void build(struct query *b, const struct store_walk *w, size_t max);
static void bind_all(const struct query *b, sqlite3_stmt *st);
static void take(struct store_walk *w, sqlite3_stmt *st);

void
sq_walk(void *e, struct store_walk *w, size_t max)
{
	struct query b = { .n = 0 };
	sqlite3_stmt *st = NULL;
	struct sq *q;
	int rc;

	OBJ_CAST(q, e, SQ_MAGIC);
	if (open_reader(q, &w->why) < 0) {
		w->failed = true;
		return;
	}
	if (w->last == 0) {
		rc = sqlite3_prepare_v2(q->rdb, "SELECT max(mid) FROM message",
		    -1, &st, NULL);
		if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
			w->last = (uint64_t)sqlite3_column_int64(st, 0);
		(void)sqlite3_finalize(st);
		st = NULL;
	}
	build(&b, w, max);
	rc = sqlite3_prepare_v2(q->rdb, b.text, -1, &st, NULL);
	if (rc == SQLITE_OK)
		bind_all(&b, st);
	while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		rc = SQLITE_OK;
		take(w, st);
	}
	if (rc != SQLITE_DONE) {
		w->failed = true;
		(void)sq_err(q->rdb, rc, &w->why, q->store->db_path);
	}
	(void)sqlite3_finalize(st);
	for (; b.n > 0; b.n--)
		mem_free(b.bound[b.n - 1].text);
}

void
sq_walk_close(struct sq *q)
{
	(void)sqlite3_close_v2(q->rdb);
	q->rdb = NULL;
}

static int
open_reader(struct sq *q, struct err *why)
{
	unsigned generation = atomic_load(&q->store->generation);
	int rc;

	if (q->rdb != NULL && q->rgeneration == generation)
		return 0;
	sq_walk_close(q);
	rc = sqlite3_open_v2(q->store->db_path, &q->rdb,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		(void)sq_err(q->rdb, rc, why, q->store->db_path);
		sq_walk_close(q);
		return -1;
	}
	(void)sqlite3_busy_timeout(q->rdb, (int)SECONDS(5));
	(void)sqlite3_exec(q->rdb,
	    "PRAGMA query_only = ON; PRAGMA cache_size = -2048;"
	    "PRAGMA wal_autocheckpoint = 0; PRAGMA trusted_schema = OFF",
	    NULL, NULL, NULL);
	q->rgeneration = generation;
	return 0;
}

static void
add(struct query *b, const char *text)
{
	size_t n = strlen(b->text);

	ASSERT(n + strlen(text) < sizeof(b->text));
	memcpy(b->text + n, text, strlen(text) + 1);
}

static void
add_number(struct query *b, const char *text, int64_t n)
{
	add(b, text);
	ASSERT(b->n < BOUND_MAX);
	b->bound[b->n].is_text = false;
	b->bound[b->n].text = NULL;
	b->bound[b->n++].n = n;
}

/* "*@EXAMPLE" of people becomes "%@example" of LIKE. */
static void
add_pattern(struct query *b, const char *text, const char *before,
    const char *pattern, const char *after)
{
	struct buf buf;
	const char *p;

	buf_init(&buf, 8192);
	(void)buf_add_c(&buf, before);
	for (p = pattern; *p != '\0'; p++) {
		if (strchr("%_\\", *p) != NULL)
			(void)buf_add_char(&buf, '\\');
		(void)buf_add_char(&buf, *p == '*' ? '%' : *p);
	}
	(void)buf_add_c(&buf, after);
	add_number(b, text, 0);
	b->bound[b->n - 1].is_text = true;
	b->bound[b->n - 1].text = buf_steal(&buf);
	buf_fini(&buf);
}

static void
build(struct query *b, const struct store_walk *w, size_t max)
{
	const struct store_filter *f = &w->f;

	b->text[0] = '\0';
	add(b, "SELECT r.mid, r.rid, r.attempts, r.next, r.addr, m.queued, "
	       "m.hold, m.sender, m.size, r.status, r.reason, r.remote, "
	       "r.code, r.want, r.tls_reason, r.route, m.quarantine, "
	       "substr(m.edits, 1, 1), m.waits_for, m.not_before, "
	       "r.profile "
	       "FROM recipient r CROSS JOIN message m ON m.mid = r.mid "
	       "WHERE r.state = 0");
	if (f->mid != 0)
		add_number(b, " AND r.mid = ?", (int64_t)f->mid);
	add_number(b, " AND (r.mid, r.rid) > (?", (int64_t)w->mid);
	add_number(b, ", ?)", w->mid == 0 ? -1 : (int64_t)w->rid);
	add_number(b, " AND r.mid <= ?", (int64_t)w->last);
	if (f->sender != NULL)
		add_pattern(b, " AND m.sender LIKE ? ESCAPE '\\'", "",
		    f->sender, "");
	if (f->rcpt != NULL)
		add_pattern(b, " AND r.addr LIKE ? ESCAPE '\\'", "", f->rcpt,
		    "");
	if (f->domain != NULL)
		add_pattern(b, " AND r.addr LIKE ? ESCAPE '\\'", "%@",
		    f->domain, "");
	if (f->reason != NULL)
		add_pattern(b,
		    " AND r.status || ' ' || r.reason LIKE ? ESCAPE '\\'",
		    "%", f->reason, "%");
	if (f->older_than > 0)
		add_number(b, " AND m.queued <= ?", f->older_than);
	if (f->newer_than > 0)
		add_number(b, " AND m.queued >= ?", f->newer_than);
	if (f->hold >= 0)
		add_number(b, " AND m.hold = ?", f->hold);
	add_number(b, " ORDER BY r.mid, r.rid LIMIT ?", (int64_t)max);
}

static void
bind_all(const struct query *b, sqlite3_stmt *st)
{
	int i;

	for (i = 0; i < b->n; i++) {
		if (b->bound[i].is_text)
			sq_bind_str(st, i + 1, str_c(b->bound[i].text));
		else
			(void)sqlite3_bind_int64(st, i + 1, b->bound[i].n);
	}
}

static struct pst_str
column(sqlite3_stmt *st, int i)
{
	struct str s = sq_column(st, i);

	return (struct pst_str){ s.p, s.n };
}

static void
take(struct store_walk *w, sqlite3_stmt *st)
{
	struct pst_store_message m = { .size = sizeof(m) };
	struct pst_store_rcpt r = { .size = sizeof(r) };

	m.mid = (uint64_t)sqlite3_column_int64(st, 0);
	r.rid = (unsigned)sqlite3_column_int(st, 1);
	r.attempts = (unsigned)sqlite3_column_int(st, 2);
	r.next = sqlite3_column_int64(st, 3);
	r.addr = column(st, 4);
	m.queued = sqlite3_column_int64(st, 5);
	m.hold = sqlite3_column_int(st, 6);
	m.sender = column(st, 7);
	m.octets = (uint64_t)sqlite3_column_int64(st, 8);
	r.status = column(st, 9);
	r.reason = column(st, 10);
	r.remote = column(st, 11);
	r.code = sqlite3_column_int(st, 12);
	r.want = column(st, 13);
	r.tls_reason = column(st, 14);
	r.route = column(st, 15);
	m.quarantine = column(st, 16);
	m.edits = column(st, 17);
	m.waits_for = column(st, 18);
	m.not_before = sqlite3_column_int64(st, 19);
	r.bounce_profile = column(st, 20);
	row_walked(w, &m, &r);
}

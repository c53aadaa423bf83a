#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/sys.h"
#include "store/row.h"
#include "store/sq.h"

static int load_message(struct sq *q, struct store_load_job *job);
static int load_rcpts(struct sq *q, struct store_load_job *job);
static int load_body(struct sq *q, struct store_load_job *job);
static void save_body(struct sq *q, uint64_t mid);

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

static struct pst_str
column(sqlite3_stmt *st, int i)
{
	struct str s = sq_column(st, i);

	return (struct pst_str){ s.p, s.n };
}

static int
load_message(struct sq *q, struct store_load_job *job)
{
	struct pst_store_message m = { .size = sizeof(m), .mid = job->mid };
	sqlite3_stmt *st = q->st[SQ_LOAD];
	int rc;

	sq_bind_u64(st, 1, job->mid);
	rc = sqlite3_step(st);
	if (rc != SQLITE_ROW) {
		(void)sqlite3_reset(st);
		return rc == SQLITE_DONE ? 0 : trouble(q, job, rc);
	}
	m.queued = sqlite3_column_int64(st, 0);
	m.hold = sqlite3_column_int(st, 1);
	m.sender = column(st, 2);
	m.octets = (uint64_t)sqlite3_column_int64(st, 3);
	job->place.seg = (uint64_t)sqlite3_column_int64(st, 4);
	job->place.off = (uint64_t)sqlite3_column_int64(st, 5);
	m.length = (uint64_t)sqlite3_column_int64(st, 6);
	m.sum = (uint32_t)sqlite3_column_int64(st, 7);
	m.icid = (uint64_t)sqlite3_column_int64(st, 8);
	m.flags = (unsigned)sqlite3_column_int(st, 9);
	m.envid = column(st, 10);
	m.client_ip = column(st, 11);
	m.helo = column(st, 12);
	m.auth = column(st, 13);
	m.listener = column(st, 14);
	m.edits = column(st, 15);
	m.notes = column(st, 16);
	m.quarantine = column(st, 17);
	m.not_before = sqlite3_column_int64(st, 18);
	job->place.share = (uint64_t)sqlite3_column_int64(st, 19);
	m.waits_for = column(st, 20);
	rc = row_message(job, &m);
	(void)sqlite3_reset(st);
	return rc;
}

static int
load_rcpt(struct store_load_job *job, sqlite3_stmt *st, struct store_rcpt *s)
{
	struct pst_store_rcpt r = { .size = sizeof(r) };
	int64_t rid = sqlite3_column_int64(st, 0);

	r.rid = rid >= 0 && rid < UINT32_MAX ? (uint32_t)rid : UINT32_MAX;
	r.state = sqlite3_column_int(st, 1);
	r.warnings = (unsigned)sqlite3_column_int(st, 2);
	r.warned = r.warnings > 0;
	r.attempts = (unsigned)sqlite3_column_int(st, 3);
	r.next = sqlite3_column_int64(st, 4);
	r.addr = column(st, 5);
	r.orcpt = column(st, 6);
	r.notify = (unsigned)sqlite3_column_int(st, 7);
	r.code = sqlite3_column_int(st, 8);
	r.status = column(st, 9);
	r.reason = column(st, 10);
	r.remote = column(st, 11);
	r.want = column(st, 12);
	r.tls_reason = column(st, 13);
	r.route = column(st, 14);
	r.bounce_profile = column(st, 15);
	r.warned_at = sqlite3_column_int64(st, 16);
	return row_rcpt(job, &r, s);
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
		rc = row_damaged(job, "it has no recipients");
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
		return row_damaged(job, "the body is missing");
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
			return row_damaged(job, "the body is missing");
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
		return row_damaged(job, "the body's checksum is wrong");
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

#include "store/store_plugin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/coll.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/rand.h"
#include "base/sys.h"
#include "store/row.h"
#include "store/segment.h"

#define STORES_MAX 256

static int plug_open(void **e_r, struct store *s, struct err *why);
static void plug_close(void *e);
static void plug_load(void *e, struct store_load_job *job);
static void plug_set_aside(void *e, uint64_t mid, const char *why);
static void plug_walk(void *e, struct store_walk *w, size_t max);
static enum ticked plug_tick(void *e, struct err *why);
static enum fetched plug_fetch(void *e, uint64_t mid,
    const struct body_place *place, struct err *why);
static int take_folder(struct plug *p, struct err *why);
static int read_owner(struct plug *p, const char *path, struct err *why);
static int load_content(struct plug *p, struct store_load_job *job);

const struct store_engine store_plugin = {
	.open = plug_open,
	.close = plug_close,
	.commit = plug_commit,
	.load = plug_load,
	.set_aside = plug_set_aside,
	.walk = plug_walk,
	.tick = plug_tick,
	.fetch = plug_fetch,
};

void
plug_failed(struct plug *p, const struct pst_store_why *w, struct err *why)
{
	char text[sizeof(w->text)];
	size_t i;

	(void)str_copy(text, sizeof(text),
	    str_n(w->text, strnlen(w->text, sizeof(w->text) - 1)));
	for (i = 0; text[i] != '\0'; i++) {
		if ((unsigned char)text[i] < 0x20)
			text[i] = ' ';
	}
	if (w->fail == PST_STORE_FULL)
		(void)err_set(why, 452, "4.3.1", "%s", text);
	else
		(void)err_set(why, 451, "4.3.0", "%s", text);
	if (w->fail != PST_STORE_TAKEN || !p->had ||
	    atomic_load(&p->store->lost))
		return;
	p->store->lost_why = *why;
	atomic_store(&p->store->lost, true);
}

int
store_orphans_of(const struct store_conf *conf, unsigned workers, unsigned *v,
    unsigned max, struct err *why)
{
	struct pst_store_why w = PLUG_WHY;
	uint32_t found[STORES_MAX];
	unsigned n = 0;
	int i, count;

	count = conf->ops->stores(conf->ops_arg, found, STORES_MAX, &w);
	if (count < 0)
		return err_set(why, 451, "4.3.0", "%.250s", w.text);
	for (i = 0; i < count && n < max; i++) {
		if (found[i] >= workers)
			v[n++] = found[i];
	}
	return (int)n;
}

static int
plug_open(void **e_r, struct store *s, struct err *why)
{
	struct pst_store_open how = { .size = sizeof(how),
		.index = s->conf.index, .host = s->conf.host };
	struct pst_store_why w = PLUG_WHY;
	struct plug *p;

	OBJ_NEW(p, PLUG_MAGIC);
	p->store = s;
	p->ops = s->conf.ops;
	p->lock = -1;
	if (take_folder(p, why) < 0) {
		plug_close(p);
		return -1;
	}
	how.owner = p->owner;
	if (p->ops->open(s->conf.ops_arg, &how, &p->h, &w) < 0) {
		p->h = NULL;
		plug_failed(p, &w, why);
		plug_close(p);
		return -1;
	}
	*e_r = p;
	return 0;
}

static void
plug_close(void *e)
{
	struct plug *p;

	OBJ_CAST(p, e, PLUG_MAGIC);
	if (p->h != NULL) {
		plug_drop_ghosts(p);
		p->ops->close(p->h);
	}
	file_close(&p->lock);
	mem_free(p->ghosts.v);
	mem_free(p->piece);
	OBJ_FREE(p);
}

/* Ours alone, and without what a former life left lying about. */
static int
take_folder(struct plug *p, struct err *why)
{
	const char *dir = p->store->seg_dir;
	char path[SEG_PATH_MAX];
	struct dirent *entry;
	DIR *d;

	if (file_mkdirs(dir, 0700, why) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/lock", dir);
	p->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (p->lock < 0)
		return err_errno(why, "%s", path);
	if (flock(p->lock, LOCK_EX | LOCK_NB) < 0)
		return err_set(why, 451, "4.3.0",
		    "%s is in use by another process", dir);
	d = opendir(dir);
	if (d == NULL)
		return err_errno(why, "%s", dir);
	while ((entry = readdir(d)) != NULL) {
		if (strspn(entry->d_name, "0123456789abcdef") == 16 &&
		    entry->d_name[16] == '\0')
			(void)unlinkat(dirfd(d), entry->d_name, 0);
	}
	(void)closedir(d);
	(void)snprintf(path, sizeof(path), "%s/owner", dir);
	return read_owner(p, path, why);
}

/* Made once: whoever has the folder and its lock is the owner. */
static int
read_owner(struct plug *p, const char *path, struct err *why)
{
	unsigned char random[16];
	struct buf b;
	unsigned i;
	int rc = 0;

	buf_init(&b, sizeof(p->owner) - 1);
	if (access(path, F_OK) == 0)
		rc = file_read(&b, path, why);
	if (rc == 0 && buf_str(&b).n == 0) {
		rand_bytes(random, sizeof(random));
		for (i = 0; i < sizeof(random); i++)
			(void)buf_printf(&b, "%02x", random[i]);
		rc = file_replace(path, buf_str(&b).p, buf_str(&b).n, 0600,
		    why);
	}
	if (rc == 0)
		(void)str_copy(p->owner, sizeof(p->owner), buf_str(&b));
	buf_fini(&b);
	return rc;
}

static enum ticked
plug_tick(void *e, struct err *why)
{
	struct pst_store_why w = PLUG_WHY;
	struct plug *p;
	uint64_t mid = 0;

	OBJ_CAST(p, e, PLUG_MAGIC);
	if (p->ops->tick(p->h, &mid, &w) < 0) {
		plug_failed(p, &w, why);
		return w.fail == PST_STORE_BAD ? TICK_NEVER : TICK_LATER;
	}
	p->had = true;
	plug_drop_ghosts(p);
	atomic_store(&p->store->mid_seen, mid);
	return TICKED;
}

/* ---- loads ---- */

struct loading {
	struct pst_store_load to;
	struct store_load_job *job;
	struct store_rcpt *v;
	size_t n, cap;
};

static int
bad(const struct store_load_job *job, struct pst_store_why *why)
{
	why->fail = PST_STORE_BAD;
	(void)snprintf(why->text, sizeof(why->text), "%.250s", job->why.text);
	return -1;
}

static int
on_message(struct pst_store_load *to, const struct pst_store_message *m,
    struct pst_store_why *why)
{
	struct loading *l = COLL_OF(to, struct loading, to);

	if (l->job->env != NULL)
		return 0;
	return row_message(l->job, m) < 0 ? bad(l->job, why) : 0;
}

/* A plugin of before knows less of it. */
static const struct pst_store_rcpt *
whole_rcpt(struct pst_store_rcpt *dst, const struct pst_store_rcpt *r)
{
	memset(dst, 0, sizeof(*dst));
	memcpy(dst, r, r->size < sizeof(*dst) ? r->size : sizeof(*dst));
	if (dst->warned && dst->warnings == 0)
		dst->warnings = 1;
	return dst;
}

static int
on_rcpt(struct pst_store_load *to, const struct pst_store_rcpt *r,
    struct pst_store_why *why)
{
	struct loading *l = COLL_OF(to, struct loading, to);
	struct pst_store_rcpt row;

	if (l->job->env == NULL)
		return 0;
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 4 : l->cap * 2;
		l->v = mem_realloc(l->v, l->cap * sizeof(*l->v));
	}
	if (row_rcpt(l->job, whole_rcpt(&row, r), &l->v[l->n]) < 0)
		return bad(l->job, why);
	l->n++;
	return 0;
}

static int
load_rows(struct plug *p, struct store_load_job *job)
{
	struct loading l = { .job = job,
		.to = { sizeof(l.to), on_message, on_rcpt } };
	struct pst_store_why w = PLUG_WHY;
	int rc;

	rc = p->ops->load(p->h, job->mid, &l.to, &w);
	if (rc < 0) {
		plug_failed(p, &w, &job->why);
		job->aside = w.fail == PST_STORE_BAD;
	} else if (job->env != NULL && l.n == 0) {
		rc = row_damaged(job, "it has no recipients");
	} else if (job->env != NULL) {
		job->rcpt = pool_dup(job->env->pool, l.v, l.n * sizeof(*l.v));
	}
	mem_free(l.v);
	return rc;
}

static void
plug_load(void *e, struct store_load_job *job)
{
	struct plug *p;
	int rc;

	OBJ_CAST(p, e, PLUG_MAGIC);
	rc = load_rows(p, job);
	if (rc == 0 && job->env != NULL)
		rc = load_content(p, job);
	if (rc == 0)
		return;
	job->failed = true;
	envelope_destroy(&job->env);
	mem_free(job->bytes);
	job->bytes = NULL;
	if (job->aside)
		plug_set_aside(p, job->mid, job->why.text);
}

struct sink {
	struct pst_store_sink to;
	char *p; /* or fd */
	int fd;
	uint64_t n, max;
};

static int
on_octets(struct pst_store_sink *to, const void *octets, size_t n,
    struct pst_store_why *why)
{
	struct sink *s = COLL_OF(to, struct sink, to);

	if (n > s->max - s->n) {
		why->fail = PST_STORE_BAD;
		(void)snprintf(why->text, sizeof(why->text),
		    "the body is too long");
		return -1;
	}
	if (s->p != NULL) {
		if (n > 0)
			memcpy(s->p + s->n, octets, n);
	} else if (sys_pwrite_all(s->fd, octets, n, (off_t)s->n) < 0) {
		why->fail = errno == ENOSPC ? PST_STORE_FULL :
					      PST_STORE_LATER;
		(void)snprintf(why->text, sizeof(why->text),
		    "a scratch file cannot be written: %s",
		    strerrordesc_np(errno));
		return -1;
	}
	s->n += n;
	return 0;
}

/* A large one comes when it is asked for. */
static int
load_content(struct plug *p, struct store_load_job *job)
{
	struct sink s = { .to = { sizeof(s.to), on_octets }, .fd = -1,
		.max = job->place.len };
	struct pst_store_why w = PLUG_WHY;

	if (s.max > BODY_MEMORY_MAX) {
		job->place.seg = atomic_fetch_add(&p->store->next_seg, 1);
		job->place.off = 0;
		return 0;
	}
	s.p = job->bytes = mem_alloc(s.max > 0 ? (size_t)s.max : 1);
	if (p->ops->content(p->h, PST_STORE_WRITER, job->mid, &s.to, &w) < 0) {
		plug_failed(p, &w, &job->why);
		job->aside = w.fail == PST_STORE_BAD;
		return -1;
	}
	if (s.n != s.max)
		return row_damaged(job, "the body is missing");
	if (sum_of(job->bytes, (size_t)s.n) != job->place.sum)
		return row_damaged(job, "the body's checksum is wrong");
	return 0;
}

/* On the reader. */
static enum fetched
plug_fetch(void *e, uint64_t mid, const struct body_place *place,
    struct err *why)
{
	struct sink s = { .to = { sizeof(s.to), on_octets },
		.max = place->len };
	struct pst_store_why w = PLUG_WHY;
	struct plug *p;
	int rc;

	OBJ_CAST(p, e, PLUG_MAGIC);
	s.fd = seg_create(p->store->seg_dir, place->seg, why);
	if (s.fd < 0)
		return FETCH_LATER;
	rc = p->ops->content(p->h, PST_STORE_READER, mid, &s.to, &w);
	(void)close(s.fd);
	if (rc == 0)
		return FETCHED;
	plug_failed(p, &w, why);
	return w.fail == PST_STORE_BAD ? FETCH_DAMAGED : FETCH_LATER;
}

static void
plug_set_aside(void *e, uint64_t mid, const char *reason)
{
	struct pst_store_why w = PLUG_WHY;
	struct err ignored = ERR_INIT;
	struct plug *p;

	OBJ_CAST(p, e, PLUG_MAGIC);
	if (p->ops->set_aside(p->h, mid, reason, &w) < 0)
		plug_failed(p, &w, &ignored);
}

/* ---- walks ---- */

struct scanning {
	struct pst_store_scan scan;
	struct store_walk *w;
};

static void
on_row(struct pst_store_scan *scan, const struct pst_store_message *m,
    const struct pst_store_rcpt *r)
{
	struct scanning *s = COLL_OF(scan, struct scanning, scan);
	struct pst_store_rcpt row;

	if (s->w->n < scan->max)
		row_walked(s->w, m, whole_rcpt(&row, r));
}

static void
plug_walk(void *e, struct store_walk *w, size_t max)
{
	const struct store_filter *f = &w->f;
	struct scanning s = { .w = w,
		.scan = { .size = sizeof(s.scan), .max = (uint32_t)max,
		    .after_mid = w->mid, .after_rid = w->rid,
		    .last = w->last, .mid = f->mid, .hold = f->hold,
		    .older = f->older_than, .newer = f->newer_than,
		    .sender = f->sender, .rcpt = f->rcpt,
		    .domain = f->domain, .reason = f->reason,
		    .row = on_row } };
	struct pst_store_why why = PLUG_WHY;
	struct plug *p;

	OBJ_CAST(p, e, PLUG_MAGIC);
	if (p->ops->scan(p->h, &s.scan, &why) < 0) {
		w->failed = true;
		plug_failed(p, &why, &w->why);
	}
	w->last = s.scan.last;
}

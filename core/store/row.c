#include "store/row.h"

#include <inttypes.h>
#include <string.h>

#include "base/codec.h"
#include "mail/edits.h"
#include "mail/notes.h"

#define TEXT_MAX 4096	/* of a field */
#define ADDR_MAX 1024
#define RCPT_MAX 1000000
#define JSON_MAX (256 * 1024)
#define WAITS_MAX (21 * RCPT_MAX) /* octets of the MIDs of as many branches */

static int load_overlay(const struct pst_store_message *m,
    struct envelope *e);
static void walk_item(struct store_walk *w, const struct pst_store_message *m,
    const struct pst_store_rcpt *r);
static void walk_json(struct store_walk *w, const struct pst_store_message *m,
    const struct pst_store_rcpt *r);

static struct str
of(struct pst_str s)
{
	return str_n(s.p != NULL ? s.p : "", s.n);
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

static enum store_hold
hold_of(int32_t hold)
{
	return hold == STORE_ACTIVE || hold == STORE_HELD ?
	    (enum store_hold)hold :
	    STORE_FROZEN;
}

int
row_damaged(struct store_load_job *job, const char *what)
{
	job->aside = true;
	return err_set(&job->why, 451, "4.3.0", "%s", what);
}

int
row_message(struct store_load_job *job, const struct pst_store_message *m)
{
	const struct pst_str text[] = { m->envid, m->client_ip, m->helo,
		m->auth, m->listener };
	struct envelope *e = job->env = envelope_new();
	struct pool *pool = e->pool;
	unsigned i;
	int rc;

	e->mid = job->mid;
	e->queued = m->queued;
	e->size = m->octets;
	e->icid = m->icid;
	e->flags = m->flags;
	e->not_before = m->not_before;
	job->hold = hold_of(m->hold);
	job->place.len = m->length;
	job->place.sum = m->sum;
	rc = make_addr(pool_str(pool, of(m->sender)), true, &e->sender);
	for (i = 0; rc == 0 && i < 5; i++)
		rc = is_clean(of(text[i]), TEXT_MAX) ? 0 : -1;
	if (rc == 0) {
		e->envid = pool_str(pool, of(m->envid));
		e->client_ip = pool_str(pool, of(m->client_ip));
		e->helo = pool_str(pool, of(m->helo));
		e->auth = pool_str(pool, of(m->auth));
		e->listener = pool_str(pool, of(m->listener)).p;
		rc = load_overlay(m, e);
	}
	return rc < 0 ? row_damaged(job, "the envelope is not readable") : 0;
}

/* Edits that cannot be read would let a message out as it must not go. */
static int
load_overlay(const struct pst_store_message *m, struct envelope *e)
{
	struct edits *edits;
	struct notes *notes;

	if (!is_clean(of(m->quarantine), TEXT_MAX) ||
	    !is_clean(of(m->waits_for), WAITS_MAX))
		return -1;
	e->waits_for = pool_str(e->pool, of(m->waits_for));
	e->edits = pool_str(e->pool, of(m->edits));
	e->notes = pool_str(e->pool, of(m->notes));
	e->quarantine = pool_str(e->pool, of(m->quarantine));
	if (e->edits.n > 0 &&
	    edits_read(&edits, e->pool, e->edits, NULL) != 0)
		return -1;
	return e->notes.n > 0 ?
	    notes_read(&notes, e->pool, e->notes, NULL) : 0;
}

int
row_rcpt(struct store_load_job *job, const struct pst_store_rcpt *row,
    struct store_rcpt *s)
{
	struct pool *pool = job->env->pool;
	struct str want = of(row->want), route = of(row->route);
	struct addr addr;
	struct rcpt *r;

	if (row->rid != job->env->nrcpt || job->env->nrcpt >= RCPT_MAX ||
	    row->state < RCPT_PENDING || row->state > RCPT_MOVED ||
	    make_addr(of(row->addr), false, &addr) < 0 ||
	    !is_clean(of(row->orcpt), TEXT_MAX) ||
	    !is_clean(want, RCPT_WANT_MAX) ||
	    !is_clean(route, RCPT_ROUTE_MAX) ||
	    !is_clean(of(row->bounce_profile), RCPT_PROFILE_MAX))
		return row_damaged(job, "a recipient is not readable");
	r = envelope_add_rcpt(job->env, &addr, of(row->orcpt), row->notify);
	r->state = (enum rcpt_state)row->state;
	r->warned = row->warnings;
	r->warned_at = row->warned_at;
	if (want.n > 0)
		r->want = pool_str(pool, want);
	if (route.n > 0)
		r->route = pool_str(pool, route);
	if (row->bounce_profile.n > 0)
		r->profile = pool_str(pool, of(row->bounce_profile));
	s->rid = r->rid;
	s->state = r->state;
	s->warned = r->warned;
	s->warned_at = r->warned_at;
	s->attempts = row->attempts;
	s->next = row->next;
	s->code = row->code;
	s->status = pool_str(pool, of(row->status)).p;
	s->text = pool_str(pool, of(row->reason)).p;
	s->remote = pool_str(pool, of(row->remote)).p;
	s->tls = tls_reason_find(of(row->tls_reason));
	return 0;
}

void
row_walked(struct store_walk *w, const struct pst_store_message *m,
    const struct pst_store_rcpt *r)
{
	w->mid = m->mid;
	w->rid = r->rid;
	if (w->kind == WALK_LIST)
		walk_json(w, m, r);
	else
		walk_item(w, m, r);
	w->n++;
}

static struct str
domain_of(struct str addr)
{
	size_t i;

	for (i = addr.n; i > 0; i--) {
		if (addr.p[i - 1] == '@')
			return str_n(addr.p + i, addr.n - i);
	}
	return str_n("", 0);
}

static void
walk_item(struct store_walk *w, const struct pst_store_message *m,
    const struct pst_store_rcpt *r)
{
	struct store_item *it = &w->v[w->n];
	struct str s = domain_of(of(r->addr));
	char *domain = pool_strndup(w->pool, s.p, s.n);

	str_lower(domain, s.n);
	it->mid = m->mid;
	it->rid = r->rid;
	it->attempts = r->attempts;
	it->queued = m->queued;
	it->next = r->next;
	it->hold = hold_of(m->hold);
	it->domain = domain;
	it->rcpt = pool_str(w->pool, of(r->addr)).p;
	it->want = pool_str(w->pool, of(r->want)).p;
	it->route = pool_str(w->pool, of(r->route)).p;
	it->profile = pool_str(w->pool, of(r->bounce_profile)).p;
	it->sender = pool_str(w->pool, of(m->sender)).p;
	it->quarantined = m->quarantine.n > 0;
	it->waits_for = pool_str(w->pool, of(m->waits_for)).p;
	it->not_before = m->not_before;
	it->tls = tls_reason_find(of(r->tls_reason));
}

static void
add_text(struct buf *buf, const char *key, struct pst_str s)
{
	(void)buf_add_c(buf, key);
	(void)json_quote(buf, of(s));
}

static void
walk_json(struct store_walk *w, const struct pst_store_message *m,
    const struct pst_store_rcpt *r)
{
	static const char *const hold[] = { "active", "held", "frozen" };
	char when[40];
	struct buf buf;

	buf_init(&buf, JSON_MAX);
	(void)buf_printf(&buf, "{\"mid\":%" PRIu64 ",\"rid\":%u", m->mid,
	    r->rid);
	add_text(&buf, ",\"sender\":", m->sender);
	add_text(&buf, ",\"rcpt\":", r->addr);
	clock_rfc3339(when, sizeof(when), m->queued);
	(void)buf_printf(&buf, ",\"queued\":\"%s\"", when);
	clock_rfc3339(when, sizeof(when), r->next);
	(void)buf_printf(&buf, ",\"next\":\"%s\",\"attempts\":%u", when,
	    r->attempts);
	(void)buf_printf(&buf, ",\"hold\":\"%s\"", hold[hold_of(m->hold)]);
	add_text(&buf, ",\"quarantine\":", m->quarantine);
	(void)buf_printf(&buf, ",\"edited\":%s,\"size\":%" PRIu64,
	    m->edits.n > 0 ? "true" : "false", m->octets);
	add_text(&buf, ",\"waits_for\":", m->waits_for);
	add_text(&buf, ",\"route\":", r->route);
	add_text(&buf, ",\"bounce_profile\":", r->bounce_profile);
	add_text(&buf, ",\"tls\":", r->want);
	add_text(&buf, ",\"tls_reason\":", r->tls_reason);
	(void)buf_printf(&buf, ",\"code\":%d", (int)r->code);
	add_text(&buf, ",\"status\":", r->status);
	add_text(&buf, ",\"reason\":", r->reason);
	add_text(&buf, ",\"remote\":", r->remote);
	(void)buf_add_char(&buf, '}');
	w->json[w->n] = pool_str(w->pool, buf_str(&buf));
	buf_fini(&buf);
}

#include "daemon/inbound_msg.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "daemon/inbound_priv.h"
#include "mail/body.h"
#include "mail/edits.h"
#include "mail/notes.h"
#include "queue/split.h"
#include "tls/tlswant.h"

enum {
	POOL_FIRST = 512,
	FIELDS_MAX = 10000,	    /* that are indexed */
	HEAD_MORE = 65536,	    /* our field, and the piece that is read */
	HEAD_FIRST = 960	    /* enough for most, with their 64 */
};

/* Of all recipients of a message with REQUIRETLS: the certificate is for the
 * domain, or for a host whose name is vouched for (RFC 8689 4.2.1). */
static const char requiretls_want[] = "required-verify requiretls=yes";

static uint64_t	next_mid(void *);
static struct str behind_header(const struct inmsg *, struct str);

void
inmsg_new(struct session *s, struct envelope *env)
{
	struct inmsg *m;

	ASSERT(s->m == NULL);
	OBJ_NEW(m, INMSG_MAGIC);
	m->s = s;
	m->env = env;
	m->pool = env->pool;
	m->end = HOOK_GO;
	if ((env->flags & ENV_REQUIRETLS) != 0)
		m->all.want = requiretls_want;
	buf_init(&m->head, SIZE_MAX);
	buf_init(&m->piece, SIZE_MAX);
	buf_init(&m->fresh, SIZE_MAX);
	buf_init(&m->text, SIZE_MAX);
	s->m = m;
	/* What was noted before holds for it too. */
	if (s->notes != NULL)
		m->notes = notes_copy(m->pool, s->notes);
}

void
inmsg_destroy(struct inmsg **mp)
{
	struct inmsg *m = *mp;
	unsigned i;

	if (m == NULL)
		return;
	OBJ_CHECK(m, INMSG_MAGIC);
	*mp = NULL;
	for (i = 0; i < m->nplan; i++) {
		if (m->plan[i] != NULL)
			scope_end(&m->plan[i]->scope);
	}
	scope_end(&m->scope);
	mem_free(m->plan);
	treat_destroy(&m->treat);
	buf_fini(&m->head);
	buf_fini(&m->piece);
	buf_fini(&m->fresh);
	buf_fini(&m->text);
	pool_destroy(&m->edited_pool);
	if (m->settling != NULL)
		(void)body_settle(m->settling, NULL, NULL);
	for (i = 0; m->branch != NULL && i < m->nbranch; i++)
		branch_drop(&m->branch[i]);
	mem_free(m->branch);
	for (i = 0; i < m->nnotice; i++)
		branch_drop(&m->notice[i]);
	mem_free(m->notice);
	body_unref(&m->body);
	if (m->env_ours)
		envelope_destroy(&m->env);
	OBJ_FREE(m);
}

struct plan *
inmsg_plan(struct inmsg *m, int rcpt)
{
	unsigned i, n;

	if (rcpt < 0)
		return &m->all;
	i = (unsigned)rcpt;
	if (i >= m->nplan) {
		n = m->nplan == 0 ? 4 : m->nplan * 2;
		while (n <= i)
			n *= 2;
		m->plan = mem_realloc(m->plan, n * sizeof(struct plan *));
		memset(m->plan + m->nplan, 0,
		    (n - m->nplan) * sizeof(struct plan *));
		m->nplan = n;
	}
	if (m->plan[i] == NULL)
		m->plan[i] = POOL_NEW(m->pool, struct plan);
	return m->plan[i];
}

const struct plan *
inmsg_planned(const struct inmsg *m, int rcpt)
{
	if (rcpt < 0)
		return &m->all;
	return (unsigned)rcpt < m->nplan ? m->plan[rcpt] : NULL;
}

void
inmsg_plan_drop(struct inmsg *m, unsigned rcpt)
{
	if (m->treat != NULL)
		treat_forget(m->treat, (int)rcpt);
	if (rcpt >= m->nplan || m->plan[rcpt] == NULL)
		return;
	scope_end(&m->plan[rcpt]->scope);
	memset(m->plan[rcpt], 0, sizeof(struct plan));
}

struct treat *
inmsg_treat(struct inmsg *m)
{
	if (m->treat == NULL)
		m->treat = treat_new(m->s->in->w.store,
		    (m->env->flags & ENV_SMTPUTF8) != 0,
		    m->s->flow->limits.message_size);
	if (m->turn != NULL)
		treat_by(m->treat, m->turn);
	return m->treat;
}

const struct treatment *
inmsg_treatment(const struct inmsg *m, int rcpt)
{
	static const struct treatment none = { .by = NULL };

	return m->treat == NULL ? &none : treat_of(m->treat, rcpt);
}

void
inmsg_quarantine(struct inmsg *m, int rcpt, const char *why)
{
	if (m->cur == NULL)
		treat_quarantine(inmsg_treat(m), rcpt, why);
	else if (m->env->quarantine.n == 0)
		m->env->quarantine = pool_str(m->env->pool, str_c(why));
}

msec
inmsg_hold(const struct inmsg *m)
{
	if (m->cur == NULL)
		return inmsg_treatment(m, TREAT_ALL)->hold;
	return m->env->not_before == 0 ? 0 :
	    m->env->not_before - m->env->queued;
}

const char *
inmsg_route(const struct inmsg *m, int rcpt)
{
	const struct plan *p = inmsg_planned(m, rcpt);

	return p != NULL && p->route != NULL ? p->route : m->all.route;
}

const char *
inmsg_profile(const struct inmsg *m, int rcpt)
{
	const struct plan *p = inmsg_planned(m, rcpt);

	return p != NULL && p->profile != NULL ? p->profile : m->all.profile;
}

const struct rcpt *
inmsg_rcpt(const struct inmsg *m, int rcpt)
{
	if (rcpt < 0)
		return NULL;
	if (m->cur != NULL)
		return inmsg_branch_rcpt(m, (unsigned)rcpt);
	if ((unsigned)rcpt < m->env->nrcpt)
		return m->env->rcpt[rcpt];
	return (unsigned)rcpt == m->env->nrcpt ? m->asking : NULL;
}

/* Those that went to other branches are none of it. */
struct rcpt *
inmsg_branch_rcpt(const struct inmsg *m, unsigned n)
{
	unsigned i;

	for (i = 0; i < m->env->nrcpt; i++) {
		if (m->env->rcpt[i]->state == RCPT_PENDING && n-- == 0)
			return m->env->rcpt[i];
	}
	return NULL;
}

unsigned
inmsg_nrcpt(const struct inmsg *m)
{
	unsigned i = 0;

	if (m->cur == NULL)
		return m->env->nrcpt;
	while (inmsg_branch_rcpt(m, i) != NULL)
		i++;
	return i;
}

const char *
inmsg_want(const struct inmsg *m, int rcpt, struct pool *pool)
{
	const struct plan *p = inmsg_planned(m, rcpt);
	const char *a = m->all.want, *b = p != NULL ? p->want : NULL;
	struct tlswant wa, wb, both;
	struct err why;
	struct buf text;

	if (a == NULL || b == NULL || a == b)
		return a != NULL ? a : b != NULL ? b : "";
	/* Both were read before. */
	if (tlswant_read(&wa, str_c(a), pool, &why) < 0 ||
	    tlswant_read(&wb, str_c(b), pool, &why) < 0)
		panic("a want that was read cannot be: %s", why.text);
	tlswant_max(&both, &wa, &wb, pool);
	buf_init(&text, SIZE_MAX);
	tlswant_write(&both, &text);
	a = pool_str(pool, buf_str(&text)).p;
	buf_fini(&text);
	return a;
}

/* ---- the header ---- */

/* It is refused at its end if it is too long; so much is not kept. */
void
inmsg_head_add(struct inmsg *m, const char *p, size_t n,
    const struct bodyin *in)
{
	size_t max = m->s->flow->limits.header_size + HEAD_MORE;
	size_t have = buf_len(&m->head), whole;

	if (!m->watched || m->head_done || have + n > max)
		return;
	if (have == 0)
		(void)buf_room(&m->head, HEAD_FIRST);
	if (in != NULL && !in->in_header) {
		whole = m->received + (size_t)in->header_bytes;
		n = have + n <= whole ? n : have < whole ? whole - have : 0;
	}
	(void)buf_add(&m->head, p, n);
}

bool
inmsg_head_ended(struct inmsg *m, uint64_t header_bytes)
{
	size_t whole = m->received + (size_t)header_bytes;

	if (!m->watched || m->head_done || buf_len(&m->head) < whole)
		return false;
	buf_truncate(&m->head, whole);
	m->head_done = m->head_due = true;
	return true;
}

const struct header *
inmsg_header(struct inmsg *m, int rcpt)
{
	const struct edits *e = m->cur != NULL ? m->cur->edits :
	    inmsg_treatment(m, rcpt)->edits;
	struct buf text;

	if (!m->head_done)
		return NULL;
	if (!m->parsed)
		header_parse(m->pool, buf_str(&m->head), FIELDS_MAX,
		    &m->header);
	m->parsed = true;
	if (edits_empty(e))
		return &m->header;
	if (m->edited_good && m->edited_rcpt == rcpt)
		return &m->edited;
	if (m->edited_pool == NULL)
		m->edited_pool = pool_new(4096);
	else
		pool_reset(m->edited_pool);
	buf_init(&text, m->header.bytes + EDITS_TEXT_MAX);
	edits_apply(e, &m->header, 1, &text);
	header_parse(m->edited_pool, pool_str(m->edited_pool, buf_str(&text)),
	    FIELDS_MAX, &m->edited);
	buf_fini(&text);
	m->edited_good = true;
	m->edited_rcpt = rcpt;
	return &m->edited;
}

int
inmsg_edit(struct inmsg *m, int rcpt, enum edit_op op, const char *name,
    unsigned nth, const char *value, struct err *why)
{
	if (!m->head_done)
		return err_text(why, "the header is not there yet");
	m->edited_good = false;
	if (m->cur != NULL)
		return edits_add(m->cur->edits, op, name, nth, value, why);
	return treat_edit(inmsg_treat(m), rcpt, op, name, nth, value, why);
}

/* ---- the body ---- */

/* What cannot be read may not be taken for the end of it: the message is
 * refused for now, whatever else is said. */
bool
inmsg_body(struct inmsg *m, uint64_t off, struct str *piece_r)
{
	struct body_ref *b = m->cur != NULL ? m->cur->body : m->body;
	struct err why = ERR_INIT;
	struct str all;

	if (!m->complete || !m->head_done)
		return false;
	if (m->rewritten) {
		all = buf_str(&m->text);
	} else if (body_map(b, &all, &why) == 0) {
		all = behind_header(m, all);
	} else {
		m->unreadable = true;
		log_warning("MID %" PRIu64 ": %s", m->env->mid, why.text);
		return false;
	}
	if (off >= all.n)
		return false;
	*piece_r = str_n(all.p + off, all.n - (size_t)off);
	return true;
}

/* And behind the blank line, if there is one. */
static struct str
behind_header(const struct inmsg *m, struct str all)
{
	size_t at = buf_len(&m->head);

	if (at + 1 < all.n && all.p[at] == '\r' && all.p[at + 1] == '\n')
		at += 2;
	return str_n(all.p + at, all.n - at);
}

/*
 * A new body is gathered in memory, and stays there while others may read it:
 * they do that inside one call, and the disk takes its time.
 */
int
inmsg_body_write(struct inmsg *m, int rcpt, const void *p, size_t n,
    struct err *why)
{
	uint64_t max = m->s->flow->limits.message_size;

	if (!m->complete || !m->head_done)
		return err_text(why, "the message is not there yet");
	if (rcpt >= 0 && m->cur == NULL)
		return treat_body(inmsg_treat(m), rcpt, buf_str(&m->head), p,
		    n, why);
	if (buf_len(&m->fresh) + n > max) {
		m->unreadable = true;
		return err_text(why,
		    "it would be larger than a message may be");
	}
	(void)buf_add(&m->fresh, p, n);
	m->writing = true;
	return 0;
}

/* What the one before has written is the body now. */
void
inmsg_turn(struct inmsg *m, const char *instance)
{
	m->turn = instance;
	if (!m->writing)
		return;
	m->writing = false;
	m->rewritten = true;
	buf_fini(&m->text);
	m->text = m->fresh;
	buf_init(&m->fresh, SIZE_MAX);
}

struct rewrite {
	struct body_ref *body;
};

static int
rewrite_sink(void *arg, const char *p, size_t n)
{
	struct rewrite *r = arg;

	(void)body_write(r->body, p, n);
	return 0;
}

/* The header as it came stays in front: edits are laid over it. Lines end as
 * in any message. */
static void
rewrite(struct inmsg *m, struct body_ref **bp)
{
	struct str head = buf_str(&m->head), text = buf_str(&m->text);
	struct rewrite r;
	struct bodyin in;
	size_t used;

	inmsg_turn(m, m->turn);
	if (!m->rewritten)
		return;
	text = buf_str(&m->text);
	r.body = body_new(m->s->in->w.store, NULL, NULL);
	(void)body_write(r.body, head.p, head.n);
	bodyin_init(&in, true, true);
	(void)bodyin_feed(&in, "\r\n", 2, &used, rewrite_sink, &r);
	(void)bodyin_feed(&in, text.p, text.n, &used, rewrite_sink, &r);
	bodyin_finish(&in, rewrite_sink, &r);
	body_finish(r.body);
	body_unref(bp);
	*bp = r.body;
	if (in.eightbit)
		m->env->flags |= ENV_8BIT_SEEN;
	bodyin_fini(&in);
	m->env->size = body_size(r.body);
}

/* ---- the end ---- */

/* What the listener says counts where nobody nearer says anything. */
static void
set_profile(const struct inmsg *m, struct rcpt *r)
{
	const char *own = inmsg_profile(m, (int)r->rid);
	const char *usual = m->s->l->bounce_profile;

	if (own != NULL)
		r->profile = str_c(own);
	else if (usual[0] != '\0')
		r->profile = str_c(pool_printf(m->env->pool, "?%s", usual));
}

int
inmsg_split(struct inmsg *m, bool always, struct err *why)
{
	const char *route;
	struct rcpt *r;
	unsigned i;

	rewrite(m, &m->body);
	for (i = 0; i < m->env->nrcpt; i++) {
		r = m->env->rcpt[i];
		r->want = str_c(inmsg_want(m, (int)i, m->pool));
		route = inmsg_route(m, (int)i);
		if (route != NULL)
			r->route = str_c(route);
		set_profile(m, r);
	}
	if (m->treat == NULL && m->notes == NULL && m->nnotice == 0 &&
	    !always)
		return 0;
	if (m->treat != NULL && treat_check(inmsg_treat(m), why) < 0)
		return -1;
	m->nbranch = split(m->env, m->body, m->treat, m->notes, next_mid,
	    m->s, &m->branch);
	m->env_ours = false;
	m->body = NULL;
	return 0;
}

void
inmsg_submit(struct inmsg **mp, queue_submitted *done, void *arg)
{
	struct inmsg *m = *mp;
	struct queue *queue = m->s->in->w.queue;
	struct envelope *env = m->env;
	struct body_ref *body = m->body;

	m->env_ours = false;
	m->body = NULL;
	inmsg_destroy(mp);
	queue_submit(queue, env, body, done, arg);
}

static uint64_t
next_mid(void *arg)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	return ids_next(s->in->w.ids, SHM_MID);
}

/* The branch that is asked about: facts and edits are its own. */
void
inmsg_branch(struct inmsg *m, unsigned i)
{
	m->cur = &m->branch[i];
	m->env = m->cur->env;
	m->rewritten = m->writing = m->edited_good = false;
}

void
inmsg_branch_end(struct inmsg *m)
{
	rewrite(m, &m->cur->body);
}

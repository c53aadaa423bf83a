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
#include "tls/tlswant.h"

enum {
	POOL_FIRST = 512,
	FIELDS_MAX = 10000,	    /* that are indexed */
	HEAD_MORE = 65536	    /* our field, and the piece that is read */
};

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
	buf_init(&m->head, SIZE_MAX);
	buf_init(&m->piece, SIZE_MAX);
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
	buf_fini(&m->head);
	buf_fini(&m->piece);
	if (m->settling != NULL)
		(void)body_settle(m->settling, NULL, NULL);
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
	if (rcpt >= m->nplan || m->plan[rcpt] == NULL)
		return;
	scope_end(&m->plan[rcpt]->scope);
	memset(m->plan[rcpt], 0, sizeof(struct plan));
}

const char *
inmsg_route(const struct inmsg *m, int rcpt)
{
	const struct plan *p = inmsg_planned(m, rcpt);

	return p != NULL && p->route != NULL ? p->route : m->all.route;
}

const struct rcpt *
inmsg_rcpt(const struct inmsg *m, int rcpt)
{
	if (rcpt < 0)
		return NULL;
	if ((unsigned)rcpt < m->env->nrcpt)
		return m->env->rcpt[rcpt];
	return (unsigned)rcpt == m->env->nrcpt ? m->asking : NULL;
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
inmsg_head_add(struct inmsg *m, const char *p, size_t n)
{
	size_t max = m->s->l->limits.header_size + HEAD_MORE;

	if (!m->watched || m->head_done || buf_len(&m->head) + n > max)
		return;
	(void)buf_add(&m->head, p, n);
}

bool
inmsg_head_ended(struct inmsg *m, uint64_t header_bytes)
{
	size_t whole = m->received + (size_t)header_bytes;

	if (!m->watched || m->head_done || buf_len(&m->head) < whole)
		return false;
	buf_truncate(&m->head, whole);
	header_parse(m->pool, buf_str(&m->head), FIELDS_MAX, &m->header);
	m->head_done = m->head_due = true;
	return true;
}

const struct header *
inmsg_header(struct inmsg *m, int rcpt)
{
	(void)rcpt;
	return m->head_done ? &m->header : NULL;
}

/* ---- the body ---- */

/* What cannot be read may not be taken for the end of it: the message is
 * refused for now, whatever else is said. */
bool
inmsg_body(struct inmsg *m, uint64_t off, struct str *piece_r)
{
	struct err why = ERR_INIT;
	struct str all;

	if (!m->complete || !m->head_done)
		return false;
	if (body_map(m->body, &all, &why) == 0) {
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

/* ---- the end ---- */

void
inmsg_settle(struct inmsg *m)
{
	const char *route;
	unsigned i;

	for (i = 0; i < m->env->nrcpt; i++) {
		m->env->rcpt[i]->want =
		    str_c(inmsg_want(m, (int)i, m->pool));
		route = inmsg_route(m, (int)i);
		if (route != NULL)
			m->env->rcpt[i]->route = str_c(route);
	}
}

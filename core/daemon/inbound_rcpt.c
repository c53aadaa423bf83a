/*
 * Whom a message goes to, changed by plugins when its header is there:
 * recipients that are added (a Bcc, a redirection) and dropped, and people who
 * are told something.
 */
#include "daemon/inbound_priv.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "mail/notice.h"
#include "queue/split.h"
#include "tls/tlswant.h"

#define NOTICES 10 /* of a message */

static int	same_rcpt(const struct envelope *, const struct addr *);
static bool	answers(const struct inmsg *, const struct addr *,
		    const struct header *);
static void	put(struct inmsg *, const struct addr *, const char *,
		    uint64_t, struct buf *);
static void	unread(void *, const struct err *);
static enum tlswant_level strictest(struct queue *, const struct branch *,
		    unsigned);

/* Who is there already is not sent to twice. */
int
inmsg_rcpt_add(struct inmsg *m, const char *address, int flags,
    struct err *why)
{
	bool utf8 = (m->env->flags & ENV_SMTPUTF8) != 0;
	struct addr a;
	struct rcpt *r;
	int there;

	if (m->cur != NULL || !m->head_done)
		return err_text(why, "the header is not there yet");
	if (addr_parse(m->pool, str_c(address), utf8 ? ADDR_UTF8_OK : 0, &a,
		why) < 0)
		return -1;
	there = same_rcpt(m->env, &a);
	if (there >= 0)
		return there;
	if (m->env->nrcpt >= m->s->flow->limits.recipients)
		return err_text(why, "the message has %u recipients",
		    m->env->nrcpt);
	r = envelope_add_rcpt(m->env, &a, STR(""),
	    (flags & PST_RCPT_QUIET) != 0 ? NOTIFY_NEVER : 0);
	m->s->in->stats.recipients++;
	mail_log(EV_MID_TO, m->env->mid, m->env->icid, (uint64_t)r->rid,
	    r->addr.full);
	return (int)r->rid;
}

static int
same_rcpt(const struct envelope *env, const struct addr *a)
{
	const struct rcpt *r;
	unsigned i;

	for (i = 0; i < env->nrcpt; i++) {
		r = env->rcpt[i];
		if (r->state == RCPT_PENDING &&
		    str_eq(r->addr.local, a->local) &&
		    str_ieq(r->addr.domain, a->domain))
			return (int)i;
	}
	return -1;
}

int
inmsg_rcpt_drop(struct inmsg *m, int rcpt, const char *by, struct err *why)
{
	struct rcpt *r;

	if (m->cur != NULL || !m->head_done || rcpt < 0 ||
	    (unsigned)rcpt >= m->env->nrcpt)
		return err_text(why, "there is no such recipient");
	r = m->env->rcpt[rcpt];
	r->state = RCPT_DELETED;
	m->drop_by = by;
	mail_log(EV_MID_TO_DROPPED, m->env->mid, m->env->icid, r->addr.full,
	    by);
	return 0;
}

bool
inmsg_rcpt_dropped(const struct inmsg *m, int rcpt)
{
	return m->cur == NULL && rcpt >= 0 &&
	    (unsigned)rcpt < m->env->nrcpt &&
	    m->env->rcpt[rcpt]->state == RCPT_DELETED;
}

/* ---- notices ---- */

int
inmsg_notify(struct inmsg *m, const struct about_notice *n, struct err *why)
{
	struct notice is = { .hostname = m->s->conf->top.hostname,
		.now = clock_wall(),
		.subject = str_c(n->subject),
		.text = str_c(n->text),
		.reply_to_id = STR("") };
	const struct header *h = inmsg_header(m, -1);
	const struct header_field *id;
	struct addr to;
	struct buf text;
	int r;

	if (m->cur != NULL || h == NULL)
		return err_text(why, "the header is not there yet");
	if (m->nnotice == NOTICES)
		return err_text(why, "a message has at most %d", NOTICES);
	if (m->env->sender.full.n == 0)
		return err_text(why, "the message is a report");
	if (addr_parse(m->pool, str_c(n->to), ADDR_UTF8_OK, &to, why) < 0)
		return -1;
	if (answers(m, &to, h)) {
		if (!notice_may_answer(h))
			return err_text(why, "no person waits for an answer "
			    "to this message");
		id = header_find(h, "Message-ID", 0);
		is.reply_to_id = id != NULL ? str_trim(id->value) : STR("-");
		if (is.reply_to_id.n == 0)
			is.reply_to_id = STR("-");
	}
	is.to = to.full;
	is.mid = ids_next(m->s->in->w.ids, SHM_MID);
	buf_init(&text, (size_t)8 * NOTICE_TEXT_MAX);
	r = notice_build(&text, &is, why);
	if (r == 0)
		put(m, &to, n->by, is.mid, &text);
	buf_fini(&text);
	return r;
}

static bool
mentions(struct str text, struct str address)
{
	size_t i;

	for (i = 0; i + address.n <= text.n; i++) {
		if (str_ieq(str_n(text.p + i, address.n), address))
			return true;
	}
	return false;
}

/* To whoever sent it, as the envelope or the header has it. */
static bool
answers(const struct inmsg *m, const struct addr *to, const struct header *h)
{
	static const char *const names[] = { "From", "Reply-To", "Sender" };
	const struct header_field *f;
	unsigned i, k;

	if (str_ieq(to->full, m->env->sender.full))
		return true;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (k = 0; (f = header_find(h, names[i], k)) != NULL; k++) {
			if (mentions(f->value, to->full))
				return true;
		}
	}
	return false;
}

static void
put(struct inmsg *m, const struct addr *to, const char *by, uint64_t mid,
    struct buf *text)
{
	struct envelope *env = envelope_new();
	struct branch *b;

	env->mid = mid;
	env->queued = clock_wall();
	env->sender.full = env->sender.local = env->sender.domain = STR("");
	env->flags = ENV_GENERATED;
	if (to->utf8)
		env->flags |= ENV_SMTPUTF8 | ENV_8BITMIME;
	env->envid = env->client_ip = env->helo = env->auth = STR("");
	env->listener = "";
	env->size = buf_len(text);
	(void)envelope_add_rcpt(env, to, STR(""), NOTIFY_NEVER);
	m->notice = mem_realloc(m->notice,
	    (m->nnotice + 1) * sizeof(struct branch));
	b = &m->notice[m->nnotice++];
	*b = (struct branch){ .env = env,
		.body = body_new(m->s->in->w.store, unread, NULL),
		.by = pool_strdup(env->pool, by) };
	(void)body_write(b->body, buf_p(text), buf_len(text));
	body_finish(b->body);
}

/* It is smaller than what a body keeps in memory; errors come out of the
 * commit. */
static void
unread(void *arg ATTR_UNUSED, const struct err *why ATTR_UNUSED)
{
}

void
inmsg_notices(struct inmsg *m, struct branch **vp, unsigned n)
{
	enum tlswant_level level = strictest(m->s->in->w.queue, *vp, n);
	struct envelope *env;
	unsigned i;

	*vp = mem_realloc(*vp, (n + m->nnotice) * sizeof(struct branch));
	for (i = 0; i < m->nnotice; i++) {
		env = m->notice[i].env;
		if (level >= TLSWANT_REQUIRED)
			env->rcpt[0]->want = str_c(tlswant_name(level));
		mail_log(EV_MID_START, env->mid, (uint64_t)0);
		mail_log(EV_MID_BASED_ON, env->mid, m->s->mid, "notify",
		    m->notice[i].by);
		mail_log(EV_MID_FROM, env->mid, (uint64_t)0, env->sender.full);
		mail_log(EV_MID_TO, env->mid, (uint64_t)0, (uint64_t)0,
		    env->rcpt[0]->addr.full);
		mail_log(EV_MID_READY, env->mid, env->size, env->sender.full);
		(*vp)[n + i] = m->notice[i];
	}
	m->nnotice = 0;
}

/* A notice tells of the message, so it does not travel with less than any
 * recipient's copy, whoever demands that. Names, pins and deadlines are those
 * of other hosts. */
static enum tlswant_level
strictest(struct queue *q, const struct branch *v, unsigned n)
{
	enum tlswant_level level = TLSWANT_NONE;
	const struct envelope *env;
	struct queue_want want;
	unsigned i, k;

	for (i = 0; i < n; i++) {
		env = v[i].env;
		for (k = 0; k < env->nrcpt; k++) {
			if (env->rcpt[k]->state == RCPT_DELETED)
				continue;
			queue_rcpt_want(q, env->rcpt[k], &want);
			if (want.level > level)
				level = want.level;
		}
	}
	return level;
}

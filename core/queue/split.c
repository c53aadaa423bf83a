#include "queue/split.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "mail/notes.h"

static const struct treatment *treated(const struct treat *t, int rcpt);
static void fill(struct branch *b, const struct treatment *is,
    const struct notes *notes);
static void order(struct branch *v, const struct treatment **is, unsigned k,
    unsigned n);
static void give_by(struct branch *b, const struct treatment *why);
static void give_body(struct branch *b, const struct treatment *is,
    struct body_ref *body);

unsigned
split(struct envelope *env, struct body_ref *body, const struct treat *t,
    const struct notes *notes, split_mid *mid, void *arg,
    struct branch **v_r)
{
	const struct treatment **is;
	struct branch *v;
	struct rcpt *r;
	unsigned i, k, n = 0;

	ASSERT(envelope_pending(env) > 0);
	is = mem_array(env->nrcpt, sizeof(const struct treatment *));
	v = mem_array(env->nrcpt, sizeof(*v));
	for (i = 0; i < env->nrcpt; i++) {
		r = env->rcpt[i];
		if (r->state != RCPT_PENDING) /* it was dropped */
			continue;
		is[n] = treated(t, (int)i);
		for (k = 0; !treatment_equal(is[k], is[n]);)
			k++;
		if (k == n && n++ == 0) {
			v[0].env = env;
		} else if (k + 1 == n && v[k].env == NULL) {
			v[k].env = envelope_copy(env);
			v[k].env->mid = mid(arg);
		}
		if (k > 0) {
			(void)envelope_copy_rcpt(v[k].env, r);
			r->state = RCPT_MOVED;
		}
	}
	for (k = 0; k < n; k++) {
		give_body(&v[k], is[k], body);
		fill(&v[k], is[k], notes);
		/* What holds for all is no reason: the other's word is. */
		give_by(&v[k], is[k] != treated(t, TREAT_ALL) ? is[k] :
		    is[0]);
		order(v, is, k, n);
	}
	body_unref(&body);
	mem_free(is);
	*v_r = v;
	return n;
}

static const struct treatment *
treated(const struct treat *t, int rcpt)
{
	static const struct treatment none = { .by = "" };

	return t == NULL ? &none : treat_of(t, rcpt);
}

void
branch_seal(struct branch *b)
{
	struct envelope *env = b->env;
	struct buf text;

	if (edits_empty(b->edits) && notes_empty(b->notes)) {
		env->edits = env->notes = STR("");
		return;
	}
	buf_init(&text, EDITS_TEXT_MAX);
	edits_write(b->edits, &text);
	env->edits = pool_str(env->pool, buf_str(&text));
	if (edits_has_utf8(b->edits))
		env->flags |= ENV_UTF8_HEADER;
	buf_reset(&text);
	notes_write(b->notes, &text);
	env->notes = pool_str(env->pool, buf_str(&text));
	buf_fini(&text);
}

void
branch_drop(struct branch *b)
{
	envelope_destroy(&b->env);
	body_unref(&b->body);
}

void
split_log(const struct branch *v, unsigned n)
{
	const struct envelope *env;
	char till[40];
	unsigned i, k;

	for (k = 1; k < n; k++) {
		env = v[k].env;
		mail_log(EV_MID_SPLIT, v[0].env->mid, env->mid,
		    v[k].by[0] != '\0' ? v[k].by : NULL);
		mail_log(EV_MID_FROM, env->mid, (uint64_t)0,
		    env->sender.full);
		for (i = 0; i < env->nrcpt; i++)
			mail_log(EV_MID_TO, env->mid, (uint64_t)0,
			    (uint64_t)env->rcpt[i]->rid,
			    env->rcpt[i]->addr.full);
	}
	for (k = 0; k < n; k++) {
		if (v[k].env->waits_for.n == 0)
			continue;
		clock_asctime(till, sizeof(till), v[k].until);
		mail_log(EV_MID_WAITS, v[k].env->mid,
		    v[k].env->waits_for.p, till);
	}
}

/* After which of the others does branch k go? */
static void
order(struct branch *v, const struct treatment **is, unsigned k, unsigned n)
{
	struct envelope *env = v[k].env;
	struct buf text;
	unsigned i;

	if (is[k]->after == NULL || is[k]->wait == 0)
		return;
	buf_init(&text, 21 * ((size_t)n + 1));
	for (i = 0; i < n; i++) {
		if (i == k || is[i]->word == NULL ||
		    strcmp(is[i]->word, is[k]->after) != 0)
			continue;
		(void)buf_printf(&text, "%s%" PRIu64,
		    buf_len(&text) > 0 ? " " : "", v[i].env->mid);
	}
	if (buf_len(&text) > 0) {
		env->waits_for = pool_str(env->pool, buf_str(&text));
		v[k].until = env->queued + is[k]->wait;
	}
	buf_fini(&text);
}

static void
fill(struct branch *b, const struct treatment *is, const struct notes *notes)
{
	struct envelope *env = b->env;

	b->edits = edits_copy(env->pool, is->edits);
	edits_set_utf8(b->edits, (env->flags & ENV_SMTPUTF8) != 0);
	b->notes = notes_copy(env->pool, notes);
	b->word = pool_strdup(env->pool, is->word);
	b->after = pool_strdup(env->pool, is->after);
	b->wait = is->wait;
	env->quarantine = is->quarantine != NULL ?
	    pool_str(env->pool, str_c(is->quarantine)) : STR("");
	env->not_before = is->hold > 0 ? env->queued + is->hold : 0;
	branch_seal(b);
}

static void
give_by(struct branch *b, const struct treatment *why)
{
	struct pool *pool = b->env->pool;

	b->by = why->word == NULL ? pool_strdup(pool, why->by) :
	    pool_printf(pool, "%s/%s", why->by, why->word);
}

static void
give_body(struct branch *b, const struct treatment *is, struct body_ref *body)
{
	struct envelope *env = b->env;

	b->body = body_ref(is->body != NULL ? is->body : body);
	if (is->body == NULL)
		return;
	env->size = body_size(is->body);
	env->flags &= ~(unsigned)ENV_8BIT_SEEN;
	if (is->eightbit)
		env->flags |= ENV_8BIT_SEEN;
}

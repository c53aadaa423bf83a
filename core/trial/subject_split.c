/*
 * The branches of a message in a trial, by the treatments of its recipients as
 * the queue compares them.
 */
#include <limits.h>

#include "base/num.h"
#include "queue/treat.h"
#include "trial/subject.h"

/* As the queue has it. */
static void
treated(const struct subject *s, const struct subject_rcpt *r,
    struct treatment *t)
{
	const char *hold = r->hold != NULL ? r->hold :
	    s->fact[FACT_MESSAGE_HOLD];
	const char *after = subject_said(s, FACT_RCPT_AFTER, r->after);
	struct err why = ERR_INIT;
	uint64_t seconds = 0;
	struct str word;

	*t = (struct treatment){ .edits = r->edits,
		.quarantine = r->quarantine != NULL ? r->quarantine :
		    s->fact[FACT_MESSAGE_QUARANTINE],
		.word = subject_said(s, FACT_RCPT_BRANCH, r->word) };
	if (hold != NULL && num_u64(str_c(hold), UINT32_MAX, &seconds) == 0)
		t->hold = (msec)seconds * 1000;
	if (after != NULL && treat_read_after(after, &word, &t->wait,
		&why) == 0)
		t->after = pool_strndup(s->pool, word.p, word.n);
}

static bool
body_equal(const struct buf *a, const struct buf *b)
{
	return a == b || (a != NULL && b != NULL && str_eq(buf_str(a),
	    buf_str(b)));
}

void
subject_split(struct subject *s)
{
	struct treatment *t = pool_alloc(s->pool, (s->nrcpt + 1) *
	    sizeof(*t));
	struct subject_rcpt *a, *b;
	unsigned i, j;

	s->nbranch = 0;
	for (i = 0; i < s->nrcpt; i++) {
		a = s->rcpt[i];
		a->branch = UINT_MAX;
		if (a->dropped)
			continue;
		treated(s, a, &t[i]);
		for (j = 0; j < i; j++) {
			b = s->rcpt[j];
			if (!b->dropped && treatment_equal(&t[j], &t[i]) &&
			    body_equal(b->body, a->body))
				break;
		}
		a->branch = j < i ? s->rcpt[j]->branch : s->nbranch++;
		a->notes = j < i ? s->rcpt[j]->notes :
		    notes_copy(s->pool, s->notes);
	}
}

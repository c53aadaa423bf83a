/*
 * The message as plugins see and change it.
 */
#include "base/log.h"
#include "host/event_priv.h"
#include "mail/header.h"

_Static_assert((int)EDIT_ADD == PST_HEADER_ADD &&
    (int)EDIT_INSERT == PST_HEADER_INSERT && (int)EDIT_SET == PST_HEADER_SET &&
    (int)EDIT_DELETE == PST_HEADER_DELETE, "edits are the plugins'");

static const struct header *header_of(struct event *ev);
static int refused(struct event *ev, struct err *why, const char *what);

const char *
api_header(struct pst_event *pub, const char *name, unsigned nth)
{
	struct event *ev = event_of(pub);
	const struct header *h = ev != NULL ? header_of(ev) : NULL;
	const struct header_field *f;

	f = h != NULL ? header_find(h, name, nth) : NULL;
	if (f == NULL)
		return NULL;
	return pool_str(event_pool(ev),
	    header_unfold(event_pool(ev), f->value)).p;
}

bool
api_field(struct pst_event *pub, unsigned i, struct pst_str *name,
    struct pst_str *value)
{
	struct event *ev = event_of(pub);
	const struct header *h = ev != NULL ? header_of(ev) : NULL;
	struct str s;

	if (h == NULL || i >= h->n)
		return false;
	s = pool_str(event_pool(ev), h->v[i].name);
	*name = (struct pst_str){ s.p, s.n };
	s = pool_str(event_pool(ev), h->v[i].value);
	*value = (struct pst_str){ s.p, s.n };
	return true;
}

int
api_edit(struct pst_event *pub, enum pst_edit op, const char *name,
    unsigned nth, const char *value)
{
	struct event *ev = event_of(pub);
	struct err why = ERR_INIT;
	const struct about *a;

	if (ev == NULL)
		return -1;
	a = ev->about;
	if ((unsigned)op > PST_HEADER_DELETE)
		(void)err_text(&why, "there is no edit %d", (int)op);
	else if (event_rcpt_gone(ev))
		(void)err_text(&why, "that recipient was dropped");
	else if (a->ops->edit == NULL)
		(void)err_text(&why, "there is no header to edit here");
	else if (a->ops->edit(a->arg, ev->rcpt, (enum edit_op)op, name, nth,
	    value, &why) == 0)
		return 0;
	return refused(ev, &why, name);
}

bool
api_body(struct pst_event *pub, uint64_t *offset, struct pst_str *chunk)
{
	struct event *ev = event_of(pub);
	const struct about *a;
	struct str piece;

	if (ev == NULL)
		return false;
	a = ev->about;
	if (a->ops->body == NULL || !a->ops->body(a->arg, *offset, &piece))
		return false;
	*chunk = (struct pst_str){ piece.p, piece.n };
	*offset += piece.n;
	return true;
}

int
api_body_write(struct pst_event *pub, const void *p, size_t n)
{
	struct event *ev = event_of(pub);
	struct err why = ERR_INIT;
	const struct about *a;

	if (ev == NULL)
		return -1;
	a = ev->about;
	if (event_rcpt_gone(ev))
		(void)err_text(&why, "that recipient was dropped");
	else if (a->ops->body_write == NULL)
		(void)err_text(&why, "there is no body to write here");
	else if (n > 0 && memchr(p, '\0', n) != NULL) {
		ev->fault = "a NUL in a new body"; /* whatever it says */
		return -1;
	}
	else if (a->ops->body_write(a->arg, ev->rcpt, p, n, &why) == 0)
		return 0;
	return refused(ev, &why, "body");
}

enum pst_verdict
api_each_rcpt(struct pst_event *pub, pst_fn *fn)
{
	struct event *ev = event_of(pub);
	enum pst_verdict v = PST_CONTINUE;
	const struct about *a;
	int before, i, n;

	if (ev == NULL)
		return PST_TEMPFAIL;
	a = ev->about;
	if (ev->alone) {
		ev->fault = "each_rcpt inside each_rcpt";
		return PST_TEMPFAIL;
	}
	before = ev->rcpt;
	n = a->ops->nrcpt != NULL ? (int)a->ops->nrcpt(a->arg) : 0;
	ev->alone = true;
	for (i = 0; i < n && v == PST_CONTINUE && !ev->dead; i++) {
		ev->rcpt = i;
		if (!event_rcpt_gone(ev))
			v = fn(pub);
	}
	ev->alone = false;
	ev->rcpt = before;
	if (v != PST_WAIT)
		return v;
	ev->fault = "it waits inside each_rcpt";
	return PST_TEMPFAIL;
}

static const struct header *
header_of(struct event *ev)
{
	const struct about *a = ev->about;

	return a->ops->header == NULL ? NULL
				      : a->ops->header(a->arg, ev->rcpt);
}

static int
refused(struct event *ev, struct err *why, const char *what)
{
	(void)err_prefix(why, "%s cannot be changed: ", what);
	event_misuse(ev, why->text);
	return -1;
}

/*
 * Recipients and notices: what ABI 1.1 lets plugins do with whom a message
 * goes to, when its header or all of it is there.
 */
#include "host/event_priv.h"

static bool its_time(struct event *ev, const char *what);
static int told(struct event *ev, struct err *why, const char *what);

bool
event_rcpt_gone(const struct event *ev)
{
	const struct about *a = ev->about;

	return ev->rcpt >= 0 && a->ops->dropped != NULL &&
	    a->ops->dropped(a->arg, ev->rcpt);
}

int
api_rcpt(struct pst_event *pub, int index)
{
	struct event *ev = event_of(pub);
	const struct about *a;

	if (ev == NULL)
		return -1;
	a = ev->about;
	if (ev->alone || a->rcpt >= 0 || a->ops->nrcpt == NULL) {
		event_misuse(ev, "no recipient can be chosen here");
		return -1;
	}
	if (index >= 0 && ((unsigned)index >= a->ops->nrcpt(a->arg) ||
		(a->ops->dropped != NULL && a->ops->dropped(a->arg, index))))
		return -1;
	ev->rcpt = index < 0 ? -1 : index;
	return 0;
}

int
api_rcpt_add(struct pst_event *pub, const char *address, int flags)
{
	struct event *ev = event_of(pub);
	struct err why = ERR_INIT;
	const struct about *a;
	int r = -1;

	if (ev == NULL || !its_time(ev, "a recipient cannot be added here"))
		return -1;
	a = ev->about;
	if ((flags & ~PST_RCPT_QUIET) != 0)
		(void)err_text(&why, "there is no flag %d", flags);
	else if (address == NULL || a->ops->rcpt_add == NULL)
		(void)err_text(&why, "there is nobody to add");
	else
		r = a->ops->rcpt_add(a->arg, address, flags, &why);
	return r >= 0 ? r : told(ev, &why, "a recipient cannot be added");
}

int
api_rcpt_drop(struct pst_event *pub)
{
	struct event *ev = event_of(pub);
	struct err why = ERR_INIT;
	const struct about *a;

	if (ev == NULL || !its_time(ev, "a recipient cannot be dropped here"))
		return -1;
	a = ev->about;
	if (ev->rcpt < 0 || a->ops->rcpt_drop == NULL)
		(void)err_text(&why, "none is chosen");
	else if (event_rcpt_gone(ev) ||
	    a->ops->rcpt_drop(a->arg, ev->rcpt, ev->inst->name, &why) == 0)
		return 0;
	return told(ev, &why, "a recipient cannot be dropped");
}

int
api_notify(struct pst_event *pub, const struct pst_notice *q)
{
	struct event *ev = event_of(pub);
	struct about_notice n = { .by = "" };
	struct err why = ERR_INIT;
	const struct about *a;

	if (ev == NULL || !its_time(ev, "nobody can be told anything here"))
		return -1;
	a = ev->about;
	if (q != NULL && q->size >= offsetof(struct pst_notice, text) +
		sizeof(q->text)) {
		n.to = q->to;
		n.subject = q->subject != NULL ? q->subject : "";
		n.text = q->text != NULL ? q->text : "";
		n.by = ev->inst->name;
	}
	if (n.to == NULL || a->ops->notify == NULL)
		(void)err_text(&why, "there is nobody to tell");
	else if (a->ops->notify(a->arg, &n, &why) == 0)
		return 0;
	return told(ev, &why, "a notice cannot be sent");
}

/* Before, recipients still come; later, there are branches. */
static bool
its_time(struct event *ev, const char *what)
{
	if (!ev->task && (ev->on == ON_HEADERS || ev->on == ON_EOM))
		return true;
	event_misuse(ev, what);
	return false;
}

static int
told(struct event *ev, struct err *why, const char *what)
{
	(void)err_prefix(why, "%s: ", what);
	event_misuse(ev, why->text);
	return -1;
}

/*
 * What a plugin wants the client to be told.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/event_priv.h"
#include "mail/status.h"

/* By verdict; code 0: it has no reply. */
static const struct plain {
	int code;
	const char *enh, *text;
} plain[PST_WAIT] = {
	[PST_REJECT] = { 550, "5.7.0", "not accepted" },
	[PST_TEMPFAIL] = { 451, "4.3.0", "try again later" },
	[PST_DISCONNECT] = { 421, "4.7.0", "closing the connection" },
};

static bool code_fits(enum pst_verdict v, int code);

enum pst_verdict
api_reply(struct pst_event *pub, enum pst_verdict v, int code,
    const char *enh, const char *fmt, ...)
{
	struct event *ev = event_of(pub);
	const struct plain *p;
	struct err *e;
	size_t max;
	va_list ap;

	if (ev == NULL)
		return PST_TEMPFAIL;
	if ((unsigned)v >= PST_WAIT ||
	    (plain[v].code == 0 && v != PST_QUARANTINE)) {
		ev->fault = "a reply for a verdict that has none";
		return PST_TEMPFAIL;
	}
	p = &plain[v];
	e = &ev->reply;
	if (code == 0)
		code = p->code;
	if (enh == NULL || enh[0] == '\0')
		enh = p->enh != NULL ? p->enh : "";
	if (v != PST_QUARANTINE && (!code_fits(v, code) ||
	    !status_enh_valid(str_c(enh)) || enh[0] - '0' != code / 100)) {
		ev->fault = "a reply code that is not of the verdict's class";
		return PST_TEMPFAIL;
	}
	e->code = code;
	(void)str_copy(e->enh, sizeof(e->enh), str_c(enh));
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	reply_clean(e->text);
	/* "550 5.7.1 text" and CRLF */
	max = REPLY_LINE - 2 - strlen("550  ") - strlen(e->enh);
	if (max < sizeof(e->text))
		e->text[max] = '\0';
	ev->replied = (int)v;
	return v;
}

void
reply_complete(struct event *ev)
{
	const struct plain *p = &plain[ev->verdict];

	if (ev->replied == (int)ev->verdict && ev->reply.text[0] != '\0')
		return;
	if (ev->verdict == PST_QUARANTINE) {
		(void)snprintf(ev->reply.text, sizeof(ev->reply.text),
		    "by %s", ev->inst->name);
		return;
	}
	if (p->code == 0)
		return;
	/* A reply without words keeps its code. */
	if (ev->replied != (int)ev->verdict)
		(void)err_set(&ev->reply, p->code, p->enh, "%s", p->text);
	else
		(void)str_copy(ev->reply.text, sizeof(ev->reply.text),
		    str_c(p->text));
}

void
reply_clean(char *s)
{
	for (; *s != '\0'; s++) {
		if (!ch_print(*s))
			*s = '?';
	}
}

/* 421 says that the connection is closed, which only one verdict does. */
static bool
code_fits(enum pst_verdict v, int code)
{
	switch (v) {
	case PST_REJECT:
		return code >= 500 && code <= 599;
	case PST_TEMPFAIL:
		return code >= 400 && code <= 499 && code != 421;
	default:
		return code == 421;
	}
}

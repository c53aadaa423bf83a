/*
 * From input to commands: finds the line and the verb, sees whether it is
 * allowed now, and asks what is to be asked before it acts.
 */
#include "smtp/smtpd_priv.h"

static const struct smtpd_verb verbs[] = {
#define VERB(id, text, states, flags, hook)                                    \
	{ text, sizeof(text) - 1, states, flags, hook, smtpd_##id##_check,     \
		smtpd_##id##_act },
#include "tbl/verbs.h"
#undef VERB
};

static const struct {
	const char *text;
	int code;
} noverbs[] = {
#define NOVERB(text, code) { text, code },
#include "tbl/verbs.h"
#undef NOVERB
};

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

static void command(struct smtpd *s, struct str line);

static void
bad_line(struct smtpd *s, enum cmdline_status st)
{
	struct err why;

	if (st == CMDLINE_BARE)
		(void)err_set(&why, 500, "5.5.2",
		    "Line ends with something else than CRLF");
	else if (st == CMDLINE_NUL)
		(void)err_set(&why, 501, "5.5.2", "NUL in command");
	else
		(void)err_set(&why, 500, "5.5.2", "Line too long");
	smtpd_auth_cancel(s);
	smtpd_error(s, &why);
	smtpd_patience(s);
}

bool
smtpd_command_input(struct smtpd *s)
{
	struct str in = stream_in(s->stream);
	enum cmdline_status st;
	size_t used, limit;

	if (in.n == 0)
		return false;
	limit =
	    s->state == ST_AUTH ? CMDLINE_AUTH_MAX : cmdline_limit(in.p, in.n);
	st = cmdline_scan(&s->line, in.p, in.n, limit, &used);
	if (st != CMDLINE_LINE) {
		if (used > 0)
			stream_consume(s->stream, used);
		if (st != CMDLINE_MORE && st != CMDLINE_SKIPPED)
			bad_line(s, st);
		return st != CMDLINE_MORE;
	}
	s->take = used;
	if (s->state == ST_AUTH)
		smtpd_auth_line(s, str_n(in.p, used - 2));
	else
		command(s, str_n(in.p, used - 2));
	smtpd_take(s);
	smtpd_patience(s);
	return true;
}

static const struct smtpd_verb *
find_verb(struct str word)
{
	size_t i;

	if (word.n == 0)
		return NULL;
	for (i = 0; i < COUNT(verbs); i++) {
		if (word.n == verbs[i].len &&
		    (word.p[0] | 0x20) == (verbs[i].text[0] | 0x20) &&
		    str_ieq_c(word, verbs[i].text))
			return &verbs[i];
	}
	return NULL;
}

static void
no_such_verb(struct smtpd *s, struct str word)
{
	struct err why;
	size_t i;

	(void)err_set(&why, 500, "5.5.1", "Command unrecognized");
	for (i = 0; i < COUNT(noverbs); i++) {
		if (!str_ieq_c(word, noverbs[i].text))
			continue;
		if (noverbs[i].code == 421) {
			smtpd_close(s, SMTPD_END_CLOSED, 421, "4.7.0",
			    "This is a mail server");
			return;
		}
		(void)err_set(
		    &why, noverbs[i].code, "5.5.1", "Command not implemented");
	}
	smtpd_error(s, &why);
}

/* Why the verb may not be used in this state. */
static int
out_of_order(
    const struct smtpd *s, const struct smtpd_verb *verb, struct err *why)
{
	const char *text = "Bad sequence of commands";

	if (s->state == ST_REFUSED && s->refusal != NULL &&
	    s->refusal->code >= 400) {
		*why = *s->refusal;
		return -1;
	}
	if (s->state == ST_REFUSED)
		text = "Session refused, only QUIT is left";
	else if (s->state == ST_START)
		text = "Send EHLO or HELO first";
	else if (s->state == ST_BDAT)
		text = "Finish with BDAT LAST, or send RSET";
	else if (s->state == ST_READY)
		text = "Send MAIL first";
	else if (s->state == ST_MAIL || s->state == ST_RCPT)
		text = "Not while a message is being sent";
	return err_set(why, 503, "5.5.1", "%s", text);
}

bool
smtpd_needs_tls(const struct smtpd_conf *conf, bool tls, struct err *reply)
{
	if (conf->tls != SMTPD_TLS_REQUIRED || tls)
		return false;
	(void)err_set(reply, 530, "5.7.0",
	    "Must issue a STARTTLS command first");
	return true;
}

static int
allowed(struct smtpd *s, const struct smtpd_verb *verb, struct str arg,
    struct err *why)
{
	if ((verb->flags & VF_CLEAR) == 0 &&
	    smtpd_needs_tls(s->conf, s->tls_up, why))
		return -1;
	if ((verb->states & (1u << s->state)) == 0)
		return out_of_order(s, verb, why);
	if ((verb->flags & VF_NO_ARG) != 0 && arg.n > 0)
		return err_set(
		    why, 501, "5.5.4", "%s takes no argument", verb->text);
	return verb->check(s, arg, why);
}

/* smtpd_ops has no obligation to answer what it does not care for. */
static enum smtpd_step
ask_ops(struct smtpd *s, enum smtpd_hook hook, struct smtpd_verdict *v)
{
	const struct smtpd_ops *o = s->ops;

	switch (hook) {
	case HOOK_NONE:
		return SMTPD_NOW;
	case HOOK_HELO:
		return o->helo == NULL ? SMTPD_NOW : o->helo(s->arg, v);
	case HOOK_MAIL:
		return o->mail == NULL ? SMTPD_NOW : o->mail(s->arg, s->env, v);
	case HOOK_RCPT:
		return o->rcpt == NULL ? SMTPD_NOW
				       : o->rcpt(s->arg, s->env, s->rcpt, v);
	case HOOK_BDAT:
		if (s->state == ST_BDAT) /* asked at the first chunk */
			return SMTPD_NOW;
		return o->data == NULL ? SMTPD_NOW : o->data(s->arg, s->env, v);
	case HOOK_DATA:
		return o->data == NULL ? SMTPD_NOW : o->data(s->arg, s->env, v);
	case HOOK_ETRN:
		if (o->etrn != NULL)
			return o->etrn(s->arg, s->etrn, s->subdomains, v);
		v->act = SMTPD_REFUSE;
		(void)err_set(&v->reply, 459, "4.7.1", "Not allowed");
		return SMTPD_NOW;
	}
	panic("no such hook: %d", (int)hook);
}

static bool
too_many_commands(struct smtpd *s)
{
	return s->env == NULL &&
	       smtpd_too_many(s, &s->commands, s->conf->max_commands,
		   "Too many commands without a message");
}

static void
command(struct smtpd *s, struct str line)
{
	struct smtpd_verdict v = { .act = SMTPD_OK };
	struct str word, arg;
	struct err why;

	cmdline_split(line, &word, &arg);
	if (too_many_commands(s))
		return;
	s->verb = find_verb(word);
	if (s->verb == NULL) {
		no_such_verb(s, word);
		return;
	}
	if ((s->verb->flags & VF_CHUNK) != 0 &&
	    smtpd_bdat_size(s, arg, &why) < 0) {
		smtpd_error(s, &why);
		return;
	}
	if (allowed(s, s->verb, arg, &why) < 0) {
		smtpd_error(s, &why);
		if ((s->verb->flags & VF_CHUNK) != 0)
			smtpd_bdat_swallow(s);
		return;
	}
	if (ask_ops(s, s->verb->hook, &v) == SMTPD_WAIT)
		smtpd_ask(s, ASKED_VERB);
	else
		smtpd_resume(s, ASKED_VERB, &v);
}

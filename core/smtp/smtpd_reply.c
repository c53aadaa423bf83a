#include "smtp/smtpd_priv.h"

#include "base/num.h"
#include "smtp/reply.h"

static void
write_err(struct smtpd *s, const struct err *e, int code, const char *enh,
    const char *text)
{
	char line[REPLY_MAX + 1];
	size_t n;

	if (s->dead || s->broken)
		return;
	n = reply_format(line, e, code, enh, text);
	stream_write(s->stream, line, n);
}

void
smtpd_say(struct smtpd *s, const char *line)
{
	if (s->dead || s->broken)
		return;
	stream_write(s->stream, line, strlen(line));
	stream_write(s->stream, "\r\n", 2);
}

/* Nearly always the owner has nothing to add: no formatting then. */
void
smtpd_said_yes(struct smtpd *s, const struct smtpd_verdict *v, const char *line)
{
	const struct err *said = &v->reply;
	struct str rest = str_c(line), code, enh;
	uint64_t number = 0;
	char text[sizeof(said->enh)];

	/* A yes with a number that says no would be taken for a no. */
	if (said->code != 0 && said->code / 100 != line[0] - '0') {
		smtpd_say(s, line);
		return;
	}
	if (said->code == 0 && said->enh[0] == '\0' && said->text[0] == '\0') {
		smtpd_say(s, line);
		return;
	}
	(void)str_word(&rest, &code);
	(void)str_word(&rest, &enh);
	(void)num_u64(code, 999, &number);
	(void)str_copy(text, sizeof(text), enh);
	write_err(s, said, (int)number, text, str_trim(rest).p);
}

bool
smtpd_too_many(struct smtpd *s, unsigned *count, unsigned max, const char *text)
{
	++*count;
	if (max == 0 || *count <= max)
		return false;
	smtpd_close(s, SMTPD_END_CLOSED, 421, "4.7.0", text);
	return true;
}

/* Only 5yz is the client's fault. True: that was one too many. */
static bool
count_error(struct smtpd *s, int code)
{
	return code >= 500 && smtpd_too_many(s, &s->errors, s->conf->max_errors,
				  "Too many errors");
}

void
smtpd_error(struct smtpd *s, const struct err *why)
{
	if (s->dead || count_error(s, why->code))
		return;
	write_err(s, why, 500, "5.5.1", "Error");
	if (why->code == 421)
		smtpd_finish(s, SMTPD_END_CLOSED, why);
}

void
smtpd_refused(struct smtpd *s, const struct smtpd_verdict *v)
{
	if (s->dead || count_error(s, v->reply.code))
		return;
	smtpd_answer_no(s, v);
}

void
smtpd_trouble(struct smtpd *s, const char *what)
{
	if (!s->dead && s->ops->trouble != NULL)
		s->ops->trouble(s->arg, what);
}

/* Whoever says no without a number means "try again later". */
void
smtpd_answer_no(struct smtpd *s, const struct smtpd_verdict *v)
{
	struct err e = v->reply;

	if (s->dead)
		return;
	if (e.code < 400 || e.code > 599) {
		e.code = 451;
		(void)str_copy(e.enh, sizeof(e.enh), str_c("4.3.0"));
	}
	if (e.text[0] == '\0')
		(void)str_copy(e.text, sizeof(e.text),
		    str_c("Temporary failure, try again later"));
	write_err(s, &e, e.code, e.enh, e.text);
	if (v->act == SMTPD_CLOSE || e.code == 421)
		smtpd_finish(s, SMTPD_END_CLOSED, &e);
}

#include "smtp/smtpd_priv.h"

#include "base/mem.h"
#include "base/obj.h"
#include "smtp/reply.h"

/* Not before the stack is empty: the ops table may have ended the session
 * inside a question about the envelope. */
static void
reap(void *arg)
{
	struct smtpd *s;

	OBJ_CAST(s, arg, SMTPD_MAGIC);
	smtpd_txn_end(s);
	smtpd_forget(s);
	mem_free(s->auth_user);
	mem_free(s->refusal);
	mem_free(s->why);
	OBJ_FREE(s);
}

void
smtpd_close(struct smtpd *s, enum smtpd_end how, int code, const char *enh,
    const char *text)
{
	char line[REPLY_MAX + 1];
	struct err why = ERR_INIT;

	if (s->dead || s->state == ST_CLOSING)
		return;
	(void)err_set(&why, code, enh, "%s", text);
	if (!s->broken)
		stream_write(
		    s->stream, line, reply_format(line, &why, code, enh, text));
	smtpd_finish(s, how, how == SMTPD_END_QUIT ? NULL : &why);
}

/* What is written goes out; the end comes when the stream says so. */
void
smtpd_finish(struct smtpd *s, enum smtpd_end how, const struct err *why)
{
	if (s->dead || s->state == ST_CLOSING)
		return;
	if (s->eof) {
		stream_flush(s->stream);
		smtpd_end(s, how, why);
		return;
	}
	smtpd_txn_end(s);
	if (s->dead)
		return;
	s->how = how;
	mem_free(s->why);
	s->why = NULL;
	if (why != NULL)
		s->why = mem_dup(why, sizeof(*why));
	smtpd_set_state(s, ST_CLOSING);
	s->take = 0; /* all input goes, this command's too */
	stream_finish(s->stream);
}

void
smtpd_end(struct smtpd *s, enum smtpd_end how, const struct err *why)
{
	if (s->dead)
		return;
	if (s->state == ST_CLOSING) {
		how = s->how;
		why = s->why;
	}
	s->dead = true;
	loop_timer_clear(&s->timer);
	if (s->begun && s->env != NULL)
		s->ops->abort(s->arg, s->env);
	s->begun = false;
	/* Behind this call conf and ops may be gone. */
	s->ops->close(s->arg, how, why);
	stream_destroy(&s->stream);
	s->tlsio = NULL;
	loop_defer(s->loop, reap, s);
}

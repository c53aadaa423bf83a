/*
 * DATA and BDAT (RFC 5321 4.1.1.4, RFC 3030): the content and its end.
 *
 * The octets of a chunk follow their command whatever is said to it, so a
 * refused chunk is swallowed and never taken for commands. After a refused
 * chunk only RSET, EHLO or QUIT lead on. A message that breaks a limit is read
 * to its end, without a word to ops->body(), and refused then.
 */
#include "smtp/smtpd_priv.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/obj.h"

static void content_begins(struct smtpd *s, bool framed);
static int on_piece(void *arg, const char *p, size_t n);
static void chunk_done(struct smtpd *s);
static void tell_refused(const struct smtpd *s);
static void content_done(struct smtpd *s);

static int
has_recipients(const struct smtpd *s, struct err *why)
{
	if (s->env->nrcpt + s->dropped > 0)
		return 0;
	if (s->rcpt_tried)
		return err_set(why, 554, "5.5.1", "No valid recipients");
	return err_set(why, 503, "5.5.1", "Send RCPT first");
}

int
smtpd_data_check(struct smtpd *s, struct str arg, struct err *why)
{
	(void)arg;
	return has_recipients(s, why);
}

void
smtpd_data_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	if (v->act != SMTPD_OK) {
		smtpd_refused(s, v);
		return;
	}
	content_begins(s, false);
	smtpd_say(s, "354 End data with <CR><LF>.<CR><LF>");
	smtpd_set_state(s, ST_DATA);
	smtpd_rate_start(s);
}

int
smtpd_bdat_size(struct smtpd *s, struct str arg, struct err *why)
{
	struct str size, last;

	s->left = s->chunk = 0;
	s->last = false;
	if (!str_word(&arg, &size) || !ch_digit(size.p[0]))
		return err_set(why, 501, "5.5.4", "Syntax: BDAT size [LAST]");
	/* Where such a chunk ends nobody can tell. */
	if (num_u64(size, UINT64_MAX / 2, &s->chunk) < 0)
		return err_set(why, 421, "4.5.4", "Bad chunk size");
	s->left = s->chunk;
	if (str_word(&arg, &last)) {
		if (!str_ieq_c(last, "LAST") || str_trim(arg).n > 0)
			return err_set(
			    why, 421, "4.5.4", "Syntax: BDAT size [LAST]");
		s->last = true;
	}
	return 0;
}

int
smtpd_bdat_check(struct smtpd *s, struct str arg, struct err *why)
{
	(void)arg;
	if (!s->conf->chunking)
		return err_set(why, 502, "5.5.1", "Command not implemented");
	if (s->failed)
		return err_set(
		    why, 503, "5.5.1", "A chunk was refused, send RSET");
	return has_recipients(s, why);
}

void
smtpd_bdat_swallow(struct smtpd *s)
{
	if (s->dead || s->state == ST_CLOSING || s->left == 0)
		return;
	s->swallow = true;
	s->after = s->state;
	smtpd_set_state(s, ST_CHUNK);
	smtpd_rate_start(s);
}

/* The transaction is over, but what the client has sent already is still
 * about it: RFC 3030 2. */
static void
bdat_failed(struct smtpd *s)
{
	smtpd_txn_end(s);
	s->failed = true;
	if (s->state != ST_BDAT)
		smtpd_set_state(s, ST_BDAT);
}

void
smtpd_bdat_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	if (v->act != SMTPD_OK) {
		bdat_failed(s);
		smtpd_refused(s, v);
		smtpd_bdat_swallow(s);
		return;
	}
	if (!s->reading)
		content_begins(s, true);
	s->swallow = false;
	s->after = ST_BDAT;
	smtpd_set_state(s, ST_CHUNK);
	smtpd_rate_start(s);
	if (s->left == 0)
		chunk_done(s);
}

static void
content_begins(struct smtpd *s, bool framed)
{
	s->messages++;
	s->commands = 0;
	bodyin_init(&s->body, framed, s->conf->normalize);
	s->reading = true;
	s->framed = framed;
	s->content = 0;
}

bool
smtpd_data_input(struct smtpd *s)
{
	struct str in = stream_in(s->stream);
	size_t used;

	if (in.n == 0)
		return false;
	if (bodyin_feed(&s->body, in.p, in.n, &used, on_piece, s) == BODYIN_END)
		s->ended = true;
	if (s->dead)
		return false;
	stream_consume(s->stream, used);
	s->rate_bytes += used;
	smtpd_patience(s);
	if (s->ended && s->asked == ASKED_NOTHING)
		content_done(s);
	return true;
}

bool
smtpd_chunk_input(struct smtpd *s)
{
	struct str in = stream_in(s->stream);
	size_t n, used;

	if (in.n == 0)
		return false;
	n = in.n < s->left ? in.n : (size_t)s->left;
	if (!s->swallow)
		(void)bodyin_feed(&s->body, in.p, n, &used, on_piece, s);
	if (s->dead)
		return false;
	stream_consume(s->stream, n);
	s->left -= n;
	s->rate_bytes += n;
	smtpd_patience(s);
	if (s->left == 0 && s->asked == ASKED_NOTHING)
		chunk_done(s);
	return true;
}

static bool
past_limits(struct smtpd *s, size_t n)
{
	const struct smtpd_conf *c = s->conf;
	const struct bodyin *b = &s->body;

	s->content += n;
	if (c->max_size > 0 && s->content > c->max_size)
		s->too_big = true;
	/* How long it is, is known only when it has ended. */
	if (c->max_header > 0 && !b->in_header &&
	    b->header_bytes > c->max_header)
		s->header_too_big = true;
	return s->too_big || s->header_too_big || s->body_no != NULL;
}

/* While the owner digests a piece, what was cut off after it is kept: less
 * than one read. */
static void
give(struct smtpd *s, const char *p, size_t n)
{
	if (s->asked != ASKED_NOTHING)
		(void)buf_add(&s->backlog, p, n);
	else if (s->ops->body(s->arg, p, n) == SMTPD_WAIT)
		smtpd_ask(s, ASKED_BODY);
}

static int
on_piece(void *arg, const char *p, size_t n)
{
	struct smtpd *s;

	OBJ_CAST(s, arg, SMTPD_MAGIC);
	if (!s->dead && !past_limits(s, n))
		give(s, p, n);
	return 0;
}

void
smtpd_body_answered(struct smtpd *s, const struct smtpd_verdict *v)
{
	char *p;
	size_t n;

	if (v->act == SMTPD_CLOSE) {
		smtpd_answer_no(s, v);
		return;
	}
	if (v->act == SMTPD_REFUSE) {
		s->body_no = mem_dup(v, sizeof(*v));
		buf_reset(&s->backlog);
	}
	n = buf_len(&s->backlog);
	if (n > 0) {
		p = buf_steal(&s->backlog);
		give(s, p, n);
		mem_free(p);
	}
	if (s->dead || s->asked != ASKED_NOTHING)
		return;
	if (s->ended)
		content_done(s);
	else if (s->state == ST_CHUNK && s->left == 0)
		chunk_done(s);
}

/* What is wrong with the content, if anything is. */
static int
content_check(struct smtpd *s, struct err *why)
{
	const struct smtpd_conf *c = s->conf;
	const struct bodyin *b = &s->body;

	if (s->too_big) {
		smtpd_trouble(s, "Message size exceeds limit");
		return err_set(why, 552, "5.3.4", "Message size exceeds limit");
	}
	if (c->max_header > 0 && b->header_bytes > c->max_header)
		return err_set(
		    why, 552, "5.3.4", "Message header size exceeds limit");
	if (c->max_hops > 0 && b->received > c->max_hops) {
		smtpd_trouble(s, "Message loop");
		return err_set(why, 554, "5.4.6", "Too many hops");
	}
	if (b->nul)
		return err_set(why, 550, "5.6.0", "Message contains NUL");
	if ((b->bare_cr || b->bare_lf) && !c->normalize)
		return err_set(
		    why, 550, "5.6.0", "Message contains bare CR or LF");
	return 0;
}

static void
chunk_done(struct smtpd *s)
{
	struct err why;
	char line[64];

	if (s->swallow) {
		smtpd_set_state(s, s->after);
		return;
	}
	if (s->last) {
		bodyin_finish(&s->body, on_piece, s);
		s->ended = true;
		if (!s->dead && s->asked == ASKED_NOTHING)
			content_done(s);
		return;
	}
	smtpd_set_state(s, ST_BDAT);
	if (s->too_big || s->header_too_big) {
		(void)content_check(s, &why);
		tell_refused(s);
		bdat_failed(s);
		smtpd_error(s, &why);
		return;
	}
	(void)snprintf(line, sizeof(line), "250 2.0.0 %llu octets received",
	    (unsigned long long)s->chunk);
	smtpd_say(s, line);
}

static void
tell_refused(const struct smtpd *s)
{
	if (!s->dead && s->ops->refused != NULL)
		s->ops->refused(s->arg);
}

static void
content_refused(struct smtpd *s, const struct smtpd_verdict *v)
{
	tell_refused(s);
	smtpd_txn_end(s);
	smtpd_set_state(s, ST_READY);
	smtpd_refused(s, v);
}

/* All of it is there. From here on the envelope is the owner's. */
static void
content_done(struct smtpd *s)
{
	struct smtpd_verdict v = { .act = SMTPD_REFUSE };
	const struct bodyin *b = &s->body;
	struct envelope *env = s->env;
	enum smtpd_step step;

	if (s->body_no != NULL) {
		v = *s->body_no;
		content_refused(s, &v);
		return;
	}
	if (content_check(s, &v.reply) < 0) {
		content_refused(s, &v);
		return;
	}
	env->size = b->bytes;
	if (b->eightbit)
		env->flags |= ENV_8BIT_SEEN;
	if (b->header_utf8)
		env->flags |= ENV_UTF8_HEADER;
	smtpd_set_state(s, ST_EOM);
	s->env = NULL;
	s->begun = false;
	v.act = SMTPD_OK;
	step = s->ops->eom(s->arg, env, b, &v);
	smtpd_txn_end(s);
	if (step == SMTPD_WAIT)
		smtpd_ask(s, ASKED_EOM);
	else
		smtpd_resume(s, ASKED_EOM, &v);
}

void
smtpd_eom_answered(struct smtpd *s, const struct smtpd_verdict *v)
{
	smtpd_set_state(s, ST_READY);
	if (v->act != SMTPD_OK) {
		tell_refused(s);
		smtpd_refused(s, v);
		return;
	}
	s->errors = s->bad_rcpts = 0;
	smtpd_said_yes(s, v, "250 2.0.0 Message accepted");
}

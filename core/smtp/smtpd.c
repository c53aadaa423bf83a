#include "smtp/smtpd_priv.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"

#define OUT_MAX 65536 /* unsent replies that make us stop reading commands */

static const char *const state_names[] = {
#define X(id, name, next) name,
	SMTPD_STATES(X)
#undef X
};

static const unsigned state_moves[] = {
#define X(id, name, next) next,
	SMTPD_STATES(X)
#undef X
};

static void start(void *arg);
static void on_input(void *arg);
static void on_closed(void *arg, enum stream_end how, const struct err *why);
static void pump(struct smtpd *s);
static void connect_answered(struct smtpd *s, const struct smtpd_verdict *v);

static const struct stream_ops stream_ops = {
	.input = on_input,
	.drained = on_input,
	.closed = on_closed,
};

struct smtpd *
smtpd_new(struct stream *stream, const struct smtpd_conf *conf,
    const struct smtpd_ops *ops, void *arg)
{
	struct smtpd *s;

	OBJ_NEW(s, SMTPD_MAGIC);
	s->conf = conf;
	s->ops = ops;
	s->arg = arg;
	s->stream = stream;
	s->loop = stream_loop(stream);
	s->started = clock_now();
	buf_init(&s->backlog, SIZE_MAX);
	loop_timer_init(s->loop, &s->timer, smtpd_timer_fired, s);
	stream_ops_set(stream, &stream_ops, s);
	loop_defer(s->loop, start, s);
	return s;
}

void
smtpd_conf_set(struct smtpd *s, const struct smtpd_conf *conf)
{
	OBJ_CHECK(s, SMTPD_MAGIC);
	ASSERT(s->state == ST_CONNECT);
	s->conf = conf;
}

void
smtpd_answer(struct smtpd *s, const struct smtpd_verdict *v)
{
	enum smtpd_asked asked;

	OBJ_CHECK(s, SMTPD_MAGIC);
	ASSERT(s->asked != ASKED_NOTHING && !s->dead);
	asked = s->asked;
	s->asked = ASKED_NOTHING;
	s->rate_since += clock_now() - s->asked_at;
	smtpd_patience(s);
	smtpd_resume(s, asked, v);
	pump(s);
}

void
smtpd_stop(struct smtpd *s)
{
	bool silent; /* nothing is said in clear where TLS comes first */

	OBJ_CHECK(s, SMTPD_MAGIC);
	s->stopping = true;
	silent = s->state == ST_TLS ||
	    (s->state == ST_CONNECT && s->conf->implicit_tls);
	if (silent && s->asked == ASKED_NOTHING)
		smtpd_kill(s);
	else
		pump(s);
}

void
smtpd_kill(struct smtpd *s)
{
	struct err why = ERR_INIT;

	OBJ_CHECK(s, SMTPD_MAGIC);
	(void)err_set(&why, 421, "4.3.2", "Session ended by this host");
	smtpd_end(s, SMTPD_END_CLOSED, &why);
}

struct stream *
smtpd_stream(const struct smtpd *s)
{
	return s->stream;
}

struct str
smtpd_helo(const struct smtpd *s)
{
	return str_c(s->facts.helo);
}

bool
smtpd_esmtp(const struct smtpd *s)
{
	return s->facts.esmtp;
}

const struct tls_info *
smtpd_tls(const struct smtpd *s)
{
	return s->tls_up ? tlsio_info(s->tlsio) : NULL;
}

const struct tlsio *
smtpd_tlsio(const struct smtpd *s)
{
	return s->tlsio;
}

const struct bodyin *
smtpd_content(const struct smtpd *s)
{
	return s->reading ? &s->body : NULL;
}

const char *
smtpd_auth(const struct smtpd *s)
{
	return s->facts.auth;
}

const char *
smtpd_state_name(const struct smtpd *s)
{
	return state_names[s->state];
}

/* The only writer of s->state. */
void
smtpd_set_state(struct smtpd *s, enum smtpd_state next)
{
	if (s->dead)
		return;
	ASSERT(next == ST_CLOSING
		   ? s->state != ST_CLOSING
		   : (state_moves[s->state] & (1u << next)) != 0);
	log_debug("smtpd %s: %s to %s", s->conf->listener,
	    state_names[s->state], state_names[next]);
	s->state = next;
	smtpd_patience(s);
}

void
smtpd_take(struct smtpd *s)
{
	if (!s->dead && s->take > 0)
		stream_consume(s->stream, s->take);
	s->take = 0;
}

void
smtpd_ask(struct smtpd *s, enum smtpd_asked what)
{
	if (s->dead)
		return;
	ASSERT(s->asked == ASKED_NOTHING);
	s->asked = what;
	s->asked_at = clock_now();
}

void
smtpd_resume(
    struct smtpd *s, enum smtpd_asked asked, const struct smtpd_verdict *v)
{
	if (s->dead)
		return;
	switch (asked) {
	case ASKED_CONNECT:
		connect_answered(s, v);
		return;
	case ASKED_TLS:
		smtpd_tls_answered(s, v);
		return;
	case ASKED_VERB:
		s->verb->act(s, v);
		return;
	case ASKED_AUTH:
		smtpd_auth_answered(s, v);
		return;
	case ASKED_BODY:
		smtpd_body_answered(s, v);
		return;
	case ASKED_EOM:
		smtpd_eom_answered(s, v);
		return;
	case ASKED_NOTHING:
		break;
	}
	panic("answer to nothing");
}

/* What the client has said so far is as if it had never been said. */
void
smtpd_forget(struct smtpd *s)
{
	mem_free(s->facts.helo);
	mem_free(s->facts.auth);
	s->facts = (struct smtpd_facts){ NULL, false, NULL };
}

const char *
smtpd_host(const struct smtpd *s)
{
	if (s->conf->banner_host != NULL && s->conf->banner_host[0] != '\0')
		return s->conf->banner_host;
	return s->conf->hostname;
}

void
smtpd_greet(struct smtpd *s)
{
	const char *text = s->conf->banner_text;

	if (text == NULL || text[0] == '\0')
		text = "Postern";
	stream_printf(s->stream, "%u %s ESMTP %s\r\n",
	    s->conf->banner_code != 0 ? s->conf->banner_code : 220,
	    smtpd_host(s), text);
	smtpd_set_state(s, ST_START);
}

/* From the loop, once the owner knows its session. */
static void
start(void *arg)
{
	struct smtpd_verdict v = { SMTPD_OK, ERR_INIT };
	struct smtpd *s;

	OBJ_CAST(s, arg, SMTPD_MAGIC);
	/* It may have been told to stop before. */
	if (s->dead || s->state != ST_CONNECT)
		return;
	if (s->ops->connect != NULL &&
	    s->ops->connect(s->arg, &v) == SMTPD_WAIT)
		smtpd_ask(s, ASKED_CONNECT);
	else
		smtpd_resume(s, ASKED_CONNECT, &v);
	pump(s);
}

static void
connect_answered(struct smtpd *s, const struct smtpd_verdict *v)
{
	if (v->act == SMTPD_RESET) {
		sock_reset_on_close(stream_fd(s->stream));
		smtpd_end(s, SMTPD_END_CLOSED, NULL);
		return;
	}
	if (s->conf->implicit_tls) {
		/* In clear there is nobody to tell a refusal to. */
		if (v->act == SMTPD_OK && s->conf->tlsctx != NULL)
			smtpd_tls_start(s);
		else
			smtpd_end(s, SMTPD_END_CLOSED, &v->reply);
		return;
	}
	if (v->act == SMTPD_OK) {
		smtpd_greet(s);
		return;
	}
	/* 554 instead of a greeting: only QUIT is left (RFC 5321 3.1). */
	smtpd_answer_no(s, v);
	if (s->state == ST_CONNECT && !s->dead)
		smtpd_set_state(s, ST_REFUSED);
}

static void
on_input(void *arg)
{
	struct smtpd *s;

	OBJ_CAST(s, arg, SMTPD_MAGIC);
	if (s->dead)
		return;
	if (s->state == ST_CLOSING)
		stream_discard(s->stream);
	else
		pump(s);
}

/* Has who vanished said something that is still to be worked off? The answer to
 * an open question would else be for nobody, but for the last one: the message
 * may be safe by then. */
static bool
in_vain(const struct smtpd *s)
{
	if (s->asked == ASKED_NOTHING || s->asked == ASKED_EOM)
		return false;
	return s->broken || stream_in(s->stream).n == 0;
}

/* A client may have sent everything and closed its side while a question
 * is open: what has arrived is still worked off. */
static void
on_closed(void *arg, enum stream_end how, const struct err *why)
{
	struct smtpd *s;

	OBJ_CAST(s, arg, SMTPD_MAGIC);
	if (s->dead)
		return;
	s->eof = true;
	s->broken = how != STREAM_EOF;
	if (s->why == NULL && why != NULL)
		s->why = mem_dup(why, sizeof(*why));
	if (s->state == ST_TLS && s->asked == ASKED_NOTHING)
		smtpd_tls_lost(s, SMTPD_END_LOST, why);
	else if (!s->pumping && in_vain(s))
		smtpd_end(s, SMTPD_END_LOST, s->why);
	else
		pump(s);
}

static bool
output_full(struct smtpd *s)
{
	if (stream_out_len(s->stream) < OUT_MAX)
		return false;
	stream_flush(s->stream);
	return stream_out_len(s->stream) >= OUT_MAX;
}

/* One step through the input; false: nothing more can be done now. */
static bool
step(struct smtpd *s)
{
	if (s->dead || s->broken || s->asked != ASKED_NOTHING || output_full(s))
		return false;
	if (s->stopping && ((1 << s->state) & AT_TRANSIT) == 0 &&
	    s->state != ST_TLS && s->state != ST_CLOSING) {
		smtpd_close(
		    s, SMTPD_END_CLOSED, 421, "4.3.2", "Service shutting down");
		return false;
	}
	switch (s->state) {
	case ST_REFUSED:
	case ST_START:
	case ST_READY:
	case ST_MAIL:
	case ST_RCPT:
	case ST_BDAT:
	case ST_AUTH:
		return smtpd_command_input(s);
	case ST_DATA:
		return smtpd_data_input(s);
	case ST_CHUNK:
		return smtpd_chunk_input(s);
	case ST_CONNECT:
	case ST_EOM:
	case ST_TLS:
	case ST_CLOSING:
		return false;
	}
	panic("no such state: %d", (int)s->state);
}

/* Works off the input as far as it goes. */
static void
pump(struct smtpd *s)
{
	if (s->pumping || s->dead)
		return;
	s->pumping = true;
	while (step(s))
		;
	s->pumping = false;
	if (s->eof && !s->dead && s->asked == ASKED_NOTHING)
		smtpd_end(s, SMTPD_END_LOST, s->why);
}

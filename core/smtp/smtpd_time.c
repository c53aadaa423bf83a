/*
 * The clock of a session: one timer for the deadline of the state, of the
 * whole session, and for the looks at the rate of the content.
 *
 * A deadline moves with every command, the timer hardly ever: it is set
 * only when it would fire too late, and looks again when it fires too early.
 */
#include "smtp/smtpd_priv.h"

#include "base/obj.h"

#define CLOSING_TIMEOUT SECONDS(10) /* for the peer to take our last words */
#define RATE_EVERY	SECONDS(10)

static msec
patience(const struct smtpd *s)
{
	switch (s->state) {
	case ST_CONNECT:
	case ST_REFUSED:
	case ST_START:
	case ST_READY:
	case ST_MAIL:
	case ST_RCPT:
	case ST_BDAT:
	case ST_AUTH:
		return s->conf->idle_timeout;
	case ST_DATA:
	case ST_CHUNK:
		return s->conf->data_timeout;
	case ST_EOM:
		return 0; /* ours to be quick */
	case ST_TLS:
		return s->conf->tls_timeout;
	case ST_CLOSING:
		return CLOSING_TIMEOUT;
	}
	panic("no such state: %d", (int)s->state);
}

/* When the session is over, whatever it does; 0: never. A message on its way
 * may take as long again: a busy client does no harm, a slow one must end. */
static msec
session_end(const struct smtpd *s)
{
	msec total = s->conf->total_timeout;

	if (total == 0 || s->state == ST_CLOSING)
		return 0;
	if (((1 << s->state) & AT_TRANSIT) != 0)
		total *= 2;
	return s->started + total;
}

/* The next moment at which there is something to decide; 0: never. */
static msec
next_look(const struct smtpd *s)
{
	msec at = s->deadline, end = session_end(s);

	if (end > 0 && (at == 0 || end < at))
		at = end;
	if (s->rate_at > 0 && (at == 0 || s->rate_at < at))
		at = s->rate_at;
	return at;
}

static void
arm(struct smtpd *s)
{
	msec at = next_look(s);

	if (at == 0)
		return;
	if (loop_timer_armed(&s->timer) && s->armed_for <= at)
		return;
	s->armed_for = at;
	at -= clock_now();
	loop_timer_set(&s->timer, at > 0 ? at : 0);
}

void
smtpd_patience(struct smtpd *s)
{
	msec ms;

	if (s->dead)
		return;
	ms = patience(s);
	s->deadline = ms > 0 ? clock_now() + ms : 0;
	if (s->state != ST_DATA && s->state != ST_CHUNK)
		s->rate_at = 0;
	arm(s);
}

/* Content begins: a whole message, or a chunk. */
void
smtpd_rate_start(struct smtpd *s)
{
	if (s->dead || s->conf->min_rate == 0)
		return;
	s->rate_bytes = 0;
	s->rate_since = clock_now();
	s->rate_at = s->rate_since + RATE_EVERY;
	arm(s);
}

static bool
rate_too_low(struct smtpd *s, msec now)
{
	uint64_t due;

	if (s->rate_at == 0 || now < s->rate_at)
		return false;
	s->rate_at = now + RATE_EVERY;
	due = (uint64_t)(now - s->rate_since) / 1000 * s->conf->min_rate;
	return s->rate_bytes < due;
}

static void
expired(struct smtpd *s, const char *text)
{
	struct err why;

	(void)err_set(&why, 421, "4.4.2", "%s", text);
	if (s->state == ST_TLS)
		smtpd_tls_lost(s, SMTPD_END_CLOSED, &why);
	else if (s->state == ST_CLOSING)
		smtpd_end(s, s->how, s->why);
	else
		smtpd_close(s, SMTPD_END_CLOSED, 421, "4.4.2", text);
}

void
smtpd_timer_fired(void *arg)
{
	struct smtpd *s;
	msec now = clock_now(), end;

	OBJ_CAST(s, arg, SMTPD_MAGIC);
	/* While a question is open the client is not the slow one; the answer
	 * sets a new deadline. */
	if (s->dead || s->asked != ASKED_NOTHING)
		return;
	end = session_end(s);
	if (s->deadline > 0 && now >= s->deadline)
		expired(s, "Timeout exceeded");
	else if (end > 0 && now >= end)
		expired(s, "Session lasts too long");
	else if (rate_too_low(s, now))
		expired(s, "Client is too slow");
	else
		arm(s);
}

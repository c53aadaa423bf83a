/*
 * One transaction: MAIL, RCPT, DATA, the content and its end.
 *
 * Two cursors run over the commands' positions: what is sent and what is
 * answered; the second never passes the first. With PIPELINING the first runs
 * ahead up to DATA, else it waits for the second. DATA goes out before the
 * answers to RCPT are known (RFC 2920): when nobody was accepted and 354 comes
 * all the same, a lone dot ends it, and its reply counts for nothing.
 */
#include "base/obj.h"
#include "smtp/smtpc_priv.h"

enum {
	PUSH_MAX = 32768,    /* octets of commands that may wait unsent */
	LINE_ROOM = 8192,    /* more than the longest command line */
	FILL_HIGH = 65536,   /* octets of content that may wait unsent */
	FILL_ROUND = 1 << 20 /* in one round of the loop */
};

static void begin(struct smtpc *c);
static void unasked(struct smtpc *c);
static bool any_rcpt(const struct smtpc *c, bool sendable);
static unsigned at_data(const struct smtpc *c);
static enum smtpc_step step_at(const struct smtpc *c, unsigned pos);
static void go_on(struct smtpc *c);
static void push(struct smtpc *c);
static bool may_push(const struct smtpc *c, size_t waiting);
static void add_command(const struct smtpc *c, struct buf *out);
static void settle(struct smtpc *c);
static void tell_demand(struct smtpc *c, unsigned i, const struct err *why);
static void finish(struct smtpc *c, const struct smtpc_reply *r);
static void rset_answer(struct smtpc *c, const struct smtpc_reply *r);
static void mail_answer(struct smtpc *c, const struct smtpc_reply *r);
static void
rcpt_answer(struct smtpc *c, unsigned i, const struct smtpc_reply *r);
static void data_answer(struct smtpc *c, const struct smtpc_reply *r);
static void dot_answer(struct smtpc *c, const struct smtpc_reply *r);
static void fill(struct smtpc *c);
static bool fill_some(struct smtpc *c, size_t *sent);
static size_t put(struct smtpc *c, struct str piece);
static void end_of_data(struct smtpc *c);

/*
 * The owner is never called from inside smtpc_send(): what cannot begin at
 * once, or begins with bad news, waits for the loop.
 */
void
smtpc_send(struct smtpc *c, const struct smtpc_txn *txn)
{
	struct smtpc_run *run = &c->run;

	OBJ_CHECK(c, SMTPC_MAGIC);
	ASSERT(smtpc_is_ready(c) && txn->nrcpt > 0);
	*run = (struct smtpc_run){ .txn = txn };
	run->sent = c->needs_rset ? TXN_RSET : TXN_MAIL;
	run->answered = run->sent;
	run->utf8 = c->caps.smtputf8 && smtpc_needs_utf8(c);
	bodyout_init(&run->out);
	smtpc_set_step(c, step_at(c, run->sent));
	if (smtpc_unasked(c))
		smtpc_soon(c, unasked);
	else if (smtpc_demand_message(c, NULL) < 0 || any_rcpt(c, false))
		smtpc_soon(c, begin);
	else
		begin(c);
}

void
smtpc_source_ready(struct smtpc *c)
{
	OBJ_CHECK(c, SMTPC_MAGIC);
	if (c->ended || c->step != SMTPC_AT_CONTENT || !c->run.source_late)
		return;
	c->run.source_late = false;
	smtpc_soon(c, fill);
}

static void
unasked(struct smtpc *c)
{
	smtpc_end_protocol(c, "reply to nothing");
}

static void
begin(struct smtpc *c)
{
	struct smtpc_reply r;
	struct err why = ERR_INIT;
	unsigned i;

	if (smtpc_demand_message(c, &why) < 0) {
		r = smtpc_reply_made(c, SMTPC_FAIL_DEMAND, &why);
		finish(c, &r);
		return;
	}
	if (any_rcpt(c, true)) {
		c->run.begun = true;
		go_on(c);
		return;
	}
	for (i = 0; i < c->run.txn->nrcpt; i++) {
		(void)smtpc_demand_rcpt(c, i, &why);
		tell_demand(c, i, &why);
		if (c->ended)
			return;
	}
	finish(c, NULL);
}

/* Is there a recipient that can (or cannot) be sent to this peer? */
static bool
any_rcpt(const struct smtpc *c, bool sendable)
{
	unsigned i;

	for (i = 0; i < c->run.txn->nrcpt; i++) {
		if ((smtpc_demand_rcpt(c, i, NULL) == 0) == sendable)
			return true;
	}
	return false;
}

static void
tell_demand(struct smtpc *c, unsigned i, const struct err *why)
{
	struct smtpc_reply r = smtpc_reply_made(c, SMTPC_FAIL_DEMAND, why);

	r.step = SMTPC_AT_RCPT;
	c->ops->rcpt(c->arg, i, &r);
}

static unsigned
at_data(const struct smtpc *c)
{
	return TXN_RCPT + c->run.txn->nrcpt;
}

static enum smtpc_step
step_at(const struct smtpc *c, unsigned pos)
{
	if (pos == TXN_RSET)
		return SMTPC_AT_RSET;
	if (pos == TXN_MAIL)
		return SMTPC_AT_MAIL;
	if (pos < at_data(c))
		return SMTPC_AT_RCPT;
	return pos == at_data(c) ? SMTPC_AT_DATA : SMTPC_AT_DOT;
}

/* Behind each answer, and when the output has drained. */
static void
go_on(struct smtpc *c)
{
	struct smtpc_run *run = &c->run;

	settle(c);
	if (c->ended)
		return;
	if (run->answered == run->sent && smtpc_unasked(c)) {
		unasked(c);
		return;
	}
	push(c);
	if (c->ended)
		return;
	if (run->sent > run->answered) {
		smtpc_set_step(c, step_at(c, run->answered));
		return;
	}
	if (run->mail_refused)
		finish(c, &c->kept);
	else if (run->answered == at_data(c) && run->accepted == 0)
		finish(c, NULL);
	/* Else a full output buffer holds us up. */
}

static void
push(struct smtpc *c)
{
	struct buf out;

	buf_init(&out, PUSH_MAX + LINE_ROOM);
	for (;;) {
		settle(c);
		if (c->ended || !may_push(c, buf_len(&out)))
			break;
		add_command(c, &out);
		c->run.sent++;
	}
	if (!c->ended && buf_len(&out) > 0)
		stream_write(c->stream, buf_p(&out), buf_len(&out));
	buf_fini(&out);
}

static bool
may_push(const struct smtpc *c, size_t waiting)
{
	const struct smtpc_run *run = &c->run;

	if (run->sent > at_data(c) || run->mail_refused)
		return false;
	if (run->sent > run->answered && !c->caps.pipelining)
		return false;
	if (run->answered == at_data(c) && run->accepted == 0)
		return false;
	return stream_out_len(c->stream) + waiting < PUSH_MAX;
}

static void
add_command(const struct smtpc *c, struct buf *out)
{
	unsigned pos = c->run.sent;

	if (pos == TXN_RSET)
		(void)buf_add_c(out, "RSET\r\n");
	else if (pos == TXN_MAIL)
		smtpc_line_mail(c, out);
	else if (pos == at_data(c))
		(void)buf_add_c(out, "DATA\r\n");
	else if (smtpc_demand_rcpt(c, pos - TXN_RCPT, NULL) == 0)
		smtpc_line_rcpt(c, pos - TXN_RCPT, out);
}

/* Recipients that were passed over need no answer. */
static void
settle(struct smtpc *c)
{
	struct smtpc_run *run = &c->run;
	struct err why = ERR_INIT;

	while (run->answered < run->sent && run->answered >= TXN_RCPT &&
	       run->answered < at_data(c) &&
	       smtpc_demand_rcpt(c, run->answered - TXN_RCPT, &why) < 0) {
		run->answered++;
		if (run->mail_refused)
			continue;
		tell_demand(c, run->answered - 1 - TXN_RCPT, &why);
		if (c->ended)
			return;
	}
}

static void
finish(struct smtpc *c, const struct smtpc_reply *r)
{
	smtpc_set_ready(c);
	c->ops->done(c->arg, r);
}

void
smtpc_txn_answer(struct smtpc *c, const struct smtpc_reply *r)
{
	struct smtpc_run *run = &c->run;
	unsigned pos = run->answered;

	if (pos == run->sent) {
		unasked(c);
		return;
	}
	if (r->code / 100 == 3 && pos != at_data(c)) {
		smtpc_end_protocol(c, "unexpected 3yz reply");
		return;
	}
	run->answered++;
	if (pos == TXN_RSET)
		rset_answer(c, r);
	else if (pos == TXN_MAIL)
		mail_answer(c, r);
	else if (pos < at_data(c))
		rcpt_answer(c, pos - TXN_RCPT, r);
	else if (pos == at_data(c))
		data_answer(c, r);
	else
		dot_answer(c, r);
}

static void
rset_answer(struct smtpc *c, const struct smtpc_reply *r)
{
	if (r->code / 100 != 2) {
		smtpc_end(c, r, true);
		return;
	}
	c->needs_rset = false;
	go_on(c);
}

static void
mail_answer(struct smtpc *c, const struct smtpc_reply *r)
{
	if (r->code / 100 == 2) {
		c->needs_rset = true;
	} else {
		smtpc_keep(c, r);
		c->run.mail_refused = true;
	}
	go_on(c);
}

/* After a refused MAIL the others' replies say nothing about recipients. */
static void
rcpt_answer(struct smtpc *c, unsigned i, const struct smtpc_reply *r)
{
	if (!c->run.mail_refused) {
		if (r->code / 100 == 2)
			c->run.accepted++;
		c->ops->rcpt(c->arg, i, r);
	}
	if (!c->ended)
		go_on(c);
}

static void
data_answer(struct smtpc *c, const struct smtpc_reply *r)
{
	struct smtpc_run *run = &c->run;

	switch (r->code / 100) {
	case 2:
		smtpc_end_protocol(c, "DATA was answered with 2yz");
		return;
	case 3:
		if (smtpc_unasked(c)) {
			unasked(c);
		} else if (run->accepted == 0) {
			run->empty = true;
			stream_write(c->stream, ".\r\n", 3);
			run->sent++;
			smtpc_set_step(c, SMTPC_AT_DOT);
		} else {
			smtpc_set_step(c, SMTPC_AT_CONTENT);
			fill(c);
		}
		return;
	}
	if (run->mail_refused)
		finish(c, &c->kept);
	else
		finish(c, run->accepted > 0 ? r : NULL);
}

static void
dot_answer(struct smtpc *c, const struct smtpc_reply *r)
{
	struct smtpc_run *run = &c->run;

	c->needs_rset = false;
	if (run->mail_refused) {
		finish(c, &c->kept);
	} else if (run->empty) {
		finish(c, NULL);
	} else {
		if (r->code / 100 == 2)
			c->messages++;
		finish(c, r);
	}
}

/* A reply while the content is on its way: the peer has seen enough. It may
 * mean a refusal, never an acceptance. */
void
smtpc_txn_early(struct smtpc *c, const struct smtpc_reply *r)
{
	if (r->code / 100 >= 4)
		smtpc_end(c, r, false);
	else
		unasked(c);
}

void
smtpc_txn_drained(struct smtpc *c)
{
	if (c->run.txn == NULL || !c->run.begun || c->run.filling)
		return;
	if (c->step == SMTPC_AT_CONTENT) {
		if (!c->run.source_late)
			fill(c);
	} else if (c->run.sent <= at_data(c)) {
		go_on(c);
	}
}

/* Content into the stream, until it is full, the source is empty, or others
 * shall have their turn. */
static void
fill(struct smtpc *c)
{
	size_t sent = 0;

	if (c->step != SMTPC_AT_CONTENT || c->run.filling)
		return;
	c->run.filling = true;
	smtpc_patience(c);
	while (fill_some(c, &sent))
		continue;
	c->run.filling = false;
}

static bool
fill_some(struct smtpc *c, size_t *sent)
{
	struct smtpc_run *run = &c->run;
	struct str piece = STR_NULL;

	if (stream_out_len(c->stream) >= FILL_HIGH)
		return false; /* drained() follows */
	if (*sent >= FILL_ROUND) {
		smtpc_soon(c, fill);
		return false;
	}
	if (!run->header_sent) {
		run->header_sent = true;
		*sent += put(c, run->txn->header);
	}
	switch (run->txn->source.next(run->txn->source.arg, &piece)) {
	case SMTPC_MORE_DATA:
		if (c->ended)
			return false;
		*sent += put(c, piece);
		return true;
	case SMTPC_MORE_EOF:
		if (!c->ended)
			end_of_data(c);
		return false;
	case SMTPC_MORE_LATER:
		run->source_late = true;
		return false;
	case SMTPC_MORE_ERROR:
		if (!c->ended)
			smtpc_end_fail(c, SMTPC_FAIL_SOURCE, false, "4.3.0",
			    "the message could not be read");
		return false;
	}
	panic("source");
}

static size_t
put(struct smtpc *c, struct str piece)
{
	struct buf stuffed;

	if (piece.n == 0)
		return 0;
	if (bodyout_plain(&c->run.out, piece.p, piece.n)) {
		stream_write(c->stream, piece.p, piece.n);
		return piece.n;
	}
	buf_init(&stuffed, 2 * piece.n + 4);
	bodyout_feed(&c->run.out, piece.p, piece.n, &stuffed);
	stream_write(c->stream, buf_p(&stuffed), buf_len(&stuffed));
	buf_fini(&stuffed);
	return piece.n;
}

static void
end_of_data(struct smtpc *c)
{
	struct buf end;

	buf_init(&end, LINE_ROOM);
	bodyout_end(&c->run.out, &end);
	stream_write(c->stream, buf_p(&end), buf_len(&end));
	buf_fini(&end);
	c->run.sent++;
	smtpc_set_step(c, SMTPC_AT_DOT);
}

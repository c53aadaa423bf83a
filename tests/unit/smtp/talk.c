#include "talk.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/obj.h"
#include "smtp/smtpc_priv.h"
#include "unit.h"

#define TALKER_MAGIC 0x7a1ce401u

enum { PATIENCE = 20000, HEARD_MAX = 8 << 20 };

struct talker {
	unsigned magic;
	struct talk *t;
	struct loop *loop;
	struct smtpc *client;
	bool closed;
	/* the server */
	struct stream *server;
	bool shaking;
	struct buf heard;
	const char *const *at;
	struct loop_timer said;
	/* the message under way */
	unsigned next;
	struct envelope env;
	struct rcpt rcpt[TALK_RCPTS];
	struct rcpt *rcpts[TALK_RCPTS];
	struct smtpc_txn txn;
	size_t body_at;
	unsigned callbacks;
	struct loop_timer later;
	bool was_late;
	bool tested;
};

static void server_go_on(struct talker *k);

static const char *const fails[] = { "none", "NETWORK", "LOST", "TIMEOUT",
	"PROTOCOL", "TLS", "TLS_REFUSED", "AUTH", "DEMAND", "SOURCE" };

/* " [name-mismatch begun cert]", " [starttls-refused 454 no]" */
static void
tell_tls(struct buf *b, const struct smtpc_reply *r)
{
	if (r->tls_reason == TLSR_NONE)
		return;
	(void)buf_printf(b, " [%s%s%s", tls_reason_word(r->tls_reason),
	    r->tls_begun ? " begun" : "", r->tls_cert ? " cert" : "");
	if (r->said.n > 0)
		(void)buf_printf(b, " %d %.*s", r->code, STR_FMT(r->said));
	ck_assert(
	    r->tls_failure == NULL || r->tls_failure->reason == r->tls_reason);
	(void)buf_add_c(b, "]");
}

static void
tell_reply(struct talker *k, const struct smtpc_reply *r)
{
	struct buf *b = &k->t->told;

	if (r == NULL)
		(void)buf_add_c(b, " nothing\n");
	else if (r->fail == SMTPC_FAIL_NONE)
		(void)buf_printf(b, " %d %s|%.*s|%s\n", r->code, r->enh,
		    STR_FMT(r->text), smtpc_step_phrase(r->step));
	else {
		(void)buf_printf(b, " %s %s|%.*s|%s", fails[r->fail], r->enh,
		    STR_FMT(r->text), smtpc_step_phrase(r->step));
		tell_tls(b, r);
		(void)buf_add_c(b, "\n");
	}
}

/* True if the client is gone with this. */
static bool
destroyed(struct talker *k)
{
	if (++k->callbacks != k->t->destroy_at)
		return false;
	smtpc_destroy(&k->client);
	k->closed = true;
	return true;
}

static enum smtpc_more
next_piece(void *arg, struct str *piece_r)
{
	const struct talk_message *m;
	struct talker *k;
	size_t left;

	OBJ_CAST(k, arg, TALKER_MAGIC);
	m = &k->t->message[k->next - 1];
	left = strlen(m->body) - k->body_at;
	if (m->late && !k->was_late) {
		k->was_late = true;
		loop_timer_set(&k->later, 1);
		return SMTPC_MORE_LATER;
	}
	k->was_late = false;
	if (m->stuck && k->body_at > 0)
		return SMTPC_MORE_LATER;
	if (m->broken && k->body_at > 0)
		return SMTPC_MORE_ERROR;
	if (left == 0)
		return SMTPC_MORE_EOF;
	if (m->piece > 0 && left > m->piece)
		left = m->piece;
	*piece_r = str_n(m->body + k->body_at, left);
	k->body_at += left;
	return SMTPC_MORE_DATA;
}

static void
on_later(void *arg)
{
	struct talker *k;

	OBJ_CAST(k, arg, TALKER_MAGIC);
	if (k->client != NULL)
		smtpc_source_ready(k->client);
}

static void
make_addr(struct addr *a, const char *text)
{
	size_t at;

	memset(a, 0, sizeof(*a));
	a->full = str_c(text);
	for (at = a->full.n; at > 0 && a->full.p[at - 1] != '@'; at--)
		continue;
	a->local = str_n(text, at > 0 ? at - 1 : a->full.n);
	a->domain = at > 0 ? str_n(text + at, a->full.n - at) : STR("");
}

static void
send_next(struct talker *k)
{
	const struct talk_message *m = &k->t->message[k->next++];
	unsigned n;

	memset(&k->env, 0, sizeof(k->env));
	memset(k->rcpt, 0, sizeof(k->rcpt));
	make_addr(&k->env.sender, m->from);
	k->env.flags = m->flags;
	k->env.envid = m->envid == NULL ? STR("") : str_c(m->envid);
	for (n = 0; n < TALK_RCPTS && m->to[n] != NULL; n++) {
		make_addr(&k->rcpt[n].addr, m->to[n]);
		k->rcpt[n].rid = n;
		k->rcpt[n].orcpt = m->orcpt == NULL ? STR("") : str_c(m->orcpt);
		k->rcpt[n].notify = m->notify;
		k->rcpts[n] = &k->rcpt[n];
	}
	k->body_at = 0;
	k->was_late = false;
	k->txn = (struct smtpc_txn){
		.env = &k->env, .rcpt = k->rcpts, .nrcpt = n, .dsn_relay = true
	};
	k->txn.header = m->header == NULL ? STR("") : str_c(m->header);
	k->txn.size =
	    m->size != 0 ? m->size : k->txn.header.n + strlen(m->body);
	k->txn.source.next = next_piece;
	k->txn.source.arg = k;
	smtpc_send(k->client, &k->txn);
}

static void
go_on(struct talker *k)
{
	ck_assert(smtpc_is_ready(k->client));
	if (k->t->tester != NULL && !k->tested) {
		k->tested = true;
		smtpc_mail(k->client, str_c(k->t->tester));
	} else if (k->next < k->t->messages)
		send_next(k);
	else
		smtpc_quit(k->client);
}

static void
on_connected(void *arg)
{
	struct talker *k;

	OBJ_CAST(k, arg, TALKER_MAGIC);
	(void)buf_add_c(&k->t->told, "connected\n");
	(void)destroyed(k);
}

static void
on_tls(void *arg, const struct tls_info *info, const struct smtpc_reply *why)
{
	struct talker *k;

	OBJ_CAST(k, arg, TALKER_MAGIC);
	(void)buf_add_c(&k->t->told, "tls");
	if (info != NULL) {
		ck_assert_ptr_eq(smtpc_tls(k->client), info);
		(void)buf_printf(&k->t->told, " %s\n", info->version);
	} else {
		tell_reply(k, why);
	}
	(void)destroyed(k);
}

static void
on_ready(void *arg)
{
	struct talker *k;

	OBJ_CAST(k, arg, TALKER_MAGIC);
	(void)buf_add_c(&k->t->told, "ready\n");
	if (!destroyed(k))
		go_on(k);
}

static void
on_rcpt(void *arg, unsigned i, const struct smtpc_reply *r)
{
	struct talker *k;

	OBJ_CAST(k, arg, TALKER_MAGIC);
	(void)buf_printf(&k->t->told, "rcpt %u", i);
	tell_reply(k, r);
	(void)destroyed(k);
}

static void
on_done(void *arg, const struct smtpc_reply *r)
{
	struct talker *k;

	OBJ_CAST(k, arg, TALKER_MAGIC);
	(void)buf_add_c(&k->t->told, "done");
	tell_reply(k, r);
	if (!destroyed(k))
		go_on(k);
}

static void
on_client_closed(void *arg, const struct smtpc_reply *r)
{
	struct talker *k;

	OBJ_CAST(k, arg, TALKER_MAGIC);
	ck_assert(!k->closed);
	(void)buf_add_c(&k->t->told, "closed");
	tell_reply(k, r);
	if (destroyed(k))
		return;
	k->closed = true;
	smtpc_destroy(&k->client);
}

static void
on_said(void *arg, const struct smtpc_reply *r, struct str line)
{
	struct talker *k;

	OBJ_CAST(k, arg, TALKER_MAGIC);
	if (k->t->tester == NULL)
		return;
	if (r == NULL)
		(void)buf_printf(&k->t->told, "> %.*s", STR_FMT(line));
	else
		(void)buf_printf(&k->t->told, "< %d %.*s\n", r->code,
		    STR_FMT(r->text));
}

static const struct smtpc_ops client_ops = {
	.connected = on_connected,
	.tls = on_tls,
	.ready = on_ready,
	.rcpt = on_rcpt,
	.done = on_done,
	.closed = on_client_closed,
	.said = on_said,
};

static void
say(struct talker *k, const char *p, size_t n)
{
	size_t piece;

	while (n > 0) {
		piece = k->t->cut > 0 && k->t->cut < n ? k->t->cut : n;
		stream_write(k->server, p, piece);
		if (k->t->cut > 0)
			stream_flush(k->server);
		p += piece;
		n -= piece;
	}
}

static void
on_handshake(void *arg, bool ok, const struct err *why)
{
	struct talker *k;

	(void)why;
	OBJ_CAST(k, arg, TALKER_MAGIC);
	k->shaking = false;
	if (ok)
		server_go_on(k);
}

/* Goes through the script as far as it can; false: must wait. */
static bool
script_step(struct talker *k)
{
	const char *line = *k->at;
	size_t n = strlen(line + 1), end = line[0] == 'C' ? 2 : 0;

	switch (line[0]) {
	case 'C':
	case 'B':
		if (buf_len(&k->heard) < n + end)
			n = buf_len(&k->heard) > end ? buf_len(&k->heard) - end
						     : 0;
		ck_assert_msg(memcmp(buf_p(&k->heard), line + 1, n) == 0,
		    "expected \"%s\", heard \"%s\"", line, buf_p(&k->heard));
		if (n < strlen(line + 1))
			return false;
		ck_assert_msg(memcmp(buf_p(&k->heard) + n, "\r\n", end) == 0,
		    "no end of line: \"%s\"", buf_p(&k->heard));
		buf_consume(&k->heard, n + end);
		return true;
	case 'S':
	case 'R':
		ck_assert_msg(buf_len(&k->heard) == 0,
		    "before \"%s\" heard \"%s\"", line, buf_p(&k->heard));
		say(k, line + 1, n);
		if (line[0] == 'S')
			say(k, "\r\n", 2);
		return true;
	case 'D':
		n = buf_len(&k->heard);
		buf_consume(&k->heard, n);
		return n > 0;
	case 'X':
		stream_destroy(&k->server);
		return true;
	case 'T':
		stream_flush(k->server);
		k->shaking = true;
		(void)tlsio_start(
		    k->server, k->t->server_tls, NULL, on_handshake, k);
		return true;
	}
	ck_abort_msg("script line \"%s\"", line);
	return false;
}

static void
server_go_on(struct talker *k)
{
	while (*k->at != NULL && !k->shaking &&
	       (k->server != NULL || **k->at == 'X')) {
		if (!script_step(k))
			return;
		k->at++;
	}
}

static void
on_input(void *arg)
{
	struct talker *k;
	struct str in;

	OBJ_CAST(k, arg, TALKER_MAGIC);
	in = stream_in(k->server);
	k->t->packets++;
	(void)buf_add_str(&k->heard, in);
	stream_consume(k->server, in.n);
	server_go_on(k);
}

static void
on_server_closed(void *arg, enum stream_end how, const struct err *why)
{
	struct talker *k;

	(void)how;
	(void)why;
	OBJ_CAST(k, arg, TALKER_MAGIC);
	stream_destroy(&k->server);
}

static const struct stream_ops server_ops = {
	.input = on_input,
	.closed = on_server_closed,
};

static bool
heard(const struct talker *k, const char *what)
{
	return memmem(buf_p(&k->heard), buf_len(&k->heard), what,
		   strlen(what)) != NULL;
}

void
talk_init(struct talk *t)
{
	memset(t, 0, sizeof(*t));
	t->conf.helo = "me.test";
	t->conf.host = "mx.test";
	t->conf.domain = STR("test");
	buf_init(&t->told, 1 << 20);
}

void
talk_fini(struct talk *t)
{
	buf_fini(&t->told);
}

void
talk_run(struct talk *t)
{
	struct talker *k;
	msec end;
	int fd[2];

	OBJ_NEW(k, TALKER_MAGIC);
	k->t = t;
	k->at = t->script;
	buf_init(&k->heard, HEARD_MAX);
	ck_assert_int_eq(
	    socketpair(AF_UNIX,
		(t->seqpacket || t->cut > 0 ? SOCK_SEQPACKET : SOCK_STREAM) |
		    SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, fd),
	    0);
	k->loop = loop_new();
	loop_timer_init(k->loop, &k->later, on_later, k);
	k->server = stream_new(k->loop, fd[1], 1 << 20, &server_ops, k);
	k->client = smtpc_alloc(k->loop, &t->conf, &client_ops, k);
	smtpc_adopt(k->client, stream_new(k->loop, fd[0], 4096, NULL, NULL));
	server_go_on(k);
	end = clock_now() + PATIENCE;
	while ((!k->closed || k->server != NULL) && clock_now() < end) {
		/* The timer bounds a wait for what never comes. */
		if (!loop_timer_armed(&k->later) && k->client == NULL)
			loop_timer_set(&k->later, 100);
		loop_once(k->loop, true);
		if (k->closed && *k->at == NULL)
			stream_destroy(&k->server);
	}
	ck_assert_msg(k->closed, "never closed; told \"%s\"", buf_p(&t->told));
	t->complete =
	    *k->at == NULL && (t->hello_is_enough || buf_len(&k->heard) == 0);
	t->spoke_clear = heard(k, "EHLO ") || heard(k, "QUIT\r");
	ck_assert_msg(t->destroy_at > 0 || t->complete,
	    "script stands at \"%s\", heard \"%s\", told \"%s\"",
	    *k->at == NULL ? "end" : *k->at, buf_p(&k->heard), buf_p(&t->told));
	smtpc_destroy(&k->client);
	stream_destroy(&k->server);
	loop_timer_clear(&k->later);
	loop_once(k->loop, false);
	loop_destroy(&k->loop);
	buf_fini(&k->heard);
	OBJ_FREE(k);
}

void
talk_check(struct talk *t, const char *told)
{
	talk_run(t);
	ck_assert_str_eq(buf_p(&t->told), told);
	talk_fini(t);
}

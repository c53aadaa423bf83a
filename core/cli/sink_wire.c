#include "cli/sink_wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/coll.h"
#include "base/file.h"
#include "base/obj.h"
#include "cli/sink_capture.h"
#include "smtp/smtpd.h"

#define SINK_WIRES_MAGIC 0x51c40003u
#define SINK_WIRE_MAGIC	 0x51c40004u

enum {
	LINE_LIMIT = 4096,    /* a longer one is no command */
	OUT_MAX = 256 * 1024, /* octets that wait for a slow side */
	RECORD_HEAD = 5,
	HELLO_MAX = 1000 /* octets of a first record, for 220-bighello */
};

enum talk {
	TALK_LINES,  /* commands are looked at */
	TALK_ASKED,  /* STARTTLS went through; its answer is to come */
	TALK_HELLO,  /* the first octets of the handshake are to come */
	TALK_DEAF,   /* everything is thrown away */
	TALK_THROUGH /* everything passes */
};

struct sink_wires {
	unsigned magic;
	struct loop *loop;
	loop_fn *idle;
	void *arg;
	TAILQ_HEAD(, sink_wire) all;
};

struct sink_wire {
	unsigned magic;
	TAILQ_ENTRY(sink_wire) link;
	struct sink_wires *wires;
	uint64_t number;
	enum sink_fault road;
	unsigned code;
	enum talk talk;
	unsigned owed; /* replies that the session has not given yet */
	struct stream *peer, *session;
	struct sink_capture capture;
	bool eof;   /* the peer sends no more */
	bool told;  /* and the session knows, or there is nothing to tell */
	bool reset; /* to be ended with a reset */
};

static int open_pair(int fd[2], struct err *why);
static void open_capture(struct sink_wire *w, const struct sink_wire_conf *conf,
    const struct sock_addr *local);
static void end(struct sink_wire *w, const char *why);
static void on_peer_input(void *arg);
static void on_session_input(void *arg);
static void on_drained(void *arg);
static void
on_peer_closed(void *arg, enum stream_end how, const struct err *why);
static void
on_session_closed(void *arg, enum stream_end how, const struct err *why);
static void read_peer(struct sink_wire *w);
static void read_octets(struct sink_wire *w);
static void pass_eof(struct sink_wire *w);
static bool read_command(struct sink_wire *w);
static bool command(struct sink_wire *w, struct str line);
static bool starttls(struct sink_wire *w);
static void hello(struct sink_wire *w, struct str octets);
static size_t record_len(struct str octets);
static void read_session(struct sink_wire *w);
static bool says_ready(struct str in);
static bool read_reply(struct sink_wire *w);
static void reply(struct sink_wire *w, struct str line);
static void say(struct sink_wire *w, struct str octets);
static void hang_up(struct sink_wire *w, bool reset);
static void to_peer(struct sink_wire *w, struct str octets);
static void to_session(struct sink_wire *w, struct str octets);

static const struct stream_ops peer_ops = {
	.input = on_peer_input, .drained = on_drained, .closed = on_peer_closed
};
static const struct stream_ops session_ops = { .input = on_session_input,
	.drained = on_drained,
	.closed = on_session_closed };

struct sink_wires *
sink_wires_new(struct loop *l, loop_fn *idle, void *arg)
{
	struct sink_wires *ws;

	OBJ_NEW(ws, SINK_WIRES_MAGIC);
	ws->loop = l;
	ws->idle = idle;
	ws->arg = arg;
	TAILQ_INIT(&ws->all);
	return ws;
}

void
sink_wires_destroy(struct sink_wires **wsp)
{
	struct sink_wires *ws = *wsp;

	if (ws == NULL)
		return;
	OBJ_CHECK(ws, SINK_WIRES_MAGIC);
	*wsp = NULL;
	ws->idle = NULL;
	while (!TAILQ_EMPTY(&ws->all))
		end(TAILQ_FIRST(&ws->all), "the sink ends");
	OBJ_FREE(ws);
}

bool
sink_wire_needed(const struct sink_wire_conf *conf)
{
	return conf->dir != NULL ||
	       (conf->road != FAULT_NONE && conf->road != FAULT_NOSTARTTLS);
}

struct stream *
sink_wires_add(struct sink_wires *ws, int fd, const struct sink_wire_conf *conf,
    struct err *why)
{
	struct sock_addr local = { .len = 0 };
	struct stream *session;
	struct sink_wire *w;
	int pair[2];

	OBJ_CHECK(ws, SINK_WIRES_MAGIC);
	(void)sock_local(fd, &local);
	if (open_pair(pair, why) < 0) {
		file_close(&fd);
		return NULL;
	}
	OBJ_NEW(w, SINK_WIRE_MAGIC);
	w->wires = ws;
	w->number = conf->number;
	w->road = conf->road;
	w->code = conf->code;
	w->owed = 1; /* the greeting */
	open_capture(w, conf, &local);
	TAILQ_INSERT_TAIL(&ws->all, w, link);
	w->peer = stream_new(ws->loop, fd, SMTPD_IN_MAX, &peer_ops, w);
	w->session =
	    stream_new(ws->loop, pair[0], SMTPD_IN_MAX, &session_ops, w);
	session = stream_new(ws->loop, pair[1], SMTPD_IN_MAX, NULL, NULL);
	stream_peer_set(session, conf->peer, &local);
	return session;
}

void
sink_wires_note(
    struct sink_wires *ws, uint64_t number, bool up, const char *text)
{
	struct sink_wire *w;

	OBJ_CHECK(ws, SINK_WIRES_MAGIC);
	TAILQ_FOREACH (w, &ws->all, link) {
		if (w->number != number)
			continue;
		if (up)
			w->capture.phase = PHASE_TLS;
		sink_capture_note(&w->capture, text);
		return;
	}
}

void
sink_wires_stop(struct sink_wires *ws)
{
	struct sink_wire *w, *next;

	OBJ_CHECK(ws, SINK_WIRES_MAGIC);
	TAILQ_FOREACH_SAFE (w, &ws->all, link, next) {
		if (w->talk == TALK_HELLO || w->talk == TALK_DEAF)
			end(w, "the sink ends");
	}
}

bool
sink_wires_idle(const struct sink_wires *ws)
{
	OBJ_CHECK(ws, SINK_WIRES_MAGIC);
	return TAILQ_EMPTY(&ws->all);
}

static int
open_pair(int fd[2], struct err *why)
{
	if (socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) < 0)
		return err_errno(why, "socketpair");
	return 0;
}

static void
open_capture(struct sink_wire *w, const struct sink_wire_conf *conf,
    const struct sock_addr *local)
{
	char text[256], from[SOCK_TEXT_MAX], to[SOCK_TEXT_MAX], now[40];
	struct err why = ERR_INIT;
	char fault[32];

	w->capture.fd = -1;
	if (conf->dir == NULL)
		return;
	if (sink_capture_open(&w->capture, conf->dir, conf->number, &why) < 0) {
		(void)fprintf(stderr, "postern sink: %s\n", why.text);
		return;
	}
	clock_rfc3339(now, sizeof(now), clock_wall());
	(void)sink_fault_text(conf->road, conf->code, fault, sizeof(fault));
	(void)snprintf(text, sizeof(text),
	    "connection %" PRIu64 " from %s to %s at %s %s", conf->number,
	    sock_addr_text(conf->peer, from, sizeof(from)),
	    sock_addr_text(local, to, sizeof(to)), now, fault);
	sink_capture_note(&w->capture, text);
}

/* What waits is tried once more. */
static void
end(struct sink_wire *w, const char *why)
{
	struct sink_wires *ws = w->wires;

	sink_capture_note(&w->capture, why);
	sink_capture_close(&w->capture);
	TAILQ_REMOVE(&ws->all, w, link);
	stream_destroy(&w->peer);
	stream_destroy(&w->session);
	OBJ_FREE(w);
	if (TAILQ_EMPTY(&ws->all) && ws->idle != NULL)
		loop_defer(ws->loop, ws->idle, ws->arg);
}

static void
on_peer_input(void *arg)
{
	struct sink_wire *w;

	OBJ_CAST(w, arg, SINK_WIRE_MAGIC);
	read_peer(w);
}

static void
on_session_input(void *arg)
{
	struct sink_wire *w;

	OBJ_CAST(w, arg, SINK_WIRE_MAGIC);
	read_session(w);
}

static void
on_drained(void *arg)
{
	struct sink_wire *w;

	OBJ_CAST(w, arg, SINK_WIRE_MAGIC);
	stream_resume(w->peer);
	stream_resume(w->session);
}

/* What the session still says is for nobody if the connection broke. */
static void
on_peer_closed(void *arg, enum stream_end how, const struct err *why)
{
	struct sink_wire *w;

	OBJ_CAST(w, arg, SINK_WIRE_MAGIC);
	(void)why;
	if (how != STREAM_EOF || w->told || w->talk == TALK_DEAF ||
	    w->talk == TALK_HELLO) {
		end(w, how == STREAM_EOF ? "closed" : "broken");
		return;
	}
	sink_capture_note(&w->capture, "the peer sends no more");
	w->eof = true;
	read_peer(w);
}

/* A fault that waits for its peer goes on without a session. */
static void
on_session_closed(void *arg, enum stream_end how, const struct err *why)
{
	struct sink_wire *w;
	struct str in;

	OBJ_CAST(w, arg, SINK_WIRE_MAGIC);
	(void)how;
	(void)why;
	if (w->talk == TALK_HELLO || w->talk == TALK_DEAF)
		return;
	in = stream_in(w->session);
	if (in.n > 0)
		to_peer(w, in);
	stream_discard(w->session);
	if (w->eof) {
		end(w, "closed");
		return;
	}
	w->told = true;
	w->talk = TALK_DEAF;
	sink_capture_note(&w->capture, "the sink sends no more");
	(void)shutdown(stream_fd(w->session), SHUT_WR);
	stream_finish(w->peer);
}

/* The last to touch the wire, which may be gone afterwards. */
static void
read_peer(struct sink_wire *w)
{
	while (w->talk == TALK_LINES && read_command(w))
		;
	if (w->talk != TALK_LINES && w->talk != TALK_ASKED)
		read_octets(w);
	if (w->reset)
		end(w, "reset");
	else if (w->eof && (w->talk == TALK_HELLO || w->talk == TALK_DEAF))
		end(w, "closed");
	else if (w->eof && !w->told &&
		 (w->talk == TALK_THROUGH || w->owed == 0))
		pass_eof(w);
}

static void
read_octets(struct sink_wire *w)
{
	struct str in = stream_in(w->peer);

	if (w->talk == TALK_HELLO) {
		hello(w, in);
		return;
	}
	if (in.n == 0)
		return;
	sink_capture_octets(&w->capture, '<', in);
	if (w->talk == TALK_THROUGH)
		stream_write(w->session, in.p, in.n);
	stream_discard(w->peer);
	if (stream_out_len(w->session) > OUT_MAX)
		stream_pause(w->peer);
}

/* Its answers are still wanted, unless it does not read ours. */
static void
pass_eof(struct sink_wire *w)
{
	w->told = true;
	stream_flush(w->session);
	if (stream_out_len(w->session) == 0)
		(void)shutdown(stream_fd(w->session), SHUT_WR);
	else
		stream_finish(w->session);
}

/* One at a time, so that our answers are in order among the session's. What
 * is no line of SMTP gets no answer of its own: the session sees to it. */
static bool
read_command(struct sink_wire *w)
{
	struct str in = stream_in(w->peer);
	size_t n = str_find(in, '\n');
	bool pass;

	if (w->owed > 0)
		return false;
	if (n == in.n && n < LINE_LIMIT)
		return false;
	if (n == in.n || n == 0 || in.p[n - 1] != '\r') {
		w->talk = TALK_THROUGH;
		return false;
	}
	in.n = n + 1;
	sink_capture_octets(&w->capture, '<', in);
	pass = command(w, in);
	if (w->talk == TALK_DEAF) {
		stream_discard(w->peer);
		return false;
	}
	if (pass)
		to_session(w, in);
	stream_consume(w->peer, in.n);
	return true;
}

/* False: the session does not hear of it. */
static bool
command(struct sink_wire *w, struct str line)
{
	struct str word, rest = str_trim(line);

	while (rest.n > 0 &&
	       (rest.p[rest.n - 1] == '\n' || rest.p[rest.n - 1] == '\r'))
		rest.n--;
	if (!str_word(&rest, &word))
		return true;
	if (str_ieq_c(word, "EHLO") && w->road == FAULT_NOEHLO) {
		say(w, STR("500 5.5.1 Command unrecognized\r\n"));
		return false;
	}
	if (str_ieq_c(word, "STARTTLS"))
		return starttls(w);
	if (str_ieq_c(word, "DATA") || str_ieq_c(word, "BDAT"))
		w->talk = TALK_THROUGH;
	return true;
}

static bool
starttls(struct sink_wire *w)
{
	char text[64];

	if (w->road == FAULT_NOEHLO || w->road == FAULT_XXXX) {
		say(w, STR("500 5.5.1 Command unrecognized\r\n"));
	} else if (w->road == FAULT_ST) {
		(void)snprintf(text, sizeof(text),
		    "%u %c.7.0 TLS not available\r\n", w->code,
		    w->code < 500 ? '4' : '5');
		say(w, str_c(text));
		if (w->code == 421)
			hang_up(w, false);
	} else if (w->road == FAULT_ST_DROP || w->road == FAULT_ST_RESET) {
		hang_up(w, w->road == FAULT_ST_RESET);
	} else if (w->road == FAULT_NOSTARTTLS) {
		return true;
	} else if (sink_fault_ends(w->road)) {
		say(w, STR("220 2.0.0 Ready to start TLS\r\n"));
		w->capture.phase = PHASE_HANDSHAKE;
		w->talk = TALK_HELLO;
	} else {
		w->talk = TALK_ASKED;
		return true;
	}
	return false;
}

/* The peer's first octets behind a 220. */
static void
hello(struct sink_wire *w, struct str octets)
{
	static const char alert[] = { 21, 3, 3, 0, 2, 2, 80 };

	if (octets.n < RECORD_HEAD)
		return;
	sink_capture_octets(&w->capture, '<', octets);
	if (w->road == FAULT_BIGHELLO && record_len(octets) <= HELLO_MAX) {
		w->talk = TALK_THROUGH;
		stream_write(w->session, octets.p, octets.n);
		stream_discard(w->peer);
		return;
	}
	stream_discard(w->peer);
	w->talk = TALK_DEAF;
	if (w->road == FAULT_GARBAGE)
		say(w, STR("This is not TLS, whatever was said before.\r\n"));
	else if (w->road == FAULT_ALERT)
		say(w, str_n(alert, sizeof(alert)));
	if (w->road != FAULT_HANG && w->road != FAULT_GARBAGE)
		hang_up(w, w->road == FAULT_RESET);
}

static size_t
record_len(struct str octets)
{
	return (size_t)(unsigned char)octets.p[3] << 8 |
	       (unsigned char)octets.p[4];
}

static void
read_session(struct sink_wire *w)
{
	struct str in;

	while (
	    (w->talk == TALK_LINES || w->talk == TALK_ASKED) && read_reply(w))
		;
	if (w->talk != TALK_LINES && w->talk != TALK_ASKED) {
		in = stream_in(w->session);
		if (w->talk == TALK_THROUGH && in.n > 0)
			to_peer(w, in);
		if (w->capture.phase == PHASE_CLEAR && says_ready(in))
			w->capture.phase = PHASE_HANDSHAKE;
		stream_discard(w->session);
		if (stream_out_len(w->peer) > OUT_MAX)
			stream_pause(w->session);
	}
	if (stream_in(w->peer).n > 0 || w->eof)
		read_peer(w);
}

/* Behind a message commands are not looked at, but no other reply is a 220. */
static bool
says_ready(struct str in)
{
	struct str line;

	while (str_split(&in, '\n', &line)) {
		if (line.n > 4 && memcmp(line.p, "220 ", 4) == 0)
			return true;
	}
	return false;
}

static bool
read_reply(struct sink_wire *w)
{
	struct str in = stream_in(w->session);
	size_t n = str_find(in, '\n');

	if (n == in.n)
		return false;
	in.n = n + 1;
	reply(w, in);
	stream_consume(w->session, in.n);
	return true;
}

/* One line of the session's. */
static void
reply(struct sink_wire *w, struct str line)
{
	bool last = line.n > 3 && line.p[3] == ' ';
	bool ready = w->talk == TALK_ASKED && last && line.p[0] == '2';

	if (w->road == FAULT_XXXX && line.n > 4 &&
	    str_istarts(str_n(line.p + 4, line.n - 4), "STARTTLS")) {
		to_peer(w, str_n(line.p, 4));
		to_peer(w, STR("XXXXXXXX\r\n"));
	} else {
		to_peer(w, line);
	}
	if (last && w->owed > 0)
		w->owed--;
	if (w->talk == TALK_ASKED && last)
		w->talk = TALK_LINES;
	if (!ready)
		return;
	if (w->road == FAULT_INJECT)
		to_peer(w, STR("250 2.0.0 Injected in clear text\r\n"));
	w->capture.phase = PHASE_HANDSHAKE;
	w->talk = w->road == FAULT_BIGHELLO ? TALK_HELLO : TALK_THROUGH;
}

/* In our own name. */
static void
say(struct sink_wire *w, struct str octets)
{
	to_peer(w, octets);
}

/* A reset comes when the peer's octets have been looked at. */
static void
hang_up(struct sink_wire *w, bool reset)
{
	w->talk = TALK_DEAF;
	w->told = true;
	w->reset = reset;
	if (reset)
		sock_reset_on_close(stream_fd(w->peer));
	else
		stream_finish(w->peer);
}

static void
to_peer(struct sink_wire *w, struct str octets)
{
	sink_capture_octets(&w->capture, '>', octets);
	stream_write(w->peer, octets.p, octets.n);
}

static void
to_session(struct sink_wire *w, struct str octets)
{
	w->owed++;
	stream_write(w->session, octets.p, octets.n);
}

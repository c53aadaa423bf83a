/*
 * What an administrator may ask a worker (admin/control.h).
 */
#include "daemon/worker_priv.h"

#include <unistd.h>

#include "base/codec.h"
#include "base/log.h"
#include "base/num.h"
#include "base/obj.h"
#include "daemon/alerttest.h"
#include "relay/edited.h"

#define HEADER_SHOWN 65536

/* A request whose answer comes in pieces. */
struct asked {
	struct control_req *r;
	struct worker *w;
	struct store_filter f;
	unsigned store;		/* that is being listed */
	uint64_t limit, listed;	/* rows; limit 0: all */
	uint64_t count;		/* messages */
	uint64_t mid;		/* of the last row, or the one to show */
	bool rows, show;
	struct body_ref *body;
};

static void	verb_status(void *, struct control_req *, const json_t *);
static void	verb_list(void *, struct control_req *, const json_t *);
static void	verb_show(void *, struct control_req *, const json_t *);
static void	verb_count(void *, struct control_req *, const json_t *);
static void	verb_act(void *, struct control_req *, const json_t *);
static void	verb_hops(void *, struct control_req *, const json_t *);
static void	verb_level(void *, struct control_req *, const json_t *);
static void	verb_plugins(void *, struct control_req *, const json_t *);
static void	verb_order(void *, struct control_req *, const json_t *);
static struct asked *asked_new(struct worker *, struct control_req *);
static bool	filter_of(struct control_req *, const json_t *,
		    struct store_filter *);
static const char *copy(struct control_req *, const json_t *, const char *);
static void	list_stores(struct asked *);
static void	list_next(void *, const struct err *);
static void	got_row(void *, struct str);
static void	got_all(void *, const struct err *);
static void	show_overlay(struct asked *, const struct envelope *);
static void	show_loaded(void *, struct store_loaded *, const struct err *);
static void	show_piece(void *, struct str, const struct err *);
static void	acted(void *, uint64_t, const struct err *);
static void	got_hop(void *, struct str);

const struct control_verb worker_verbs[] = {
	{ "status", verb_status },
	{ "queue.list", verb_list },
	{ "queue.show", verb_show },
	{ "queue.count", verb_count },
	{ "queue.act", verb_act },
	{ "queue.hops", verb_hops },
	{ "log.level", verb_level },
	{ "alert.test", alerttest_verb },
	{ "plugin.list", verb_plugins },
	{ "plugin.order", verb_order },
	{ NULL, NULL },
};

static struct asked *
asked_new(struct worker *w, struct control_req *r)
{
	struct asked *a = POOL_NEW(control_pool(r), struct asked);

	a->r = r;
	a->w = w;
	return a;
}

static void
verb_status(void *arg, struct control_req *r, const json_t *args)
{
	struct inbound_stats in;
	struct relay_stats rs;
	struct store_stats ss;
	struct queue_stats qs;
	struct worker *w;
	json_t *j;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	(void)args;
	inbound_stats(w->inbound, &in);
	queue_stats(w->queue, &qs);
	relay_stats(w->relay, &rs);
	store_stats(w->store, &ss);
	j = json_pack("{s:i, s:i, s:I, s:I, s:b, s:b}", "worker",
	    (int)w->env->index, "pid", (int)getpid(), "uptime_ms",
	    (json_int_t)(clock_wall() - w->started), "generation",
	    (json_int_t)epoch_generation(w->epoch), "stopping",
	    (int)w->stopping, "recovering", (int)queue_recovering(w->queue));
	(void)json_object_set_new(j, "in", json_pack(
	    "{s:i, s:I, s:I, s:I, s:I, s:I, s:I}", "connections",
	    (int)in.connections, "accepted", (json_int_t)in.accepted,
	    "refused", (json_int_t)in.refused, "messages",
	    (json_int_t)in.messages, "recipients", (json_int_t)in.recipients,
	    "rejected_recipients", (json_int_t)in.rejected, "bytes",
	    (json_int_t)in.bytes));
	(void)json_object_set_new(j, "queue", json_pack(
	    "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i}", "messages",
	    (json_int_t)qs.messages, "units", (json_int_t)qs.units, "active",
	    (json_int_t)qs.active, "due", (json_int_t)qs.due, "held",
	    (json_int_t)qs.held, "bytes", (json_int_t)qs.bytes, "oldest_ms",
	    (json_int_t)(qs.oldest == 0 ? 0 : clock_wall() - qs.oldest),
	    "hops", (int)qs.hops));
	(void)json_object_set_new(j, "out", json_pack("{s:i, s:i, s:i, s:i}",
	    "connections", (int)rs.connections, "idle", (int)rs.idle, "hops",
	    (int)rs.hops, "hops_down", (int)rs.hops_down));
	(void)json_object_set_new(j, "store", json_pack(
	    "{s:I, s:I, s:I, s:I, s:I, s:b}", "commits",
	    (json_int_t)ss.commits, "transactions", (json_int_t)ss.txns,
	    "bytes", (json_int_t)ss.bytes, "failures",
	    (json_int_t)ss.failures, "waiting", (json_int_t)ss.waiting,
	    "degraded", (int)ss.degraded));
	control_row_json(r, j);
	control_done(r, NULL);
}

static void
verb_list(void *arg, struct control_req *r, const json_t *args)
{
	struct worker *w;
	struct asked *a;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	a = asked_new(w, r);
	if (!filter_of(r, args, &a->f))
		return;
	a->rows = true;
	list_stores(a);
}

static void
verb_show(void *arg, struct control_req *r, const json_t *args)
{
	struct worker *w;
	struct asked *a;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	a = asked_new(w, r);
	if (!filter_of(r, args, &a->f))
		return;
	a->rows = a->show = true;
	list_stores(a);
}

/* One after the other: our own, then those of workers that are no more. */
static void
list_stores(struct asked *a)
{
	struct queue *q = a->w->queue;

	a->limit = a->f.limit;
	store_list(queue_store(q, 0), &a->f, got_row, list_next, a);
}

static void
list_next(void *arg, const struct err *why)
{
	struct asked *a = arg;
	struct queue *q = a->w->queue;
	struct store *s = queue_store(q, a->store + 1);

	if (why == NULL && a->show && a->count == 1) {
		store_load(queue_store(q, a->store), a->mid, show_loaded, a);
		return;
	}
	if (why != NULL || s == NULL ||
	    (a->limit > 0 && a->listed >= a->limit)) {
		got_all(a, why);
		return;
	}
	a->store++;
	if (a->limit > 0)
		a->f.limit = a->limit - a->listed;
	store_list(s, &a->f, got_row, list_next, a);
}

/* The header that follows is the edited one. */
static void
show_overlay(struct asked *a, const struct envelope *env)
{
	struct buf b;

	if (env->edits.n == 0 && env->notes.n == 0)
		return;
	buf_init(&b, 1024 * 1024);
	(void)buf_add_c(&b, "{\"edits\":");
	(void)json_quote(&b, env->edits);
	(void)buf_add_c(&b, ",\"notes\":");
	(void)json_quote(&b, env->notes);
	(void)buf_add_char(&b, '}');
	control_row(a->r, buf_str(&b));
	buf_fini(&b);
}

static void
show_loaded(void *arg, struct store_loaded *m, const struct err *why)
{
	struct asked *a = arg;
	struct err bad = ERR_INIT;
	struct edited e;
	struct str piece;
	int r;

	if (m == NULL) {
		got_all(a, why);
		return;
	}
	a->body = m->body;
	show_overlay(a, m->env);
	r = edited_init(&e, m->env->pool, m->env, m->body, &bad);
	if (r != 0 || e.head.n > 0) {
		show_piece(a, e.head, r != 0 ? &bad : NULL);
		envelope_destroy(&m->env);
		return;
	}
	envelope_destroy(&m->env);
	if (body_read(a->body, 0, HEADER_SHOWN, &piece, show_piece, a))
		show_piece(a, piece, NULL);
}

static void
show_piece(void *arg, struct str piece, const struct err *why)
{
	struct asked *a = arg;
	const char *end;
	struct buf b;

	if (why == NULL) {
		end = memmem(piece.p, piece.n, "\r\n\r\n", 4);
		if (end != NULL)
			piece.n = (size_t)(end - piece.p) + 2;
		buf_init(&b, 1024 * 1024);
		(void)buf_add_c(&b, "{\"header\":");
		(void)json_quote(&b, piece);
		(void)buf_add_char(&b, '}');
		control_row(a->r, buf_str(&b));
		buf_fini(&b);
	}
	body_unref(&a->body);
	got_all(a, why);
}

static void
verb_count(void *arg, struct control_req *r, const json_t *args)
{
	struct queue_stats qs;
	struct worker *w;
	struct asked *a;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	if (json_is_true(json_object_get(args, "all")) &&
	    !queue_recovering(w->queue)) {
		queue_stats(w->queue, &qs);
		control_done(r, json_pack("{s:I, s:I, s:I, s:I, s:I}",
		    "messages", (json_int_t)qs.messages, "units",
		    (json_int_t)qs.units, "held", (json_int_t)qs.held,
		    "active", (json_int_t)qs.active, "bytes",
		    (json_int_t)qs.bytes));
		return;
	}
	a = asked_new(w, r);
	if (!filter_of(r, args, &a->f))
		return;
	a->f.limit = 0;
	list_stores(a);
}

static void
verb_act(void *arg, struct control_req *r, const json_t *args)
{
	static const char *const names[] = { "flush", "hold", "release",
		"delete", "requeue", "bounce" };
	const char *action = control_text(args, "action");
	struct store_filter f;
	struct worker *w;
	size_t i;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	for (i = 0; action != NULL && i < 6; i++) {
		if (strcmp(names[i], action) == 0)
			break;
	}
	if (action == NULL || i == 6) {
		control_fail(r, "no such action");
		return;
	}
	if (!filter_of(r, args, &f))
		return;
	if (i == QUEUE_FLUSH)
		relay_wake(w->relay, STR_NULL, false);
	queue_act(w->queue, (enum queue_verb)i, &f, acted, asked_new(w, r));
}

static bool
filter_of(struct control_req *r, const json_t *args, struct store_filter *f)
{
	const char *hold = control_text(args, "hold");
	int64_t mid = control_number(args, "mid", 0);
	int64_t older = control_number(args, "older_ms", 0);
	int64_t newer = control_number(args, "newer_ms", 0);
	int64_t limit = control_number(args, "limit", 0);

	if (mid < 0 || older < 0 || newer < 0 || limit < 0) {
		control_fail(r, "a negative number");
		return false;
	}
	*f = (struct store_filter){ .mid = (uint64_t)mid,
		.sender = copy(r, args, "sender"),
		.rcpt = copy(r, args, "rcpt"),
		.domain = copy(r, args, "domain"),
		.reason = copy(r, args, "reason"),
		.older_than = older,
		.newer_than = newer,
		.hold = -1,
		.limit = (uint64_t)limit };
	if (hold == NULL)
		return true;
	if (strcmp(hold, "active") == 0)
		f->hold = STORE_ACTIVE;
	else if (strcmp(hold, "held") == 0)
		f->hold = STORE_HELD;
	else if (strcmp(hold, "frozen") == 0)
		f->hold = STORE_FROZEN;
	return true;
}

static const char *
copy(struct control_req *r, const json_t *args, const char *name)
{
	return pool_strdup(control_pool(r), control_text(args, name));
}

static void
got_row(void *arg, struct str json)
{
	struct asked *a = arg;
	struct str rest = json;
	uint64_t mid = 0;

	/* {"mid":7,"rid":0,… in the order of mid and rid */
	if (str_istarts(rest, "{\"mid\":")) {
		rest = str_n(rest.p + 7, rest.n - 7);
		rest.n = str_find(rest, ',');
		(void)num_u64(rest, UINT64_MAX, &mid);
	}
	if (mid != a->mid)
		a->count++;
	a->mid = mid;
	a->listed++;
	if (a->rows)
		control_row(a->r, json);
}

static void
got_all(void *arg, const struct err *why)
{
	struct asked *a = arg;

	if (why != NULL)
		control_fail(a->r, "%s", why->text);
	else
		control_done(a->r, json_pack("{s:I}", "messages",
		    (json_int_t)a->count));
}

static void
acted(void *arg, uint64_t count, const struct err *why)
{
	struct asked *a = arg;

	if (why != NULL)
		control_fail(a->r, "%s", why->text);
	else
		control_done(a->r, json_pack("{s:I}", "messages",
		    (json_int_t)count));
}

static void
verb_hops(void *arg, struct control_req *r, const json_t *args)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	(void)args;
	relay_list(w->relay, got_hop, r);
	control_done(r, NULL);
}

/* The instances of the configuration that is in force here. */
static void
verb_plugins(void *arg, struct control_req *r, const json_t *args)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	(void)args;
	host_list(w->conf->plugins, got_hop, r);
	control_done(r, json_pack("{s:I}", "generation",
	    (json_int_t)epoch_generation(w->epoch)));
}

/* Who comes when at each hook, and why. */
static void
verb_order(void *arg, struct control_req *r, const json_t *args)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	(void)args;
	host_order(w->conf->plugins, got_hop, r);
	control_done(r, json_pack("{s:I}", "generation",
	    (json_int_t)epoch_generation(w->epoch)));
}

static void
got_hop(void *arg, struct str json)
{
	control_row(arg, json);
}

static void
verb_level(void *arg, struct control_req *r, const json_t *args)
{
	static const char *const names[] = { "critical", "warning", "info",
		"debug", "trace" };
	const char *level = control_text(args, "level");
	struct worker *w;
	int i;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	for (i = 0; level != NULL && i < 5; i++) {
		if (strcmp(names[i], level) == 0) {
			w->conf->log.level = i;
			log_level_set((enum log_level)i);
			control_done(r, NULL);
			return;
		}
	}
	control_fail(r, "no such level");
}

#include <string.h>

#include "base/mem.h"
#include "base/obj.h"
#include "store/row.h"

/*
 * The memory engine: what a simulation uses instead of a disk. The same
 * semantics, no durability, nothing on a thread.
 */

#define MEM_MAGIC 0x4d656d53U

struct mem_msg {
	RB_ENTRY(mem_msg) node;
	uint64_t mid;
	struct envelope *env;
	struct store_rcpt *rcpt; /* strings on the heap */
	struct body_ref *body;
	enum store_hold hold;
};

static int
mem_cmp(const struct mem_msg *a, const struct mem_msg *b)
{
	return a->mid < b->mid ? -1 : a->mid > b->mid;
}

RB_HEAD(mem_tree, mem_msg);
RB_PROTOTYPE_INTERNAL(mem_tree, mem_msg, node, mem_cmp, ATTR_UNUSED static)
RB_GENERATE_INTERNAL(mem_tree, mem_msg, node, mem_cmp, ATTR_UNUSED static)

struct mem {
	unsigned magic;
	struct store *store;
	struct mem_tree tree;
};

static int mem_open(void **e_r, struct store *s, struct err *why);
static void mem_close(void *e);
static bool mem_commit(void *e, struct store_txn **v, size_t n);
static void mem_load(void *e, struct store_load_job *job);
static void mem_set_aside(void *e, uint64_t mid, const char *why);
static void mem_walk(void *e, struct store_walk *w, size_t max);

const struct store_engine store_mem = {
	.open = mem_open,
	.close = mem_close,
	.commit = mem_commit,
	.load = mem_load,
	.set_aside = mem_set_aside,
	.walk = mem_walk,
};

static int
mem_open(void **e_r, struct store *s, struct err *why)
{
	struct mem *m;

	(void)why;
	OBJ_NEW(m, MEM_MAGIC);
	m->store = s;
	RB_INIT(&m->tree);
	*e_r = m;
	return 0;
}

static struct mem_msg *
find(struct mem *m, uint64_t mid)
{
	struct mem_msg key = { .mid = mid };

	return RB_FIND(mem_tree, &m->tree, &key);
}

static void
free_strings(struct store_rcpt *r)
{
	mem_free((char *)(uintptr_t)r->status);
	mem_free((char *)(uintptr_t)r->text);
	mem_free((char *)(uintptr_t)r->remote);
}

static void
set_rcpt(struct store_rcpt *to, const struct store_rcpt *from)
{
	struct store_rcpt old = *to;

	*to = *from;
	to->status = mem_strdup(from->status);
	to->text = mem_strdup(from->text);
	to->remote = mem_strdup(from->remote);
	free_strings(&old);
}

static void
remove_msg(struct mem *m, struct mem_msg *msg)
{
	unsigned i;

	(void)RB_REMOVE(mem_tree, &m->tree, msg);
	for (i = 0; i < msg->env->nrcpt; i++)
		free_strings(&msg->rcpt[i]);
	mem_free(msg->rcpt);
	envelope_destroy(&msg->env);
	body_unref(&msg->body);
	mem_free(msg);
}

static void
mem_close(void *e)
{
	struct mem_msg *msg;
	struct mem *m;

	OBJ_CAST(m, e, MEM_MAGIC);
	while ((msg = RB_ROOT(&m->tree)) != NULL)
		remove_msg(m, msg);
	OBJ_FREE(m);
}

static struct envelope *
copy_env(const struct envelope *from)
{
	struct envelope *e = envelope_copy(from);
	unsigned i;

	for (i = 0; i < from->nrcpt; i++)
		(void)envelope_copy_rcpt(e, from->rcpt[i]);
	return e;
}

static void
put(struct mem *m, const struct store_op *op)
{
	static const struct store_rcpt empty = { .status = "", .text = "",
		.remote = "" };
	struct mem_msg *msg = find(m, op->mid);
	unsigned i;

	if (msg != NULL)
		remove_msg(m, msg);
	msg = mem_zalloc(sizeof(*msg));
	msg->mid = op->mid;
	msg->env = copy_env(op->env);
	msg->body = body_ref(op->body);
	msg->hold = op->hold;
	msg->rcpt = mem_array(msg->env->nrcpt, sizeof(*msg->rcpt));
	for (i = 0; i < msg->env->nrcpt; i++) {
		set_rcpt(&msg->rcpt[i], &empty);
		msg->rcpt[i].rid = i;
		msg->rcpt[i].state = msg->env->rcpt[i]->state;
		msg->rcpt[i].warned = msg->env->rcpt[i]->warned;
		msg->rcpt[i].warned_at = msg->env->rcpt[i]->warned_at;
		msg->rcpt[i].next = op->next;
	}
	(void)RB_INSERT(mem_tree, &m->tree, msg);
}

static void
treat(struct mem_msg *msg, const struct store_op *op)
{
	struct rcpt *r = msg->env->rcpt[op->rcpt.rid];

	r->want = pool_str(msg->env->pool, op->want);
	r->route = pool_str(msg->env->pool, op->route);
}

static void
go(struct mem_msg *msg)
{
	unsigned i;

	msg->env->waits_for = STR("");
	for (i = 0; i < msg->env->nrcpt; i++) {
		if (msg->rcpt[i].attempts == 0)
			msg->rcpt[i].next = msg->env->not_before;
	}
}

static void
set_hold(struct mem_msg *msg, enum store_hold hold)
{
	msg->hold = hold;
	if (hold == STORE_ACTIVE)
		msg->env->quarantine = STR("");
}

static bool
mem_commit(void *e, struct store_txn **v, size_t n)
{
	struct mem_msg *msg;
	struct store_op *op;
	struct mem *m;
	size_t i;

	OBJ_CAST(m, e, MEM_MAGIC);
	for (i = 0; i < n; i++) {
		STAILQ_FOREACH (op, &v[i]->ops, link) {
			msg = find(m, op->mid);
			if (op->kind == OP_PUT)
				put(m, op);
			else if (op->kind == OP_DELETE && msg != NULL)
				remove_msg(m, msg);
			else if (op->kind == OP_GO && msg != NULL)
				go(msg);
			else if (op->kind == OP_HOLD && msg != NULL)
				set_hold(msg, op->hold);
			else if (op->kind == OP_RCPT && msg != NULL &&
			    op->rcpt.rid < msg->env->nrcpt)
				set_rcpt(&msg->rcpt[op->rcpt.rid], &op->rcpt);
			else if (op->kind == OP_TREAT && msg != NULL &&
			    op->rcpt.rid < msg->env->nrcpt)
				treat(msg, op);
		}
	}
	return true;
}

static void
mem_load(void *e, struct store_load_job *job)
{
	struct mem_msg *msg;
	struct store_rcpt *r;
	struct mem *m;
	unsigned i;

	OBJ_CAST(m, e, MEM_MAGIC);
	msg = find(m, job->mid);
	if (msg == NULL)
		return;
	job->env = copy_env(msg->env);
	job->rcpt = pool_dup(job->env->pool, msg->rcpt,
	    msg->env->nrcpt * sizeof(*msg->rcpt));
	for (i = 0; i < msg->env->nrcpt; i++) {
		r = &job->rcpt[i];
		r->status = pool_strdup(job->env->pool, r->status);
		r->text = pool_strdup(job->env->pool, r->text);
		r->remote = pool_strdup(job->env->pool, r->remote);
		job->env->rcpt[i]->state = r->state;
		job->env->rcpt[i]->warned = r->warned;
		job->env->rcpt[i]->warned_at = r->warned_at;
	}
	job->hold = msg->hold;
	job->shared = body_ref(msg->body);
}

static void
mem_set_aside(void *e, uint64_t mid, const char *why)
{
	struct mem_msg *msg;
	struct mem *m;

	(void)why;
	OBJ_CAST(m, e, MEM_MAGIC);
	msg = find(m, mid);
	if (msg != NULL)
		remove_msg(m, msg);
}

/* "*" stands for any octets; ASCII case does not matter. */
static bool
matches(const char *p, struct str s)
{
	if (*p == '\0')
		return s.n == 0;
	if (*p != '*')
		return s.n > 0 && ch_lower(*p) == ch_lower(s.p[0]) &&
		    matches(p + 1, str_n(s.p + 1, s.n - 1));
	for (;;) {
		if (matches(p + 1, s))
			return true;
		if (s.n == 0)
			return false;
		s = str_n(s.p + 1, s.n - 1);
	}
}

static bool
wanted(const struct mem_msg *msg, unsigned i, const struct store_filter *f)
{
	const struct envelope *env = msg->env;
	const struct store_rcpt *r = &msg->rcpt[i];
	char reason[1024], *pattern;
	bool ok = true;

	if (r->state != RCPT_PENDING || (f->mid != 0 && f->mid != msg->mid))
		return false;
	if (f->hold >= 0 && (int)msg->hold != f->hold)
		return false;
	if ((f->older_than > 0 && env->queued > f->older_than) ||
	    (f->newer_than > 0 && env->queued < f->newer_than))
		return false;
	if (f->sender != NULL && !matches(f->sender, env->sender.full))
		return false;
	if (f->rcpt != NULL && !matches(f->rcpt, env->rcpt[i]->addr.full))
		return false;
	if (f->domain != NULL &&
	    !matches(f->domain, env->rcpt[i]->addr.domain))
		return false;
	if (f->reason != NULL) {
		struct pool *pool = pool_new(0);

		pattern = pool_printf(pool, "*%s*", f->reason);
		(void)str_copy(reason, sizeof(reason),
		    str_c(pool_printf(pool, "%s %s", r->status, r->text)));
		ok = matches(pattern, str_c(reason));
		pool_destroy(&pool);
	}
	return ok;
}

static struct pst_str
of(struct str s)
{
	return (struct pst_str){ s.p, s.n };
}

static void
take(struct store_walk *w, const struct mem_msg *msg, unsigned i)
{
	const struct envelope *env = msg->env;
	const struct store_rcpt *s = &msg->rcpt[i];
	const struct rcpt *to = env->rcpt[i];
	struct pst_store_message m = { .size = sizeof(m), .mid = msg->mid,
		.queued = env->queued, .octets = env->size,
		.hold = (int32_t)msg->hold, .sender = of(env->sender.full),
		.edits = of(env->edits), .quarantine = of(env->quarantine),
		.waits_for = of(env->waits_for),
		.not_before = env->not_before };
	struct pst_store_rcpt r = { .size = sizeof(r), .rid = i,
		.attempts = s->attempts, .next = s->next, .code = s->code,
		.addr = of(to->addr.full), .want = of(to->want),
		.route = of(to->route), .status = of(str_c(s->status)),
		.reason = of(str_c(s->text)), .remote = of(str_c(s->remote)),
		.tls_reason = of(str_c(tls_reason_word(s->tls))),
		.bounce_profile = of(to->profile) };

	row_walked(w, &m, &r);
}

static void
mem_walk(void *e, struct store_walk *w, size_t max)
{
	struct mem_msg key = { .mid = w->mid }, *msg;
	struct mem *m;
	unsigned i;

	OBJ_CAST(m, e, MEM_MAGIC);
	if (w->last == 0) {
		msg = RB_MAX(mem_tree, &m->tree);
		w->last = msg != NULL ? msg->mid : 0;
	}
	for (msg = RB_NFIND(mem_tree, &m->tree, &key);
	     msg != NULL && msg->mid <= w->last;
	     msg = RB_NEXT(mem_tree, &m->tree, msg)) {
		i = msg->mid == w->mid && w->mid != 0 ? w->rid + 1 : 0;
		for (; i < msg->env->nrcpt; i++) {
			if (!wanted(msg, i, &w->f))
				continue;
			if (w->n == max)
				return;
			take(w, msg, i);
		}
	}
}

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <postern/alert_sink.h>
#include <postern/cert_store.h>
#include <postern/filter.h>
#include <postern/log_sink.h>
#include <postern/lookup.h>
#include <postern/metrics.h>
#include <postern/route.h>
#include <postern/tls_policy.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/obj.h"
#include "stub.h"

#define LIST_MAX 64

/* An operation: how its argument is made of KEY=VALUE, and what comes out. */
struct opcall {
	const char *op;
	bool waits;
	void *(*make)(struct stub *st, const struct stmt *s);
	void (*out)(struct stub *st, const void *arg);
};

static const struct opcall *find(const char *op);

static const char *
key_or(const struct stmt *s, const char *key, const char *otherwise)
{
	const char *v = stmt_key(s, key);

	return v != NULL ? v : otherwise;
}

static void
out_text(struct stub *st, const char *name, const char *value)
{
	if (value != NULL)
		stub_set_out(st, name, value);
}

static void
out_number(struct stub *st, const char *name, uint64_t n)
{
	stub_set_out(st, name, pool_printf(st->t.pool, "%" PRIu64, n));
}

/* ---- tls_policy/1, route/1, lookup/1 ----------------------------------- */

static void *
make_tls_rcpt(struct stub *st, const struct stmt *s)
{
	struct pst_tls_rcpt *a = POOL_NEW(st->t.pool, struct pst_tls_rcpt);

	a->size = sizeof(*a);
	a->domain = key_or(s, "domain", "");
	a->local = key_or(s, "local", "");
	return a;
}

static void
out_tls_rcpt(struct stub *st, const void *arg)
{
	const struct pst_tls_rcpt *a = arg;

	out_text(st, "want", a->want);
}

static void *
make_tls_entry(struct stub *st, const struct stmt *s)
{
	struct pst_tls_entry *a = POOL_NEW(st->t.pool, struct pst_tls_entry);

	a->size = sizeof(*a);
	a->domain = key_or(s, "domain", "");
	a->local = key_or(s, "local", "");
	return a;
}

static void
out_tls_entry(struct stub *st, const void *arg)
{
	const struct pst_tls_entry *a = arg;

	out_text(st, "entry", a->entry);
}

/* mx=NAME or mx=NAME/secure, any number of them. */
static void *
make_tls_hop(struct stub *st, const struct stmt *s)
{
	struct pst_tls_hop *a = POOL_NEW(st->t.pool, struct pst_tls_hop);
	struct pst_tls_mx *mx = pool_alloc(st->t.pool, LIST_MAX * sizeof(*mx));
	unsigned i;

	a->size = sizeof(*a);
	a->domain = key_or(s, "domain", "");
	a->route = strcmp(key_or(s, "route", "no"), "yes") == 0;
	a->mx = mx;
	for (i = 0; i < s->n && a->count < LIST_MAX; i++) {
		const struct script_word *w = &s->word[i];
		struct str name;

		if (w->key == NULL || strcmp(w->key, "mx") != 0)
			continue;
		name = str_c(w->value);
		mx[a->count].secure = str_iends(name, "/secure");
		name.n = str_find(name, '/');
		mx[a->count++].name = pool_strndup(st->t.pool, name.p, name.n);
	}
	return a;
}

static void
out_tls_hop(struct stub *st, const void *arg)
{
	const struct pst_tls_hop *a = arg;

	out_text(st, "want", a->want);
	out_text(st, "source", a->source);
	out_number(st, "ttl", a->ttl);
}

static void *
make_route(struct stub *st, const struct stmt *s)
{
	struct pst_route *a = POOL_NEW(st->t.pool, struct pst_route);
	const char *at;

	a->size = sizeof(*a);
	a->address = key_or(s, "address", "");
	at = strrchr(a->address, '@');
	a->domain = key_or(s, "domain", at != NULL ? at + 1 : "");
	return a;
}

static void
out_route(struct stub *st, const void *arg)
{
	const struct pst_route *a = arg;

	out_text(st, "route", a->route);
}

static void *
make_lookup(struct stub *st, const struct stmt *s)
{
	struct pst_lookup *a = POOL_NEW(st->t.pool, struct pst_lookup);

	a->size = sizeof(*a);
	a->key.p = key_or(s, "key", "");
	a->key.n = strlen(a->key.p);
	return a;
}

static void
out_lookup(struct stub *st, const void *arg)
{
	const struct pst_lookup *a = arg;
	uint32_t i;

	out_number(st, "count", a->count);
	for (i = 0; i < a->count && i < LIST_MAX; i++)
		stub_set_out(st, pool_printf(st->t.pool, "%u", i),
		    pool_strndup(st->t.pool, a->item[i].p, a->item[i].n));
}

/* ---- cert_store/1 ------------------------------------------------------ */

#define CERTS_MAGIC 0x7c61e205U

struct certs {
	struct pst_cert_list list; /* first: the plugin hands it back */
	unsigned magic;
	struct stub *st;
	unsigned n, nwatch;
};

static int
cert_add(struct pst_cert_list *list, const struct pst_cert *cert)
{
	struct certs *c;
	struct pool *pool;

	OBJ_CAST(c, (void *)list, CERTS_MAGIC);
	pool = c->st->t.pool;
	if (cert->name == NULL ||
	    (cert->chain_file == NULL) == (cert->chain == NULL) ||
	    (cert->key_file == NULL) == (cert->key == NULL))
		return -1;
	stub_set_out(c->st, pool_printf(pool, "%u", c->n++), cert->name);
	out_text(c->st, pool_printf(pool, "%s.chain", cert->name),
	    cert->chain_file != NULL ? cert->chain_file : cert->chain);
	out_text(c->st, pool_printf(pool, "%s.key", cert->name),
	    cert->key_file != NULL ? cert->key_file : "given");
	return 0;
}

static int
cert_watch(struct pst_cert_list *list, const char *path)
{
	struct certs *c;

	OBJ_CAST(c, (void *)list, CERTS_MAGIC);
	if (path[0] != '/')
		return -1;
	stub_set_out(c->st, pool_printf(c->st->t.pool, "watch.%u", c->nwatch++),
	    path);
	return 0;
}

static void *
make_certs(struct stub *st, const struct stmt *s)
{
	struct certs *c = POOL_NEW(st->t.pool, struct certs);

	(void)s;
	OBJ_INIT(c, CERTS_MAGIC);
	c->st = st;
	c->list.size = sizeof(c->list);
	c->list.add = cert_add;
	c->list.watch = cert_watch;
	return c;
}

static void
out_certs(struct stub *st, const void *arg)
{
	const struct certs *c = arg;

	out_number(st, "count", c->n);
	out_number(st, "watches", c->nwatch);
}

/* ---- Sinks ------------------------------------------------------------- */

static void *
make_alert(struct stub *st, const struct stmt *s)
{
	struct pst_alert_record *a = POOL_NEW(st->t.pool,
	    struct pst_alert_record);

	a->size = sizeof(*a);
	a->severity = key_or(s, "severity", "Warning");
	a->category = key_or(s, "category", "System");
	a->key = key_or(s, "key", "stub");
	a->host = key_or(s, "host", "stub.example");
	a->text = key_or(s, "text", "a line");
	a->detail = key_or(s, "detail", "");
	a->wall = clock_wall();
	a->state = key_or(s, "state", "");
	a->domain = key_or(s, "domain", "");
	a->cause = key_or(s, "cause", "");
	a->reason = key_or(s, "reason", "");
	a->mx = key_or(s, "mx", "");
	a->ip = key_or(s, "ip", "");
	a->episode = strtoull(key_or(s, "episode", "0"), NULL, 10);
	a->attempts = strtoull(key_or(s, "attempts", "0"), NULL, 10);
	a->held = strtoull(key_or(s, "held", "0"), NULL, 10);
	return a;
}

static void *
make_test(struct stub *st, const struct stmt *s)
{
	struct pst_alert_test *a = POOL_NEW(st->t.pool,
	    struct pst_alert_test);

	a->size = sizeof(*a);
	a->alert = make_alert(st, s);
	a->to = key_or(s, "to", "");
	return a;
}

/* Keys but level, event and text are fields; digits make a number. */
static void *
make_log(struct stub *st, const struct stmt *s)
{
	static const char *const levels[] = { "critical", "warning", "info",
		"debug", "trace" };
	struct pst_log_record *a = POOL_NEW(st->t.pool, struct pst_log_record);
	struct pst_field *f = pool_alloc(st->t.pool, LIST_MAX * sizeof(*f));
	const char *level = key_or(s, "level", "info");
	unsigned i;

	a->size = sizeof(*a);
	a->wall = clock_wall();
	a->level = PST_LOG_INFO;
	for (i = 0; i < 5; i++) {
		if (strcmp(levels[i], level) == 0)
			a->level = (enum pst_log_level)i;
	}
	a->event = stmt_key(s, "event");
	a->text.p = key_or(s, "text", "a line");
	a->text.n = strlen(a->text.p);
	a->field = f;
	for (i = 0; i < s->n && a->count < LIST_MAX; i++) {
		const struct script_word *w = &s->word[i];

		if (w->key == NULL || strcmp(w->key, "level") == 0 ||
		    strcmp(w->key, "event") == 0 ||
		    strcmp(w->key, "text") == 0)
			continue;
		f[a->count].name = w->key;
		f[a->count].text = (struct pst_str){ w->value,
			strlen(w->value) };
		if (!w->quoted && num_int(str_c(w->value), INT64_MIN,
			INT64_MAX, &f[a->count].number) == 0)
			f[a->count].type = PST_F_NUMBER;
		a->count++;
	}
	return a;
}

/* NAME=VALUE are counters; "NAME{labels}=VALUE" needs quotes. */
static void *
make_metrics(struct stub *st, const struct stmt *s)
{
	struct pst_metrics *a = POOL_NEW(st->t.pool, struct pst_metrics);
	struct pst_metric *m = pool_alloc(st->t.pool, LIST_MAX * sizeof(*m));
	unsigned i;

	a->size = sizeof(*a);
	a->metric = m;
	for (i = 0; i < s->n && a->count < LIST_MAX; i++) {
		const struct script_word *w = &s->word[i];

		if (w->key == NULL)
			continue;
		m[a->count].name = w->key;
		m[a->count].kind = strstr(w->key, "_total") != NULL ?
		    PST_COUNTER : PST_GAUGE;
		m[a->count].help = "of a script";
		m[a->count].labels = "";
		(void)num_int(str_c(w->value), INT64_MIN, INT64_MAX,
		    &m[a->count].value);
		a->count++;
	}
	return a;
}

static void *
make_chunk(struct stub *st, const struct stmt *s)
{
	struct pst_chunk *a = POOL_NEW(st->t.pool, struct pst_chunk);

	a->size = sizeof(*a);
	a->data.p = key_or(s, "data", "");
	a->data.n = strlen(a->data.p);
	return a;
}

static void *
make_none(struct stub *st, const struct stmt *s)
{
	(void)st;
	(void)s;
	return NULL;
}

static void
out_none(struct stub *st, const void *arg)
{
	(void)st;
	(void)arg;
}

static const struct opcall calls[] = {
	{ PST_TLS_POLICY_RCPT, false, make_tls_rcpt, out_tls_rcpt },
	{ PST_TLS_POLICY_ENTRY, false, make_tls_entry, out_tls_entry },
	{ PST_TLS_POLICY_DECIDE, true, make_tls_hop, out_tls_hop },
	{ PST_ROUTE_ROUTE, true, make_route, out_route },
	{ PST_LOOKUP_GET, true, make_lookup, out_lookup },
	{ PST_CERT_STORE_LIST, true, make_certs, out_certs },
	{ PST_ALERT_SINK_EMIT, true, make_alert, out_none },
	{ PST_ALERT_SINK_TEST, true, make_test, out_none },
	{ PST_LOG_SINK_EMIT, false, make_log, out_none },
	{ PST_LOG_SINK_LINE, false, make_log, out_none },
	{ PST_LOG_SINK_FLUSH, false, make_none, out_none },
	{ PST_LOG_SINK_REOPEN, false, make_none, out_none },
	{ PST_LOG_SINK_TRY, false, make_none, out_none },
	{ PST_METRICS_EMIT, false, make_metrics, out_none },
	{ PST_FILTER_BEGIN, true, make_none, out_none },
	{ PST_FILTER_CHUNK, true, make_chunk, out_none },
	{ PST_FILTER_END, true, make_none, out_none },
};

static const struct opcall *
find(const char *op)
{
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(calls[i].op, op) == 0)
			return &calls[i];
	}
	return NULL;
}

static bool
call(struct stub *st, const struct stmt *s, const struct opcall *c,
    struct instance *i)
{
	bool answered;

	st->call = c;
	answered = trial_ask_op(&st->t, i, c->op, c->waits, c->make(st, s));
	st->call = NULL;
	return answered;
}

void
opcall_says(void *arg, const void *oparg)
{
	struct stub *st;

	OBJ_CAST(st, arg, STUB_MAGIC);
	if (st->call != NULL && st->t.op.verdict == PST_CONTINUE)
		st->call->out(st, oparg);
}

/* All instances that have it are asked, until one objects. */
void
opcall_run(struct stub *st, const struct stmt *s)
{
	const struct opcall *c = find(s->word[0].s);
	struct instance *i = NULL;
	bool one = s->n > 1 && s->word[1].s[0] == '@' &&
	    s->word[1].key == NULL;

	st->nout = 0;
	if (c == NULL) {
		(void)err_text(&st->t.broken, "no operation is called %s",
		    s->word[0].s);
		return;
	}
	if (one) {
		i = instance_find(st->t.gen, s->word[1].s + 1);
		if (i != NULL)
			(void)call(st, s, c, i);
	} else {
		i = op_next(st->t.gen, c->op, NULL);
		while (i != NULL && call(st, s, c, i) &&
		    st->t.op.verdict == PST_CONTINUE &&
		    op_next(st->t.gen, c->op, i) != NULL)
			i = op_next(st->t.gen, c->op, i);
	}
	if (i == NULL)
		(void)err_text(&st->t.broken, "no instance has %s", c->op);
}

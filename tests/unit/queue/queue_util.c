#include "queue_util.h"

static const char *
hop_key(void *arg, const struct queue_to *to)
{
	static char key[600];
	struct str domain = to->domain, want = to->want;
	struct world *w = arg;

	if (to->route.n > 0)
		domain = to->route;
	else if (w->route != NULL && str_iends(domain, w->route))
		domain = STR("route:R");
	ck_assert(str_copy(key, sizeof(key), domain));
	if (want.n == 0 && str_eq_c(to->local, "vip"))
		want = STR("required");
	if (to->profile.n > 0)
		(void)snprintf(key + strlen(key), sizeof(key) - strlen(key),
		    " own=%.*s", STR_FMT(to->profile));
	if (want.n > 0)
		(void)snprintf(key + strlen(key), sizeof(key) - strlen(key),
		    " %.*s", STR_FMT(want));
	return key;
}

static const struct queue_profile *
profile(void *arg, const char *key)
{
	struct world *w = arg;

	return strstr(key, " own=") != NULL ? &w->other : &w->profile;
}

static void
want(void *arg, const char *key, struct queue_want *w_r)
{
	struct world *w = arg;

	if (strstr(key, " required") == NULL)
		return;
	w_r->level = TLSWANT_REQUIRED;
	w_r->deadline = w->deadline;
	w_r->warn_after = w->warn_after;
}

void
tell(struct world *w, struct qunit *u, int answer)
{
	static const char *const texts[] = { "not tried", "", "fine", "",
		"later", "never" };
	struct qreport v[64];
	struct rcpt *const *r;
	unsigned i, n;
	int code;

	r = qunit_rcpt(u, &n);
	for (i = 0; i < n; i++) {
		code = r[i]->rid < 8 && w->answer_of[r[i]->rid] != 0 ?
		    w->answer_of[r[i]->rid] :
		    answer;
		v[i] = (struct qreport){ .i = i, .code = code,
			.status = code >= 500 ? "5.1.1" :
			    code >= 400	      ? "4.2.1" :
						"2.0.0",
			.text = str_c(texts[code / 100]),
			.remote = STR("mx.test"), .dcid = 9 };
		v[i].result = code >= 500 ? QRESULT_BOUNCE :
		    code >= 400		  ? QRESULT_RETRY :
		    code >= 200		  ? QRESULT_DONE :
					    QRESULT_AGAIN;
		if (v[i].result == QRESULT_RETRY && r[i]->rid < 8 &&
		    w->tls_of[r[i]->rid] != TLSR_NONE) {
			v[i].tls = w->tls_of[r[i]->rid];
			v[i].code = 0;
			v[i].status = tls_reason_status(v[i].tls);
			v[i].text = STR("no TLS while sending STARTTLS");
		}
		if (code != 0 && w->nattempt < WORLD_EVENTS)
			w->attempt[w->nattempt++] =
			    (struct attempt){ qunit_mid(u), r[i]->rid,
				    clock_wall() - w->start };
	}
	queue_report(w->q, u, v, n);
}

void
world_taken(void *arg, struct qunit *u)
{
	struct world *w = arg;

	w->taken = u;
	w->got = true;
	if (u != NULL && w->deliver)
		tell(w, u, w->answer);
}

static void
due(void *arg, struct qhop *hop)
{
	struct world *w = arg;

	ck_assert_uint_gt(qhop_due(hop), 0);
	qhop_data_set(hop, w); /* keeps it */
	if (w->ntold < WORLD_EVENTS)
		w->told[w->ntold++] = hop;
	while (w->deliver && qhop_due(hop) > 0 && w->answer != ANSWER_AGAIN)
		qhop_take(hop, world_taken, w);
}

void
write_dsn(struct world *w, unsigned i, bool owed)
{
	struct qunit *u = w->dsn_for[i];
	struct envelope *env = NULL;
	struct body_ref *body = NULL;

	w->dsn_for[i] = NULL;
	if (owed) {
		env = make_env(w->next_mid++, "", 0);
		(void)envelope_add_rcpt(env, &qunit_env(u)->sender, STR(""),
		    0);
		body = make_body(&w->b, env->mid, 600);
		env->size = 600;
	}
	queue_generate(w->q, u, env, body);
}

static void
dsn(void *arg, struct qunit *u, enum report_kind kind, const struct qreport *v,
    unsigned n)
{
	struct world *w = arg;
	unsigned i = w->ndsn++;

	ck_assert_uint_lt(i, WORLD_EVENTS);
	w->dsn_for[i] = u;
	w->dsn_kind[i] = kind;
	w->dsn_n[i] = n;
	w->dsn_at[i] = clock_wall() - w->start;
	ck_assert(str_copy(w->dsn_status[i], 12, str_c(v[0].status)));
	ck_assert(str_copy(w->dsn_text, sizeof(w->dsn_text), v[0].text));
	w->dsn_rid = qunit_rcpt(u, NULL)[v[0].i]->rid;
	w->dsn_code = v[0].code;
	if (!w->dsn_later)
		write_dsn(w, i, true);
}

static void
queued(void *arg, const struct envelope *env)
{
	struct world *w = arg;

	ck_assert_uint_gt(env->nrcpt, 0);
	w->queued++;
}

static void
told(void *arg, enum queue_fate fate, const struct qunit *u,
    const struct qreport *v, unsigned n)
{
	struct world *w = arg;

	ck_assert_uint_lt(v[n - 1].i, qunit_env(u)->nrcpt);
	w->news[fate] += n;
}

static const struct queue_ops ops = {
	.hop_key = hop_key,
	.profile = profile,
	.want = want,
	.due = due,
	.dsn = dsn,
	.queued = queued,
	.told = told,
};

void
world_init(struct world *w, bool memory)
{
	memset(w, 0, sizeof(*w));
	clock_fake(1700000000000);
	bench_init(&w->b, memory);
	w->start = clock_wall();
	w->next_mid = 100;
	w->profile = (struct queue_profile){ .name = "default",
		.first_retry = SECONDS(60), .max_retry = HOURS(1),
		.lifetime = HOURS(72), .max_retries = 100,
		.warn_after = HOURS(4), .warn_count = 1,
		.warn_interval = HOURS(4) };
	w->other = w->profile;
	w->other.name = "other";
}

static const char *
suspected(void *arg, uint64_t mid)
{
	const struct world *w = arg;

	return mid == w->suspect ? w->why : NULL;
}

static void
frozen(void *arg, uint64_t mid)
{
	struct world *w = arg;

	ck_assert_uint_eq(mid, w->suspect);
	w->frozen++;
}

void
world_open(struct world *w)
{
	struct err why = ERR_INIT;

	bench_open(&w->b);
	ck_assert_int_eq(
	    queue_new(&w->q, w->b.loop, w->b.store, &ops, w, &why), 0);
	if (w->why != NULL)
		queue_set_suspects(w->q, suspected, frozen, w);
	queue_recover(w->q);
	while (queue_recovering(w->q))
		(void)loop_step_fake(w->b.loop, clock_now());
	world_settle(w);
}

void
world_close(struct world *w)
{
	queue_destroy(&w->q);
	bench_close(&w->b);
}

void
world_fini(struct world *w)
{
	if (w->q != NULL)
		world_close(w);
	bench_fini(&w->b);
}

void
world_run(struct world *w, msec by)
{
	msec until = clock_now() + by;

	while (clock_now() < until)
		(void)loop_step_fake(w->b.loop, until);
	world_settle(w);
}

void
world_settle(struct world *w)
{
	unsigned i;

	/* A lazy commit takes 10 ms, what it causes another. */
	for (i = 0; i < 6; i++)
		(void)loop_step_fake(w->b.loop, clock_now());
}

uint64_t
submit(struct world *w, const char *from, const char *const *to, unsigned n)
{
	struct envelope *env = make_env(w->next_mid++, from, 0);
	struct envelope *one;
	uint64_t mid = env->mid;
	unsigned i;

	for (i = 0; i < n; i++) {
		one = make_env(1, to[i], 0); /* for its address */
		(void)envelope_add_rcpt(env, &one->sender, STR(""), 0);
		envelope_destroy(&one);
	}
	env->size = 2000;
	queue_submit(w->q, env, make_body(&w->b, mid, 2000), bench_done,
	    &w->b);
	bench_wait(&w->b, 1);
	ck_assert(!w->b.failed);
	world_settle(w);
	return mid;
}

uint64_t
submit_wants(struct world *w, const char *const *to, const char *const *want,
    unsigned n)
{
	struct envelope *env = make_env(w->next_mid++, "a@a.test", 0);
	struct envelope *one;
	uint64_t mid = env->mid;
	unsigned i;

	for (i = 0; i < n; i++) {
		one = make_env(1, to[i], 0);
		envelope_add_rcpt(env, &one->sender, STR(""), 0)->want =
		    pool_str(env->pool, str_c(want[i]));
		envelope_destroy(&one);
	}
	env->size = 2000;
	queue_submit(w->q, env, make_body(&w->b, mid, 2000), bench_done,
	    &w->b);
	bench_wait(&w->b, 1);
	world_settle(w);
	return mid;
}

uint64_t
submit_profiles(struct world *w, const char *const *to,
    const char *const *own, unsigned n)
{
	struct envelope *env = make_env(w->next_mid++, "a@a.test", 0);
	struct envelope *one;
	uint64_t mid = env->mid;
	unsigned i;

	for (i = 0; i < n; i++) {
		one = make_env(1, to[i], 0);
		envelope_add_rcpt(env, &one->sender, STR(""), 0)->profile =
		    pool_str(env->pool, str_c(own[i]));
		envelope_destroy(&one);
	}
	env->size = 2000;
	queue_submit(w->q, env, make_body(&w->b, mid, 2000), bench_done,
	    &w->b);
	bench_wait(&w->b, 1);
	world_settle(w);
	return mid;
}

uint64_t
submit_one(struct world *w, const char *from, const char *to)
{
	return submit(w, from, &to, 1);
}

struct qunit *
take(struct world *w, const char *key)
{
	struct qhop *hop = NULL;
	unsigned i;

	for (i = 0; i < w->ntold; i++) {
		if (strcmp(qhop_key(w->told[i]), key) == 0)
			hop = w->told[i];
	}
	ck_assert_ptr_nonnull(hop);
	w->got = false;
	qhop_take(hop, world_taken, w);
	while (!w->got)
		(void)loop_step_fake(w->b.loop, clock_now() + 20);
	return w->taken;
}

struct queue_stats
stats_of(struct world *w)
{
	struct queue_stats s;

	queue_stats(w->q, &s);
	return s;
}

static void
on_row(void *arg, struct str json)
{
	struct world *w = arg;

	(void)json;
	w->b.items++;
}

unsigned
waiting_rows(struct world *w)
{
	struct store_filter f = { .hold = -1 };

	world_run(w, 30); /* lazy commits */
	w->b.items = 0;
	store_list(w->b.store, &f, on_row, bench_done, w);
	bench_wait(&w->b, 1);
	return w->b.items;
}

void
world_acted(void *arg, uint64_t count, const struct err *why)
{
	struct world *w = arg;

	w->acted = count;
	bench_done(&w->b, why);
}

uint64_t
act(struct world *w, enum queue_verb verb, const struct store_filter *f)
{
	queue_act(w->q, verb, f, world_acted, w);
	bench_wait(&w->b, 1);
	world_settle(w);
	return w->acted;
}

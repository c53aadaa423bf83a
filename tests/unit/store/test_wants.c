#include "unit.h"

#include "store_util.h"

/* What is kept about the way of each recipient, on disk and in memory. */

struct wanted {
	unsigned n;
	char text[256];
};

static void
on_wanted(void *arg, const struct store_item *v, size_t n)
{
	struct wanted *w = arg;
	size_t i;

	for (i = 0; i < n; i++)
		(void)snprintf(w->text + strlen(w->text),
		    sizeof(w->text) - strlen(w->text), "%s %s=%s%s%s;",
		    v[i].rcpt, v[i].domain, v[i].want,
		    v[i].route[0] != '\0' ? " by " : "", v[i].route);
	w->n++;
}

static void
on_scanned(void *arg, const struct err *why)
{
	struct wanted *w = arg;

	ck_assert_ptr_null(why);
	w->n++;
}

static void
on_listed(void *arg, struct str json)
{
	struct bench *b = arg;

	ck_assert(str_copy(b->text, sizeof(b->text), json));
}

START_TEST(keeps_the_want_of_each_recipient)
{
	struct store_filter all = { .hold = -1 };
	struct wanted found = { .n = 0 };
	struct envelope *env;
	struct body_ref *body;
	struct store_txn *t;
	struct bench b;

	bench_init(&b, _i == 1);
	bench_open(&b);
	env = make_env(5, "x@y.example", 2);
	env->rcpt[1]->want = STR("required-verify");
	body = make_body(&b, 5, 200);
	t = store_txn_new(b.store);
	store_put(t, env, body, clock_wall());
	store_commit(t, false, bench_done, &b);
	bench_wait(&b, 1);
	envelope_destroy(&env);
	body_unref(&body);
	ck_assert(load(&b, 5));
	ck_assert_uint_eq(b.loaded.env->rcpt[0]->want.n, 0);
	ck_assert(str_eq_c(b.loaded.env->rcpt[1]->want, "required-verify"));
	forget_loaded(&b);
	store_scan(b.store, on_wanted, on_scanned, &found);
	while (found.n < 2)
		loop_once(b.loop, true);
	ck_assert_str_eq(found.text, "r0@d0.example d0.example=;"
	    "r1@d1.example d1.example=required-verify;");
	store_list(b.store, &all, on_listed, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert_ptr_nonnull(strstr(b.text, "\"tls\":\"required-verify\""));
	bench_fini(&b);
}
END_TEST

START_TEST(keeps_what_a_recipient_gets_on_its_way)
{
	struct store_filter all = { .hold = -1 };
	struct wanted found = { .n = 0 };
	struct envelope *env;
	struct body_ref *body;
	struct store_txn *t;
	struct bench b;

	bench_init(&b, _i == 1);
	bench_open(&b);
	env = make_env(5, "x@y.example", 2);
	env->rcpt[0]->route = STR("[192.0.2.1]:25");
	body = make_body(&b, 5, 200);
	t = store_txn_new(b.store);
	store_put(t, env, body, clock_wall());
	store_commit(t, false, bench_done, &b);
	bench_wait(&b, 1);
	envelope_destroy(&env);
	body_unref(&body);
	t = store_txn_new(b.store);
	store_treat(t, 5, 1, STR("required"), STR("mx:z.example"));
	store_treat(t, 5, 7, STR("required"), STR("")); /* there is none */
	store_commit(t, true, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert(load(&b, 5));
	ck_assert(str_eq_c(b.loaded.env->rcpt[0]->route, "[192.0.2.1]:25"));
	ck_assert(str_eq_c(b.loaded.env->rcpt[1]->route, "mx:z.example"));
	ck_assert(str_eq_c(b.loaded.env->rcpt[1]->want, "required"));
	forget_loaded(&b);
	store_scan(b.store, on_wanted, on_scanned, &found);
	while (found.n < 2)
		loop_once(b.loop, true);
	ck_assert_str_eq(found.text, "r0@d0.example d0.example= by "
	    "[192.0.2.1]:25;r1@d1.example d1.example=required by "
	    "mx:z.example;");
	store_list(b.store, &all, on_listed, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert_ptr_nonnull(strstr(b.text, "\"route\":\"mx:z.example\""));
	bench_fini(&b);
}
END_TEST

struct waiting {
	unsigned n;
	char text[256];
};

static void
on_waiting(void *arg, const struct store_item *v, size_t n)
{
	struct waiting *w = arg;
	size_t i;

	for (i = 0; i < n; i++)
		(void)snprintf(w->text + strlen(w->text),
		    sizeof(w->text) - strlen(w->text),
		    "%u of %llu at %lld waits for '%s' not before %lld;",
		    v[i].rid, (unsigned long long)v[i].mid,
		    (long long)v[i].next, v[i].waits_for,
		    (long long)v[i].not_before);
}

static void
on_waited(void *arg, const struct err *why)
{
	struct waiting *w = arg;

	ck_assert_ptr_null(why);
	w->n++;
}

static void
assert_waiting(struct bench *b, const char *text)
{
	struct waiting found = { .n = 0 };

	store_scan(b->store, on_waiting, on_waited, &found);
	while (found.n == 0)
		loop_once(b->loop, true);
	ck_assert_str_eq(found.text, text);
}

/* Whoever was tried keeps his time, and other messages keep theirs. */
START_TEST(who_waits_for_others_may_go_when_it_is_said)
{
	struct envelope *env[2];
	struct store_rcpt tried = { .rid = 1, .attempts = 1, .next = 7000,
		.status = "4.2.0", .text = "later", .remote = "" };
	struct body_ref *body;
	struct store_txn *t;
	struct bench b;
	unsigned i;

	bench_init(&b, _i == 1);
	bench_open(&b);
	body = make_body(&b, 5, 200);
	for (i = 0; i < 2; i++) {
		env[i] = make_env(5 + i, "x@y.example", 2);
		env[i]->not_before = 2000;
		env[i]->waits_for = STR("3 4");
		t = store_txn_new(b.store);
		store_put(t, env[i], body, 9000);
		store_commit(t, false, bench_done, &b);
	}
	bench_wait(&b, 2);
	body_unref(&body);
	ck_assert(load(&b, 5));
	ck_assert(str_eq_c(b.loaded.env->waits_for, "3 4"));
	ck_assert_int_eq(b.loaded.env->not_before, 2000);
	forget_loaded(&b);
	t = store_txn_new(b.store);
	store_rcpt(t, 5, &tried);
	store_go(t, 5);
	store_commit(t, false, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert_msg(!b.failed, "%s", b.why.text);
	assert_waiting(&b,
	    "0 of 5 at 2000 waits for '' not before 2000;"
	    "1 of 5 at 7000 waits for '' not before 2000;"
	    "0 of 6 at 9000 waits for '3 4' not before 2000;"
	    "1 of 6 at 9000 waits for '3 4' not before 2000;");
	ck_assert(load(&b, 5));
	ck_assert_uint_eq(b.loaded.env->waits_for.n, 0);
	bench_fini(&b);
	for (i = 0; i < 2; i++)
		envelope_destroy(&env[i]);
}
END_TEST

UNIT_SUITE(wants)
{
	tcase_add_loop_test(tc, who_waits_for_others_may_go_when_it_is_said, 0,
	    2);
	tcase_add_loop_test(tc, keeps_what_a_recipient_gets_on_its_way, 0, 2);
	tcase_add_loop_test(tc, keeps_the_want_of_each_recipient, 0, 2);
}

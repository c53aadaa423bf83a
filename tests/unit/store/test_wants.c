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

UNIT_SUITE(wants)
{
	tcase_add_loop_test(tc, keeps_what_a_recipient_gets_on_its_way, 0, 2);
	tcase_add_loop_test(tc, keeps_the_want_of_each_recipient, 0, 2);
}

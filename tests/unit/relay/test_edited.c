#include "unit.h"

#include "relay/edited.h"
#include "store_util.h"

static struct bench b;
static struct pool *pool;
static struct envelope *env;
static struct err why;

static void
begin(void)
{
	bench_init(&b, false);
	bench_open(&b);
	pool = pool_new(0);
	env = make_env(1, "s@a.example", 1);
}

static void
end(void)
{
	envelope_destroy(&env);
	pool_destroy(&pool);
	bench_fini(&b);
}

static void
on_settled(void *arg, const struct err *e)
{
	struct bench *bench = arg;

	ck_assert_ptr_null(e);
	bench->answers++;
}

/* A header and n octets of body. */
static struct body_ref *
message(const char *header, size_t n)
{
	struct body_ref *body = body_new(b.store, on_settled, &b);
	static char text[1000];

	memset(text, 'x', sizeof(text));
	(void)body_write(body, header, strlen(header));
	for (; n > 0; n -= n < sizeof(text) ? n : sizeof(text)) {
		if (!body_write(body, text, n < sizeof(text) ? n :
		    sizeof(text)))
			bench_wait(&b, 1);
	}
	body_finish(body);
	if (!body_settle(body, on_settled, &b))
		bench_wait(&b, 1);
	return body;
}

static const size_t sizes[] = { 0, 3000, 400000 };

START_TEST(puts_the_edited_header_in_front_of_the_rest)
{
	struct body_ref *body = message("Received: r\r\nX: 1\r\n\r\n",
	    sizes[_i]);
	struct edited e;

	ck_assert_int_eq(edited_init(&e, pool, env, body, &why), 0);
	ck_assert_uint_eq(e.head.n, 0);
	ck_assert_uint_eq(e.skip, 0);
	ck_assert_uint_eq(e.size, 21 + sizes[_i]);
	env->edits = STR("set 0 X two\ninsert 0 Y 3\n");
	ck_assert_int_eq(edited_init(&e, pool, env, body, &why), 0);
	ck_assert(str_eq_c(e.head, "Received: r\r\nY: 3\r\nX: two\r\n"));
	ck_assert_uint_eq(e.skip, 19);
	ck_assert_uint_eq(e.size, 29 + sizes[_i]);
	body_unref(&body);
}
END_TEST

START_TEST(does_not_let_out_what_it_cannot_edit)
{
	struct body_ref *body = message("X: 1\r\n\r\n", 100);
	struct edited e;

	env->edits = STR("nonsense");
	ck_assert_int_eq(edited_init(&e, pool, env, body, &why), -1);
	body_unref(&body);
}
END_TEST

UNIT_SUITE(edited)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc, puts_the_edited_header_in_front_of_the_rest, 0,
	    3);
	tcase_add_test(tc, does_not_let_out_what_it_cannot_edit);
}

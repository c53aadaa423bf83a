#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "pg.h"
#include "store_util.h"

/*
 * What store/1 promises, of PostgreSQL. POSTERN_PGSQL says where the server is.
 * Each test has a schema of its own.
 */

extern const struct pst_plugin store_pgsql_LTX_postern_plugin;

static struct settings settings = { .password = "", .lease = 5000,
	.connect_timeout = 2000, .statement_timeout = 10000,
	.patience = 5000 };
static char schema[48];

static void
use_pgsql(struct bench *b)
{
	struct pst_store t = { .size = sizeof(t) };
	struct pst_event ev = { .arg = &t, .conf = &settings };

	/* The same for two that share a test. */
	if (schema[0] == '\0')
		(void)snprintf(schema, sizeof(schema), "t_%d_%lld",
		    (int)getpid(), (long long)clock_wall());
	settings.conninfo = getenv("POSTERN_PGSQL");
	ck_assert_ptr_nonnull(settings.conninfo);
	settings.schema = schema;
	ck_assert_int_eq(store_pgsql_LTX_postern_plugin.hooks[0].fn(&ev),
	    PST_CONTINUE);
	b->conf.ops = t.ops;
	b->conf.ops_arg = t.arg;
	b->conf.host = "a.test";
}

/* Before main(), and before the suites are filled. */
static void __attribute__((constructor))
use_it(void)
{
	bench_plugin = use_pgsql;
}

/* A connection beside the store's. */
static PGconn *
beside(void)
{
	PGconn *c = PQconnectdb(getenv("POSTERN_PGSQL"));
	char sql[96];

	ck_assert_int_eq(PQstatus(c), CONNECTION_OK);
	(void)snprintf(sql, sizeof(sql), "SET search_path = %s", schema);
	PQclear(PQexec(c, sql));
	return c;
}

static int
number(const char *sql)
{
	PGconn *c = beside();
	PGresult *r = PQexec(c, sql);
	int n;

	ck_assert_msg(PQresultStatus(r) == PGRES_TUPLES_OK, "%s",
	    PQerrorMessage(c));
	n = (int)strtol(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	PQfinish(c);
	return n;
}

static void
command(const char *sql)
{
	PGconn *c = beside();
	PGresult *r = PQexec(c, sql);

	ck_assert_msg(PQresultStatus(r) == PGRES_COMMAND_OK ||
		PQresultStatus(r) == PGRES_TUPLES_OK,
	    "%s", PQerrorMessage(c));
	PQclear(r);
	PQfinish(c);
}

static void
delete_one(struct bench *b, uint64_t mid)
{
	struct store_txn *t = store_txn_new(b->store);

	store_delete(t, mid);
	store_commit(t, false, bench_done, b);
	bench_wait(b, 1);
}

START_TEST(branches_share_content_until_the_last_one_goes)
{
	struct envelope *env[3];
	struct body_ref *body;
	struct store_txn *t;
	struct bench b;
	unsigned i;

	bench_init(&b, false);
	bench_open(&b);
	body = make_body(&b, 1, 600000);
	t = store_txn_new(b.store);
	for (i = 0; i < 3; i++) {
		env[i] = make_env(i + 1, "s@a.example", 1);
		store_put(t, env[i], body, 0);
	}
	body_unref(&body);
	store_commit(t, false, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert_msg(!b.failed, "%s", b.why.text);
	ck_assert_int_eq(number("SELECT sum(length(data)) FROM body"), 600000);
	delete_one(&b, 1);
	ck_assert(load(&b, 2));
	forget_loaded(&b);
	delete_one(&b, 3);
	ck_assert_int_eq(number("SELECT count(*) FROM body"), 3);
	ck_assert(load(&b, 2));
	ck_assert_uint_eq(body_size(b.loaded.body), 600000);
	delete_one(&b, 2);
	ck_assert_int_eq(number("SELECT count(*) FROM body"), 0);
	ck_assert_int_eq(number("SELECT count(*) FROM recipient"), 0);
	for (i = 0; i < 3; i++)
		envelope_destroy(&env[i]);
	bench_fini(&b);
}
END_TEST

START_TEST(a_mid_that_is_there_is_never_put_again)
{
	struct bench b;

	bench_init(&b, false);
	bench_open(&b);
	put(&b, 7, 100);
	ck_assert(!b.failed);
	put(&b, 7, 200);
	ck_assert(b.failed);
	ck_assert_int_eq(b.why.code, 451);
	ck_assert(load_whole(&b, 7, 100));
	put(&b, 8, 100);
	ck_assert(!b.failed);
	bench_fini(&b);
}
END_TEST

START_TEST(one_bad_message_fails_alone)
{
	struct envelope *env[3];
	struct body_ref *body;
	struct store_txn *t;
	struct bench b;
	unsigned i;

	bench_init(&b, false);
	bench_open(&b);
	put(&b, 2, 100);
	for (i = 0; i < 3; i++) {
		env[i] = make_env(i + 1, "s@a.example", 1);
		body = make_body(&b, i + 1, 50);
		t = store_txn_new(b.store);
		store_put(t, env[i], body, 0);
		body_unref(&body);
		store_commit(t, false, bench_done, &b);
	}
	bench_wait(&b, 3);
	ck_assert(load_whole(&b, 1, 50));
	ck_assert(load_whole(&b, 2, 100));
	ck_assert(load_whole(&b, 3, 50));
	for (i = 0; i < 3; i++)
		envelope_destroy(&env[i]);
	bench_fini(&b);
}
END_TEST

START_TEST(a_connection_that_is_lost_is_made_again)
{
	struct bench b;

	bench_init(&b, false);
	bench_open(&b);
	put(&b, 1, 100);
	command("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		"WHERE application_name LIKE 'postern store%'");
	put(&b, 2, 400000);
	ck_assert_msg(!b.failed, "%s", b.why.text);
	ck_assert(load_whole(&b, 1, 100));
	ck_assert(load_whole(&b, 2, 400000));
	bench_fini(&b);
}
END_TEST

/* The commit is carried out, its answer never comes. */
START_TEST(a_commit_whose_answer_is_lost_is_not_done_twice)
{
	struct bench b;

	bench_init(&b, false);
	bench_open(&b);
	put(&b, 1, 100);
	command("CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ "
		"BEGIN IF NOT EXISTS (SELECT 1 FROM lease WHERE token > 1) "
		"THEN PERFORM pg_terminate_backend(pg_backend_pid()); "
		"END IF; RETURN NULL; END $$; "
		"CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON message "
		"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
		"EXECUTE FUNCTION cut()");
	put(&b, 2, 100);
	ck_assert_msg(!b.failed, "%s", b.why.text);
	ck_assert_int_eq(number("SELECT count(*) FROM message"), 2);
	ck_assert_int_eq(number("SELECT token FROM lease"), 2);
	bench_fini(&b);
}
END_TEST

struct lost {
	unsigned times;
	uint64_t mid;
};

static void
on_lost(void *arg, const struct err *why)
{
	struct lost *l = arg;

	ck_assert_ptr_nonnull(strstr(why->text, "taken over"));
	l->times++;
}

static void
on_mid(void *arg, uint64_t mid)
{
	struct lost *l = arg;

	l->mid = mid;
}

static const struct store_watcher watcher = { on_lost, on_mid };

START_TEST(another_owner_is_kept_out_and_waits)
{
	struct bench a, b;

	bench_init(&a, false);
	bench_open(&a);
	put(&a, 1, 100);
	bench_init(&b, false);
	b.conf.host = "b.test";
	bench_open(&b);
	put(&b, 2, 100);
	ck_assert(b.failed);
	ck_assert_int_eq(b.why.code, 451);
	ck_assert_ptr_nonnull(strstr(b.why.text, "in use by a.test"));
	put(&a, 3, 100);
	ck_assert(!a.failed);
	/* It gives the store back when it closes. */
	bench_close(&a);
	put(&b, 2, 100);
	ck_assert_msg(!b.failed, "%s", b.why.text);
	ck_assert(load_whole(&b, 1, 100));
	bench_fini(&b);
	bench_fini(&a);
}
END_TEST

START_TEST(who_lost_the_lease_writes_nothing_more)
{
	struct lost lost = { 0, 0 };
	struct bench a, b;

	bench_init(&a, false);
	a.conf.watcher = &watcher;
	a.conf.watcher_arg = &lost;
	bench_open(&a);
	put(&a, 1, 100);
	/* It was cut off, and its time has run out. */
	command("UPDATE lease SET until = now() - interval '1 second'");
	bench_init(&b, false);
	b.conf.watcher = &watcher;
	b.conf.watcher_arg = &lost;
	bench_open(&b);
	ck_assert_uint_eq(lost.mid, 1);
	put(&b, 2, 100);
	ck_assert(!b.failed);
	put(&a, 3, 100);
	ck_assert(a.failed);
	ck_assert_uint_eq(lost.times, 1);
	ck_assert_int_eq(number("SELECT count(*) FROM message"), 2);
	/* Not even when it connects anew. */
	command("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		"WHERE application_name LIKE 'postern store%'");
	put(&a, 4, 100);
	ck_assert(a.failed);
	put(&b, 5, 100);
	ck_assert_msg(!b.failed, "%s", b.why.text);
	ck_assert_int_eq(number("SELECT count(*) FROM message"), 3);
	bench_fini(&b);
	bench_fini(&a);
}
END_TEST

START_TEST(the_next_life_of_the_same_worker_has_it_at_once)
{
	struct bench a;

	bench_init(&a, false);
	bench_open(&a);
	put(&a, 1, 100);
	/* As if it had been killed: the lease is not given back. */
	command("CREATE RULE keep AS ON UPDATE TO lease WHERE new.until < "
		"now() DO INSTEAD NOTHING");
	bench_close(&a);
	command("DROP RULE keep ON lease");
	bench_open(&a);
	ck_assert(load_whole(&a, 1, 100));
	put(&a, 2, 100);
	ck_assert(!a.failed);
	bench_fini(&a);
}
END_TEST

START_TEST(sets_aside_what_is_damaged)
{
	struct bench b;

	bench_init(&b, false);
	bench_open(&b);
	put(&b, 1, 100);
	put(&b, 2, 700000);
	put(&b, 3, 100);
	put(&b, 4, 100);
	command("UPDATE body SET data = 'x' WHERE mid = 1");
	command("DELETE FROM body WHERE mid = 2 AND seq = 1");
	command("UPDATE message SET sender = 'a b\\012' WHERE mid = 3");
	ck_assert(!load(&b, 1));
	ck_assert(b.failed);
	ck_assert(!load(&b, 2));
	ck_assert(b.failed);
	ck_assert(!load(&b, 3));
	ck_assert(b.failed);
	ck_assert(load_whole(&b, 4, 100));
	ck_assert_int_eq(number("SELECT count(*) FROM corrupt"), 3);
	ck_assert_int_eq(number("SELECT count(*) FROM message"), 1);
	bench_fini(&b);
}
END_TEST

static void
on_row(void *arg, struct str json)
{
	struct bench *b = arg;

	(void)json;
	b->items++;
}

START_TEST(octets_come_back_as_they_were)
{
	static const char odd[] = "caf\303\251 \377\\ % _ ' \"@x";
	struct store_filter f = { .hold = -1,
		.sender = "*\303\251 \377\\ % _*" };
	struct store_txn *t;
	struct envelope *e;
	struct body_ref *body;
	struct bench b;

	bench_init(&b, false);
	bench_open(&b);
	e = make_env(1, odd, 1);
	body = make_body(&b, 1, 10);
	t = store_txn_new(b.store);
	store_put(t, e, body, 0);
	store_commit(t, false, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert_msg(!b.failed, "%s", b.why.text);
	ck_assert(load(&b, 1));
	ck_assert(str_eq_c(b.loaded.env->sender.full, odd));
	store_list(b.store, &f, on_row, bench_done, &b);
	body_unref(&body);
	envelope_destroy(&e);
	bench_wait(&b, 1);
	ck_assert(!b.failed);
	ck_assert_uint_eq(b.items, 1);
	ck_assert_int_eq(number("SELECT waiting FROM v_queue"), 1);
	ck_assert_int_eq(number("SELECT count(*) FROM v_recipients WHERE addr "
				"= 'r0@d0.example' AND state = 'waiting'"),
	    1);
	bench_fini(&b);
}
END_TEST

START_TEST(a_schema_of_a_newer_version_is_left_alone)
{
	struct err why = ERR_INIT;
	struct bench b;

	bench_init(&b, false);
	bench_open(&b);
	bench_close(&b);
	command("UPDATE version SET version = 3");
	ck_assert_int_eq(store_open(&b.store, b.loop, &b.conf, &why), 0);
	store_settle(b.store, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert(b.failed);
	ck_assert_ptr_nonnull(strstr(b.why.text, "newer"));
	bench_fini(&b);
}
END_TEST

START_TEST(says_which_stores_have_messages)
{
	struct err why = ERR_INIT;
	struct bench b;
	unsigned v[4];

	bench_init(&b, false);
	b.conf.index = 5;
	bench_open(&b);
	ck_assert_int_eq(store_orphans_of(&b.conf, 2, v, 4, &why), 0);
	put(&b, 1, 10);
	ck_assert_int_eq(store_orphans_of(&b.conf, 2, v, 4, &why), 1);
	ck_assert_uint_eq(v[0], 5);
	ck_assert_int_eq(store_orphans_of(&b.conf, 6, v, 4, &why), 0);
	bench_fini(&b);
}
END_TEST

START_TEST(a_server_that_is_not_there_puts_mail_off)
{
	struct bench b;

	bench_init(&b, false);
	settings.conninfo = "host=/nonexistent dbname=none";
	settings.patience = 0;
	bench_open(&b);
	put(&b, 1, 100);
	ck_assert(b.failed);
	ck_assert_int_eq(b.why.code, 451);
	bench_fini(&b);
}
END_TEST

static void
on_beat(void *arg)
{
	struct bench *b = arg;

	b->items++;
}

/* It takes connections and says nothing. */
START_TEST(opening_does_not_wait_for_a_server_that_hangs)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);
	struct err why = ERR_INIT;
	struct loop_timer beat;
	char conninfo[64];
	struct bench b;
	int fd;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, n), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	(void)snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d",
	    ntohs(at.sin_port));
	bench_init(&b, false);
	settings.conninfo = conninfo;
	ck_assert_int_eq(store_open(&b.store, b.loop, &b.conf, &why), 0);
	store_settle(b.store, bench_done, &b);
	loop_timer_init(b.loop, &beat, on_beat, &b);
	while (b.answers == 0) {
		if (!loop_timer_armed(&beat))
			loop_timer_set(&beat, 1);
		loop_once(b.loop, true);
	}
	loop_timer_clear(&beat);
	/* It is given up after two seconds, and may still come. */
	ck_assert_uint_gt(b.items, 20);
	ck_assert(!b.failed);
	b.answers = 0;
	settings.patience = 0;
	put(&b, 1, 100);
	ck_assert(b.failed);
	ck_assert_int_eq(b.why.code, 451);
	bench_fini(&b);
	(void)close(fd);
}
END_TEST

UNIT_SUITE(store_pgsql)
{
	tcase_add_test(tc, opening_does_not_wait_for_a_server_that_hangs);
	tcase_add_test(tc, branches_share_content_until_the_last_one_goes);
	tcase_add_test(tc, a_mid_that_is_there_is_never_put_again);
	tcase_add_test(tc, one_bad_message_fails_alone);
	tcase_add_test(tc, a_connection_that_is_lost_is_made_again);
	tcase_add_test(tc, a_commit_whose_answer_is_lost_is_not_done_twice);
	tcase_add_test(tc, another_owner_is_kept_out_and_waits);
	tcase_add_test(tc, who_lost_the_lease_writes_nothing_more);
	tcase_add_test(tc, the_next_life_of_the_same_worker_has_it_at_once);
	tcase_add_test(tc, sets_aside_what_is_damaged);
	tcase_add_test(tc, octets_come_back_as_they_were);
	tcase_add_test(tc, a_schema_of_a_newer_version_is_left_alone);
	tcase_add_test(tc, says_which_stores_have_messages);
	tcase_add_test(tc, a_server_that_is_not_there_puts_mail_off);
}

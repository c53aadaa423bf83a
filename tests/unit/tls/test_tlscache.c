#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "pair.h"
#include "pki.h"
#include "tls/tlsio_priv.h"
#include "unit.h"

enum { TLS12 = 0x0303, TLS13, SIZE = 1024 * 1024, KEYS = 16 };

static struct tlscache *cache;
static struct tlsctx *client, *other, *server;
static struct tlswant want;
static struct tlsio_client how;

static struct tlsctx *
make(const struct tlsctx_conf *conf)
{
	struct tlsctx *ctx = NULL;
	struct err why = ERR_INIT;

	if (tlsctx_new(&ctx, conf, &why) < 0)
		ck_abort_msg("%s", why.text);
	return ctx;
}

static void
setup(void)
{
	pki_start();
	pair_start();
	memset(&want, 0, sizeof(want));
	memset(&how, 0, sizeof(how));
	want.level = TLSWANT_REQUIRED_VERIFY;
	how.want = &want;
	how.sni = "mx.corp.example";
	how.domain = STR("mx.corp.example");
	how.session = 7;
	cache = tlscache_new(SIZE);
	client = other = server = NULL;
}

static void
teardown(void)
{
	pair_stop();
	tlsctx_unref(&client);
	tlsctx_unref(&other);
	tlsctx_unref(&server);
	tlscache_destroy(&cache);
	pki_stop();
}

static void
contexts(uint16_t max)
{
	struct tlsctx_conf c = { .max_version = max,
		.ca_file = pki_ca(),
		.cache = cache };
	struct tlsctx_conf s = { .server = true, .max_version = max };
	struct tls_ticket_keys keys = { .n = 1 };

	s.cert_file = pki_issue("mx.pem", "DNS:mx.corp.example", 0);
	client = make(&c);
	other = make(&c);
	server = make(&s);
	tlsctx_ticket_keys(server, &keys);
}

/* Both ways, so that tickets have come. */
static void
meet(struct tlsctx *ctx)
{
	pair_tls(ctx, server, &how);
	pair_shake();
	if (!pair_c.ok)
		return;
	pair_s.echo = true;
	stream_write(pair_c.s, "hello", 5);
	pair_spin(4);
	ck_assert_str_eq(buf_p(&pair_c.got), "hello");
}

START_TEST(another_context_takes_what_one_got)
{
	contexts(_i == 0 ? TLS13 : TLS12);
	meet(client);
	ck_assert(pair_c.ok && !pair_c.info.resumed);
	pair_again();
	meet(other);
	ck_assert(pair_c.ok && pair_c.info.resumed);
	ck_assert(pair_c.info.verified);
}
END_TEST

START_TEST(another_process_takes_what_one_got)
{
	pid_t child;
	int status;

	contexts(_i == 0 ? TLS13 : TLS12);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		meet(client);
		_exit(pair_c.ok ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	pair_again();
	meet(client);
	ck_assert(pair_c.ok && pair_c.info.resumed);
}
END_TEST

/* In place of each line, a session under a stronger or another demand. */
START_TEST(never_serves_another_want)
{
	const char *names[] = { "other.example", NULL };

	contexts(_i % 2 == 0 ? TLS13 : TLS12);
	want.level = TLSWANT_OPPORTUNISTIC;
	meet(client);
	ck_assert(pair_c.ok);
	pair_again();
	switch (_i / 2) {
	case 0:
		want.level = TLSWANT_REQUIRED_VERIFY;
		break;
	case 1:
		want.ciphers = "ECDHE+AESGCM";
		break;
	case 2:
		want.groups = "X25519:P-256";
		break;
	default:
		want.level = TLSWANT_REQUIRED_VERIFY;
		want.names = names;
	}
	meet(client);
	ck_assert(!pair_c.info.resumed);
	ck_assert_int_eq(pair_c.ok, _i / 2 < 3);
}
END_TEST

static SSL_SESSION *
one_session(void)
{
	SSL_SESSION *session;

	contexts(TLS12);
	how.session = 0;
	meet(client);
	session = SSL_get1_session(pair_c.t->ssl);
	ck_assert_ptr_nonnull(session);
	return session;
}

static void
use_for_ever(SSL_SESSION *session)
{
	uint64_t key;

	for (key = 0;; key = (key + 1) % KEYS) {
		tlscache_put(cache, key, session);
		SSL_SESSION_free(tlscache_take(cache, key, client->ssl));
	}
}

START_TEST(outlives_those_who_die_inside)
{
	SSL_SESSION *session = one_session(), *got;
	unsigned round;
	uint64_t key;
	pid_t child;

	(void)SSL_SESSION_set_timeout(session, 3600);
	for (round = 0; round < 20; round++) {
		child = fork();
		ck_assert_int_ge(child, 0);
		if (child == 0)
			use_for_ever(session);
		for (key = 0; key < 2000 + 137 * round; key++)
			SSL_SESSION_free(
			    tlscache_take(cache, key % KEYS, client->ssl));
		ck_assert_int_eq(kill(child, SIGKILL), 0);
		ck_assert_int_eq(waitpid(child, NULL, 0), child);
		for (key = 0; key < KEYS; key++) {
			tlscache_put(cache, key, session);
			got = tlscache_take(cache, key, client->ssl);
			ck_assert_ptr_nonnull(got);
			SSL_SESSION_free(got);
		}
	}
	SSL_SESSION_free(session);
}
END_TEST

START_TEST(keeps_few_of_a_key_and_none_past_its_end)
{
	SSL_SESSION *session = one_session(), *got;

	(void)SSL_SESSION_set_timeout(session, 3600);
	ck_assert_ptr_null(tlscache_take(cache, 1, client->ssl));
	tlscache_put(cache, 1, session);
	got = tlscache_take(cache, 1, client->ssl);
	ck_assert_ptr_nonnull(got);
	SSL_SESSION_free(got);
	ck_assert_ptr_null(tlscache_take(cache, 2, client->ssl));
	(void)SSL_SESSION_set_time(session, 1000);
	tlscache_put(cache, 3, session);
	ck_assert_ptr_null(tlscache_take(cache, 3, client->ssl));
	SSL_SESSION_free(session);
}
END_TEST

/* Far more than there is room for: some stay, and those are whole. */
START_TEST(the_oldest_leave_when_it_is_full)
{
	enum { MANY = SIZE / 64 };
	SSL_SESSION *session = one_session(), *got;
	unsigned kept = 0, i;

	for (i = 0; i < MANY; i++)
		tlscache_put(cache, i, session);
	got = tlscache_take(cache, MANY - 1, client->ssl);
	ck_assert_ptr_nonnull(got);
	SSL_SESSION_free(got);
	for (i = 0; i < MANY; i++) {
		got = tlscache_take(cache, i, client->ssl);
		if (got == NULL)
			continue;
		ck_assert_str_eq(SSL_SESSION_get_version(got), "TLSv1.2");
		SSL_SESSION_free(got);
		kept++;
	}
	ck_assert_uint_gt(kept, 0);
	ck_assert_uint_lt(kept, SIZE / 1024);
	SSL_SESSION_free(session);
}
END_TEST

UNIT_SUITE(tlscache)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, another_context_takes_what_one_got, 0, 2);
	tcase_add_loop_test(tc, another_process_takes_what_one_got, 0, 2);
	tcase_add_loop_test(tc, never_serves_another_want, 0, 8);
	tcase_add_test(tc, outlives_those_who_die_inside);
	tcase_add_test(tc, keeps_few_of_a_key_and_none_past_its_end);
	tcase_add_test(tc, the_oldest_leave_when_it_is_full);
}

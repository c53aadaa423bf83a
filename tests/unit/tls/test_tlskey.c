#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "pair.h"
#include "pki.h"
#include "tls/tlsident.h"
#include "unit.h"

enum { BIG = 3 * 1024 * 1024 };

static struct tlsctx *client, *server;
static struct tlsident *ident;
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
	how.want = &want;
	how.sni = "mx.corp.example";
	how.domain = STR("mx.corp.example");
	client = server = NULL;
}

static void
teardown(void)
{
	pair_stop();
	tlsctx_unref(&client);
	tlsctx_unref(&server);
	tlsident_unref(&ident);
	pki_stop();
}

/* A key that is elsewhere: answers come when the test lets them. */
static void *ticket;
static uint16_t asked;
static unsigned cancelled;

static enum tls_keyop_status
far_sign(void *arg, const struct tlskey_id *key, uint16_t algorithm,
    struct str in, uint8_t *out, size_t *out_len, size_t max, void *t)
{
	(void)out;
	(void)out_len;
	(void)max;
	ck_assert_ptr_eq(arg, &cancelled);
	ck_assert_mem_eq(key, tlsident_key_id(ident), sizeof(*key));
	ck_assert_uint_gt(in.n, 0);
	asked = algorithm;
	ticket = t;
	return TLS_KEYOP_WAIT;
}

static void
far_cancel(void *arg, void *t)
{
	(void)arg;
	ck_assert_ptr_eq(t, ticket);
	cancelled++;
}

static const struct tls_keyops far_key = { .sign = far_sign,
	.cancel = far_cancel };

static void
far_ident(void)
{
	struct err why = ERR_INIT;

	if (tlsident_load(&ident, pki_issue("mx.pem", "DNS:mx.corp.example", 0),
		"/nowhere/key.pem", &far_key, &cancelled, &why) < 0)
		ck_abort_msg("%s", why.text);
}

START_TEST(key_may_be_elsewhere)
{
	struct tlsctx_conf c = { .server = false };
	struct tlsctx_conf s = { .server = true,
		.ident = &ident,
		.nident = 1 };

	ticket = NULL;
	cancelled = 0;
	far_ident();
	client = make(&c);
	server = make(&s);
	pair_tls(client, server, &how);
	pair_spin(10);
	ck_assert_ptr_nonnull(ticket);
	ck_assert_uint_eq(asked, 0x0403);
	ck_assert_uint_eq(pair_s.shaken + pair_c.shaken, 0);
	if (_i == 0) {
		/* A wrong signature: the client finds out. */
		tlsio_key_done(
		    ticket, true, (const uint8_t *)"0123456789abcdef", 16);
		pair_shake();
		ck_assert(!pair_c.ok);
	} else if (_i == 1) {
		tlsio_key_done(ticket, false, NULL, 0);
		pair_spin(3);
		ck_assert_uint_eq(pair_s.shaken, 1);
		stream_destroy(&pair_s.s);
		pair_spin(3);
		ck_assert(!pair_s.ok && !pair_c.ok);
	} else {
		stream_destroy(&pair_s.s);
		pair_spin(3);
		ck_assert_uint_eq(cancelled, 1);
	}
}
END_TEST

START_TEST(bounds_what_comes_while_the_key_is_away)
{
	struct tlsctx_conf c = { .server = false };
	struct tlsctx_conf s = { .server = true,
		.ident = &ident,
		.nident = 1 };
	char *p = mem_zalloc(BIG);
	int fd = dup(stream_fd(pair_c.s));
	unsigned i;

	cancelled = 0;
	far_ident();
	client = make(&c);
	server = make(&s);
	pair_tls(client, server, &how);
	pair_spin(5);
	for (i = 0; i < 100 && pair_s.shaken == 0; i++) {
		(void)send(fd, p, 65536, MSG_DONTWAIT | MSG_NOSIGNAL);
		pair_spin(1);
	}
	ck_assert_uint_eq(pair_s.shaken, 1);
	ck_assert(!pair_s.ok);
	(void)close(fd);
	mem_free(p);
}
END_TEST

UNIT_SUITE(tlskey)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, key_may_be_elsewhere, 0, 3);
	tcase_add_test(tc, bounds_what_comes_while_the_key_is_away);
}

/*
 * A server that asks its clients who they are, and what tickets are worth where
 * the demand is another.
 */
#include <string.h>

#include "pair.h"
#include "pki.h"
#include "tls/tlscache.h"
#include "tls/tlstrust.h"
#include "unit.h"

enum { TLS12 = 0x0303, TLS13 = 0x0304 };

static struct tlsctx *client, *server;
static struct tlswant want;
static struct tlsio_client how;
static uint16_t max;

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
	how.session = 17;
	client = server = NULL;
}

static void
teardown(void)
{
	pair_stop();
	tlsctx_unref(&client);
	tlsctx_unref(&server);
	pki_stop();
}

static struct tlsctx *
make_server(bool ask, bool require, bool verify)
{
	struct tlsctx_conf s = { .server = true, .max_version = max,
		.ca_file = pki_ca(), .request_client_cert = ask,
		.require_client_cert = require, .verify_client_cert = verify };
	struct tls_ticket_keys keys = { .n = 1 };
	struct tlsctx *ctx;

	s.cert_file = pki_path("mx.pem");
	ctx = make(&s);
	memset(keys.key[0], 5, sizeof(keys.key[0]));
	tlsctx_ticket_keys(ctx, &keys);
	return ctx;
}

/* own: the client's certificate, NULL for none. */
static void
contexts(const char *own, bool require, bool verify)
{
	struct tlsctx_conf c = { .max_version = max, .ca_file = pki_ca(),
		.cert_file = own };

	(void)pki_issue("mx.pem", "DNS:mx.corp.example", 0);
	client = make(&c);
	server = make_server(true, require, verify);
}

static void
meet(void)
{
	pair_tls(client, server, &how);
	pair_shake();
	if (!pair_c.ok || !pair_s.ok)
		return;
	pair_s.echo = true;
	stream_write(pair_c.s, "hello", 5);
	pair_spin(4);
	ck_assert_str_eq(buf_p(&pair_c.got), "hello");
}

static const char *
good(void)
{
	return pki_issue("me.pem", "DNS:me.example", PKI_CLIENT_ONLY);
}

START_TEST(a_demanded_certificate_that_is_missing_is_the_reason)
{
	max = _i % 2 == 0 ? TLS12 : TLS13;
	contexts(NULL, true, _i >= 2);
	meet();
	ck_assert(!pair_s.ok);
	ck_assert_int_eq(pair_s.failure.reason, TLSR_CLIENT_CERT);
	/* In TLS 1.3 the client is through before the server has looked. */
	ck_assert_int_eq(pair_c.ok, max == TLS13);
	if (max == TLS12)
		ck_assert_int_eq(pair_c.failure.reason, TLSR_CLIENT_CERT);
}
END_TEST

START_TEST(a_certificate_that_does_not_hold_is_refused_where_it_is_verified)
{
	bool verify = _i >= 2;

	max = _i % 2 == 0 ? TLS12 : TLS13;
	contexts(pki_issue("me.pem", "DNS:me.example", PKI_SELF), true,
	    verify);
	meet();
	ck_assert_int_eq(pair_s.ok, !verify);
	ck_assert(pair_s.info.peer_cert && !pair_s.info.verified);
	ck_assert_int_eq(pair_s.info.reason, TLSR_SELF_SIGNED);
	if (verify)
		ck_assert_int_eq(pair_s.failure.reason, TLSR_CLIENT_CERT);
	if (verify && max == TLS12)
		ck_assert_int_eq(pair_c.failure.reason, TLSR_CLIENT_CERT);
}
END_TEST

START_TEST(a_client_is_known_again_when_it_resumes)
{
	char fingerprint[65];

	max = _i % 2 == 0 ? TLS12 : TLS13;
	contexts(good(), true, true);
	meet();
	ck_assert(pair_c.ok && pair_s.ok && pair_s.info.verified);
	memcpy(fingerprint, pair_s.info.fingerprint, sizeof(fingerprint));
	pair_again();
	meet();
	ck_assert(pair_s.ok && pair_s.info.resumed);
	ck_assert(pair_s.info.peer_cert && pair_s.info.verified);
	ck_assert_str_eq(pair_s.info.fingerprint, fingerprint);
}
END_TEST

/* From any of four demands to any other. */
START_TEST(a_ticket_of_another_demand_is_none)
{
	unsigned from = (unsigned)_i % 4, to = (unsigned)_i / 4 % 4;

	max = _i < 16 ? TLS12 : TLS13;
	contexts(good(), from > 1, from > 2);
	tlsctx_unref(&server);
	server = make_server(from > 0, from > 1, from > 2);
	meet();
	ck_assert(pair_c.ok && pair_s.ok);
	pair_again();
	tlsctx_unref(&server);
	server = make_server(to > 0, to > 1, to > 2);
	meet();
	ck_assert(pair_c.ok && pair_s.ok);
	ck_assert_int_eq(pair_s.info.resumed, from == to);
	ck_assert_int_eq(pair_s.info.peer_cert, to > 0);
}
END_TEST

/* What the destination trusts, or pins, became another meanwhile. */
START_TEST(a_session_does_not_outlive_the_trust_it_was_made_under)
{
	struct tlstrust *nobody = tlstrust_new();
	struct tlspin pin;
	struct err why = ERR_INIT;

	max = _i % 2 == 0 ? TLS12 : TLS13;
	contexts(NULL, false, false);
	want.level = TLSWANT_REQUIRED_VERIFY;
	meet();
	ck_assert(pair_c.ok && !pair_c.info.resumed);
	pair_again();
	meet();
	ck_assert(pair_c.ok && pair_c.info.resumed);
	pair_again();
	if (_i < 2) {
		how.trust = nobody;
	} else {
		ck_assert_int_eq(tlspin_read(&pin, STR("none"), &why), 0);
		want.pin = &pin;
		want.npin = 1;
	}
	meet();
	ck_assert(!pair_c.ok);
	ck_assert_int_eq(pair_c.failure.reason,
	    _i < 2 ? TLSR_UNTRUSTED : TLSR_PIN);
	tlstrust_unref(&nobody);
}
END_TEST

/* Oldest key last: what it made is taken until it has left the ring. */
START_TEST(a_ticket_lives_as_long_as_its_key_is_in_the_ring)
{
	struct tls_ticket_keys keys = { .n = 3 };
	unsigned turn, i;

	max = _i == 0 ? TLS12 : TLS13;
	contexts(NULL, false, false);
	for (turn = 0; turn < 4; turn++) {
		how.session = 20 + turn;
		for (i = 0; i < 3; i++)
			memset(keys.key[i], (int)(50 - i), sizeof(keys.key[i]));
		tlsctx_ticket_keys(server, &keys);
		meet();
		ck_assert(pair_c.ok && !pair_c.info.resumed);
		for (i = 0; i < 3; i++)
			memset(keys.key[i], (int)(50 + turn - i),
			    sizeof(keys.key[i]));
		tlsctx_ticket_keys(server, &keys);
		pair_again();
		meet();
		ck_assert(pair_c.ok);
		ck_assert_int_eq(pair_c.info.resumed, turn < 3);
		pair_again();
	}
}
END_TEST

UNIT_SUITE(tlsio_server)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc,
	    a_demanded_certificate_that_is_missing_is_the_reason, 0, 4);
	tcase_add_loop_test(tc,
	    a_certificate_that_does_not_hold_is_refused_where_it_is_verified, 0,
	    4);
	tcase_add_loop_test(tc, a_client_is_known_again_when_it_resumes, 0, 2);
	tcase_add_loop_test(tc, a_ticket_of_another_demand_is_none, 0, 32);
	tcase_add_loop_test(tc,
	    a_session_does_not_outlive_the_trust_it_was_made_under, 0, 4);
	tcase_add_loop_test(tc,
	    a_ticket_lives_as_long_as_its_key_is_in_the_ring, 0, 2);
}

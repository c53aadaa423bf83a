/*
 * What a client asks of one connection, and what it learns when that fails.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pair.h"
#include "pki.h"
#include "tls/tlsident.h"
#include "tls/tlsref.h"
#include "tls/tlstrust.h"
#include "unit.h"

enum { TLS10 = 0x0301, TLS11, TLS12, TLS13 };

static struct tlsctx *client, *server;
static struct tlsctx_conf cc, sc;
static struct tlswant want;
static struct tlsio_client how;
static struct err why;

static void
setup(void)
{
	pki_start();
	pair_start();
	memset(&want, 0, sizeof(want));
	memset(&how, 0, sizeof(how));
	memset(&cc, 0, sizeof(cc));
	memset(&sc, 0, sizeof(sc));
	want.level = TLSWANT_OPPORTUNISTIC;
	how.want = &want;
	how.sni = "mx.corp.example";
	how.domain = STR("mx.corp.example");
	sc.server = true;
	cc.ca_file = pki_ca();
	client = server = NULL;
	err_clear(&why);
}

static void
teardown(void)
{
	pair_stop();
	tlsctx_unref(&client);
	tlsctx_unref(&server);
	pki_stop();
}

static void
contexts(void)
{
	if (sc.cert_file == NULL)
		sc.cert_file = pki_issue("mx.pem", "DNS:mx.corp.example", 0);
	if (tlsctx_new(&client, &cc, &why) < 0 ||
	    tlsctx_new(&server, &sc, &why) < 0)
		ck_abort_msg("%s", why.text);
}

static void
shake(void)
{
	contexts();
	pair_tls(client, server, &how);
	pair_shake();
}

/* The last level is what both could do at most. */
static const struct {
	uint16_t max;
	const char *ciphers;
	const char *version, *cipher;
} strongest_case[] = {
	{ TLS13, NULL, "TLSv1.3", "TLS_AES_256_GCM_SHA384" },
	{ TLS12, NULL, "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
	{ TLS12, "ECDHE+CHACHA20:ECDHE+AES128:ECDHE+AES256+AESGCM", "TLSv1.2",
	    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
	{ TLS12, "ECDHE+AES128:ECDHE+CHACHA20", "TLSv1.2",
	    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ TLS12, "ECDHE+AES128:AES128-SHA", "TLSv1.2",
	    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
};

START_TEST(takes_the_strongest_that_both_can)
{
	bool at_client = _i % 2 == 0;

	cc.max_version = at_client ? strongest_case[_i / 2].max : 0;
	sc.max_version = at_client ? 0 : strongest_case[_i / 2].max;
	/* The server prefers by its own order. */
	want.ciphers = strongest_case[_i / 2].ciphers;
	shake();
	ck_assert_str_eq(pair_c.why, "");
	ck_assert_str_eq(pair_c.info.version, strongest_case[_i / 2].version);
	if (tls_library_api() < 20 && _i < 2)
		return; /* that one has an order of its own for 1.3 */
	ck_assert_str_eq(pair_c.info.cipher, strongest_case[_i / 2].cipher);
}
END_TEST

static const struct {
	enum tlswant_level level;
	uint16_t min, ctx_min, server_max;
	const char *version; /* NULL: none */
} version_case[] = {
	{ TLSWANT_OPPORTUNISTIC, 0, 0, TLS11, NULL },
	{ TLSWANT_OPPORTUNISTIC, TLS10, 0, TLS11, "TLSv1.1" },
	{ TLSWANT_OPPORTUNISTIC, 0, TLS10, TLS10, "TLSv1" },
	{ TLSWANT_PREFERRED_VERIFY, TLS11, 0, TLS11, "TLSv1.1" },
	{ TLSWANT_REQUIRED, TLS10, 0, TLS11, NULL },
	{ TLSWANT_REQUIRED, 0, TLS10, TLS11, NULL },
	{ TLSWANT_REQUIRED_VERIFY, TLS10, TLS10, TLS11, NULL },
	{ TLSWANT_REQUIRED_VERIFY, TLS10, TLS10, TLS12, "TLSv1.2" },
	{ TLSWANT_REQUIRED, TLS13, 0, TLS12, NULL },
	{ TLSWANT_REQUIRED, TLS13, 0, TLS13, "TLSv1.3" },
};

START_TEST(old_versions_need_leave_and_never_serve_required)
{
	want.level = version_case[_i].level;
	want.min_version = version_case[_i].min;
	cc.min_version = version_case[_i].ctx_min;
	sc.min_version = TLS10;
	sc.max_version = version_case[_i].server_max;
	shake();
	ck_assert_int_eq(pair_c.ok, version_case[_i].version != NULL);
	if (pair_c.ok) {
		ck_assert_str_eq(pair_c.info.version, version_case[_i].version);
		return;
	}
	ck_assert_int_eq(pair_c.failure.reason, TLSR_VERSION);
}
END_TEST

static const struct {
	enum tls_step step;
	const char *version, *cipher_has;
	bool classic;
} step_case[] = {
	{ TLS_STEP_FULL, "TLSv1.3", "TLS_AES", false },
	{ TLS_STEP_CLASSIC, "TLSv1.3", "TLS_AES", true },
	{ TLS_STEP_TLS12, "TLSv1.2", "ECDHE_RSA", true },
};

START_TEST(steps_offer_less_and_less)
{
	how.step = step_case[_i].step;
	sc.cert_file = pki_issue("mx.pem", "DNS:mx.corp.example", PKI_RSA);
	shake();
	ck_assert_str_eq(pair_c.info.version, step_case[_i].version);
	ck_assert_ptr_nonnull(
	    strstr(pair_c.info.cipher, step_case[_i].cipher_has));
	if (tls_library_api() >= 40)
		ck_assert_int_eq(
		    strstr(pair_c.info.group, "MLKEM") == NULL,
		    step_case[_i].classic);
}
END_TEST

START_TEST(last_step_offers_rsa_key_exchange_only)
{
	/* No server of ours takes part in it. */
	how.step = TLS_STEP_RSA;
	sc.cert_file = pki_issue("mx.pem", "DNS:mx.corp.example", PKI_RSA);
	shake();
	ck_assert(!pair_c.ok && !pair_s.ok);
	ck_assert_int_eq(pair_c.failure.reason, TLSR_NO_CIPHER);
	ck_assert_int_eq(pair_s.failure.reason, TLSR_NO_CIPHER);
}
END_TEST

static const struct {
	const char *ciphers, *groups;
	enum tls_step step;
	uint16_t min;
	enum tls_reason reason;
	const char *text;
} unfit_case[] = {
	{ "NONSENSE", NULL, TLS_STEP_FULL, 0, TLSR_NO_CIPHER,
	    "no cipher is left to offer" },
	{ "ECDHE+AESGCM", NULL, TLS_STEP_RSA, 0, TLSR_NO_CIPHER,
	    "no cipher is left to offer" },
	{ NULL, "nonsense", TLS_STEP_FULL, 0, TLSR_NO_CIPHER,
	    "no group is left to offer" },
	{ NULL, "X25519MLKEM768", TLS_STEP_CLASSIC, 0, TLSR_NO_CIPHER,
	    "no group is left to offer" },
	{ NULL, NULL, TLS_STEP_TLS12, TLS13, TLSR_VERSION,
	    "no TLS version is left to offer" },
};

START_TEST(sends_nothing_when_nothing_is_left_to_offer)
{
	want.ciphers = unfit_case[_i].ciphers;
	want.groups = unfit_case[_i].groups;
	want.min_version = unfit_case[_i].min;
	how.step = unfit_case[_i].step;
	contexts();
	pair_tls(client, NULL, &how);
	pair_spin(4);
	ck_assert_uint_eq(pair_c.shaken, 1);
	ck_assert(!pair_c.ok);
	ck_assert_int_eq(pair_c.failure.reason, unfit_case[_i].reason);
	ck_assert_str_eq(pair_c.failure.text, unfit_case[_i].text);
	ck_assert_uint_eq(stream_in(pair_s.s).n, 0);
}
END_TEST

START_TEST(says_what_the_library_said)
{
	cc.max_version = TLS12;
	want.ciphers = "ECDHE+CHACHA20";
	sc.ciphers = "ECDHE+AESGCM";
	shake();
	ck_assert(!pair_c.ok && !pair_s.ok);
	ck_assert_int_eq(pair_s.failure.reason, TLSR_NO_CIPHER);
	ck_assert_uint_eq(pair_s.failure.code, 0x100000b8);
	ck_assert_str_eq(pair_s.failure.text, "error:100000b8:SSL routines:"
					      "OPENSSL_internal:"
					      "NO_SHARED_CIPHER");
	ck_assert_int_eq(pair_s.failure.alert, 40);
	ck_assert(pair_s.failure.alert_sent);
	ck_assert_int_eq(pair_c.failure.reason, TLSR_NO_CIPHER);
	ck_assert_int_eq(pair_c.failure.alert, 40);
	ck_assert(!pair_c.failure.alert_sent);
	ck_assert(str_istarts(str_c(pair_c.failure.text), "error:1"));
}
END_TEST

START_TEST(tells_an_old_server_from_a_broken_one)
{
	sc.min_version = TLS10;
	sc.max_version = TLS11;
	shake();
	ck_assert_int_eq(pair_c.failure.reason, TLSR_VERSION);
	ck_assert_int_eq(pair_s.failure.reason, TLSR_VERSION);
	ck_assert_int_eq(pair_c.failure.alert, 70);
}
END_TEST

#define G(text)                                                                \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}

static const struct {
	struct str octets;
	enum tls_reason reason;
	int alert;
} garbage[] = {
	{ G("220 mail.example ESMTP\r\n"), TLSR_PROTOCOL, -1 },
	{ G("\x16\x03\x01\xff\xff"), TLSR_PROTOCOL, -1 },
	{ G("\x15\x03\x01\0\2\2\x28"), TLSR_NO_CIPHER, 0x28 },
	{ G("\x15\x03\x01\0\2\2\x46"), TLSR_VERSION, 0x46 },
	{ G("\x15\x03\x01\0\2\2\x47"), TLSR_NO_CIPHER, 0x47 },
	{ G("\x15\x03\x01\0\2\2\x50"), TLSR_ALERT, 0x50 },
	{ G("\x15\x03\x01\0\2\2\x30"), TLSR_ALERT, 0x30 },
};

START_TEST(tells_garbage_from_alerts)
{
	contexts();
	stream_pause(pair_s.s);
	pair_tls(client, NULL, &how);
	stream_write(pair_s.s, garbage[_i].octets.p, garbage[_i].octets.n);
	pair_spin(4);
	ck_assert(pair_c.shaken == 1 && !pair_c.ok);
	ck_assert_int_eq(pair_c.failure.reason, garbage[_i].reason);
	if (garbage[_i].alert >= 0) {
		ck_assert_int_eq(pair_c.failure.alert, garbage[_i].alert);
		ck_assert(!pair_c.failure.alert_sent);
	}
	ck_assert_uint_ne(pair_c.failure.code, 0);
	ck_assert_str_eq(pair_c.chain, "");
}
END_TEST

START_TEST(tells_an_end_from_a_reset)
{
	int fd;

	contexts();
	fd = dup(stream_fd(pair_s.s));
	stream_destroy(&pair_s.s);
	pair_tls(client, NULL, &how);
	pair_spin(2);
	if (_i == 0) {
		(void)shutdown(fd, SHUT_RDWR);
	} else {
		/* Closed with something unread. */
		(void)close(fd);
		fd = -1;
	}
	pair_spin(3);
	ck_assert(pair_c.shaken == 1 && !pair_c.ok);
	ck_assert_int_eq(pair_c.failure.reason, TLSR_RESET);
	ck_assert_uint_eq(pair_c.failure.code, 0);
	ck_assert_int_eq(pair_c.failure.alert, -1);
	ck_assert_str_eq(pair_c.failure.text,
	    _i == 0 ? "the peer closed the connection"
		    : "[Errno 104] Connection reset by peer");
	if (fd >= 0)
		(void)close(fd);
}
END_TEST

START_TEST(shows_the_chain_of_a_peer_it_refuses)
{
	static const unsigned flags[] = { 0, PKI_EXPIRED, PKI_SELF };
	unsigned flag = flags[_i];
	struct str der;

	sc.cert_file = pki_issue("mx.pem", "DNS:other.example", flag);
	want.level = TLSWANT_REQUIRED_VERIFY;
	shake();
	ck_assert(!pair_c.ok);
	ck_assert_int_eq(pair_c.info.reason,
	    flag == PKI_EXPIRED ? TLSR_EXPIRED
	    : flag == PKI_SELF  ? TLSR_SELF_SIGNED
			      : TLSR_NAME);
	ck_assert_int_eq(pair_c.failure.reason, pair_c.info.reason);
	ck_assert_str_eq(pair_c.failure.text,
	    "error:1000007d:SSL routines:OPENSSL_internal:"
	    "CERTIFICATE_VERIFY_FAILED");
	ck_assert(pair_c.failure.alert_sent);
	ck_assert(str_istarts(
	    str_c(pair_c.chain), "1/1 subject CN=other.example issuer CN="));
	ck_assert_ptr_nonnull(strstr(pair_c.chain, " from 20"));
	ck_assert_ptr_nonnull(strstr(pair_c.chain, " until 20"));
	ck_assert_ptr_nonnull(strstr(pair_c.chain, pair_c.info.fingerprint));
	ck_assert_int_eq(tlsio_chain_der(pair_c.t, 0, &der), 0);
	ck_assert_uint_gt(der.n, 100);
	ck_assert_int_eq(tlsio_chain_der(pair_c.t, 1, &der), -1);
	ck_assert_str_eq(pair_s.chain, "");
	ck_assert_int_eq(tlsio_chain_der(pair_s.t, 0, &der), -1);
	/* The server hears what we think of it. */
	ck_assert_int_eq(pair_s.failure.reason, TLSR_ALERT);
	ck_assert(!pair_s.failure.alert_sent);
}
END_TEST

START_TEST(looks_for_the_names_it_was_given)
{
	struct tlsref refs[] = { { TLSREF_DOMAIN, TLSREF_SAN,
				     STR("corp.example") },
		{ TLSREF_MX, TLSREF_SAN, STR("mx1.corp.example") },
		{ TLSREF_NAME, TLSREF_SAN, STR_NULL } };

	how.refs = refs;
	how.domain = STR("never.example");
	sc.cert_file = pki_issue("mx.pem", "DNS:mx1.corp.example", 0);
	want.level = TLSWANT_REQUIRED_VERIFY;
	shake();
	ck_assert(pair_c.ok);
	ck_assert_str_eq(pair_c.matched, "mx1.corp.example");
	ck_assert_str_eq(pair_c.info.matched_by, "san:mx");
	ck_assert(!pair_c.info.revocation_checked);
	ck_assert_int_eq(pair_c.info.reason, TLSR_NONE);
}
END_TEST

START_TEST(trusts_whom_the_destination_trusts)
{
	struct tlstrust *nobody = tlstrust_new();

	how.trust = nobody;
	want.level = TLSWANT_REQUIRED_VERIFY;
	contexts();
	pair_tls(client, server, &how);
	tlstrust_unref(&nobody);
	pair_shake();
	ck_assert(!pair_c.ok);
	ck_assert_int_eq(pair_c.failure.reason, TLSR_UNTRUSTED);
}
END_TEST

START_TEST(checks_lists_for_whoever_reads_settings)
{
	struct buf words;

	buf_init(&words, 200);
	ck_assert_int_eq(
	    tlsctx_check_ciphers("ECDHE+AESGCM:!AES128", &words, &why), 0);
	ck_assert_str_eq(buf_p(&words), "");
	ck_assert_int_eq(tlsctx_check_ciphers(
			     "HIGH:RC4-SHA:-SSLv2 MEDIUM,!ALL", &words, &why),
	    -1);
	buf_reset(&words);
	ck_assert_int_eq(
	    tlsctx_check_ciphers("MEDIUM:HIGH:RC4-SHA:@STRENGTH:!EXPORT",
		&words, &why),
	    0);
	ck_assert_str_eq(buf_p(&words), "MEDIUM:RC4-SHA:!EXPORT");
	ck_assert_int_eq(tlsctx_check_ciphers("", &words, &why), -1);
	ck_assert_int_eq(tlsctx_check_groups("X25519:P-256", &why), 0);
	ck_assert_int_eq(
	    tlsctx_check_groups("X25519MLKEM768:P-256", &why), 0);
	ck_assert_int_eq(tlsctx_check_groups("X25519:nonsense", &why), -1);
	ck_assert_str_eq(
	    why.text, "\"X25519:nonsense\" is not a list of groups");
	ck_assert_int_eq(tlsctx_check_groups("", &why), -1);
	buf_fini(&words);
}
END_TEST

#define COUNT(v) ((int)(sizeof(v) / sizeof((v)[0])))

UNIT_SUITE(tlsio_client)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, takes_the_strongest_that_both_can, 0,
	    2 * COUNT(strongest_case));
	tcase_add_loop_test(tc,
	    old_versions_need_leave_and_never_serve_required, 0,
	    COUNT(version_case));
	tcase_add_loop_test(tc, steps_offer_less_and_less, 0, COUNT(step_case));
	tcase_add_test(tc, last_step_offers_rsa_key_exchange_only);
	tcase_add_loop_test(tc, sends_nothing_when_nothing_is_left_to_offer, 0,
	    COUNT(unfit_case));
	tcase_add_test(tc, says_what_the_library_said);
	tcase_add_test(tc, tells_an_old_server_from_a_broken_one);
	tcase_add_loop_test(tc, tells_garbage_from_alerts, 0, COUNT(garbage));
	tcase_add_loop_test(tc, tells_an_end_from_a_reset, 0, 2);
	tcase_add_loop_test(tc, shows_the_chain_of_a_peer_it_refuses, 0, 3);
	tcase_add_test(tc, looks_for_the_names_it_was_given);
	tcase_add_test(tc, trusts_whom_the_destination_trusts);
	tcase_add_test(tc, checks_lists_for_whoever_reads_settings);
}

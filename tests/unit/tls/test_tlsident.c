#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "pair.h"
#include "pki.h"
#include "tls/tlsident_priv.h"
#include "unit.h"

enum { TLS12 = 0x0303, TLS13 = 0x0304 };

static struct tlsident *id[5];
static struct tlsctx *client, *server;
static struct err why;

static void
setup(void)
{
	pki_start();
	pair_start();
	memset(id, 0, sizeof(id));
	client = server = NULL;
	err_clear(&why);
}

static void
teardown(void)
{
	unsigned i;

	pair_stop();
	tlsctx_unref(&client);
	tlsctx_unref(&server);
	for (i = 0; i < sizeof(id) / sizeof(id[0]); i++)
		tlsident_unref(&id[i]);
	pki_stop();
}

static struct tlsident *
load(const char *file)
{
	struct tlsident *one = NULL;

	if (tlsident_load(&one, file, NULL, NULL, NULL, &why) < 0)
		ck_abort_msg("%s", why.text);
	return one;
}

static enum tls_keyop_status
no_sign(void *arg, const struct tlskey_id *key, uint16_t algorithm,
    struct str in, uint8_t *out, size_t *out_len, size_t max, void *ticket)
{
	(void)arg;
	(void)key;
	(void)algorithm;
	(void)in;
	(void)out;
	(void)out_len;
	(void)max;
	(void)ticket;
	return TLS_KEYOP_FAILED;
}

static void
no_cancel(void *arg, void *ticket)
{
	(void)arg;
	(void)ticket;
}

static const struct tls_keyops nobody = { .sign = no_sign,
	.cancel = no_cancel };

START_TEST(is_known_by_its_key_wherever_that_is)
{
	const char *file =
	    pki_issue("a.pem", "DNS:a.example", _i == 0 ? 0 : PKI_RSA);
	struct buf pem;

	buf_init(&pem, 65536);
	ck_assert_int_eq(file_read(&pem, file, &why), 0);
	id[0] = load(file);
	ck_assert_int_eq(tlsident_new(&id[1], "a", buf_str(&pem), STR_NULL,
			     &nobody, NULL, &why),
	    0);
	ck_assert_int_eq(tlsident_new(&id[2], "a", buf_str(&pem), buf_str(&pem),
			     NULL, NULL, &why),
	    0);
	id[3] = load(pki_issue("b.pem", "DNS:a.example", 0));
	ck_assert_str_eq(tlsident_what(id[0]), file);
	ck_assert_str_eq(tlsident_what(id[1]), "a");
	ck_assert_mem_eq(tlsident_key_id(id[0]), tlsident_key_id(id[1]), 32);
	ck_assert_mem_eq(tlsident_key_id(id[0]), tlsident_key_id(id[2]), 32);
	ck_assert_mem_ne(tlsident_key_id(id[0]), tlsident_key_id(id[3]), 32);
	ck_assert_int_eq(tlsident_is_ecdsa(id[0]), _i == 0);
	ck_assert_int_eq(tlsident_is_ecdsa(id[1]), _i == 0);
	ck_assert_int_gt(tlsident_expires(id[0]), clock_wall());
	ck_assert_int_lt(tlsident_expires(id[0]), clock_wall() + HOURS(25));
	buf_fini(&pem);
}
END_TEST

START_TEST(signs_only_with_a_key_that_is_here)
{
	uint16_t ecdsa = 0x0403, pss = 0x0804;
	uint8_t sig[1024];
	struct tlsident *far;
	size_t n = 0;

	id[0] = load(pki_issue("a.pem", "DNS:a.example", 0));
	id[1] = load(pki_issue("b.pem", "DNS:a.example", PKI_RSA));
	ck_assert(tlsident_sign(id[0], ecdsa, STR("x"), sig, &n, sizeof(sig)));
	ck_assert_uint_gt(n, 60);
	ck_assert(tlsident_sign(id[1], pss, STR("x"), sig, &n, sizeof(sig)));
	ck_assert_uint_eq(n, 256);
	n = 7;
	ck_assert(!tlsident_sign(id[0], pss, STR("x"), sig, &n, sizeof(sig)));
	ck_assert(!tlsident_sign(id[1], ecdsa, STR("x"), sig, &n, sizeof(sig)));
	ck_assert(!tlsident_sign(id[1], 0x4242, STR("x"), sig, &n, 1024));
	ck_assert(!tlsident_sign(id[1], pss, STR("x"), sig, &n, 255));
	ck_assert_int_eq(tlsident_load(&id[2], tlsident_what(id[0]),
			     "/nowhere", &nobody, NULL, &why),
	    0);
	far = id[2];
	ck_assert(!tlsident_sign(far, ecdsa, STR("x"), sig, &n, sizeof(sig)));
	ck_assert_uint_eq(n, 7);
}
END_TEST

START_TEST(needs_the_key_of_its_leaf)
{
	const char *a = pki_issue("a.pem", "DNS:a.example", 0);
	const char *b = pki_issue("b.pem", "DNS:b.example", 0);

	ck_assert_int_eq(tlsident_load(&id[0], a, b, NULL, NULL, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "does not belong to"));
	ck_assert_int_eq(
	    tlsident_load(&id[0], a, "/nowhere/key", NULL, NULL, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "/nowhere/key"));
	ck_assert_int_eq(tlsident_load(&id[0], "/nowhere/cert", NULL, &nobody,
			     NULL, &why),
	    -1);
	ck_assert_int_eq(tlsident_new(&id[0], "what", STR("nonsense"), STR_NULL,
			     &nobody, NULL, &why),
	    -1);
	ck_assert_str_eq(why.text, "what: no certificate in it (PEM)");
	ck_assert_ptr_null(id[0]);
}
END_TEST

START_TEST(warns_of_its_dates)
{
	id[0] = load(pki_issue("a.pem", "DNS:a.example", PKI_EXPIRED));
	ck_assert_ptr_nonnull(
	    strstr(tlsident_warning(id[0]), "the certificate has expired"));
	ck_assert_int_lt(tlsident_expires(id[0]), clock_wall());
	id[1] = load(pki_issue("b.pem", "DNS:a.example", PKI_FUTURE));
	ck_assert_ptr_nonnull(
	    strstr(tlsident_warning(id[1]), "is not valid yet"));
	id[2] = load(pki_issue("c.pem", "DNS:a.example", 0));
	ck_assert_ptr_null(tlsident_warning(id[2]));
}
END_TEST

static const struct {
	const char *san, *name;
	unsigned flags;
	bool covers;
} cover_case[] = {
	{ "DNS:mx.example", "mx.example", 0, true },
	{ "DNS:mx.example", "MX.example.", 0, true },
	{ "DNS:MX.Example", "mx.example", 0, true },
	{ "DNS:mx.example", "x.example", 0, false },
	{ "DNS:mx.example", "", 0, false },
	{ "DNS:mx.example", ".", 0, false },
	{ "DNS:b.example,DNS:a.example", "b.example", 0, true },
	{ "DNS:*.example", "mx.example", 0, true },
	{ "DNS:*.example", "a.mx.example", 0, false },
	{ "DNS:*.example", "example", 0, false },
	{ "DNS:*.example", ".example", 0, false },
	{ "DNS:*x.example", "mx.example", 0, false },
	{ "DNS:mx.example", "mx.example", PKI_NO_SAN, true },
	{ "IP:192.0.2.1", "192.0.2.1", 0, false },
};

START_TEST(covers_what_its_names_say)
{
	id[0] = load(
	    pki_issue("a.pem", cover_case[_i].san, cover_case[_i].flags));
	ck_assert_int_eq(tlsident_covers(id[0], str_c(cover_case[_i].name)),
	    cover_case[_i].covers);
}
END_TEST

static bool
shown(unsigned i)
{
	const CRYPTO_BUFFER *leaf = id[i]->chain[0];
	unsigned char sha[32];
	char hex[65];
	unsigned n;

	(void)SHA256(CRYPTO_BUFFER_data(leaf), CRYPTO_BUFFER_len(leaf), sha);
	for (n = 0; n < sizeof(sha); n++)
		(void)snprintf(hex + 2 * n, 3, "%02x", sha[n]);
	return strcmp(pair_c.info.fingerprint, hex) == 0;
}

enum { DEF_EC, DEF_RSA, OTHER_RSA, OTHER_EC, WILD };

static const struct {
	const char *sni;
	uint16_t max;
	const char *ciphers; /* of the client, TLS 1.2 */
	const char *groups;
	unsigned shown;
} pick_case[] = {
	{ NULL, TLS13, NULL, NULL, DEF_EC },
	{ NULL, TLS12, NULL, NULL, DEF_EC },
	{ NULL, TLS12, "ECDHE+aRSA", NULL, DEF_RSA },
	{ NULL, TLS12, "ECDHE+aECDSA", NULL, DEF_EC },
	{ NULL, TLS12, NULL, "X25519:P-384", DEF_RSA },
	{ NULL, TLS13, NULL, "X25519:P-384", DEF_EC },
	{ "mx.example", TLS13, NULL, NULL, DEF_EC },
	{ "nobody.example", TLS13, NULL, NULL, DEF_EC },
	{ "nobody.example", TLS12, "ECDHE+aRSA", NULL, DEF_RSA },
	{ "other.example", TLS13, NULL, NULL, OTHER_EC },
	{ "OTHER.example", TLS12, NULL, NULL, OTHER_EC },
	{ "other.example", TLS12, "ECDHE+aRSA", NULL, OTHER_RSA },
	{ "a.wild.example", TLS13, NULL, NULL, WILD },
	/* Better another name than no handshake. */
	{ "a.wild.example", TLS12, "ECDHE+aRSA", NULL, DEF_RSA },
};

START_TEST(shows_what_the_client_asked_for_and_can_use)
{
	struct tlsctx_conf c = { .max_version = pick_case[_i].max,
		.ciphers = pick_case[_i].ciphers,
		.groups = pick_case[_i].groups };
	struct tlsctx_conf s = { .server = true, .ident = id, .nident = 5 };
	struct tlswant want = { .level = TLSWANT_OPPORTUNISTIC };
	struct tlsio_client how = { .want = &want, .sni = pick_case[_i].sni };
	bool rsa_first = pick_case[_i].sni == NULL;

	id[DEF_EC] = load(pki_issue("ec.pem", "DNS:mx.example", 0));
	id[DEF_RSA] = load(pki_issue("rsa.pem", "DNS:mx.example", PKI_RSA));
	id[OTHER_RSA] = load(pki_issue("o1.pem", "DNS:other.example", PKI_RSA));
	id[OTHER_EC] = load(pki_issue("o2.pem", "DNS:other.example", 0));
	id[WILD] = load(pki_issue("w.pem", "DNS:*.wild.example", 0));
	if (rsa_first) {
		struct tlsident *order[5] = { id[DEF_RSA], id[WILD],
			id[OTHER_EC],
			id[DEF_EC], id[OTHER_RSA] };

		s.ident = order;
		ck_assert_int_eq(tlsctx_new(&server, &s, &why), 0);
	} else {
		ck_assert_int_eq(tlsctx_new(&server, &s, &why), 0);
	}
	ck_assert_int_eq(tlsctx_new(&client, &c, &why), 0);
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert_str_eq(pair_c.why, "");
	ck_assert(pair_c.ok && pair_s.ok);
	ck_assert(shown(pick_case[_i].shown));
}
END_TEST

START_TEST(says_so_when_no_certificate_suits)
{
	struct tlsctx_conf c = { .max_version = TLS12,
		.ciphers = "ECDHE+aRSA" };
	struct tlsctx_conf s = { .server = true, .ident = id, .nident = 1 };
	struct tlswant want = { .level = TLSWANT_OPPORTUNISTIC };
	struct tlsio_client how = { .want = &want };

	id[0] = load(pki_issue("ec.pem", "DNS:mx.example", 0));
	ck_assert_int_eq(tlsctx_new(&server, &s, &why), 0);
	ck_assert_int_eq(tlsctx_new(&client, &c, &why), 0);
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert(!pair_c.ok && !pair_s.ok);
	ck_assert_ptr_nonnull(strstr(pair_s.why, "no shared cipher"));
}
END_TEST

#define COUNT(v) ((int)(sizeof(v) / sizeof((v)[0])))

UNIT_SUITE(tlsident)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, is_known_by_its_key_wherever_that_is, 0, 2);
	tcase_add_test(tc, signs_only_with_a_key_that_is_here);
	tcase_add_test(tc, needs_the_key_of_its_leaf);
	tcase_add_test(tc, warns_of_its_dates);
	tcase_add_loop_test(
	    tc, covers_what_its_names_say, 0, COUNT(cover_case));
	tcase_add_loop_test(tc, shows_what_the_client_asked_for_and_can_use, 0,
	    COUNT(pick_case));
	tcase_add_test(tc, says_so_when_no_certificate_suits);
}

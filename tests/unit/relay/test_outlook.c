#include "relay/outlook.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct queue_profile profile = { .name = "default",
	.first_retry = MINUTES(1), .max_retry = HOURS(1),
	.lifetime = HOURS(72), .max_retries = 100 };

static struct outlook list[OUTLOOK_MAX];
static unsigned nlist;
static struct pool *pool;
static struct tlswant want;

static void
look(const char *text, bool implicit_tls, bool route)
{
	struct outlook_in in = { .want = &want, .profile = &profile,
		.implicit_tls = implicit_tls, .route = route };

	pool = pool_new(0);
	ck_assert_int_eq(tlswant_read(&want, str_c(text), pool, NULL), 0);
	nlist = outlook_all(&in, list);
	pool_destroy(&pool);
}

static const struct outlook *
at(const char *word)
{
	unsigned i;

	for (i = 0; i < nlist; i++)
		if (strcmp(list[i].word, word) == 0)
			return &list[i];
	return NULL;
}

/* requirements.md 3.1: T sent over TLS, C in clear, A so on a new connection,
 * - not; by level. */
static const char *const levels[] = { "opportunistic", "preferred",
	"preferred-verify", "required", "required-verify", "forced" };
static const struct {
	const char *word, *does;
} table[] = {
	{ "no-esmtp", "CCC---" },
	{ "no-starttls", "CCC---" },
	{ "starttls-masked", "CCC---" },
	{ "starttls-4yz", "CCC---" },
	{ "starttls-5yz", "CCC---" },
	{ "starttls-unknown", "CCC---" },
	{ "starttls-421", "AAA---" },
	{ "starttls-cut", "AAA---" },
	{ "handshake-silent", "A-----" },
	{ "starttls-injection", "------" },
	{ "no-shared-cipher", "A-----" },
	{ "reset", "A-----" },
	{ "alert", "A-----" },
	{ "self-signed", "TTTT--" },
	{ "name-mismatch", "TTTT--" },
	{ "certificate-revoked", "TTTT--" },
};

START_TEST(each_point_is_foreseen_as_the_levels_have_it)
{
	static const char letters[] = "TCA-";
	const struct outlook *o = NULL;
	size_t k;

	for (k = 0; k < sizeof(levels) / sizeof(levels[0]); k++) {
		look(levels[k], false, false);
		o = at(table[_i].word);
		ck_assert_ptr_nonnull(o);
		ck_assert_msg(letters[o->does] == table[_i].does[k],
		    "%s under %s: %s", table[_i].word, levels[k],
		    outlook_word(o->does));
	}
	look("none", false, false);
	ck_assert_ptr_null(at(table[_i].word));
}
END_TEST

START_TEST(what_is_not_sent_has_its_status_and_its_end)
{
	const struct outlook *o;

	look("forced", false, false);
	o = at("no-starttls");
	ck_assert(o->next_host && !o->bounce);
	ck_assert_str_eq(o->status, "4.7.4");
	ck_assert_str_eq(o->final, "5.7.4");
	ck_assert(o->until == HOURS(24));
	o = at("unreachable");
	ck_assert_str_eq(o->status, "4.4.1");
	ck_assert_str_eq(o->final, "5.4.7");
	ck_assert(o->until == HOURS(72) && o->next_host);
	o = at("rcpt-5yz");
	ck_assert(o->bounce && !o->next_host);
	ck_assert_str_eq(o->status, "5.0.0");
	o = at("null-mx");
	ck_assert(o->bounce);
	ck_assert_str_eq(o->status, "5.1.10");
	ck_assert_ptr_null(at("login-refused"));
}
END_TEST

START_TEST(smaller_offers_come_before_clear_text)
{
	const struct outlook *o;

	look("opportunistic", false, false);
	o = at("protocol");
	ck_assert_str_eq(o->step[0], "classic");
	ck_assert_str_eq(o->step[1], "tls12");
	ck_assert_ptr_null(o->step[2]);
	ck_assert_str_eq(at("key-usage")->step[0], "rsa");
	look("required-verify", false, false);
	ck_assert_ptr_null(at("key-usage")->step[0]);
}
END_TEST

START_TEST(a_route_with_tls_from_the_first_octet_has_no_starttls)
{
	look("opportunistic", true, true);
	ck_assert_ptr_null(at("no-starttls"));
	ck_assert_ptr_null(at("no-domain"));
	ck_assert_ptr_nonnull(at("dns-fails"));
	ck_assert_int_eq(at("reset")->does, OUTLOOK_NOT);
}
END_TEST

UNIT_SUITE(outlook)
{
	tcase_add_loop_test(tc, each_point_is_foreseen_as_the_levels_have_it,
	    0, sizeof(table) / sizeof(table[0]));
	tcase_add_test(tc, what_is_not_sent_has_its_status_and_its_end);
	tcase_add_test(tc, smaller_offers_come_before_clear_text);
	tcase_add_test(tc,
	    a_route_with_tls_from_the_first_octet_has_no_starttls);
}

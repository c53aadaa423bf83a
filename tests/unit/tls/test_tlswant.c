#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "tls/tlswant.h"
#include "unit.h"

START_TEST(names_its_levels)
{
	enum tlswant_level l = TLSWANT_NONE;
	unsigned i;

	for (i = 0; i <= TLSWANT_REQUIRED_VERIFY; i++) {
		ck_assert(tlswant_parse(
		    str_c(tlswant_name((enum tlswant_level)i)), &l));
		ck_assert_uint_eq((unsigned)l, i);
	}
	ck_assert(tlswant_parse(STR("Required"), &l));
	ck_assert_int_eq(l, TLSWANT_REQUIRED);
	ck_assert(!tlswant_parse(STR("require"), &l));
	ck_assert(!tlswant_parse(STR(""), &l));
}
END_TEST

START_TEST(knows_what_a_level_allows)
{
	ck_assert(tlswant_clear_ok(TLSWANT_NONE));
	ck_assert(tlswant_clear_ok(TLSWANT_PREFERRED_VERIFY));
	ck_assert(!tlswant_clear_ok(TLSWANT_REQUIRED));
	ck_assert(!tlswant_clear_ok(TLSWANT_REQUIRED_VERIFY));
	ck_assert(!tlswant_verifies(TLSWANT_REQUIRED));
	ck_assert(tlswant_verifies(TLSWANT_PREFERRED_VERIFY));
	ck_assert(tlswant_verifies(TLSWANT_REQUIRED_VERIFY));
}
END_TEST

static const struct {
	const char *text, *again; /* NULL: as it is */
} good[] = {
	{ "none", NULL },
	{ "opportunistic", NULL },
	{ "Required-Verify", "required-verify" },
	{ "  required\t", "required" },
	{ "forced", "required-verify deadline=1d" },
	{ "forced deadline=4h match=domain",
	    "required-verify match=domain deadline=4h" },
	{ "required-verify-hosted", "required-verify match=hosted" },
	{ "required-verify-hosted match=hosted",
	    "required-verify match=hosted" },
	{ "preferred-verify-hosted", "preferred-verify match=hosted" },
	{ "required-verify match=mx", "required-verify" },
	{ "required-verify names=B.example,.a.example.",
	    "required-verify match=names names=.a.example,b.example" },
	{ "required-verify match=mx names=a.example",
	    "required-verify match=mx names=a.example" },
	{ "required-verify-hosted names=a.example",
	    "required-verify match=hosted names=a.example" },
	{ "required-verify names=x.a.example,.a.example,a.example,a.example",
	    "required-verify match=names names=.a.example,a.example" },
	{ "required-verify names=b\xc3\xbc" "cher.example,192.0.2.1",
	    "required-verify match=names "
	    "names=192.0.2.1,xn--bcher-kva.example" },
	{ "required-verify names=2001:DB8:0::1",
	    "required-verify match=names names=2001:db8::1" },
	{ "warn_after=1h", "" }, /* no level */
	{ "opportunistic warn_after=90m min=1.0 deadline=24h",
	    "opportunistic min=1.0 deadline=1d warn_after=1h30m" },
	{ "required groups=X25519:P-256 ciphers=ECDHE+AESGCM:!SHA1 min=1.3",
	    "required min=1.3 ciphers=ECDHE+AESGCM:!SHA1 "
	    "groups=X25519:P-256" },
	{ "required-verify requiretls=YES deadline=1d ca=/a",
	    "required-verify ca=/a requiretls=yes deadline=1d" },
	{ "preferred-verify ca=/etc/Ca.pem", NULL },
	{ "required-verify pin=none", NULL },
	{ "required-verify-hosted pin=none", "required-verify pin=none" },
	{ "required-verify pin=spki:"
	  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
	    NULL },
	{ "required-verify pin=SHA256:000102030405060708090A0B0C0D0E0F"
	  "101112131415161718191a1b1c1d1e1f@2026-01-31..2026-02-28",
	    "required-verify pin=sha256:000102030405060708090a0b0c0d0e0f"
	    "101112131415161718191a1b1c1d1e1f@2026-01-31..2026-02-28" },
	{ "required-verify pin=sha256:00:01:02:03:04:05:06:07:08:09:0A:0B:"
	  "0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1a:1b:1c:1d:1e:1f",
	    "required-verify pin=sha256:000102030405060708090a0b0c0d0e0f"
	    "101112131415161718191a1b1c1d1e1f" },
	/* Windows of one key that touch are one. */
	{ "required-verify pin="
	  "spki:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=@2028-03-01..,"
	  "spki:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=@..2028-02-29",
	    "required-verify pin="
	    "spki:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" },
};

START_TEST(reads_and_writes_its_text)
{
	const char *expected = good[_i].again;
	struct pool *pool = pool_new(0);
	struct tlswant w = { .level = TLSWANT_NONE };
	struct err why = ERR_INIT;
	struct buf text;
	int result;

	if (expected == NULL)
		expected = good[_i].text;
	buf_init(&text, 4096);
	result = tlswant_read(&w, str_c(good[_i].text), pool, &why);
	if (expected[0] == '\0') {
		ck_assert_int_eq(result, -1);
	} else {
		ck_assert_msg(result == 0, "%s", why.text);
		tlswant_write(&w, &text);
		ck_assert_str_eq(buf_p(&text), expected);
		ck_assert_int_eq(
		    tlswant_read(&w, buf_str(&text), pool, &why), 0);
		buf_reset(&text);
		tlswant_write(&w, &text);
		ck_assert_str_eq(buf_p(&text), expected);
	}
	buf_fini(&text);
	pool_destroy(&pool);
}
END_TEST

static const struct {
	const char *text, *why; /* a part of what is said */
} bad[] = {
	{ "", "\"\" is no TLS level: none, opportunistic" },
	{ "require", "\"require\" is no TLS level" },
	{ "required mtach=mx", "\"mtach\" is no attribute of a TLS want (did "
			       "you mean \"match\"?)" },
	{ "required colour=red", "\"colour\" is no attribute of a TLS want: "
				 "match, names, pin, ca, min, ciphers, groups, "
				 "requiretls, deadline or warn_after" },
	{ "required min", "\"min\": min= and a value" },
	{ "required min=", "\"min=\": min= and a value" },
	{ "required min=1.2 min=1.2", "\"min=1.2\": min is there twice" },
	{ "required min=1.4", "min=1.4: it is 1.0, 1.1, 1.2 or 1.3" },
	{ "required min=1.0", "min=1.0 is not possible under required" },
	{ "forced min=1.1", "min=1.1 is not possible under required-verify" },
	{ "none min=1.2", "min says nothing under none" },
	{ "none deadline=1h", "deadline says nothing under none" },
	{ "required names=a.example", "names says nothing under required, "
				      "which looks at no certificate" },
	{ "opportunistic pin=none", "pin says nothing under opportunistic" },
	{ "preferred ca=/x", "ca says nothing under preferred" },
	{ "required match=domain", "match says nothing under required" },
	{ "required-verify match=names", "match=names: no names=" },
	{ "required-verify match=both", "match=both: it is mx, domain, hosted, "
					"compat or names" },
	{ "required-verify-hosted match=domain",
	    "match=domain: the level said hosted already" },
	{ "required-verify names=a..example",
	    "names: \"a..example\" is neither" },
	{ "required-verify names=,a.example", "names: \"\" is neither" },
	{ "required-verify names=*.example", "names: \"*.example\" is" },
	{ "required-verify names=.", "names: \".\" is neither" },
	{ "required-verify names=..example", "names: \"..example\" is" },
	{ "required-verify names=.2.1", "names: \".2.1\" is neither" },
	{ "required-verify names=192.0.2.300", "names: \"192.0.2.300\" is" },
	{ "required-verify pin=md5:00", "pin: \"md5:00\" is no pin: sha256:" },
	{ "required-verify pin=sha256:00", "pin: \"sha256:00\" is no pin" },
	{ "required-verify pin=spki:AAAA", "pin: \"spki:AAAA\" is no pin" },
	{ "required-verify pin=none@", "behind @ come two dates" },
	{ "required-verify pin=none@..", "behind @ come two dates" },
	{ "required-verify pin=none@2026-02-29..", "behind @ come two" },
	{ "required-verify pin=none@2026-02-01", "behind @ come two" },
	{ "required-verify pin=none@2027-01-01..2026-01-01",
	    "the earlier first" },
	{ "required-verify ca=ca.pem", "ca=ca.pem: the path begins with /" },
	{ "required ciphers=a\x01", "ciphers: up to 1024 printable" },
	{ "required-verify requiretls=no", "it is yes, or missing" },
	{ "required requiretls=yes", "requiretls is for required-verify" },
	{ "required deadline=0s", "deadline=0s: a time from 1s to 366d" },
	{ "required deadline=soon", "deadline=soon: a time from 1s" },
	{ "required warn_after=367d", "warn_after=367d: a time from" },
};

START_TEST(says_what_is_wrong_and_what_is_possible)
{
	struct pool *pool = pool_new(0);
	struct err why = ERR_INIT;
	struct tlswant w;

	ck_assert_int_eq(
	    tlswant_read(&w, str_c(bad[_i].text), pool, &why), -1);
	ck_assert_msg(strstr(why.text, bad[_i].why) != NULL, "%s", why.text);
	pool_destroy(&pool);
}
END_TEST

/* Repeats of a list's piece: at the limit, and one more. */
static int
read_many(const char *head, const char *piece, unsigned n)
{
	struct pool *pool = pool_new(0);
	struct tlswant w;
	struct buf text;
	int result;

	buf_init(&text, 65536);
	(void)buf_add_c(&text, head);
	while (n-- > 0)
		(void)buf_printf(&text, "%s%s", piece, n > 0 ? "," : "");
	result = tlswant_read(&w, buf_str(&text), pool, NULL);
	buf_fini(&text);
	pool_destroy(&pool);
	return result;
}

START_TEST(bounds_its_lists)
{
	static const char names[] = "required-verify names=";
	static const char pins[] = "required-verify pin=";
	char *many = mem_alloc(16400);
	struct pool *pool = pool_new(0);
	struct tlswant w;

	ck_assert_int_eq(read_many(names, "a.example", 100), 0);
	ck_assert_int_eq(read_many(names, "a.example", 101), -1);
	ck_assert_int_eq(read_many(pins, "none", 64), 0);
	ck_assert_int_eq(read_many(pins, "none", 65), -1);
	memset(many, ' ', 16400);
	memcpy(many, "required", 8);
	ck_assert_int_eq(tlswant_read(&w, str_n(many, 16384), pool, NULL), 0);
	ck_assert_int_eq(tlswant_read(&w, str_n(many, 16385), pool, NULL), -1);
	mem_free(many);
	pool_destroy(&pool);
}
END_TEST

#define P1 "spki:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define P2 "spki:AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define RV "required-verify"

static const struct {
	const char *a, *b, *max;
} max_case[] = {
	{ "none", "opportunistic", "opportunistic" },
	{ "required", "preferred-verify match=domain", "required" },
	{ "required deadline=2h", "forced", RV " deadline=2h" },
	{ "required warn_after=1h", RV " warn_after=2h", RV " warn_after=1h" },
	{ RV, RV " match=domain", RV " match=domain" },
	{ RV " match=compat", RV "-hosted", RV " match=hosted" },
	{ RV " match=compat", RV, RV },
	{ RV " names=a.example", RV " match=domain",
	    RV " match=names names=a.example" },
	{ RV " names=a.example", RV "-hosted names=b.example",
	    RV " match=names names=a.example" },
	{ RV " names=a.example,c.example", RV " names=c.example,b.example",
	    RV " match=names names=c.example" },
	{ RV " names=.a.example",
	    RV " names=x.a.example,.y.a.example,a.example",
	    RV " match=names names=.y.a.example,x.a.example" },
	{ RV " names=a.example", RV " names=b.example", RV " pin=none" },
	{ RV " match=mx names=a.example", RV " match=mx names=b.example", RV },
	{ RV " match=mx names=a.example", RV, RV },
	{ RV " pin=" P1, RV " match=domain", RV " match=domain pin=" P1 },
	{ RV " pin=" P1 "," P2, RV " pin=" P2, RV " pin=" P2 },
	{ RV " pin=" P1, RV " pin=" P2, RV " pin=none" },
	{ RV " pin=" P1 "@..2026-06-30", RV " pin=" P2 "@2026-07-01..",
	    RV " pin=" P1 "@..2026-06-30," P2 "@2026-07-01.." },
	{ RV " pin=" P1 "@..2026-06-30", RV " pin=" P2 "@2026-06-30..",
	    RV " pin=none@2026-06-30..2026-06-30," P1 "@..2026-06-29," P2
	       "@2026-07-01.." },
	{ RV " pin=" P1 "@2026-01-01..", RV " pin=" P1 "@..2026-06-30",
	    RV " pin=" P1 },
	{ RV " pin=" P1, "preferred-verify pin=" P2, RV " pin=" P1 },
	{ RV " ca=/a", RV, RV " ca=/a" },
	{ RV " ca=/a", RV " ca=/b", RV " pin=none" },
	{ RV " pin=none", RV " match=domain ca=/x", RV " pin=none" },
	{ "required min=1.3", "opportunistic min=1.2", "required min=1.3" },
	{ "required", "opportunistic min=1.3", "required min=1.3" },
	{ "required", "opportunistic min=1.0", "required" },
	{ "opportunistic", "opportunistic min=1.0", "opportunistic" },
	{ "preferred min=1.1", "opportunistic min=1.0", "preferred min=1.1" },
	{ "required ciphers=A:B:+C:!D", "required ciphers=B:A:!E:@STRENGTH",
	    "required ciphers=A:B:!D:!E" },
	{ "required ciphers=A", "required ciphers=B:!A",
	    "required ciphers=none" },
	{ "required-verify requiretls=yes", "required-verify match=hosted",
	    "required-verify requiretls=yes" },
	{ "required-verify requiretls=yes", "preferred min=1.3",
	    "required-verify min=1.3 requiretls=yes" },
	{ "required ciphers=A", "preferred ciphers=B", "required ciphers=A" },
	{ "required groups=X25519:P-256", "required groups=P-256",
	    "required groups=P-256" },
	{ "required groups=X25519:P-256", "required",
	    "required groups=X25519:P-256" },
};

static void
read_ok(struct tlswant *w, const char *text, struct pool *pool)
{
	struct err why = ERR_INIT;

	if (tlswant_read(w, str_c(text), pool, &why) < 0)
		ck_abort_msg("%s: %s", text, why.text);
}

START_TEST(maximum_meets_both)
{
	struct pool *pool = pool_new(0);
	struct tlswant a, b, ab, ba;
	struct buf text;

	buf_init(&text, 4096);
	read_ok(&a, max_case[_i].a, pool);
	read_ok(&b, max_case[_i].b, pool);
	tlswant_max(&ab, &a, &b, pool);
	tlswant_write(&ab, &text);
	ck_assert_str_eq(buf_p(&text), max_case[_i].max);
	buf_reset(&text);
	tlswant_max(&ba, &b, &a, pool);
	tlswant_write(&ba, &text);
	ck_assert_str_eq(buf_p(&text), max_case[_i].max);
	buf_fini(&text);
	pool_destroy(&pool);
}
END_TEST

/* Any want at all, of few words, so that two have something in common. */
static void
random_want(struct buf *text)
{
	static const char *const level[] = { "none", "opportunistic",
		"preferred", "preferred-verify", "required", RV, RV, RV };
	static const char *const match[] = { "mx", "domain", "hosted",
		"compat" };
	static const char *const name[] = { "a.example", ".a.example",
		"x.a.example", ".x.a.example", "y.x.a.example", "b.example",
		"192.0.2.1" };
	static const char *const pin[] = { P1, P2, "none", P1 "@2026-02-01..",
		P1 "@..2026-03-01", P2 "@2026-02-15..2026-04-01",
		"none@2026-03-31..2026-05-01", P2 "@..2026-01-01" };
	static const char *const word[] = { "A", "B", "C", "!D", "!E", "+A" };
	const char *l = level[rand_below(8)];
	bool verifies = strstr(l, "verify") != NULL;
	unsigned i, n;

	buf_reset(text);
	(void)buf_add_c(text, l);
	if (strcmp(l, "none") == 0)
		return;
	n = verifies ? (unsigned)rand_below(4) : 0;
	for (i = 0; i < n; i++)
		(void)buf_printf(text, "%s%s", i == 0 ? " names=" : ",",
		    name[rand_below(7)]);
	if (verifies && rand_below(2) == 0)
		(void)buf_printf(text, " match=%s", match[rand_below(4)]);
	n = verifies ? (unsigned)rand_below(5) : 0;
	for (i = 0; i < n; i++)
		(void)buf_printf(text, "%s%s", i == 0 ? " pin=" : ",",
		    pin[rand_below(8)]);
	if (verifies && rand_below(4) == 0)
		(void)buf_printf(text, " ca=/%s", word[rand_below(2)]);
	if (rand_below(3) == 0)
		(void)buf_printf(text, " min=1.%u",
		    (unsigned)rand_below(2) +
			(strncmp(l, "req", 3) == 0 ? 2u : rand_below(2)));
	n = (unsigned)rand_below(4);
	for (i = 0; i < n; i++)
		(void)buf_printf(text, "%s%s", i == 0 ? " ciphers=" : ":",
		    word[rand_below(6)]);
	if (rand_below(3) == 0)
		(void)buf_printf(
		    text, " deadline=%uh", 1 + (unsigned)rand_below(3));
	if (rand_below(3) == 0)
		(void)buf_printf(
		    text, " warn_after=%um", 1 + (unsigned)rand_below(90));
}

static void
max_text(struct buf *dst, const struct tlswant *a, const struct tlswant *b,
    struct pool *pool)
{
	struct tlswant max;

	tlswant_max(&max, a, b, pool);
	buf_reset(dst);
	tlswant_write(&max, dst);
}

/* Over many: commutative, idempotent, associative, and what comes out is a
 * want that can be read. */
START_TEST(maximum_is_a_maximum)
{
	struct pool *pool = pool_new(0);
	struct buf a, b, x, y;
	struct tlswant w[3], m;
	unsigned i, k;

	buf_init(&a, 4096);
	buf_init(&b, 4096);
	buf_init(&x, 4096);
	buf_init(&y, 4096);
	for (i = 0; i < 20000; i++) {
		for (k = 0; k < 3; k++) {
			random_want(k == 0 ? &a : &b);
			read_ok(&w[k], buf_p(k == 0 ? &a : &b), pool);
		}
		max_text(&x, &w[0], &w[1], pool);
		max_text(&y, &w[1], &w[0], pool);
		ck_assert_str_eq(buf_p(&x), buf_p(&y));
		read_ok(&m, buf_p(&x), pool);
		ck_assert_uint_ge(m.level, w[0].level);
		ck_assert_uint_ge(m.level, w[1].level);
		max_text(&y, &m, &w[0], pool);
		ck_assert_str_eq(buf_p(&x), buf_p(&y));
		max_text(&x, &w[0], &w[0], pool);
		buf_reset(&y);
		tlswant_write(&w[0], &y);
		ck_assert_str_eq(buf_p(&x), buf_p(&y));
		tlswant_max(&m, &w[0], &w[1], pool);
		max_text(&x, &m, &w[2], pool);
		tlswant_max(&m, &w[1], &w[2], pool);
		max_text(&y, &w[0], &m, pool);
		ck_assert_str_eq(buf_p(&x), buf_p(&y));
		pool_reset(pool);
	}
	buf_fini(&a);
	buf_fini(&b);
	buf_fini(&x);
	buf_fini(&y);
	pool_destroy(&pool);
}
END_TEST

START_TEST(a_want_rises_and_has_a_length)
{
	struct pool *pool = pool_new(0);
	const char *want = NULL;
	struct err why = ERR_INIT;

	ck_assert_int_eq(tlswant_raise(pool, want, "required", 30, &want,
	    &why), 0);
	ck_assert_str_eq(want, "required");
	ck_assert_int_eq(tlswant_raise(pool, want, "preferred", 30, &want,
	    &why), 0);
	ck_assert_str_eq(want, "required");
	ck_assert_int_eq(tlswant_raise(pool, want, "required-verify "
	    "names=a-long-one.example", 30, &want, &why), -1);
	ck_assert_str_eq(why.text, "it would be longer than 30 octets");
	ck_assert_int_eq(tlswant_raise(pool, "", "require", 30, &want, &why),
	    -1);
	ck_assert_str_eq(want, "required");
	pool_destroy(&pool);
}
END_TEST

START_TEST(pin_counts_on_both_its_days)
{
	struct tlspin p;

	ck_assert_int_eq(
	    tlspin_read(&p, STR(P1 "@2026-01-31..2026-02-01"), NULL), 0);
	ck_assert(!tlspin_counts(&p, 1769817599999)); /* 30th, 23:59:59.999 */
	ck_assert(tlspin_counts(&p, 1769817600000));
	ck_assert(tlspin_counts(&p, 1769990399999)); /* 1st, 23:59:59.999 */
	ck_assert(!tlspin_counts(&p, 1769990400000));
	ck_assert_int_eq(tlspin_read(&p, STR(P1), NULL), 0);
	ck_assert(tlspin_counts(&p, 0) && tlspin_counts(&p, INT64_MAX));
}
END_TEST

START_TEST(key_tells_wants_apart)
{
	const char *ab[] = { "a", "b", NULL }, *joined[] = { "ab", NULL };
	struct tlswant any = { .level = TLSWANT_OPPORTUNISTIC };
	struct tlswant must = { .level = TLSWANT_REQUIRED_VERIFY };
	struct tlswant two = { .level = TLSWANT_REQUIRED_VERIFY,
		.match = TLSWANT_MATCH_NAMES, .names = ab };
	struct tlswant one = { .level = TLSWANT_REQUIRED_VERIFY,
		.match = TLSWANT_MATCH_NAMES, .names = joined };
	struct str x = STR("x.example"), y = STR("y.example");

	ck_assert_uint_eq(tlswant_key(&any, x), tlswant_key(&any, y));
	ck_assert_uint_ne(tlswant_key(&any, x), tlswant_key(&must, x));
	ck_assert_uint_ne(tlswant_key(&must, x), tlswant_key(&must, y));
	ck_assert_uint_eq(
	    tlswant_key(&must, x), tlswant_key(&must, STR("X.Example")));
	ck_assert_uint_ne(tlswant_key(&two, x), tlswant_key(&one, x));
	ck_assert_uint_eq(tlswant_key(&two, x), tlswant_key(&two, y));
}
END_TEST

static const struct {
	const char *a, *b;
	bool same;
} keys[] = {
	{ "forced", RV, true },
	{ RV " warn_after=1h", RV, true },
	{ RV, RV "-hosted", false },
	{ RV " ca=/a", RV " ca=/A", false },
	{ RV " pin=" P1, RV, false },
	{ RV " names=a.example", RV " names=A.Example", true },
	{ "required", "preferred", false },
	{ "required", "required min=1.3", false },
	{ "required ciphers=A", "required ciphers=B", false },
	{ "required groups=A", "required ciphers=A", false },
};

START_TEST(key_has_all_that_matters_to_a_connection)
{
	struct pool *pool = pool_new(0);
	struct tlswant a, b;

	read_ok(&a, keys[_i].a, pool);
	read_ok(&b, keys[_i].b, pool);
	ck_assert_int_eq(tlswant_key(&a, STR("x")) == tlswant_key(&b, STR("x")),
	    keys[_i].same);
	pool_destroy(&pool);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

UNIT_SUITE(tlswant)
{
	tcase_add_test(tc, names_its_levels);
	tcase_add_test(tc, knows_what_a_level_allows);
	tcase_add_test(tc, key_tells_wants_apart);
	tcase_add_loop_test(tc, reads_and_writes_its_text, 0, COUNT(good));
	tcase_add_loop_test(
	    tc, says_what_is_wrong_and_what_is_possible, 0, COUNT(bad));
	tcase_add_test(tc, bounds_its_lists);
	tcase_add_loop_test(tc, maximum_meets_both, 0, COUNT(max_case));
	tcase_add_test(tc, maximum_is_a_maximum);
	tcase_add_test(tc, a_want_rises_and_has_a_length);
	tcase_add_test(tc, pin_counts_on_both_its_days);
	tcase_add_loop_test(
	    tc, key_has_all_that_matters_to_a_connection, 0, COUNT(keys));
}

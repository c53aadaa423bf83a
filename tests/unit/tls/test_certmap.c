#include "tls/certmap.h"

#include <string.h>

#include "unit.h"

static struct certmap map, back;
static struct buf text;
static struct err why;

static void
setup(void)
{
	memset(&map, 0, sizeof(map));
	memset(&back, 0, sizeof(back));
	map.pool = pool_new(0);
	back.pool = pool_new(0);
	buf_init(&text, 65536);
}

static void
teardown(void)
{
	pool_destroy(&map.pool);
	pool_destroy(&back.pool);
	buf_fini(&text);
}

START_TEST(rows_of_a_use_come_in_their_order)
{
	certmap_add(&map, "listener:in", "a", "/a/c", "/a/k");
	certmap_add(&map, "outbound", "b", "/b/c", "/b/k");
	certmap_add(&map, "listener:in", "c", "/c/c", "/c/k");
	ck_assert_str_eq(certmap_find(&map, "listener:in", 0)->name, "a");
	ck_assert_str_eq(certmap_find(&map, "listener:in", 1)->name, "c");
	ck_assert_ptr_null(certmap_find(&map, "listener:in", 2));
	ck_assert_ptr_null(certmap_find(&map, "listener:i", 0));
}
END_TEST

START_TEST(comes_back_from_its_text)
{
	const struct certmap_row *r;
	unsigned i;

	for (i = 0; i < 20; i++)
		certmap_add(&map, "listener:a\tb\nc", "100% (ECDSA)",
		    "/tmp/\t%09", "/k\xc3\xa4");
	certmap_write(&map, &text);
	ck_assert_int_eq(certmap_read(&back, buf_str(&text), &why), 0);
	ck_assert_uint_eq(back.n, 20);
	r = certmap_find(&back, "listener:a\tb\nc", 19);
	ck_assert_ptr_nonnull(r);
	ck_assert_str_eq(r->name, "100% (ECDSA)");
	ck_assert_str_eq(r->chain, "/tmp/\t%09");
	ck_assert_str_eq(r->key, "/k\xc3\xa4");
}
END_TEST

static const char *const malformed[] = { "a", "a\tb\tc", "a\tb\tc\td\te",
	"a\t\tc\td", "a\tb\tc\t%0", "a\tb\tc\t%zz", "a\tb\tc\t%00",
	"a\tb\tc\td\n\n" };

START_TEST(refuses_what_it_did_not_write)
{
	ck_assert_int_eq(certmap_read(&back, str_c(malformed[_i]), &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "malformed"));
}
END_TEST

UNIT_SUITE(certmap)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, rows_of_a_use_come_in_their_order);
	tcase_add_test(tc, comes_back_from_its_text);
	tcase_add_loop_test(tc, refuses_what_it_did_not_write, 0,
	    sizeof(malformed) / sizeof(malformed[0]));
}

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sys.h"
#include "tls/certlist.h"
#include "unit.h"

static struct certlist *l;
static struct err why;

static void
setup(void)
{
	l = certlist_new();
	err_clear(&why);
}

static void
teardown(void)
{
	certlist_destroy(&l);
}

static int
memory(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(sys_pwrite_all(fd, text, strlen(text), 0), 0);
	return fd;
}

static int
add(const char *store, unsigned at, const char *name, const char *key)
{
	struct certlist_row r = { .store = store, .at = at, .name = name,
		.chain = "/chain", .chain_fd = -1, .key = key, .key_fd = -1 };

	return certlist_add(l, &r, &why);
}

static int
add_text(const char *store, const char *name, const char *chain,
    const char *key)
{
	struct certlist_row r = { .store = store, .name = name,
		.chain_fd = memory(chain), .key_fd = memory(key) };

	return certlist_add(l, &r, &why);
}

START_TEST(reads_texts_by_made_up_paths)
{
	const struct certlist_row *r;
	struct buf b;

	ck_assert_int_eq(add_text("vault", "mx.test", "the chain", "the key"),
	    0);
	r = certlist_find(l, "mx.test");
	ck_assert_str_eq(r->chain, "vault:mx.test");
	ck_assert_str_eq(r->key, "vault:mx.test (key)");
	ck_assert_str_eq(certlist_origin(l, r), "vault");
	buf_init(&b, 100);
	ck_assert_int_eq(certlist_read(l, r->chain, &b, &why), 0);
	ck_assert_str_eq(buf_p(&b), "the chain");
	buf_reset(&b);
	/* As often as one likes. */
	ck_assert_int_eq(certlist_read(l, r->key, &b, &why), 0);
	buf_reset(&b);
	ck_assert_int_eq(certlist_read(l, r->key, &b, &why), 0);
	ck_assert_str_eq(buf_p(&b), "the key");
	ck_assert_int_eq(certlist_read(l, "vault:other", &b, &why), -1);
	ck_assert_int_eq(certlist_fd(NULL, r->key), -1);
	buf_fini(&b);
}
END_TEST

START_TEST(refuses_what_is_no_certificate)
{
	struct certlist_row r = { .store = "s", .name = "a",
		.chain_fd = -1, .key_fd = -1 };

	ck_assert_int_eq(certlist_add(l, &r, &why), -1);
	ck_assert_str_eq(why.text, "\"a\" has both a file and a text, or "
	    "neither");
	r.chain = "/chain";
	r.key = "/key";
	r.key_fd = memory("key");
	ck_assert_int_eq(certlist_add(l, &r, &why), -1);
	ck_assert_int_eq(add("s", 0, "a", "key"), -1);
	ck_assert_str_eq(why.text, "\"a\": a file's path is absolute");
	ck_assert_int_eq(add("s", 0, "", "/key"), -1);
	ck_assert_int_eq(add("s", 0, "a\tb", "/key"), -1);
	ck_assert_int_eq(certlist_watch(l, "s", 0, "live", &why), -1);
	ck_assert_uint_eq(l->nrow, 0);
}
END_TEST

START_TEST(takes_so_many_and_no_more)
{
	char name[16];
	int i;

	for (i = 0; i < CERTLIST_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		ck_assert_int_eq(add("s", 0, name, "/key"), 0);
		ck_assert_int_eq(certlist_watch(l, "s", 0, "/w", &why), 0);
	}
	ck_assert_int_eq(add("s", 0, "more", "/key"), -1);
	ck_assert_str_eq(why.text, "more than 10000 certificates");
	ck_assert_int_eq(certlist_watch(l, "s", 0, "/w", &why), -1);
	ck_assert_uint_eq(l->nrow, CERTLIST_MAX);
}
END_TEST

START_TEST(stores_come_in_the_order_of_their_blocks)
{
	ck_assert_int_eq(add("last", 7, "a", "/last"), 0);
	ck_assert_int_eq(add("last", 7, "b", "/last"), 0);
	ck_assert_int_eq(add("first", 2, "b", "/first"), 0);
	certlist_told(l, "last", 7);
	certlist_told(l, "first", 2);
	ck_assert_int_eq(certlist_settle(l, NULL, &why), 0);
	ck_assert_str_eq(certlist_find(l, "a")->key, "/last");
	ck_assert_str_eq(certlist_find(l, "b")->key, "/first");
	ck_assert_ptr_null(certlist_find(l, "c"));
}
END_TEST

START_TEST(what_a_store_had_stays_if_it_did_not_tell_all)
{
	struct certlist *old = l;
	struct buf b;

	ck_assert_int_eq(add_text("bad", "a", "old chain", "old key"), 0);
	ck_assert_int_eq(certlist_watch(l, "bad", 0, "/bad", &why), 0);
	ck_assert_int_eq(add("good", 1, "b", "/old"), 0);
	certlist_told(l, "bad", 0);
	certlist_told(l, "good", 1);
	l = certlist_new();
	ck_assert_int_eq(add_text("bad", "a", "half", "half"), 0);
	ck_assert_int_eq(add_text("bad", "c", "half", "half"), 0);
	ck_assert_int_eq(certlist_watch(l, "bad", 0, "/half", &why), 0);
	ck_assert_int_eq(add("good", 1, "b", "/new"), 0);
	certlist_told(l, "good", 1);
	ck_assert_int_eq(certlist_settle(l, old, &why), 0);
	certlist_destroy(&old);
	ck_assert_uint_eq(l->nrow, 2);
	ck_assert_uint_eq(l->nstore, 2);
	ck_assert_uint_eq(l->nwatch, 1);
	ck_assert_str_eq(l->watch[0].path, "/bad");
	ck_assert_str_eq(certlist_find(l, "b")->key, "/new");
	ck_assert_ptr_null(certlist_find(l, "c"));
	buf_init(&b, 100);
	ck_assert_int_eq(certlist_read(l, certlist_find(l, "a")->key, &b,
	    &why), 0);
	ck_assert_str_eq(buf_p(&b), "old key");
	buf_fini(&b);
}
END_TEST

START_TEST(nothing_stays_of_what_was_not_told_if_there_is_no_other)
{
	ck_assert_int_eq(add("bad", 0, "a", "/key"), 0);
	ck_assert_int_eq(certlist_settle(l, NULL, &why), 0);
	ck_assert_uint_eq(l->nrow, 0);
}
END_TEST

UNIT_SUITE(certlist)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, reads_texts_by_made_up_paths);
	tcase_add_test(tc, refuses_what_is_no_certificate);
	tcase_add_test(tc, takes_so_many_and_no_more);
	tcase_add_test(tc, stores_come_in_the_order_of_their_blocks);
	tcase_add_test(tc, what_a_store_had_stays_if_it_did_not_tell_all);
	tcase_add_test(tc,
	    nothing_stays_of_what_was_not_told_if_there_is_no_other);
}

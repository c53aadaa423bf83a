#include <postern/cert_store.h>

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

extern const struct pst_plugin cert_file_LTX_postern_plugin;

struct conf {
	const char *const *directories;
};

static char told[8192], said[512], dir[256];

static int
add(struct pst_cert_list *list, const struct pst_cert *c)
{
	size_t n = strlen(told);

	(void)list;
	ck_assert_uint_eq(c->size, sizeof(*c));
	ck_assert_ptr_null(c->chain);
	ck_assert_ptr_null(c->key);
	(void)snprintf(told + n, sizeof(told) - n, "cert %s %s %s\n", c->name,
	    c->chain_file + strlen(dir), c->key_file + strlen(dir));
	return 0;
}

static int
watch(struct pst_cert_list *list, const char *path)
{
	size_t n = strlen(told);

	(void)list;
	(void)snprintf(told + n, sizeof(told) - n, "watch %s\n",
	    path + strlen(dir));
	return 0;
}

static enum pst_verdict reply(struct pst_event *, enum pst_verdict, int,
		    const char *, const char *, ...) PST_PRINTF(5, 6);

static enum pst_verdict
reply(struct pst_event *ev, enum pst_verdict v, int code, const char *enh,
    const char *fmt, ...)
{
	va_list ap;

	(void)ev;
	(void)code;
	(void)enh;
	va_start(ap, fmt);
	(void)vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	return v;
}

static enum pst_verdict
ask(const char *one, const char *two)
{
	static const struct pst_api api = { .reply = reply };
	struct pst_cert_list list = { .size = sizeof(list), .add = add,
		.watch = watch };
	char path[2][512];
	const char *v[3] = { NULL, NULL, NULL };
	struct conf c = { .directories = v };
	struct pst_event ev = { .api = &api, .on = PST_CERT_STORE_LIST,
		.conf = &c, .arg = &list, .instance = "test" };

	told[0] = said[0] = '\0';
	(void)snprintf(path[0], sizeof(path[0]), "%s/%s", dir, one);
	v[0] = path[0];
	if (two != NULL) {
		(void)snprintf(path[1], sizeof(path[1]), "%s/%s", dir, two);
		v[1] = path[1];
	}
	ck_assert_ptr_null(cert_file_LTX_postern_plugin.check(&c));
	ck_assert_str_eq(cert_file_LTX_postern_plugin.hooks[0].on,
	    PST_CERT_STORE_LIST);
	return cert_file_LTX_postern_plugin.hooks[0].fn(&ev);
}

static const char *
place(const char *name)
{
	static char path[2][512];
	static unsigned i;

	i = 1 - i;
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

/* With the folders above it. */
static void
put(const char *name)
{
	char path[512], *p;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s", place(name));
	for (p = path + strlen(dir) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		(void)mkdir(path, 0700);
		*p = '/';
	}
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fclose(f), 0);
}

static void
setup(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(dir, sizeof(dir), "%s/cert_file-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static int
gone(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
teardown(void)
{
	ck_assert_int_eq(nftw(dir, gone, 8, FTW_DEPTH | FTW_PHYS), 0);
}

START_TEST(a_folder_with_chain_and_key_is_a_certificate)
{
	put("live/mx.example/fullchain.pem");
	put("live/mx.example/privkey.pem");
	ck_assert_int_eq(ask("live", NULL), PST_CONTINUE);
	ck_assert_str_eq(told, "watch /live\n"
	    "cert mx.example /live/mx.example/fullchain.pem "
	    "/live/mx.example/privkey.pem\nwatch /live/mx.example\n");
}
END_TEST

START_TEST(links_are_followed_and_dangling_ones_are_nothing)
{
	put("archive/chain1.pem");
	put("archive/key1.pem");
	put("live/a.test/README");
	ck_assert_int_eq(symlink("../../archive/chain1.pem",
	    place("live/a.test/fullchain.pem")), 0);
	ck_assert_int_eq(symlink("../../archive/key2.pem",
	    place("live/a.test/privkey.pem")), 0);
	ck_assert_int_eq(ask("live", NULL), PST_CONTINUE);
	ck_assert_str_eq(told, "watch /live\nwatch /live/a.test\n");
	put("archive/key2.pem");
	ck_assert_int_eq(ask("live", NULL), PST_CONTINUE);
	ck_assert_ptr_nonnull(strstr(told, "cert a.test "));
}
END_TEST

START_TEST(two_files_of_a_name_are_a_certificate)
{
	put("lego/b.example.crt");
	put("lego/b.example.key");
	put("lego/c.example.crt");
	put("lego/.hidden.crt");
	put("lego/.hidden.key");
	put("lego/.crt");
	put("lego/.key");
	ck_assert_int_eq(ask("lego", NULL), PST_CONTINUE);
	ck_assert_str_eq(told, "watch /lego\n"
	    "cert b.example /lego/b.example.crt /lego/b.example.key\n");
}
END_TEST

START_TEST(directories_come_in_their_order_and_may_be_missing)
{
	put("two/a.test.crt");
	put("two/a.test.key");
	put("one/a.test.crt");
	put("one/a.test.key");
	ck_assert_int_eq(ask("two", "one"), PST_CONTINUE);
	ck_assert_str_eq(told, "watch /two\n"
	    "cert a.test /two/a.test.crt /two/a.test.key\nwatch /one\n"
	    "cert a.test /one/a.test.crt /one/a.test.key\n");
	ck_assert_int_eq(ask("none", "two"), PST_CONTINUE);
	ck_assert_str_eq(told, "watch /none\nwatch /two\n"
	    "cert a.test /two/a.test.crt /two/a.test.key\n");
}
END_TEST

START_TEST(what_is_no_directory_is_an_error)
{
	put("file");
	ck_assert_int_eq(ask("file", NULL), PST_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(said, "/file: Not a directory"));
}
END_TEST

START_TEST(directories_are_absolute_and_given)
{
	static const char *const relative[] = { "/a", "b", NULL };
	static const char *const none[] = { NULL };
	struct conf c = { .directories = relative };

	ck_assert_str_eq(cert_file_LTX_postern_plugin.check(&c),
	    "directories are absolute paths");
	c.directories = none;
	ck_assert_str_eq(cert_file_LTX_postern_plugin.check(&c),
	    "directories is empty");
}
END_TEST

UNIT_SUITE(cert_file)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_folder_with_chain_and_key_is_a_certificate);
	tcase_add_test(tc, links_are_followed_and_dangling_ones_are_nothing);
	tcase_add_test(tc, two_files_of_a_name_are_a_certificate);
	tcase_add_test(tc, directories_come_in_their_order_and_may_be_missing);
	tcase_add_test(tc, what_is_no_directory_is_an_error);
	tcase_add_test(tc, directories_are_absolute_and_given);
}

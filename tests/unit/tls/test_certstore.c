#include <errno.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/scratch.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sys.h"
#include "tls/certlist.h"
#include "tls/certmake.h"
#include "tls/certstore.h"
#include "unit.h"

static struct certstore *cs;
static struct err why;
static char dir[256];

static void
setup(void)
{
	(void)scratch();
	(void)str_copy(dir, sizeof(dir), str_c(scratch_path("store")));
	err_clear(&why);
	ck_assert_int_eq(certstore_open(&cs, dir, NULL, &why), 0);
}

static void
teardown(void)
{
	certstore_close(&cs);
	scratch_remove();
}

static void
ok(int r)
{
	if (r != 0)
		ck_abort_msg("%s", why.text);
}

static void
reopen(const struct certlist *list)
{
	certstore_close(&cs);
	ok(certstore_open(&cs, dir, list, &why));
}

static mode_t
mode_of(const char *path)
{
	struct stat st;

	ck_assert_msg(stat(path, &st) == 0, "%s", path);
	return st.st_mode & 07777;
}

static const char *
contents(const char *path)
{
	static char text[65536];
	struct buf b;

	buf_init(&b, sizeof(text) - 1);
	ok(file_read(&b, path, &why));
	(void)str_copy(text, sizeof(text), buf_str(&b));
	buf_fini(&b);
	return text;
}

static void
add(const char *name, const char *chain)
{
	ok(certstore_add(cs, name, str_c(chain), STR("key"), STR_NULL, &why));
}

START_TEST(takes_a_directory_that_is_not_there_for_empty)
{
	struct certstore_entry *v;
	const char *chain, *key;
	unsigned n;

	ok(certstore_list(cs, &v, &n, &why));
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(certstore_find(cs, "a", &chain, &key, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "no certificate \"a\""));
	ck_assert_ptr_null(certstore_assigned(cs, "outbound", 0));
}
END_TEST

START_TEST(keeps_keys_to_their_owner)
{
	const char *chain, *key;

	add("mail", "chain");
	ok(certstore_find(cs, "mail", &chain, &key, &why));
	ck_assert_str_eq(contents(chain), "chain");
	ck_assert_str_eq(contents(key), "key");
	ck_assert_uint_eq(mode_of(dir), 0700);
	ck_assert_uint_eq(mode_of(key), 0600);
	ck_assert_int_eq(certstore_add(cs, "mail", STR("x"), STR("y"),
	    STR_NULL, &why), -1);
	ck_assert_str_eq(contents(chain), "chain");
}
END_TEST

START_TEST(stores_any_sensible_name)
{
	static const char *const names[] = { "Default certificate", "a/b",
		"..", ".hidden", "100%", "%41", "assign", "ca.pem",
		"\xc3\xa4\xe2\x82\xac", "a.b.c", "x:y\\z\"'" };
	static const char *const bad[] = { "", "a\tb", "a\nb", "\xff", " a",
		"a " };
	struct certstore_entry *v;
	const char *chain, *key;
	unsigned i, k, n;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		add(names[i], names[i]);
	ok(certstore_list(cs, &v, &n, &why));
	ck_assert_uint_eq(n, i);
	for (i = 0; i < n; i++) {
		ok(certstore_find(cs, names[i], &chain, &key, &why));
		ck_assert_str_eq(contents(chain), names[i]);
		for (k = 0; k < n && strcmp(v[k].name, names[i]) != 0; k++)
			;
		ck_assert_uint_lt(k, n);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(certstore_add(cs, bad[i], STR("c"), STR("k"),
		    STR_NULL, &why), -1);
	ck_assert_int_eq(access(scratch_path("cert.pem"), F_OK), -1);
}
END_TEST

START_TEST(keeps_each_earlier_chain)
{
	struct certstore_entry e;
	unsigned version;

	add("mail", "one");
	ok(certstore_set_chain(cs, "mail", STR("two"), &version, &why));
	ck_assert_uint_eq(version, 1);
	ok(certstore_set_chain(cs, "mail", STR("three"), &version, &why));
	ck_assert_uint_eq(version, 2);
	ok(certstore_entry(cs, "mail", &e, &why));
	ck_assert_uint_eq(e.versions, 2);
	ck_assert_str_eq(contents(e.chain), "three");
	ck_assert_str_eq(contents(certstore_version_path(cs, "mail", 1)),
	    "one");
	ck_assert_str_eq(contents(certstore_version_path(cs, "mail", 2)),
	    "two");
}
END_TEST

START_TEST(remembers_uses_in_order)
{
	const char *use, *name;

	add("a", "a");
	add("b", "b");
	ok(certstore_assign(cs, "listener:in", "a", false, &why));
	ok(certstore_assign(cs, "outbound", "a", false, &why));
	ok(certstore_assign(cs, "listener:in", "b", false, &why));
	reopen(NULL);
	ck_assert_str_eq(certstore_assigned(cs, "listener:in", 0), "a");
	ck_assert_str_eq(certstore_assigned(cs, "listener:in", 1), "b");
	ck_assert_ptr_null(certstore_assigned(cs, "listener:in", 2));
	ok(certstore_assign(cs, "listener:in", "b", true, &why));
	ck_assert_str_eq(certstore_assigned(cs, "listener:in", 0), "b");
	ck_assert(certstore_use(cs, 2, &use, &name));
	ck_assert(!certstore_use(cs, 3, &use, &name));
	ok(certstore_unassign(cs, "listener:in", "b", &why));
	ck_assert_str_eq(certstore_assigned(cs, "listener:in", 0), "a");
	ck_assert_int_eq(certstore_unassign(cs, "https", NULL, &why), -1);
	ck_assert_int_eq(certstore_assign(cs, "https", "c", false, &why), -1);
	ck_assert_int_eq(certstore_assign(cs, "a\tb", "a", false, &why), -1);
}
END_TEST

START_TEST(deletes_and_renames_only_what_is_unused)
{
	const char *chain, *key;
	unsigned version;

	add("a", "a");
	ok(certstore_set_chain(cs, "a", STR("two"), &version, &why));
	ok(certstore_assign(cs, "https", "a", false, &why));
	ck_assert_int_eq(certstore_delete(cs, "a", &why), -1);
	ck_assert_str_eq(why.text, "\"a\" is in use by https");
	ck_assert_int_eq(certstore_rename(cs, "a", "b", &why), -1);
	ok(certstore_unassign(cs, "https", NULL, &why));
	ok(certstore_rename(cs, "a", "b", &why));
	ck_assert_int_eq(certstore_find(cs, "a", &chain, &key, &why), -1);
	ok(certstore_find(cs, "b", &chain, &key, &why));
	ok(certstore_delete(cs, "b", &why));
	ck_assert_int_eq(access(scratch_path("store/b"), F_OK), -1);
	ck_assert_int_eq(certstore_delete(cs, "b", &why), -1);
}
END_TEST

/* name's row, files below dir. */
static void
listed(struct certlist *l, const char *store, unsigned at, const char *name,
    const char *chain, const char *key)
{
	struct certlist_row row = { .store = store, .at = at, .name = name,
		.chain_fd = -1, .key_fd = -1 };

	row.chain = chain;
	row.key = key;
	ok(certlist_add(l, &row, &why));
}

START_TEST(finds_what_plugins_have)
{
	struct certlist *l = certlist_new();
	struct certstore_entry *v, e;
	unsigned n, version;

	ok(certlist_watch(l, "live", 1, "/live", &why));
	ok(certlist_watch(l, "live", 1, "/live/mx.example", &why));
	listed(l, "live", 1, "mx.example", "/live/mx.example/fullchain.pem",
	    "/live/mx.example/privkey.pem");
	listed(l, "other", 0, "b.example", "/b.crt", "/b.key");
	listed(l, "live", 1, "b.example", "/live/b.crt", "/live/b.key");
	listed(l, "live", 1, "own", "/live/own.crt", "/live/own.key");
	certlist_told(l, "live", 1);
	certlist_told(l, "other", 0);
	ok(certlist_settle(l, NULL, &why));
	reopen(l);
	add("own", "own");
	ok(certstore_list(cs, &v, &n, &why));
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(v[0].name, "own");
	ck_assert_ptr_null(v[0].directory);
	ck_assert_str_eq(v[1].name, "b.example");
	ck_assert_str_eq(v[1].chain, "/b.crt");
	ck_assert_str_eq(v[1].directory, "other");
	ck_assert_str_eq(v[2].name, "mx.example");
	ok(certstore_entry(cs, "mx.example", &e, &why));
	ck_assert_str_eq(e.chain, "/live/mx.example/fullchain.pem");
	ck_assert_str_eq(e.directory, "/live");
	ok(certstore_assign(cs, "outbound", "mx.example", false, &why));
	ck_assert_int_eq(certstore_set_chain(cs, "mx.example", STR("x"),
	    &version, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "not ours to change"));
	ck_assert_int_eq(certstore_entry(cs, "../live/mx.example", &e, &why),
	    -1);
	certlist_destroy(&l);
}
END_TEST

static X509 *
read_cert(const char *path)
{
	BIO *bio = BIO_new_file(path, "r");
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	ck_assert_ptr_nonnull(x);
	BIO_free(bio);
	return x;
}

START_TEST(makes_the_demonstration_certificates_that_are_missing)
{
	const char *chain, *key;
	EVP_PKEY *public;
	X509 *x;
	bool made;

	ok(certstore_make_default(cs, "relay.example", false, &made, &why));
	ck_assert(made);
	ck_assert_int_eq(certstore_find(cs, CERTSTORE_DEFAULT, &chain, &key,
	    &why), -1);
	ok(certstore_find(cs, CERTSTORE_DEFAULT_EC, &chain, &key, &why));
	x = read_cert(chain);
	public = X509_get_pubkey(x);
	ck_assert_int_eq(EVP_PKEY_id(public), EVP_PKEY_EC);
	ck_assert_int_eq(X509_check_host(x, "relay.example", 13, 0, NULL), 1);
	EVP_PKEY_free(public);
	X509_free(x);
	ok(certstore_make_default(cs, "relay.example", true, &made, &why));
	ck_assert(made);
	ok(certstore_find(cs, CERTSTORE_DEFAULT, &chain, &key, &why));
	x = read_cert(chain);
	public = X509_get_pubkey(x);
	ck_assert_int_eq(EVP_PKEY_id(public), EVP_PKEY_RSA);
	ck_assert_int_eq(EVP_PKEY_bits(public), 4096);
	ck_assert_int_eq(X509_get_signature_nid(x),
	    NID_sha256WithRSAEncryption);
	ck_assert_int_eq(X509_verify(x, public), 1);
	EVP_PKEY_free(public);
	X509_free(x);
	ok(certstore_make_default(cs, "relay.example", true, &made, &why));
	ck_assert(!made);
	ck_assert(certstore_is_default(CERTSTORE_DEFAULT_EC));
	ck_assert(!certstore_is_default("default"));
}
END_TEST

/* Each n-th call that changes the disk ends a process: old or new, whole. */
START_TEST(leaves_whole_profiles_wherever_a_process_ends)
{
	const char *chain, *key;
	unsigned version;
	int n, status, ends = 0;
	pid_t pid;

	add("old", "one");
	for (n = 1; n < 100; n++) {
		pid = fork();
		ck_assert_int_ne(pid, -1);
		if (pid == 0) {
			sys_fault(~0U, (uint64_t)n, 0, false);
			if (certstore_add(cs, "new", STR("chain"), STR("key"),
				STR("csr"), &why) != 0 ||
			    certstore_set_chain(cs, "old", STR("two"),
				&version, &why) != 0 ||
			    certstore_assign(cs, "https", "old", false,
				&why) != 0)
				_exit(1);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_ne(WEXITSTATUS(status), 1);
		reopen(NULL);
		ok(certstore_find(cs, "old", &chain, &key, &why));
		ck_assert(strcmp(contents(chain), "one") == 0 ||
		    strcmp(contents(chain), "two") == 0);
		ck_assert(certstore_assigned(cs, "https", 0) == NULL ||
		    strcmp(certstore_assigned(cs, "https", 0), "old") == 0);
		if (certstore_find(cs, "new", &chain, &key, &why) == 0) {
			ck_assert_str_eq(contents(chain), "chain");
			ck_assert_str_eq(contents(key), "key");
			ok(certstore_delete(cs, "new", &why));
		}
		if (WEXITSTATUS(status) == 0)
			break;
		ends++;
	}
	ck_assert_int_gt(ends, 20);
	ck_assert_int_lt(n, 100);
}
END_TEST

START_TEST(refuses_uses_it_cannot_read)
{
	add("a", "a");
	ok(file_replace(scratch_path("store/assign"), "https a\n", 8, 0600,
	    &why));
	certstore_close(&cs);
	ck_assert_int_eq(certstore_open(&cs, dir, NULL, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "assign:1: not a use"));
}
END_TEST

/* Both ways: when it is opened, and when it is written to. */
static void
store_is_refused(const char *said)
{
	struct certstore *other;

	ck_assert_int_eq(certstore_open(&other, dir, NULL, &why), -1);
	ck_assert_msg(strstr(why.text, said) != NULL, "%s", why.text);
	ck_assert_ptr_nonnull(strstr(why.text, dir));
	ck_assert_int_eq(certstore_add(cs, "new", STR("c"), STR("k"), STR_NULL,
	    &why), -1);
	ck_assert_msg(strstr(why.text, said) != NULL, "%s", why.text);
	ck_assert_int_eq(access(scratch_path("store/new"), F_OK), -1);
}

START_TEST(refuses_a_store_that_is_a_symbolic_link)
{
	struct certstore *other;

	add("a", "a");
	ck_assert_int_eq(sys_rename(dir, scratch_path("elsewhere")), 0);
	ck_assert_int_eq(symlink("elsewhere", dir), 0);
	store_is_refused("a symbolic link");
	/* With a slash behind it, too. */
	ck_assert_int_eq(certstore_open(&other, scratch_path("store/"), NULL,
	    &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "a symbolic link"));
}
END_TEST

START_TEST(refuses_a_store_that_others_may_write_to)
{
	add("a", "a");
	ck_assert_int_eq(chmod(dir, 0770), 0);
	store_is_refused("others may write to it (mode 0770)");
	ck_assert_int_eq(chmod(dir, 0702), 0);
	store_is_refused("others may write to it (mode 0702)");
	ck_assert_int_eq(chmod(dir, 0755), 0);
	add("b", "b");
}
END_TEST

START_TEST(refuses_a_store_that_is_somebody_elses)
{
	if (geteuid() != 0)
		return; /* nothing can be given away */
	add("a", "a");
	ck_assert_int_eq(chown(dir, 65534, 65534), 0);
	store_is_refused("belongs to user number 65534");
}
END_TEST

static void
profile_is_refused(const char *said)
{
	struct certstore_entry e;
	unsigned version;

	ck_assert_int_eq(certstore_entry(cs, "a", &e, &why), -1);
	ck_assert_msg(strstr(why.text, said) != NULL, "%s", why.text);
	ck_assert_int_eq(certstore_set_chain(cs, "a", STR("x"), &version,
	    &why), -1);
	ck_assert_msg(strstr(why.text, said) != NULL, "%s", why.text);
	/* By the name that people know. */
	ck_assert_msg(strstr(why.text, dir) != NULL, "%s", why.text);
}

START_TEST(refuses_folders_that_are_links_or_open_to_others)
{
	add("a", "a");
	ck_assert_int_eq(chmod(scratch_path("store/a"), 0720), 0);
	profile_is_refused("others may write to it (mode 0720)");
	ck_assert_int_eq(chmod(scratch_path("store/a"), 0700), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(scratch_path("store/a"), 65534, 65534),
		    0);
		profile_is_refused("belongs to user number 65534");
		ck_assert_int_eq(chown(scratch_path("store/a"), 0, 0), 0);
	}
	ck_assert_int_eq(certstore_rename(cs, "a", "b", &why), 0);
	ck_assert_int_eq(symlink("b", scratch_path("store/a")), 0);
	profile_is_refused("a symbolic link");
}
END_TEST

START_TEST(refuses_keys_that_are_links_or_open_to_others)
{
	add("a", "a");
	ck_assert_int_eq(chmod(scratch_path("store/a/key.pem"), 0602), 0);
	profile_is_refused("others may write to it (mode 0602)");
	ck_assert_int_eq(chmod(scratch_path("store/a/key.pem"), 0600), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(scratch_path("store/a/key.pem"), 65534,
		    65534), 0);
		profile_is_refused("belongs to user number 65534");
	}
	ck_assert_int_eq(unlink(scratch_path("store/a/key.pem")), 0);
	ck_assert_int_eq(symlink("cert.pem", scratch_path("store/a/key.pem")),
	    0);
	profile_is_refused("a symbolic link");
}
END_TEST

UNIT_SUITE(certstore)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, takes_a_directory_that_is_not_there_for_empty);
	tcase_add_test(tc, keeps_keys_to_their_owner);
	tcase_add_test(tc, stores_any_sensible_name);
	tcase_add_test(tc, keeps_each_earlier_chain);
	tcase_add_test(tc, remembers_uses_in_order);
	tcase_add_test(tc, deletes_and_renames_only_what_is_unused);
	tcase_add_test(tc, finds_what_plugins_have);
	tcase_add_test(tc,
	    makes_the_demonstration_certificates_that_are_missing);
	tcase_add_test(tc, leaves_whole_profiles_wherever_a_process_ends);
	tcase_add_test(tc, refuses_uses_it_cannot_read);
	tcase_add_test(tc, refuses_a_store_that_is_a_symbolic_link);
	tcase_add_test(tc, refuses_a_store_that_others_may_write_to);
	tcase_add_test(tc, refuses_a_store_that_is_somebody_elses);
	tcase_add_test(tc, refuses_folders_that_are_links_or_open_to_others);
	tcase_add_test(tc, refuses_keys_that_are_links_or_open_to_others);
}

#include "tls/tlstrust.h"

#include <openssl/x509.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "pki.h"
#include "unit.h"

enum { HOUR = 3600 };

static struct tlstrust *trust;
static struct buf text;

static void
setup(void)
{
	pki_start();
	trust = tlstrust_new();
	buf_init(&text, 16 * 1024 * 1024);
}

static void
teardown(void)
{
	buf_fini(&text);
	tlstrust_unref(&trust);
	pki_stop();
}

static const struct pki_cert *
root(const char *cn, long from, long to, bool ca)
{
	struct pki_order o = { .cn = cn, .from = from, .to = to, .ca = ca };

	return pki_make(&o);
}

static void
note_is(unsigned i, const char *begins, const char *ends)
{
	const char *note = tlstrust_note(trust, i);

	ck_assert_ptr_nonnull(note);
	ck_assert_msg(strncmp(note, begins, strlen(begins)) == 0 &&
			  str_iends(str_c(note), ends),
	    "%s", note);
}

START_TEST(leaves_out_expired_roots_and_says_so)
{
	const struct pki_cert *v[6];

	v[0] = pki_root();
	v[1] = root("Old, Root", -48 * HOUR, -HOUR, true);
	v[2] = root("Coming Root", HOUR, 0, true);
	v[3] = root("Leaf", 0, 0, false);
	v[4] = v[0];
	v[5] = root("Another Root", 0, 0, true);
	ck_assert_int_eq(
	    tlstrust_roots(trust, pki_pem(v, 6), "ca.pem", NULL), 0);
	ck_assert_uint_eq(tlstrust_count(trust), 4);
	note_is(0, "ca.pem: certificate 2 (CN=Old\\, Root, ",
	    " GMT) has expired, left out");
	note_is(1, "ca.pem: certificate 3 (CN=Coming Root, ",
	    " GMT) is not valid before then");
	note_is(2, "ca.pem: certificate 4 (CN=Leaf)",
	    " is no CA, trusted for itself alone");
	note_is(3, "ca.pem: certificate 5 (CN=Test Root)", " is there twice");
	ck_assert_ptr_null(tlstrust_note(trust, 4));
}
END_TEST

START_TEST(time_decides_what_has_expired)
{
	const struct pki_cert *r = pki_root();

	clock_fake(clock_wall() + HOURS(23));
	ck_assert_int_eq(
	    tlstrust_roots(trust, pki_pem(&r, 1), "ca.pem", NULL), 0);
	ck_assert_uint_eq(tlstrust_count(trust), 1);
	tlstrust_unref(&trust);
	trust = tlstrust_new();
	clock_fake_advance(HOURS(2));
	ck_assert_int_eq(
	    tlstrust_roots(trust, pki_pem(&r, 1), "ca.pem", NULL), 0);
	ck_assert_uint_eq(tlstrust_count(trust), 0);
}
END_TEST

static const struct {
	const char *before, *behind; /* a good certificate; NULL: without it */
	const char *why;
} files[] = {
	{ "", NULL, "x.pem: no certificate in it (PEM)" },
	{ "hello\n", NULL, "x.pem: no certificate in it (PEM)" },
	{ "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
	    NULL, "x.pem: unreadable behind certificate 0" },
	{ "words before\n", "-----BEGIN CERTIFICATE-----\nAAAA\n",
	    "x.pem: unreadable behind certificate 1" },
	{ "words before\n", "words behind\n", "" },
};

START_TEST(refuses_files_that_are_none)
{
	const struct pki_cert *r = pki_root();
	struct err why = ERR_INIT;
	int result;

	(void)buf_add_c(&text, files[_i].before);
	if (files[_i].behind != NULL) {
		(void)buf_add_str(&text, pki_pem(&r, 1));
		(void)buf_add_c(&text, files[_i].behind);
	}
	result = tlstrust_roots(trust, buf_str(&text), "x.pem", &why);
	ck_assert_int_eq(result, files[_i].why[0] == '\0' ? 0 : -1);
	ck_assert_str_eq(why.text, files[_i].why);
}
END_TEST

START_TEST(leaves_out_what_is_no_certificate)
{
	const struct pki_cert *r = pki_root();

	(void)buf_add_c(&text, "-----BEGIN CERTIFICATE-----\nMAA=\n"
			       "-----END CERTIFICATE-----\n");
	(void)buf_add_str(&text, pki_pem(&r, 1));
	ck_assert_int_eq(
	    tlstrust_roots(trust, buf_str(&text), "x.pem", NULL), 0);
	ck_assert_uint_eq(tlstrust_count(trust), 1);
	ck_assert_str_eq(tlstrust_note(trust, 0),
	    "x.pem: certificate 1 is not readable, left out");
}
END_TEST

START_TEST(reads_lists_and_warns_of_old_ones)
{
	const struct pki_cert *r = pki_root();
	struct err why = ERR_INIT;

	ck_assert(!tlstrust_has_crl(trust, r->x));
	ck_assert_int_eq(
	    tlstrust_crls(trust, pki_crl(r, NULL, -2 * HOUR, -HOUR), "crl.pem",
		&why),
	    0);
	note_is(0, "crl.pem: revocation list 1 (CN=Test Root, ",
	    "is out of date, certificates of its issuer fail");
	ck_assert(tlstrust_has_crl(trust, r->x));
	ck_assert(!tlstrust_has_crl(trust, root("Other", 0, 0, true)->x));
	ck_assert_uint_eq(tlstrust_count(trust), 0);
	ck_assert_int_eq(
	    tlstrust_crls(trust, pki_pem(&r, 1), "ca.pem", &why), -1);
	ck_assert_str_eq(
	    why.text, "ca.pem: no revocation list in it (PEM)");
	ck_assert_int_eq(
	    tlstrust_crls(trust, STR("-----BEGIN X509 CRL-----\nMAA=\n"
				     "-----END X509 CRL-----\n"),
		"x.pem", &why),
	    -1);
	ck_assert_str_eq(why.text, "x.pem: revocation list 1 is not readable, "
				   "or never ends");
}
END_TEST

START_TEST(keeps_so_many_notes)
{
	const struct pki_cert *r = pki_root();
	unsigned i;

	for (i = 0; i < 102; i++)
		ck_assert_int_eq(
		    tlstrust_roots(trust, pki_pem(&r, 1), "ca.pem", NULL), 0);
	ck_assert_uint_eq(tlstrust_count(trust), 1);
	ck_assert_ptr_nonnull(tlstrust_note(trust, 99));
	ck_assert_ptr_null(tlstrust_note(trust, 100));
}
END_TEST

START_TEST(reads_the_bundle_of_the_system)
{
	struct err why = ERR_INIT;

	ck_assert_msg(file_read(&text, "/etc/ssl/certs/ca-certificates.crt",
			  &why) == 0,
	    "%s", why.text);
	ck_assert_int_eq(
	    tlstrust_roots(trust, buf_str(&text), "bundle", &why), 0);
	ck_assert_uint_gt(tlstrust_count(trust), 50);
}
END_TEST

UNIT_SUITE(tlstrust)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, leaves_out_expired_roots_and_says_so);
	tcase_add_test(tc, time_decides_what_has_expired);
	tcase_add_loop_test(tc, refuses_files_that_are_none, 0,
	    (int)(sizeof(files) / sizeof(files[0])));
	tcase_add_test(tc, leaves_out_what_is_no_certificate);
	tcase_add_test(tc, reads_lists_and_warns_of_old_ones);
	tcase_add_test(tc, keeps_so_many_notes);
	tcase_add_test(tc, reads_the_bundle_of_the_system);
}

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "pki.h"
#include "tls/tlsctx.h"
#include "unit.h"

static struct tlsctx_conf conf;
static struct err why;
static struct tlsctx *ctx;

static void
setup(void)
{
	pki_start();
	memset(&conf, 0, sizeof(conf));
	err_clear(&why);
	conf.server = true;
}

static void
teardown(void)
{
	tlsctx_unref(&ctx);
	ck_assert_ptr_null(ctx);
	pki_stop();
}

/* The error without the folder's name. */
static const char *
refusal(void)
{
	static char text[600];
	const char *from = why.text, *at;
	size_t n = 0;

	ck_assert_int_eq(tlsctx_new(&ctx, &conf, &why), -1);
	ck_assert_ptr_null(ctx);
	while ((at = strstr(from, "/tmp/postern-pki-")) != NULL) {
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "%.*s", (int)(at - from), from);
		from = strchr(at + 5, '/') + 1;
	}
	(void)snprintf(text + n, sizeof(text) - n, "%s", from);
	return text;
}

/* One file behind the other. */
static const char *
joined(const char *name, const char *a, const char *b)
{
	const char *path = pki_path(name);
	struct buf text;

	buf_init(&text, 65536);
	ck_assert_int_eq(file_read(&text, a, NULL), 0);
	ck_assert_int_eq(file_read(&text, b, NULL), 0);
	pki_write(path, buf_p(&text));
	buf_fini(&text);
	return path;
}

START_TEST(loads_certificate_and_key_of_one_file)
{
	conf.cert_file =
	    pki_issue("a.pem", "DNS:a.example", _i == 0 ? 0 : PKI_RSA);
	if (tlsctx_new(&ctx, &conf, &why) < 0)
		ck_abort_msg("%s", why.text);
	ck_assert_ptr_null(tlsctx_warning(ctx));
}
END_TEST

START_TEST(warns_of_dates)
{
	conf.cert_file = pki_issue(
	    "a.pem", "DNS:a.example", _i == 0 ? PKI_EXPIRED : PKI_FUTURE);
	ck_assert_int_eq(tlsctx_new(&ctx, &conf, &why), 0);
	ck_assert_ptr_nonnull(strstr(tlsctx_warning(ctx),
	    _i == 0 ? "a.pem: the certificate has expired"
		    : "a.pem: the certificate is not valid yet"));
}
END_TEST

START_TEST(says_what_is_wrong_with_files)
{
	const char *a = pki_issue("a.pem", "DNS:a.example", 0);
	const char *b = pki_issue("b.pem", "DNS:b.example", 0);
	const char *text = pki_path("text.pem");

	ck_assert_str_eq(refusal(), "a TLS server needs a certificate");
	conf.cert_file = pki_path("none.pem");
	ck_assert_ptr_nonnull(strstr(refusal(), "No such file or directory"));
	pki_write(text, "nothing here\n");
	conf.cert_file = text;
	ck_assert_str_eq(refusal(), "text.pem: no certificate in it (PEM)");
	pki_write(text, "-----BEGIN CERTIFICATE-----\nAAAA\n"
			"-----END CERTIFICATE-----\n");
	ck_assert_str_eq(
	    refusal(), "text.pem: certificate 1: not an X.509 certificate");
	pki_write(text, "-----BEGIN CERTIFICATE-----\nAAAA\n");
	ck_assert_str_eq(
	    refusal(), "text.pem: behind certificate 0: bad end line");
	conf.cert_file = pki_ca();
	ck_assert_str_eq(refusal(), "ca.pem: no private key in it (PEM)");
	conf.cert_file = a;
	conf.key_file = b;
	ck_assert_str_eq(refusal(),
	    "the private key in b.pem does not belong to the first "
	    "certificate in a.pem");
	conf.cert_file = joined("chain.pem", pki_ca(), a);
	conf.key_file = NULL;
	ck_assert_str_eq(refusal(),
	    "chain.pem: certificate 2 is the one of the private key; it must "
	    "come first");
}
END_TEST

START_TEST(refuses_an_encrypted_key)
{
	static const char key[] =
	    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
	    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhlI4mFXPzmHgICCAAw\n"
	    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEJSpkEoaZmVG1nH0eC1iRgoEgZCP\n"
	    "-----END ENCRYPTED PRIVATE KEY-----\n";
	static const char old[] =
	    "-----BEGIN EC PRIVATE KEY-----\n"
	    "Proc-Type: 4,ENCRYPTED\n"
	    "DEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n"
	    "\n"
	    "MHcCAQEEIB5cQ5mCkYyF8rQqW2m3XnJ0b1zv8rT3xq1y7b0yqQKEoAoGCCqGSM49\n"
	    "-----END EC PRIVATE KEY-----\n";

	conf.cert_file = pki_issue("a.pem", "DNS:a.example", 0);
	conf.key_file = pki_path("key.pem");
	pki_write(conf.key_file, old);
	ck_assert_str_eq(refusal(),
	    "key.pem: the private key is encrypted; store it without a "
	    "password");
	pki_write(conf.key_file, key);
	ck_assert(str_istarts(str_c(refusal()), "key.pem: "));
}
END_TEST

START_TEST(checks_its_lists)
{
	conf.cert_file = pki_issue("a.pem", "DNS:a.example", 0);
	conf.ciphers = "NONSENSE";
	ck_assert_str_eq(refusal(), "no cipher of \"NONSENSE\" is there");
	conf.ciphers = "ECDHE+AESGCM:RC4-SHA";
	ck_assert_int_eq(tlsctx_new(&ctx, &conf, &why), 0);
	ck_assert_str_eq(tlsctx_warning(ctx),
	    "unknown words in the list of ciphers: RC4-SHA");
	tlsctx_unref(&ctx);
	conf.ciphers = NULL;
	conf.groups = "P-256:nonsense";
	ck_assert_str_eq(
	    refusal(), "\"P-256:nonsense\" is not a list of groups");
	conf.groups = NULL;
	conf.min_version = 0x0304;
	conf.max_version = 0x0303;
	ck_assert_str_eq(refusal(), "no TLS version from 0x304 to 0x303");
}
END_TEST

START_TEST(makes_its_own_certificate)
{
	ck_assert_int_eq(tlsctx_new_selfsigned(&ctx, "sink.example", &why), 0);
	tlsctx_unref(&ctx);
	ck_assert_int_eq(tlsctx_new_selfsigned(&ctx, "::1", &why), 0);
}
END_TEST

START_TEST(lives_until_the_last_reference)
{
	struct tlsctx *other;

	ck_assert_int_eq(tlsctx_new_selfsigned(&ctx, "x.example", &why), 0);
	other = tlsctx_ref(ctx);
	ck_assert_ptr_eq(other, ctx);
	tlsctx_unref(&other);
	ck_assert_ptr_null(other);
	ck_assert_ptr_null(tlsctx_warning(ctx));
}
END_TEST

START_TEST(library_is_what_it_says)
{
	ck_assert_int_eq(tls_self_check(&why), 0);
	ck_assert_uint_ge(tls_library_api(), 17);
	ck_assert(str_istarts(str_c(tls_library()), "BoringSSL API "));
}
END_TEST

UNIT_SUITE(tlsctx)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, loads_certificate_and_key_of_one_file, 0, 2);
	tcase_add_loop_test(tc, warns_of_dates, 0, 2);
	tcase_add_test(tc, says_what_is_wrong_with_files);
	tcase_add_test(tc, refuses_an_encrypted_key);
	tcase_add_test(tc, checks_its_lists);
	tcase_add_test(tc, makes_its_own_certificate);
	tcase_add_test(tc, lives_until_the_last_reference);
	tcase_add_test(tc, library_is_what_it_says);
}

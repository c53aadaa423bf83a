#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "tls/certchain.h"
#include "tls/certmake.h"
#include "tls/certpile_priv.h"
#include "tls/pkcs12.h"
#include "unit.h"

#define DAY (24L * 60 * 60)

/* Certificates of one small authority; the leaf's key is that of the pile. */
enum who { ROOT, MIDDLE, LEAF, OLD_MIDDLE, FOREIGN, ALIEN, WHOS };

static struct certpile *all; /* at the index of each */
static EVP_PKEY *key[WHOS];
static struct pool *pool;
static struct err why;

static EVP_PKEY *
make_key(void)
{
	struct certmake m = { .cn = "x", .type = CERTMAKE_EC, .bits = 256,
		.days = 1 };
	EVP_PKEY *made;
	struct buf pem;
	BIO *bio;

	buf_init(&pem, 65536);
	ck_assert_int_eq(certmake_key(&m, &pem, &why), 0);
	bio = BIO_new_mem_buf(buf_p(&pem), (int)buf_len(&pem));
	made = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	ck_assert_ptr_nonnull(made);
	BIO_free(bio);
	buf_fini(&pem);
	return made;
}

static void
extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_nconf_nid(NULL, NULL, nid, value);

	ck_assert_ptr_nonnull(e);
	ck_assert_int_eq(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void
issue(enum who who, const char *cn, const char *issuer, enum who by,
    long from, long to)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_NAME_new(), *above = X509_NAME_new();

	key[who] = who == OLD_MIDDLE ? key[MIDDLE] : make_key();
	if (who == OLD_MIDDLE)
		EVP_PKEY_up_ref(key[MIDDLE]);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const uint8_t *)cn, -1, -1, 0);
	X509_NAME_add_entry_by_txt(above, "CN", MBSTRING_UTF8,
	    (const uint8_t *)issuer, -1, -1, 0);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), (long)who + 1);
	X509_set_subject_name(x, name);
	X509_set_issuer_name(x, above);
	X509_set_pubkey(x, key[who]);
	X509_gmtime_adj(X509_getm_notBefore(x), from * DAY);
	X509_gmtime_adj(X509_getm_notAfter(x), to * DAY);
	if (who == LEAF)
		extend(x, NID_subject_alt_name,
		    "DNS:mx.example,DNS:*.wild.example,IP:192.0.2.1");
	else
		extend(x, NID_basic_constraints, "critical,CA:TRUE");
	ck_assert_int_gt(X509_sign(x, key[by], EVP_sha256()), 0);
	certpile_add(all, x);
	X509_free(x);
	X509_NAME_free(name);
	X509_NAME_free(above);
}

static void
setup(void)
{
	err_clear(&why);
	pool = pool_new(0);
	all = certpile_new();
	issue(ROOT, "Root", "Root", ROOT, -10, 1000);
	issue(MIDDLE, "Middle", "Root", ROOT, -10, 900);
	issue(LEAF, "mx.example", "Middle", MIDDLE, -10, 90);
	issue(OLD_MIDDLE, "Middle", "Root", ROOT, -100, -1);
	issue(FOREIGN, "Foreign", "Root", ROOT, -10, 900);
	issue(ALIEN, "Alien", "Alien", ALIEN, -10, 900);
}

static void
teardown(void)
{
	int i;

	for (i = 0; i < WHOS; i++)
		EVP_PKEY_free(key[i]);
	certpile_destroy(&all);
	pool_destroy(&pool);
}

/* As a string of digits: "21" is the leaf, then the intermediate. */
static struct certpile *
pile(const char *which, bool with_key)
{
	struct certpile *p = certpile_new();

	for (; *which != '\0'; which++)
		certpile_copy(p, all, (unsigned)(*which - '0'));
	if (with_key) {
		EVP_PKEY_up_ref(key[LEAF]);
		p->key = key[LEAF];
	}
	return p;
}

static const char *
which(const struct certpile *p)
{
	char *text = pool_alloc(pool, certpile_count(p) + 1);
	unsigned i, k;

	for (i = 0; i < certpile_count(p); i++) {
		for (k = 0; X509_cmp(certpile_x509(p, i),
			 certpile_x509(all, k)) != 0; k++)
			;
		text[i] = (char)('0' + k);
	}
	return text;
}

static const struct {
	const char *served, *roots, *words, *clean;
	bool verified;
} chains[] = {
	{ "21", "0", "", "21", true },
	{ "2", "0", "missing-intermediate", "2", false },
	{ "2", "01", "missing-intermediate", "21", false },
	{ "211", "0", "duplicate", "21", false },
	{ "212", "0", "duplicate", "21", false },
	{ "12", "0", "misordered", "21", false },
	{ "241", "0", "foreign", "21", false },
	{ "210", "0", "root-included", "21", true },
	{ "23", "0", "expired", "23", false },
	{ "231", "0", "foreign", "21", false },
	{ "215", "0", "foreign", "21", false },
	{ "21", "5", "missing-intermediate", "21", false },
	{ "210", "5", "root-included untrusted", "21", false },
	{ "21", "", "missing-intermediate", "21", false },
	{ "0", "0", "key-mismatch cn-only", NULL, false },
	{ "", "0", "empty", NULL, false },
};

START_TEST(checks_and_cleans_chains)
{
	struct certpile *served = pile(chains[_i].served, true);
	struct certpile *roots = pile(chains[_i].roots, false);
	struct certpile *clean = certpile_new();
	struct certchain c = { .pool = pool };
	const char *words = "";
	unsigned i;
	int r;

	certchain_check(&c, served, roots, clock_wall());
	for (i = 0; i < c.n; i++)
		words = pool_printf(pool, "%s%s%s", words, i > 0 ? " " : "",
		    c.v[i].word);
	ck_assert_str_eq(words, chains[_i].words);
	ck_assert_int_eq(c.verified, chains[_i].verified);
	r = certchain_clean(served, roots, clock_wall(), clean, &why);
	ck_assert_int_eq(r, chains[_i].clean == NULL ? -1 : 0);
	if (r == 0)
		ck_assert_str_eq(which(clean), chains[_i].clean);
	certpile_destroy(&served);
	certpile_destroy(&roots);
	certpile_destroy(&clean);
}
END_TEST

static const struct {
	const char *list, *news, *system, *words, *after;
} lists[] = {
	{ "", "0", "", "", "0" },
	{ "0", "0", "", "duplicate", "0" },
	{ "", "00", "", "duplicate", "0" },
	{ "", "1", "", "root-missing", "" },
	{ "", "10", "", "", "10" },
	{ "0", "1", "", "", "01" },
	{ "", "1", "0", "", "1" },
	{ "", "0", "0", "in-system", "0" },
	{ "0", "3", "", "expired", "0" },
	{ "0", "2", "", "not-a-ca", "0" },
	{ "0", "541", "", "", "0541" },
};

START_TEST(adds_only_roots_that_are_some)
{
	struct certpile *list = pile(lists[_i].list, false);
	struct certpile *news = pile(lists[_i].news, false);
	struct certpile *system = pile(lists[_i].system, false);
	struct certchain c = { .pool = pool };
	unsigned before = certpile_count(list), added;

	added = certchain_add_roots(&c, list, news, system, clock_wall());
	ck_assert_str_eq(which(list), lists[_i].after);
	ck_assert_uint_eq(added, certpile_count(list) - before);
	ck_assert_str_eq(c.n > 0 ? c.v[0].word : "", lists[_i].words);
	certpile_destroy(&list);
	certpile_destroy(&news);
	certpile_destroy(&system);
}
END_TEST

static const struct {
	const char *host;
	enum certfact_match match;
} names[] = {
	{ "mx.example", CERTFACT_BY_NAME }, { "MX.Example", CERTFACT_BY_NAME },
	{ "a.mx.example", CERTFACT_NO }, { "a.wild.example", CERTFACT_BY_NAME },
	{ "wild.example", CERTFACT_NO }, { "a.b.wild.example", CERTFACT_NO },
	{ ".wild.example", CERTFACT_NO }, { "192.0.2.1", CERTFACT_BY_NAME },
	{ "", CERTFACT_NO },
};

START_TEST(compares_names)
{
	struct certfact f;

	certpile_fact(all, LEAF, pool, &f);
	ck_assert_int_eq(certfact_covers(&f, names[_i].host), names[_i].match);
	certpile_fact(all, ROOT, pool, &f);
	ck_assert_int_eq(certfact_covers(&f, "root"), CERTFACT_BY_CN);
}
END_TEST

START_TEST(knows_the_facts)
{
	struct certfact f;

	certpile_fact(all, LEAF, pool, &f);
	ck_assert_str_eq(f.subject, "CN=mx.example");
	ck_assert_str_eq(f.issuer, "CN=Middle");
	ck_assert_str_eq(f.key, "ECDSA P-256");
	ck_assert_str_eq(f.serial, "03");
	ck_assert_str_eq(f.name[2], "192.0.2.1");
	ck_assert_ptr_null(f.name[3]);
	ck_assert_uint_eq(strlen(f.sha256), 64);
	ck_assert(!f.ca && !f.self_signed);
	ck_assert_int_gt(f.not_after, clock_wall() + SECONDS(89 * DAY));
	ck_assert_int_lt(f.not_after, clock_wall() + SECONDS(91 * DAY));
	certpile_fact(all, ROOT, pool, &f);
	ck_assert(f.ca && f.self_signed);
	ck_assert(f.server && f.client);
}
END_TEST

START_TEST(reads_each_format)
{
	struct certpile *p = certpile_new(), *from = pile("21", false);
	uint8_t *der = NULL;
	struct buf pem;
	size_t len;
	CBB cbb;
	int n;

	buf_init(&pem, 65536);
	ck_assert_int_eq(certpile_pem_all(from, &pem), 0);
	ck_assert_int_eq(certpile_read(p, buf_str(&pem), "a", NULL, &why), 0);
	n = i2d_X509(certpile_x509(all, ROOT), &der);
	ck_assert_int_eq(certpile_read(p, str_n((char *)der, (size_t)n), "b",
	    NULL, &why), 0);
	ck_assert_int_eq(certpile_read(p, str_n((char *)der, (size_t)n - 1),
	    "b", NULL, &why), -1);
	OPENSSL_free(der);
	ck_assert(CBB_init(&cbb, 0));
	ck_assert(PKCS7_bundle_certificates(&cbb, from->certs));
	ck_assert(CBB_finish(&cbb, &der, &len));
	ck_assert_int_eq(certpile_read(p, str_n((char *)der, len), "c", NULL,
	    &why), 0);
	OPENSSL_free(der);
	ck_assert_uint_eq(certpile_count(p), 5);
	ck_assert(!certpile_has_key(p));
	certpile_destroy(&p);
	certpile_destroy(&from);
	buf_fini(&pem);
}
END_TEST

START_TEST(nothing_is_added_by_a_file_that_is_refused)
{
	struct certpile *p = certpile_new(), *from = pile("2", false);
	struct buf pem;

	buf_init(&pem, 65536);
	ck_assert_int_eq(certpile_pem_all(from, &pem), 0);
	ck_assert_int_eq(buf_add_c(&pem, "-----BEGIN CERTIFICATE-----\nMIIB\n"
	    "-----END CERTIFICATE-----\n"), 0);
	ck_assert_int_eq(certpile_read(p, buf_str(&pem), "file", NULL, &why),
	    -1);
	ck_assert_str_eq(why.text, "file: certificate 2 is damaged");
	ck_assert_uint_eq(certpile_count(p), 0);
	certpile_destroy(&p);
	certpile_destroy(&from);
	buf_fini(&pem);
}
END_TEST

START_TEST(writes_pkcs12_and_reads_it)
{
	struct certpile *from = pile("21", true), *p = certpile_new();
	bool legacy = _i == 1, was;
	struct buf der;

	buf_init(&der, 65536);
	ck_assert_int_eq(pkcs12_write(from, "n", "", legacy, &der, &was, &why),
	    -1);
	ck_assert_ptr_nonnull(strstr(why.text, "empty passphrase"));
	ck_assert_int_eq(pkcs12_write(from, "n", "\xc3\xa4 1", legacy, &der,
	    &was, &why), 0);
	ck_assert(was || !legacy);
	ck_assert(certpile_is_pkcs12(buf_str(&der)));
	ck_assert_int_eq(certpile_read(p, buf_str(&der), "f", "no", &why), -1);
	ck_assert_str_eq(why.text, "f: PKCS#12: wrong passphrase");
	ck_assert_int_eq(certpile_read(p, buf_str(&der), "f", NULL, &why), -1);
	ck_assert_int_eq(certpile_read(p, buf_str(&der), "f", "\xc3\xa4 1",
	    &why), 0);
	ck_assert(certpile_has_key(p));
	ck_assert_str_eq(which(p), "21");
	certpile_destroy(&p);
	certpile_destroy(&from);
	buf_fini(&der);
}
END_TEST

static const struct {
	struct certmake m;
	const char *said;
} makes[] = {
	{ { .cn = NULL }, "common name is needed" },
	{ { .cn = "\xff" }, "not UTF-8" },
	{ { .cn = "a\n" }, "control character" },
	{ { .cn = "a", .country = "D" }, "two letters" },
	{ { .cn = "a", .country = "D1" }, "two letters" },
	{ { .cn = "a", .type = CERTMAKE_RSA, .bits = 1024, .days = 1 },
	    "2048 to 4096" },
	{ { .cn = "a", .type = CERTMAKE_RSA, .bits = 4104, .days = 1 },
	    "2048 to 4096" },
	{ { .cn = "a", .type = CERTMAKE_EC, .bits = 521, .days = 1 },
	    "P-256 or P-384" },
	{ { .cn = "a", .type = CERTMAKE_EC, .bits = 256, .days = 36501 },
	    "36500 days" },
	{ { .cn = "a", .name = (const char *const[]){ "a..b", NULL } },
	    "neither a host name" },
	{ { .cn = "a", .name = (const char *const[]){ "*", NULL } },
	    "neither a host name" },
	{ { .cn = "a", .name = (const char *const[]){ "a b", NULL } },
	    "neither a host name" },
};

START_TEST(refuses_fields_that_no_certificate_has)
{
	struct buf pem;

	buf_init(&pem, 65536);
	ck_assert_int_eq(certmake_key(&makes[_i].m, &pem, &why), -1);
	ck_assert_msg(strstr(why.text, makes[_i].said) != NULL, "%s",
	    why.text);
	ck_assert_uint_eq(buf_len(&pem), 0);
	buf_fini(&pem);
}
END_TEST

#define N(list) (int)(sizeof(list) / sizeof((list)[0]))

UNIT_SUITE(certpile)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, checks_and_cleans_chains, 0, N(chains));
	tcase_add_loop_test(tc, adds_only_roots_that_are_some, 0, N(lists));
	tcase_add_loop_test(tc, compares_names, 0, N(names));
	tcase_add_test(tc, knows_the_facts);
	tcase_add_test(tc, reads_each_format);
	tcase_add_test(tc, nothing_is_added_by_a_file_that_is_refused);
	tcase_add_loop_test(tc, writes_pkcs12_and_reads_it, 0, 2);
	tcase_add_loop_test(tc, refuses_fields_that_no_certificate_has,
	    0, N(makes));
}

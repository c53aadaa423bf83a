/*
 * What the throw-away authority makes is verified by postern's own client, and
 * by openssl in tests/integration/test_sink_faults.py.
 */
#include "tls/certlab.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "unit.h"

static struct certlab *lab;
static struct err why;
static struct buf pem;

static void
setup(void)
{
	err_clear(&why);
	buf_init(&pem, 256 * 1024);
	ck_assert_int_eq(certlab_new(&lab, &why), 0);
}

static void
teardown(void)
{
	certlab_destroy(&lab);
	ck_assert_ptr_null(lab);
	buf_fini(&pem);
}

static const char *const names[] = { "mx.a.test", "192.0.2.1", NULL };

/* Certificates in the chain, with the leaf's key in front. */
static unsigned
issue(enum certlab_kind kind, X509 **leaf_r)
{
	EVP_PKEY *key;
	unsigned n = 0;
	BIO *bio;
	X509 *x;

	buf_reset(&pem);
	ck_assert_int_eq(
	    certlab_issue(lab, kind, CERTLAB_P256, names, &pem, &why), 0);
	bio = BIO_new_mem_buf(buf_p(&pem), (int)buf_len(&pem));
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	ck_assert_ptr_nonnull(key);
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (n++ == 0) {
			ck_assert_int_eq(X509_check_private_key(x, key), 1);
			*leaf_r = x;
		} else {
			X509_free(x);
		}
	}
	EVP_PKEY_free(key);
	BIO_free(bio);
	return n;
}

START_TEST(sends_the_chain_that_the_kind_says)
{
	static const struct {
		enum certlab_kind kind;
		unsigned chain;
	} row[] = { { CERTLAB_GOOD, 2 }, { CERTLAB_SELF, 1 },
		{ CERTLAB_NOCHAIN, 1 }, { CERTLAB_DUPCHAIN, 4 },
		{ CERTLAB_MISORDERED, 3 }, { CERTLAB_UNTRUSTED, 2 } };
	X509 *leaf = NULL;

	ck_assert_uint_eq(issue(row[_i].kind, &leaf), row[_i].chain);
	X509_free(leaf);
}
END_TEST

START_TEST(names_the_leaf_as_the_kind_says)
{
	X509 *leaf = NULL;

	(void)issue(CERTLAB_WILD, &leaf);
	ck_assert_int_eq(X509_check_host(leaf, "other.a.test", 12, 0, NULL), 1);
	ck_assert_int_eq(X509_check_host(leaf, "a.test", 6, 0, NULL), 0);
	ck_assert_int_eq(X509_check_ip_asc(leaf, "192.0.2.1", 0), 1);
	X509_free(leaf);
	(void)issue(CERTLAB_SAN_ONLY, &leaf);
	ck_assert_int_eq(
	    X509_NAME_get_index_by_NID(X509_get_subject_name(leaf),
		NID_commonName, -1),
	    -1);
	X509_free(leaf);
	(void)issue(CERTLAB_CN_ONLY, &leaf);
	ck_assert_int_eq(
	    X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1), -1);
	X509_free(leaf);
}
END_TEST

START_TEST(lists_what_was_issued_as_revoked)
{
	X509 *good = NULL, *bad = NULL;
	X509_REVOKED *found;
	X509_CRL *crl;
	BIO *bio;

	(void)issue(CERTLAB_GOOD, &good);
	(void)issue(CERTLAB_REVOKED, &bad);
	buf_reset(&pem);
	ck_assert_int_eq(certlab_crls(lab, &pem, &why), 0);
	bio = BIO_new_mem_buf(buf_p(&pem), (int)buf_len(&pem));
	crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	ck_assert_ptr_nonnull(crl);
	ck_assert_int_eq(X509_CRL_get0_by_cert(crl, &found, bad), 1);
	ck_assert_int_eq(X509_CRL_get0_by_cert(crl, &found, good), 0);
	X509_CRL_free(crl);
	BIO_free(bio);
	X509_free(good);
	X509_free(bad);
}
END_TEST

START_TEST(words_lead_to_kinds_and_back)
{
	enum certlab_kind kind, got;
	enum certlab_key key;

	for (kind = 0; kind < CERTLAB_KINDS; kind++) {
		ck_assert_int_eq(
		    certlab_kind_parse(
			str_c(certlab_kind_word(kind)), &got),
		    0);
		ck_assert_int_eq((int)got, (int)kind);
		ck_assert_str_ne(certlab_kind_text(kind), "");
	}
	ck_assert_int_eq(certlab_kind_parse(STR(""), &got), -1);
	ck_assert_int_eq(certlab_key_parse(STR("rsa4096"), &key), 0);
	ck_assert_int_eq((int)key, (int)CERTLAB_RSA4096);
	ck_assert_int_eq(certlab_key_parse(STR("dsa"), &key), -1);
}
END_TEST

UNIT_SUITE(certlab)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, sends_the_chain_that_the_kind_says, 0, 6);
	tcase_add_test(tc, names_the_leaf_as_the_kind_says);
	tcase_add_test(tc, lists_what_was_issued_as_revoked);
	tcase_add_test(tc, words_lead_to_kinds_and_back);
}

#include "tls/keyring.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "pki.h"
#include "unit.h"

#define ECDSA_P256 0x0403
#define RSA_PSS 0x0804
#define RSA_PKCS1 0x0401
#define ED25519 0x0807

static struct keyring *ring;
static struct buf ec, rsa, public;
static struct tlskey_id id;
static struct err why;

static void
setup(void)
{
	ring = keyring_new();
	buf_init(&ec, 65536);
	buf_init(&rsa, 65536);
	buf_init(&public, 65536);
	pki_start();
	ck_assert_int_eq(file_read(&ec, pki_issue("ec.pem", "DNS:a.test", 0),
	    &why), 0);
	ck_assert_int_eq(file_read(&rsa, pki_issue("rsa.pem", "DNS:a.test",
	    PKI_RSA), &why), 0);
}

static void
teardown(void)
{
	pki_stop();
	buf_fini(&public);
	buf_fini(&rsa);
	buf_fini(&ec);
	keyring_destroy(&ring);
}

static int
add(const struct buf *chain, const struct buf *key, uint64_t generation)
{
	return keyring_add(ring, generation, "chain.pem", buf_str(chain),
	    "key.pem", buf_str(key), &public, &id, &why);
}

static int
sign(const struct tlskey_id *key, uint16_t algorithm)
{
	uint8_t sig[KEYRING_SIG_MAX];
	size_t n = 0;

	return keyring_sign(ring, key, algorithm, STR("what is signed"), sig,
	    &n, sizeof(sig));
}

START_TEST(gives_back_the_certificates_and_no_key)
{
	ck_assert_msg(add(&ec, &ec, 1) == 0, "%s", why.text);
	ck_assert_ptr_nonnull(strstr(buf_p(&ec), "PRIVATE KEY"));
	ck_assert_ptr_null(strstr(buf_p(&public), "PRIVATE KEY"));
	ck_assert_int_eq(strncmp(buf_p(&public),
	    "-----BEGIN CERTIFICATE-----\n", 28), 0);
}
END_TEST

START_TEST(signs_with_the_algorithms_of_the_key_only)
{
	struct tlskey_id e, r, other = { { 1 } };

	ck_assert_int_eq(add(&ec, &ec, 1), 0);
	e = id;
	ck_assert_int_eq(add(&rsa, &rsa, 1), 0);
	r = id;
	ck_assert_int_eq(sign(&e, ECDSA_P256), 0);
	ck_assert_int_eq(sign(&e, RSA_PSS), -1);
	ck_assert_int_eq(sign(&e, ED25519), -1);
	ck_assert_int_eq(sign(&e, 0), -1);
	ck_assert_int_eq(sign(&e, 0xffff), -1);
	ck_assert_int_eq(sign(&r, RSA_PSS), 0);
	ck_assert_int_eq(sign(&r, RSA_PKCS1), 0);
	ck_assert_int_eq(sign(&r, ECDSA_P256), -1);
	ck_assert_int_eq(sign(&other, ECDSA_P256), -1);
	ck_assert_int_eq(keyring_cost(ring, &e), KEYRING_FAST);
	ck_assert_int_eq(keyring_cost(ring, &r), KEYRING_SLOW);
	ck_assert_int_eq(keyring_cost(ring, &other), KEYRING_UNKNOWN);
}
END_TEST

START_TEST(refuses_a_key_of_another_certificate)
{
	ck_assert_int_eq(add(&ec, &rsa, 1), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "key.pem"));
	ck_assert_uint_eq(keyring_count(ring), 0);
}
END_TEST

START_TEST(refuses_what_is_no_key_and_no_certificate)
{
	struct buf none;

	buf_init(&none, 64);
	ck_assert_int_eq(add(&ec, &none, 1), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "key.pem"));
	ck_assert_int_eq(add(&none, &ec, 1), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "chain.pem"));
	ck_assert_uint_eq(keyring_count(ring), 0);
}
END_TEST

START_TEST(forgets_keys_of_generations_that_are_over)
{
	struct tlskey_id e, r;

	ck_assert_int_eq(add(&ec, &ec, 1), 0);
	e = id;
	ck_assert_int_eq(add(&rsa, &rsa, 1), 0);
	r = id;
	ck_assert_int_eq(add(&ec, &ec, 2), 0); /* is still wanted */
	ck_assert_uint_eq(keyring_count(ring), 2);
	keyring_forget(ring, 2);
	ck_assert_uint_eq(keyring_count(ring), 1);
	ck_assert_int_eq(sign(&e, ECDSA_P256), 0);
	ck_assert_int_eq(sign(&r, RSA_PSS), -1);
}
END_TEST

UNIT_SUITE(keyring)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, gives_back_the_certificates_and_no_key);
	tcase_add_test(tc, signs_with_the_algorithms_of_the_key_only);
	tcase_add_test(tc, refuses_a_key_of_another_certificate);
	tcase_add_test(tc, refuses_what_is_no_key_and_no_certificate);
	tcase_add_test(tc, forgets_keys_of_generations_that_are_over);
}

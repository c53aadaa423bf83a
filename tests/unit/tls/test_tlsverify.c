#include "tls/tlsverify.h"

#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "cast.h"
#include "unit.h"

enum { HOUR = 3600 };

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

static const struct tlsref mx_ref[] = {
	{ TLSREF_DOMAIN, TLSREF_SAN, { "corp.example", 12 } },
	{ TLSREF_MX, TLSREF_SAN, { "mx.corp.example", 15 } },
	{ TLSREF_DOMAIN, TLSREF_SAN, { NULL, 0 } },
};

#define MX .san = "DNS:mx.corp.example"

static const struct {
	const char *title;
	char issuer;
	const char *chain;
	struct pki_order leaf;
	const char *reason;
} reasons[] = {
	{ "good", 'R', "L", { MX }, "" },
	{ "good with its root", 'R', "LR", { MX }, "" },
	{ "P-384", 'R', "L", { MX, .key = PKI_KEY_P384 }, "" },
	{ "P-521", 'R', "L", { MX, .key = PKI_KEY_P521 }, "" },
	{ "Ed25519", 'R', "L", { MX, .key = PKI_KEY_ED25519 }, "" },
	{ "RSA", 'R', "L", { MX, .key = PKI_KEY_RSA }, "" },
	{ "for servers", 'R', "L", { MX, .eku = "serverAuth" }, "" },
	{ "wildcard", 'R', "L", { .san = "DNS:*.corp.example" }, "" },
	{ "chain", 'I', "LI", { MX }, "" },
	{ "chain of three", 'J', "LJI", { MX }, "" },
	{ "misordered", 'J', "LIJ", { MX }, "" },
	{ "twice the same", 'J', "LJJIIR", { MX }, "" },
	{ "leaf twice", 'I', "LLI", { MX }, "" },
	{ "foreign ones between", 'J', "LVJUI", { MX }, "" },
	{ "expired twin first", 'I', "LXI", { MX }, "" },
	{ "expired twin last", 'I', "LIX", { MX }, "" },
	{ "twin of another root first", 'I', "LWI", { MX }, "" },
	{ "twin and its root first", 'I', "LWUI", { MX }, "" },
	{ "same name, other key first", 'I', "LFI", { MX }, "" },
	{ "all of these", 'I', "LXFWUI", { MX }, "" },
	{ "nothing", 'R', "", { MX }, "no-certificate" },
	{ "expired", 'R', "L", { MX, .to = -HOUR }, "certificate-expired" },
	{ "not yet", 'R', "L", { MX, .from = HOUR },
	    "certificate-not-yet-valid" },
	{ "expired intermediate", 'O', "LO", { MX }, "certificate-expired" },
	{ "expired and unknown", 'V', "LV", { MX, .to = -HOUR },
	    "chain-incomplete" },
	{ "self-signed", '\0', "L", { MX }, "self-signed" },
	{ "self-signed and expired", '\0', "L", { MX, .to = -HOUR },
	    "self-signed" },
	{ "unknown root sent", 'V', "LVU", { MX }, "untrusted" },
	{ "unknown root not sent", 'V', "LV", { MX }, "chain-incomplete" },
	{ "nochain", 'I', "L", { MX }, "chain-incomplete" },
	{ "gap", 'J', "LI", { MX }, "chain-incomplete" },
	{ "gap below", 'J', "LJ", { MX }, "chain-incomplete" },
	{ "for clients", 'R', "L", { MX, .eku = "clientAuth" },
	    "wrong-purpose" },
	{ "for code", 'R', "L", { MX, .eku = "codeSigning" },
	    "wrong-purpose" },
	{ "intermediate for clients", 'C', "LC", { MX }, "wrong-purpose" },
	{ "spoiled", 'R', "L", { MX, .spoiled = true }, "bad-signature" },
	{ "of another key", 'F', "LI", { MX }, "bad-signature" },
	{ "by a leaf", 'P', "LP", { MX }, "certificate-invalid" },
	{ "unknown critical extension", 'R', "L",
	    { MX, .critical = "1.2.3.4.5" }, "certificate-invalid" },
	{ "outside the constraints", 'N', "LN",
	    { .san = "DNS:mx.corp.example,DNS:mx.other.example" },
	    "certificate-invalid" },
	{ "inside the constraints", 'N', "LN", { MX }, "" },
	{ "SHA-1", 'R', "L", { MX, .sha1 = true }, "bad-signature" },
	{ "SHA-1 above", 'I', "LI", { MX, .sha1 = true }, "bad-signature" },
	{ "other name", 'R', "L", { .san = "DNS:mx.other.example" },
	    "name-mismatch" },
	{ "no name", 'R', "L", { .cn = "mx.corp.example" }, "name-mismatch" },
};

static const struct pki_cert *
leaf_of(int i)
{
	struct pki_order o = reasons[i].leaf;

	o.issuer = reasons[i].issuer == '\0'
		       ? NULL
		       : cast[(unsigned char)reasons[i].issuer];
	if (o.cn == NULL)
		o.cn = "leaf";
	return pki_make(&o);
}

START_TEST(each_way_to_fail_has_its_reason)
{
	struct tlsverify_in in = { .trust = cast_trust,
		.server = true,
		.refs = mx_ref };
	struct tlsverify v;

	cast_verify(&in, leaf_of(_i), reasons[_i].chain, &v);
	ck_assert_msg(strcmp(tls_reason_word(v.reason), reasons[_i].reason) ==
			  0,
	    "%s: %s, not %s", reasons[_i].title, tls_reason_word(v.reason),
	    reasons[_i].reason);
	ck_assert_str_eq(v.by, v.ok ? "san:mx" : "");
	ck_assert_str_eq(v.matched, v.ok ? "mx.corp.example" : "");
	ck_assert(!v.revocation_checked);
}
END_TEST

/* The command line of another library, on what it can be asked. */
START_TEST(agrees_with_openssl_verify)
{
	const char *leaf = pki_path("leaf.pem"), *rest = pki_path("rest.pem");
	const struct pki_cert *v[8];
	const char *chain;
	char command[400];
	unsigned n = 0;
	int status;

	cast['L'] = leaf_of(_i);
	for (chain = reasons[_i].chain; *chain != '\0'; chain++)
		v[n++] = cast[(unsigned char)*chain];
	/* One that has names is asked for them below; SHA-1 and retries are
	 * where the two differ by intention. */
	if (n == 0 || reasons[_i].leaf.sha1 ||
	    strchr(reasons[_i].chain, 'X') != NULL ||
	    strchr(reasons[_i].chain, 'W') != NULL ||
	    strchr(reasons[_i].chain, 'F') != NULL)
		return;
	pki_write(leaf, pki_pem(v, 1).p);
	pki_write(rest, pki_pem(v, n).p);
	(void)snprintf(command, sizeof(command),
	    "openssl verify -CAfile %s -untrusted %s -purpose sslserver "
	    "-verify_hostname mx.corp.example %s >/dev/null 2>&1",
	    pki_ca(), rest, leaf);
	status = system(command);
	ck_assert(WIFEXITED(status));
	/* It still takes the CN for a name. */
	if (reasons[_i].leaf.cn != NULL)
		return;
	ck_assert_msg((WEXITSTATUS(status) == 0) ==
			  (reasons[_i].reason[0] == '\0'),
	    "%s: %d", reasons[_i].title, WEXITSTATUS(status));
}
END_TEST

START_TEST(looks_at_so_many_certificates_and_no_more)
{
	struct pki_order o = { MX, .cn = "leaf", .issuer = cast['I'] };
	struct tlsverify_in in = { .trust = cast_trust,
		.server = true,
		.refs = mx_ref };
	char chain[300];
	struct tlsverify v;

	memset(chain, 'X', sizeof(chain));
	chain[0] = 'L';
	chain[TLSVERIFY_CHAIN_MAX - 1] = 'I';
	chain[TLSVERIFY_CHAIN_MAX] = '\0';
	cast_verify(&in, pki_make(&o), chain, &v);
	ck_assert(v.ok);
	chain[TLSVERIFY_CHAIN_MAX - 1] = 'X';
	chain[TLSVERIFY_CHAIN_MAX] = 'I';
	chain[TLSVERIFY_CHAIN_MAX + 1] = '\0';
	cast_verify(&in, pki_make(&o), chain, &v);
	ck_assert_int_eq(v.reason, TLSR_EXPIRED);
	chain[TLSVERIFY_CHAIN_MAX] = 'X';
	chain[TLSVERIFY_CHAIN_MAX + 1] = 'X';
	chain[299] = '\0';
	cast_verify(&in, pki_make(&o), chain, &v);
	ck_assert_int_eq(v.reason, TLSR_EXPIRED);
}
END_TEST

static const struct {
	const char *chain;
	char issuer;	/* of the list */
	char revoked;	/* 0: nobody */
	long from, to;
	const char *reason;
	bool checked;
} crls[] = {
	{ "LI", 'I', 0, -HOUR, HOUR, "", true },
	{ "LI", 'I', 'L', -HOUR, HOUR, "certificate-revoked", false },
	{ "LI", 'I', 0, -2 * HOUR, -HOUR, "crl-expired", false },
	{ "LI", 'I', 'L', -2 * HOUR, -HOUR, "crl-expired", false },
	{ "LI", 'I', 0, HOUR, 2 * HOUR, "crl-expired", false },
	/* A list of somebody else says nothing about the leaf. */
	{ "LI", 'V', 'L', -HOUR, HOUR, "", false },
	{ "LI", 'R', 0, -HOUR, HOUR, "", false },
	{ "LI", 'R', 'I', -HOUR, HOUR, "certificate-revoked", false },
	{ "LIX", 'R', 'I', -HOUR, HOUR, "certificate-revoked", false },
	/* Signed by another who has the issuer's name. */
	{ "LI", 'F', 0, -HOUR, HOUR, "crl-expired", false },
};

START_TEST(asks_the_lists_that_are_there)
{
	struct pki_order o = { MX, .cn = "leaf", .issuer = cast['I'] };
	struct tlsverify_in in = { .trust = cast_trust,
		.server = true,
		.refs = mx_ref };
	const struct pki_cert *leaf = pki_make(&o), *revoked = NULL;
	struct tlsverify v;

	cast['L'] = leaf;
	if (crls[_i].revoked != 0)
		revoked = cast[(unsigned char)crls[_i].revoked];
	ck_assert_int_eq(
	    tlstrust_crls(cast_trust,
		pki_crl(cast[(unsigned char)crls[_i].issuer], revoked,
		    crls[_i].from, crls[_i].to),
		"crl.pem", NULL),
	    0);
	cast_verify(&in, leaf, crls[_i].chain, &v);
	ck_assert_str_eq(tls_reason_word(v.reason), crls[_i].reason);
	ck_assert_int_eq(v.revocation_checked, crls[_i].checked);
}
END_TEST

static void
pin_of(struct tlspin *p, const struct pki_cert *c, bool spki)
{
	unsigned char *der = NULL;
	int n = spki ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x), &der)
		     : i2d_X509(c->x, &der);

	memset(p, 0, sizeof(*p));
	p->spki = spki;
	(void)SHA256(der, (size_t)n, p->sha256);
	OPENSSL_free(der);
}

static const struct {
	const char *title;
	struct pki_order leaf;
	bool spki, right;
	int from, until; /* hours from now; 0: no bound */
	const char *reason, *by;
} pins[] = {
	{ "certificate", { MX }, false, true, 0, 0, "", "pin" },
	{ "key", { MX }, true, true, 0, 0, "", "pin" },
	{ "of another key", { MX }, true, false, 0, 0, "pin-mismatch", "" },
	{ "of another", { MX }, false, false, 0, 0, "pin-mismatch", "" },
	{ "in its time", { MX }, true, true, -1, 1, "", "pin" },
	{ "expired and for another name",
	    { .san = "DNS:other.example", .to = -HOUR }, true, true, 0, 0, "",
	    "pin" },
	{ "spoiled", { MX, .spoiled = true }, true, true, 0, 0, "", "pin" },
	{ "before its time, good", { MX }, true, false, 1, 0, "", "san:mx" },
	{ "after its time, good", { MX }, true, false, 0, -1, "", "san:mx" },
	{ "after its time, expired", { MX, .to = -HOUR }, true, true, 0, -1,
	    "certificate-expired", "" },
	{ "after its time, wrong name", { .san = "DNS:b.example" }, true, true,
	    0, -1, "name-mismatch", "" },
};

START_TEST(a_pin_that_counts_decides_alone)
{
	struct tlspin pin[2];
	struct tlsverify_in in = { .trust = cast_trust,
		.server = true,
		.refs = mx_ref,
		.pin = pin,
		.npin = 2 };
	struct pki_order o = pins[_i].leaf;
	const struct pki_cert *leaf;
	struct tlsverify v;

	o.cn = "leaf";
	o.issuer = cast['R'];
	leaf = pki_make(&o);
	pin_of(&pin[0], cast['V'], true);
	pin_of(&pin[1], pins[_i].right ? leaf : cast['U'], pins[_i].spki);
	if (pins[_i].from != 0)
		pin[0].from = pin[1].from =
		    clock_wall() + HOURS(pins[_i].from);
	if (pins[_i].until != 0)
		pin[0].until = pin[1].until =
		    clock_wall() + HOURS(pins[_i].until);
	cast_verify(&in, leaf, "L", &v);
	ck_assert_str_eq(tls_reason_word(v.reason), pins[_i].reason);
	ck_assert_str_eq(v.by, pins[_i].by);
}
END_TEST

START_TEST(a_pin_is_for_the_leaf_alone)
{
	struct pki_order o = { MX, .cn = "leaf", .issuer = cast['I'] };
	struct tlspin pin;
	struct tlsverify_in in = { .trust = cast_trust,
		.server = true,
		.refs = mx_ref,
		.pin = &pin,
		.npin = 1 };
	struct tlsverify v;

	pin_of(&pin, cast['I'], true);
	cast_verify(&in, pki_make(&o), "LI", &v);
	ck_assert_int_eq(v.reason, TLSR_PIN);
	memset(&pin, 0, sizeof(pin)); /* "none" */
	cast_verify(&in, cast['L'], "LI", &v);
	ck_assert_int_eq(v.reason, TLSR_PIN);
	cast_verify(&in, cast['L'], "", &v);
	ck_assert_int_eq(v.reason, TLSR_NO_CERT);
}
END_TEST

START_TEST(a_client_is_judged_as_one)
{
	struct pki_order o = { .cn = "leaf",
		.issuer = cast['R'],
		.eku = "clientAuth",
		.san = "email:a@b.example" };
	struct tlsverify_in in = { .trust = cast_trust };
	struct tlsverify v;

	cast_verify(&in, pki_make(&o), "L", &v);
	ck_assert(v.ok);
	ck_assert_str_eq(v.by, "");
	/* If names are given, they are asked for. */
	in.refs = mx_ref;
	cast_verify(&in, cast['L'], "L", &v);
	ck_assert_int_eq(v.reason, TLSR_NAME);
	o.eku = "serverAuth";
	cast_verify(&in, pki_make(&o), "L", &v);
	ck_assert_int_eq(v.reason, TLSR_PURPOSE);
	/* A server without names is for none. */
	in.refs = NULL;
	in.server = true;
	cast_verify(&in, cast['L'], "L", &v);
	ck_assert_int_eq(v.reason, TLSR_NAME);
}
END_TEST

START_TEST(trusts_what_is_listed_root_or_not)
{
	struct pki_order o = { MX, .cn = "leaf", .issuer = cast['V'] };
	struct tlsverify_in in = { .server = true, .refs = mx_ref };
	struct tlsverify v;

	in.trust = NULL;
	cast_verify(&in, pki_make(&o), "LVU", &v);
	ck_assert_int_eq(v.reason, TLSR_UNTRUSTED);
	cast_verify(&in, cast['L'], "L", &v);
	ck_assert_int_eq(v.reason, TLSR_UNTRUSTED);
	in.trust = cast_trust;
	ck_assert_int_eq(
	    tlstrust_roots(
		cast_trust, pki_pem(&cast['V'], 1), "v.pem", NULL),
	    0);
	cast_verify(&in, cast['L'], "L", &v);
	ck_assert(v.ok);
	/* A leaf is trusted for itself, and for nobody else. */
	o.issuer = NULL;
	cast['S'] = pki_make(&o);
	ck_assert_int_eq(
	    tlstrust_roots(
		cast_trust, pki_pem(&cast['S'], 1), "s.pem", NULL),
	    0);
	cast_verify(&in, cast['S'], "L", &v);
	ck_assert(v.ok);
	o.issuer = cast['S'];
	o.cn = "below";
	cast_verify(&in, pki_make(&o), "LS", &v);
	ck_assert(!v.ok);
}
END_TEST

UNIT_SUITE(tlsverify)
{
	tcase_add_checked_fixture(tc, cast_start, cast_stop);
	tcase_add_loop_test(
	    tc, each_way_to_fail_has_its_reason, 0, COUNT(reasons));
	tcase_add_loop_test(tc, agrees_with_openssl_verify, 0, COUNT(reasons));
	tcase_add_test(tc, looks_at_so_many_certificates_and_no_more);
	tcase_add_loop_test(tc, asks_the_lists_that_are_there, 0, COUNT(crls));
	tcase_add_loop_test(
	    tc, a_pin_that_counts_decides_alone, 0, COUNT(pins));
	tcase_add_test(tc, a_pin_is_for_the_leaf_alone);
	tcase_add_test(tc, a_client_is_judged_as_one);
	tcase_add_test(tc, trusts_what_is_listed_root_or_not);
}

/*
 * A stranger's certificates. The first octet has flags (1: of a server, 2: with
 * a revocation list, 4: with a pin); then come certificates, each behind two
 * octets of its length.
 */
#include <stdint.h>

#include "base/clock.h"
#include "tls/tlsverify.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { SERVER = 1, LISTS = 2, PIN = 4, LENGTH = 2 };

static const char root[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBjDCCATKgAwIBAgIURsNxRE/AxGkSh+WT4fBp98J7bJMwCgYIKoZIzj0EAwIw\n"
    "FDESMBAGA1UEAwwJRnV6eiBSb290MCAXDTI2MTEyMTIzMDAyMFoYDzIxMjYxMDI4\n"
    "MjMwMDIwWjAUMRIwEAYDVQQDDAlGdXp6IFJvb3QwWTATBgcqhkjOPQIBBggqhkjO\n"
    "PQMBBwNCAASAS9cHgcI8zoKSbHEFnFwZbTilgtmp1847J5Yohq2feFgAebPu3Ns1\n"
    "RjgMxK+/2ZHQem0BQHsIuj9nzIbpC7UIo2AwXjAdBgNVHQ4EFgQUL3igoFlq9Egy\n"
    "qKZoAZBulMlJOXwwHwYDVR0jBBgwFoAUL3igoFlq9EgyqKZoAZBulMlJOXwwDwYD\n"
    "VR0TAQH/BAUwAwEB/zALBgNVHQ8EBAMCAQYwCgYIKoZIzj0EAwIDSAAwRQIgRwdG\n"
    "FfrrJqn674LD3nkPf3KVUdUGqjyP/4hB5hAT79gCIQDcah7P39tIMt5nEOcDuWaj\n"
    "uKbTcToMmVLOScbaoxA0yg==\n"
    "-----END CERTIFICATE-----\n";

static const char list[] =
    "-----BEGIN X509 CRL-----\n"
    "MIHGMG4CAQEwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJRnV6eiBSb290Fw0yNjEx\n"
    "MjEyMzAwMjJaGA8yMTI2MTAyODIzMDAyMlowFzAVAgQIDYQrFw0yNjExMjEyMzAw\n"
    "MjJaoA4wDDAKBgNVHRQEAwIBATAKBggqhkjOPQQDAgNIADBFAiEAh5GsVYjCiY+k\n"
    "XqFQcTerndWVr7ZIzt3ouiKiK7lz844CIA2FFxKF2oTKHp2ZMsA9PYk0dTqtiZVi\n"
    "92v3RcyItvRa\n"
    "-----END X509 CRL-----\n";

static const char key[] = "spki:HXx18NlsMt0myItqj3rO0Gdxj0/dwBAsy7yy2PLZf5k=";

static struct tlstrust *trust[2]; /* without and with the list */
static struct tlspin pin;

static void
set_up(void)
{
	struct err why = ERR_INIT;
	unsigned i;

	clock_fake(1798761600000); /* 2027-01-01: all but one are valid */
	for (i = 0; i < 2; i++) {
		trust[i] = tlstrust_new();
		if (tlstrust_roots(trust[i], STR(root), "root", &why) < 0)
			panic("%s", why.text);
	}
	if (tlstrust_crls(trust[1], STR(list), "list", &why) < 0 ||
	    tlspin_read(&pin, STR(key), &why) < 0)
		panic("%s", why.text);
}

static STACK_OF(CRYPTO_BUFFER) *
read_chain(const uint8_t *p, size_t n)
{
	STACK_OF(CRYPTO_BUFFER) *chain = sk_CRYPTO_BUFFER_new_null();
	CRYPTO_BUFFER *b;
	size_t len;

	while (n >= LENGTH) {
		len = (size_t)p[0] << 8 | p[1];
		p += LENGTH;
		n -= LENGTH;
		if (len > n)
			len = n;
		b = CRYPTO_BUFFER_new(p, len, NULL);
		if (b == NULL || !sk_CRYPTO_BUFFER_push(chain, b))
			fatal("out of memory");
		p += len;
		n -= len;
	}
	return chain;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct tlsref refs[] = {
		{ TLSREF_DOMAIN, TLSREF_SAN, { "corp.example", 12 } },
		{ TLSREF_DOMAIN, TLSREF_CN, { "corp.example", 12 } },
		{ TLSREF_MX, TLSREF_SAN_OR_CN, { "mx.corp.example", 15 } },
		{ TLSREF_NAME, TLSREF_SAN, { "192.0.2.1", 9 } },
		{ TLSREF_NAME, TLSREF_SAN, { ".corp.example", 13 } },
		{ TLSREF_NAME, TLSREF_SAN, { NULL, 0 } },
	};
	struct tlsverify_in in = { .refs = refs, .pin = &pin };
	STACK_OF(CRYPTO_BUFFER) *chain;
	struct tlsverify v;

	if (n == 0)
		return 0;
	if (trust[0] == NULL)
		set_up();
	in.server = (data[0] & SERVER) != 0;
	in.trust = trust[(data[0] & LISTS) != 0];
	in.npin = (data[0] & PIN) != 0;
	in.chain = chain = read_chain(data + 1, n - 1);
	tlsverify_chain(&in, &v);
	ASSERT(v.ok == (v.reason == TLSR_NONE));
	ASSERT(v.ok == (v.by[0] != '\0'));
	ASSERT(v.ok || v.matched[0] == '\0');
	ASSERT(v.ok || !v.revocation_checked);
	sk_CRYPTO_BUFFER_pop_free(chain, CRYPTO_BUFFER_free);
	return 0;
}

#include "cast.h"

#include <openssl/mem.h>
#include <openssl/x509.h>
#include <string.h>

#include "unit.h"

const struct pki_cert *cast[128];
struct tlstrust *cast_trust;

static const struct pki_cert *
authority(const char *cn, char issuer, const struct pki_order *more)
{
	struct pki_order o = *more;

	o.cn = cn;
	o.issuer = issuer == '\0' ? NULL : cast[(unsigned char)issuer];
	return pki_make(&o);
}

void
cast_start(void)
{
	static const struct pki_order plain = { .ca = true };
	struct pki_order o = plain;
	struct err why = ERR_INIT;

	pki_start();
	cast['R'] = pki_root();
	cast['I'] = authority("Intermediate", 'R', &plain);
	cast['U'] = authority("Unknown Root", '\0', &plain);
	cast['V'] = authority("Unknown Intermediate", 'U', &plain);
	cast['J'] = authority("Second Intermediate", 'I', &plain);
	cast['F'] = authority("Intermediate", 'R', &plain);
	o.to = -3600;
	cast['O'] = authority("Old Intermediate", 'R', &o);
	o.twin = cast['I'];
	cast['X'] = authority("Intermediate", 'R', &o);
	o.to = 0;
	cast['W'] = authority("Intermediate", 'U', &o);
	o = plain;
	o.eku = "clientAuth";
	cast['C'] = authority("Client Intermediate", 'R', &o);
	o = plain;
	o.constraints = "permitted;DNS:corp.example";
	cast['N'] = authority("Constrained", 'R', &o);
	o = plain;
	o.ca = false;
	cast['P'] = authority("No CA", 'R', &o);
	cast_trust = tlstrust_new();
	ck_assert_int_eq(
	    tlstrust_roots(
		cast_trust, pki_pem(&cast['R'], 1), "ca.pem", &why),
	    0);
}

void
cast_stop(void)
{
	tlstrust_unref(&cast_trust);
	pki_stop();
}

static CRYPTO_BUFFER *
der_of(const struct pki_cert *c)
{
	unsigned char *der = NULL;
	int n = i2d_X509(c->x, &der);
	CRYPTO_BUFFER *b = CRYPTO_BUFFER_new(der, (size_t)n, NULL);

	OPENSSL_free(der);
	return b;
}

void
cast_verify(struct tlsverify_in *in, const struct pki_cert *leaf,
    const char *chain, struct tlsverify *v)
{
	STACK_OF(CRYPTO_BUFFER) *stack = sk_CRYPTO_BUFFER_new_null();

	cast['L'] = leaf;
	for (; *chain != '\0'; chain++)
		ck_assert(sk_CRYPTO_BUFFER_push(
			      stack, der_of(cast[(unsigned char)*chain])) > 0);
	in->chain = stack;
	memset(v, 0xff, sizeof(*v));
	tlsverify_chain(in, v);
	sk_CRYPTO_BUFFER_pop_free(stack, CRYPTO_BUFFER_free);
	in->chain = NULL;
	ck_assert_int_eq(v->ok, v->reason == TLSR_NONE);
}

/*
 * What somebody hands over as a certificate: PEM, DER, PKCS#7 and PKCS#12
 * (passphrase "secret") bytes, made into a chain and checked.
 */
#include "base/clock.h"
#include "tls/certchain.h"
#include "tls/pkcs12.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str bytes = { (const char *)data, n };
	struct certpile *p = certpile_new(), *chain = certpile_new();
	struct certpile *roots = certpile_new();
	struct certchain c = { .pool = pool_new(0) };
	struct err why = ERR_INIT;
	struct certfact f;
	unsigned i;

	if (certpile_read(p, bytes, "it", "secret", &why) != 0)
		ASSERT(why.text[0] != '\0' && certpile_count(p) == 0);
	certpile_read_bundle(roots, bytes);
	for (i = 0; i < certpile_count(p); i++) {
		certpile_fact(p, i, c.pool, &f);
		(void)certfact_covers(&f, "mx.example.com");
	}
	certchain_check(&c, p, roots, clock_wall());
	if (certchain_clean(p, roots, clock_wall(), chain, &why) == 0)
		ASSERT(certpile_count(chain) > 0);
	(void)certchain_add_roots(&c, roots, p, chain, clock_wall());
	certpile_destroy(&p);
	certpile_destroy(&chain);
	certpile_destroy(&roots);
	pool_destroy(&c.pool);
	return 0;
}

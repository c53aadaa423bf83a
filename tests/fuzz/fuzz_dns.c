/*
 * DNS messages: the first octet picks the type that was asked for.
 */
#include <string.h>

#include "net/dns_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum dns_type type[] = { DNS_MX, DNS_A, DNS_AAAA,
		DNS_CNAME, DNS_PTR, DNS_TXT, DNS_TLSA };
	struct dns_answer a;
	struct pool *pool;
	unsigned i;

	if (n == 0)
		return 0;
	pool = pool_new(0);
	dns_wire_read(pool, data + 1, n - 1, "a.b", type[data[0] % 7], &a);
	ASSERT((a.n > 0) == (a.status == DNS_OK));
	ASSERT((a.why != NULL) == (a.status == DNS_FAIL));
	for (i = 0; i < a.n; i++) {
		if (a.rr[i].name != NULL)
			ASSERT(strlen(a.rr[i].name) < DNS_NAME_TEXT);
	}
	pool_destroy(&pool);
	return 0;
}

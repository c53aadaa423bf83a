/*
 * What a Received field tells: any octets give a hop, whose texts are parts of
 * them.
 */

#include <stdint.h>

#include "mail/hop.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str value = str_n((const char *)data, n);
	struct pool *pool = pool_new(0);
	struct hop h;

	hop_parse(pool, value, &h);
	ASSERT(h.from.n <= n && h.from_info.n <= n && h.by.n <= n);
	ASSERT(h.with.n <= n && h.id.n <= n && h.cipher.n <= n);
	ASSERT(h.bits.n <= n && h.version.n <= n + 1);
	ASSERT(h.tls <= HOP_LOCAL && hop_tls_word(h.tls)[0] != '\0');
	if (h.version.n > 0 || h.cipher.n > 0)
		ASSERT(h.tls == HOP_ENCRYPTED);
	pool_destroy(&pool);
	return 0;
}

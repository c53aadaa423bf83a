/*
 * Wants come from the configuration, from policies and from the store. What
 * can be read is written in a form that reads the same, and is its own maximum.
 */
#include <stdint.h>

#include "base/buf.h"
#include "tls/tlswant.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = str_n((const char *)data, n);
	struct pool *pool = pool_new(0);
	struct err why = ERR_INIT;
	struct tlswant w, again, max;
	struct buf a, b;

	buf_init(&a, 65536);
	buf_init(&b, 65536);
	if (tlswant_read(&w, text, pool, &why) < 0) {
		ASSERT(why.text[0] != '\0');
	} else {
		tlswant_write(&w, &a);
		ASSERT(tlswant_read(&again, buf_str(&a), pool, &why) == 0);
		tlswant_write(&again, &b);
		ASSERT(str_eq(buf_str(&a), buf_str(&b)));
		tlswant_max(&max, &w, &again, pool);
		buf_reset(&b);
		tlswant_write(&max, &b);
		ASSERT(str_eq(buf_str(&a), buf_str(&b)));
		ASSERT(tlswant_key(&w, STR("example.org")) ==
		       tlswant_key(&again, STR("EXAMPLE.org")));
		ASSERT(!buf_full(&a) && !buf_full(&b));
	}
	buf_fini(&a);
	buf_fini(&b);
	pool_destroy(&pool);
	return 0;
}

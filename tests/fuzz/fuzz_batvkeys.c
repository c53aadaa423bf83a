/*
 * The file of keys for tags of senders: it is refused with its line, or has a
 * key for each number at most, none of them too short; what one signs is known
 * again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/die.h"
#include "relay/batv.h"

#define SECRET_MIN 8
#define NOW (HOURS(24) * 20403)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct pool *pool = pool_new(0);
	struct err why = ERR_INIT;
	struct addr a, tagged;
	struct batv b;
	unsigned i, k;

	if (batv_read(pool, str_n((const char *)p, n), &b, &why) != 0) {
		ASSERT(ch_digit(why.text[0]) && why.text[0] != '0');
		pool_destroy(&pool);
		return 0;
	}
	ASSERT(b.n > 0 && b.n <= 10);
	for (i = 0; i < b.n; i++) {
		ASSERT(ch_digit(b.key[i].number));
		ASSERT(b.key[i].secret.n >= SECRET_MIN);
		ASSERT(str_eq(str_trim(b.key[i].secret), b.key[i].secret));
		for (k = 0; k < i; k++)
			ASSERT(b.key[k].number != b.key[i].number);
	}
	ASSERT(addr_parse(pool, STR("jo@example.com"), 0, &a, &why) == 0);
	ASSERT(batv_tag(&b, &a, NOW, pool, &tagged));
	ASSERT(batv_untag(&b, &tagged, NOW) == BATV_GOOD);
	ASSERT(str_eq(tagged.full, a.full));
	pool_destroy(&pool);
	return 0;
}

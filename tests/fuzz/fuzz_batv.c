/*
 * Recipients of reports: what is no tag of ours stays as it is; a good one is
 * taken off and leaves what was tagged. What can be tagged is known again, and
 * not with one of its octets changed.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/die.h"
#include "relay/batv.h"

#define KEYS "3 a secret of ours\n7 an older secret\n"
#define NOW (HOURS(24) * 20403 + HOURS(13)) /* day 403 of a thousand */
#define TAG_OCTETS 16

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
taken_off(const struct addr *was, const struct addr *is)
{
	ASSERT(str_istarts(was->full, "prvs="));
	ASSERT(is->full.n + TAG_OCTETS == was->full.n);
	ASSERT(is->full.p == was->full.p + TAG_OCTETS);
	ASSERT(is->local.n > 0 && is->local.p == is->full.p);
	ASSERT(is->local.n + 1 + is->domain.n == is->full.n);
	ASSERT(str_eq(is->domain, was->domain));
}

/* One octet of the tag is another, at a place that hangs on the input. */
static void
forged(const struct batv *b, struct addr t, struct pool *pool)
{
	size_t at = t.full.n % (TAG_OCTETS - 6) + 5;
	char *text = pool_strndup(pool, t.full.p, t.full.n);

	text[at] = text[at] == '1' ? '2' : '1';
	t.full.p = text;
	t.local.p = text;
	t.domain.p = text + t.local.n + 1;
	ASSERT(batv_untag(b, &t, NOW) == BATV_BAD);
	ASSERT(t.full.p == text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct pool *pool = pool_new(0);
	struct err why = ERR_INIT;
	struct addr a, was, tagged, again;
	struct batv b;

	ASSERT(batv_read(pool, STR(KEYS), &b, &why) == 0);
	if (addr_parse(pool, str_n((const char *)p, n), ADDR_UTF8_OK, &a,
		&why) == 0) {
		was = a;
		if (batv_untag(&b, &a, NOW) == BATV_GOOD)
			taken_off(&was, &a);
		else
			ASSERT(a.full.p == was.full.p &&
			    a.full.n == was.full.n &&
			    a.local.n == was.local.n);
		if (batv_tag(&b, &a, NOW, pool, &tagged)) {
			again = tagged;
			forged(&b, tagged, pool);
			ASSERT(batv_untag(&b, &again, NOW) == BATV_GOOD);
			taken_off(&tagged, &again);
			ASSERT(str_eq(again.full, a.full));
		}
	}
	pool_destroy(&pool);
	return 0;
}

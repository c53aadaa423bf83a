/*
 * Header fields: the index, and the same bytes through the automaton, which
 * must come to the same end.
 */

#include <stdint.h>
#include <string.h>

#include "mail/body.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
drop(void *arg, const char *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str m = str_n((const char *)data, n), s;
	struct pool *pool = pool_new(0);
	const char *at = m.p;
	unsigned received = 0;
	struct header h;
	struct bodyin b;
	size_t i, used;

	header_parse(pool, m, SIZE_MAX, &h);
	for (i = 0; i < h.n; i++) {
		/* One behind the other, without a gap. */
		ASSERT(h.v[i].raw.p == at && h.v[i].name.p == at);
		at += h.v[i].raw.n;
		ASSERT(h.v[i].name.n > 0);
		ASSERT(h.v[i].value.p + h.v[i].value.n <= at);
		s = header_unfold(pool, h.v[i].value);
		ASSERT(s.n <= h.v[i].value.n);
		ASSERT(memmem(s.p, s.n, "\r\n", 2) == NULL ||
		    memmem(h.v[i].value.p, h.v[i].value.n, "\r\r\n", 3) !=
		    NULL);
	}
	ASSERT(h.bytes == (size_t)(at - m.p));
	while (header_find(&h, "received", received) != NULL)
		received++;
	bodyin_init(&b, true, false);
	(void)bodyin_feed(&b, m.p, m.n, &used, drop, NULL);
	bodyin_finish(&b, drop, NULL);
	ASSERT(b.received == received);
	ASSERT(b.header_bytes == h.bytes);
	bodyin_fini(&b);
	pool_destroy(&pool);
	return 0;
}

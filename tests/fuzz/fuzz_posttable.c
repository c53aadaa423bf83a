/*
 * Tables of Postfix: whatever is in them, an entry is refused with a reason,
 * not mapped with a reason, or a TLS want that can be read and a host that a
 * route takes.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/die.h"
#include "cli/posthop.h"
#include "cli/posttable.h"
#include "cli/posttls.h"
#include "relay/route.h"
#include "tls/tlswant.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
entry(struct pool *pool, const struct posttable_row *row)
{
	struct err why = ERR_INIT;
	struct tlswant w;
	struct posttls t;
	const char *host;

	ASSERT(row->key[0] != '\0' && row->value[0] != '\0');
	if (posttls_read(pool, row->key, row->value, &t, &why) != 0)
		ASSERT(why.text[0] != '\0');
	else if (t.want == NULL)
		ASSERT(t.nleft > 0);
	else
		ASSERT(tlswant_read(&w, str_c(t.want), pool, &why) == 0);
	err_clear(&why);
	host = posthop_host(pool, str_c(row->value), &why);
	if (host == NULL) {
		ASSERT(why.text[0] != '\0');
		return;
	}
	ASSERT(route_host_valid(str_c(host)));
	ASSERT(posthop_name(host).n > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct posttable t = { .rest = str_n((const char *)p, n) };
	struct pool *pool = pool_new(0);
	struct posttable_row row;
	struct err why = ERR_INIT;
	int r, last = 0;

	while ((r = posttable_next(&t, pool, &row, &why)) > 0) {
		ASSERT(row.line > last);
		last = row.line;
		entry(pool, &row);
	}
	if (r < 0)
		ASSERT(why.text[0] != '\0' && t.line > last);
	pool_destroy(&pool);
	return 0;
}

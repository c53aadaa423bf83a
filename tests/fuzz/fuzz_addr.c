/*
 * Paths and domains. The first octet has the flags; the rest is the text.
 */

#include <stdint.h>
#include <string.h>

#include "base/codec.h"
#include "mail/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What every address that was taken must be. */
static void
check(struct pool *pool, const struct addr *a, unsigned flags)
{
	char ascii[ADDR_DOMAIN_MAX + 1], again[ADDR_DOMAIN_MAX + 1];
	struct addr b;
	size_t i;

	ASSERT(a->full.p[a->full.n] == '\0');
	ASSERT(a->local.n <= ADDR_LOCAL_MAX);
	ASSERT(a->domain.n <= ADDR_DOMAIN_MAX);
	ASSERT(a->full.n + 2 <= ADDR_PATH_MAX);
	for (i = 0; i < a->full.n; i++)
		ASSERT(ch_print(a->full.p[i]) ||
		    (a->utf8 && (unsigned char)a->full.p[i] >= 0x80));
	ASSERT(!a->utf8 || ((flags & ADDR_UTF8_OK) != 0 &&
	    utf8_valid(a->full)));
	/* What was understood once is understood the same again. */
	ASSERT(addr_parse(pool, a->full, flags, &b, NULL) == 0);
	ASSERT(str_eq(a->full, b.full) && a->literal == b.literal);
	if (a->domain.n == 0 || a->literal)
		return;
	ASSERT(domain_to_ascii(a->domain, ascii, sizeof(ascii)) == 0);
	ASSERT(domain_valid(str_c(ascii), false));
	ASSERT(domain_to_ascii(str_c(ascii), again, sizeof(again)) == 0);
	ASSERT(strcmp(ascii, again) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text, rest;
	struct pool *pool;
	struct addr a;
	struct err why = ERR_INIT;
	unsigned flags;
	char ip[64];

	if (n == 0)
		return 0;
	flags = data[0] & 7;
	text = str_n((const char *)data + 1, n - 1);
	pool = pool_new(0);
	rest = text;
	if (addr_parse_path(pool, &rest, flags, &a, &why) == 0) {
		ASSERT(rest.p > text.p && rest.p[-1] == '>');
		ASSERT(rest.p + rest.n == text.p + text.n);
		check(pool, &a, flags);
	} else {
		ASSERT(why.code != 0 && why.enh[0] == '5');
	}
	if (addr_parse(pool, text, flags, &a, &why) == 0)
		check(pool, &a, flags);
	(void)domain_literal(text, ip, sizeof(ip));
	pool_destroy(&pool);
	return 0;
}

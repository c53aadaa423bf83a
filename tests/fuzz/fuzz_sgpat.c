/*
 * Sender groups: the first line is the entry of a list, the second the name
 * that a client's address led to, the third what a DNS list has answered.
 */
#include <string.h>

#include "policy/sgpat.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = str_n((const char *)data, n), line = STR_NULL;
	struct sgpat_zone zone = { .known = true };
	struct sgpat_client c = { .zone = &zone };
	struct pool *pool = pool_new(0);
	struct err why = ERR_INIT;
	struct sgpat p, again;
	struct sock_addr a;
	struct buf name;

	(void)sock_addr_ip(STR("192.0.2.1"), 25, &a, &why);
	c.addr = &a;
	(void)str_split(&rest, '\n', &line);
	if (memchr(line.p != NULL ? line.p : "", 0, line.n) == NULL &&
	    sgpat_parse(pool, pool_str(pool, line).p, &p, &why) == 0) {
		/* What was understood once is understood the same again. */
		ASSERT(sgpat_parse(pool, p.text, &again, &why) == 0);
		ASSERT(again.type == p.type);
		p.zone = 0;
		if (str_split(&rest, '\n', &line))
			c.name = pool_str(pool, line).p;
		for (; rest.n >= 4 && zone.n < SGPAT_ANSWERS; zone.n++) {
			memcpy(&zone.ip[zone.n], rest.p, 4);
			rest = str_n(rest.p + 4, rest.n - 4);
		}
		if (p.type == SGPAT_HOST || p.type == SGPAT_BELOW)
			ASSERT(sgpat_match(&p, &c) == SGPAT_ASK_NAME);
		c.name_known = true;
		ASSERT(sgpat_match(&p, &c) <= SGPAT_YES);
		if (p.type == SGPAT_DNSLIST) {
			buf_init(&name, 1024);
			sgpat_question(p.name, &a, &name);
			ASSERT(str_iends(buf_str(&name), p.name));
			buf_fini(&name);
		}
	}
	pool_destroy(&pool);
	return 0;
}

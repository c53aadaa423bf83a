/*
 * Parameters of MAIL (first octet even) and RCPT: no control octet ever comes
 * out of them.
 */

#include <stdint.h>
#include <stdlib.h>

#include "base/die.h"
#include "smtp/esmtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_text(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		ASSERT((unsigned char)s.p[i] >= ' ' &&
		       (unsigned char)s.p[i] != 0x7f);
	}
}

static void
check_why(const struct err *why)
{
	ASSERT(why->code == 501 || why->code == 555);
	check_text(str_c(why->text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct esmtp_mail m = { 0, 0, STR_NULL };
	struct esmtp_rcpt r = { 0, STR_NULL };
	struct err why = ERR_INIT;
	struct pool *pool;
	struct str rest;
	unsigned offers;

	if (size < 1)
		return 0;
	rest = str_n((const char *)data + 1, size - 1);
	offers = data[0] >> 1;
	pool = pool_new(0);
	if ((data[0] & 1) == 0) {
		if (esmtp_mail(pool, rest, offers, &m, &why) < 0)
			check_why(&why);
		check_text(m.envid);
		ASSERT(m.envid.n <= ESMTP_ENVID_MAX);
	} else {
		if (esmtp_rcpt(pool, rest, offers, &r, &why) < 0)
			check_why(&why);
		check_text(r.orcpt);
		ASSERT(r.orcpt.n <= ESMTP_ORCPT_MAX);
	}
	ASSERT(pool_size(pool) < 65536);
	pool_destroy(&pool);
	return 0;
}

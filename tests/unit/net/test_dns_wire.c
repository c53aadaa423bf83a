#include <string.h>

#include "net/dns_wire.h"
#include "unit.h"

static struct pool *pool;

static void
setup(void)
{
	pool = pool_new(0);
}

static void
teardown(void)
{
	pool_destroy(&pool);
}

/* One question for "a.b", MX; answers are appended. */
#define Q(n) "\0\1\x81\x80\0\1\0" n "\0\0\0\0\1a\1b\0\0\x0f\0\1"

static const struct {
	const char *msg;
	size_t n;
	enum dns_status want;
	const char *name; /* of the first record */
} wire_case[] = {
#define IN(s) s, sizeof(s) - 1
	{ IN(Q("\1") "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\5\0\7\1x\0"), DNS_OK,
	    "x" },
	{ IN(Q("\1") "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\6\0\7\1x\xc0\x0e"), DNS_OK,
	    "x.b" },
	{ IN(Q("\1") "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\x08\0\7\4\0.\\\n\0"),
	    DNS_OK, "\\000\\046\\092\\010" },
	/* the rdata ends early, late, or points into itself or forwards */
	{ IN(Q("\1") "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\4\0\7\1x\0"), DNS_FAIL,
	    NULL },
	{ IN(Q("\1") "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\6\0\7\1x\0"), DNS_FAIL,
	    NULL },
	{ IN(Q("\1") "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\4\0\7\xc0\x23"), DNS_FAIL,
	    NULL },
	{ IN(Q("\1") "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\4\0\7\xc0\xff"), DNS_FAIL,
	    NULL },
	{ IN(Q("\1") "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\4\0\7\xff\xff"), DNS_FAIL,
	    NULL },
	{ IN(Q("\1") "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\1\0"), DNS_FAIL, NULL },
	{ IN(Q("\1") "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\0"), DNS_FAIL, NULL },
	/* another owner, type or class is not the answer */
	{ IN(Q("\1") "\1z\0\0\x0f\0\1\0\0\0\x3c\0\5\0\7\1x\0"), DNS_NODATA,
	    NULL },
	{ IN(Q("\1") "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4"), DNS_NODATA,
	    NULL },
	{ IN(Q("\1") "\xc0\x0c\0\x0f\0\3\0\0\0\x3c\0\5\0\7\1x\0"), DNS_NODATA,
	    NULL },
	/* CNAME a.b -> c, then MX of c, in either order; and a loop */
	{ IN(Q("\2") "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\3\1c\0"
		     "\1c\0\0\x0f\0\1\0\0\0\x3c\0\5\0\7\1x\0"),
	    DNS_OK, "x" },
	{ IN(Q("\2") "\1c\0\0\x0f\0\1\0\0\0\x3c\0\5\0\7\1x\0"
		     "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\3\1c\0"),
	    DNS_OK, "x" },
	{ IN(Q("\1") "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\2\xc0\x0c"), DNS_FAIL,
	    NULL },
	{ IN(Q("\0")), DNS_NODATA, NULL },
	{ IN(Q("\1")), DNS_FAIL, NULL },
	{ IN("\0\1\x81\x80"), DNS_FAIL, NULL },
	{ IN("\0\1\x81\x80\xff\xff\xff\xff\0\0\0\0"), DNS_FAIL, NULL },
	{ IN("\0\1\x81\x83\0\1\0\0\0\0\0\0\1a\1b\0\0\x0f\0\1"), DNS_NXDOMAIN,
	    NULL },
	{ IN("\0\1\x81\x82\0\1\0\0\0\0\0\0\1a\1b\0\0\x0f\0\1"), DNS_FAIL,
	    NULL },
#undef IN
};

START_TEST(reads_message)
{
	struct dns_answer a;

	dns_wire_read(
	    pool, wire_case[_i].msg, wire_case[_i].n, "A.b", DNS_MX, &a);
	ck_assert_int_eq(a.status, wire_case[_i].want);
	ck_assert_int_eq(a.why != NULL, a.status == DNS_FAIL);
	if (wire_case[_i].name == NULL) {
		ck_assert_uint_eq(a.n, 0);
		return;
	}
	ck_assert_uint_eq(a.n, 1);
	ck_assert_uint_eq(a.rr[0].pref, 7);
	ck_assert_uint_eq(a.ttl, 60);
	ck_assert_str_eq(a.rr[0].name, wire_case[_i].name);
}
END_TEST

START_TEST(reads_a_message_cut_anywhere)
{
	struct dns_answer a;
	char copy[256];
	size_t n;

	for (n = 0; n < wire_case[13].n; n++) {
		memcpy(copy, wire_case[13].msg, n);
		dns_wire_read(pool, copy, n, "a.b", DNS_MX, &a);
		ck_assert_int_eq(a.status, DNS_FAIL);
	}
}
END_TEST

UNIT_SUITE(dns_wire)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, reads_message, 0,
	    (int)(sizeof(wire_case) / sizeof(wire_case[0])));
	tcase_add_test(tc, reads_a_message_cut_anywhere);
}

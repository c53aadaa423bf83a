#include <string.h>

#include "net/proxy.h"
#include "unit.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"

static const struct {
	const char *in;
	size_t n;
	const char *from, *to; /* from "": local; NULL: refused */
} proxy_case[] = {
#define IN(s) s, sizeof(s) - 1
	{ IN("PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n"),
	    "192.0.2.1:56324", "198.51.100.2:25" },
	{ IN("PROXY TCP6 2001:db8::1 2001:db8::2 1 25\r\n"), "[2001:db8::1]:1",
	    "[2001:db8::2]:25" },
	{ IN("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	{ IN("PROXY UNKNOWN\r\n"), "", "" },
	{ IN("PROXY UNKNOWN whatever it says 1 2 3 4\r\n"), "", "" },
	{ IN("PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\n"), NULL, NULL },
	{ IN("PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n"), NULL, NULL },
	{ IN("PROXY TCP4 192.0.2.1 198.51.100.2 56324 25 9\r\n"), NULL, NULL },
	{ IN("PROXY TCP4  192.0.2.1 198.51.100.2 56324 25\r\n"), NULL, NULL },
	{ IN("PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n"), NULL, NULL },
	{ IN("PROXY TCP4 192.0.2.1 198.51.100.2 025 25\r\n"), NULL, NULL },
	{ IN("PROXY TCP4 2001:db8::1 2001:db8::2 1 25\r\n"), NULL, NULL },
	{ IN("PROXY TCP6 192.0.2.1 198.51.100.2 1 25\r\n"), NULL, NULL },
	{ IN("PROXY TCP4 [192.0.2.1] 198.51.100.2 1 25\r\n"), NULL, NULL },
	{ IN("PROXY UDP4 192.0.2.1 198.51.100.2 1 25\r\n"), NULL, NULL },
	{ IN("PROXY \r\n"), NULL, NULL },
	{ IN("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535    \r\n"),
	    NULL, NULL },
	{ IN("EHLO client.example\r\n"), NULL, NULL },
	{ IN("PROXX"), NULL, NULL },
	{ IN(V2 "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19"),
	    "192.0.2.1:56324", "198.51.100.2:25" },
	{ IN(V2 "\x21\x11\0\x10\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19\4\0\1x"),
	    "192.0.2.1:56324", "198.51.100.2:25" },
	{ IN(V2 "\x21\x21\0\x24"
		"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
		"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\1\0\x19"),
	    "[2001:db8::1]:1", "[2001:db8::2]:25" },
	{ IN(V2 "\x20\0\0\0"), "", "" },
	{ IN(V2 "\x20\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19"), "", "" },
	{ IN(V2 "\x21\x31\0\1x"), "", "" },
	{ IN(V2 "\x21\x11\0\x0b\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0"), NULL, NULL },
	{ IN(V2 "\x11\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19"), NULL,
	    NULL },
	{ IN(V2 "\x22\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19"), NULL,
	    NULL },
	{ IN(V2 "\x21\x11\x10\0"), NULL, NULL },
#undef IN
};

/* Whatever is missing at the end, the answer until then is "more". */
START_TEST(reads_header_at_any_cut)
{
	size_t len = proxy_case[_i].n, n, used = 0;
	struct err why = ERR_INIT;
	enum proxy_status got = PROXY_MORE;
	struct proxy_result r;
	char text[SOCK_TEXT_MAX];
	char in[256];

	memset(in, 'Q', sizeof(in));
	memcpy(in, proxy_case[_i].in, len);
	for (n = 0; n < len && got == PROXY_MORE; n++)
		got = proxy_parse(str_n(in, n), &r, &used, &why);
	if (proxy_case[_i].from == NULL) {
		got = proxy_parse(str_n(in, len), &r, &used, &why);
		ck_assert_int_eq(got, PROXY_BAD);
		ck_assert_str_ne(why.text, "");
		return;
	}
	ck_assert_int_eq(got, PROXY_MORE);
	got = proxy_parse(str_n(in, sizeof(in)), &r, &used, &why);
	ck_assert_int_eq(got, PROXY_DONE);
	ck_assert_uint_eq(used, len);
	ck_assert_int_eq(r.local, proxy_case[_i].from[0] == '\0');
	if (r.local)
		return;
	ck_assert_str_eq(
	    sock_addr_text(&r.source, text, sizeof(text)), proxy_case[_i].from);
	ck_assert_str_eq(sock_addr_text(&r.destination, text, sizeof(text)),
	    proxy_case[_i].to);
}
END_TEST

START_TEST(gives_up_on_an_endless_line)
{
	struct err why = ERR_INIT;
	struct proxy_result r;
	char in[200] = "PROXY UNKNOWN ";
	size_t used;

	memset(in + 14, 'x', sizeof(in) - 14);
	ck_assert_int_eq(
	    proxy_parse(str_n(in, 106), &r, &used, &why), PROXY_MORE);
	ck_assert_int_eq(
	    proxy_parse(str_n(in, 107), &r, &used, &why), PROXY_BAD);
	in[106] = '\n';
	in[105] = '\r';
	ck_assert_int_eq(
	    proxy_parse(str_n(in, 107), &r, &used, &why), PROXY_DONE);
}
END_TEST

UNIT_SUITE(proxy)
{
	tcase_add_loop_test(tc, reads_header_at_any_cut, 0,
	    (int)(sizeof(proxy_case) / sizeof(proxy_case[0])));
	tcase_add_test(tc, gives_up_on_an_endless_line);
}

#include "host/httpout.h"

#include <string.h>

#include "unit.h"

static const struct {
	const char *url;
	const char *host; /* NULL: refused */
	const char *authority, *path;
	int port;
	bool tls, literal;
} urls[] = {
	{ "http://a.example", "a.example", "a.example", "", 80, false,
	    false },
	{ "HTTPS://A.example:8443/x?y=1#z", "A.example", "A.example:8443",
	    "/x?y=1", 8443, true, false },
	{ "https://a.example?q", "a.example", "a.example", "?q", 443, true,
	    false },
	{ "http://192.0.2.1:8080/", "192.0.2.1", "192.0.2.1:8080", "/", 8080,
	    false, true },
	{ "http://[2001:db8::1]/", "2001:db8::1", "[2001:db8::1]", "/", 80,
	    false, true },
	{ "https://[::1]:8443", "::1", "[::1]:8443", "", 8443, true, true },
	{ "http://localhost/", "localhost", "localhost", "/", 80, false,
	    false },
	{ "", NULL, NULL, NULL, 0, false, false },
	{ "ftp://a.example/", NULL, NULL, NULL, 0, false, false },
	{ "a.example/x", NULL, NULL, NULL, 0, false, false },
	{ "http://", NULL, NULL, NULL, 0, false, false },
	{ "http:///x", NULL, NULL, NULL, 0, false, false },
	{ "http://:80/", NULL, NULL, NULL, 0, false, false },
	{ "http://a.example:/", NULL, NULL, NULL, 0, false, false },
	{ "http://a.example:0/", NULL, NULL, NULL, 0, false, false },
	{ "http://a.example:65536/", NULL, NULL, NULL, 0, false, false },
	{ "http://a.example:80x/", NULL, NULL, NULL, 0, false, false },
	{ "http://u:p@a.example/", NULL, NULL, NULL, 0, false, false },
	{ "http://[::1/", NULL, NULL, NULL, 0, false, false },
	{ "http://[::1]x/", NULL, NULL, NULL, 0, false, false },
	{ "http://[a.example]/", NULL, NULL, NULL, 0, false, false },
	{ "http://::1/", NULL, NULL, NULL, 0, false, false },
	{ "http://a..example/", NULL, NULL, NULL, 0, false, false },
	{ "http://a.example/a b", NULL, NULL, NULL, 0, false, false },
	{ "http://a.example/\r\nX: y", NULL, NULL, NULL, 0, false, false },
	{ "http://a.example/\xe4", NULL, NULL, NULL, 0, false, false },
};

START_TEST(takes_url_apart)
{
	struct err why = ERR_INIT;
	struct httpurl u;
	int r = httpurl_read(&u, str_c(urls[_i].url), &why);

	if (urls[_i].host == NULL) {
		ck_assert_int_eq(r, -1);
		ck_assert_str_ne(why.text, "");
		return;
	}
	ck_assert_int_eq(r, 0);
	ck_assert(str_eq_c(u.host, urls[_i].host));
	ck_assert(str_eq_c(u.authority, urls[_i].authority));
	ck_assert(str_eq_c(u.path, urls[_i].path));
	ck_assert_int_eq(u.port, urls[_i].port);
	ck_assert(u.tls == urls[_i].tls && u.literal == urls[_i].literal);
}
END_TEST

static int
write_one(struct buf *b, struct pst_http *q, struct err *why)
{
	struct httpurl u;

	q->size = sizeof(*q);
	if (q->url == NULL)
		q->url = "https://a.example/x";
	ck_assert_int_eq(httpurl_read(&u, str_c(q->url), NULL), 0);
	buf_init(b, HTTPOUT_HEAD_MAX + HTTPOUT_BODY_MAX);
	return httpout_write(b, q, &u, why);
}

START_TEST(writes_a_request)
{
	struct pst_http q = { .url = "http://a.example:81/x?y",
		.headers = "X-One: 1\nX-Two:2\n", .content_type = "text/plain",
		.body = { "hello", 5 } };
	struct buf b;

	ck_assert_int_eq(write_one(&b, &q, NULL), 0);
	ck_assert_str_eq(buf_p(&b), "POST /x?y HTTP/1.1\r\n"
	    "Host: a.example:81\r\n"
	    "User-Agent: Postern/" PACKAGE_VERSION "\r\n"
	    "Accept: */*\r\nConnection: close\r\n"
	    "Content-Type: text/plain\r\nContent-Length: 5\r\n"
	    "X-One: 1\r\nX-Two: 2\r\n\r\nhello");
	buf_fini(&b);
	q = (struct pst_http){ .url = "http://a.example?y" };
	ck_assert_int_eq(write_one(&b, &q, NULL), 0);
	ck_assert_str_eq(buf_p(&b), "GET /?y HTTP/1.1\r\nHost: a.example\r\n"
	    "User-Agent: Postern/" PACKAGE_VERSION "\r\n"
	    "Accept: */*\r\nConnection: close\r\n\r\n");
	buf_fini(&b);
	q = (struct pst_http){ .method = "PUT" };
	ck_assert_int_eq(write_one(&b, &q, NULL), 0);
	ck_assert_ptr_nonnull(strstr(buf_p(&b), "\r\nContent-Length: 0\r\n"));
	buf_fini(&b);
}
END_TEST

START_TEST(refuses_what_would_be_two_requests)
{
	static const struct pst_http bad[] = {
		{ .method = "GET /" }, { .method = "" }, { .method = "G\r" },
		{ .method = "CONNECT" },
		{ .content_type = "text/plain\r\nX: y" },
		{ .headers = "Host: b.example" },
		{ .headers = "content-length: 3" },
		{ .headers = "Transfer-Encoding: chunked" },
		{ .headers = "X: a\rb" }, { .headers = "X Y: z" },
		{ .headers = "nothing" }, { .headers = ": x" },
		{ .headers = "A: b\n c" },
	};
	struct pst_http q;
	struct buf b;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err why = ERR_INIT;

		q = bad[i];
		ck_assert_int_eq(write_one(&b, &q, &why), -1);
		ck_assert_str_ne(why.text, "");
		buf_fini(&b);
	}
}
END_TEST

START_TEST(heads_of_requests_have_an_end)
{
	static char field[HTTPOUT_HEAD_MAX + 100];
	struct pst_http q = { .headers = field };
	struct err why = ERR_INIT;
	struct buf b;

	memset(field, 'x', HTTPOUT_HEAD_MAX);
	memcpy(field, "X: ", 3);
	ck_assert_int_eq(write_one(&b, &q, &why), -1);
	buf_fini(&b);
	field[HTTPOUT_HEAD_MAX - 300] = '\0';
	q.body = (struct pst_str){ NULL, HTTPOUT_BODY_MAX + 1u };
	ck_assert_int_eq(write_one(&b, &q, &why), -1);
	buf_fini(&b);
	q.body = (struct pst_str){ "", 0 };
	ck_assert_int_eq(write_one(&b, &q, &why), 0);
	buf_fini(&b);
}
END_TEST

UNIT_SUITE(httpout)
{
	tcase_add_loop_test(tc, takes_url_apart, 0,
	    sizeof(urls) / sizeof(urls[0]));
	tcase_add_test(tc, writes_a_request);
	tcase_add_test(tc, refuses_what_would_be_two_requests);
	tcase_add_test(tc, heads_of_requests_have_an_end);
}

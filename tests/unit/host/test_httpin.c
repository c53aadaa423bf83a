#include <stdio.h>
#include <string.h>

#include "host/httpin.h"
#include "unit.h"

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
	const char *text;
	unsigned code;
	const char *body; /* NULL: it is refused */
	const char *rest; /* of text, that is not taken; or NULL */
} answers[] = {
	{ OK "Content-Length: 5\r\n\r\nhello", 200, "hello", NULL },
	{ OK "content-length:5 \r\n\r\nhellomore", 200, "hello", "more" },
	{ OK "Content-Length: 0\r\n\r\n", 200, "", NULL },
	{ "HTTP/1.1 404\r\nContent-Length: 2\r\n\r\nno", 404, "no", NULL },
	{ "HTTP/1.0 200 \r\nContent-Length: 1\r\n\r\nx", 200, "x", NULL },
	{ "HTTP/1.1 204 No Content\r\n\r\nrest", 204, "", "rest" },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, "",
	    NULL },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n"
	  "Content-Length: 1\r\n\r\ny", 201, "y", NULL },
	{ OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200,
	    "hello", NULL },
	{ OK "Transfer-Encoding: Chunked\r\n\r\n00a;x=y\r\nhelloworld\r\n"
	  "1 \r\n!\r\n0;a\r\nTrailer: yes\r\n\r\nX", 200, "helloworld!", "X" },
	{ OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, "ok",
	    NULL },
	{ OK "X-Empty:\r\nX-8bit: \xe4\tz\r\nContent-Length: 1\r\n\r\nx", 200,
	    "x", NULL },
	/* Not HTTP. */
	{ "HTTP/2 200\r\n\r\n", 0, NULL, NULL },
	{ "HTTP/1.2 200 OK\r\n\r\n", 0, NULL, NULL },
	{ "HTTP/1.1  200 OK\r\n\r\n", 0, NULL, NULL },
	{ "HTTP/1.1 20 OK\r\n\r\n", 0, NULL, NULL },
	{ "HTTP/1.1 2000 OK\r\n\r\n", 0, NULL, NULL },
	{ "HTTP/1.1 099 OK\r\n\r\n", 0, NULL, NULL },
	{ "HTTP/1.1 600 OK\r\n\r\n", 0, NULL, NULL },
	{ "220 mx.example ESMTP\r\n", 0, NULL, NULL },
	{ "\r\n", 0, NULL, NULL },
	/* Lines. */
	{ "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 0, NULL, NULL },
	{ OK "Content-Length: 1\n\r\nx", 0, NULL, NULL },
	{ OK "A: b\r\n folded\r\n\r\n", 0, NULL, NULL },
	{ OK "A : b\r\n\r\n", 0, NULL, NULL },
	{ OK ": b\r\n\r\n", 0, NULL, NULL },
	{ OK "nothing\r\n\r\n", 0, NULL, NULL },
	{ OK "A: b\001\r\n\r\n", 0, NULL, NULL },
	{ OK "A: b\rc\r\n\r\n", 0, NULL, NULL },
	/* Lengths that are not clear. */
	{ OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 0, NULL,
	    NULL },
	{ OK "Content-Length: 1, 1\r\n\r\nx", 0, NULL, NULL },
	{ OK "Content-Length: +1\r\n\r\nx", 0, NULL, NULL },
	{ OK "Content-Length: -1\r\n\r\nx", 0, NULL, NULL },
	{ OK "Content-Length: 0x1\r\n\r\nx", 0, NULL, NULL },
	{ OK "Content-Length:\r\n\r\nx", 0, NULL, NULL },
	{ OK "Content-Length: 99999999999999999999\r\n\r\nx", 0, NULL, NULL },
	{ OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "1\r\nx\r\n0\r\n\r\n", 0, NULL, NULL },
	{ OK "Transfer-Encoding: gzip\r\n\r\n", 0, NULL, NULL },
	{ OK "Transfer-Encoding: gzip, chunked\r\n\r\n", 0, NULL, NULL },
	{ OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
	  "\r\n0\r\n\r\n", 0, NULL, NULL },
	{ "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0,
	    NULL, NULL },
	/* Chunks. */
	{ OK "Transfer-Encoding: chunked\r\n\r\n\r\n", 0, NULL, NULL },
	{ OK "Transfer-Encoding: chunked\r\n\r\n0x1\r\n", 0, NULL, NULL },
	{ OK "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n", 0, NULL, NULL },
	{ OK "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n", 0, NULL, NULL },
	{ OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n", 0, NULL,
	    NULL },
	{ OK "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n", 0,
	    NULL, NULL },
	{ OK "Transfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n", 0,
	    NULL, NULL },
	{ "HTTP/1.1 101 Switching\r\n\r\n", 0, NULL, NULL },
};

static enum httpin_status
feed(struct httpin *h, const char *text, size_t n, size_t cut, size_t *at,
    struct err *why)
{
	enum httpin_status st = HTTPIN_MORE;
	size_t used;

	*at = 0;
	while (*at < n && st == HTTPIN_MORE) {
		st = httpin_feed(h, text + *at,
		    n - *at < cut ? n - *at : cut, &used, why);
		if (st != HTTPIN_BAD)
			*at += used;
	}
	return st;
}

START_TEST(reads_answer_in_any_pieces)
{
	const char *text = answers[_i].text;
	size_t n = strlen(text), cut, at;
	enum httpin_status st;
	struct httpin h;

	for (cut = 1; cut <= n; cut++) {
		struct err why = ERR_INIT;

		httpin_init(&h, 1000, false, false);
		st = feed(&h, text, n, cut, &at, &why);
		if (answers[_i].body == NULL) {
			ck_assert_int_eq(st, HTTPIN_BAD);
			ck_assert_str_ne(why.text, "");
		} else {
			ck_assert_int_eq(st, HTTPIN_DONE);
			ck_assert_uint_eq(h.code, answers[_i].code);
			ck_assert_str_eq(buf_p(&h.body), answers[_i].body);
			if (cut == n && answers[_i].rest != NULL)
				ck_assert_str_eq(text + at, answers[_i].rest);
		}
		httpin_fini(&h);
	}
}
END_TEST

START_TEST(takes_a_body_up_to_the_end_only_in_clear)
{
	static const char text[] = OK "A: b\r\n\r\nall of it";
	struct err why = ERR_INIT;
	struct httpin h;
	size_t at;
	int sealed;

	for (sealed = 0; sealed < 2; sealed++) {
		httpin_init(&h, 100, false, sealed == 1);
		ck_assert_int_eq(feed(&h, text, strlen(text), 1000, &at,
		    &why), HTTPIN_MORE);
		ck_assert_int_eq(httpin_eof(&h, &why),
		    sealed ? HTTPIN_BAD : HTTPIN_DONE);
		if (!sealed)
			ck_assert_str_eq(buf_p(&h.body), "all of it");
		httpin_fini(&h);
	}
	ck_assert_str_eq(why.text, "the answer has no length");
}
END_TEST

START_TEST(refuses_an_answer_that_is_cut_off)
{
	static const char *const parts[] = { "", "HTTP/1.1 2", OK "A: b\r\n",
		OK "Content-Length: 5\r\n\r\nhell",
		OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n" };
	struct httpin h;
	size_t at, i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct err why = ERR_INIT;

		httpin_init(&h, 100, false, false);
		ck_assert_int_eq(feed(&h, parts[i], strlen(parts[i]), 1000,
		    &at, &why), HTTPIN_MORE);
		ck_assert_int_eq(httpin_eof(&h, &why), HTTPIN_BAD);
		ck_assert_str_eq(why.text, i == 0 ?
		    "the connection ended without an answer" :
		    "the answer was cut off");
		httpin_fini(&h);
	}
}
END_TEST

START_TEST(an_answer_to_head_has_no_body)
{
	static const char text[] = OK "Content-Length: 500\r\n\r\n";
	struct err why = ERR_INIT;
	struct httpin h;
	size_t at;

	httpin_init(&h, 100, true, true);
	ck_assert_int_eq(feed(&h, text, strlen(text), 3, &at, &why),
	    HTTPIN_DONE);
	ck_assert_uint_eq(buf_len(&h.body), 0);
	httpin_fini(&h);
}
END_TEST

START_TEST(bodies_end_at_their_ceiling)
{
	static const char *const forms[] = {
		OK "Content-Length: %zu\r\n\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
		OK "\r\n"
	};
	char text[4096];
	struct httpin h;
	size_t n, at, i;
	int len;

	for (i = 0; i < 3; i++) {
		for (n = 99; n <= 1000; n = n < 102 ? n + 1 : 1000 + n) {
			struct err why = ERR_INIT;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			len = snprintf(text, sizeof(text), forms[i], n);
#pragma GCC diagnostic pop
			memset(text + len, 'x', n);
			httpin_init(&h, 100, false, false);
			ck_assert_int_eq(feed(&h, text, (size_t)len + n, 7,
			    &at, &why), n > 100 ? HTTPIN_BAD :
			    i == 0 ? HTTPIN_DONE : HTTPIN_MORE);
			if (n > 100)
				ck_assert_str_eq(why.text, "the answer is "
				    "larger than 100 octets");
			httpin_fini(&h);
		}
	}
}
END_TEST

START_TEST(heads_end_at_64_kilobytes)
{
	static char text[2 * HTTPIN_HEAD_MAX];
	size_t n, at, extra;
	struct httpin h;
	int i;

	for (extra = 0; extra < 2; extra++) {
		struct err why = ERR_INIT;

		n = (size_t)snprintf(text, sizeof(text),
		    OK "Content-Length: 0\r\n");
		while (n + 1000 < HTTPIN_HEAD_MAX) {
			memset(text + n, 'a', 900);
			memcpy(text + n + 1, ": ", 2);
			memcpy(text + n + 898, "\r\n", 2);
			n += 900;
		}
		at = HTTPIN_HEAD_MAX + extra - n - 2;
		memset(text + n, 'b', at);
		memcpy(text + n + 1, ": ", 2);
		memcpy(text + n + at - 2, "\r\n\r\n", 4);
		httpin_init(&h, 10, false, false);
		ck_assert_int_eq(feed(&h, text, n + at + 2, 4096, &at, &why),
		    extra == 0 ? HTTPIN_DONE : HTTPIN_BAD);
		httpin_fini(&h);
	}
	/* One line without an end; and interim answers without one. */
	memset(text, 'x', sizeof(text));
	httpin_init(&h, 10, false, false);
	ck_assert_int_eq(feed(&h, text, sizeof(text), 4096, &at, NULL),
	    HTTPIN_BAD);
	httpin_fini(&h);
	httpin_init(&h, 10, false, false);
	for (i = 0; i < HTTPIN_INTERIM_MAX; i++)
		ck_assert_int_eq(feed(&h, "HTTP/1.1 102 P\r\n\r\n", 18, 18,
		    &at, NULL), HTTPIN_MORE);
	ck_assert_int_eq(feed(&h, "HTTP/1.1 102 P\r\n\r\n", 18, 18, &at,
	    NULL), HTTPIN_BAD);
	httpin_fini(&h);
}
END_TEST

UNIT_SUITE(httpin)
{
	tcase_add_loop_test(tc, reads_answer_in_any_pieces, 0,
	    sizeof(answers) / sizeof(answers[0]));
	tcase_add_test(tc, takes_a_body_up_to_the_end_only_in_clear);
	tcase_add_test(tc, refuses_an_answer_that_is_cut_off);
	tcase_add_test(tc, an_answer_to_head_has_no_body);
	tcase_add_test(tc, bodies_end_at_their_ceiling);
	tcase_add_test(tc, heads_end_at_64_kilobytes);
}

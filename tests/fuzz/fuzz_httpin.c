/*
 * The reader of HTTP answers: any octets, and any cut gives the same answer.
 * And the reader of URLs.
 *
 * The first octet of the input is the length of the pieces.
 */
#include <stdint.h>
#include <string.h>

#include "base/die.h"
#include "host/httpin.h"
#include "host/httpout.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { BODY_MAX = 1000 };

static uint64_t
read_all(const char *p, size_t n, size_t cut, bool sealed)
{
	enum httpin_status st = HTTPIN_MORE;
	struct err why = ERR_INIT;
	struct httpin h;
	uint64_t sum;
	size_t i = 0, used, k;

	httpin_init(&h, BODY_MAX, false, sealed);
	while (i < n && st == HTTPIN_MORE) {
		st = httpin_feed(&h, p + i, n - i < cut ? n - i : cut, &used,
		    &why);
		if (st == HTTPIN_BAD)
			break;
		ASSERT(used <= n - i && (used > 0 || st == HTTPIN_DONE));
		i += used;
	}
	if (st == HTTPIN_MORE)
		st = httpin_eof(&h, &why);
	ASSERT((st == HTTPIN_BAD) == (why.text[0] != '\0'));
	ASSERT(buf_len(&h.body) <= BODY_MAX);
	sum = (uint64_t)st;
	if (st == HTTPIN_DONE) {
		ASSERT(h.code >= 200 && h.code <= 599);
		sum = sum * 31 + h.code;
		for (k = 0; k < buf_len(&h.body); k++)
			sum = sum * 31 + (unsigned char)buf_p(&h.body)[k];
	}
	httpin_fini(&h);
	return sum;
}

static void
read_url(const char *p, size_t n)
{
	struct pst_http q = { .size = sizeof(q) };
	struct httpurl u;
	struct buf b;

	if (httpurl_read(&u, str_n(p, n), NULL) != 0)
		return;
	ASSERT(u.host.p >= p && u.host.p + u.host.n <= p + n);
	ASSERT(u.path.p >= p && u.path.p + u.path.n <= p + n);
	ASSERT(u.host.n > 0 && u.port > 0);
	buf_init(&b, HTTPOUT_HEAD_MAX + HTTPOUT_BODY_MAX);
	ASSERT(httpout_write(&b, &q, &u, NULL) == 0);
	/* Whatever the URL was, it is one request. */
	ASSERT(strstr(buf_p(&b), "\r\n\r\n") ==
	    buf_p(&b) + buf_len(&b) - 4);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data + 1;
	int sealed;

	if (n < 2)
		return 0;
	n--;
	for (sealed = 0; sealed < 2; sealed++) {
		uint64_t whole = read_all(p, n, n, sealed == 1);

		ASSERT(whole == read_all(p, n, (size_t)data[0] + 1,
		    sealed == 1));
		ASSERT(whole == read_all(p, n, 1, sealed == 1));
	}
	read_url(p, n);
	return 0;
}

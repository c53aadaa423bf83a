/*
 * The reply reader: any octets, and any cut gives the same replies.
 *
 * The first octet of the input is the length of the pieces.
 */
#include <stdint.h>

#include "base/die.h"
#include "smtp/replyin.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Reads the whole input; a sum over all replies tells two runs apart. */
static uint64_t
read_all(const char *p, size_t n, size_t cut)
{
	enum replyin_status st = REPLYIN_MORE;
	struct err why = ERR_INIT;
	uint64_t sum = 1;
	struct replyin r;
	size_t i = 0, used, k;

	replyin_init(&r);
	while (i < n && st != REPLYIN_BAD) {
		st = replyin_feed(&r, p + i, n - i < cut ? n - i : cut,
		    REPLYIN_LINES_MAX, &used, &why);
		if (st == REPLYIN_BAD)
			break;
		ASSERT(used > 0 && used <= n - i);
		i += used;
		if (st != REPLYIN_DONE)
			continue;
		ASSERT(r.code >= 200 && r.code <= 599);
		sum = sum * 31 + (uint64_t)r.code;
		for (k = 0; k < buf_len(&r.text); k++) {
			ASSERT(buf_p(&r.text)[k] != '\0');
			sum = sum * 31 + (unsigned char)buf_p(&r.text)[k];
		}
	}
	replyin_fini(&r);
	return sum * 31 + (uint64_t)st;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data + 1;

	if (n < 2)
		return 0;
	n--;
	ASSERT(read_all(p, n, n) == read_all(p, n, (size_t)data[0] + 1));
	ASSERT(read_all(p, n, n) == read_all(p, n, 1));
	return 0;
}

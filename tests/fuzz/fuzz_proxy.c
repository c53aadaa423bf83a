/*
 * PROXY headers: the answer must not hang on what follows the header, and a
 * shorter piece of a good header is "more".
 */
#include "net/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_n((const char *)data, n);
	struct err why = ERR_INIT;
	struct proxy_result r, again;
	size_t used = 0, less = 0;

	if (proxy_parse(in, &r, &used, &why) != PROXY_DONE)
		return 0;
	ASSERT(used > 0 && used <= n && used <= 4096);
	ASSERT(
	    proxy_parse(str_n(in.p, used), &again, &less, &why) == PROXY_DONE &&
	    less == used && again.local == r.local);
	ASSERT(proxy_parse(str_n(in.p, used - 1), &again, &less, &why) ==
	       PROXY_MORE);
	return 0;
}

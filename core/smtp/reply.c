#include "smtp/reply.h"

#include <stdio.h>
#include <string.h>

#include "mail/status.h"

static bool
same_class(const char *enh, int code)
{
	return enh != NULL && enh[0] != '\0' && enh[0] - '0' == code / 100 &&
	       status_enh_valid(str_c(enh));
}

size_t
reply_format(char dst[REPLY_MAX + 1], const struct err *e, int code,
    const char *enh, const char *text)
{
	size_t n, i;
	int len;

	if (e->text[0] != '\0')
		text = e->text;
	if (e->code >= 200 && e->code <= 599)
		code = e->code;
	if (same_class(e->enh, code))
		enh = e->enh;
	else if (!same_class(enh, code))
		enh = status_default(code);
	if (code / 100 == 3) /* RFC 2034 4: only 2, 4 and 5 have them */
		len = snprintf(dst, REPLY_MAX - 1, "%d %s", code, text);
	else
		len = snprintf(dst, REPLY_MAX - 1, "%d %s %s", code, enh, text);
	ASSERT(len > 0);
	n = (size_t)len < REPLY_MAX - 2 ? (size_t)len : REPLY_MAX - 2;
	for (i = 0; i < n; i++) {
		if (!ch_print(dst[i]))
			dst[i] = '?';
	}
	memcpy(dst + n, "\r\n", 3);
	return n + 2;
}

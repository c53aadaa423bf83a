#include "cli/plainline.h"

#include "base/codec.h"

struct str
plainline_text(struct str text)
{
	return str_istarts(text, "\xef\xbb\xbf") ?
	    str_n(text.p + 3, text.n - 3) : text;
}

int
plainline_check(struct str s, struct err *why)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && (c < '\t' || c > '\r')) || c == 0x7f)
			return err_text(why, "the octet %u has no place here",
			    c);
	}
	return utf8_valid(s) ? 0 : err_text(why, "this is not UTF-8");
}

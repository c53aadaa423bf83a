#include <arpa/inet.h>
#include <idn2.h>
#include <string.h>

#include "base/codec.h"
#include "base/die.h"
#include "mail/addr.h"

#define LABEL_MAX 63

static bool matches(struct str pattern, struct str domain);
static bool label_valid(struct str label, bool utf8);

bool
domain_valid(struct str s, bool utf8)
{
	struct str rest = s, label;

	if (s.n == 0 || s.n > ADDR_DOMAIN_MAX || s.p[s.n - 1] == '.')
		return false;
	while (str_split(&rest, '.', &label)) {
		if (!label_valid(label, utf8))
			return false;
	}
	return true;
}

bool
domain_literal(struct str s, char *ip_r, size_t n)
{
	char text[INET6_ADDRSTRLEN], canonical[INET6_ADDRSTRLEN];
	unsigned char bin[16];
	struct str in;
	int family = AF_INET;

	if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	in = str_n(s.p + 1, s.n - 2);
	if (str_istarts(in, "IPv6:")) {
		family = AF_INET6;
		in = str_n(in.p + 5, in.n - 5);
	}
	if (str_find(in, '\0') < in.n ||
	    !str_copy(text, sizeof(text), in) ||
	    inet_pton(family, text, bin) != 1 ||
	    inet_ntop(family, bin, canonical, sizeof(canonical)) == NULL)
		return false;
	return str_copy(ip_r, n, str_c(canonical));
}

int
domain_to_ascii(struct str s, char *dst, size_t n)
{
	char text[ADDR_DOMAIN_MAX + 1];
	uint8_t *out = NULL;
	struct str ascii;
	int rc = -1;

	if (!domain_valid(s, true) || !str_copy(text, sizeof(text), s))
		return -1;
	if (ascii_only(s)) {
		if (!str_copy(dst, n, s))
			return -1;
		str_lower(dst, s.n);
		return 0;
	}
	/* The library lets blanks and empty labels pass: look once more. */
	if (idn2_lookup_u8((const uint8_t *)text, &out,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return -1;
	ascii = str_c((const char *)out);
	if (domain_valid(ascii, false) && str_copy(dst, n, ascii)) {
		str_lower(dst, ascii.n);
		rc = 0;
	}
	idn2_free(out);
	return rc;
}

struct str
domain_fold(struct str s, char *dst, size_t n)
{
	size_t dot = s.n > 1 && s.p[0] == '.' ? 1 : 0;
	struct str name = str_n(s.p + dot, s.n - dot);

	ASSERT(n > ADDR_DOMAIN_MAX + 1);
	dst[0] = '.';
	if (ascii_only(s) || domain_to_ascii(name, dst + dot, n - dot) != 0) {
		(void)str_copy(dst + dot, n - dot, name);
		str_lower(dst + dot, strlen(dst + dot));
	}
	return str_c(dst);
}

static bool
matches(struct str pattern, struct str domain)
{
	if (pattern.n > 1 && pattern.p[0] == '.')
		return domain.n > pattern.n && str_ieq(pattern,
		    str_n(domain.p + domain.n - pattern.n, pattern.n));
	return pattern.n > 0 && str_ieq(pattern, domain);
}

bool
domain_matches(struct str pattern, struct str domain)
{
	char a[ADDR_DOMAIN_MAX + 2], b[ADDR_DOMAIN_MAX + 2];

	if (str_eq_c(pattern, "*"))
		return true;
	if (ascii_only(pattern) && ascii_only(domain))
		return matches(pattern, domain);
	return matches(domain_fold(pattern, a, sizeof(a)),
	    domain_fold(domain, b, sizeof(b)));
}

static bool
label_valid(struct str label, bool utf8)
{
	uint32_t cp = 0;
	size_t i, n;

	/* A label's 63 octets are those of its A-form, checked there. */
	if (label.n == 0 || label.p[0] == '-' ||
	    label.p[label.n - 1] == '-' ||
	    (label.n > LABEL_MAX && (!utf8 || ascii_only(label))))
		return false;
	for (i = 0; i < label.n; i += n) {
		n = 1;
		if (ch_alnum(label.p[i]) || label.p[i] == '-')
			continue;
		n = utf8 ? utf8_char(str_n(label.p + i, label.n - i), &cp) : 0;
		if (n < 2 || cp < 0xa0)
			return false;
	}
	return true;
}

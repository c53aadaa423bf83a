#include "trial/record.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/num.h"

/* A name as labels with their lengths. */
static int
wire_name(const char *name, unsigned char *dst, size_t max)
{
	struct str rest = str_c(name), label;
	size_t n = 0;

	while (str_split(&rest, '.', &label)) {
		if (label.n == 0)
			continue;
		if (label.n > 63 || n + label.n + 2 > max)
			return -1;
		dst[n++] = (unsigned char)label.n;
		memcpy(dst + n, label.p, label.n);
		n += label.n;
	}
	dst[n++] = 0;
	return (int)n;
}

static int
hex_bytes(struct str text, unsigned char *dst, size_t max)
{
	static const char hex[] = "0123456789abcdef";
	const char *a, *b;
	size_t i, n = 0;

	if (text.n == 0 || text.n % 2 != 0 || text.n / 2 > max)
		return -1;
	for (i = 0; i < text.n; i += 2) {
		a = memchr(hex, ch_lower(text.p[i]), 16);
		b = memchr(hex, ch_lower(text.p[i + 1]), 16);
		if (a == NULL || b == NULL)
			return -1;
		dst[n++] = (unsigned char)((a - hex) * 16 + (b - hex));
	}
	return (int)n;
}

/* "3 1 1 0123..." */
static int
wire_tlsa(const char *text, unsigned char *dst, size_t max)
{
	struct str rest = str_c(text), word;
	uint64_t n;
	int i, more;

	for (i = 0; i < 3; i++) {
		if (!str_word(&rest, &word) || num_u64(word, 255, &n) < 0)
			return -1;
		dst[i] = (unsigned char)n;
	}
	more = hex_bytes(str_trim(rest), dst + 3, max - 3);
	return more < 0 ? -1 : more + 3;
}

static int
wire_txt(const char *text, unsigned char *dst, size_t max)
{
	size_t left = strlen(text), n = 0, piece;

	do {
		piece = left < 255 ? left : 255;
		if (n + piece + 1 > max)
			return -1;
		dst[n++] = (unsigned char)piece;
		memcpy(dst + n, text, piece);
		n += piece;
		text += piece;
		left -= piece;
	} while (left > 0);
	return (int)n;
}

/* "10 mx.example" */
static int
wire_mx(const char *text, unsigned char *dst, uint16_t *pref_r,
    const char **name_r)
{
	struct str rest = str_c(text), word;
	uint64_t pref;
	int n;

	if (!str_word(&rest, &word) || num_u64(word, 65535, &pref) < 0)
		return -1;
	*pref_r = (uint16_t)pref;
	*name_r = str_trim(rest).p;
	dst[0] = (unsigned char)(pref >> 8);
	dst[1] = (unsigned char)(pref & 255);
	n = wire_name(*name_r, dst + 2, 256);
	return n < 0 ? -1 : n + 2;
}

int
record_wire(enum dns_type type, const char *text,
    unsigned char dst[RECORD_MAX], uint16_t *pref_r, const char **name_r)
{
	switch (type) {
	case DNS_A:
		return inet_pton(AF_INET, text, dst) == 1 ? 4 : -1;
	case DNS_AAAA:
		return inet_pton(AF_INET6, text, dst) == 1 ? 16 : -1;
	case DNS_TXT:
		return wire_txt(text, dst, RECORD_MAX);
	case DNS_TLSA:
		return wire_tlsa(text, dst, RECORD_MAX);
	case DNS_MX:
		return wire_mx(text, dst, pref_r, name_r);
	case DNS_PTR:
	case DNS_CNAME:
		*name_r = text;
		return wire_name(text, dst, 256);
	}
	return -1;
}

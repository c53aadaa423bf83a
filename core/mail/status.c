#include "mail/status.h"

#include <stddef.h>

static size_t enh_length(struct str s);

bool
status_parse_enh(struct str *text, int code, char *enh_r, size_t n)
{
	size_t len = enh_length(*text);
	struct str rest;

	if (len == 0 || text->p[0] - '0' != code / 100)
		return false;
	rest = str_n(text->p + len, text->n - len);
	if (rest.n > 0 && rest.p[0] != ' ' && rest.p[0] != '\t')
		return false;
	if (!str_copy(enh_r, n, str_n(text->p, len)))
		return false;
	*text = str_trim(rest);
	return true;
}

const char *
status_default(int code)
{
	switch (code / 100) {
	case 2:
	case 3:
		return "2.0.0";
	case 5:
		return "5.0.0";
	default:
		return "4.0.0";
	}
}

const char *
status_phrase(const char *enh)
{
	static const struct {
		char code[5];
		const char *phrase;
	} phrases[] = {
		{ "1.0", "Unknown address error" },
		{ "1.1", "Bad destination email address" },
		{ "1.2", "Bad destination host" },
		{ "1.3", "Bad destination email address syntax" },
		{ "1.4", "Ambiguous destination email address" },
		{ "1.5", "Destination email address valid" },
		{ "1.6", "Mailbox has moved" },
		{ "1.7", "Bad sender email address syntax" },
		{ "1.8", "Bad sender host" },
		{ "1.9", "Relayed to a non-compliant mailer" },
		{ "1.10", "Destination accepts no mail" },
		{ "2.0", "Other mailbox problem" },
		{ "2.1", "Mailbox disabled" },
		{ "2.2", "Mailbox full" },
		{ "2.3", "Message too large for mailbox" },
		{ "2.4", "Mailing list expansion problem" },
		{ "3.0", "Other mail system problem" },
		{ "3.1", "Mail system full" },
		{ "3.2", "System not accepting messages" },
		{ "3.3", "System not capable of selected features" },
		{ "3.4", "Message too big for system" },
		{ "3.5", "System incorrectly configured" },
		{ "4.0", "Other network problem" },
		{ "4.1", "No answer from host" },
		{ "4.2", "Bad connection" },
		{ "4.3", "Directory server failure" },
		{ "4.4", "Unable to route" },
		{ "4.5", "Mail system congestion" },
		{ "4.6", "Routing loop detected" },
		{ "4.7", "Delivery expired" },
		{ "5.0", "Other protocol problem" },
		{ "5.1", "Invalid command" },
		{ "5.2", "Syntax error" },
		{ "5.3", "Too many recipients" },
		{ "5.4", "Invalid command arguments" },
		{ "5.5", "Wrong protocol version" },
		{ "6.0", "Other media problem" },
		{ "6.1", "Media not supported" },
		{ "6.2", "Conversion required and prohibited" },
		{ "6.3", "Conversion required but not supported" },
		{ "6.5", "Conversion failed" },
		{ "6.7", "Non-ASCII addresses not permitted" },
		{ "6.9", "UTF-8 header cannot be delivered" },
		{ "7.0", "Other security problem" },
		{ "7.1", "Delivery not authorized" },
		{ "7.2", "Mailing list expansion prohibited" },
		{ "7.4", "Security features not supported" },
		{ "7.5", "Cryptographic failure" },
		{ "7.8", "Authentication credentials invalid" },
		{ "7.9", "Authentication mechanism is too weak" },
		{ "7.10", "Encryption needed" },
		{ "7.11", "Encryption required for authentication" },
	};
	struct str s = str_c(enh);
	size_t i;

	if (!status_enh_valid(s))
		return "Undefined status";
	for (i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		if (str_eq_c(str_n(s.p + 2, s.n - 2), phrases[i].code))
			return phrases[i].phrase;
	}
	return s.p[0] == '2' ? "Success" : "Other undefined status";
}

bool
status_enh_valid(struct str s)
{
	return s.n > 0 && enh_length(s) == s.n;
}

/* Octets of "class.subject.detail" at the front, 0 if it is none. */
static size_t
enh_length(struct str s)
{
	size_t i = 2, start;
	int part;

	if (s.n < 5 || (s.p[0] != '2' && s.p[0] != '4' && s.p[0] != '5') ||
	    s.p[1] != '.')
		return 0;
	for (part = 0; part < 2; part++) {
		start = i;
		while (i < s.n && i - start < 4 && ch_digit(s.p[i]))
			i++;
		/* One to three digits without leading zero (RFC 3463 2). */
		if (i == start || i - start > 3 ||
		    (s.p[start] == '0' && i - start > 1))
			return 0;
		if (part == 0 && (i >= s.n || s.p[i++] != '.'))
			return 0;
	}
	return i;
}

#include "mail/received.h"

#include <inttypes.h>
#include <string.h>

#include "base/codec.h"

static int add_token(struct buf *dst, struct str s, const char *never);

int
received_build(struct buf *dst, const struct received *r)
{
	char date[64];
	bool v6 = strchr(r->client_ip, ':') != NULL;
	int rc;

	clock_rfc5322(date, sizeof(date), r->wall);
	rc = buf_add_c(dst, "Received: from ");
	rc |= add_token(dst, r->helo.n > 0 ? r->helo : STR("unknown"),
	    "()<>\"\\,;@");
	rc |= buf_printf(dst, " (%s [%s%s])\r\n\t",
	    r->client_name != NULL ? r->client_name : "unknown",
	    v6 ? "IPv6:" : "", r->client_ip);
	if (r->tls_version != NULL)
		rc |= buf_printf(dst,
		    "(using %s with cipher %s (%d/%d bits))\r\n\t",
		    r->tls_version, r->tls_cipher != NULL ? r->tls_cipher :
		    "unknown", r->tls_bits, r->tls_alg_bits);
	rc |= buf_printf(dst, "by %s (Postern) with %s id %" PRIu64, r->by,
	    r->with, r->mid);
	if (r->rcpt.n > 0) {
		rc |= buf_add_c(dst, "\r\n\tfor <");
		rc |= add_token(dst, r->rcpt, "");
		rc |= buf_add_c(dst, ">; ");
	} else {
		rc |= buf_add_c(dst, ";\r\n\t");
	}
	rc |= buf_printf(dst, "%s\r\n", date);
	return rc;
}

const char *
received_with(bool esmtp, bool tls, bool auth, bool utf8)
{
	static const char *const words[2][2][2] = {
		{ { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		{ { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
	};

	return esmtp ? words[utf8][tls][auth] : "SMTP";
}

/*
 * Text of the client, checked long ago: should a control or a cut character
 * have slipped through, it must not end the field here. Nor may it begin a
 * comment or a string, which would swallow what we say ourselves.
 */
static int
add_token(struct buf *dst, struct str s, const char *never)
{
	bool utf8 = utf8_valid(s);
	size_t i;
	char c;

	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if ((!ch_print(c) && !(utf8 && (unsigned char)c >= 0x80)) ||
		    strchr(never, c) != NULL)
			c = '?';
		if (buf_add_char(dst, c) != 0)
			return -1;
	}
	return 0;
}

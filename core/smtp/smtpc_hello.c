/*
 * Greeting, EHLO and HELO, and what the peer offers.
 */
#include "base/num.h"
#include "smtp/smtpc_priv.h"

enum {
	HELLO_MAX = 512, /* RFC 5321 4.5.3.1.4 */
	MASK_MIN = 4	 /* letters; shorter words may be real ones */
};

static void hello(struct smtpc *c, enum smtpc_step step, const char *verb);
static bool is_masked(struct str word);
static void auth_words(struct smtpc_caps *caps, struct str words);

/* RFC 5321 4.3.2: 220, or 554 and the like from a host without service. */
void
smtpc_hello_banner(struct smtpc *c, const struct smtpc_reply *r)
{
	if (r->code / 100 == 2)
		smtpc_hello_begin(c);
	else if (r->code / 100 == 3)
		smtpc_end_protocol(c, "unexpected 3yz reply");
	else
		smtpc_end(c, r, true);
}

void
smtpc_hello_begin(struct smtpc *c)
{
	c->caps = (struct smtpc_caps){ 0 };
	hello(c, SMTPC_AT_EHLO, "EHLO");
}

/*
 * A host that does not know EHLO gets HELO, unless the message must not go in
 * clear: without EHLO there is no STARTTLS. A 4yz is no such host.
 */
void
smtpc_hello_ehlo(struct smtpc *c, const struct smtpc_reply *r)
{
	struct smtpc_caps caps = { 0 };

	switch (r->code / 100) {
	case 2:
		smtpc_caps_parse(&caps, r->text);
		c->caps = caps;
		smtpc_tls_begin(c);
		return;
	case 5:
		if (smtpc_tls_wanted(c) &&
		    !tlswant_clear_ok(c->conf.want.level))
			smtpc_tls_refused(c, TLSR_NO_ESMTP, NULL, r);
		else
			hello(c, SMTPC_AT_HELO, "HELO");
		return;
	case 4:
		smtpc_end(c, r, true);
		return;
	}
	smtpc_end_protocol(c, "unexpected 3yz reply");
}

void
smtpc_hello_helo(struct smtpc *c, const struct smtpc_reply *r)
{
	switch (r->code / 100) {
	case 2:
		smtpc_auth_begin(c);
		return;
	case 3:
		smtpc_end_protocol(c, "unexpected 3yz reply");
		return;
	}
	smtpc_end(c, r, true);
}

/* text: the lines of the reply; the first is the greeting. */
void
smtpc_caps_parse(struct smtpc_caps *caps_r, struct str text)
{
	struct smtpc_caps caps = { .esmtp = true };
	struct str line, word;

	(void)str_split(&text, '\n', &line);
	while (str_split(&text, '\n', &line)) {
		if (!str_word(&line, &word))
			continue;
		if (str_ieq_c(word, "PIPELINING"))
			caps.pipelining = true;
		else if (str_ieq_c(word, "STARTTLS"))
			caps.starttls = true;
		else if (is_masked(word))
			caps.masked = true;
		else if (str_ieq_c(word, "8BITMIME"))
			caps.eightbit = true;
		else if (str_ieq_c(word, "SMTPUTF8"))
			caps.smtputf8 = true;
		else if (str_ieq_c(word, "DSN"))
			caps.dsn = true;
		else if (str_ieq_c(word, "REQUIRETLS"))
			caps.requiretls = true;
		else if (str_ieq_c(word, "AUTH"))
			auth_words(&caps, line);
		else if (str_ieq_c(word, "SIZE")) {
			caps.size = true;
			/* Not a number: as if it were not there. */
			if (str_word(&line, &word))
				(void)num_u64(word, UINT64_MAX, &caps.size_max);
		}
	}
	*caps_r = caps;
}

/*
 * "XXXXXXXA" is what is left of STARTTLS behind a firewall that knows no TLS:
 * X's to the end, or to the last letter, which counts the lines.
 */
static bool
is_masked(struct str word)
{
	size_t i;

	for (i = 0; i + 1 < word.n; i++)
		if (ch_lower(word.p[i]) != 'x')
			return false;
	return word.n >= MASK_MIN && ch_alpha(word.p[word.n - 1]);
}

static void
auth_words(struct smtpc_caps *caps, struct str words)
{
	struct str word;

	while (str_word(&words, &word)) {
		if (str_ieq_c(word, "PLAIN"))
			caps->auth_plain = true;
		else if (str_ieq_c(word, "LOGIN"))
			caps->auth_login = true;
	}
}

static void
hello(struct smtpc *c, enum smtpc_step step, const char *verb)
{
	struct buf line;

	buf_init(&line, HELLO_MAX);
	(void)buf_printf(&line, "%s %s\r\n", verb, c->conf.helo);
	smtpc_command(c, step, buf_str(&line));
	buf_fini(&line);
}

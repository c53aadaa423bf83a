/*
 * EHLO and HELO (RFC 5321 4.1.1.1).
 *
 * Clients give names that are no names; a printable word is enough, for the
 * log and for the Received field. Either verb ends a transaction.
 */
#include "smtp/smtpd_priv.h"

#include "base/mem.h"

#define LINES_MAX 1024 /* octets of the answer to EHLO */

static int
check(const char *verb, struct str arg, struct err *why)
{
	size_t i;

	if (arg.n == 0)
		return err_set(why, 501, "5.5.4", "Syntax: %s hostname", verb);
	if (arg.n > SMTPD_HELO_MAX)
		return err_set(why, 501, "5.5.4", "Host name too long");
	for (i = 0; i < arg.n; i++) {
		if (!ch_print(arg.p[i]) || arg.p[i] == ' ')
			return err_set(
			    why, 501, "5.5.4", "Host name has bad characters");
	}
	return 0;
}

/* The ops table shall see the new name when it is asked. */
static void
introduce(struct smtpd *s, struct str arg, bool esmtp)
{
	smtpd_txn_end(s);
	mem_free(s->facts.helo);
	s->facts.helo = mem_strndup(arg.p, arg.n);
	s->facts.esmtp = esmtp;
}

static void
unknown_again(struct smtpd *s, const struct smtpd_verdict *v)
{
	mem_free(s->facts.helo);
	s->facts.helo = NULL;
	s->facts.esmtp = false;
	smtpd_set_state(s, ST_START);
	smtpd_refused(s, v);
}

int
smtpd_ehlo_check(struct smtpd *s, struct str arg, struct err *why)
{
	if (check("EHLO", arg, why) < 0)
		return -1;
	introduce(s, arg, true);
	return 0;
}

int
smtpd_helo_check(struct smtpd *s, struct str arg, struct err *why)
{
	if (check("HELO", arg, why) < 0)
		return -1;
	introduce(s, arg, false);
	return 0;
}

void
smtpd_helo_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	if (v->act != SMTPD_OK) {
		unknown_again(s, v);
		return;
	}
	stream_printf(s->stream, "250 %s\r\n", smtpd_host(s));
	smtpd_set_state(s, ST_READY);
}

/* The order is part of the interface (requirements IN-7). */
static void
extensions(const struct smtpd *s, struct buf *b)
{
	const struct smtpd_conf *c = s->conf;

	(void)buf_printf(b, "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n",
	    smtpd_host(s), (unsigned long long)c->max_size);
	if (c->etrn)
		(void)buf_add_c(b, "250-ETRN\r\n");
	if (smtpd_tls_offered(s))
		(void)buf_add_c(b, "250-STARTTLS\r\n");
	(void)buf_add_c(b, "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n");
	if (c->dsn)
		(void)buf_add_c(b, "250-DSN\r\n");
	if (c->chunking)
		(void)buf_add_c(b, "250-CHUNKING\r\n");
	if (c->smtputf8)
		(void)buf_add_c(b, "250-SMTPUTF8\r\n");
	if (smtpd_requiretls_offered(s))
		(void)buf_add_c(b, "250-REQUIRETLS\r\n");
	if (c->auth && s->tls_up)
		(void)buf_add_c(b, "250-AUTH PLAIN LOGIN\r\n");
	if (c->limits && c->max_rcpt > 0)
		(void)buf_printf(b, "250-LIMITS RCPTMAX=%u\r\n", c->max_rcpt);
	ASSERT(!buf_full(b));
}

/* "250-LAST" becomes "250 LAST". */
static void
close_reply(struct buf *b)
{
	char *p = buf_p(b);
	size_t at = buf_len(b) - 2;

	while (p[at - 1] != '\n')
		at--;
	p[at + 3] = ' ';
}

void
smtpd_ehlo_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	struct buf b;

	if (v->act != SMTPD_OK) {
		unknown_again(s, v);
		return;
	}
	buf_init(&b, LINES_MAX);
	extensions(s, &b);
	close_reply(&b);
	stream_write(s->stream, buf_p(&b), buf_len(&b));
	buf_fini(&b);
	smtpd_set_state(s, ST_READY);
}

/*
 * TLS of a session: what became of the handshake, and who the client is.
 */
#include "daemon/inbound_priv.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/obj.h"
#include "tls/tlsfail.h"

enum { DETAIL_MAX = 65536 };

static void	failed(struct session *, const struct err *);
static void	log_detail(const struct session *, const struct tls_failure *);
static bool	fingerprint_listed(const struct session *, const char *);
static void	count(const struct session *, unsigned);

enum smtpd_step
session_tls(void *arg, bool ok, const struct err *why, struct smtpd_verdict *v)
{
	const struct tls_info *info;
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	s->tls = ok;
	s->tls_begun = true;
	count(s, ok ? M_TLS_IN : M_TLS_IN_FAILED);
	if (!ok) {
		failed(s, why);
		return SMTPD_NOW;
	}
	info = smtpd_tls(s->smtpd);
	ASSERT(info != NULL);
	if (info->resumed)
		count(s, M_TLS_IN_RESUMED);
	mail_log(EV_ICID_TLS_OK, s->icid, info->version, info->cipher);
	if (info->fingerprint[0] != '\0') {
		mail_log(EV_ICID_CERT, s->icid,
		    info->verified ? "verified" : "not verified",
		    str_c(info->verified ? "" : info->verify_why),
		    info->fingerprint);
		s->certificate = fingerprint_listed(s, info->fingerprint);
	}
	return session_secured(s, v);
}

static void
failed(struct session *s, const struct err *why)
{
	const struct tlsio *t = smtpd_tlsio(s->smtpd);
	struct tls_failure f = { .alert = -1 };
	struct buf line;

	if (t != NULL)
		f = *tlsio_failure(t);
	if (f.reason == TLSR_NONE) /* no end of it came in time */
		tls_failure_set(&f, TLSR_TIMEOUT,
		    why != NULL ? why->text : "unknown reason");
	buf_init(&line, DETAIL_MAX);
	tls_failure_line(&f, &line);
	count(s, M_TLS_IN_FAILED_NO_ESMTP + (unsigned)f.reason - 1);
	mail_log(EV_ICID_TLS_FAILED, s->icid, buf_str(&line),
	    tls_reason_word(f.reason));
	buf_fini(&line);
	if (s->conf->tls.verbose)
		log_detail(s, &f);
}

/* The shape of delivery's (relay/conn_tls), a line of the log for each. */
static void
log_detail(const struct session *s, const struct tls_failure *f)
{
	const struct tlsio *t = smtpd_tlsio(s->smtpd);
	char ip[SOCK_IP_MAX];
	struct str rest, line;
	struct buf b;

	buf_init(&b, DETAIL_MAX);
	(void)buf_printf(&b, "phase %s, client [%s], listener %s\n",
	    s->l->implicit_tls ? "TLS from the first octet" : "after STARTTLS",
	    session_ip(s, ip, sizeof(ip)), s->l->name);
	tls_failure_block(f, &b);
	if (t != NULL)
		tlsio_chain_text(t, &b);
	rest = buf_str(&b);
	while (str_split(&rest, '\n', &line)) {
		if (line.n > 0)
			mail_log(EV_ICID_TLS_DETAIL, s->icid, line);
	}
	buf_fini(&b);
}

/* Colons and capitals are how other programs print them. */
static bool
fingerprint_listed(const struct session *s, const char *hex)
{
	const char *const *p, *a, *b;

	for (p = s->conf->relay.certificates; *p != NULL; p++) {
		for (a = *p, b = hex; *a != '\0'; a++) {
			if (*a == ':')
				continue;
			if (ch_lower(*a) != ch_lower(*b))
				break;
			b++;
		}
		if (*a == '\0' && *b == '\0')
			return true;
	}
	return false;
}

static void
count(const struct session *s, unsigned metric)
{
	shm_metric_add(s->in->w.shm, s->in->w.worker, metric, 1);
}

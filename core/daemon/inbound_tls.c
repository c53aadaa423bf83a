/*
 * TLS of a session: what became of the handshake, and who the client is.
 */
#include "daemon/inbound_priv.h"

#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/obj.h"
#include "tls/certpile.h"
#include "tls/tlsfail.h"

enum { DETAIL_MAX = 65536, CERT_NAMES_MAX = 8192 };

static void	failed(struct session *, const struct err *);
static void	log_detail(const struct session *, const struct tls_failure *);
static void	read_cert(struct session *);
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
		read_cert(s);
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

/* A name that has a blank in it is none. */
static const char *
names_text(const struct certfact *f, struct pool *pool)
{
	const char *text = NULL;
	struct buf b;
	size_t i;

	buf_init(&b, CERT_NAMES_MAX);
	for (i = 0; f->name[i] != NULL; i++) {
		if (f->name[i][0] != '\0' && strchr(f->name[i], ' ') == NULL)
			(void)buf_printf(&b, "%s%s",
			    buf_len(&b) > 0 ? " " : "", f->name[i]);
	}
	if (buf_len(&b) > 0 && !buf_full(&b))
		text = pool_str(pool, buf_str(&b)).p;
	buf_fini(&b);
	return text;
}

/* For policies and plugins. What cannot be read is not known. */
static void
read_cert(struct session *s)
{
	struct certpile *pile = certpile_new();
	struct pool *pool = session_pool(s), *work = pool_new(4096);
	struct certfact f;
	struct err why;
	struct str der;

	if (tlsio_chain_der(smtpd_tlsio(s->smtpd), 0, &der) == 0 &&
	    certpile_read(pile, der, "certificate", NULL, &why) == 0) {
		certpile_fact(pile, 0, work, &f);
		s->cert = pool_alloc(pool, sizeof(*s->cert));
		*s->cert = (struct session_cert){
			.subject = pool_strdup(pool, f.subject),
			.issuer = pool_strdup(pool, f.issuer),
			.names = names_text(&f, pool) };
	}
	pool_destroy(&work);
	certpile_destroy(&pile);
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

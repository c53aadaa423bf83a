/*
 * What two mail flow policies both allow: for clients of whom it cannot be
 * found out which of the two holds (daemon/inbound_group.c).
 */
#include "policy/conf_priv.h"

/* 0: any number. */
#define FEWER(field)                                                     \
	do {                                                             \
		if (m->field == 0 || (b->field != 0 && b->field < m->field)) \
			m->field = b->field;                             \
	} while (0)
#define LESS(field)                              \
	do {                                     \
		if (b->field < m->field)         \
			m->field = b->field;     \
	} while (0)
#define MORE(field)                              \
	do {                                     \
		if (b->field > m->field)         \
			m->field = b->field;     \
	} while (0)

static void	both_limits(struct conf_limits *, const struct conf_limits *);
static void	both_policies(struct conf_policy_flow *,
		    const struct conf_policy_flow *);
static const char *const *both_lists(struct pool *, const char *const *,
		    const char *const *);
static int	asks_cert(const struct conf_listener *,
		    const struct conf_flow *);

const struct conf_flow *
conf_flow_both(struct pool *pool, const struct conf *conf,
    const struct conf_listener *l, const struct conf_flow *a,
    const struct conf_flow *b)
{
	struct conf_flow *f = pool_alloc(pool, sizeof(*f));
	struct conf_policy_flow *p = pool_alloc(pool, sizeof(*p));
	struct smtpd_conf s;

	*f = *a;
	both_limits(&f->limits, &b->limits);
	conf_build_smtpd(conf, l, f);
	s = f->smtpd; /* with these limits, but the greeting of a */
	s.banner_host = a->smtpd.banner_host;
	s.banner_code = a->smtpd.banner_code;
	s.banner_text = a->smtpd.banner_text;
	s.auth = a->smtpd.auth && b->smtpd.auth;
	s.tls = a->smtpd.tls > b->smtpd.tls ? a->smtpd.tls : b->smtpd.tls;
	s.tlsctx = a->smtpd.tlsctx == NULL || (b->smtpd.tlsctx != NULL &&
	    asks_cert(l, b) > asks_cert(l, a)) ? b->smtpd.tlsctx :
	    a->smtpd.tlsctx;
	f->smtpd = s;
	f->tls_senders = both_lists(pool, a->tls_senders, b->tls_senders);
	if (a->policy == NULL && b->policy == NULL)
		return f;
	*p = a->policy != NULL ? *a->policy : *b->policy;
	if (a->policy == NULL)
		p->behavior = CONF_ACCEPT;
	else if (b->policy != NULL)
		both_policies(p, b->policy);
	if (asks_cert(l, b) > asks_cert(l, a))
		p->client_cert = asks_cert(l, b);
	f->policy = p;
	return f;
}

static void
both_limits(struct conf_limits *m, const struct conf_limits *b)
{
	LESS(message_size);
	LESS(header_size);
	LESS(recipients);
	FEWER(messages);
	LESS(hops);
	LESS(errors);
	LESS(refused_recipients);
	LESS(idle_commands);
	LESS(idle_timeout);
	LESS(data_timeout);
	LESS(session_timeout);
	LESS(tls_timeout);
	MORE(min_rate);
	LESS(bare_newlines); /* refuse comes first */
	FEWER(client_connections);
	FEWER(client_rate);
	FEWER(relay_client_connections);
	FEWER(relay_client_rate);
	MORE(free_space);
	FEWER(backlog);
}

/* Replies are those of the policy that has what they are for. */
static void
both_policies(struct conf_policy_flow *m, const struct conf_policy_flow *b)
{
	if (b->recipients_per_hour != 0 && (m->recipients_per_hour == 0 ||
	    b->recipients_per_hour < m->recipients_per_hour)) {
		m->recipients_per_hour = b->recipients_per_hour;
		m->recipients_code = b->recipients_code;
		m->recipients_text = b->recipients_text;
	}
	if (b->auth == CONF_AUTH_REQUIRED)
		m->auth = b->auth;
	/* An exception spares the question, so both must make it. */
	m->sender_exceptions = m->sender_exceptions &&
	    b->sender_exceptions;
	if (b->sender_dns && !m->sender_dns) {
		m->sender_dns = true;
		m->sender_dns_code = b->sender_dns_code;
		m->sender_dns_text = b->sender_dns_text;
		m->sender_dns_fail_code = b->sender_dns_fail_code;
		m->sender_dns_fail_text = b->sender_dns_fail_text;
	}
	MORE(untagged_bounces);
}

static const char *const *
both_lists(struct pool *pool, const char *const *a, const char *const *b)
{
	const char **v;
	unsigned n = 0, k = 0;

	if (b == a || b[0] == NULL)
		return a;
	while (a[n] != NULL)
		n++;
	while (b[k] != NULL)
		k++;
	v = pool_alloc(pool, (n + k + 1) * sizeof(*v));
	for (n = 0; a[n] != NULL; n++)
		v[n] = a[n];
	for (k = 0; b[k] != NULL; k++)
		v[n++] = b[k];
	return v;
}

/* -1: as usual, that is less than "require" (2). */
static int
asks_cert(const struct conf_listener *l, const struct conf_flow *f)
{
	return f->policy != NULL && f->policy->client_cert != -1 ?
	    f->policy->client_cert : l->client_cert;
}

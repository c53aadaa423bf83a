/*
 * Who a client is, before it is greeted: its name, what DNS lists say, the
 * sender group that follows, and what that allows. All questions are asked at
 * once; as soon as those that are still open cannot change anything, it goes
 * on. What could not be found out is as if it were not so.
 */
#include "daemon/inbound_priv.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"

#define WHOIS_MAGIC 0x1b0d0015u
#define WHOASK_MAGIC 0x1b0d0016u

/* A DNS list that is asked. */
struct whoask {
	unsigned magic;
	struct whois *w;
	unsigned zone;
	struct dns_query *query;
};

struct whois {
	unsigned magic;
	struct session *s;
	struct mx_reverse *reverse;
	struct loop_timer name_timer, list_timer;
	bool name_wanted, name_known;
	struct sgpat_zone *zone;
	struct whoask *ask; /* one for each zone; query NULL: not open */
};

static bool	may_decide(struct session *, const struct conf_group **,
		    const struct sgpat **);
static void	ask_all(struct session *);
static void	ask_zone(struct session *, unsigned);
static void	ask_name(struct session *);
static bool	wants_name(const struct session *);
static bool	address_private(const struct sock_addr *);
static void	name_known(void *, const char *, bool);
static void	name_late(void *);
static void	zone_known(void *, const struct dns_answer *);
static void	lists_late(void *);
static void	go_on(struct session *);
static bool	settled(struct session *);
static enum smtpd_step greet(struct session *, struct smtpd_verdict *);
static void	enter(struct session *);

enum smtpd_step
session_identify(struct session *s, struct smtpd_verdict *v)
{
	unsigned n = s->conf->nzone;
	struct whois *w;

	OBJ_NEW(w, WHOIS_MAGIC);
	s->whois = w;
	w->s = s;
	w->zone = mem_array(n + 1, sizeof(*w->zone));
	w->ask = mem_array(n + 1, sizeof(*w->ask));
	loop_timer_init(s->in->w.loop, &w->name_timer, name_late, w);
	loop_timer_init(s->in->w.loop, &w->list_timer, lists_late, w);
	w->name_wanted = wants_name(s);
	ask_all(s);
	if (settled(s))
		return greet(s, v);
	s->waiting = true;
	return SMTPD_WAIT;
}

void
session_whois_end(struct session *s)
{
	struct whois *w = s->whois;
	unsigned i;

	if (w == NULL)
		return;
	OBJ_CHECK(w, WHOIS_MAGIC);
	s->whois = NULL;
	mx_reverse_cancel(&w->reverse);
	loop_timer_clear(&w->name_timer);
	loop_timer_clear(&w->list_timer);
	for (i = 0; i < s->conf->nzone; i++)
		dns_cancel(&w->ask[i].query);
	mem_free(w->zone);
	mem_free(w->ask);
	OBJ_FREE(w);
}

/* Walks the groups as far as what is known leads. True: group (NULL: none)
 * and pattern are known. */
static bool
may_decide(struct session *s, const struct conf_group **group_r,
    const struct sgpat **pattern_r)
{
	struct whois *w = s->whois;
	const struct sgpat_client c = { .addr = &s->who.peer,
		.name_known = w->name_known,
		.name = s->verified ? s->rname : NULL, .zone = w->zone };
	const struct conf_group *g;
	unsigned i, k;

	for (i = 0; i < s->l->ngroup; i++) {
		g = s->l->group[i];
		for (k = 0; k < g->npattern; k++) {
			switch (sgpat_match(&g->pattern[k], &c)) {
			case SGPAT_NO:
				break;
			case SGPAT_YES:
				*group_r = g;
				*pattern_r = &g->pattern[k];
				return true;
			case SGPAT_ASK_NAME:
			case SGPAT_ASK_ZONE:
				return false;
			}
		}
	}
	*group_r = NULL;
	*pattern_r = NULL;
	return true;
}

/* What may be needed up to the first group that needs nothing. */
static void
ask_all(struct session *s)
{
	struct whois *w = s->whois;
	const struct sgpat_client c = { .addr = &s->who.peer,
		.zone = w->zone };
	const struct conf_group *g;
	bool name = w->name_wanted;
	unsigned i, k;

	for (i = 0; i < s->l->ngroup; i++) {
		g = s->l->group[i];
		for (k = 0; k < g->npattern; k++) {
			switch (sgpat_match(&g->pattern[k], &c)) {
			case SGPAT_NO:
				break;
			case SGPAT_YES:
				i = s->l->ngroup - 1;
				k = g->npattern - 1;
				break;
			case SGPAT_ASK_NAME:
				name = true;
				break;
			case SGPAT_ASK_ZONE:
				ask_zone(s, g->pattern[k].zone);
				break;
			}
		}
	}
	if (name && s->l->reverse_timeout > 0)
		ask_name(s);
	else
		w->name_known = true;
}

static void
ask_zone(struct session *s, unsigned zone)
{
	struct whois *w = s->whois;
	struct whoask *a = &w->ask[zone];
	struct buf name;

	if (a->query != NULL)
		return;
	a->magic = WHOASK_MAGIC;
	a->w = w;
	a->zone = zone;
	buf_init(&name, 512);
	sgpat_question(s->conf->zone[zone], &s->who.peer, &name);
	a->query = dns_ask(s->in->w.dns, buf_p(&name), DNS_A, zone_known, a);
	buf_fini(&name);
	loop_timer_set(&w->list_timer, s->l->dnslist_timeout);
}

static void
ask_name(struct session *s)
{
	struct whois *w = s->whois;

	w->reverse = mx_reverse(s->in->w.dns, &s->who.peer, name_known, w);
	loop_timer_set(&w->name_timer, s->l->reverse_timeout);
}

static bool
wants_name(const struct session *s)
{
	const struct sock_addr *peer = &s->who.peer;

	switch ((enum conf_reverse)s->l->reverse_dns) {
	case CONF_REVERSE_OFF:
		return false;
	case CONF_REVERSE_PUBLIC:
		return s->l->reverse_timeout > 0 &&
		    !sock_addr_loopback(peer) && !address_private(peer);
	case CONF_REVERSE_ALL:
		return s->l->reverse_timeout > 0;
	}
	panic("reverse_dns %d", s->l->reverse_dns);
}

static bool
address_private(const struct sock_addr *a)
{
	static const char *const text[] = { "10.0.0.0/8", "172.16.0.0/12",
		"192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10" };
	struct sock_net net;
	size_t i;

	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		if (sock_net_parse(str_c(text[i]), &net, NULL) == 0 &&
		    sock_net_has(&net, a))
			return true;
	}
	return false;
}

static void
name_known(void *arg, const char *name, bool verified)
{
	struct whois *w;

	OBJ_CAST(w, arg, WHOIS_MAGIC);
	w->reverse = NULL;
	w->name_known = true;
	loop_timer_clear(&w->name_timer);
	if (name != NULL)
		w->s->rname = mem_strdup(name);
	w->s->verified = verified;
	go_on(w->s);
}

static void
name_late(void *arg)
{
	struct whois *w;

	OBJ_CAST(w, arg, WHOIS_MAGIC);
	mx_reverse_cancel(&w->reverse);
	w->name_known = true;
	go_on(w->s);
}

static void
zone_known(void *arg, const struct dns_answer *answer)
{
	struct sgpat_zone *z;
	struct whoask *a;
	uint32_t ip;
	unsigned i;

	OBJ_CAST(a, arg, WHOASK_MAGIC);
	a->query = NULL;
	z = &a->w->zone[a->zone];
	z->known = true;
	for (i = 0; i < answer->n && z->n < SGPAT_ANSWERS; i++) {
		if (answer->rr[i].type != DNS_A || answer->rr[i].len != 4)
			continue;
		memcpy(&ip, answer->rr[i].data, 4);
		z->ip[z->n++] = ntohl(ip);
	}
	go_on(a->w->s);
}

static void
lists_late(void *arg)
{
	struct whois *w;
	unsigned i;

	OBJ_CAST(w, arg, WHOIS_MAGIC);
	for (i = 0; i < w->s->conf->nzone; i++) {
		if (w->ask[i].query == NULL)
			continue;
		dns_cancel(&w->ask[i].query);
		w->zone[i].known = true;
		log_info("ICID %llu: no answer from the DNS list %s",
		    (unsigned long long)w->s->icid, w->s->conf->zone[i]);
	}
	go_on(w->s);
}

static void
go_on(struct session *s)
{
	struct smtpd_verdict v = { .act = SMTPD_OK };

	if (settled(s) && greet(s, &v) == SMTPD_NOW)
		session_reply(s, &v);
}

/* Is there nothing more to wait for? The log wants the name as well. */
static bool
settled(struct session *s)
{
	struct whois *w = s->whois;

	if (w->name_wanted && !w->name_known)
		return false;
	return may_decide(s, &s->group, &s->pattern);
}

static enum smtpd_step
greet(struct session *s, struct smtpd_verdict *v)
{
	const struct conf_policy_flow *p;
	const char *no;

	session_whois_end(s);
	if (s->group != NULL)
		enter(s);
	session_log_new(s);
	p = s->flow->policy;
	if (p != NULL && p->behavior == CONF_TCPREFUSE) {
		s->in->stats.refused++;
		v->act = SMTPD_RESET;
		return SMTPD_NOW;
	}
	if (p != NULL && p->behavior == CONF_REJECT) {
		s->in->stats.refused++;
		v->act = SMTPD_REFUSE;
		(void)err_set(&v->reply, (int)p->reject_code,
		    p->reject_code < 500 ? "4.7.1" : "5.7.1", "%s",
		    p->reject_text);
		return SMTPD_NOW;
	}
	no = s->l->ngroup > 0 ? session_refusal(s) : NULL;
	if (no != NULL) {
		s->in->stats.refused++;
		mail_log(EV_ICID_FAILED, s->icid, str_c(no));
		v->act = SMTPD_CLOSE;
		(void)err_set(&v->reply, 421, "4.7.0", "%s %s",
		    s->conf->top.hostname, no);
		return SMTPD_NOW;
	}
	return session_connected(s, v);
}

static void
enter(struct session *s)
{
	s->flow = &s->l->flow[s->group->flow + 1];
	s->network = s->flow->policy->behavior == CONF_RELAY;
	smtpd_conf_set(s->smtpd, &s->flow->smtpd);
}

#include "policy/whois.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"
#include "base/obj.h"
#include "net/mx.h"

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
	struct whois_in in;
	char *name;
	bool verified;
	struct mx_reverse *reverse;
	struct loop_timer name_timer, list_timer;
	bool name_wanted, name_known, name_failed;
	const struct conf_group **maybe;
	unsigned nmaybe;
	struct sgpat_zone *zone;
	struct whoask *ask; /* one for each zone; query NULL: not open */
};

static void	ask_all(struct whois *);
static void	ask_zone(struct whois *, unsigned);
static void	ask_name(struct whois *);
static bool	wants_name(const struct whois *);
static bool	address_private(const struct sock_addr *);
static void	name_known(void *, const char *, bool);
static void	name_late(void *);
static void	zone_known(void *, const struct dns_answer *);
static void	lists_late(void *);
static void	go_on(struct whois *);
static bool	decide(struct whois *, struct whois_is *);

struct whois *
whois_new(const struct whois_in *in)
{
	unsigned n = in->conf->nzone;
	struct whois *w;

	OBJ_NEW(w, WHOIS_MAGIC);
	w->in = *in;
	w->maybe = mem_array(in->l->ngroup + 1, sizeof(*w->maybe));
	w->zone = mem_array(n + 1, sizeof(*w->zone));
	w->ask = mem_array(n + 1, sizeof(*w->ask));
	loop_timer_init(in->loop, &w->name_timer, name_late, w);
	loop_timer_init(in->loop, &w->list_timer, lists_late, w);
	if (in->name != NULL) {
		w->name = mem_strdup(in->name);
		w->name_known = w->verified = true;
	}
	w->name_wanted = wants_name(w);
	if (in->dns != NULL)
		ask_all(w);
	return w;
}

void
whois_destroy(struct whois **wp)
{
	struct whois *w = *wp;
	unsigned i;

	if (w == NULL)
		return;
	OBJ_CHECK(w, WHOIS_MAGIC);
	mx_reverse_cancel(&w->reverse);
	loop_timer_clear(&w->name_timer);
	loop_timer_clear(&w->list_timer);
	for (i = 0; i < w->in.conf->nzone; i++)
		dns_cancel(&w->ask[i].query);
	mem_free(w->maybe);
	mem_free(w->zone);
	mem_free(w->ask);
	mem_free(w->name);
	OBJ_FREE(w);
	*wp = NULL;
}

const struct conf_flow *
whois_flow(const struct conf_listener *l, const struct conf_group *g)
{
	return g == NULL ? &l->flow[0] : &l->flow[g->flow + 1];
}

static bool
rejects(const struct conf_flow *f)
{
	return f->policy != NULL && (f->policy->behavior == CONF_REJECT ||
	    f->policy->behavior == CONF_TCPREFUSE);
}

int
whois_doubt(struct whois *w, struct pool *pool, bool relays,
    const struct conf_flow **f, struct err *reply)
{
	const struct conf_listener *l = w->in.l;
	const struct conf_flow *other;
	unsigned i;

	if (l->lookup_failure == CONF_LOOKUP_IGNORE || rejects(*f))
		return 0;
	for (i = 0; i < w->nmaybe; i++) {
		other = whois_flow(l, w->maybe[i]);
		if (rejects(other) || (relays &&
			other->policy->behavior != CONF_RELAY))
			return err_set(reply, 421, "4.7.0", "%s Your address "
			    "cannot be looked up now",
			    w->in.conf->top.hostname);
		*f = conf_flow_both(pool, w->in.conf, l, *f, other);
	}
	return 0;
}

static bool
is_skipped(const struct whois *w, const struct conf_group *g)
{
	return whois_flow(w->in.l, g)->policy->behavior == CONF_CONTINUE;
}

/* The log wants the name as well. */
bool
whois_known(struct whois *w, struct whois_is *is_r)
{
	OBJ_CHECK(w, WHOIS_MAGIC);
	if (w->in.dns != NULL && w->name_wanted && !w->name_known)
		return false;
	*is_r = (struct whois_is){ .name = w->name, .verified = w->verified };
	w->nmaybe = 0;
	if (!decide(w, is_r))
		return false;
	is_r->maybe = w->maybe;
	is_r->nmaybe = w->nmaybe;
	return true;
}

/* Walks the groups as far as what is known leads. True: group (NULL: none)
 * and pattern are known. */
static bool
decide(struct whois *w, struct whois_is *is)
{
	const struct conf_listener *l = w->in.l;
	const struct sgpat_client c = { .addr = w->in.addr,
		.name_known = w->name_known, .name_failed = w->name_failed,
		.name = w->verified ? w->name : NULL, .zone = w->zone };
	const struct conf_group *g;
	unsigned i, k;

	for (i = 0; i < l->ngroup; i++) {
		g = l->group[i];
		for (k = 0; k < g->npattern && !is_skipped(w, g); k++) {
			switch (sgpat_match(&g->pattern[k], &c)) {
			case SGPAT_NO:
				break;
			case SGPAT_NOBODY_KNOWS:
				if (w->nmaybe == 0 ||
				    w->maybe[w->nmaybe - 1] != g)
					w->maybe[w->nmaybe++] = g;
				break;
			case SGPAT_YES:
				/* Of one group, surely is more than maybe. */
				if (w->nmaybe > 0 &&
				    w->maybe[w->nmaybe - 1] == g)
					w->nmaybe--;
				is->group = g;
				is->pattern = &g->pattern[k];
				return true;
			case SGPAT_ASK_NAME:
			case SGPAT_ASK_ZONE:
				if (w->in.dns != NULL)
					return false;
				if (is->unasked == NULL)
					is->unasked = &g->pattern[k];
				break;
			}
		}
	}
	return true;
}

/* What may be needed up to the first group that needs nothing. */
static void
ask_all(struct whois *w)
{
	const struct conf_listener *l = w->in.l;
	const struct sgpat_client c = { .addr = w->in.addr,
		.name_known = w->name_known, .name = w->name,
		.zone = w->zone };
	const struct conf_group *g;
	bool name = w->name_wanted;
	unsigned i, k;

	for (i = 0; i < l->ngroup; i++) {
		g = l->group[i];
		for (k = 0; k < g->npattern && !is_skipped(w, g); k++) {
			switch (sgpat_match(&g->pattern[k], &c)) {
			case SGPAT_NO:
			case SGPAT_NOBODY_KNOWS:
				break;
			case SGPAT_YES:
				i = l->ngroup - 1;
				k = g->npattern - 1;
				break;
			case SGPAT_ASK_NAME:
				name = true;
				break;
			case SGPAT_ASK_ZONE:
				ask_zone(w, g->pattern[k].zone);
				break;
			}
		}
	}
	if (w->name_known)
		return;
	if (name && l->reverse_timeout > 0)
		ask_name(w);
	else
		w->name_known = true;
}

static void
ask_zone(struct whois *w, unsigned zone)
{
	struct whoask *a = &w->ask[zone];
	struct buf name;

	if (a->query != NULL)
		return;
	a->magic = WHOASK_MAGIC;
	a->w = w;
	a->zone = zone;
	buf_init(&name, 512);
	sgpat_question(w->in.conf->zone[zone], w->in.addr, &name);
	a->query = dns_ask(w->in.dns, buf_p(&name), DNS_A, zone_known, a);
	buf_fini(&name);
	loop_timer_set(&w->list_timer, w->in.l->dnslist_timeout);
}

static void
ask_name(struct whois *w)
{
	w->reverse = mx_reverse(w->in.dns, w->in.addr, name_known, w);
	loop_timer_set(&w->name_timer, w->in.l->reverse_timeout);
}

static bool
wants_name(const struct whois *w)
{
	const struct conf_listener *l = w->in.l;
	const struct sock_addr *peer = w->in.addr;

	switch ((enum conf_reverse)l->reverse_dns) {
	case CONF_REVERSE_OFF:
		return false;
	case CONF_REVERSE_PUBLIC:
		return l->reverse_timeout > 0 &&
		    !sock_addr_loopback(peer) && !address_private(peer);
	case CONF_REVERSE_ALL:
		return l->reverse_timeout > 0;
	}
	panic("reverse_dns %d", l->reverse_dns);
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
	w->name_failed = !verified && mx_reverse_failed(w->reverse);
	w->reverse = NULL;
	w->name_known = true;
	loop_timer_clear(&w->name_timer);
	if (name != NULL)
		w->name = mem_strdup(name);
	w->verified = verified;
	go_on(w);
}

static void
name_late(void *arg)
{
	struct whois *w;

	OBJ_CAST(w, arg, WHOIS_MAGIC);
	mx_reverse_cancel(&w->reverse);
	w->name_known = true;
	w->name_failed = true;
	go_on(w);
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
	z->failed = answer->status == DNS_FAIL || answer->status == DNS_BOGUS;
	for (i = 0; i < answer->n && z->n < SGPAT_ANSWERS; i++) {
		if (answer->rr[i].type != DNS_A || answer->rr[i].len != 4)
			continue;
		memcpy(&ip, answer->rr[i].data, 4);
		z->ip[z->n++] = ntohl(ip);
	}
	go_on(a->w);
}

static void
lists_late(void *arg)
{
	struct whois *w;
	unsigned i;

	OBJ_CAST(w, arg, WHOIS_MAGIC);
	for (i = 0; i < w->in.conf->nzone; i++) {
		if (w->ask[i].query == NULL)
			continue;
		dns_cancel(&w->ask[i].query);
		w->zone[i].known = true;
		w->zone[i].failed = true;
		if (w->in.silent != NULL)
			w->in.silent(w->in.arg, w->in.conf->zone[i]);
	}
	go_on(w);
}

/* The owner may destroy it from there. */
static void
go_on(struct whois *w)
{
	struct whois_is is;

	if (whois_known(w, &is))
		w->in.known(w->in.arg);
}

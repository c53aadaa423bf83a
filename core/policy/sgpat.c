#include "policy/sgpat.h"

#include <string.h>

#include "base/num.h"
#include "mail/addr.h"
#include "net/mx.h"

#define LIST "dnslist["

static int	parse_list(struct pool *, struct str, struct sgpat *,
		    struct err *);
static int	parse_range(struct str, size_t, struct sgpat *);
static int	parse_prefix(struct str, struct sgpat *);
static int	parse_name(struct pool *, struct str, struct sgpat *);
static bool	ip_of(struct str, unsigned char *);
static void	bytes_of(const struct sock_addr *, unsigned char *);
static bool	listed(const struct sgpat *, const struct sgpat_zone *);

int
sgpat_parse(struct pool *pool, const char *text, struct sgpat *p_r,
    struct err *why)
{
	struct sgpat p = { .type = SGPAT_ALL };
	struct str s = str_c(text);
	size_t dash = str_find(s, '-');

	p.text = pool_strdup(pool, text);
	if (str_istarts(s, LIST)) {
		if (parse_list(pool, s, &p, why) != 0)
			return -1;
	} else if (str_istarts(s, "sbrs[")) {
		return err_text(why, "\"%.80s\": there are no reputation "
		    "scores here", text);
	} else if (str_ieq_c(s, "ALL")) {
		p.type = SGPAT_ALL;
	} else if (sock_net_parse(s, &p.net, NULL) == 0) {
		p.type = SGPAT_NET;
	} else if ((dash == s.n || parse_range(s, dash, &p) != 0) &&
	    parse_prefix(s, &p) != 0 && parse_name(pool, s, &p) != 0) {
		return err_text(why, "\"%.80s\" is no address, network, range, "
		    "host, .domain, dnslist[zone] or ALL", text);
	}
	*p_r = p;
	return 0;
}

static int
parse_list(struct pool *pool, struct str s, struct sgpat *p, struct err *why)
{
	struct str in, zone;
	size_t is;

	if (s.p[s.n - 1] != ']')
		return err_text(why, "\"%.80s\" has no ] at its end", p->text);
	in = str_n(s.p + sizeof(LIST) - 1, s.n - sizeof(LIST));
	is = str_find(in, '=');
	zone = str_n(in.p, is);
	if (!domain_valid(zone, false))
		return err_text(why, "\"%.80s\": this is no domain", p->text);
	if (is < in.n) {
		p->answer = true;
		in = str_n(in.p + is + 1, in.n - is - 1);
		if (sock_net_parse(in, &p->net, NULL) != 0 ||
		    p->net.family != AF_INET)
			return err_text(why, "\"%.80s\": the answer is an "
			    "IPv4 address or network", p->text);
	}
	p->type = SGPAT_DNSLIST;
	p->name = pool_str(pool, zone).p;
	return 0;
}

/* Behind the dash: another address, or a last octet. */
static int
parse_range(struct str s, size_t dash, struct sgpat *p)
{
	struct str from = str_n(s.p, dash);
	struct str to = str_n(s.p + dash + 1, s.n - dash - 1);
	uint64_t octet;

	if (!ip_of(from, p->low))
		return -1;
	if (!ip_of(to, p->high)) {
		if (str_find(from, ':') < from.n ||
		    num_u64(to, 255, &octet) != 0)
			return -1;
		memcpy(p->high, p->low, sizeof(p->high));
		p->high[15] = (unsigned char)octet;
	}
	if ((str_find(from, ':') < from.n) !=
	    (str_find(to, ':') < to.n) ||
	    memcmp(p->low, p->high, sizeof(p->low)) > 0)
		return -1;
	p->type = SGPAT_RANGE;
	return 0;
}

/* "10.", "10.1.", "10.1.2." */
static int
parse_prefix(struct str s, struct sgpat *p)
{
	struct str rest, piece;
	uint64_t octet;
	unsigned n = 0;

	if (s.n < 2 || s.p[s.n - 1] != '.')
		return -1;
	rest = str_n(s.p, s.n - 1);
	memset(&p->net, 0, sizeof(p->net));
	p->net.family = AF_INET;
	while (str_split(&rest, '.', &piece)) {
		if (n == 3 || num_u64(piece, 255, &octet) != 0)
			return -1;
		p->net.ip[n++] = (unsigned char)octet;
	}
	p->net.bits = n * 8;
	p->type = SGPAT_NET;
	return 0;
}

static int
parse_name(struct pool *pool, struct str s, struct sgpat *p)
{
	bool below = s.n > 0 && s.p[0] == '.';
	char last = s.n > 0 ? s.p[s.n - 1] : '\0';

	/* No domain ends with a digit: that is a mistyped address. */
	if (!domain_valid(below ? str_n(s.p + 1, s.n - 1) : s, true) ||
	    ch_digit(last))
		return -1;
	p->type = below ? SGPAT_BELOW : SGPAT_HOST;
	p->name = pool_str(pool, s).p;
	return 0;
}

static bool
ip_of(struct str s, unsigned char *dst)
{
	struct sock_addr a;

	if (sock_addr_ip(s, 0, &a, NULL) != 0)
		return false;
	bytes_of(&a, dst);
	return true;
}

static void
bytes_of(const struct sock_addr *a, unsigned char *dst)
{
	memset(dst, 0, 16);
	if (a->sa.sa_family == AF_INET6) {
		memcpy(dst, &a->in6.sin6_addr, 16);
	} else if (a->sa.sa_family == AF_INET) {
		dst[10] = dst[11] = 0xff;
		memcpy(dst + 12, &a->in.sin_addr, 4);
	}
}

enum sgpat_match
sgpat_match(const struct sgpat *p, const struct sgpat_client *c)
{
	unsigned char ip[16];

	switch (p->type) {
	case SGPAT_ALL:
		return SGPAT_YES;
	case SGPAT_NET:
		return sock_net_has(&p->net, c->addr) ? SGPAT_YES : SGPAT_NO;
	case SGPAT_RANGE:
		if (c->addr->sa.sa_family != AF_INET &&
		    c->addr->sa.sa_family != AF_INET6)
			return SGPAT_NO;
		bytes_of(c->addr, ip);
		return memcmp(ip, p->low, 16) >= 0 &&
		    memcmp(ip, p->high, 16) <= 0 ? SGPAT_YES : SGPAT_NO;
	case SGPAT_HOST:
	case SGPAT_BELOW:
		if (!c->name_known)
			return SGPAT_ASK_NAME;
		if (c->name != NULL &&
		    domain_matches(str_c(p->name), str_c(c->name)))
			return SGPAT_YES;
		return c->name_failed ? SGPAT_NOBODY_KNOWS : SGPAT_NO;
	case SGPAT_DNSLIST:
		if (!c->zone[p->zone].known)
			return SGPAT_ASK_ZONE;
		if (listed(p, &c->zone[p->zone]))
			return SGPAT_YES;
		return c->zone[p->zone].failed ? SGPAT_NOBODY_KNOWS : SGPAT_NO;
	}
	panic("type %d", (int)p->type);
}

static bool
listed(const struct sgpat *p, const struct sgpat_zone *z)
{
	unsigned i;

	for (i = 0; i < z->n; i++) {
		struct sock_addr a = { .in = { .sin_family = AF_INET,
			.sin_addr = { htonl(z->ip[i]) } },
			.len = sizeof(a.in) };

		if (p->answer ? sock_net_has(&p->net, &a) :
		    z->ip[i] >> 24 == 127 && z->ip[i] >> 8 != 0x7fffff)
			return true;
	}
	return false;
}

void
sgpat_question(const char *zone, const struct sock_addr *a, struct buf *name)
{
	static const char *const tops[] = { ".in-addr.arpa", ".ip6.arpa" };
	unsigned i;

	mx_reverse_name(a, name);
	for (i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		if (str_iends(buf_str(name), tops[i]))
			buf_truncate(name,
			    buf_len(name) - strlen(tops[i]));
	}
	(void)buf_printf(name, ".%s", zone);
}

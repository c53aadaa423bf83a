#include "relay/refs.h"

#include <arpa/inet.h>

#include "mail/addr.h"

/* The list while it is made. */
struct refs {
	struct pool *pool;
	struct tlsref *v;
	size_t n;
};

static void add_host(struct refs *r, const struct refs_host *h,
    enum tlsref_how how);
static void add(struct refs *r, enum tlsref_kind kind, enum tlsref_how how,
    struct str name);
static bool is_ip(const char *text);

const struct tlsref *
refs_make(const struct tlswant *want, const struct refs_host *h,
    struct pool *pool)
{
	struct refs r = { .pool = pool };
	size_t names = 0, i;

	while (want->names != NULL && want->names[names] != NULL)
		names++;
	/* Three at most of the match, and the end. */
	r.v = pool_alloc(pool, (names + 4) * sizeof(*r.v));
	switch (want->match) {
	case TLSWANT_MATCH_MX:
		add(&r, TLSREF_DOMAIN, TLSREF_SAN, h->domain);
		if (h->route || h->secure)
			add_host(&r, h, TLSREF_SAN);
		break;
	case TLSWANT_MATCH_DOMAIN:
		add(&r, TLSREF_DOMAIN, TLSREF_SAN, h->domain);
		break;
	case TLSWANT_MATCH_HOSTED:
		add(&r, TLSREF_DOMAIN, TLSREF_SAN_OR_CN, h->domain);
		add_host(&r, h, TLSREF_SAN_OR_CN);
		break;
	case TLSWANT_MATCH_COMPAT:
		add(&r, TLSREF_DOMAIN, TLSREF_SAN, h->domain);
		add(&r, TLSREF_DOMAIN, TLSREF_CN, h->domain);
		if (h->ptr != NULL)
			add(&r, TLSREF_PTR, TLSREF_CN, str_c(h->ptr));
		break;
	case TLSWANT_MATCH_NAMES:
		break;
	}
	for (i = 0; i < names; i++)
		add(&r, TLSREF_NAME, TLSREF_SAN, str_c(want->names[i]));
	return r.v;
}

bool
refs_need_ptr(const struct tlswant *want)
{
	return tlswant_verifies(want->level) &&
	       want->match == TLSWANT_MATCH_COMPAT;
}

static void
add_host(struct refs *r, const struct refs_host *h, enum tlsref_how how)
{
	if (h->host == NULL || h->host[0] == '[' || is_ip(h->host))
		return;
	add(r, h->route ? TLSREF_ROUTE : TLSREF_MX, how, str_c(h->host));
}

/* In A-labels; an address literal is an address. */
static void
add(struct refs *r, enum tlsref_kind kind, enum tlsref_how how, struct str name)
{
	char text[ADDR_DOMAIN_MAX + 2], ip[INET6_ADDRSTRLEN];

	if (domain_literal(name, ip, sizeof(ip)))
		name = str_c(ip);
	else if (name.n > ADDR_DOMAIN_MAX + 1)
		return;
	else
		name = domain_fold(name, text, sizeof(text));
	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	/* Only who wrote a want may mean what is below a name. */
	if (name.n == 0 || (name.p[0] == '.' && kind != TLSREF_NAME))
		return;
	r->v[r->n].kind = kind;
	r->v[r->n].how = how;
	r->v[r->n++].name = pool_str(r->pool, name);
}

static bool
is_ip(const char *text)
{
	unsigned char bin[16];

	return inet_pton(AF_INET, text, bin) == 1 ||
	       inet_pton(AF_INET6, text, bin) == 1;
}

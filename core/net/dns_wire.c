#include "net/dns_wire.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum {
	HEADER = 12,
	CHAIN_MAX = 16, /* CNAMEs in one message */
	RR_MAX = 512,	/* records looked at */
	RCODE_NOERROR = 0,
	RCODE_NXDOMAIN = 3
};

struct msg {
	const unsigned char *p;
	size_t n;
	size_t at;
	bool bad;
};

/* A record as it lies in the message. */
struct raw {
	char owner[DNS_NAME_TEXT];
	unsigned type, class;
	uint32_t ttl;
	size_t at; /* of the rdata */
	unsigned len;
};

static unsigned get16(struct msg *m);
static size_t get_name(struct msg *m, size_t at, char *dst);
static bool get_rr(struct msg *m, struct raw *r);
static bool
follow(struct msg *m, size_t start, unsigned count, char *name, uint32_t *ttl);
static void collect(struct pool *pool, struct msg *m, size_t start,
    unsigned count, enum dns_type type, struct dns_answer *a);
static bool
fill(struct pool *pool, struct msg *m, const struct raw *r, struct dns_rr *rr);
static const char *rcode_text(unsigned rcode);

void
dns_wire_read(struct pool *pool, const void *msg, size_t n, const char *name,
    enum dns_type type, struct dns_answer *a_r)
{
	struct msg m = { msg, n, 0, false };
	char canon[DNS_NAME_TEXT];
	unsigned rcode, questions, count, flags;
	struct dns_answer a;
	size_t start;

	memset(&a, 0, sizeof(a));
	a.status = DNS_FAIL;
	a.ttl = UINT32_MAX;
	(void)get16(&m);
	flags = get16(&m);
	rcode = flags & 0x0fu;
	questions = get16(&m);
	count = get16(&m);
	m.at = HEADER;
	for (; questions > 0 && !m.bad; questions--)
		m.at = get_name(&m, m.at, canon) + 4;
	start = m.at;
	(void)str_copy(canon, sizeof(canon), str_c(name));
	if (strlen(canon) > 1 && canon[strlen(canon) - 1] == '.')
		canon[strlen(canon) - 1] = '\0';
	if (count > RR_MAX)
		m.bad = true;
	if (type != DNS_CNAME && !follow(&m, start, count, canon, &a.ttl))
		m.bad = true;
	a.canon = pool_strdup(pool, canon);
	if (!m.bad)
		collect(pool, &m, start, count, type, &a);
	if (m.bad)
		a.why = "malformed answer";
	else if (rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN)
		a.why = rcode_text(rcode);
	else if (a.n > 0)
		a.status = DNS_OK;
	else
		a.status = rcode == RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_NODATA;
	if (a.status == DNS_FAIL)
		a.n = 0;
	if (a.ttl == UINT32_MAX)
		a.ttl = 0;
	*a_r = a;
}

static unsigned
get16(struct msg *m)
{
	unsigned n;

	if (m->n < 2 || m->at > m->n - 2) {
		m->bad = true;
		return 0;
	}
	n = (unsigned)m->p[m->at] << 8 | m->p[m->at + 1];
	m->at += 2;
	return n;
}

/*
 * The name at an offset as text; returns the offset behind it. A pointer must
 * go backwards, so that there is no loop.
 */
static size_t
get_name(struct msg *m, size_t at, char *dst)
{
	size_t end = 0, len = 0, octets = 0, limit = at;
	unsigned char c;
	unsigned n;

	*dst = '\0';
	while (at < m->n) {
		n = m->p[at++];
		if (n == 0)
			return end != 0 ? end : at;
		if ((n & 0xc0u) == 0xc0u) {
			if (at >= m->n)
				break;
			n = (n & 0x3fu) << 8 | m->p[at++];
			if (end == 0)
				end = at;
			if (n >= limit)
				break;
			at = limit = n;
			continue;
		}
		octets += n + 1;
		if (n > 63 || octets > 254 || n > m->n - at)
			break;
		if (len > 0)
			dst[len++] = '.';
		for (; n > 0; n--) {
			c = m->p[at++];
			if (ch_alnum((char)c) ||
			    (c != 0 && strchr("-_/*+=", c) != NULL))
				dst[len++] = (char)c;
			else
				len += (size_t)snprintf(dst + len,
				    DNS_NAME_TEXT - len, "\\%03u", c);
		}
		dst[len] = '\0';
	}
	m->bad = true;
	*dst = '\0';
	return m->n;
}

static bool
get_rr(struct msg *m, struct raw *r)
{
	m->at = get_name(m, m->at, r->owner);
	r->type = get16(m);
	r->class = get16(m);
	r->ttl = get16(m) << 16;
	r->ttl |= get16(m);
	r->len = get16(m);
	r->at = m->at;
	if (m->bad || r->len > m->n - m->at) {
		m->bad = true;
		return false;
	}
	m->at += r->len;
	if (r->ttl > INT32_MAX)
		r->ttl = 0;
	return true;
}

/* Replaces name by what the CNAMEs say it is called; false: a loop. */
static bool
follow(struct msg *m, size_t start, unsigned count, char *name, uint32_t *ttl)
{
	unsigned hop, i;
	struct raw r;

	for (hop = 0; hop < CHAIN_MAX; hop++) {
		m->at = start;
		for (i = 0; i < count; i++) {
			if (!get_rr(m, &r))
				return false;
			if (r.type == DNS_CNAME && r.class == 1 &&
			    str_ieq_c(str_c(r.owner), name))
				break;
		}
		if (i == count)
			return true;
		(void)get_name(m, r.at, name);
		if (m->bad)
			return false;
		if (r.ttl < *ttl)
			*ttl = r.ttl;
	}
	return false;
}

static void
collect(struct pool *pool, struct msg *m, size_t start, unsigned count,
    enum dns_type type, struct dns_answer *a)
{
	struct dns_rr *rr;
	struct raw r;
	unsigned i;

	if (count == 0)
		return;
	rr = pool_alloc(pool, count * sizeof(*rr));
	m->at = start;
	for (i = 0; i < count; i++) {
		if (!get_rr(m, &r))
			return;
		if (r.type != (unsigned)type || r.class != 1 ||
		    !str_ieq_c(str_c(r.owner), a->canon))
			continue;
		rr[a->n].type = type;
		if (!fill(pool, m, &r, &rr[a->n])) {
			m->bad = true;
			return;
		}
		if (r.ttl < a->ttl)
			a->ttl = r.ttl;
		a->n++;
	}
	a->rr = rr;
}

static bool
fill(struct pool *pool, struct msg *m, const struct raw *r, struct dns_rr *rr)
{
	char text[DNS_NAME_TEXT];
	size_t at = r->at, end = r->at + r->len, next = m->at;

	rr->data = pool_dup(pool, m->p + r->at, r->len);
	rr->len = r->len;
	switch (rr->type) {
	case DNS_A:
		return r->len == 4;
	case DNS_AAAA:
		return r->len == 16;
	case DNS_TXT:
		return r->len > 0;
	case DNS_TLSA:
		return r->len > 3;
	case DNS_MX:
		m->at = at;
		rr->pref = (uint16_t)get16(m);
		at += 2;
		break;
	case DNS_CNAME:
	case DNS_PTR:
		break;
	}
	at = at < end ? get_name(m, at, text) : 0;
	m->at = next;
	if (at != end || m->bad)
		return false;
	rr->name = pool_strdup(pool, text);
	return true;
}

static const char *
rcode_text(unsigned rcode)
{
	static const char *const text[] = { "NOERROR", "FORMERR", "SERVFAIL",
		"NXDOMAIN", "NOTIMP", "REFUSED" };

	return rcode < sizeof(text) / sizeof(text[0]) ? text[rcode]
						      : "strange rcode";
}

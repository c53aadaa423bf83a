/*
 * Requests that ask others: DNS, tables, web servers.
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/buf.h"
#include "host/http.h"
#include "host/request_priv.h"
#include "net/dns.h"
#include "net/mx.h"

enum { ITEMS_MAX = 65536 /* values of a key */ };

const struct host_net request_net = {
	.dns = dns_ask,
	.dns_cancel = dns_cancel,
	.http = http_start,
	.http_cancel = http_cancel,
};

static int dns_type_of(const char *word);
static void on_dns(void *arg, const struct dns_answer *a);
static void dns_items(struct request *rq, const struct dns_answer *a);
static struct str dns_text(struct pool *pool, const struct dns_rr *rr);
static struct str dns_txt(struct pool *pool, const struct dns_rr *rr);
static void on_lookup(void *arg, const struct op_answer *a);
static void lookup_result(struct request *rq, const struct op_answer *a);
static void on_http(void *arg, const struct pst_result *r);

enum pst_verdict
api_dns(struct pst_event *pub, const char *name, const char *type,
    pst_then *then)
{
	struct request *rq = request_new(pub, RQ_DNS, then);
	int t = dns_type_of(type);
	struct sock_addr ip;
	struct engine *e;
	struct dns_query *q;
	struct buf reverse;

	if (rq == NULL)
		return PST_WAIT;
	e = rq->ev->engine;
	if (t < 0 || (e->net->dns == dns_ask && e->host->world.dns == NULL)) {
		request_later(rq, PST_FAILED, t < 0
			? "no such type" : "no names are resolved here");
		return PST_WAIT;
	}
	buf_init(&reverse, 128);
	if (t == DNS_PTR && sock_addr_ip(str_c(name), 0, &ip, NULL) == 0) {
		mx_reverse_name(&ip, &reverse);
		name = buf_p(&reverse);
	}
	rq->starting = true;
	q = e->net->dns(e->host->world.dns, name, (enum dns_type)t, on_dns,
	    rq);
	rq->starting = false;
	if (!rq->ready)
		rq->dns = q;
	buf_fini(&reverse);
	return PST_WAIT;
}

enum pst_verdict
api_lookup(struct pst_event *pub, const char *table, const char *key,
    pst_then *then)
{
	struct request *rq = request_new(pub, RQ_LOOKUP, then);
	struct pool *pool;

	if (rq == NULL)
		return PST_WAIT;
	pool = request_pool(rq);
	rq->table = pool_strdup(pool, table);
	rq->lookup.size = sizeof(rq->lookup);
	rq->lookup.key.n = strlen(key);
	rq->lookup.key.p = pool_strdup(pool, key);
	/* The table's plugin is not called inside this one's. */
	loop_timer_set(&rq->timer, 0);
	return PST_WAIT;
}

enum pst_verdict
api_http(struct pst_event *pub, const struct pst_http *q, pst_then *then)
{
	struct request *rq = request_new(pub, RQ_HTTP, then);
	struct pst_http copy = { 0 };
	struct http *h;
	struct engine *e;

	if (rq == NULL)
		return PST_WAIT;
	e = rq->ev->engine;
	if (e->http == NULL)
		e->http = http_client_new(e->loop, e->host->world.dns);
	/* A plugin of an older ABI may know less of it. */
	memcpy(&copy, q, q->size < sizeof(copy) ? q->size : sizeof(copy));
	copy.size = sizeof(copy);
	rq->starting = true;
	h = e->net->http(e->http, &copy, on_http, rq);
	rq->starting = false;
	if (!rq->ready)
		rq->http = h;
	return PST_WAIT;
}

void
ask_drop(struct request *rq)
{
	const struct host_net *net = rq->ev->engine->net;

	if (rq->dns != NULL)
		net->dns_cancel(&rq->dns);
	if (rq->http != NULL)
		net->http_cancel(&rq->http);
	op_cancel(&rq->op);
}

static void
ask_net_table(struct request *rq)
{
	struct pst_http q = { .size = sizeof(q), .method = "LOOKUP",
		.url = "", .content_type = rq->table,
		.body = rq->lookup.key };

	rq->http = rq->ev->engine->net->http(NULL, &q, on_http, rq);
}

void
ask_lookup(struct request *rq)
{
	const struct about *a = rq->ev->about;
	struct about about = { .ops = &peek_ops, .arg = rq->ev,
		.icid = a->icid, .mid = a->mid, .dcid = a->dcid,
		.rcpt = rq->ev->rcpt };
	const struct host_net *net = rq->ev->engine->net;
	struct op_answer answer;
	struct instance *i;

	if (net->table != NULL && net->table(rq->table)) {
		ask_net_table(rq);
		return;
	}
	/* A task goes on until its generation ends; tables may end first. */
	i = rq->ev->inst->gen->refs == 0 ? NULL :
	    instance_find(rq->ev->inst->gen, rq->table);
	if (i == NULL || i->fn[ON_LOOKUP_GET] == NULL) {
		request_result(rq, PST_FAILED, pool_printf(rq->pool, i == NULL ?
		    "%s is no table: no plugin of that name is loaded" :
		    "%s is no table", rq->table));
		request_resume(rq, &rq->res);
		return;
	}
	if (!op_ask(i, PST_LOOKUP_GET, &about, &rq->lookup, &answer,
	    on_lookup, rq, &rq->op))
		return;
	lookup_result(rq, &answer);
	request_resume(rq, &rq->res);
}

static int
dns_type_of(const char *word)
{
	static const struct {
		const char *word;
		enum dns_type type;
	} types[] = {
		{ "A", DNS_A }, { "AAAA", DNS_AAAA }, { "MX", DNS_MX },
		{ "TXT", DNS_TXT }, { "PTR", DNS_PTR }, { "TLSA", DNS_TLSA },
		{ "CNAME", DNS_CNAME },
	};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (str_ieq_c(str_c(word), types[i].word))
			return (int)types[i].type;
	}
	return -1;
}

static void
on_dns(void *arg, const struct dns_answer *a)
{
	struct request *rq;
	enum pst_status status = PST_TEMPERR;
	const char *error;

	OBJ_CAST(rq, arg, REQUEST_MAGIC);
	rq->dns = NULL;
	rq->res.secure = a->secure;
	rq->res.ttl = a->ttl;
	error = a->why != NULL ? a->why : "no answer";
	switch (a->status) {
	case DNS_OK:
		status = PST_OK;
		error = NULL;
		dns_items(rq, a);
		break;
	case DNS_NODATA:
		status = PST_NOTFOUND;
		error = "no such record";
		break;
	case DNS_NXDOMAIN:
		status = PST_NOTFOUND;
		error = "no such name";
		break;
	case DNS_FAIL:
	case DNS_BOGUS:
		break;
	}
	request_result(rq, status, pool_strdup(request_pool(rq), error));
	if (rq->starting)
		request_later(rq, status, rq->res.error);
	else
		request_resume(rq, &rq->res);
}

static void
dns_items(struct request *rq, const struct dns_answer *a)
{
	struct pool *pool = request_pool(rq);
	struct pst_str *item;
	struct str s;
	unsigned i;

	item = pool_alloc(pool, a->n * sizeof(*item));
	for (i = 0; i < a->n; i++) {
		s = dns_text(pool, &a->rr[i]);
		if (s.p == NULL)
			continue;
		item[rq->res.count++] = (struct pst_str){ s.p, s.n };
	}
	rq->res.item = item;
}

/* As in a zone file, but the pieces of a TXT record are joined. */
static struct str
dns_text(struct pool *pool, const struct dns_rr *rr)
{
	char ip[INET6_ADDRSTRLEN];
	struct buf b;
	unsigned i;
	struct str s;

	switch (rr->type) {
	case DNS_A:
		if (rr->len != 4)
			return STR_NULL;
		return pool_str(pool, str_c(inet_ntop(AF_INET, rr->data, ip,
		    sizeof(ip))));
	case DNS_AAAA:
		if (rr->len != 16)
			return STR_NULL;
		return pool_str(pool, str_c(inet_ntop(AF_INET6, rr->data, ip,
		    sizeof(ip))));
	case DNS_MX:
		return str_c(pool_printf(pool, "%u %s", rr->pref,
		    rr->name[0] == '\0' ? "." : rr->name));
	case DNS_CNAME:
	case DNS_PTR:
		return str_c(pool_strdup(pool, rr->name));
	case DNS_TXT:
		return dns_txt(pool, rr);
	case DNS_TLSA:
		if (rr->len < 4)
			return STR_NULL;
		buf_init(&b, 256u + 2u * rr->len);
		(void)buf_printf(&b, "%u %u %u ", rr->data[0], rr->data[1],
		    rr->data[2]);
		for (i = 3; i < rr->len; i++)
			(void)buf_printf(&b, "%02x", rr->data[i]);
		s = pool_str(pool, buf_str(&b));
		buf_fini(&b);
		return s;
	}
	return STR_NULL;
}

static struct str
dns_txt(struct pool *pool, const struct dns_rr *rr)
{
	char *text = pool_alloc(pool, rr->len + 1);
	unsigned i, n;
	size_t len = 0;

	for (i = 0; i < rr->len; i += n) {
		n = rr->data[i++];
		if (n > rr->len - i)
			return STR_NULL;
		memcpy(text + len, rr->data + i, n);
		len += n;
	}
	return str_n(text, len);
}

static void
on_lookup(void *arg, const struct op_answer *a)
{
	struct request *rq;

	OBJ_CAST(rq, arg, REQUEST_MAGIC);
	rq->op = NULL;
	lookup_result(rq, a);
	request_resume(rq, &rq->res);
}

static void
lookup_result(struct request *rq, const struct op_answer *a)
{
	struct pst_result r = { .size = sizeof(r), .ttl = rq->lookup.ttl };

	if (a->verdict != PST_CONTINUE) {
		r.status = PST_TEMPERR;
		r.error = a->reply.text[0] != '\0' ? a->reply.text
						   : "the table failed";
	} else if (rq->lookup.count == 0) {
		r.status = PST_NOTFOUND;
		r.error = "no such key";
	} else if (rq->lookup.item == NULL || rq->lookup.count > ITEMS_MAX) {
		r.status = PST_TEMPERR;
		r.error = "the table's answer has no values";
	} else {
		r.count = rq->lookup.count;
		r.item = rq->lookup.item;
	}
	request_copy(rq, &r);
}

static void
on_http(void *arg, const struct pst_result *r)
{
	struct request *rq;

	OBJ_CAST(rq, arg, REQUEST_MAGIC);
	rq->http = NULL;
	if (!rq->starting) {
		request_resume(rq, r);
		return;
	}
	request_copy(rq, r);
	request_later(rq, r->status, rq->res.error);
}

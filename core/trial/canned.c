#include "trial/canned.h"

#include <string.h>

#include "base/codec.h"
#include "base/num.h"
#include "base/obj.h"
#include "net/loop.h"
#include "net/mx.h"
#include "net/sock.h"
#include "trial/record.h"

#include <postern/lookup.h>

#define CANNED_MAGIC 0x7c61e201U
#define ASK_MAGIC 0x7c61e202U
#define RECORDS_MAX 64
#define TEXT_MAX (1024 * 1024)

#define HTTP_USAGE "usage: http METHOD URL = STATUS [BODY] | fail | timeout"

/* A canned answer. */
struct row {
	enum canned_kind kind;
	const struct canned_word *word;
	unsigned nword;
	const char *name; /* of the DNS, as it is asked for */
	enum dns_type type;
	enum dns_status dns;
	enum pst_status status;
	bool secure;
	uint32_t ttl;
	unsigned code, n;
	struct dns_rr rr[RECORDS_MAX];
	struct pst_str item[RECORDS_MAX];
	struct row *next;
};

struct canned {
	unsigned magic;
	struct pool *pool;
	struct loop *loop;
	struct row *rows;
	bool latest, empty;
	const char *but; /* a table of the host */
	unsigned asked, fail_at;
	enum canned_fault fault;
	struct buf requests, unknown;
};

/* The world of this process: a request says nothing of whose it is. */
static struct canned *world;

/* A question under way. */
struct ask {
	unsigned magic;
	struct canned *canned;
	const struct row *row;
	enum canned_fault fault;
	struct loop_timer timer;
	dns_fn *dns_fn;
	void (*http_fn)(void *arg, const struct pst_result *r);
	void *arg;
};

static const struct {
	const char *word;
	enum dns_type type;
} types[] = {
	{ "A", DNS_A }, { "AAAA", DNS_AAAA }, { "MX", DNS_MX },
	{ "TXT", DNS_TXT }, { "PTR", DNS_PTR }, { "TLSA", DNS_TLSA },
	{ "CNAME", DNS_CNAME },
};
#define NTYPES (sizeof(types) / sizeof(types[0]))

static int	add_dns(struct canned *c, struct row *r, struct err *why);
static int	add_http(struct canned *c, struct row *r, struct err *why);
static const char *asked_name(struct canned *c, enum dns_type type,
		    const char *name);
static void	add_lookup(struct row *r);
static int	record(struct canned *c, struct row *r, const char *text,
		    struct err *why);
static void	answer(void *arg);

static void
fini(void *arg)
{
	struct canned *c = arg;

	world = NULL;
	buf_fini(&c->requests);
	buf_fini(&c->unknown);
}

struct canned *
canned_new(struct pool *pool, struct loop *l)
{
	struct canned *c = POOL_NEW(pool, struct canned);

	OBJ_INIT(c, CANNED_MAGIC);
	ASSERT(world == NULL);
	world = c;
	c->pool = pool;
	c->loop = l;
	buf_init(&c->requests, TEXT_MAX);
	buf_init(&c->unknown, TEXT_MAX);
	pool_defer(pool, fini, c);
	return c;
}

int
canned_add(struct canned *c, enum canned_kind kind,
    const struct canned_word *word, unsigned n, struct err *why)
{
	struct row *r = POOL_NEW(c->pool, struct row), **p;

	OBJ_CHECK(c, CANNED_MAGIC);
	ASSERT(n >= (kind == CANNED_DNS ? 3 : 4));
	r->kind = kind;
	r->word = word;
	r->nword = n;
	r->ttl = 300;
	if (kind == CANNED_DNS && add_dns(c, r, why) < 0)
		return -1;
	if (kind == CANNED_HTTP && add_http(c, r, why) < 0)
		return -1;
	if (kind == CANNED_LOOKUP)
		add_lookup(r);
	for (p = &c->rows; *p != NULL && !c->latest; p = &(*p)->next)
		;
	r->next = *p;
	*p = r;
	return 0;
}

static int
add_dns(struct canned *c, struct row *r, struct err *why)
{
	static const struct {
		const char *word;
		enum dns_status status;
	} words[] = { { "nxdomain", DNS_NXDOMAIN }, { "nodata", DNS_NODATA },
		{ "servfail", DNS_FAIL }, { "timeout", DNS_FAIL },
		{ "bogus", DNS_BOGUS } };
	const struct canned_word *word = r->word;
	unsigned i, j;

	for (i = 0; i < NTYPES && strcmp(types[i].word, word[1].s) != 0; i++)
		;
	if (i == NTYPES)
		return err_text(why, "the type is one of A, AAAA, MX, TXT, "
		    "PTR, TLSA, CNAME, not %s", word[1].s);
	r->type = types[i].type;
	r->name = asked_name(c, r->type, word[0].s);
	for (i = 2; i < r->nword; i++) {
		const struct canned_word *w = &word[i];

		for (j = 0; j < 5 && strcmp(words[j].word, w->s) != 0; j++)
			;
		if (!w->quoted && strcmp(w->s, "secure") == 0)
			r->secure = true;
		else if (!w->quoted && j < 5) {
			r->dns = words[j].status;
			r->status = j == 3 ? PST_TIMEOUT : PST_TEMPERR;
		} else if (record(c, r, w->s, why) < 0)
			return -1;
	}
	if (r->n == 0 && r->dns == DNS_OK)
		r->dns = DNS_NODATA;
	return 0;
}

/* An address stands for its name below in-addr.arpa or ip6.arpa. */
static const char *
asked_name(struct canned *c, enum dns_type type, const char *name)
{
	struct sock_addr ip;
	struct buf reverse;

	if (type != DNS_PTR || sock_addr_ip(str_c(name), 0, &ip, NULL) != 0)
		return name;
	buf_init(&reverse, 128);
	mx_reverse_name(&ip, &reverse);
	name = pool_strdup(c->pool, buf_p(&reverse));
	buf_fini(&reverse);
	return name;
}

static int
record(struct canned *c, struct row *r, const char *text, struct err *why)
{
	unsigned char wire[RECORD_MAX];
	struct dns_rr *rr = &r->rr[r->n];
	const char *name = NULL;
	int n = record_wire(r->type, text, wire, &rr->pref, &name);

	if (n < 0)
		return err_text(why, "\"%s\" is no record of that type", text);
	rr->type = r->type;
	rr->name = pool_strdup(c->pool, name);
	rr->data = pool_dup(c->pool, wire, (size_t)n);
	rr->len = (unsigned)n;
	r->n++;
	return 0;
}

static int
add_http(struct canned *c, struct row *r, struct err *why)
{
	const struct canned_word *word = r->word;
	uint64_t code;

	(void)c;
	if (strcmp(word[2].s, "=") != 0)
		return err_text(why, HTTP_USAGE);
	if (strcmp(word[3].s, "fail") == 0)
		r->status = PST_TEMPERR;
	else if (strcmp(word[3].s, "timeout") == 0)
		r->status = PST_TIMEOUT;
	else if (num_u64(str_c(word[3].s), 599, &code) == 0 && code >= 100)
		r->code = (unsigned)code;
	else
		return err_text(why, HTTP_USAGE);
	if (r->status == PST_OK) {
		r->n = 1;
		r->item[0].p = r->nword > 4 ? word[4].s : "";
		r->item[0].n = strlen(r->item[0].p);
	}
	return 0;
}

static void
add_lookup(struct row *r)
{
	const struct canned_word *word = r->word;
	unsigned i;

	if (r->nword == 4 && !word[3].quoted) {
		if (strcmp(word[3].s, "none") == 0)
			r->status = PST_NOTFOUND;
		else if (strcmp(word[3].s, "fail") == 0)
			r->status = PST_TEMPERR;
		else if (strcmp(word[3].s, "timeout") == 0)
			r->status = PST_TIMEOUT;
	}
	for (i = 3; r->status == PST_OK && i < r->nword; i++) {
		r->item[r->n].p = word[i].s;
		r->item[r->n++].n = strlen(word[i].s);
	}
}

static struct ask *
ask_new(struct canned *c, const struct row *row)
{
	struct ask *a;

	OBJ_NEW(a, ASK_MAGIC);
	a->canned = c;
	a->row = row;
	if (++c->asked == c->fail_at)
		a->fault = c->fault;
	loop_timer_init(c->loop, &a->timer, answer, a);
	return a;
}

static void
ask_cancel(void *p)
{
	struct ask *a;

	if (p == NULL)
		return;
	OBJ_CAST(a, p, ASK_MAGIC);
	loop_timer_clear(&a->timer);
	OBJ_FREE(a);
}

/* A timeout takes its time, all else a millisecond. */
static void
ask_start(struct ask *a, msec patience)
{
	bool late = a->fault == CANNED_TIMEOUT || (a->row != NULL &&
	    a->fault == CANNED_FINE && a->row->status == PST_TIMEOUT);

	if (a->fault != CANNED_SILENCE)
		loop_timer_set(&a->timer, late ? patience : 1);
}

static struct str
no_dot(const char *name)
{
	struct str s = str_c(name);

	if (s.n > 1 && s.p[s.n - 1] == '.')
		s.n--;
	return s;
}

static struct dns_query *
ask_dns(struct dns *d, const char *name, enum dns_type type, dns_fn *fn,
    void *arg)
{
	const char *word = "?", *n;
	const struct row *r;
	struct canned *c;
	struct ask *a;
	size_t i;

	OBJ_CAST(c, (void *)d, CANNED_MAGIC);
	for (r = c->rows; r != NULL; r = r->next) {
		if (r->kind != CANNED_DNS || r->type != type)
			continue;
		n = r->name;
		if (strcmp(n, "*") == 0 || str_ieq(no_dot(n), no_dot(name)))
			break;
	}
	for (i = 0; i < NTYPES; i++) {
		if (types[i].type == type)
			word = types[i].word;
	}
	if (r == NULL)
		(void)buf_printf(&c->unknown, "dns %s %s\n", name, word);
	a = ask_new(c, r);
	a->dns_fn = fn;
	a->arg = arg;
	ask_start(a, SECONDS(10));
	return (struct dns_query *)(void *)a;
}

static void
cancel_dns(struct dns_query **qp)
{
	ask_cancel(*qp);
	*qp = NULL;
}

static bool
row_is(const struct row *r, enum canned_kind kind, const char *a, struct str b)
{
	if (r->kind != kind || strcmp(r->word[0].s, a) != 0)
		return false;
	return strcmp(r->word[1].s, "*") == 0 ||
	    str_eq_c(b, r->word[1].s);
}

/* Tables come this way too: method LOOKUP, the table as the type. */
static struct http *
ask_http(struct http_client *client, const struct pst_http *q,
    void (*fn)(void *arg, const struct pst_result *r), void *arg)
{
	const char *method = q->method;
	bool table = method != NULL && strcmp(method, "LOOKUP") == 0;
	enum canned_kind kind = table ? CANNED_LOOKUP : CANNED_HTTP;
	struct str second = table ? str_n(q->body.p, q->body.n) : str_c(q->url);
	struct canned *c = world;
	const struct row *r;
	struct ask *a;

	(void)client;
	OBJ_CHECK(c, CANNED_MAGIC);
	if (method == NULL)
		method = q->body.n > 0 ? "POST" : "GET";
	for (r = c->rows; r != NULL; r = r->next) {
		if (row_is(r, kind, table ? q->content_type : method, second))
			break;
	}
	if (!table)
		(void)buf_printf(&c->requests, "%s %s\n%s%s%s%s%s%.*s\n",
		    method, q->url, q->content_type != NULL ?
		    "Content-Type: " : "", q->content_type != NULL ?
		    q->content_type : "", q->content_type != NULL ? "\n" : "",
		    q->headers != NULL ? q->headers : "",
		    q->headers != NULL ? "\n\n" : "\n", (int)q->body.n,
		    q->body.p != NULL ? q->body.p : "");
	if (r == NULL && !table)
		(void)buf_printf(&c->unknown, "http %s %s\n", method, q->url);
	a = ask_new(c, r);
	a->http_fn = fn;
	a->arg = arg;
	ask_start(a, q->timeout_ms != 0 ? (msec)q->timeout_ms : SECONDS(10));
	return (struct http *)(void *)a;
}

static void
cancel_http(struct http **hp)
{
	ask_cancel(*hp);
	*hp = NULL;
}

static void
answer_dns(const struct ask *a)
{
	const struct row *r = a->row;
	struct dns_answer out = { .status = DNS_FAIL, .canon = "", .why = "" };

	if (a->fault == CANNED_TIMEOUT)
		out.why = "timeout";
	else if (a->fault == CANNED_ERROR)
		out.why = "the server failed";
	else if (r == NULL && a->canned->empty)
		out.status = DNS_NXDOMAIN;
	else if (r == NULL)
		out.why = "the script says nothing about it";
	else {
		out.status = r->dns;
		out.secure = r->secure;
		out.canon = r->name;
		out.ttl = r->ttl;
		out.rr = r->rr;
		out.n = r->dns == DNS_OK ? r->n : 0;
		out.why = r->status == PST_TIMEOUT ? "timeout" :
						     "the server failed";
	}
	a->dns_fn(a->arg, &out);
}

static void
answer_http(const struct ask *a)
{
	const struct row *r = a->row;
	struct pst_result out = { .size = sizeof(out), .status = PST_TEMPERR };

	if (a->fault == CANNED_TIMEOUT)
		out.status = PST_TIMEOUT;
	else if (a->fault == CANNED_ERROR)
		out.status = PST_TEMPERR;
	else if (r == NULL)
		out.status = PST_NOTFOUND;
	else {
		out.status = r->status;
		out.code = r->code;
		out.ttl = r->ttl;
		out.count = r->n;
		out.item = r->item;
	}
	if (r == NULL && a->fault == CANNED_FINE)
		out.error = a->canned->empty ? "nothing is asked outside" :
		    "the script says nothing about it";
	else if (out.status == PST_TIMEOUT)
		out.error = "timeout";
	else if (out.status != PST_OK)
		out.error = "connection refused";
	a->http_fn(a->arg, &out);
}

static void
answer(void *arg)
{
	struct ask *a, copy;

	OBJ_CAST(a, arg, ASK_MAGIC);
	copy = *a;
	OBJ_FREE(a); /* who asked forgets it in its function */
	if (copy.dns_fn != NULL)
		answer_dns(&copy);
	else
		answer_http(&copy);
}

/* The host asks at once for the values, of the same world. */
static bool
has_table(const char *name)
{
	OBJ_CHECK(world, CANNED_MAGIC);
	return world->but == NULL || strcmp(world->but, name) != 0;
}

const struct host_net canned_net_tables = {
	.dns = ask_dns,
	.dns_cancel = cancel_dns,
	.http = ask_http,
	.http_cancel = cancel_http,
	.table = has_table,
};

const struct host_net canned_net = {
	.dns = ask_dns,
	.dns_cancel = cancel_dns,
	.http = ask_http,
	.http_cancel = cancel_http,
};

struct dns *
canned_dns(struct canned *c)
{
	return (struct dns *)(void *)c;
}

void
canned_latest(struct canned *c)
{
	OBJ_CHECK(c, CANNED_MAGIC);
	c->latest = true;
}

void
canned_empty(struct canned *c, const char *but)
{
	OBJ_CHECK(c, CANNED_MAGIC);
	c->empty = true;
	c->but = but;
}

void
canned_fail(struct canned *c, unsigned n, enum canned_fault how)
{
	OBJ_CHECK(c, CANNED_MAGIC);
	c->fail_at = n == 0 ? 0 : c->asked + n;
	c->fault = how;
}

unsigned
canned_asked(const struct canned *c)
{
	return c->asked;
}

struct str
canned_requests(const struct canned *c)
{
	return buf_str(&c->requests);
}

struct str
canned_unknown(const struct canned *c)
{
	return buf_str(&c->unknown);
}

void
canned_forget(struct canned *c)
{
	buf_reset(&c->unknown);
}

/* ---- The plugin behind `lookup` ---------------------------------------- */

static enum pst_verdict
got_values(struct pst_event *ev, const struct pst_result *res)
{
	struct pst_lookup *q = ev->arg;
	struct pst_str *item;
	uint32_t i;

	if (res->status != PST_OK && res->status != PST_NOTFOUND)
		return pst_tempfail(ev, 451, "4.3.0", "%s", res->error);
	q->count = 0;
	if (res->status == PST_NOTFOUND || res->count == 0)
		return PST_CONTINUE;
	item = pst_alloc(ev, PST_EVENT, res->count * sizeof(*item));
	if (item == NULL)
		return PST_TEMPFAIL;
	for (i = 0; i < res->count; i++) {
		char *p = pst_alloc(ev, PST_EVENT, res->item[i].n + 1);

		if (p == NULL)
			return PST_TEMPFAIL;
		memcpy(p, res->item[i].p, res->item[i].n);
		item[i] = (struct pst_str){ p, res->item[i].n };
	}
	q->item = item;
	q->count = res->count;
	q->ttl = res->ttl;
	return PST_CONTINUE;
}

static enum pst_verdict
get(struct pst_event *ev)
{
	const struct pst_lookup *q = ev->arg;
	struct pst_http ask = { .size = sizeof(ask), .method = "LOOKUP",
		.url = "http://table.stub/", .content_type = ev->instance,
		.body = q->key };

	return pst_http(ev, &ask, got_values);
}

static const struct pst_hook table_hooks[] = {
	PST_HOOK(PST_LOOKUP_GET, get), PST_END
};

const struct pst_plugin canned_table = {
	.magic = PST_MAGIC,
	.size = sizeof(struct pst_plugin),
	.abi_major = PST_ABI_MAJOR,
	.hook_size = sizeof(struct pst_hook),
	.option_size = sizeof(struct pst_option),
	.name = "stub_table",
	.version = "1.0",
	.summary = "Tables of a posternstub script",
	.license = "",
	.hooks = table_hooks,
};

#include "host/http.h"

#include <sys/stat.h>

#include "base/coll.h"
#include "base/file.h"
#include "base/obj.h"
#include "host/httpin.h"
#include "host/httpout.h"
#include "net/stream.h"
#include "tls/tlsio.h"
#include "tls/tlstrust.h"

#define HTTP_MAGIC 0x4177e001u
#define HTTP_CLIENT_MAGIC 0x4177e002u
#define HTTP_ADDRS 8
#define HTTP_ROOT_FILES 16
#define HTTP_ROOTS_MAX (16 * 1024 * 1024)

/* A file of roots, as it was when it was read. */
struct roots {
	char *path;
	struct stat looks;
	struct tlstrust *trust;
};

struct http_client {
	unsigned magic;
	struct loop *loop;
	struct dns *dns;
	struct tlsctx *ctx;
	struct roots roots[HTTP_ROOT_FILES];
	unsigned nroots, evict;
	unsigned active, waiting, alive;
	TAILQ_HEAD(, http) queue;
	struct loop_timer next;
};

struct http {
	unsigned magic;
	struct http_client *c;
	http_fn *fn;
	void *arg;
	char *url_text, *ca_file, *host;
	struct httpurl url;
	struct buf out;
	struct httpin in;
	struct tlswant want;
	msec time;
	struct loop_timer timer;
	struct dns_query *query[2];
	struct sock_addr addr[HTTP_ADDRS];
	unsigned naddr, at;
	struct stream_connect *connect;
	struct stream *stream;
	struct tlsio *tls;
	bool counted, waiting, over;
	enum pst_status status; /* of what ends it before it began */
	struct err why;
	TAILQ_ENTRY(http) link;
};

static void	prepare(struct http *, const struct pst_http *);
static void	on_next(void *);
static void	on_refused(void *);
static void	on_late(void *);
static void	begin(struct http *);
static void	got_addresses(void *, const struct dns_answer *, unsigned);
static void	got_a(void *, const struct dns_answer *);
static void	got_aaaa(void *, const struct dns_answer *);
static void	try_next(struct http *);
static void	on_connected(void *, struct stream *, const struct err *);
static void	tls_begin(struct http *);
static void	on_handshake(void *, bool, const struct err *);
static void	send_request(struct http *);
static void	on_input(void *);
static void	on_closed(void *, enum stream_end, const struct err *);
static void	finish(struct http *, enum pst_status);
static void	detach(struct http *);
static void	reap(void *);
static struct tlstrust *roots_of(struct http_client *, const char *,
		    struct err *);
static void	roots_drop(struct roots *);

static const struct stream_ops stream_ops = { .input = on_input,
	.closed = on_closed };

struct http_client *
http_client_new(struct loop *l, struct dns *d)
{
	struct http_client *c;

	OBJ_NEW(c, HTTP_CLIENT_MAGIC);
	c->loop = l;
	c->dns = d;
	TAILQ_INIT(&c->queue);
	loop_timer_init(l, &c->next, on_next, c);
	return c;
}

void
http_client_destroy(struct http_client **cp)
{
	struct http_client *c = *cp;

	if (c == NULL)
		return;
	OBJ_CHECK(c, HTTP_CLIENT_MAGIC);
	ASSERT(c->alive == 0);
	loop_timer_clear(&c->next);
	while (c->nroots > 0)
		roots_drop(&c->roots[--c->nroots]);
	tlsctx_unref(&c->ctx);
	OBJ_FREE(c);
	*cp = NULL;
}

struct http *
http_start(struct http_client *c, const struct pst_http *q, http_fn *fn,
    void *arg)
{
	struct http *h;

	OBJ_NEW(h, HTTP_MAGIC);
	h->c = c;
	h->fn = fn;
	h->arg = arg;
	h->time = q->timeout_ms > 0 ? (msec)q->timeout_ms : HTTP_TIMEOUT;
	c->alive++;
	loop_timer_init(c->loop, &h->timer, on_late, h);
	prepare(h, q);
	if (h->status == PST_OK && c->waiting == HTTP_WAITING) {
		(void)err_text(&h->why, "too many requests are waiting");
		h->status = PST_TEMPERR;
	}
	if (h->status != PST_OK) {
		loop_defer(c->loop, on_refused, h);
		return h;
	}
	loop_timer_set(&h->timer, h->time);
	TAILQ_INSERT_TAIL(&c->queue, h, link);
	h->waiting = true;
	c->waiting++;
	if (c->active < HTTP_AT_ONCE)
		loop_timer_set(&c->next, 0);
	return h;
}

void
http_cancel(struct http **hp)
{
	struct http *h = *hp;

	if (h == NULL)
		return;
	OBJ_CHECK(h, HTTP_MAGIC);
	*hp = NULL;
	detach(h);
}

/* What can be said before anybody is asked. */
static void
prepare(struct http *h, const struct pst_http *q)
{
	uint32_t max = q->max > 0 ? q->max : HTTP_BODY_MAX;

	h->url_text = mem_strdup(q->url != NULL ? q->url : "");
	if (q->ca_file != NULL)
		h->ca_file = mem_strdup(q->ca_file);
	buf_init(&h->out, HTTPOUT_HEAD_MAX + HTTPOUT_BODY_MAX);
	if (httpurl_read(&h->url, str_c(h->url_text), &h->why) != 0 ||
	    httpout_write(&h->out, q, &h->url, &h->why) != 0) {
		httpin_init(&h->in, max, false, false);
		h->status = PST_FAILED;
		return;
	}
	h->host = mem_strndup(h->url.host.p, h->url.host.n);
	httpin_init(&h->in, max, strcmp(httpout_method(q), "HEAD") == 0,
	    h->url.tls);
}

static void
on_next(void *arg)
{
	struct http_client *c;
	struct http *h;

	OBJ_CAST(c, arg, HTTP_CLIENT_MAGIC);
	while (c->active < HTTP_AT_ONCE &&
	    (h = TAILQ_FIRST(&c->queue)) != NULL) {
		TAILQ_REMOVE(&c->queue, h, link);
		h->waiting = false;
		c->waiting--;
		h->counted = true;
		c->active++;
		begin(h);
	}
}

static void
on_refused(void *arg)
{
	struct http *h;

	OBJ_CAST(h, arg, HTTP_MAGIC);
	if (!h->over)
		finish(h, h->status);
	reap(h);
}

static void
on_late(void *arg)
{
	struct http *h;

	OBJ_CAST(h, arg, HTTP_MAGIC);
	(void)err_text(&h->why, h->waiting ? "no connection to %s was free "
	    "in time" : "%s did not answer in time", h->host);
	finish(h, PST_TIMEOUT);
}

/* May finish it, but only from the loop: on_next() calls it. */
static void
begin(struct http *h)
{
	struct dns *d = h->c->dns;

	if (h->url.literal) {
		(void)sock_addr_ip(h->url.host, h->url.port, &h->addr[0],
		    NULL);
		h->naddr = 1;
		try_next(h);
	} else if (d == NULL) {
		(void)err_text(&h->why, "there is no resolver for %s",
		    h->host);
		finish(h, PST_TEMPERR);
	} else {
		h->query[0] = dns_ask(d, h->host, DNS_A, got_a, h);
		h->query[1] = dns_ask(d, h->host, DNS_AAAA, got_aaaa, h);
	}
}

static void
got_a(void *arg, const struct dns_answer *a)
{
	got_addresses(arg, a, 0);
}

static void
got_aaaa(void *arg, const struct dns_answer *a)
{
	got_addresses(arg, a, 1);
}

/* IPv4 stands in front, whichever came first. */
static void
got_addresses(void *arg, const struct dns_answer *a, unsigned which)
{
	struct sock_addr add[HTTP_ADDRS];
	unsigned n = 0, keep, i;
	struct http *h;

	OBJ_CAST(h, arg, HTTP_MAGIC);
	h->query[which] = NULL;
	for (i = 0; a->status == DNS_OK && i < a->n && n < HTTP_ADDRS / 2;
	     i++) {
		memset(&add[n], 0, sizeof(add[n]));
		if (a->rr[i].type == DNS_A && a->rr[i].len == 4) {
			add[n].in.sin_family = AF_INET;
			add[n].in.sin_port = htons(h->url.port);
			memcpy(&add[n].in.sin_addr, a->rr[i].data, 4);
			add[n++].len = sizeof(add[0].in);
		} else if (a->rr[i].type == DNS_AAAA && a->rr[i].len == 16) {
			add[n].in6.sin6_family = AF_INET6;
			add[n].in6.sin6_port = htons(h->url.port);
			memcpy(&add[n].in6.sin6_addr, a->rr[i].data, 16);
			add[n++].len = sizeof(add[0].in6);
		}
	}
	keep = which == 0 ? h->naddr : 0;
	memmove(&h->addr[n], &h->addr[0], keep * sizeof(add[0]));
	memcpy(which == 0 ? &h->addr[0] : &h->addr[h->naddr], add,
	    n * sizeof(add[0]));
	h->naddr += n;
	if (a->status == DNS_FAIL || a->status == DNS_BOGUS)
		(void)err_text(&h->why, "%s: %s", h->host,
		    a->why != NULL ? a->why : "no answer from the resolver");
	if (h->query[0] == NULL && h->query[1] == NULL)
		try_next(h);
}

static void
try_next(struct http *h)
{
	if (h->at < h->naddr) {
		err_clear(&h->why);
		h->at++;
		h->connect = stream_connect(h->c->loop, &h->addr[h->at - 1],
		    NULL, h->at < h->naddr ? h->time / 3 : h->time,
		    on_connected, h);
		return;
	}
	if (h->naddr == 0 && h->why.text[0] == '\0')
		(void)err_text(&h->why, "%s has no address", h->host);
	finish(h, PST_TEMPERR);
}

static void
on_connected(void *arg, struct stream *s, const struct err *why)
{
	char to[SOCK_TEXT_MAX];
	struct http *h;

	OBJ_CAST(h, arg, HTTP_MAGIC);
	h->connect = NULL;
	if (s == NULL) {
		(void)sock_addr_text(&h->addr[h->at - 1], to, sizeof(to));
		if (h->at < h->naddr) {
			try_next(h);
			return;
		}
		(void)err_text(&h->why, "%s: %s", to, why->text);
		finish(h, PST_TEMPERR);
		return;
	}
	h->stream = s;
	stream_ops_set(s, &stream_ops, h);
	if (h->url.tls)
		tls_begin(h);
	else
		send_request(h);
}

static void
tls_begin(struct http *h)
{
	struct tlsctx_conf conf = { .server = false };
	struct http_client *c = h->c;
	struct tlsio_client client = { .want = &h->want,
		.domain = h->url.host, .step = TLS_STEP_FULL };

	h->want = (struct tlswant){ .level = TLSWANT_REQUIRED_VERIFY,
		.match = TLSWANT_MATCH_DOMAIN };
	client.sni = h->url.literal ? NULL : h->host;
	if (c->ctx == NULL && tlsctx_new(&c->ctx, &conf, &h->why) != 0) {
		finish(h, PST_TEMPERR);
		return;
	}
	client.trust = roots_of(c, h->ca_file != NULL ? h->ca_file :
	    HTTP_ROOTS, &h->why);
	if (client.trust == NULL) {
		finish(h, PST_TEMPERR);
		return;
	}
	h->tls = tlsio_start(h->stream, c->ctx, &client, on_handshake, h);
}

static void
on_handshake(void *arg, bool ok, const struct err *why)
{
	const struct tls_failure *f;
	struct http *h;

	OBJ_CAST(h, arg, HTTP_MAGIC);
	if (ok && tlsio_info(h->tls)->verified) {
		send_request(h);
		return;
	}
	f = tlsio_failure(h->tls);
	(void)err_text(&h->why, "TLS with %s: %s%s%s", h->host,
	    f->reason != TLSR_NONE ? tls_reason_text(f->reason) :
	    why != NULL ? why->text : "not verified",
	    f->names[0] != '\0' ? ": " : "", f->names);
	finish(h, PST_TEMPERR);
}

static void
send_request(struct http *h)
{
	stream_write(h->stream, buf_p(&h->out), buf_len(&h->out));
	buf_fini(&h->out);
	buf_init(&h->out, 0);
}

static void
on_input(void *arg)
{
	enum httpin_status st;
	struct http *h;
	struct str in;
	size_t used;

	OBJ_CAST(h, arg, HTTP_MAGIC);
	in = stream_in(h->stream);
	st = httpin_feed(&h->in, in.p, in.n, &used, &h->why);
	if (st == HTTPIN_DONE) {
		finish(h, PST_OK);
	} else if (st == HTTPIN_BAD) {
		(void)err_prefix(&h->why, "%s: ", h->host);
		finish(h, PST_TEMPERR);
	} else {
		stream_consume(h->stream, in.n);
	}
}

static void
on_closed(void *arg, enum stream_end how, const struct err *why)
{
	struct http *h;

	OBJ_CAST(h, arg, HTTP_MAGIC);
	if (how == STREAM_EOF && httpin_eof(&h->in, &h->why) == HTTPIN_DONE) {
		finish(h, PST_OK);
		return;
	}
	if (how != STREAM_EOF)
		(void)err_text(&h->why, "%s", why != NULL ? why->text :
		    "the connection broke");
	(void)err_prefix(&h->why, "%s: ", h->host);
	finish(h, PST_TEMPERR);
}

static void
finish(struct http *h, enum pst_status status)
{
	struct pst_result r = { .size = sizeof(r), .status = status };
	struct pst_str body = { "", 0 };

	if (status == PST_OK) {
		body.p = buf_p(&h->in.body);
		body.n = buf_len(&h->in.body);
		r.code = h->in.code;
		r.count = 1;
		r.item = &body;
	} else {
		r.error = h->why.text;
	}
	detach(h);
	h->fn(h->arg, &r);
}

/* Nothing of it is heard of any more; what holds it may be on the stack. */
static void
detach(struct http *h)
{
	struct http_client *c = h->c;
	unsigned i;

	if (h->over)
		return;
	h->over = true;
	loop_timer_clear(&h->timer);
	for (i = 0; i < 2; i++)
		dns_cancel(&h->query[i]);
	stream_connect_cancel(&h->connect);
	stream_destroy(&h->stream);
	if (h->waiting) {
		TAILQ_REMOVE(&c->queue, h, link);
		h->waiting = false;
		c->waiting--;
	}
	if (h->counted)
		c->active--;
	h->counted = false;
	c->alive--;
	if (c->waiting > 0)
		loop_timer_set(&c->next, 0);
	/* on_refused() is on its way, and frees it. */
	if (h->status == PST_OK)
		loop_defer(c->loop, reap, h);
}

static void
reap(void *arg)
{
	struct http *h;

	OBJ_CAST(h, arg, HTTP_MAGIC);
	httpin_fini(&h->in);
	buf_fini(&h->out);
	mem_free(h->url_text);
	mem_free(h->ca_file);
	mem_free(h->host);
	OBJ_FREE(h);
}

/* Those of a file, read again when it has changed. */
static struct tlstrust *
roots_of(struct http_client *c, const char *path, struct err *why)
{
	struct roots *r = NULL;
	struct tlstrust *t;
	struct stat st;
	struct buf pem;
	unsigned i;

	if (stat(path, &st) != 0) {
		(void)err_errno(why, "%s", path);
		return NULL;
	}
	for (i = 0; i < c->nroots && r == NULL; i++) {
		if (strcmp(c->roots[i].path, path) == 0)
			r = &c->roots[i];
	}
	if (r != NULL && r->looks.st_ino == st.st_ino &&
	    r->looks.st_size == st.st_size &&
	    r->looks.st_mtim.tv_sec == st.st_mtim.tv_sec &&
	    r->looks.st_mtim.tv_nsec == st.st_mtim.tv_nsec)
		return r->trust;
	buf_init(&pem, HTTP_ROOTS_MAX);
	t = tlstrust_new();
	if (file_read(&pem, path, why) != 0 ||
	    tlstrust_roots(t, buf_str(&pem), path, why) != 0)
		tlstrust_unref(&t);
	buf_fini(&pem);
	if (t == NULL)
		return NULL;
	if (r == NULL && c->nroots < HTTP_ROOT_FILES) {
		r = &c->roots[c->nroots++];
	} else {
		if (r == NULL)
			r = &c->roots[c->evict++ % HTTP_ROOT_FILES];
		roots_drop(r);
	}
	*r = (struct roots){ mem_strdup(path), st, t };
	return t;
}

static void
roots_drop(struct roots *r)
{
	mem_free(r->path);
	tlstrust_unref(&r->trust);
}

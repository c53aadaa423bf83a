#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "host/http.h"
#include "net/listen.h"
#include "net/stream.h"
#include "pki.h"
#include "tls/tlsio.h"
#include "unit.h"

#define PEERS 256
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* A web server that says `says` after the blank line of a request. */
struct peer {
	struct stream *s;
	struct buf got;
	bool answered;
};

static struct loop *loop;
static struct http_client *client;
static struct listen *listening;
static int fd = -1;
static uint16_t port;
static struct tlsctx *tls;
static struct peer peers[PEERS];
static unsigned npeers, open_now, open_most;
static const char *says;
static bool hangs_up;

struct asked {
	struct http *h;
	unsigned done;
	enum pst_status status;
	unsigned code;
	char body[256], error[512];
};

static void
peer_input(void *arg)
{
	struct peer *p = arg;
	struct str in = stream_in(p->s);

	ck_assert_int_eq(buf_add(&p->got, in.p, in.n), 0);
	stream_consume(p->s, in.n);
	if (says == NULL || p->answered ||
	    strstr(buf_p(&p->got), "\r\n\r\n") == NULL)
		return;
	p->answered = true;
	stream_write(p->s, says, strlen(says));
	if (hangs_up)
		stream_finish(p->s);
}

static void
peer_closed(void *arg, enum stream_end how, const struct err *why)
{
	struct peer *p = arg;

	(void)how;
	(void)why;
	stream_destroy(&p->s);
	open_now--;
}

static void
peer_shaken(void *arg, bool ok, const struct err *why)
{
	struct peer *p = arg;

	(void)why;
	if (!ok) {
		stream_destroy(&p->s);
		open_now--;
	}
}

static void
on_accept(void *arg, int conn, const struct sock_addr *from)
{
	static const struct stream_ops ops = { .input = peer_input,
		.closed = peer_closed };
	struct peer *p = &peers[npeers++];

	(void)arg;
	(void)from;
	ck_assert_uint_le(npeers, PEERS);
	buf_init(&p->got, 1 << 20);
	p->s = stream_new(loop, conn, 65536, &ops, p);
	open_now++;
	if (open_now > open_most)
		open_most = open_now;
	if (tls != NULL)
		(void)tlsio_start(p->s, tls, NULL, peer_shaken, p);
}

static void
begin(void)
{
	struct sock_addr a;

	loop = loop_new();
	client = http_client_new(loop, NULL);
	ck_assert_int_eq(sock_addr_ip(STR("127.0.0.1"), 0, &a, NULL), 0);
	ck_assert_int_eq(sock_listen(&a, 1024, &fd, NULL), 0);
	ck_assert_int_eq(sock_local(fd, &a), 0);
	port = sock_addr_port(&a);
	listening = listen_start(loop, fd, on_accept, NULL);
	says = ANSWER;
}

static void
end(void)
{
	unsigned i;

	http_client_destroy(&client);
	for (i = 0; i < npeers; i++) {
		stream_destroy(&peers[i].s);
		buf_fini(&peers[i].got);
	}
	listen_stop(&listening);
	file_close(&fd);
	tlsctx_unref(&tls);
	loop_destroy(&loop);
}

static void
got(void *arg, const struct pst_result *r)
{
	struct asked *a = arg;

	a->h = NULL;
	a->done++;
	a->status = r->status;
	a->code = r->code;
	ck_assert((r->error == NULL) == (r->status == PST_OK));
	if (r->error != NULL)
		(void)str_copy(a->error, sizeof(a->error), str_c(r->error));
	if (r->count > 0)
		(void)str_copy(a->body, sizeof(a->body),
		    str_n(r->item[0].p, r->item[0].n));
}

static const char *
url(const char *scheme, const char *host)
{
	static char text[512];

	(void)snprintf(text, sizeof(text), "%s://%s:%u/x", scheme, host,
	    port);
	return text;
}

static void
ask(struct asked *a, const struct pst_http *q)
{
	memset(a, 0, sizeof(*a));
	a->h = http_start(client, q, got, a);
	ck_assert_uint_eq(a->done, 0);
	while (a->done == 0)
		loop_once(loop, true);
}

START_TEST(asks_and_gets_an_answer)
{
	struct pst_http q = { .size = sizeof(q), .url = url("http",
	    "127.0.0.1"), .body = { "abc", 3 } };
	struct asked a;

	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_OK);
	ck_assert_uint_eq(a.code, 200);
	ck_assert_str_eq(a.body, "hello");
	ck_assert_ptr_eq(strstr(buf_p(&peers[0].got), "POST /x HTTP/1.1\r\n"),
	    buf_p(&peers[0].got));
	says = "HTTP/1.1 503 no\r\n\r\nup to the end";
	hangs_up = true;
	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_OK);
	ck_assert_uint_eq(a.code, 503);
	ck_assert_str_eq(a.body, "up to the end");
}
END_TEST

START_TEST(tells_what_is_wrong_with_a_request)
{
	struct pst_http q = { .size = sizeof(q), .url = "gopher://x/" };
	struct asked a;

	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_FAILED);
	ck_assert_str_eq(a.error, "a URL begins with http:// or https://");
	q.url = NULL;
	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_FAILED);
	q.url = "http://127.0.0.1/";
	q.headers = "Host: x";
	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_FAILED);
	/* Without a resolver. */
	q.headers = NULL;
	q.url = "http://a.example/";
	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_TEMPERR);
	ck_assert_str_eq(a.error, "there is no resolver for a.example");
	ck_assert_uint_eq(npeers, 0);
}
END_TEST

START_TEST(tells_what_became_of_the_connection)
{
	struct pst_http q = { .size = sizeof(q), .url = url("http",
	    "127.0.0.1"), .max = 4 };
	struct asked a;

	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_TEMPERR);
	ck_assert_str_eq(a.error,
	    "127.0.0.1: the answer is larger than 4 octets");
	says = "220 mx.example ESMTP\r\n";
	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_TEMPERR);
	ck_assert_str_eq(a.error, "127.0.0.1: the answer is not HTTP");
	says = "";
	hangs_up = true;
	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_TEMPERR);
	ck_assert_str_eq(a.error,
	    "127.0.0.1: the connection ended without an answer");
	listen_stop(&listening);
	file_close(&fd);
	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_TEMPERR);
	ck_assert_ptr_nonnull(strstr(a.error, "Connection refused"));
}
END_TEST

START_TEST(a_slow_server_has_only_so_much_time)
{
	struct pst_http q = { .size = sizeof(q), .url = url("http",
	    "127.0.0.1"), .timeout_ms = 50 };
	struct asked a;

	says = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell";
	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_TIMEOUT);
	ck_assert_str_eq(a.error, "127.0.0.1 did not answer in time");
	q.timeout_ms = 1;
	says = NULL;
	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_TIMEOUT);
}
END_TEST

START_TEST(a_cancelled_request_is_never_heard_of)
{
	struct pst_http q = { .size = sizeof(q), .url = url("http",
	    "127.0.0.1") }, bad = { .size = sizeof(bad), .url = "x" };
	struct asked a, b, c, d;
	int i;

	memset(&a, 0, sizeof(a));
	b = c = d = a;
	a.h = http_start(client, &q, got, &a);
	b.h = http_start(client, &bad, got, &b);
	c.h = http_start(client, &q, got, &c);
	d.h = http_start(client, &q, got, &d);
	http_cancel(&a.h);
	http_cancel(&b.h);
	ck_assert_ptr_null(a.h);
	says = NULL;
	while (npeers < 2 || buf_len(&peers[0].got) == 0)
		loop_once(loop, true);
	http_cancel(&c.h);
	http_cancel(&d.h);
	http_cancel(&d.h);
	for (i = 0; i < 20; i++)
		loop_once(loop, false);
	ck_assert_uint_eq(a.done + b.done + c.done + d.done, 0);
}
END_TEST

START_TEST(has_64_connections_at_once_and_1024_waiting)
{
	static struct asked a[HTTP_AT_ONCE + HTTP_WAITING + 1];
	unsigned n = HTTP_AT_ONCE + HTTP_WAITING + 1, i, done = 0;
	struct pst_http q = { .size = sizeof(q), .url = url("http",
	    "127.0.0.1") };

	says = NULL;
	for (i = 0; i < HTTP_AT_ONCE; i++)
		a[i].h = http_start(client, &q, got, &a[i]);
	while (npeers < HTTP_AT_ONCE)
		loop_once(loop, true);
	for (; i < n; i++)
		a[i].h = http_start(client, &q, got, &a[i]);
	while (a[n - 1].done == 0)
		loop_once(loop, true);
	ck_assert_int_eq(a[n - 1].status, PST_TEMPERR);
	ck_assert_str_eq(a[n - 1].error, "too many requests are waiting");
	ck_assert_uint_eq(open_most, HTTP_AT_ONCE);
	/* One ends, the next begins. */
	http_cancel(&a[0].h);
	while (npeers < HTTP_AT_ONCE + 1)
		loop_once(loop, true);
	ck_assert_uint_le(open_most, HTTP_AT_ONCE + 1);
	for (i = 0; i < n; i++) {
		http_cancel(&a[i].h);
		done += a[i].done;
	}
	ck_assert_uint_eq(done, 1);
}
END_TEST

static void
serve_tls(const char *file, const char *san, unsigned flags)
{
	const char *path = pki_issue(file, san, flags);
	struct tlsctx_conf c = { .server = true, .cert_file = path,
		.key_file = path };

	tlsctx_unref(&tls);
	ck_assert_int_eq(tlsctx_new(&tls, &c, NULL), 0);
}

static const struct {
	const char *name, *san;
	unsigned flags;
	const char *error; /* NULL: it is well */
} servers[] = {
	{ "right", "IP:127.0.0.1", 0, NULL },
	{ "name", "DNS:web.example,IP:127.0.0.2", 0, "name" },
	{ "old", "IP:127.0.0.1", PKI_EXPIRED, "expired" },
	{ "self", "IP:127.0.0.1", PKI_SELF, "self-signed" },
	{ "purpose", "IP:127.0.0.1", PKI_CLIENT_ONLY, "" },
};

START_TEST(judges_certificate_of_server)
{
	struct pst_http q = { .size = sizeof(q) };
	struct asked a;

	pki_start();
	serve_tls(servers[_i].name, servers[_i].san, servers[_i].flags);
	q.url = url("https", "127.0.0.1");
	q.ca_file = pki_ca();
	ask(&a, &q);
	if (servers[_i].error == NULL) {
		ck_assert_str_eq(a.error, "");
		ck_assert_int_eq(a.status, PST_OK);
		ck_assert_str_eq(a.body, "hello");
		ask(&a, &q); /* roots from memory */
		ck_assert_int_eq(a.status, PST_OK);
		says = "HTTP/1.1 200 OK\r\n\r\nno length";
		hangs_up = true;
		ask(&a, &q);
		ck_assert_int_eq(a.status, PST_TEMPERR);
		ck_assert_str_eq(a.error,
		    "127.0.0.1: the answer has no length");
	} else {
		ck_assert_int_eq(a.status, PST_TEMPERR);
		ck_assert_ptr_nonnull(strstr(a.error, "TLS with 127.0.0.1"));
		ck_assert_ptr_nonnull(strstr(a.error, servers[_i].error));
		ck_assert_uint_eq(buf_len(&peers[0].got), 0);
	}
	pki_stop();
}
END_TEST

/* Two addresses of which one refuses, and a name in the certificate. */
START_TEST(asks_the_resolver_for_a_name)
{
	struct dns_conf conf = { .timeout = SECONDS(5) };
	struct pst_http q = { .size = sizeof(q) };
	struct dns *dns = NULL;
	struct asked a;

	pki_start();
	conf.records = pki_path("records");
	pki_write(conf.records, "web.example. A 127.0.0.9\n"
	    "web.example. A 127.0.0.1\nother.example. A 127.0.0.1\n"
	    "none.example. MX 1 web.example.\n. SOA . . 1 1 1 1 1\n");
	ck_assert_int_eq(dns_new(&dns, loop, &conf, NULL), 0);
	http_client_destroy(&client);
	client = http_client_new(loop, dns);
	serve_tls("web", "DNS:web.example", 0);
	q.ca_file = pki_ca();
	q.url = url("https", "web.example");
	ask(&a, &q);
	ck_assert_str_eq(a.error, "");
	ck_assert_str_eq(a.body, "hello");
	q.url = url("https", "other.example");
	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_TEMPERR);
	ck_assert_ptr_nonnull(strstr(a.error, "other.example != web.example"));
	q.url = url("http", "none.example");
	ask(&a, &q);
	ck_assert_str_eq(a.error, "none.example has no address");
	q.url = url("http", "nothing.example");
	ask(&a, &q);
	ck_assert_str_eq(a.error, "nothing.example has no address");
	dns_destroy(&dns);
	pki_stop();
}
END_TEST

START_TEST(trusts_the_roots_that_are_named_alone)
{
	struct pst_http q = { .size = sizeof(q) };
	const char *other;
	struct asked a;
	unsigned i;

	pki_start();
	serve_tls("right", "IP:127.0.0.1", 0);
	q.url = url("https", "127.0.0.1");
	other = pki_issue("other", "DNS:other.example", PKI_SELF);
	q.ca_file = other;
	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_TEMPERR);
	q.ca_file = "/does/not/exist";
	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_TEMPERR);
	ck_assert_ptr_nonnull(strstr(a.error, "/does/not/exist"));
	/* The file changes: it is read again. More files than are kept. */
	for (i = 0; i < 20; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "roots%u", i);
		q.ca_file = pki_path(name);
		pki_write(q.ca_file, "");
		ask(&a, &q);
		ck_assert_int_eq(a.status, PST_TEMPERR);
	}
	unlink(other);
	ck_assert_int_eq(symlink(pki_ca(), other), 0);
	q.ca_file = other;
	ask(&a, &q);
	ck_assert_int_eq(a.status, PST_OK);
	pki_stop();
}
END_TEST

UNIT_SUITE(http)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, asks_and_gets_an_answer);
	tcase_add_test(tc, tells_what_is_wrong_with_a_request);
	tcase_add_test(tc, tells_what_became_of_the_connection);
	tcase_add_test(tc, a_slow_server_has_only_so_much_time);
	tcase_add_test(tc, a_cancelled_request_is_never_heard_of);
	tcase_add_test(tc, has_64_connections_at_once_and_1024_waiting);
	tcase_add_loop_test(tc, judges_certificate_of_server, 0,
	    sizeof(servers) / sizeof(servers[0]));
	tcase_add_test(tc, asks_the_resolver_for_a_name);
	tcase_add_test(tc, trusts_the_roots_that_are_named_alone);
}

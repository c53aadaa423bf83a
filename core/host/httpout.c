#include "host/httpout.h"

#include <string.h>

#include "base/num.h"
#include "host/httpin.h"
#include "mail/addr.h"
#include "net/sock.h"

static int	read_authority(struct httpurl *, struct str, struct err *);
static int	add_headers(struct buf *, const char *, struct err *);
static bool	is_ours(struct str);

int
httpurl_read(struct httpurl *u_r, struct str url, struct err *why)
{
	struct httpurl u = { .port = 80 };
	struct str rest;
	size_t i;

	if (url.n > HTTPOUT_URL_MAX)
		return err_text(why, "the URL is too long");
	for (i = 0; i < url.n; i++) {
		if (!ch_print(url.p[i]) || url.p[i] == ' ')
			return err_text(why, "a URL has no blanks, controls "
			    "or 8-bit characters");
	}
	if (str_istarts(url, "https://")) {
		u.tls = true;
		u.port = 443;
	} else if (!str_istarts(url, "http://")) {
		return err_text(why, "a URL begins with http:// or https://");
	}
	rest = str_n(url.p + (u.tls ? 8 : 7), url.n - (u.tls ? 8 : 7));
	rest.n = str_find(rest, '#');
	for (i = 0; i < rest.n && rest.p[i] != '/' && rest.p[i] != '?';)
		i++;
	u.path = str_n(rest.p + i, rest.n - i);
	if (read_authority(&u, str_n(rest.p, i), why) != 0)
		return -1;
	*u_r = u;
	return 0;
}

static int
read_authority(struct httpurl *u, struct str a, struct err *why)
{
	struct str port = STR_NULL;
	struct sock_addr addr;
	size_t end;
	uint64_t n;

	if (str_find(a, '@') < a.n)
		return err_text(why, "a URL has no user and password here");
	u->authority = a;
	end = a.n > 0 && a.p[0] == '[' ? str_find(a, ']') + 1 :
	    str_find(a, ':');
	if (end > a.n)
		return err_text(why, "an address without ] in the URL");
	u->host = str_n(a.p, end);
	if (end < a.n && a.p[end] == ':')
		port = str_n(a.p + end + 1, a.n - end - 1);
	else if (end < a.n)
		return err_text(why, "no port behind the ] of the URL");
	if (port.p != NULL) {
		if (num_u64(port, 65535, &n) != 0 || n == 0)
			return err_text(why, "a port that is none in the URL");
		u->port = (uint16_t)n;
	}
	if (a.n > 0 && a.p[0] == '[')
		u->host = str_n(a.p + 1, end - 2);
	u->literal = sock_addr_ip(u->host, u->port, &addr, NULL) == 0;
	if (a.n > 0 && a.p[0] == '[' && !u->literal)
		return err_text(why, "no address between [ and ] of the URL");
	if (!u->literal && !domain_valid(u->host, false))
		return err_text(why, "the URL has no host name");
	return 0;
}

const char *
httpout_method(const struct pst_http *q)
{
	if (q->method != NULL)
		return q->method;
	return q->body.n > 0 ? "POST" : "GET";
}

int
httpout_write(struct buf *dst, const struct pst_http *q,
    const struct httpurl *url, struct err *why)
{
	const char *method = httpout_method(q);
	const char *slash = url->path.n > 0 && url->path.p[0] == '/' ? "" :
	    "/";
	int r;

	if (!httpin_token(str_c(method)) || strlen(method) > 32 ||
	    strcmp(method, "CONNECT") == 0)
		return err_text(why, "no such method");
	if (q->content_type != NULL && !httpin_text(str_c(q->content_type)))
		return err_text(why, "controls in the content type");
	if (q->body.n > HTTPOUT_BODY_MAX)
		return err_text(why, "the body is too large");
	r = buf_printf(dst, "%s %s%.*s HTTP/1.1\r\nHost: %.*s\r\n"
	    "User-Agent: Postern/" PACKAGE_VERSION "\r\nAccept: */*\r\n"
	    "Connection: close\r\n", method, slash, STR_FMT(url->path),
	    STR_FMT(url->authority));
	if (q->content_type != NULL)
		r |= buf_printf(dst, "Content-Type: %s\r\n", q->content_type);
	if (q->body.n > 0 || strcmp(method, "POST") == 0 ||
	    strcmp(method, "PUT") == 0)
		r |= buf_printf(dst, "Content-Length: %zu\r\n", q->body.n);
	if (add_headers(dst, q->headers, why) != 0)
		return -1;
	r |= buf_add_c(dst, "\r\n");
	if (r < 0 || buf_len(dst) > HTTPOUT_HEAD_MAX ||
	    buf_add(dst, q->body.p, q->body.n) != 0)
		return err_text(why, "the head of the request is too large");
	return 0;
}

static int
add_headers(struct buf *dst, const char *lines, struct err *why)
{
	struct str rest = str_c(lines), line, name, value;
	size_t colon;

	while (str_split(&rest, '\n', &line)) {
		if (line.n == 0)
			continue;
		colon = str_find(line, ':');
		name = str_n(line.p, colon);
		if (colon == line.n || !httpin_token(name) || is_ours(name))
			return err_text(why, "not a field that a request may "
			    "have");
		value = str_trim(str_n(line.p + colon + 1,
		    line.n - colon - 1));
		if (!httpin_text(value))
			return err_text(why, "controls in a field of the "
			    "request");
		if (buf_printf(dst, "%.*s: %.*s\r\n", STR_FMT(name),
			STR_FMT(value)) < 0)
			return err_text(why, "the head of the request is too "
			    "large");
	}
	return 0;
}

/* What says where a request ends, and whose it is. */
static bool
is_ours(struct str name)
{
	static const char *const names[] = { "Host", "Connection",
		"Content-Length", "Transfer-Encoding", "Upgrade", "TE",
		"Trailer", "Expect" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_ieq_c(name, names[i]))
			return true;
	}
	return false;
}

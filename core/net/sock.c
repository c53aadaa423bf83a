#include "net/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/coll.h"
#include "base/file.h"
#include "base/num.h"

static bool sock_v4(const struct sock_addr *a, unsigned char ip[4]);
static unsigned sock_bytes(const struct sock_addr *a, unsigned char ip[16]);
static int sock_split(
    struct str text, struct str *ip_r, struct str *port_r, struct err *why);
static void sock_nodelay(int fd);

int
sock_addr_ip(
    struct str ip, uint16_t port, struct sock_addr *a_r, struct err *why)
{
	char text[SOCK_IP_MAX];
	struct sock_addr a;

	memset(&a, 0, sizeof(a));
	if (ip.n > 2 && ip.p[0] == '[' && ip.p[ip.n - 1] == ']')
		ip = str_n(ip.p + 1, ip.n - 2);
	if (memchr(ip.p, '\0', ip.n) != NULL ||
	    !str_copy(text, sizeof(text), ip))
		return err_text(why, "not an IP address");
	if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1) {
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons(port);
		a.len = sizeof(a.in);
	} else if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) == 1) {
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons(port);
		a.len = sizeof(a.in6);
	} else {
		return err_text(why, "\"%s\" is not an IP address", text);
	}
	*a_r = a;
	return 0;
}

int
sock_addr_parse(struct str text, uint16_t default_port, struct sock_addr *a_r,
    struct err *why)
{
	struct str ip, port;
	uint64_t n = default_port;

	if (sock_split(text, &ip, &port, why) < 0)
		return -1;
	if (port.p != NULL && (num_u64(port, 65535, &n) < 0 || n == 0))
		return err_text(
		    why, "\"%.*s\" is not a port number", STR_FMT(port));
	if (str_eq_c(ip, "*"))
		ip = STR("0.0.0.0");
	return sock_addr_ip(ip, (uint16_t)n, a_r, why);
}

const char *
sock_addr_ip_text(const struct sock_addr *a, char *dst, size_t n)
{
	unsigned char ip[4];
	const char *text = NULL;

	if (sock_v4(a, ip))
		text = inet_ntop(AF_INET, ip, dst, (socklen_t)n);
	else if (a->sa.sa_family == AF_INET6)
		text =
		    inet_ntop(AF_INET6, &a->in6.sin6_addr, dst, (socklen_t)n);
	if (text == NULL)
		(void)snprintf(dst, n, "local");
	return dst;
}

const char *
sock_addr_text(const struct sock_addr *a, char *dst, size_t n)
{
	char ip[SOCK_IP_MAX];
	unsigned port = sock_addr_port(a);

	(void)sock_addr_ip_text(a, ip, sizeof(ip));
	if (a->sa.sa_family != AF_INET && a->sa.sa_family != AF_INET6)
		(void)snprintf(dst, n, "%s", ip);
	else if (strchr(ip, ':') != NULL)
		(void)snprintf(dst, n, "[%s]:%u", ip, port);
	else
		(void)snprintf(dst, n, "%s:%u", ip, port);
	return dst;
}

uint16_t
sock_addr_port(const struct sock_addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohs(a->in.sin_port);
	if (a->sa.sa_family == AF_INET6)
		return ntohs(a->in6.sin6_port);
	return 0;
}

bool
sock_addr_loopback(const struct sock_addr *a)
{
	unsigned char ip[4];

	if (sock_v4(a, ip))
		return ip[0] == 127;
	return a->sa.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

bool
sock_addr_eq_ip(const struct sock_addr *a, const struct sock_addr *b)
{
	unsigned char x[16], y[16];
	unsigned n = sock_bytes(a, x);

	return n > 0 && n == sock_bytes(b, y) && memcmp(x, y, n) == 0;
}

uint64_t
sock_addr_hash(const struct sock_addr *a)
{
	unsigned char ip[16];

	return hash_stable(ip, sock_bytes(a, ip));
}

int
sock_net_parse(struct str text, struct sock_net *net_r, struct err *why)
{
	struct str ip = text, bits = STR_NULL;
	size_t slash = str_find(text, '/');
	struct sock_net net;
	struct sock_addr a;
	uint64_t n;
	unsigned i, all;

	if (slash < text.n) {
		ip = str_n(text.p, slash);
		bits = str_n(text.p + slash + 1, text.n - slash - 1);
	}
	if (sock_addr_ip(ip, 0, &a, why) < 0)
		return -1;
	memset(&net, 0, sizeof(net));
	all = sock_bytes(&a, net.ip) * 8;
	net.family = all == 32 ? AF_INET : AF_INET6;
	n = all;
	if (bits.p != NULL && num_u64(bits, all, &n) < 0)
		return err_text(why,
		    "\"%.*s\": the bits of the network are a number from 0 "
		    "to %u",
		    STR_FMT(text), all);
	net.bits = (unsigned)n;
	for (i = net.bits; i < all; i++) {
		if (net.ip[i / 8] & (0x80u >> (i % 8)))
			return err_text(why,
			    "\"%.*s\" has bits set beyond the first %u",
			    STR_FMT(text), net.bits);
	}
	*net_r = net;
	return 0;
}

bool
sock_net_has(const struct sock_net *net, const struct sock_addr *a)
{
	unsigned char ip[16];
	unsigned whole = net->bits / 8, rest = net->bits % 8;
	unsigned n = sock_bytes(a, ip);

	if (n == 0 || (n == 4) != (net->family == AF_INET))
		return false;
	if (memcmp(ip, net->ip, whole) != 0)
		return false;
	return rest == 0 || ((ip[whole] ^ net->ip[whole]) &
				(0xffu << (8 - rest)) & 0xffu) == 0;
}

int
sock_listen(const struct sock_addr *a, int backlog, int *fd_r, struct err *why)
{
	char text[SOCK_TEXT_MAX];
	int fd, on = 1;

	(void)sock_addr_text(a, text, sizeof(text));
	fd = socket(
	    a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(why, "cannot listen on %s", text);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->sa.sa_family == AF_INET6)
		(void)setsockopt(
		    fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	/* Inherited by what is accepted: a call saved on each. */
	sock_nodelay(fd);
	if (bind(fd, &a->sa, a->len) < 0 || listen(fd, backlog) < 0) {
		(void)err_errno(why, "cannot listen on %s", text);
		file_close(&fd);
		return -1;
	}
	*fd_r = fd;
	return 0;
}

int
sock_accept(int fd, struct sock_addr *peer_r)
{
	struct sock_addr a;
	int got;

	memset(&a, 0, sizeof(a));
	a.len = sizeof(a.in6);
	do {
		got = accept4(fd, &a.sa, &a.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -1;
	*peer_r = a;
	return got;
}

int
sock_connect(const struct sock_addr *to, const struct sock_addr *from,
    int *fd_r, struct err *why)
{
	int fd, result;

	fd = socket(
	    to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(why, 451, "4.4.1", "%s", strerror(errno));
	sock_nodelay(fd);
	result = 0;
	if (from != NULL && from->sa.sa_family == to->sa.sa_family)
		result = bind(fd, &from->sa, from->len);
	if (result == 0)
		result = connect(fd, &to->sa, to->len);
	if (result < 0 && errno != EINPROGRESS && errno != EINTR) {
		(void)err_set(why, 451, "4.4.1", "%s", strerror(errno));
		file_close(&fd);
		return -1;
	}
	*fd_r = fd;
	return 0;
}

void
sock_reset_on_close(int fd)
{
	static const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

int
sock_local(int fd, struct sock_addr *a_r)
{
	struct sock_addr a;

	memset(&a, 0, sizeof(a));
	a.len = sizeof(a.in6);
	if (getsockname(fd, &a.sa, &a.len) < 0)
		return -1;
	if (a.len > sizeof(a.in6))
		a.len = sizeof(a.in6);
	*a_r = a;
	return 0;
}

int
sock_peer(int fd, struct sock_addr *a_r)
{
	struct sock_addr a;

	memset(&a, 0, sizeof(a));
	a.len = sizeof(a.in6);
	if (getpeername(fd, &a.sa, &a.len) < 0)
		return -1;
	if (a.len > sizeof(a.in6))
		a.len = sizeof(a.in6);
	*a_r = a;
	return 0;
}

/* An IPv4 address, be it as such or mapped into IPv6. */
static bool
sock_v4(const struct sock_addr *a, unsigned char ip[4])
{
	if (a->sa.sa_family == AF_INET) {
		memcpy(ip, &a->in.sin_addr, 4);
		return true;
	}
	if (a->sa.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
		memcpy(ip, a->in6.sin6_addr.s6_addr + 12, 4);
		return true;
	}
	return false;
}

/* Octets of the address, 4 or 16; 0 if it is neither. */
static unsigned
sock_bytes(const struct sock_addr *a, unsigned char ip[16])
{
	if (sock_v4(a, ip))
		return 4;
	if (a->sa.sa_family != AF_INET6)
		return 0;
	memcpy(ip, &a->in6.sin6_addr, 16);
	return 16;
}

/* A bare IPv6 address has more than one colon; with a port it is bracketed. */
static int
sock_split(
    struct str text, struct str *ip_r, struct str *port_r, struct err *why)
{
	struct str rest = text;
	size_t at;

	*port_r = STR_NULL;
	if (text.n > 0 && text.p[0] == '[') {
		at = str_find(text, ']');
		if (at == text.n)
			return err_text(
			    why, "\"%.*s\" lacks a \"]\"", STR_FMT(text));
		*ip_r = str_n(text.p, at + 1);
		rest = str_n(text.p + at + 1, text.n - at - 1);
		if (rest.n == 0)
			return 0;
		if (rest.p[0] != ':')
			return err_text(why,
			    "\"%.*s\" has \"%.*s\" behind the address",
			    STR_FMT(text), STR_FMT(rest));
		*port_r = str_n(rest.p + 1, rest.n - 1);
		return 0;
	}
	*ip_r = text;
	at = str_find(text, ':');
	if (at == text.n)
		return 0;
	rest = str_n(text.p + at + 1, text.n - at - 1);
	if (str_find(rest, ':') < rest.n)
		return 0;
	*ip_r = str_n(text.p, at);
	*port_r = rest;
	return 0;
}

static void
sock_nodelay(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

#include "net/proxy.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/num.h"

enum {
	V1_MAX = 107, /* octets of the line, CRLF included */
	V2_HEAD = 16,
	HEADER_MAX = 4096,
	V2_LOCAL = 0,
	V2_PROXY = 1,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21
};

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static enum proxy_status proxy_v1(
    struct str in, struct proxy_result *r, size_t *used_r, struct err *why);
static enum proxy_status proxy_v2(
    struct str in, struct proxy_result *r, size_t *used_r, struct err *why);
static bool
v1_addr(struct str ip, struct str port, int family, struct sock_addr *a_r);
static void v2_addr(const unsigned char *p, size_t ip_len, size_t at,
    size_t port_at, struct sock_addr *a);
static enum proxy_status bad(struct err *why, const char *what);

enum proxy_status
proxy_parse(
    struct str in, struct proxy_result *r, size_t *used_r, struct err *why)
{
	static const char v1[] = "PROXY ";
	size_t n = in.n < sizeof(v1) - 1 ? in.n : sizeof(v1) - 1;

	if (in.n == 0)
		return PROXY_MORE;
	if (memcmp(in.p, v1, n) == 0)
		return n < sizeof(v1) - 1 ? PROXY_MORE
					  : proxy_v1(in, r, used_r, why);
	n = in.n < sizeof(v2_signature) ? in.n : sizeof(v2_signature);
	if (memcmp(in.p, v2_signature, n) == 0)
		return proxy_v2(in, r, used_r, why);
	return bad(why, "no PROXY header");
}

static enum proxy_status
proxy_v1(struct str in, struct proxy_result *r, size_t *used_r, struct err *why)
{
	struct proxy_result result = { .local = false };
	struct str line, word[6];
	size_t end = str_find(in, '\n');
	unsigned n;
	int family;

	if (end >= V1_MAX)
		return in.n < V1_MAX ? PROXY_MORE
				     : bad(why, "PROXY line too long");
	if (end == in.n)
		return PROXY_MORE;
	if (in.p[end - 1] != '\r')
		return bad(why, "PROXY line does not end with CRLF");
	*used_r = end + 1;
	line = str_n(in.p, end - 1);
	for (n = 0; n < 6 && str_split(&line, ' ', &word[n]); n++)
		;
	if (n >= 2 && str_eq_c(word[1], "UNKNOWN")) {
		result.local = true;
		*r = result;
		return PROXY_DONE;
	}
	if (n != 6 || line.n != 0)
		return bad(why, "PROXY line does not have six words");
	if (str_eq_c(word[1], "TCP4"))
		family = AF_INET;
	else if (str_eq_c(word[1], "TCP6"))
		family = AF_INET6;
	else
		return bad(why, "PROXY line of an unknown protocol");
	if (!v1_addr(word[2], word[4], family, &result.source) ||
	    !v1_addr(word[3], word[5], family, &result.destination))
		return bad(why, "PROXY line with a malformed address");
	*r = result;
	return PROXY_DONE;
}

static enum proxy_status
proxy_v2(struct str in, struct proxy_result *r, size_t *used_r, struct err *why)
{
	struct proxy_result result = { .local = true };
	const unsigned char *p = (const unsigned char *)in.p;
	unsigned command;
	size_t len, n;

	if (in.n < V2_HEAD)
		return PROXY_MORE;
	command = p[12] & 0x0fu;
	if (p[12] >> 4 != 2 || command > V2_PROXY)
		return bad(why, "PROXY header of an unknown version");
	len = (size_t)p[14] << 8 | p[15];
	if (V2_HEAD + len > HEADER_MAX)
		return bad(why, "PROXY header too long");
	if (in.n < V2_HEAD + len)
		return PROXY_MORE;
	n = p[13] == V2_TCP4 ? 4 : p[13] == V2_TCP6 ? 16 : 0;
	if (command == V2_PROXY && n > 0) {
		if (len < 2 * n + 4)
			return bad(why, "PROXY header too short");
		result.local = false;
		v2_addr(p + V2_HEAD, n, 0, 2 * n, &result.source);
		v2_addr(p + V2_HEAD, n, n, 2 * n + 2, &result.destination);
	}
	*used_r = V2_HEAD + len;
	*r = result;
	return PROXY_DONE;
}

static bool
v1_addr(struct str ip, struct str port, int family, struct sock_addr *a_r)
{
	uint64_t n;

	if (port.n > 1 && port.p[0] == '0')
		return false;
	if (ip.n == 0 || ip.p[0] == '[' || num_u64(port, 65535, &n) < 0)
		return false;
	return sock_addr_ip(ip, (uint16_t)n, a_r, NULL) == 0 &&
	       a_r->sa.sa_family == family;
}

static void
v2_addr(const unsigned char *p, size_t ip_len, size_t at, size_t port_at,
    struct sock_addr *a)
{
	memset(a, 0, sizeof(*a));
	if (ip_len == 4) {
		a->in.sin_family = AF_INET;
		memcpy(&a->in.sin_addr, p + at, 4);
		memcpy(&a->in.sin_port, p + port_at, 2);
		a->len = sizeof(a->in);
	} else {
		a->in6.sin6_family = AF_INET6;
		memcpy(&a->in6.sin6_addr, p + at, 16);
		memcpy(&a->in6.sin6_port, p + port_at, 2);
		a->len = sizeof(a->in6);
	}
}

static enum proxy_status
bad(struct err *why, const char *what)
{
	(void)err_set(why, 421, "4.7.0", "%s", what);
	return PROXY_BAD;
}

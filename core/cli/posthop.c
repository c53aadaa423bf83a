#include "cli/posthop.h"

#include "base/num.h"
#include "mail/addr.h"
#include "net/sock.h"
#include "relay/route.h"

unsigned
posthop_port(struct str s)
{
	static const struct {
		const char *name;
		unsigned port;
	} names[] = { { "smtp", 25 }, { "submission", 587 },
		{ "submissions", 465 }, { "smtps", 465 } };
	uint64_t n;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_ieq_c(s, names[i].name))
			return names[i].port;
	}
	return num_u64(s, 65535, &n) == 0 ? (unsigned)n : 0;
}

const char *
posthop_direct(struct pool *pool, struct str name, unsigned port,
    struct err *why)
{
	struct sock_addr a;
	bool six;
	char *text;

	if (str_istarts(name, "ipv6:"))
		name = str_n(name.p + 5, name.n - 5);
	six = str_find(name, ':') < name.n;
	port = port == 0 ? 25 : port;
	if (sock_addr_ip(name, 25, &a, NULL) == 0)
		text = pool_printf(pool, "[%s%.*s]:%u", six ? "IPv6:" : "",
		    STR_FMT(name), port);
	else if (domain_valid(name, true))
		text = pool_printf(pool, "%.*s:%u", STR_FMT(name), port);
	else
		text = NULL;
	if (text == NULL || !route_host_valid(str_c(text))) {
		(void)err_text(why, "\"%.*s\" is neither a host nor an "
		    "address", STR_FMT(name));
		return NULL;
	}
	str_lower(text + (six ? 6 : 0), strlen(text) - (six ? 6 : 0));
	return text;
}

const char *
posthop_host(struct pool *pool, struct str hop, struct err *why)
{
	struct str name = hop, port = STR_NULL;
	unsigned n = 25;
	char *text;
	size_t end;

	if (hop.n > 0 && hop.p[0] == '[') {
		end = str_find(hop, ']');
		if (end < hop.n) {
			name = str_n(hop.p + 1, end - 1);
			port = str_n(hop.p + end + 1, hop.n - end - 1);
		}
	} else {
		end = str_find(hop, ':');
		name = str_n(hop.p, end);
		port = str_n(hop.p + end, hop.n - end);
	}
	if (port.n > 0)
		n = port.p[0] == ':' ?
		    posthop_port(str_n(port.p + 1, port.n - 1)) : 0;
	if (n == 0) {
		(void)err_text(why, "\"%.*s\" has no port that we know",
		    STR_FMT(hop));
		return NULL;
	}
	if (hop.n > 0 && hop.p[0] == '[')
		return posthop_direct(pool, name, n, why);
	if (!domain_valid(name, true) || ch_digit(name.p[name.n - 1])) {
		(void)err_text(why, "\"%.*s\" is no next hop: [host], "
		    "[host]:port, domain or domain:port", STR_FMT(hop));
		return NULL;
	}
	text = n == 25 ? pool_printf(pool, "mx:%.*s", STR_FMT(name)) :
	    pool_printf(pool, "mx:%.*s:%u", STR_FMT(name), n);
	str_lower(text, strlen(text));
	return text;
}

struct str
posthop_name(const char *host)
{
	struct str s = str_c(host);

	if (str_istarts(s, "mx:"))
		s = str_n(s.p + 3, s.n - 3);
	if (s.n > 0 && s.p[0] == '[') {
		s = str_n(s.p + 1, str_find(s, ']') - 1);
		return str_istarts(s, "ipv6:") ? str_n(s.p + 5, s.n - 5) : s;
	}
	return str_n(s.p, str_find(s, ':'));
}

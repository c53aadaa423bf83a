/*
 * rate: how much a client, a sender or anybody else may do in a while, counted
 * over all workers. An instance is a limit.
 */
#include <postern/plugin.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_MAX 1024

struct conf {
	const char *const *key;
	const char *count;
	int64_t limit;
	int64_t window;
	const char *limits;
	const char *const *except;
	int64_t ipv6_prefix;
	const char *action;
	const char *text;
};

static const struct pst_option options[] = {
	PST_CHOICE(struct conf, count, "messages",
	    "connections|messages|recipients", "what is counted"),
	PST_LIST(struct conf, key, "client.ip",
	    "facts that tell whose it is, as client.ip sender.domain"),
	PST_INT(struct conf, limit, NULL, "1..1000000000",
	    "how many in a window"),
	PST_DURATION(struct conf, window, "1h", "1s..1d",
	    "length of a window, which begins with the first of them"),
	PST_STRING(struct conf, limits, "",
	    "table with limits of their own: key, number or none"),
	PST_LIST(struct conf, except, "", "keys that are not counted"),
	PST_INT(struct conf, ipv6_prefix, "64", "1..128",
	    "bits of an IPv6 client that make it one client"),
	PST_CHOICE(struct conf, action, "tempfail", "tempfail|reject",
	    "the answer above the limit"),
	PST_STRING(struct conf, text, "Too much mail from you, try later",
	    "its words"),
	PST_END
};

/* Of an event that asks the table. */
struct asked {
	char key[KEY_MAX];
};

static const char *
check(const void *arg)
{
	const struct conf *c = arg;

	if (c->key[0] == NULL)
		return "key names no fact";
	if (strpbrk(c->text, "\r\n") != NULL)
		return "text is more than a line";
	return NULL;
}

/* "2001:db8:1:2:3::4" to "2001:db8:1:2::" */
static void
cut_address(const char *ip, unsigned bits, char *dst, size_t n)
{
	unsigned char a[16];
	unsigned i, keep;

	if (inet_pton(AF_INET6, ip, a) != 1) {
		(void)snprintf(dst, n, "%s", ip);
		return;
	}
	for (i = 0; i < 16; i++) {
		keep = bits > 8 * i ? bits - 8 * i : 0;
		if (keep < 8)
			a[i] &= (unsigned char)(0xff00u >> keep);
	}
	if (inet_ntop(AF_INET6, a, dst, (socklen_t)n) == NULL)
		(void)snprintf(dst, n, "%s", ip);
}

/* The facts with blanks between; false: none of them is known. */
static bool
make_key(struct pst_event *ev, char *dst)
{
	const struct conf *c = ev->conf;
	const char *const *name;
	char ip[INET6_ADDRSTRLEN];
	const char *value;
	bool any = false;
	size_t n = 0;
	int r;

	dst[0] = '\0';
	for (name = c->key; *name != NULL; name++) {
		value = pst_get(ev, *name);
		if (value != NULL && strcmp(*name, "client.ip") == 0) {
			cut_address(value, (unsigned)c->ipv6_prefix, ip,
			    sizeof(ip));
			value = ip;
		}
		any = any || (value != NULL && value[0] != '\0');
		r = snprintf(dst + n, KEY_MAX - n, "%s%s", n > 0 ? " " : "",
		    value != NULL && value[0] != '\0' ? value : "-");
		if (r > 0)
			n += (size_t)r < KEY_MAX - n ? (size_t)r :
						       KEY_MAX - n - 1;
	}
	return any;
}

static bool
excepted(const struct conf *c, const char *key)
{
	const char *const *p;

	for (p = c->except; *p != NULL; p++) {
		if (strcasecmp(*p, key) == 0)
			return true;
	}
	return false;
}

/* Spelling does not matter, so the count is of the key in lower case. */
static enum pst_verdict
count(struct pst_event *ev, const char *key, int64_t limit)
{
	const struct conf *c = ev->conf;
	char lower[KEY_MAX];
	uint32_t n;
	size_t i;

	for (i = 0; key[i] != '\0'; i++)
		lower[i] = key[i] >= 'A' && key[i] <= 'Z' ?
		    (char)(key[i] + 'a' - 'A') : key[i];
	lower[i] = '\0';
	n = pst_rate(ev, lower, (uint32_t)c->window, 1);
	if (n <= limit)
		return PST_CONTINUE;
	pst_count(ev, "over_total");
	if (n == limit + 1)
		pst_log(ev, PST_NOTICE, "%s: more than %lld %s in %lld s", key,
		    (long long)limit, c->count, (long long)c->window / 1000);
	if (c->action[0] == 'r')
		return pst_reject(ev, 550, "5.7.1", "%s", c->text);
	return pst_tempfail(ev, 450, "4.7.1", "%s", c->text);
}

static enum pst_verdict
got_limit(struct pst_event *ev, const struct pst_result *res)
{
	const struct conf *c = ev->conf;
	struct asked *a = pst_data(ev, PST_EVENT, struct asked);
	long long limit;
	char *end;

	if (a == NULL)
		return PST_TEMPFAIL;
	if (res->status == PST_NOTFOUND ||
	    (res->status == PST_OK && res->count == 0))
		return count(ev, a->key, c->limit);
	if (res->status != PST_OK)
		return pst_tempfail(ev, 451, "4.3.0", "table %s: %s",
		    c->limits, res->error);
	if (strcasecmp(res->item[0].p, "none") == 0)
		return PST_CONTINUE;
	limit = strtoll(res->item[0].p, &end, 10);
	if (end == res->item[0].p || *end != '\0' || limit < 0) {
		pst_log(ev, PST_ERROR, "table %s: \"%s\" of %s is no number",
		    c->limits, res->item[0].p, a->key);
		return pst_tempfail(ev, 451, "4.3.0", "table %s is broken",
		    c->limits);
	}
	return count(ev, a->key, limit);
}

static enum pst_verdict
one(struct pst_event *ev, const char *what)
{
	const struct conf *c = ev->conf;
	char key[KEY_MAX];
	struct asked *a;

	if (strcmp(c->count, what) != 0 || !make_key(ev, key) ||
	    excepted(c, key))
		return PST_CONTINUE;
	if (c->limits[0] == '\0')
		return count(ev, key, c->limit);
	a = pst_data(ev, PST_EVENT, struct asked);
	if (a == NULL)
		return PST_TEMPFAIL;
	(void)snprintf(a->key, sizeof(a->key), "%s", key);
	return pst_lookup(ev, c->limits, a->key, got_limit);
}

static enum pst_verdict
on_connect(struct pst_event *ev)
{
	return one(ev, "connections");
}

static enum pst_verdict
on_mail(struct pst_event *ev)
{
	return one(ev, "messages");
}

static enum pst_verdict
on_rcpt(struct pst_event *ev)
{
	return one(ev, "recipients");
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_CONNECT, on_connect),
	PST_HOOK(PST_ON_MAIL, on_mail),
	PST_HOOK(PST_ON_RCPT, on_rcpt),
	PST_END
};

PST_PLUGIN(rate, .version = "1.0",
    .summary = "Limits of connections, messages and recipients in a while",
    .license = "BSD-2-Clause", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct conf), .check = check);

/*
 * What all who try a message have in common: its options, and who its client
 * is.
 */
#include <string.h>

#include "base/codec.h"
#include "cli/policy.h"

static int option(struct policy_message *m, int c, const char *value);
static int check_words(const struct policy_message *m, struct err *why);

int
policy_options(int argc, char **argv, struct policy_message *m,
    int (*usage)(FILE *to, int status))
{
	static const struct option table[] = {
		{ "from", required_argument, NULL, 'f' },
		{ "rcpt", required_argument, NULL, 'r' },
		{ "ip", required_argument, NULL, 'i' },
		{ "client", required_argument, NULL, 'i' },
		{ "helo", required_argument, NULL, 'H' },
		{ "name", required_argument, NULL, 'n' },
		{ "host", required_argument, NULL, 'n' },
		{ "auth", required_argument, NULL, 'a' },
		{ "tls", optional_argument, NULL, 't' },
		{ "listener", required_argument, NULL, 'l' },
		{ "live", no_argument, NULL, 'L' },
		{ "draft", no_argument, NULL, 'd' },
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *value;
	int c;

	while ((c = getopt_long(argc, argv, "c:hj", table, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, 0);
		value = optarg;
		/* "--tls TLSv1.2" as well as "--tls=TLSv1.2" and "--tls". */
		if (c == 't' && value == NULL && optind < argc &&
		    strncmp(argv[optind], "TLSv", 4) == 0)
			value = argv[optind++];
		if (option(m, c, value) < 0)
			return usage(stderr, POLICY_USAGE);
	}
	return -1;
}

int
policy_rcpt(struct policy_message *m, const char *address)
{
	if (m->nrcpt == POLICY_RCPTS)
		return -1;
	m->rcpt[m->nrcpt++] = address;
	return 0;
}

/* -1: there is no such option, or it is one too many. */
static int
option(struct policy_message *m, int c, const char *value)
{
	switch (c) {
	case 'f':
		m->from = value;
		return 0;
	case 'r':
		return policy_rcpt(m, value);
	case 'i':
		m->ip = value;
		return 0;
	case 'H':
		m->helo = value;
		return 0;
	case 'n':
		m->name = value;
		return 0;
	case 'a':
		m->auth = value;
		return 0;
	case 't':
		m->tls = value != NULL ? value : "TLSv1.3";
		return 0;
	case 'l':
		m->listener = value;
		return 0;
	case 'L':
		m->live = true;
		return 0;
	case 'd':
		m->draft = true;
		return 0;
	case 'c':
		m->conf_file = value;
		return 0;
	case 'j':
		m->json = true;
		return 0;
	}
	return -1;
}

/* What no client could have been seen with would make answers that are none. */
static int
check_words(const struct policy_message *m, struct err *why)
{
	static const char *const versions[] = { "TLSv1", "TLSv1.1", "TLSv1.2",
		"TLSv1.3" };
	const char *const words[] = { m->from, m->helo, m->name, m->auth };
	struct pool *pool = pool_new(0);
	bool good = m->tls == NULL;
	size_t i;
	int r = 0;

	for (i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		good = good || strcmp(m->tls, versions[i]) == 0;
	if (!good)
		r = err_text(why, "\"%.60s\" is no version: TLSv1, TLSv1.1, "
		    "TLSv1.2 or TLSv1.3", m->tls);
	for (i = 0; r == 0 && i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i] != NULL && strcmp(words[i], text_clean(pool,
			str_c(words[i]), strlen(words[i]))) != 0)
			r = err_text(why, "\"%.200s\" is not UTF-8 without "
			    "control characters", words[i]);
	}
	pool_destroy(&pool);
	return r;
}

static int
find_listener(struct policy_who *w, const struct conf *c,
    struct policy_message *m, struct err *why)
{
	unsigned i;

	w->l = NULL;
	if (m->listener == NULL && c->nlistener > 0) {
		w->l = &c->listener[0];
		m->listener = w->l->name;
	}
	for (i = 0; w->l == NULL && i < c->nlistener; i++) {
		if (strcmp(c->listener[i].name, m->listener) == 0)
			w->l = &c->listener[i];
	}
	if (w->l != NULL || m->listener == NULL)
		return 0;
	return err_text(why, "%s has no listener \"%s\"", c->file,
	    m->listener);
}

static void
known(void *arg)
{
	struct policy_who *w = arg;

	w->known = true;
}

/* As daemon/inbound_group does it. */
static void
find_group(struct policy_who *w, const struct conf *conf,
    struct policy_message *m, struct loop *loop, struct dns *dns)
{
	const struct whois_in in = { .conf = conf, .l = w->l,
		.addr = &w->addr, .loop = loop, .dns = dns, .name = m->name,
		.known = known, .arg = w };

	w->whois = whois_new(&in);
	while (!whois_known(w->whois, &w->is))
		loop_once(loop, true);
	if (m->name == NULL && w->is.verified)
		m->name = w->is.name;
	w->flow = whois_flow(w->l, w->is.group);
	if (w->is.group != NULL) {
		m->group = w->is.group->name;
		w->network = w->flow->policy->behavior == CONF_RELAY;
	}
	w->pool = pool_new(0);
	if (whois_doubt(w->whois, w->pool, w->network, &w->flow,
		&w->doubt) == 0)
		err_clear(&w->doubt);
}

int
policy_who(struct policy_who *w, const struct conf *conf,
    struct policy_message *m, struct loop *loop, struct dns *dns,
    struct err *why)
{
	*w = (struct policy_who){ .known = false };
	if (check_words(m, why) != 0)
		return -1;
	if (m->ip == NULL)
		m->ip = "192.0.2.1";
	if (sock_addr_ip(str_c(m->ip), 0, &w->addr, why) != 0)
		return err_prefix(why, "%s: ", m->ip);
	if (find_listener(w, conf, m, why) != 0)
		return -1;
	w->network = conf_nets_has(&conf->relay.networks, &w->addr);
	if (w->l != NULL)
		find_group(w, conf, m, loop, dns);
	m->relay = m->auth != NULL || w->network ? 1 : -1;
	return 0;
}

void
policy_who_end(struct policy_who *w)
{
	whois_destroy(&w->whois);
	pool_destroy(&w->pool);
}

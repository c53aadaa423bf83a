/*
 * `postern tlsverify`: does a host prove to be a domain's? Asks for what the
 * command line does not say. What it does is relay/probe.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/tester.h"

enum { ANSWER_MAX = 512, O_MATCH = 512 };

static int options(struct tester *t, int argc, char **argv);
static int usage(FILE *to, int status);
static int targets(struct tester *t, int argc, char **argv,
    struct tester_target *domain_r, struct tester_target *host_r,
    struct err *why);
static const char *ask_for(struct tester *t, const char *what,
    const char *usual);
static void print(const struct probe_report *r, struct buf *dst);
static void print_host(const struct probe_host *h, struct buf *dst);
static void print_tls(const struct probe_host *h, struct buf *dst);

int
cli_tlsverify(int argc, char **argv)
{
	struct tester_target domain, host = { .local = STR("") };
	struct err why = ERR_INIT;
	struct tester t;
	int r;

	tester_init(&t);
	t.want = "required-verify match=compat";
	r = options(&t, argc, argv);
	if (r < 0 && tester_open(&t, &why) != 0) {
		(void)cli_fail("tlsverify: %s", why.text);
		r = TESTER_BROKEN;
	}
	if (r < 0 && targets(&t, argc - optind, argv + optind, &domain, &host,
		&why) != 0) {
		(void)cli_fail("tlsverify: %s", why.text);
		r = TESTER_USAGE;
	}
	if (r < 0)
		r = tester_run(&t, host.hosts[0] != NULL ? host.hosts[0] :
		    domain.domain.p, domain.domain.p,
		    host.hosts[0] != NULL ? host.hosts : NULL, print);
	tester_close(&t);
	return r;
}

/* -1: go on. */
static int
options(struct tester *t, int argc, char **argv)
{
	struct option table[32] = { { "match", required_argument, NULL,
	    O_MATCH } };
	struct err why = ERR_INIT;
	unsigned n = 0;
	int c;

	do
		table[n + 1] = tester_options[n];
	while (tester_options[n++].name != NULL);
	while ((c = getopt_long(argc, argv, TESTER_SHORT, table, NULL)) !=
	    -1) {
		if (c == 'h')
			return usage(stdout, CLI_OK);
		if (c == '?')
			return usage(stderr, TESTER_USAGE);
		if (c == O_MATCH) {
			t->want = pool_printf(t->pool,
			    "required-verify match=%s", optarg);
		} else if (tester_option(t, c, optarg, &why) != 0) {
			(void)cli_fail("tlsverify: %s", why.text);
			return TESTER_USAGE;
		}
	}
	return argc - optind > 2 ? usage(stderr, TESTER_USAGE) : -1;
}

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern tlsverify [option ...] "
	    "[domain [host[:port]]]\n"
	    "Connects to a host, by default each MX of the domain, and "
	    "verifies that its\ncertificate is the domain's. "
	    "Asks for both if none is given.\n"
	    "      --match WHAT     domain, mx, hosted or compat (the "
	    "default)\n", to);
	(void)fputs(tester_usage, to);
	(void)fputs("Exit status: 0 verified, 1 TLS but not verified, 2 no "
	    "TLS, 64 wrong usage, 69 no\nhost answers, 78 cannot begin.\n",
	    to);
	return status;
}

static int
targets(struct tester *t, int argc, char **argv,
    struct tester_target *domain_r, struct tester_target *host_r,
    struct err *why)
{
	const char *domain = argc > 0 ? argv[0] : NULL;
	const char *host = argc > 1 ? argv[1] : NULL;

	if (domain == NULL) {
		domain = ask_for(t, "Enter the TLS domain to verify against",
		    "");
		if (domain == NULL || domain[0] == '\0')
			return err_text(why, "no domain was given");
		host = ask_for(t, "Enter the destination host to connect to, "
		    "with its port (host:26) if it is not\n25; nothing for "
		    "the domain's MX", "");
	}
	if (tester_target(t, domain, domain_r, why) != 0)
		return -1;
	if (domain_r->hosts[0] != NULL)
		return err_text(why, "%s is a host, not a domain", domain);
	if (host == NULL || host[0] == '\0')
		return 0;
	if (tester_target(t, host, host_r, why) != 0)
		return -1;
	/* Without a port it is a host all the same. */
	if (host_r->hosts[0] == NULL)
		host_r->hosts[0] = host_r->domain.p;
	return 0;
}

/* NULL: the end of the input. */
static const char *
ask_for(struct tester *t, const char *what, const char *usual)
{
	char line[ANSWER_MAX];
	struct str s;

	(void)fprintf(t->json ? stderr : stdout, "%s:\n[%s]> ", what, usual);
	(void)fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return NULL;
	line[strcspn(line, "\r\n")] = '\0';
	s = str_trim(str_c(line));
	return s.n > 0 ? pool_strndup(t->pool, s.p, s.n) : usual;
}

static void
print(const struct probe_report *r, struct buf *dst)
{
	enum probe_verdict v = probe_verdict(r);
	unsigned i;

	if (r->nhost == 0)
		(void)buf_printf(dst, "No host to connect to: %s\n",
		    r->why != NULL ? r->why : "none has an address");
	for (i = 0; i < r->nhost; i++)
		print_host(&r->host[i], dst);
	switch (v) {
	case PROBE_VERIFIED:
		(void)buf_printf(dst, "TLS successfully connected to %s.\n",
		    r->target);
		break;
	case PROBE_UNVERIFIED:
		(void)buf_printf(dst, "TLS connected to %s, which did not "
		    "prove to be %s.\n", r->target, r->domain);
		break;
	case PROBE_NO_TLS:
		(void)buf_printf(dst, "No TLS with %s.\n", r->target);
		break;
	case PROBE_NO_HOST:
		(void)buf_printf(dst, "%s cannot be reached.\n", r->target);
		break;
	}
	(void)buf_add_c(dst, "TLS verification completed.\n");
}

static void
print_host(const struct probe_host *h, struct buf *dst)
{
	unsigned i;

	(void)buf_printf(dst, "Connecting to %s [%s] on port %u.\n", h->name,
	    h->ip, h->port);
	if (h->stage[PROBE_ANSWER].state != PROBE_OK) {
		(void)buf_printf(dst, "Connection failed: %s.\n\n",
		    h->failure);
		return;
	}
	(void)buf_printf(dst, "Connected to %s from interface %s.\n"
	    "Checking TLS connection.\n", h->ip, h->local);
	if (h->stage[PROBE_TLS].state == PROBE_OK) {
		print_tls(h, dst);
	} else {
		(void)buf_printf(dst, "TLS connection failed: %s.\n",
		    h->no_tls != TLSR_NONE ? tls_reason_text(h->no_tls) :
		    h->failure);
	}
	if (h->ptr != NULL)
		(void)buf_printf(dst, "The name of the address is %s.\n",
		    h->ptr);
	for (i = 0; probe_hint(h, i) != NULL; i++)
		(void)buf_printf(dst, "%s%s\n", i == 0 ? "Hint: " : "      ",
		    probe_hint(h, i));
	(void)buf_printf(dst, "TLS connection to %s %s.\n\n", h->ip,
	    h->stage[PROBE_CERT].state == PROBE_OK ? "succeeded" :
	    h->stage[PROBE_TLS].state == PROBE_OK ?
	    "succeeded, but the certificate was not verified" : "failed");
}

static void
print_tls(const struct probe_host *h, struct buf *dst)
{
	const struct probe_check *c = &h->check[0];
	unsigned i;

	(void)buf_printf(dst, "TLS connection established: protocol %s, "
	    "cipher %s.\nVerifying peer certificate.\n", h->version,
	    h->cipher);
	for (i = 0; h->ref[i].name != NULL; i++)
		(void)buf_printf(dst, "Looking for the name %s (%s).\n",
		    h->ref[i].name, h->ref[i].as);
	if (c->verified)
		(void)buf_printf(dst, "TLS certificate match: %s (%s).\n"
		    "TLS certificate verified.\n", c->matched,
		    c->matched_by);
	else
		(void)buf_printf(dst, "TLS certificate not verified: %s "
		    "(%s).\n", tls_reason_word(c->reason),
		    tls_reason_text(c->reason));
}

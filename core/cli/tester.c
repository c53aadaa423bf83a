#include "cli/tester.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "cli/cli.h"
#include "mail/addr.h"
#include "tls/tlstrust.h"

enum {
	PORT_MAX = 65535,
	PARALLEL = 4,
	PARALLEL_MAX = 64,
	PEM_MAX = 16 * 1024 * 1024,
	REPORT_MAX = 64 * 1024 * 1024
};

enum { O_WANT = 256, O_HELO, O_FROM, O_CA, O_TIMEOUT, O_PARALLEL, O_TLS };

const struct option tester_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "ipv4", no_argument, NULL, '4' },
	{ "ipv6", no_argument, NULL, '6' },
	{ "port", required_argument, NULL, 'p' },
	{ "want", required_argument, NULL, O_WANT },
	{ "level", required_argument, NULL, O_WANT },
	{ "helo", required_argument, NULL, O_HELO },
	{ "from", required_argument, NULL, O_FROM },
	{ "ca-file", required_argument, NULL, O_CA },
	{ "timeout", required_argument, NULL, O_TIMEOUT },
	{ "parallel", required_argument, NULL, O_PARALLEL },
	{ "implicit-tls", no_argument, NULL, O_TLS },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

const char tester_usage[] =
    "  -4, -6               addresses of that family only\n"
    "  -p, --port PORT      in place of 25\n"
    "  -c, --config FILE    boot file: resolver, roots, host name\n"
    "      --want TEXT      what \"verified\" means, as in postern.lua(5)\n"
    "      --ca-file FILE   roots in place of those of the boot file, PEM\n"
    "      --helo NAME      to say in EHLO\n"
    "      --from ADDRESS   to say in MAIL FROM, in place of <>\n"
    "      --implicit-tls   TLS from the first octet (port 465)\n"
    "      --timeout TIME   longest wait for an answer (60s)\n"
    "      --parallel N     hosts at a time (4)\n"
    "  -j, --json           all of it as one line of JSON\n"
    "  -h, --help           this text\n";

struct run {
	struct loop *loop;
	const struct probe_report *report;
};

static int number(const char *what, const char *value, uint64_t max,
    uint64_t *n_r, struct err *why);
static int address(struct tester *t, const char *value, struct err *why);
static int open_conf(struct tester *t, struct err *why);
static int open_dns(struct tester *t, struct err *why);
static int open_trust(struct tester *t, struct err *why);
static int crls(struct tester *t, struct err *why);
static int open_want(struct tester *t, struct err *why);
static const char *host_name(struct tester *t);
static void on_report(void *arg, const struct probe_report *r);

void
tester_init(struct tester *t)
{
	*t = (struct tester){ .ip = -1, .parallel = PARALLEL,
		.timeout = SECONDS(60) };
	t->pool = pool_new(0);
}

int
tester_option(struct tester *t, int c, const char *value, struct err *why)
{
	char ip[SOCK_IP_MAX];
	uint64_t n = 0;

	switch (c) {
	case 'c':
		t->conf_file = value;
		return 0;
	case '4':
		t->ip = MX_REQUIRE_V4;
		return 0;
	case '6':
		t->ip = MX_REQUIRE_V6;
		return 0;
	case 'j':
		t->json = true;
		return 0;
	case 'p':
		if (number("--port", value, PORT_MAX, &n, why) != 0)
			return -1;
		t->port = (uint16_t)n;
		return 0;
	case O_WANT:
		t->want = value;
		return 0;
	case O_HELO:
		if (!domain_valid(str_c(value), false) &&
		    !domain_literal(str_c(value), ip, sizeof(ip)))
			return err_text(why, "--helo: %s is no name", value);
		t->helo = value;
		return 0;
	case O_FROM:
		return address(t, value, why);
	case O_CA:
		t->ca_file = value;
		return 0;
	case O_TIMEOUT:
		if (num_duration(str_c(value), &t->timeout) != 0 ||
		    t->timeout <= 0)
			return err_text(why, "--timeout: %s is no time",
			    value);
		return 0;
	case O_PARALLEL:
		if (number("--parallel", value, PARALLEL_MAX, &n, why) != 0)
			return -1;
		t->parallel = (unsigned)n;
		return 0;
	case O_TLS:
		t->implicit_tls = true;
		return 0;
	}
	panic("option %d", c);
}

static int
number(const char *what, const char *value, uint64_t max, uint64_t *n_r,
    struct err *why)
{
	if (num_u64(str_c(value), max, n_r) != 0 || *n_r == 0)
		return err_text(why, "%s: %s is not 1 to %u", what, value,
		    (unsigned)max);
	return 0;
}

static int
address(struct tester *t, const char *value, struct err *why)
{
	struct addr a;

	if (value[0] == '\0' || str_eq_c(str_c(value), "<>")) {
		t->sender = "";
		return 0;
	}
	if (addr_parse(t->pool, str_c(value), 0, &a, why) != 0)
		return err_prefix(why, "--from: ");
	t->sender = a.full.p;
	return 0;
}

int
tester_open(struct tester *t, struct err *why)
{
	struct probe_conf *p = &t->probe;

	t->loop = loop_new();
	if (open_conf(t, why) != 0 || open_dns(t, why) != 0 ||
	    open_want(t, why) != 0 || open_trust(t, why) != 0)
		return -1;
	p->loop = t->loop;
	p->dns = t->dns;
	p->helo = t->helo != NULL ? t->helo : host_name(t);
	p->sender = t->sender != NULL ? t->sender : "";
	p->parallel = t->parallel;
	/* The longest of the client's waits for an answer is 300 s. */
	p->timeout_scale = (double)t->timeout / (double)SECONDS(300);
	p->tlsctx = t->tlsctx;
	p->trust = t->trust;
	p->roots = t->roots;
	p->implicit_tls = t->implicit_tls;
	return 0;
}

void
tester_close(struct tester *t)
{
	tlsctx_unref(&t->tlsctx);
	tlstrust_unref(&t->trust);
	certpile_destroy(&t->roots);
	dns_destroy(&t->dns);
	if (t->loop != NULL)
		loop_destroy(&t->loop);
	if (t->conf != NULL)
		conf_unref(&t->conf);
	pool_destroy(&t->pool);
}

/* Files that the boot file names need not be readable for whoever tests. */
static int
open_conf(struct tester *t, struct err *why)
{
	struct probe_conf *p = &t->probe;
	const char *file = t->conf_file;
	const struct relay_conf *r;

	p->port = 25;
	p->ip = MX_PREFER_V6;
	if (file == NULL && access(CLI_CONF, R_OK) == 0)
		file = CLI_CONF;
	if (file != NULL) {
		/* The store is root's; who tries TLS need not be. */
		if (conf_load(&t->conf, file, &conf_reader_none, why) != 0 &&
		    conf_load_boot(&t->conf, file, &conf_reader_none,
			why) != 0)
			return -1;
		r = &t->conf->relay_conf;
		p->port = r->port;
		p->ip = r->ip;
		if (r->bind_v4 != NULL)
			(void)sock_addr_ip(str_c(r->bind_v4), 0, &p->bind_v4,
			    NULL);
		if (r->bind_v6 != NULL)
			(void)sock_addr_ip(str_c(r->bind_v6), 0, &p->bind_v6,
			    NULL);
	}
	if (t->port != 0)
		p->port = t->port;
	if (t->ip >= 0)
		p->ip = (enum mx_ip)t->ip;
	return 0;
}

static int
open_dns(struct tester *t, struct err *why)
{
	struct dns_conf d = { .timeout = 0 };

	if (t->conf != NULL) {
		d.servers = t->conf->dns.servers;
		d.timeout = t->conf->dns.timeout;
		if (t->conf->dns.records[0] != '\0')
			d.records = t->conf->dns.records;
		if (t->conf->dns.trust_anchor[0] != '\0')
			d.trust_anchor = t->conf->dns.trust_anchor;
	}
	return dns_new(&t->dns, t->loop, &d, why);
}

/* Without --want: a name that the administrator of the host chose counts,
 * though nobody vouches for the MX. */
static int
open_want(struct tester *t, struct err *why)
{
	const char *text = t->want != NULL ? t->want :
	    "required-verify-hosted";

	if (tlswant_read(&t->probe.want, str_c(text), t->pool, why) != 0)
		return err_prefix(why, "--want: ");
	if (t->want != NULL) {
		t->probe.force = &t->probe.want;
		t->probe.force_name = t->want;
	}
	return 0;
}

static int
open_trust(struct tester *t, struct err *why)
{
	static const char usual[] = "/etc/ssl/certs/ca-certificates.crt";
	const char *file = t->probe.want.ca != NULL ? t->probe.want.ca :
	    t->ca_file != NULL ? t->ca_file :
	    t->conf != NULL ? t->conf->delivery.ca_file : usual;
	struct tlsctx_conf c = { .server = false };
	struct buf pem;
	int result = 0;

	t->trust = tlstrust_new();
	t->roots = certpile_new();
	buf_init(&pem, PEM_MAX);
	/* As in delivery: without the usual file nobody is trusted. */
	if (t->ca_file != NULL || t->probe.want.ca != NULL ||
	    access(file, F_OK) == 0) {
		result = file_read(&pem, file, why);
		if (result == 0)
			result = tlstrust_roots(t->trust, buf_str(&pem), file,
			    why);
		if (result == 0)
			certpile_read_bundle(t->roots, buf_str(&pem));
	}
	buf_fini(&pem);
	if (result != 0 || crls(t, why) != 0)
		return -1;
	c.trust = t->trust;
	if (t->conf != NULL) {
		c.min_version = (uint16_t)(0x0301 + t->conf->tls.min_version);
		if (t->conf->tls.ciphers[0] != '\0')
			c.ciphers = t->conf->tls.ciphers;
		if (t->conf->tls.groups[0] != '\0')
			c.groups = t->conf->tls.groups;
	}
	return tlsctx_new(&t->tlsctx, &c, why);
}

static int
crls(struct tester *t, struct err *why)
{
	const char *const *file;
	struct buf pem;
	int result = 0;

	if (t->conf == NULL)
		return 0;
	buf_init(&pem, PEM_MAX);
	for (file = t->conf->tls.crls; result == 0 && *file != NULL; file++) {
		buf_reset(&pem);
		result = file_read(&pem, *file, why);
		if (result == 0)
			result = tlstrust_crls(t->trust, buf_str(&pem), *file,
			    why);
	}
	buf_fini(&pem);
	return result;
}

static const char *
host_name(struct tester *t)
{
	char name[256];

	if (t->conf != NULL)
		return t->conf->relay_conf.hostname;
	if (gethostname(name, sizeof(name)) != 0)
		return "localhost";
	name[sizeof(name) - 1] = '\0';
	return domain_valid(str_c(name), false) ?
	    pool_strdup(t->pool, name) : "localhost";
}

int
tester_target(struct tester *t, const char *text,
    struct tester_target *to_r, struct err *why)
{
	struct tester_target to = { .local = STR("") };
	struct str s = str_c(text);
	struct sock_addr a;
	char ip[SOCK_IP_MAX], ascii[ADDR_DOMAIN_MAX + 1];
	struct addr mail;
	size_t colon;

	if (memchr(s.p, '@', s.n) != NULL) {
		if (addr_parse(t->pool, s, ADDR_UTF8_OK, &mail, why) != 0)
			return err_prefix(why, "%s: ", text);
		to.local = mail.local;
		s = mail.domain;
	}
	if (s.n > 0 && s.p[0] != '*' &&
	    sock_addr_parse(s, t->probe.port, &a, NULL) == 0) {
		to.hosts[0] = pool_strndup(t->pool, s.p, s.n);
		if (a.sa.sa_family == AF_INET6 && s.p[0] != '[')
			to.hosts[0] = pool_printf(t->pool, "[%s]:%u",
			    sock_addr_ip_text(&a, ip, sizeof(ip)),
			    t->probe.port);
		to.domain = str_c(pool_printf(t->pool,
		    a.sa.sa_family == AF_INET6 ? "[IPv6:%s]" : "[%s]",
		    sock_addr_ip_text(&a, ip, sizeof(ip))));
		*to_r = to;
		return 0;
	}
	colon = str_find(s, ':');
	if (colon < s.n && !domain_literal(s, ip, sizeof(ip))) {
		to.hosts[0] = pool_strndup(t->pool, s.p, s.n);
		s.n = colon;
	}
	if (domain_literal(s, ip, sizeof(ip)))
		to.domain = pool_str(t->pool, s);
	else if (domain_to_ascii(s, ascii, sizeof(ascii)) == 0)
		to.domain = str_c(pool_strdup(t->pool, ascii));
	else
		return err_text(why, "%.*s is no domain", STR_FMT(s));
	*to_r = to;
	return 0;
}

int
tester_run(struct tester *t, const char *target, const char *domain,
    const char *const *hosts, void (*print)(const struct probe_report *r,
    struct buf *dst))
{
	struct run run = { t->loop, NULL };
	enum probe_verdict v;
	struct probe *p;
	struct buf out;

	if (isatty(STDERR_FILENO) != 0)
		(void)fprintf(stderr, "Testing %s ...\n", target);
	p = probe_new(&t->probe, target, domain, hosts, on_report, &run);
	loop_run(t->loop);
	v = probe_verdict(run.report);
	buf_init(&out, REPORT_MAX);
	(t->json ? probe_json : print)(run.report, &out);
	(void)fputs(buf_p(&out), stdout);
	buf_fini(&out);
	probe_destroy(&p);
	return v == PROBE_NO_HOST ? TESTER_NO_HOST : (int)v;
}

static void
on_report(void *arg, const struct probe_report *r)
{
	struct run *run = arg;

	run->report = r;
	loop_stop(run->loop);
}

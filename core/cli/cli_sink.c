/*
 * `postern sink`: its command line. The receiver itself is sink.c.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/cli.h"
#include "cli/sink.h"
#include "mail/addr.h"

enum { SINK_PORT = 2526 };

enum sink_option {
	OPT_HELP = 'h',
	OPT_LISTEN = 'l',
	OPT_DIR = 'd',
	OPT_COUNT = 'n',
	OPT_QUIET = 'q',
	OPT_JSON = 'j',
	OPT_NO_TLS = 256,
	OPT_CERT,
	OPT_KEY,
	OPT_REJECT,
	OPT_TEMPFAIL,
	OPT_DELAY,
	OPT_HOSTNAME
};

struct command_line {
	struct sink_conf conf;
	bool no_tls;
	const char *cert, *key;
};

static const struct option options[] = {
	{ "help", no_argument, NULL, OPT_HELP },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "dir", required_argument, NULL, OPT_DIR },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "no-tls", no_argument, NULL, OPT_NO_TLS },
	{ "cert", required_argument, NULL, OPT_CERT },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "reject", required_argument, NULL, OPT_REJECT },
	{ "tempfail", required_argument, NULL, OPT_TEMPFAIL },
	{ "delay", required_argument, NULL, OPT_DELAY },
	{ "hostname", required_argument, NULL, OPT_HOSTNAME },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
    "usage: postern sink [option ...]\n"
    "Receives mail and shows what arrived, and how.\n"
    "  -l, --listen ADDRESS:PORT  where (127.0.0.1:2526); may be repeated\n"
    "  -d, --dir DIRECTORY        keep each message as NUMBER.eml, with its\n"
    "                             envelope in NUMBER.json\n"
    "  -n, --count N              end after N messages\n"
    "  -j, --json                 a line of JSON for each message\n"
    "  -q, --quiet                show nothing\n"
    "      --no-tls               do not offer STARTTLS\n"
    "      --cert FILE            certificate in PEM form, in place of one\n"
    "                             made for this run\n"
    "      --key FILE             its key, if it is not in the same file\n"
    "      --reject PATTERN       550 for recipients like *@example.org\n"
    "      --tempfail PATTERN     451 for such recipients\n"
    "      --delay TIME           before each message is answered (500ms)\n"
    "      --hostname NAME        to greet with\n"
    "  -h, --help                 this text\n";

static int
take_option(struct command_line *cl, int c, const char *value, struct err *why);
static int
add(const char **list, unsigned *n, const char *value, struct err *why);
static int make_tls(struct command_line *cl, struct err *why);

int
cli_sink(int argc, char **argv)
{
	struct command_line cl = { .no_tls = false };
	struct err why = ERR_INIT;
	char host[256];
	int c, result;

	if (gethostname(host, sizeof(host)) < 0)
		host[0] = '\0';
	host[sizeof(host) - 1] = '\0';
	cl.conf.hostname =
	    domain_valid(str_c(host), false) ? host : "localhost";
	while (
	    (c = getopt_long(argc, argv, "hl:d:n:qj", options, NULL)) != -1) {
		if (c == OPT_HELP) {
			(void)fputs(usage, stdout);
			return CLI_OK;
		}
		if (c == '?' || take_option(&cl, c, optarg, &why) < 0) {
			if (c != '?')
				(void)cli_fail("sink: %s", why.text);
			return CLI_USAGE;
		}
	}
	if (optind < argc) {
		(void)cli_fail("sink: what is %s? See --help", argv[optind]);
		return CLI_USAGE;
	}
	if (cl.conf.listeners == 0)
		(void)sock_addr_ip(STR("127.0.0.1"), SINK_PORT,
		    &cl.conf.listen[cl.conf.listeners++], NULL);
	if (make_tls(&cl, &why) < 0)
		return cli_fail("sink: %s", why.text);
	result = sink_run(&cl.conf, &why);
	tlsctx_unref(&cl.conf.tlsctx);
	return result < 0 ? cli_fail("sink: %s", why.text) : CLI_OK;
}

static int
take_option(struct command_line *cl, int c, const char *value, struct err *why)
{
	struct sink_conf *conf = &cl->conf;

	switch ((enum sink_option)c) {
	case OPT_LISTEN:
		if (conf->listeners == SINK_LISTENERS)
			return err_text(why, "too many addresses");
		return sock_addr_parse(str_c(value), SINK_PORT,
		    &conf->listen[conf->listeners++], why);
	case OPT_DIR:
		conf->dir = value;
		return 0;
	case OPT_COUNT:
		if (num_u64(str_c(value), UINT64_MAX, &conf->count) < 0)
			return err_text(why, "--count: %s is no number", value);
		return 0;
	case OPT_QUIET:
		conf->quiet = true;
		return 0;
	case OPT_JSON:
		conf->json = true;
		return 0;
	case OPT_NO_TLS:
		cl->no_tls = true;
		return 0;
	case OPT_CERT:
		cl->cert = value;
		return 0;
	case OPT_KEY:
		cl->key = value;
		return 0;
	case OPT_REJECT:
		return add(conf->reject, &conf->rejects, value, why);
	case OPT_TEMPFAIL:
		return add(conf->tempfail, &conf->tempfails, value, why);
	case OPT_DELAY:
		if (num_duration(str_c(value), &conf->delay) < 0)
			return err_text(why, "--delay: %s is no time", value);
		return 0;
	case OPT_HOSTNAME:
		if (!domain_valid(str_c(value), false))
			return err_text(
			    why, "--hostname: %s is no name", value);
		conf->hostname = value;
		return 0;
	case OPT_HELP:
		break;
	}
	panic("option %d", c);
}

static int
add(const char **list, unsigned *n, const char *value, struct err *why)
{
	if (*n == SINK_PATTERNS)
		return err_text(why, "too many patterns");
	list[(*n)++] = value;
	return 0;
}

static int
make_tls(struct command_line *cl, struct err *why)
{
	struct tlsctx_conf conf = { .server = true };

	if (cl->no_tls)
		return 0;
	if (cl->cert == NULL && cl->key == NULL)
		return tlsctx_new_selfsigned(
		    &cl->conf.tlsctx, cl->conf.hostname, why);
	if (cl->cert == NULL)
		return err_text(why, "--key without --cert");
	conf.cert_file = cl->cert;
	conf.key_file = cl->key != NULL ? cl->key : cl->cert;
	return tlsctx_new(&cl->conf.tlsctx, &conf, why);
}

/*
 * `postern sink`: its command line. The receiver itself is sink.c.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
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
	OPT_HOSTNAME,
	OPT_FAULT,
	OPT_CERT_KIND,
	OPT_CERT_KEY,
	OPT_CERT_NAME,
	OPT_CA_OUT,
	OPT_CRL_OUT,
	OPT_CLIENT_CERT,
	OPT_CAPTURE
};

struct command_line {
	struct sink_conf conf;
	struct sink_words words; /* of addresses without words of their own */
	bool has_words[SINK_LISTENERS];
	bool no_tls;
	struct sink_tls_conf tls;
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
	{ "fault", required_argument, NULL, OPT_FAULT },
	{ "cert-kind", required_argument, NULL, OPT_CERT_KIND },
	{ "cert-key", required_argument, NULL, OPT_CERT_KEY },
	{ "cert-name", required_argument, NULL, OPT_CERT_NAME },
	{ "ca-out", required_argument, NULL, OPT_CA_OUT },
	{ "crl-out", required_argument, NULL, OPT_CRL_OUT },
	{ "client-cert", required_argument, NULL, OPT_CLIENT_CERT },
	{ "capture", required_argument, NULL, OPT_CAPTURE },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
    "usage: postern sink [option ...]\n"
    "Receives mail and shows what arrived, and how.\n"
    "  -l, --listen ADDRESS:PORT[=WORDS]\n"
    "                             where (127.0.0.1:2526), and what goes wrong\n"
    "                             there; may be repeated\n"
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
    "      --fault WORD[,WORD...] what goes wrong at the other addresses\n"
    "      --cert-kind KIND       good, or bad in which way; made for this "
    "run\n"
    "      --cert-key KEY         p256 (default), p384, rsa, rsa4096\n"
    "      --cert-name NAME       that it is for; may be repeated\n"
    "      --ca-out FILE          write the root that it can be verified with\n"
    "      --crl-out FILE         write the lists of what is revoked\n"
    "      --client-cert ask|require\n"
    "                             of whoever starts TLS\n"
    "      --capture DIRECTORY    keep all octets of each connection\n"
    "  -h, --help                 this text\n";

static int run(struct command_line *cl, int argc, char **argv);
static int
take_option(struct command_line *cl, int c, char *value, struct err *why);
static int
take_tls_option(struct command_line *cl, int c, char *value, struct err *why);
static int add_address(struct command_line *cl, char *value, struct err *why);
static int
add(const char **list, unsigned *n, const char *value, struct err *why);
static int set_words(struct command_line *cl, struct err *why);
static int check_tls(
    const struct command_line *cl, const struct sink_words *w, struct err *why);
static int make_tls(struct command_line *cl, struct err *why);
static void help(void);

int
cli_sink(int argc, char **argv)
{
	struct command_line *cl = mem_zalloc(sizeof(*cl));
	char host[256];
	int result;

	if (gethostname(host, sizeof(host)) < 0)
		host[0] = '\0';
	host[sizeof(host) - 1] = '\0';
	cl->conf.hostname =
	    domain_valid(str_c(host), false) ? host : "localhost";
	cl->conf.listen = mem_array(SINK_LISTENERS, sizeof(*cl->conf.listen));
	result = run(cl, argc, argv);
	sink_tls_destroy(&cl->conf.tls);
	mem_free(cl->conf.listen);
	mem_free(cl);
	return result;
}

static int
run(struct command_line *cl, int argc, char **argv)
{
	struct err why = ERR_INIT;
	int c;

	while (
	    (c = getopt_long(argc, argv, "hl:d:n:qj", options, NULL)) != -1) {
		if (c == OPT_HELP) {
			help();
			return CLI_OK;
		}
		if (c == '?' || take_option(cl, c, optarg, &why) < 0) {
			if (c != '?')
				(void)cli_fail("sink: %s", why.text);
			return CLI_USAGE;
		}
	}
	if (optind < argc) {
		(void)cli_fail("sink: what is %s? See --help", argv[optind]);
		return CLI_USAGE;
	}
	if (cl->conf.listeners == 0)
		(void)sock_addr_ip(STR("127.0.0.1"), SINK_PORT,
		    &cl->conf.listen[cl->conf.listeners++].at, NULL);
	if (set_words(cl, &why) < 0) {
		(void)cli_fail("sink: %s", why.text);
		return CLI_USAGE;
	}
	if (make_tls(cl, &why) < 0 || sink_run(&cl->conf, &why) < 0)
		return cli_fail("sink: %s", why.text);
	return CLI_OK;
}

static int
take_option(struct command_line *cl, int c, char *value, struct err *why)
{
	struct sink_conf *conf = &cl->conf;

	switch (c) {
	case OPT_LISTEN:
		return add_address(cl, value, why);
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
	case OPT_CAPTURE:
		conf->capture = value;
		return 0;
	default:
		return take_tls_option(cl, c, value, why);
	}
}

static int
take_tls_option(struct command_line *cl, int c, char *value, struct err *why)
{
	struct sink_tls_conf *tls = &cl->tls;

	switch (c) {
	case OPT_NO_TLS:
		cl->no_tls = true;
		return 0;
	case OPT_CERT:
		tls->cert = value;
		return 0;
	case OPT_KEY:
		tls->key = value;
		return 0;
	case OPT_FAULT:
		return sink_words_add(&cl->words, value, why);
	case OPT_CERT_KIND:
		return sink_words_add_kind(&cl->words, str_c(value), why);
	case OPT_CERT_KEY:
		return sink_words_add_key(&cl->words, str_c(value), why);
	case OPT_CERT_NAME:
		return sink_words_add_name(&cl->words, value, why);
	case OPT_CA_OUT:
		tls->ca_out = value;
		return 0;
	case OPT_CRL_OUT:
		tls->crl_out = value;
		return 0;
	case OPT_CLIENT_CERT:
		tls->require = strcmp(value, "require") == 0;
		tls->ask = strcmp(value, "ask") == 0;
		if (!tls->require && !tls->ask)
			return err_text(why,
			    "--client-cert: ask or require, not %s", value);
		return 0;
	default:
		panic("option %d", c);
	}
}

/* "127.0.0.2:2525=st454,cert=expired" */
static int
add_address(struct command_line *cl, char *value, struct err *why)
{
	struct sink_conf *conf = &cl->conf;
	char *words = strchr(value, '=');
	struct sink_address *a;

	if (conf->listeners == SINK_LISTENERS)
		return err_text(why, "too many addresses");
	cl->has_words[conf->listeners] = words != NULL;
	a = &conf->listen[conf->listeners++];
	if (words != NULL)
		*words++ = '\0';
	if (sock_addr_parse(str_c(value), SINK_PORT, &a->at, why) < 0)
		return -1;
	if (words == NULL)
		return 0;
	if (sink_words_add(&a->words, words, why) < 0)
		return err_prefix(why, "%s: ", value);
	return 0;
}

static int
add(const char **list, unsigned *n, const char *value, struct err *why)
{
	if (*n == SINK_PATTERNS)
		return err_text(why, "too many patterns");
	list[(*n)++] = value;
	return 0;
}

/* An address with words of its own takes from the common ones what they say
 * of certificates only. */
static int
set_words(struct command_line *cl, struct err *why)
{
	struct sink_address *a;
	unsigned i;

	if (sink_words_check(&cl->words, why) < 0)
		return -1;
	for (i = 0; i < cl->conf.listeners; i++) {
		a = &cl->conf.listen[i];
		if (!cl->has_words[i])
			a->words = cl->words;
		else if (sink_words_check(&a->words, why) < 0)
			return -1;
		else
			sink_words_default(&a->words, &cl->words);
		if (check_tls(cl, &a->words, why) < 0)
			return -1;
	}
	return 0;
}

static int
check_tls(
    const struct command_line *cl, const struct sink_words *w, struct err *why)
{
	const struct sink_tls_conf *tls = &cl->tls;
	bool made = tls->ca_out != NULL || tls->crl_out != NULL;

	if (tls->cert == NULL && tls->key != NULL)
		return err_text(why, "--key without --cert");
	if (cl->no_tls && (tls->ask || tls->require || tls->cert != NULL ||
			      made || sink_words_tls(w)))
		return err_text(why,
		    "--no-tls leaves nothing to do for what else is said about "
		    "TLS");
	if (tls->cert != NULL && (made || sink_words_cert(w)))
		return err_text(why, "--cert is one certificate, what else is "
				     "said about certificates is another");
	return 0;
}

static int
make_tls(struct command_line *cl, struct err *why)
{
	if (cl->no_tls)
		return 0;
	cl->tls.hostname = cl->conf.hostname;
	return sink_tls_new(&cl->conf.tls, &cl->tls, why);
}

static void
help(void)
{
	struct buf text;

	buf_init(&text, 16384);
	(void)buf_add_c(&text, usage);
	sink_fault_help(&text);
	(void)fputs(buf_p(&text), stdout);
	buf_fini(&text);
}

/*
 * `postern certconfig`: certificates, keys, requests, trust lists and what
 * each is used for. Without a command it is a dialogue.
 */
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/certconfig.h"
#include "cli/cli.h"

#define SAN_MAX 100
#define DAYS 365

enum word { O_JSON = 256, O_CN, O_SAN, O_ORG, O_UNIT, O_LOCALITY, O_STATE,
	O_COUNTRY, O_KEY, O_DAYS, O_PASS, O_PEM, O_WITH_KEY, O_LEGACY, O_FIX,
	O_DOMAIN, O_FIRST, O_SYSTEM, O_ADD };

struct words {
	const char *conf, *out, *pass_file, *domain, *key;
	struct certmake make;
	const char *san[SAN_MAX + 1];
	unsigned nsan;
	bool json, pem, with_key, legacy, fix, first, system, add;
	char **arg; /* the command and what follows it */
	int narg;
};

/* Number of words behind the command; most -1: any. */
struct command {
	const char *name;
	int least, most;
	int (*run)(struct certconfig *, const struct words *, struct err *);
};

static int usage(FILE *, int);
static int options(struct words *, int, char **);
static int option(struct words *, int, const char *);
static int key_type(struct certmake *, const char *);
static void on_progress(void *);
static int run_list(struct certconfig *, const struct words *, struct err *);
static int run_show(struct certconfig *, const struct words *, struct err *);
static int run_create(struct certconfig *, const struct words *,
    struct err *);
static int run_csr(struct certconfig *, const struct words *, struct err *);
static int run_upload(struct certconfig *, const struct words *,
    struct err *);
static int run_renew(struct certconfig *, const struct words *, struct err *);
static int run_restore(struct certconfig *, const struct words *,
    struct err *);
static int run_import(struct certconfig *, const struct words *,
    struct err *);
static int run_export(struct certconfig *, const struct words *,
    struct err *);
static int run_check(struct certconfig *, const struct words *, struct err *);
static int run_assign(struct certconfig *, const struct words *,
    struct err *);
static int run_unassign(struct certconfig *, const struct words *,
    struct err *);
static int run_rename(struct certconfig *, const struct words *,
    struct err *);
static int run_delete(struct certconfig *, const struct words *,
    struct err *);
static int run_ca(struct certconfig *, const struct words *, struct err *);

static const struct command commands[] = {
	{ "list", 0, 0, run_list },
	{ "show", 1, 1, run_show },
	{ "create", 1, 1, run_create },
	{ "csr", 1, 1, run_csr },
	{ "upload", 2, -1, run_upload },
	{ "renew", 1, 1, run_renew },
	{ "restore", 2, 2, run_restore },
	{ "import", 2, -1, run_import },
	{ "export", 1, 1, run_export },
	{ "check", 0, 1, run_check },
	{ "assign", 2, 2, run_assign },
	{ "unassign", 1, 2, run_unassign },
	{ "rename", 2, 2, run_rename },
	{ "delete", 1, 1, run_delete },
	{ "ca", 1, -1, run_ca },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

int
cli_certconfig(int argc, char **argv)
{
	const struct command *run = NULL;
	struct words w = { .conf = CLI_CONF, .key = "rsa2048",
		.make = { .days = DAYS } };
	struct certconfig cc = { .pool = NULL };
	struct err why = ERR_INIT;
	size_t i;
	int r;

	r = options(&w, argc, argv);
	if (r >= 0)
		return r;
	for (i = 0; w.narg > 0 && i < NCOMMANDS; i++) {
		if (strcmp(w.arg[0], commands[i].name) == 0)
			run = &commands[i];
	}
	if (w.narg > 0 &&
	    (run == NULL || w.narg - 1 < run->least ||
		(run->most >= 0 && w.narg - 1 > run->most)))
		return usage(stderr, CLI_USAGE);
	cc.json = w.json;
	if (certconfig_open(&cc, w.conf, &why) != 0) {
		r = cli_fail("%s", why.text);
	} else if (run == NULL) {
		r = certconfig_menu(&cc);
	} else {
		r = run->run(&cc, &w, &why);
		certconfig_tell(&cc);
		if (r != CLI_OK && why.text[0] != '\0')
			r = cli_fail("%s", why.text);
	}
	certconfig_close(&cc);
	return r;
}

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern certconfig [-c FILE] [--json] [COMMAND]\n"
	    "  list\n"
	    "  show NAME\n"
	    "  create NAME --cn CN [--san NAME]... [--org O] [--unit OU]\n"
	    "         [--locality L] [--state ST] [--country CC] [--days N]\n"
	    "         [--key rsa2048|rsa3072|rsa4096|p256|p384]\n"
	    "  csr NAME [-o FILE]\n"
	    "  upload NAME [--add] FILE...\n"
	    "  renew NAME [-o FILE]\n"
	    "  restore NAME VERSION\n"
	    "  import NAME FILE...\n"
	    "  export NAME [-o FILE] [--pem [--with-key]] [--legacy]\n"
	    "  check [NAME] [--fix] [--domain DOMAIN]\n"
	    "  assign NAME USE [--first]\n"
	    "  unassign USE [NAME]\n"
	    "  rename NAME NEW-NAME\n"
	    "  delete NAME\n"
	    "  ca list|export [--system] [-o FILE]\n"
	    "  ca import FILE...\n"
	    "  ca delete NUMBER|FINGERPRINT\n"
	    "A USE is listener:NAME, outbound, destination:NAME, https or "
	    "service:NAME.\nPassphrases are asked for, or the first line of "
	    "--passphrase-file FILE.\nWithout a command it is a dialogue; see "
	    "postern-certconfig(8).\n", to);
	return status;
}

/* -1: go on. */
static int
options(struct words *w, int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "out", required_argument, NULL, 'o' },
		{ "json", no_argument, NULL, O_JSON },
		{ "cn", required_argument, NULL, O_CN },
		{ "san", required_argument, NULL, O_SAN },
		{ "org", required_argument, NULL, O_ORG },
		{ "unit", required_argument, NULL, O_UNIT },
		{ "locality", required_argument, NULL, O_LOCALITY },
		{ "state", required_argument, NULL, O_STATE },
		{ "country", required_argument, NULL, O_COUNTRY },
		{ "key", required_argument, NULL, O_KEY },
		{ "days", required_argument, NULL, O_DAYS },
		{ "passphrase-file", required_argument, NULL, O_PASS },
		{ "pem", no_argument, NULL, O_PEM },
		{ "with-key", no_argument, NULL, O_WITH_KEY },
		{ "legacy", no_argument, NULL, O_LEGACY },
		{ "fix", no_argument, NULL, O_FIX },
		{ "domain", required_argument, NULL, O_DOMAIN },
		{ "first", no_argument, NULL, O_FIRST },
		{ "system", no_argument, NULL, O_SYSTEM },
		{ "add", no_argument, NULL, O_ADD },
		{ NULL, 0, NULL, 0 },
	};
	int c, r;

	while ((c = getopt_long(argc, argv, "c:ho:", table, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, CLI_OK);
		if (c == '?')
			return usage(stderr, CLI_USAGE);
		r = option(w, c, optarg);
		if (r != 0)
			return r;
	}
	if (key_type(&w->make, w->key) != 0) {
		(void)cli_fail("--key is one of rsa2048, rsa3072, rsa4096, "
		    "p256 and p384");
		return CLI_USAGE;
	}
	w->make.name = w->san;
	w->arg = argv + optind;
	w->narg = argc - optind;
	return -1;
}

static int
option(struct words *w, int c, const char *text)
{
	const char **where[] = { [O_CN - O_JSON] = &w->make.cn,
		[O_ORG - O_JSON] = &w->make.organisation,
		[O_UNIT - O_JSON] = &w->make.unit,
		[O_LOCALITY - O_JSON] = &w->make.locality,
		[O_STATE - O_JSON] = &w->make.state,
		[O_COUNTRY - O_JSON] = &w->make.country,
		[O_KEY - O_JSON] = &w->key,
		[O_PASS - O_JSON] = &w->pass_file,
		[O_DOMAIN - O_JSON] = &w->domain, [O_ADD - O_JSON] = NULL };
	bool *flag[] = { [O_JSON - O_JSON] = &w->json,
		[O_PEM - O_JSON] = &w->pem,
		[O_WITH_KEY - O_JSON] = &w->with_key,
		[O_LEGACY - O_JSON] = &w->legacy, [O_FIX - O_JSON] = &w->fix,
		[O_FIRST - O_JSON] = &w->first,
		[O_SYSTEM - O_JSON] = &w->system, [O_ADD - O_JSON] = &w->add };
	uint64_t n;

	if (c == 'c') {
		w->conf = text;
	} else if (c == 'o') {
		w->out = text;
	} else if (c == O_SAN) {
		if (w->nsan == SAN_MAX)
			return cli_fail("more than %d names", SAN_MAX);
		w->san[w->nsan++] = text;
	} else if (c == O_DAYS) {
		if (num_u64(str_c(text), CERTMAKE_DAYS_MAX, &n) != 0) {
			(void)cli_fail("--days is a number up to %d",
			    CERTMAKE_DAYS_MAX);
			return CLI_USAGE;
		}
		w->make.days = (unsigned)n;
	} else if (flag[c - O_JSON] != NULL) {
		*flag[c - O_JSON] = true;
	} else {
		*where[c - O_JSON] = text;
	}
	return 0;
}

static int
key_type(struct certmake *m, const char *text)
{
	uint64_t bits;

	if (strcmp(text, "p256") == 0 || strcmp(text, "p384") == 0) {
		m->type = CERTMAKE_EC;
		m->bits = text[1] == '2' ? 256 : 384;
		return 0;
	}
	if (strncmp(text, "rsa", 3) != 0 ||
	    num_u64(str_c(text + 3), 4096, &bits) != 0 || bits < 2048)
		return -1;
	m->type = CERTMAKE_RSA;
	m->bits = (unsigned)bits;
	return 0;
}

static int
run_list(struct certconfig *cc, const struct words *w, struct err *why)
{
	(void)w;
	return certconfig_list(cc, why) == 0 ? CLI_OK : CLI_FAILED;
}

static int
run_show(struct certconfig *cc, const struct words *w, struct err *why)
{
	return certconfig_show(cc, w->arg[1], why) == 0 ? CLI_OK : CLI_FAILED;
}

static int
run_create(struct certconfig *cc, const struct words *w, struct err *why)
{
	struct certmake m = w->make;
	int r;

	if (m.cn == NULL) {
		(void)err_text(why, "--cn is needed");
		(void)cli_fail("%s", why->text);
		err_clear(why);
		return CLI_USAGE;
	}
	if (isatty(STDERR_FILENO) != 0 && m.type == CERTMAKE_RSA)
		m.progress = on_progress;
	r = certconfig_create(cc, w->arg[1], &m, why);
	if (m.progress != NULL)
		(void)fputs("\n", stderr);
	return r == 0 ? CLI_OK : CLI_FAILED;
}

static int
run_csr(struct certconfig *cc, const struct words *w, struct err *why)
{
	return certconfig_csr(cc, w->arg[1], w->out, why) == 0 ? CLI_OK :
	    CLI_FAILED;
}

static int
run_upload(struct certconfig *cc, const struct words *w, struct err *why)
{
	const char *pass;

	if (certconfig_passphrase(cc->pool, w->pass_file, false, &pass,
	    why) != 0 ||
	    certconfig_upload(cc, w->arg[1], w->arg + 2, w->narg - 2, w->add,
		pass, why) != 0)
		return CLI_FAILED;
	return CLI_OK;
}

static int
run_renew(struct certconfig *cc, const struct words *w, struct err *why)
{
	return certconfig_renew(cc, w->arg[1], w->out, why) == 0 ? CLI_OK :
	    CLI_FAILED;
}

static int
run_restore(struct certconfig *cc, const struct words *w, struct err *why)
{
	uint64_t n;

	if (num_u64(str_c(w->arg[2]), 1000000, &n) != 0) {
		(void)cli_fail("a version is a number");
		return CLI_USAGE;
	}
	return certconfig_restore(cc, w->arg[1], (unsigned)n, why) == 0 ?
	    CLI_OK : CLI_FAILED;
}

static int
run_import(struct certconfig *cc, const struct words *w, struct err *why)
{
	const char *pass;

	if (certconfig_passphrase(cc->pool, w->pass_file, false, &pass,
	    why) != 0 ||
	    certconfig_import(cc, w->arg[1], w->arg + 2, w->narg - 2, pass,
		why) != 0)
		return CLI_FAILED;
	return CLI_OK;
}

static int
run_export(struct certconfig *cc, const struct words *w, struct err *why)
{
	enum certconfig_format format = w->legacy ? CERTCONFIG_PKCS12_LEGACY :
	    CERTCONFIG_PKCS12;
	const char *pass = NULL;

	if ((w->pem && w->legacy) || (w->with_key && !w->pem)) {
		(void)cli_fail("--legacy is of PKCS#12, --with-key of --pem");
		return CLI_USAGE;
	}
	if (w->pem)
		format = w->with_key ? CERTCONFIG_PEM_KEY : CERTCONFIG_PEM;
	else if (certconfig_passphrase(cc->pool, w->pass_file, true, &pass,
	    why) != 0)
		return CLI_FAILED;
	return certconfig_export(cc, w->arg[1], format, pass, w->out, why) ==
	    0 ? CLI_OK : CLI_FAILED;
}

static int
run_check(struct certconfig *cc, const struct words *w, struct err *why)
{
	const char *name = w->narg > 1 ? w->arg[1] : NULL;
	bool ok = false;
	int r;

	if (w->domain != NULL)
		r = certconfig_names(cc, w->domain, name, &ok, why);
	else
		r = certconfig_check(cc, name, w->fix, &ok, why);
	return r == 0 && ok ? CLI_OK : CLI_FAILED;
}

static int
run_assign(struct certconfig *cc, const struct words *w, struct err *why)
{
	return certconfig_assign(cc, w->arg[1], w->arg[2], w->first, why) ==
	    0 ? CLI_OK : CLI_FAILED;
}

static int
run_unassign(struct certconfig *cc, const struct words *w, struct err *why)
{
	return certconfig_unassign(cc, w->arg[1],
		   w->narg > 2 ? w->arg[2] : NULL, why) == 0 ? CLI_OK :
	    CLI_FAILED;
}

static int
run_rename(struct certconfig *cc, const struct words *w, struct err *why)
{
	return certconfig_rename(cc, w->arg[1], w->arg[2], why) == 0 ?
	    CLI_OK : CLI_FAILED;
}

static int
run_delete(struct certconfig *cc, const struct words *w, struct err *why)
{
	return certconfig_delete(cc, w->arg[1], why) == 0 ? CLI_OK :
	    CLI_FAILED;
}

static int
run_ca(struct certconfig *cc, const struct words *w, struct err *why)
{
	const char *verb = w->arg[1];
	int n = w->narg - 2, r;

	if (strcmp(verb, "list") == 0 && n == 0)
		r = certconfig_ca_list(cc, w->system, why);
	else if (strcmp(verb, "export") == 0 && n == 0)
		r = certconfig_ca_export(cc, w->system, w->out, why);
	else if (strcmp(verb, "import") == 0 && n > 0)
		r = certconfig_ca_import(cc, w->arg + 2, n, why);
	else if (strcmp(verb, "delete") == 0 && n == 1)
		r = certconfig_ca_delete(cc, w->arg[2], why);
	else
		return usage(stderr, CLI_USAGE);
	return r == 0 ? CLI_OK : CLI_FAILED;
}

static void
on_progress(void *arg)
{
	(void)arg;
	(void)fputc('.', stderr);
}

/*
 * `postern policy`: a policy is checked, tested and traced without a server.
 */
#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "cli/cli.h"
#include "cli/policy.h"
#include "trial/drive.h"
#include "trial/policytest.h"

#define OUT_MAX (64 * 1024 * 1024)
#define LINE_MAX_OCTETS 500 /* that are shown of a rule's text */

static int	usage(FILE *to, int status);
static int	check(int argc, char **argv);
static int	list(int argc, char **argv);
static int	test(int argc, char **argv);
static int	trace(int argc, char **argv);

static const struct {
	const char *word;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{ "check", check }, { "list", list }, { "test", test },
	{ "trace", trace }, { "shadow", policy_shadow },
};

int
cli_policy(int argc, char **argv)
{
	size_t i;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 ||
			    strcmp(argv[1], "-h") == 0))
		return usage(stdout, CLI_OK);
	for (i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(argv[1], verbs[i].word) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	}
	return usage(stderr, POLICY_USAGE);
}

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern policy check [-c CONFIG] [--json] [FILE]\n"
	    "       postern policy list [-c CONFIG] [--json] [FILE]\n"
	    "       postern policy test [-c CONFIG] [--json] [FILE]\n"
	    "       postern policy trace --from ADDRESS --rcpt ADDRESS ... "
	    "[--ip IP]\n"
	    "           [--helo NAME] [--name NAME] [--auth USER] "
	    "[--tls VERSION]\n"
	    "           [--listener NAME] [--live] [--draft] [-c CONFIG] "
	    "[--json] [MESSAGE]\n"
	    "       postern policy shadow [-c CONFIG] [--json] "
	    "[FILE | --off | --log LOG]\n"
	    "check compiles a policy and tells what is odd about its rules; "
	    "list shows them;\ntest runs its test() blocks; trace shows what "
	    "each rule says of a message, and\nwhy: no server is needed. "
	    "FILE: a policy, else that of the boot file. shadow lets\nthe "
	    "policy FILE look on at the mail of the running relay, and tells "
	    "what it would\nhave done otherwise.\n"
	    "Exit status: 0 all is well, 1 it is not, 2 it cannot be said, 64 "
	    "wrong usage.\n", to);
	return status;
}

struct what {
	const char *conf_file, *file;
	bool json;
	struct conf *conf;
};

/* -1: go on; else the status. */
static int
common(int argc, char **argv, struct what *w)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct err why = ERR_INIT;
	int c;

	*w = (struct what){ .json = false };
	while ((c = getopt_long(argc, argv, "c:hj", table, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, CLI_OK);
		if (c == 'c')
			w->conf_file = optarg;
		else if (c == 'j')
			w->json = true;
		else
			return usage(stderr, POLICY_USAGE);
	}
	if (optind + 1 < argc)
		return usage(stderr, POLICY_USAGE);
	w->file = argv[optind];
	cli_builtin();
	if (policy_conf(&w->conf, w->conf_file, w->file, &why) != 0) {
		(void)cli_fail("policy: %s", why.text);
		return 2;
	}
	if (w->conf->policy.file[0] == '\0') {
		(void)cli_fail("policy: %s names no policy", w->conf->file);
		conf_unref(&w->conf);
		return 2;
	}
	return -1;
}

static void
print_json(const json_t *o)
{
	(void)json_dumpf(o, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	(void)fputc('\n', stdout);
}

/* What the engine says of the rules as of now; a trial begins at its own time.
 * rows: NULL if it fails. */
static int
ask_rules(const struct what *w, const char *word, json_t **rows)
{
	json_t *q = json_pack("{s:s, s:I, s:o}", "ask", word, "now",
	    (json_int_t)(clock_wall() / 1000), "known",
	    policytest_known(w->conf));
	struct err why = ERR_INIT;
	struct trial t;
	int r;

	*rows = NULL;
	r = policytest_open(&t, w->conf, &why);
	if (r == 0) {
		r = drive_ask(&t, "policy", q, rows, &why);
		trial_fini(&t);
	}
	json_decref(q);
	if (r < 0)
		(void)cli_fail("%s", why.text);
	return r;
}

static int
check(int argc, char **argv)
{
	json_t *rows, *o;
	struct what w;
	size_t i;
	int r = common(argc, argv, &w), wrong = 0;

	if (r >= 0)
		return r;
	r = ask_rules(&w, "lint", &rows);
	if (w.json)
		print_json(rows != NULL ? rows : json_array());
	for (i = 0; i < json_array_size(rows); i++) {
		o = json_array_get(rows, i);
		wrong += strcmp(json_string_value(json_object_get(o,
		    "severity")), "error") == 0;
		if (!w.json)
			(void)printf("%s:%lld: %s: %s\n",
			    json_string_value(json_object_get(o, "file")),
			    (long long)json_integer_value(json_object_get(o,
				"line")),
			    json_string_value(json_object_get(o, "severity")),
			    json_string_value(json_object_get(o, "text")));
	}
	if (r == 0 && wrong == 0 && !w.json)
		(void)printf("%s: ok\n", w.conf->policy.file);
	json_decref(rows);
	conf_unref(&w.conf);
	return r == 0 && wrong == 0 ? CLI_OK : CLI_FAILED;
}

static const char *
word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* A line of a rule: a list of ten thousand domains is cut. */
static void
print_line(struct pool *pool, const char *before, const char *s)
{
	if (s[0] != '\0')
		(void)printf("%s%s%s\n", before, text_clean(pool, str_c(s),
		    LINE_MAX_OCTETS), strlen(s) > LINE_MAX_OCTETS ? "..." :
		    "");
}

static void
print_rule(struct pool *pool, const json_t *o)
{
	const char *day = word(o, "expires");

	(void)printf("%s:%lld: rule \"%s\"\n", word(o, "file"),
	    (long long)json_integer_value(json_object_get(o, "line")),
	    text_clean(pool, str_c(word(o, "name")), LINE_MAX_OCTETS));
	if (json_is_false(json_object_get(o, "enabled")))
		print_line(pool, "  ", "not enabled");
	if (json_is_true(json_object_get(o, "expired")))
		print_line(pool, "  expired on ", day);
	else
		print_line(pool, "  until ", day);
	print_line(pool, "  when ", word(o, "when"));
	print_line(pool, "  sets ", word(o, "sets"));
	print_line(pool, "  -- ", word(o, "description"));
}

static int
list(int argc, char **argv)
{
	struct pool *pool;
	struct what w;
	json_t *rows;
	size_t i;
	int r = common(argc, argv, &w);

	if (r >= 0)
		return r;
	r = ask_rules(&w, "rules", &rows);
	if (r == 0 && w.json)
		print_json(rows);
	for (i = 0; !w.json && i < json_array_size(rows); i++) {
		pool = pool_new(0);
		print_rule(pool, json_array_get(rows, i));
		pool_destroy(&pool);
	}
	json_decref(rows);
	conf_unref(&w.conf);
	return r == 0 ? CLI_OK : CLI_FAILED;
}

struct tap {
	unsigned n;
	json_t *all; /* NULL: lines are wanted */
};

static void
tested(void *arg, const json_t *one, const json_t *result)
{
	const json_t *failures = json_object_get(result, "failures");
	struct tap *tap = arg;
	size_t i;

	tap->n++;
	if (tap->all != NULL) {
		(void)json_array_append_new(tap->all, json_pack(
		    "{s:O, s:O, s:O, s:O, s:O}", "name",
		    json_object_get(one, "name"), "file",
		    json_object_get(one, "file"), "line",
		    json_object_get(one, "line"), "ok",
		    json_object_get(result, "ok"), "failures", failures));
		return;
	}
	(void)printf("%s %u - %s\n", json_is_true(json_object_get(result,
	    "ok")) ? "ok" : "not ok", tap->n,
	    json_string_value(json_object_get(one, "name")));
	for (i = 0; i < json_array_size(failures); i++)
		(void)printf("# %s\n", json_string_value(
		    json_array_get(failures, i)));
}

static int
test(int argc, char **argv)
{
	struct err why = ERR_INIT;
	struct tap tap = { 0 };
	struct what w;
	int r = common(argc, argv, &w);

	if (r >= 0)
		return r;
	if (w.json)
		tap.all = json_array();
	r = policytest_run(w.conf, "policy", tested, &tap, &why);
	if (r < 0)
		(void)cli_fail("%s", why.text);
	else if (tap.all != NULL)
		print_json(tap.all);
	else
		(void)printf("1..%u\n", tap.n);
	json_decref(tap.all);
	conf_unref(&w.conf);
	return r == 0 ? CLI_OK : CLI_FAILED;
}

/* 1: it failed. */
static int
try(const struct conf *conf, struct policy_message *m, json_t **out_r,
    struct err *why)
{
	struct loop *loop = loop_new();
	struct dns *dns = NULL;
	struct policy_who who = { .known = false };
	int r = 0;

	if (m->live)
		r = policy_dns(&dns, loop, conf, why);
	if (r == 0)
		r = policy_who(&who, conf, m, loop, dns, why);
	if (r == 0)
		r = policy_try(conf, m, NULL, NULL, out_r, why);
	policy_who_end(&who);
	dns_destroy(&dns);
	loop_destroy(&loop);
	if (r < 0)
		return r;
	return policy_failed(json_object_get(*out_r, "result")) ? 1 : 0;
}

static int
trace(int argc, char **argv)
{
	struct policy_message *m = &(struct policy_message){ .nrcpt = 0 };
	struct err why = ERR_INIT;
	struct conf *conf = NULL;
	json_t *out = NULL;
	struct buf text;
	int r = policy_options(argc, argv, m, usage);

	if (r >= 0)
		return r;
	if (optind + 1 < argc || m->nrcpt == 0 || m->from == NULL)
		return usage(stderr, POLICY_USAGE);
	m->eml = argv[optind];
	cli_builtin();
	r = policy_message_conf(&conf, m, &why);
	if (r == 0)
		r = try(conf, m, &out, &why);
	if (r < 0) {
		(void)cli_fail("policy: %s", why.text);
	} else if (m->json) {
		if (m->draft)
			(void)json_object_set_new(out, "draft", json_true());
		print_json(out);
	} else {
		buf_init(&text, OUT_MAX);
		if (m->draft)
			(void)buf_add_c(&text, "as drafted: with what is not "
			    "committed\n");
		policy_trace_text(out, &text);
		(void)fputs(buf_p(&text), stdout);
		buf_fini(&text);
	}
	json_decref(out);
	conf_unref(&conf);
	return r == 0 ? CLI_OK : CLI_FAILED;
}

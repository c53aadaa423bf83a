/*
 * `postern policy`: a policy is checked, tested and traced without a server.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/policy.h"
#include "trial/drive.h"
#include "trial/policytest.h"

#define OUT_MAX (64 * 1024 * 1024)

static int	usage(FILE *to, int status);
static int	check(int argc, char **argv);
static int	test(int argc, char **argv);
static int	trace(int argc, char **argv);

static const struct {
	const char *word;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{ "check", check }, { "test", test }, { "trace", trace },
	{ "shadow", policy_shadow },
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
	    "       postern policy test [-c CONFIG] [--json] [FILE]\n"
	    "       postern policy trace --from ADDRESS --rcpt ADDRESS ... "
	    "[--ip IP]\n"
	    "           [--helo NAME] [--name NAME] [--auth USER] "
	    "[--tls VERSION]\n"
	    "           [--listener NAME] [--live] [-c CONFIG] [--json] "
	    "[MESSAGE]\n"
	    "       postern policy shadow [-c CONFIG] [--json] "
	    "[FILE | --off | --log LOG]\n"
	    "check compiles a policy and tells what is odd about its rules; "
	    "test runs its\ntest() blocks; trace shows what each rule says of "
	    "a message, and why: no server\nis needed. FILE: a policy, else "
	    "that of the boot file. shadow lets the policy FILE\nlook on at "
	    "the mail of the running relay, and tells what it would have done"
	    "\notherwise.\n"
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

static int
check(int argc, char **argv)
{
	json_t *q, *list = NULL, *o;
	struct err why = ERR_INIT;
	struct trial t;
	struct what w;
	size_t i;
	int r = common(argc, argv, &w), wrong = 0;

	if (r >= 0)
		return r;
	q = json_pack("{s:s}", "ask", "lint");
	r = policytest_open(&t, w.conf, &why);
	if (r == 0) {
		r = drive_ask(&t, "policy", q, &list, &why);
		trial_fini(&t);
	}
	json_decref(q);
	if (r < 0)
		(void)cli_fail("%s", why.text);
	if (w.json)
		print_json(list != NULL ? list : json_array());
	for (i = 0; i < json_array_size(list); i++) {
		o = json_array_get(list, i);
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
	json_decref(list);
	conf_unref(&w.conf);
	return r == 0 && wrong == 0 ? CLI_OK : CLI_FAILED;
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
	r = policy_conf(&conf, m->conf_file, NULL, &why);
	if (r == 0)
		r = try(conf, m, &out, &why);
	if (r < 0) {
		(void)cli_fail("policy: %s", why.text);
	} else if (m->json) {
		print_json(out);
	} else {
		buf_init(&text, OUT_MAX);
		policy_trace_text(out, &text);
		(void)fputs(buf_p(&text), stdout);
		buf_fini(&text);
	}
	json_decref(out);
	conf_unref(&conf);
	return r == 0 ? CLI_OK : CLI_FAILED;
}

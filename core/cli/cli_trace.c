/*
 * `postern trace`: a message that nobody sends, followed step by step: host
 * access table, envelope, recipient access table, policy, branches, delivery.
 * What `postern explain` tells as a tree (cli/explain.h). What was not said on
 * the command line is asked for.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/config.h"
#include "cli/explain.h"
#include "cli/prompt.h"

enum { OUT_MAX = 64 * 1024 * 1024, TYPED_MAX = 1024 * 1024 };

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern trace [--client IP] [--host NAME] "
	    "[--helo NAME] [--auth USER]\n"
	    "           [--tls[=VERSION]] [--listener NAME] [--from SENDER] "
	    "[--rcpt RCPT] ...\n"
	    "           [--live] [--draft] [-c CONFIG] [--json] [MESSAGE]\n"
	    "Follows a message through host access table, recipient access "
	    "table, policy and\ndestination controls, and tells at each step "
	    "what was found, and by what it would\nbe refused. Sends nothing. "
	    "Without --from and --rcpt a dialogue asks for them.\n--live asks "
	    "the DNS and real tables, --draft counts uncommitted changes in."
	    "\n"
	    "Exit status: 0 it would be taken, 1 not by all, 2 it cannot be "
	    "said, 64 wrong usage.\n", to);
	return status;
}

static const char *
given(const char *line)
{
	return line == NULL || str_trim(str_c(line)).n == 0 ? NULL : line;
}

static int
ask_rcpts(struct pool *pool, struct policy_message *m)
{
	const char *line = prompt_line(pool, "Enter the Envelope Recipient "
	    "addresses. Separate multiple addresses by commas.", "");
	struct str rest, one;

	if (given(line) == NULL)
		return -1;
	rest = str_c(line);
	while (str_split(&rest, ',', &one)) {
		one = str_trim(one);
		if (one.n > 0 && policy_rcpt(m, pool_str(pool, one).p) < 0)
			return -1;
	}
	return m->nrcpt > 0 ? 0 : -1;
}

/* All of it is read, even if it is too much: the rest of what somebody pastes
 * must not go to the shell. The end of the input ends it as well. */
static int
type_message(struct pool *pool, struct policy_message *m, struct err *why)
{
	bool fits = true, over = false;
	struct buf text;
	const char *line;

	buf_init(&text, TYPED_MAX);
	prompt_text("Enter or paste the message body here. Enter '.' on a "
	    "blank line to end.\n", 0);
	(void)fflush(stdout);
	while (!over) {
		line = prompt_next(pool);
		over = line != NULL ? strcmp(line, ".") == 0 :
		    feof(stdin) != 0 || ferror(stdin) != 0;
		if (!over)
			fits = line != NULL && fits &&
			    buf_printf(&text, "%s\n", line) == 0;
	}
	if (fits)
		m->typed = str_c(pool_strdup(pool, buf_p(&text)));
	buf_fini(&text);
	return fits ? 0 : err_text(why, "what is typed may have 1 MB and "
	    "lines of 64 kB: put it into a file");
}

/* -1: the input ended. */
static int
ask_envelope(struct pool *pool, struct policy_message *m)
{
	if (m->ip == NULL)
		m->ip = given(prompt_line(pool, "Enter the source IP",
		    "127.0.0.1"));
	if (m->ip == NULL)
		return -1;
	if (m->name == NULL)
		m->name = given(prompt_line(pool, "Enter the fully qualified "
		    "domain name of the source IP, if it has one", ""));
	if (m->listener == NULL)
		m->listener = given(prompt_line(pool, "Select the listener to "
		    "trace behavior on (empty: the first)", ""));
	if (m->from == NULL)
		m->from = prompt_line(pool, "Enter the Envelope Sender "
		    "address (empty: a report)", "");
	if (m->from == NULL)
		return -1;
	return m->nrcpt > 0 ? 0 : ask_rcpts(pool, m);
}

static int
ask_message(struct pool *pool, struct policy_message *m, struct err *why)
{
	bool end = false;

	if (prompt_yes(pool, "Do you want to enter the message?", false, &end))
		return type_message(pool, m, why);
	return end ? err_text(why, "the input ended") : 0;
}

/* What is not known yet; -1: it is not to be had. */
static int
dialogue(struct pool *pool, struct policy_message *m, struct err *why)
{
	if (ask_envelope(pool, m) != 0)
		return err_text(why, "sender and recipients are needed");
	return m->eml != NULL ? 0 : ask_message(pool, m, why);
}

static void
head(struct buf *dst, const char *words)
{
	(void)buf_printf(dst, "\n%s\n", words);
}

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static void
steps(const json_t *all, struct buf *dst)
{
	const json_t *v = json_object_get(all, "recipients");
	size_t i;

	(void)buf_add_c(dst, "Host Access Table\n");
	explain_text_client(all, dst);
	explain_text_hat(all, dst);
	if (json_array_size(json_object_get(all, "access")) > 0) {
		head(dst, "Recipient Access Table");
		explain_text_access(all, dst);
	}
	if (json_object_get(all, "tried") != NULL) {
		head(dst, "Policy");
		if (text(all, "warning")[0] != '\0')
			(void)buf_printf(dst, "warning: %s\n", text(all,
			    "warning"));
		explain_text_tried(all, dst);
	}
	head(dst, "Message");
	explain_text_outcome(all, dst);
	if (json_array_size(v) > 0)
		head(dst, "Delivery");
	for (i = 0; i < json_array_size(v); i++)
		explain_text_rcpt(json_array_get(v, i), dst);
	if (json_array_size(json_object_get(all, "unknown")) > 0)
		(void)buf_add_char(dst, '\n');
	explain_text_unknown(all, dst);
}

static int
show(struct policy_message *m)
{
	struct err why = ERR_INIT;
	json_t *all = NULL;
	struct buf words;
	int r = explain_message(m, &all, &why);

	if (r < 0) {
		(void)cli_fail("trace: %s", why.text);
		return 2;
	}
	if (m->json) {
		config_print(all);
		return r;
	}
	buf_init(&words, OUT_MAX);
	steps(all, &words);
	(void)fputs(buf_p(&words), stdout);
	buf_fini(&words);
	json_decref(all);
	return r;
}

int
cli_trace(int argc, char **argv)
{
	struct policy_message *m = &(struct policy_message){ .nrcpt = 0 };
	struct err why = ERR_INIT;
	struct pool *pool;
	int r = policy_options(argc, argv, m, usage);
	bool asks;

	if (r >= 0)
		return r;
	asks = m->from == NULL || m->nrcpt == 0;
	if (optind + 1 < argc || (asks && m->json))
		return usage(stderr, POLICY_USAGE);
	m->eml = argv[optind];
	if (!asks && m->ip == NULL)
		m->ip = "127.0.0.1";
	cli_builtin();
	pool = pool_new(0);
	if (asks && dialogue(pool, m, &why) != 0) {
		(void)cli_fail("trace: %s", why.text);
		r = 2;
	} else {
		r = show(m);
	}
	pool_destroy(&pool);
	return r;
}

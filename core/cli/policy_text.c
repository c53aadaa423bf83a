#include "cli/policy.h"

#include <string.h>

#include "base/codec.h"

#define VALUE_MAX 300 /* octets that are shown of one */

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* The words of the rules are whole sentences. */
static void
one_rule(const json_t *o, struct buf *dst)
{
	(void)buf_printf(dst, "  %s  %s\n", json_is_true(json_object_get(o,
	    "matched")) ? "yes" : "no ", text(o, "text"));
}

static void
one_handler(const json_t *o, struct buf *dst)
{
	(void)buf_printf(dst, "  on   %s:%lld %s: %s\n", text(o, "file"),
	    (long long)json_integer_value(json_object_get(o, "line")),
	    text(o, "event"), text(o, "said"));
}

void
policy_answer_text(const json_t *question, struct buf *dst)
{
	const json_t *values = json_object_get(question, "values"), *v;
	const char *status = text(question, "status");
	const char *error = text(question, "error");
	size_t i;

	if (json_array_size(values) == 0)
		(void)buf_add_c(dst, status);
	if (json_array_size(values) == 0 && error[0] != '\0' &&
	    strcmp(status, "notfound") != 0)
		(void)buf_printf(dst, ", %s", error);
	for (i = 0; i < json_array_size(values); i++) {
		v = json_array_get(values, i);
		if (i > 0)
			(void)buf_add_c(dst, ", ");
		(void)log_clean(dst, str_n(json_string_value(v),
		    json_string_length(v)), VALUE_MAX, true);
	}
	(void)buf_add_char(dst, '\n');
}

static void
one_question(const json_t *o, struct buf *dst)
{
	(void)buf_printf(dst, "  ask  %s %s %s: ", text(o, "kind"),
	    text(o, "name"), text(o, "key"));
	policy_answer_text(o, dst);
}

static void
one_rcpt(const json_t *o, struct buf *dst)
{
	static const char *const keys[] = { "want", "route", "hold",
		"quarantine" };
	const json_t *reply = json_object_get(o, "reply");
	bool any = false;
	size_t i;

	(void)buf_printf(dst, "  %s: ", text(o, "address"));
	if (!json_is_true(json_object_get(o, "taken"))) {
		(void)buf_printf(dst, "refused, %d %s %s\n",
		    (int)json_integer_value(json_object_get(reply, "code")),
		    text(reply, "enhanced"), text(reply, "text"));
		return;
	}
	for (i = 0; i < 4; i++) {
		if (text(o, keys[i])[0] == '\0')
			continue;
		(void)buf_printf(dst, "%s%s %s", any ? ", " : "",
		    i == 0 ? "tls" : keys[i], text(o, keys[i]));
		any = true;
	}
	(void)buf_printf(dst, "%s\n", any ? "" : "nothing was said");
}

void
policy_trace_text(const json_t *out, struct buf *dst)
{
	const json_t *tried = json_object_get(out, "tried"), *o;
	const json_t *result = json_object_get(out, "result");
	const json_t *reply = json_object_get(result, "reply"), *v;
	size_t i, k;

	(void)buf_add_c(dst, "what was tried:\n");
	for (i = 0; i < json_array_size(tried); i++) {
		o = json_array_get(tried, i);
		if (strcmp(text(o, "kind"), "rule") == 0)
			one_rule(o, dst);
		else if (strcmp(text(o, "kind"), "handler") == 0)
			one_handler(o, dst);
		else
			one_question(o, dst);
	}
	v = json_object_get(result, "rcpt");
	(void)buf_add_c(dst, "recipients:\n");
	for (i = 0; i < json_array_size(v); i++)
		one_rcpt(json_array_get(v, i), dst);
	v = json_object_get(result, "branches");
	for (i = 0; i < json_array_size(v); i++) {
		o = json_object_get(json_array_get(v, i), "rcpt");
		(void)buf_printf(dst, "branch %zu:", i);
		for (k = 0; k < json_array_size(o); k++)
			(void)buf_printf(dst, " %s", json_string_value(
			    json_array_get(o, k)));
		(void)buf_add_char(dst, '\n');
	}
	(void)buf_printf(dst, "at %s: %s, %d %s %s", text(result, "stage"),
	    text(result, "verdict"),
	    (int)json_integer_value(json_object_get(reply, "code")),
	    text(reply, "enhanced"), text(reply, "text"));
	if (text(result, "by")[0] != '\0')
		(void)buf_printf(dst, " (by %s)", text(result, "by"));
	(void)buf_add_char(dst, '\n');
	if (text(result, "error")[0] != '\0')
		(void)buf_printf(dst, "error: %s\n", text(result, "error"));
	if (text(result, "log")[0] != '\0')
		(void)buf_printf(dst, "log:\n%s", text(result, "log"));
}

#include "cli/explain.h"

#include <string.h>

#include "base/num.h"

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static bool
is(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static void
add_span(struct buf *dst, const json_t *o, const char *key)
{
	char span[32];

	(void)buf_add_c(dst, num_fmt_duration(span, sizeof(span),
	    SECONDS(json_integer_value(json_object_get(o, key)))));
}

static void
add_if(struct buf *dst, const char *before, const char *value,
    const char *behind)
{
	if (value[0] != '\0')
		(void)buf_printf(dst, "%s%s%s", before, value, behind);
}

static void
add_reply(struct buf *dst, const json_t *reply)
{
	(void)buf_printf(dst, "%d %s %s", (int)json_integer_value(
	    json_object_get(reply, "code")), text(reply, "enhanced"),
	    text(reply, "text"));
}

void
explain_text_client(const json_t *all, struct buf *dst)
{
	const json_t *c = json_object_get(all, "client");

	(void)buf_printf(dst, "from <%s>\n  client %s", text(all, "sender"),
	    text(c, "ip"));
	add_if(dst, " (", text(c, "name"), ")");
	add_if(dst, ", HELO ", text(c, "helo"), "");
	add_if(dst, ", logged in as ", text(c, "auth"), "");
	add_if(dst, ", ", text(c, "tls"), "");
	(void)buf_printf(dst, ": %s\n", text(c, "direction"));
	if (is(all, "draft"))
		(void)buf_add_c(dst, "  as drafted: with what is not "
		    "committed\n");
}

/* Limits of which 0 is none. */
static void
add_limits(struct buf *dst, const json_t *m)
{
	static const struct {
		const char *key, *what;
	} v[] = {
		{ "message_size", "octets a message" },
		{ "recipients", "recipients a message" },
		{ "messages", "messages a connection" },
		{ "client_connections", "connections" },
		{ "client_rate", "connections a minute" },
		{ "recipients_per_hour", "recipients an hour" },
	};
	json_int_t n;
	bool any = false;
	size_t i;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		n = json_integer_value(json_object_get(m, v[i].key));
		if (n == 0)
			continue;
		(void)buf_printf(dst, "%s%lld %s", any ? ", " : "  at most ",
		    (long long)n, v[i].what);
		any = true;
	}
	if (any)
		(void)buf_add_char(dst, '\n');
}

void
explain_text_hat(const json_t *all, struct buf *dst)
{
	const json_t *h = json_object_get(all, "hat");

	if (text(h, "listener")[0] == '\0')
		return; /* there is no listener */
	if (text(h, "group")[0] == '\0')
		(void)buf_printf(dst, "  sender group: none, %s as listener "
		    "%s has it\n", text(h, "behavior"), text(h, "listener"));
	else
		(void)buf_printf(dst, "  sender group %s (match %s), policy "
		    "%s: %s\n", text(h, "group"), text(h, "match"),
		    text(h, "policy"), text(h, "behavior"));
	(void)buf_printf(dst, "  TLS %s, AUTH %s\n", text(h, "tls"),
	    text(h, "auth"));
	add_limits(dst, json_object_get(h, "limits"));
}

void
explain_text_access(const json_t *all, struct buf *dst)
{
	const json_t *v = json_object_get(all, "access"), *o;
	bool relay = strcmp(text(json_object_get(all, "client"), "direction"),
	    "outbound") == 0;
	size_t i;

	for (i = 0; i < json_array_size(v); i++) {
		o = json_array_get(v, i);
		(void)buf_printf(dst, "  <%s>: ", text(o, "address"));
		if (is(o, "taken"))
			(void)buf_add_c(dst, relay ? "accepted, the client "
			    "may send to anywhere" : "accepted");
		else
			add_reply(dst, json_object_get(o, "reply"));
		add_if(dst, " (by ", text(o, "by"), ")");
		add_if(dst, ", entry ", text(o, "entry"), "");
		add_if(dst, ", for <", text(o, "for"), ">");
		(void)buf_add_char(dst, '\n');
	}
}

void
explain_text_unknown(const json_t *all, struct buf *dst)
{
	const json_t *v = json_object_get(all, "unknown");
	size_t i;

	if (json_array_size(v) > 0)
		(void)buf_add_c(dst, "not known:\n");
	for (i = 0; i < json_array_size(v); i++)
		(void)buf_printf(dst, "  %s\n", json_string_value(
		    json_array_get(v, i)));
}

/* The words of the rules are whole sentences. */
void
explain_text_tried(const json_t *all, struct buf *dst)
{
	const json_t *list = json_object_get(all, "tried"), *o;
	const char *kind;
	size_t i;

	if (text(all, "policy")[0] == '\0') {
		(void)buf_add_c(dst, "no policy\n");
		return;
	}
	(void)buf_printf(dst, "policy %s\n", text(all, "policy"));
	for (i = 0; i < json_array_size(list); i++) {
		o = json_array_get(list, i);
		kind = text(o, "kind");
		if (strcmp(kind, "rule") == 0) {
			(void)buf_printf(dst, "  %s\n", text(o, "text"));
			continue;
		}
		if (strcmp(kind, "handler") == 0) {
			(void)buf_printf(dst, "  on \"%s\" (%s): %s\n",
			    text(o, "event"), text(o, "place"),
			    text(o, "said"));
			continue;
		}
		(void)buf_printf(dst, "  asked %s %s %s: ", kind,
		    text(o, "name"), text(o, "key"));
		policy_answer_text(o, dst);
	}
}

void
explain_text_outcome(const json_t *all, struct buf *dst)
{
	const json_t *v = json_object_get(all, "branches"), *b, *rcpts;
	size_t i, k;

	if (json_object_get(all, "verdict") == NULL)
		return;
	(void)buf_printf(dst, "message: %s at %s, ", text(all, "verdict"),
	    text(all, "stage"));
	if (json_object_get(all, "reply") != NULL)
		add_reply(dst, json_object_get(all, "reply"));
	else
		(void)buf_add_c(dst, "the connection is reset");
	add_if(dst, " (by ", text(all, "by"), ")");
	(void)buf_add_char(dst, '\n');
	add_if(dst, "  error: ", text(all, "error"), "\n");
	for (i = 0; i < json_array_size(v); i++) {
		b = json_array_get(v, i);
		rcpts = json_object_get(b, "rcpt");
		(void)buf_printf(dst, "  branch %zu:", i);
		for (k = 0; k < json_array_size(rcpts); k++)
			(void)buf_printf(dst, " <%s>", json_string_value(
			    json_array_get(rcpts, k)));
		add_if(dst, ", held: ", text(b, "quarantine"), "");
		if (json_object_get(b, "hold") != NULL) {
			(void)buf_add_c(dst, ", not before ");
			add_span(dst, b, "hold");
		}
		(void)buf_add_char(dst, '\n');
	}
	add_if(dst, "log:\n", text(all, "log"), "");
}

static void
hop(const json_t *o, struct buf *dst)
{
	const json_t *h = json_object_get(o, "hop"), *host, *a;
	const json_t *hosts = json_object_get(h, "hosts");
	const json_t *lookup = json_object_get(h, "lookup");
	bool by_mx = strcmp(text(h, "by"), "mx") == 0;
	size_t i, k;

	(void)buf_printf(dst, "  next hop: %s %s",
	    by_mx ? "MX of" : text(h, "by"), text(h, "name"));
	add_if(dst, " (", text(h, "place"), ")");
	if (is(h, "implicit_tls"))
		(void)buf_add_c(dst, ", TLS from the first octet");
	add_if(dst, ", logs in as ", text(h, "login"), "");
	(void)buf_add_char(dst, '\n');
	for (i = 0; i < json_array_size(hosts); i++) {
		host = json_array_get(hosts, i);
		a = json_object_get(host, "addresses");
		if (by_mx && a == NULL)
			continue;
		(void)buf_printf(dst, "    %s", text(host, "host"));
		for (k = 0; k < json_array_size(a); k++)
			(void)buf_printf(dst, "%s%s", k > 0 ? ", " : " ",
			    json_string_value(json_array_get(a, k)));
		if (is(host, "secure") && by_mx)
			(void)buf_add_c(dst, " (DNSSEC)");
		(void)buf_add_char(dst, '\n');
	}
	if (lookup != NULL)
		(void)buf_printf(dst, "    %s: %s (%s)\n", text(lookup,
		    "error"), text(lookup, "then"), text(lookup, "status"));
}

static void
wants(const json_t *o, struct buf *dst)
{
	const json_t *tls = json_object_get(o, "tls"), *s, *rules, *r;
	const json_t *sources = json_object_get(tls, "sources");
	size_t i, k;

	(void)buf_printf(dst, "  TLS: %s\n", text(tls, "want"));
	for (i = 0; i < json_array_size(sources); i++) {
		s = json_array_get(sources, i);
		rules = json_object_get(s, "rules");
		(void)buf_printf(dst, "    %s", text(s, "who"));
		if (strcmp(text(s, "name"), text(s, "who")) != 0)
			add_if(dst, " ", text(s, "name"), "");
		add_if(dst, " \"", text(s, "entry"), "\"");
		add_if(dst, " (", text(s, "place"), ")");
		(void)buf_printf(dst, ": %s%s\n", text(s, "want"),
		    is(s, "replaced") ? " (replaced by what follows)" : "");
		for (k = 0; k < json_array_size(rules); k++) {
			r = json_array_get(rules, k);
			(void)buf_printf(dst, "      rule \"%s\" (%s): %s\n",
			    text(r, "rule"), text(r, "place"),
			    text(r, "says"));
		}
	}
}

static void
names(const json_t *o, struct buf *dst)
{
	const json_t *hosts = json_object_get(json_object_get(o, "hop"),
	    "hosts"), *list, *n;
	size_t i, k;
	bool any = false;

	for (i = 0; i < json_array_size(hosts); i++) {
		list = json_object_get(json_array_get(hosts, i), "names");
		if (json_array_size(list) == 0)
			continue;
		any = true;
		(void)buf_printf(dst, "  certificate of %s: ", text(
		    json_array_get(hosts, i), "host"));
		for (k = 0; k < json_array_size(list); k++) {
			n = json_array_get(list, k);
			(void)buf_printf(dst, "%s%s (%s:%s%s%s)",
			    k > 0 ? ", or " : "", text(n, "name"),
			    text(n, "in"), text(n, "of"),
			    text(n, "if")[0] != '\0' ? ", if " : "",
			    text(n, "if"));
		}
		(void)buf_add_char(dst, '\n');
	}
	if (!any)
		(void)buf_add_c(dst, "  certificate: any\n");
	n = json_object_get(o, "certificate");
	(void)buf_add_c(dst, "  ours: ");
	if (text(n, "error")[0] != '\0')
		(void)buf_printf(dst, "not known: %s\n", text(n, "error"));
	else if (text(n, "name")[0] == '\0')
		(void)buf_add_c(dst, "none is shown\n");
	else
		(void)buf_printf(dst, "%s, if asked for (%s)\n",
		    text(n, "name"), text(n, "use"));
}

static void
deliver(const json_t *o, struct buf *dst)
{
	const json_t *d = json_object_get(o, "deliver");
	const char *verdict = text(d, "verdict");

	if (d == NULL)
		return;
	(void)buf_add_c(dst, "  deliver handlers: ");
	if (strcmp(verdict, "accept") != 0) {
		(void)buf_printf(dst, "%s, ", verdict[0] == 'r' ?
		    "sent back" : "deferred");
		add_reply(dst, json_object_get(d, "reply"));
	} else {
		(void)buf_add_c(dst, "sent");
	}
	add_if(dst, " by the route ", text(d, "route"), "");
	(void)buf_add_char(dst, '\n');
	add_if(dst, "    log: ", text(d, "log"), "");
}

static int
number(const json_t *o, const char *key)
{
	return (int)json_integer_value(json_object_get(o, key));
}

static void
limits(const json_t *o, struct buf *dst)
{
	const json_t *l = json_object_get(o, "limits");

	if (l == NULL)
		return;
	(void)buf_printf(dst, "  at most %d connections to %s, %d messages "
	    "on each, %d recipients a transaction",
	    number(l, "concurrency"), strcmp(text(l, "limit_by"), "mx") == 0 ?
	    "each address" : "it", number(l, "max_messages"),
	    number(l, "max_recipients"));
	if (number(l, "recipients") > 0)
		(void)buf_printf(dst, ", %d recipients in %d minutes",
		    number(l, "recipients"), number(l, "recipient_minutes"));
	(void)buf_printf(dst, "; %s\n", text(l, "ip"));
	if (is(o, "tagged"))
		(void)buf_add_c(dst, "  its sender gets a tag (bounce "
		    "verification)\n");
	if (is(o, "alert"))
		(void)buf_add_c(dst, "  an alert is raised where its TLS "
		    "cannot be had\n");
}

static void
schedule(const json_t *o, struct buf *dst)
{
	const json_t *s = json_object_get(o, "schedule");
	bool by_default = strcmp(text(s, "profile_by"), "default") == 0;

	(void)buf_printf(dst, "  if deferred (%s%s%s): again after ",
	    text(s, "profile"), by_default ? "" : ", by ",
	    by_default ? "" : text(s, "profile_by"));
	add_span(dst, s, "first_retry");
	(void)buf_add_c(dst, ", doubled up to ");
	add_span(dst, s, "max_retry");
	if (json_object_get(s, "warn_after") != NULL) {
		(void)buf_add_c(dst, "; the sender is told after ");
		add_span(dst, s, "warn_after");
	}
	(void)buf_add_c(dst, "; returned after ");
	add_span(dst, s, "lifetime");
	(void)buf_add_c(dst, ", for TLS after ");
	add_span(dst, s, "tls_deadline");
	(void)buf_add_char(dst, '\n');
	if (text(s, "report_tls")[0] != '\0')
		(void)buf_printf(dst, "  its report needs %s, too, or is "
		    "held\n", text(s, "report_tls"));
}

/* What happens, in words; points of the same words are one line. */
static void
words(const json_t *f, struct buf *dst)
{
	const json_t *offers = json_object_get(f, "offers");
	const char *does = text(f, "does");
	size_t i;

	for (i = 0; i < json_array_size(offers); i++)
		(void)buf_printf(dst, "%s%s", i == 0 ?
		    "smaller offers first (" : ", ", json_string_value(
		    json_array_get(offers, i)));
	if (i > 0)
		(void)buf_add_c(dst, "); then ");
	if (strcmp(does, "tls") == 0) {
		(void)buf_add_c(dst, "sent over TLS all the same");
		return;
	}
	if (strcmp(does, "clear") == 0) {
		(void)buf_add_c(dst, "sent in clear");
		return;
	}
	if (strcmp(does, "clear-anew") == 0)
		(void)buf_add_c(dst, "sent in clear on a new connection; if "
		    "the host had TLS lately: ");
	if (is(f, "next_host"))
		(void)buf_add_c(dst, "next host, then ");
	(void)buf_printf(dst, "%s %s", text(f, "then"), text(f, "status"));
	if (text(f, "final")[0] == '\0')
		return;
	(void)buf_add_c(dst, ", returned ");
	(void)buf_printf(dst, "%s after ", text(f, "final"));
	add_span(dst, f, "until");
}

static bool
same_words(const json_t *a, const json_t *b)
{
	struct buf x, y;
	bool equal;

	buf_init(&x, 4096);
	buf_init(&y, 4096);
	words(a, &x);
	words(b, &y);
	equal = str_eq(buf_str(&x), buf_str(&y));
	buf_fini(&x);
	buf_fini(&y);
	return equal;
}

static void
failures(const json_t *o, struct buf *dst)
{
	const json_t *v = json_object_get(o, "failures"), *f;
	size_t i, k, n = json_array_size(v);

	for (i = 0; i < n; i++) {
		f = json_array_get(v, i);
		for (k = 0; k < i; k++)
			if (same_words(json_array_get(v, k), f))
				break;
		if (k < i)
			continue; /* was with that one */
		(void)buf_add_c(dst, "  if ");
		for (k = i; k < n; k++)
			if (same_words(json_array_get(v, k), f))
				(void)buf_printf(dst, "%s%s",
				    k > i ? "\n  or " : "",
				    text(json_array_get(v, k), "text"));
		(void)buf_add_c(dst, ":\n    ");
		words(f, dst);
		(void)buf_add_char(dst, '\n');
	}
}

void
explain_text_rcpt(const json_t *o, struct buf *dst)
{
	(void)buf_printf(dst, "to <%s>", text(o, "address"));
	if (!is(o, "taken")) {
		(void)buf_add_c(dst, ": refused, ");
		add_reply(dst, json_object_get(o, "reply"));
		add_if(dst, " (by ", text(o, "by"), ")");
		(void)buf_add_char(dst, '\n');
		return;
	}
	if (is(o, "dropped")) {
		(void)buf_add_c(dst, ": taken, and nothing is sent to it\n");
		return;
	}
	if (json_object_get(o, "branch") != NULL)
		(void)buf_printf(dst, ", branch %d", (int)json_integer_value(
		    json_object_get(o, "branch")));
	if (is(o, "added"))
		(void)buf_add_c(dst, ", added by the policy");
	add_if(dst, ", held: ", text(o, "quarantine"), "");
	add_if(dst, ", waits for ", text(o, "after"), "");
	(void)buf_add_char(dst, '\n');
	if (!json_is_object(json_object_get(o, "tls")))
		return; /* the message goes nowhere */
	wants(o, dst);
	hop(o, dst);
	deliver(o, dst);
	if (text(o, "error")[0] != '\0') {
		(void)buf_printf(dst, "  error: %s\n", text(o, "error"));
		return;
	}
	names(o, dst);
	limits(o, dst);
	schedule(o, dst);
	failures(o, dst);
}

void
explain_text(const json_t *all, struct buf *dst)
{
	const json_t *v = json_object_get(all, "recipients");
	size_t i;

	explain_text_client(all, dst);
	explain_text_hat(all, dst);
	add_if(dst, "warning: ", text(all, "warning"), "\n");
	if (json_object_get(all, "tried") != NULL)
		explain_text_tried(all, dst);
	explain_text_outcome(all, dst);
	for (i = 0; i < json_array_size(v); i++)
		explain_text_rcpt(json_array_get(v, i), dst);
	explain_text_unknown(all, dst);
}

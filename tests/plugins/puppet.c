/*
 * A plugin that does what its options say, for tests.
 *
 *	plugin "puppet" { mail = "if sender a@b.example; reject 550 5.7.1 no",
 *	    eom = "wait 100; edit add X-Test yes", log = "client.ip mid" }
 *
 * There is an option for each hook, and start, begin, chunk, last, route,
 * decide; steps are divided by ";" and run in turn, until one of them says
 * something.
 * A text that needs a ";" writes "\,", a line end of a body is "\n".
 *
 *	accept, discard, continue	the verdict
 *	reject, tempfail [CODE ENH TEXT]
 *	disconnect, quarantine [TEXT]
 *	verdict NUMBER			whatever it means
 *	nothing				waits for nothing
 *	wait MS				goes on after a while
 *	park MS				waits to be woken, which nobody does
 *	if FACT VALUE			goes on if it is so, else continue
 *	set FACT VALUE			("note.x" is one, too)
 *	edit add|insert NAME VALUE
 *	edit set NAME NTH VALUE
 *	edit delete NAME NTH
 *	body TEXT			a new body
 *	footer TEXT			the old one and this
 *	each STEP			STEP for each recipient
 *	for ADDRESS STEP		STEP for that recipient
 *	rcpt N				what follows is about that one, -1: all
 *	add ADDRESS, bcc ADDRESS, drop	recipients
 *	notify TO SUBJECT TEXT		"_" is a blank in SUBJECT
 *	at PLACE, mute HOOK
 *	get FACT			logged, as what follows: FACT=VALUE
 *	header NAME			"NAME: VALUE" of each
 *	fields				"fields NAME NAME …"
 *	walk				"body OCTETS SUM"
 *	chunk				"chunk OFFSET OCTETS SUM", of filter/1
 *	to ROUTE			the answer at route
 *	hop				"hop DOMAIN MX=SECURE …", of decide
 *	want WANT, source NAME, ttl N	the answer at decide
 *	visit SCOPE			"SCOPE N": how often it was done there
 *	mark SCOPE FILE TEXT		TEXT to FILE when the scope ends
 *
 * log: facts that are logged in front of the steps of each hook: "HOOK
 * FACT=VALUE …", only those that are set. SCOPE: event session message rcpt
 * instance.
 */
#include <postern/filter.h>
#include <postern/plugin.h>
#include <postern/route.h>
#include <postern/tls_policy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_MAX = 2000, WORD_MAX = 200 };

struct conf {
	const char *connect, *helo, *tls, *mail, *rcpt, *data, *headers, *eom,
	    *branch, *deliver, *disconnect, *queued, *delivered, *deferred,
	    *bounced, *start, *begin, *chunk, *last, *route, *decide;
	const char *log;
};

#define STEPS(name) PST_STRING(struct conf, name, "", "steps at " #name)

static const struct pst_option options[] = {
	STEPS(connect), STEPS(helo), STEPS(tls), STEPS(mail), STEPS(rcpt),
	STEPS(data), STEPS(headers), STEPS(eom), STEPS(branch),
	STEPS(deliver), STEPS(disconnect), STEPS(queued), STEPS(delivered),
	STEPS(deferred), STEPS(bounced), STEPS(start), STEPS(begin),
	STEPS(chunk), STEPS(last), STEPS(route), STEPS(decide),
	PST_STRING(struct conf, log, "", "facts to log at each hook"),
	PST_END
};

static const char *const scopes[] = { "event", "session", "message", "rcpt",
	"instance" };

/* Where the event is, and what each() is to do. */
struct run {
	const char *next;
	char each[STEP_MAX], who[WORD_MAX];
};

struct mark {
	char *file, *text;
};

enum { GO = -1 }; /* beside the verdicts: on with the next step */

static int step(struct pst_event *ev, char *text);

static const char *
steps_of(const struct pst_event *ev)
{
	const struct conf *c = ev->conf;
	const struct {
		const char *on, *steps;
	} v[] = { { PST_ON_CONNECT, c->connect }, { PST_ON_HELO, c->helo },
		{ PST_ON_TLS, c->tls }, { PST_ON_MAIL, c->mail },
		{ PST_ON_RCPT, c->rcpt }, { PST_ON_DATA, c->data },
		{ PST_ON_HEADERS, c->headers }, { PST_ON_EOM, c->eom },
		{ PST_ON_BRANCH, c->branch }, { PST_ON_DELIVER, c->deliver },
		{ PST_ON_DISCONNECT, c->disconnect },
		{ PST_ON_QUEUED, c->queued },
		{ PST_ON_DELIVERED, c->delivered },
		{ PST_ON_DEFERRED, c->deferred },
		{ PST_ON_BOUNCED, c->bounced }, { PST_ON_START, c->start },
		{ PST_FILTER_BEGIN, c->begin },
		{ PST_FILTER_CHUNK, c->chunk }, { PST_FILTER_END, c->last },
		{ PST_ROUTE_ROUTE, c->route },
		{ PST_TLS_POLICY_DECIDE, c->decide } };
	size_t i;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		if (strcmp(ev->on, v[i].on) == 0)
			return v[i].steps;
	}
	return "";
}

/* Cuts a word off the front; "" at the end. */
static char *
word(char **text)
{
	char *p = *text + strspn(*text, " "), *end = p + strcspn(p, " ");

	*text = end + strspn(end, " ");
	if (*end != '\0')
		*end = '\0';
	return p;
}

/* "\," and "\n" in place. */
static char *
unescape(char *text)
{
	char *from, *to = text, *copy = strdup(text);

	if (copy == NULL)
		abort();
	for (from = copy; *from != '\0' && to - text < STEP_MAX - 2; from++) {
		if (from[0] == '\\' && from[1] == ',') {
			*to++ = ';';
			from++;
		} else if (from[0] == '\\' && from[1] == 'n') {
			*to++ = '\r';
			*to++ = '\n';
			from++;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	free(copy);
	return text;
}

static int
say(struct pst_event *ev, const char *what, char *rest)
{
	bool no = strcmp(what, "reject") == 0;
	int code;
	char *enh;

	if (strcmp(what, "disconnect") == 0)
		return *rest == '\0' ? PST_DISCONNECT :
		    (int)pst_disconnect(ev, "%s", rest);
	if (strcmp(what, "quarantine") == 0)
		return *rest == '\0' ? PST_QUARANTINE :
		    (int)pst_quarantine(ev, "%s", rest);
	if (*rest == '\0')
		return no ? PST_REJECT : PST_TEMPFAIL;
	code = atoi(word(&rest));
	enh = word(&rest);
	return no ? (int)pst_reject(ev, code, enh, "%s", rest) :
	    (int)pst_tempfail(ev, code, enh, "%s", rest);
}

static void
edit(struct pst_event *ev, char *rest)
{
	const char *op = word(&rest), *name = word(&rest);
	unsigned nth;

	if (strcmp(op, "add") == 0)
		(void)pst_header_add(ev, name, rest);
	else if (strcmp(op, "insert") == 0)
		(void)pst_header_insert(ev, name, rest);
	else if (strcmp(op, "set") == 0) {
		/* What the next word leaves is the value. */
		nth = (unsigned)atoi(word(&rest));
		(void)ev->api->edit(ev, PST_HEADER_SET, name, nth, rest);
	} else
		(void)pst_header_delete(ev, name, (unsigned)atoi(rest));
}

static unsigned
sum(unsigned so_far, const char *p, size_t n)
{
	while (n-- > 0)
		so_far = so_far * 31 + (unsigned char)*p++;
	return so_far;
}

static void
write_body(struct pst_event *ev, const char *text, bool footer)
{
	struct pst_str piece;
	uint64_t at = 0;

	while (footer && pst_body(ev, &at, &piece))
		(void)pst_body_write(ev, piece.p, piece.n);
	(void)pst_body_write(ev, text, strlen(text));
}

static enum pst_verdict
on_rcpt_of_each(struct pst_event *ev)
{
	struct run *r = pst_data(ev, PST_EVENT, struct run);
	const char *who = pst_get(ev, "rcpt");
	char text[STEP_MAX];
	int v;

	if (r->who[0] != '\0' && (who == NULL || strcmp(who, r->who) != 0))
		return PST_CONTINUE;
	(void)snprintf(text, sizeof(text), "%s", r->each);
	v = step(ev, text);
	return v == GO ? PST_CONTINUE : (enum pst_verdict)v;
}

static int
each(struct pst_event *ev, const char *who, const char *what)
{
	struct run *r = pst_data(ev, PST_EVENT, struct run);
	enum pst_verdict v;

	(void)snprintf(r->who, sizeof(r->who), "%s", who);
	(void)snprintf(r->each, sizeof(r->each), "%s", what);
	v = pst_each_rcpt(ev, on_rcpt_of_each);
	return v == PST_CONTINUE ? GO : (int)v;
}

static enum pst_scope
scope_of(const char *name)
{
	unsigned i;

	for (i = 0; i < 4 && strcmp(scopes[i], name) != 0; i++)
		;
	return (enum pst_scope)i;
}

static void
marked(void *arg)
{
	struct mark *m = arg;
	FILE *f = fopen(m->file, "a");

	if (f != NULL) {
		(void)fprintf(f, "%s\n", m->text);
		(void)fclose(f);
	}
	free(m->file);
	free(m->text);
	free(m);
}

static void
mark(struct pst_event *ev, char *rest)
{
	enum pst_scope scope = scope_of(word(&rest));
	struct mark *m = calloc(1, sizeof(*m));

	if (m == NULL)
		abort();
	m->file = strdup(word(&rest));
	m->text = strdup(rest);
	pst_defer(ev, scope, marked, m);
}

static void
visit(struct pst_event *ev, const char *name)
{
	unsigned *n = pst_data(ev, scope_of(name), unsigned);

	if (n == NULL)
		pst_log(ev, PST_INFO, "%s none", name);
	else
		pst_log(ev, PST_INFO, "%s %u", name, ++*n);
}

static void
show(struct pst_event *ev, const char *what, const char *name)
{
	const struct pst_chunk *chunk = ev->arg;
	struct pst_str a, b;
	const char *value;
	char all[STEP_MAX];
	uint64_t at = 0;
	unsigned i, s = 0;
	size_t n = 0;

	if (strcmp(what, "get") == 0) {
		value = pst_get(ev, name);
		pst_log(ev, PST_INFO, "%s=%s", name,
		    value != NULL ? value : "(none)");
	} else if (strcmp(what, "header") == 0) {
		for (i = 0; (value = pst_header_nth(ev, name, i)) != NULL; i++)
			pst_log(ev, PST_INFO, "%s: %s", name, value);
	} else if (strcmp(what, "fields") == 0) {
		all[0] = '\0';
		for (i = 0; pst_field(ev, i, &a, &b) &&
		    n < sizeof(all); i++)
			n += (size_t)snprintf(all + n, sizeof(all) - n, " %s",
			    a.p);
		pst_log(ev, PST_INFO, "fields%s", all);
	} else if (strcmp(what, "walk") == 0) {
		while (pst_body(ev, &at, &a))
			s = sum(s, a.p, a.n);
		pst_log(ev, PST_INFO, "body %llu %u", (unsigned long long)at,
		    s);
	} else {
		s = sum(0, chunk->data.p, chunk->data.n);
		pst_log(ev, PST_INFO, "chunk %llu %zu %u",
		    (unsigned long long)chunk->offset, chunk->data.n, s);
	}
}

static void
show_hop(struct pst_event *ev)
{
	const struct pst_tls_hop *q = ev->arg;
	char all[STEP_MAX];
	size_t n = 0;
	unsigned i;

	all[0] = '\0';
	for (i = 0; i < q->count && n < sizeof(all); i++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, " %s=%s",
		    q->mx[i].name, q->mx[i].secure ? "yes" : "no");
	pst_log(ev, PST_INFO, "hop %s%s%s", q->domain,
	    q->route ? " route" : "", all);
}

/* What an operation is answered with; in memory of the event. */
static bool
answer(struct pst_event *ev, const char *what, const char *text)
{
	struct pst_tls_hop *hop = ev->arg;
	struct pst_route *route = ev->arg;
	bool decides = strcmp(ev->on, PST_TLS_POLICY_DECIDE) == 0;
	char *copy;

	if (decides ? strcmp(what, "want") != 0 &&
	    strcmp(what, "source") != 0 && strcmp(what, "ttl") != 0 :
	    strcmp(ev->on, PST_ROUTE_ROUTE) != 0 || strcmp(what, "to") != 0)
		return false;
	copy = pst_alloc(ev, PST_EVENT, strlen(text) + 1);
	if (copy == NULL)
		abort();
	memcpy(copy, text, strlen(text) + 1);
	if (!decides)
		route->route = copy;
	else if (strcmp(what, "want") == 0)
		hop->want = copy;
	else if (strcmp(what, "source") == 0)
		hop->source = copy;
	else
		hop->ttl = (uint32_t)atoi(copy);
	return true;
}

static enum pst_verdict run(struct pst_event *ev);

static enum pst_verdict
waited(struct pst_event *ev, const struct pst_result *res)
{
	(void)res;
	return run(ev);
}

static void
notify(struct pst_event *ev, char *text)
{
	struct pst_notice n = { .size = sizeof(n) };
	char *subject, *p;

	n.to = word(&text);
	subject = word(&text);
	for (p = subject; *p != '\0'; p++)
		*p = *p == '_' ? ' ' : *p;
	n.subject = subject;
	n.text = text;
	pst_log(ev, PST_INFO, "notify %d", pst_notify(ev, &n));
}

/* What came with ABI 1.1; false: it is none of that. */
static bool
later(struct pst_event *ev, const char *what, char *text)
{
	if (strcmp(what, "rcpt") == 0)
		pst_log(ev, PST_INFO, "rcpt %d", pst_rcpt(ev, atoi(text)));
	else if (strcmp(what, "add") == 0)
		pst_log(ev, PST_INFO, "add %d", pst_rcpt_add(ev, text, 0));
	else if (strcmp(what, "bcc") == 0)
		pst_log(ev, PST_INFO, "bcc %d",
		    pst_rcpt_add(ev, text, PST_RCPT_QUIET));
	else if (strcmp(what, "drop") == 0)
		pst_log(ev, PST_INFO, "drop %d", pst_rcpt_drop(ev));
	else if (strcmp(what, "notify") == 0)
		notify(ev, text);
	else if (strcmp(what, "at") == 0)
		pst_at(ev, text);
	else if (strcmp(what, "mute") == 0)
		(void)pst_mute(ev, text);
	else
		return false;
	return true;
}

/* One step: a verdict, or GO. */
static int
step(struct pst_event *ev, char *text)
{
	static const char *const plain[] = { "continue", "accept", "discard" };
	static const int verdict[] = { PST_CONTINUE, PST_ACCEPT, PST_DISCARD };
	char *what, *name;
	const char *value;
	uint64_t id;
	unsigned i;

	what = word(&text);
	for (i = 0; i < 3; i++) {
		if (strcmp(what, plain[i]) == 0)
			return verdict[i];
	}
	(void)unescape(text);
	if (strcmp(what, "reject") == 0 || strcmp(what, "tempfail") == 0 ||
	    strcmp(what, "disconnect") == 0 || strcmp(what, "quarantine") == 0)
		return say(ev, what, text);
	if (strcmp(what, "verdict") == 0)
		return atoi(text);
	if (strcmp(what, "nothing") == 0)
		return PST_WAIT;
	if (strcmp(what, "wait") == 0)
		return (int)pst_timer(ev, (uint32_t)atoi(text), waited);
	if (strcmp(what, "park") == 0)
		return (int)pst_park(ev, (uint32_t)atoi(text), &id, waited);
	if (strcmp(what, "if") == 0) {
		value = pst_get(ev, word(&text));
		return value != NULL && strcmp(value, text) == 0 ? GO :
		    (int)PST_CONTINUE;
	}
	if (strcmp(what, "set") == 0) {
		name = word(&text);
		(void)pst_set(ev, name, text);
	} else if (strcmp(what, "edit") == 0) {
		edit(ev, text);
	} else if (strcmp(what, "body") == 0) {
		write_body(ev, text, false);
	} else if (strcmp(what, "footer") == 0) {
		write_body(ev, text, true);
	} else if (strcmp(what, "each") == 0) {
		return each(ev, "", text);
	} else if (strcmp(what, "for") == 0) {
		name = word(&text);
		return each(ev, name, text);
	} else if (strcmp(what, "visit") == 0) {
		visit(ev, text);
	} else if (strcmp(what, "mark") == 0) {
		mark(ev, text);
	} else if (strcmp(what, "hop") == 0) {
		show_hop(ev);
	} else if (!later(ev, what, text) && !answer(ev, what, text)) {
		show(ev, what, text);
	}
	return GO;
}

static enum pst_verdict
run(struct pst_event *ev)
{
	struct run *r = pst_data(ev, PST_EVENT, struct run);
	char text[STEP_MAX];
	size_t n;
	int v = GO;

	while (v == GO && *r->next != '\0') {
		n = strcspn(r->next, ";");
		(void)snprintf(text, sizeof(text), "%.*s", (int)n, r->next);
		r->next += n + (r->next[n] == ';');
		v = step(ev, text);
	}
	return v == GO ? PST_CONTINUE : (enum pst_verdict)v;
}

static void
log_facts(struct pst_event *ev, const char *names)
{
	char line[STEP_MAX], name[WORD_MAX];
	const char *value;
	size_t n = 0, len;

	line[0] = '\0';
	while (*names != '\0') {
		len = strcspn(names, " ");
		(void)snprintf(name, sizeof(name), "%.*s", (int)len, names);
		names += len + strspn(names + len, " ");
		value = pst_get(ev, name);
		if (value != NULL && n < sizeof(line))
			n += (size_t)snprintf(line + n, sizeof(line) - n,
			    " %s=%s", name, value);
	}
	pst_log(ev, PST_INFO, "%s%s", ev->on, line);
}

static enum pst_verdict
on_any(struct pst_event *ev)
{
	const struct conf *c = ev->conf;
	struct run *r = pst_data(ev, PST_EVENT, struct run);

	if (r == NULL)
		return PST_TEMPFAIL;
	if (c->log[0] != '\0')
		log_facts(ev, c->log);
	r->next = steps_of(ev);
	return run(ev);
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_CONNECT, on_any), PST_HOOK(PST_ON_HELO, on_any),
	PST_HOOK(PST_ON_TLS, on_any), PST_HOOK(PST_ON_MAIL, on_any),
	PST_HOOK(PST_ON_RCPT, on_any), PST_HOOK(PST_ON_DATA, on_any),
	PST_HOOK(PST_ON_HEADERS, on_any), PST_HOOK(PST_ON_EOM, on_any),
	PST_HOOK(PST_ON_BRANCH, on_any), PST_HOOK(PST_ON_DELIVER, on_any),
	PST_HOOK(PST_ON_DISCONNECT, on_any), PST_HOOK(PST_ON_QUEUED, on_any),
	PST_HOOK(PST_ON_DELIVERED, on_any), PST_HOOK(PST_ON_DEFERRED, on_any),
	PST_HOOK(PST_ON_BOUNCED, on_any), PST_HOOK(PST_ON_START, on_any),
	PST_HOOK(PST_FILTER_BEGIN, on_any),
	PST_HOOK(PST_FILTER_CHUNK, on_any), PST_HOOK(PST_FILTER_END, on_any),
	PST_HOOK(PST_ROUTE_ROUTE, on_any),
	PST_HOOK(PST_TLS_POLICY_DECIDE, on_any),
	PST_END
};

PST_PLUGIN(puppet, .version = "1.0", .summary = "Does what it is told",
    .license = "none", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct conf));

/*
 * A policy that fails: an error, a limit, a return value that is none.
 *
 * The message is put off. The administrator may want it accepted or refused
 * instead, but never with less TLS than a policy that works would have given
 * it. What a policy would have decided cannot be known when it fails, so
 * "accept" is only for one that cannot decide it at all: its text has no word
 * of TLS or of routes, and facts of these (a name that was put together at run
 * time, a text in escapes) are beyond it, see failure_unless_protects(). Any
 * other policy puts off whatever is configured. Hooks of the session cannot
 * take anything from a message.
 */
#include <stdio.h>
#include <string.h>

#include "embedded.h"
#include "policy.h"

/* One line each, whatever is in it. */
static void
log_line(struct event *r, enum pst_level level, const char *prefix,
    const char *text, size_t n)
{
	char line[600];
	size_t i;

	if (n >= sizeof(line))
		n = sizeof(line) - 1;
	for (i = 0; i < n; i++)
		line[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ?
		    ' ' : text[i];
	line[n] = '\0';
	pst_log(r->ev, level, "%s%s", prefix, line);
}

static void
log_traceback(struct event *r, const char *text)
{
	size_t n, lines = 0;

	for (; text != NULL && *text != '\0' && lines < 20; lines++) {
		n = strcspn(text, "\n");
		log_line(r, PST_WARNING, "  ", text + strspn(text, "\t"),
		    n - (strspn(text, "\t") < n ? strspn(text, "\t") : n));
		text += n + (text[n] != '\0');
	}
}

static bool
may_accept(const struct event *r)
{
	return r->stage < STAGE_MAIL ||
	    (!r->policy->protects && r->stage < STAGE_DELIVER);
}

void
failure_unless_protects(lua_State *L, struct event *r, const char *fact)
{
	static const char *const facts[] = { "rcpt.tls", "rcpt.route",
		"rcpt.after", "deliver.tls", "deliver.route" };
	char place[LUA_IDSIZE + 16], text[300];
	size_t i;

	if (r->policy->protects || r->conf->on_error[0] != 'a')
		return;
	for (i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		if (strcmp(fact, facts[i]) != 0)
			continue;
		r->policy->protects = true;
		host_place(L, place, sizeof(place));
		(void)snprintf(text, sizeof(text), "%s%s%s cannot be set "
		    "under on_error = \"accept\" by a name that does not "
		    "stand in the policy", place,
		    place[0] != '\0' ? ": " : "", fact);
		(void)state_stop(L, text);
	}
}

enum pst_verdict
failure(struct event *r, const struct state_error *e)
{
	/* Errors of rules are the library's; who is at work is known. */
	bool ours = strncmp(e->place, EMBEDDED_PLACE,
	    strlen(EMBEDDED_PLACE)) == 0;
	const char *place = e->place[0] == '\0' ||
		(ours && r->place[0] != '\0') ? r->place : e->place;
	const char *how = r->conf->on_error;
	char text[700], key[100];

	(void)snprintf(text, sizeof(text), "%s%s%.500s", place,
	    place[0] != '\0' ? ": " : "", e->text);
	log_line(r, PST_ERROR, "policy error ", text, strlen(text));
	log_traceback(r, e->traceback);
	(void)snprintf(key, sizeof(key), "policy:%s", place);
	if (pst_rate(r->ev, key, 3600 * 1000, 1) == 1)
		pst_alert(r->ev, PST_ERROR, key, "policy error %.400s", text);
	if (r->conf->shadow || r->stage >= STAGE_NOTED)
		return PST_CONTINUE;
	if (how[0] == 'a' && may_accept(r))
		return PST_CONTINUE;
	if (how[0] == 'r' && r->stage < STAGE_BRANCH)
		return pst_reject(r->ev, 554, "5.3.5", "policy error");
	return pst_tempfail(r->ev, 451, "4.3.5", "policy error");
}

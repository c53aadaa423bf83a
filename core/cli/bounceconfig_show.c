/*
 * Bounce profiles: shown and changed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/bounceconfig.h"
#include "cli/confcmd.h"
#include "cli/config.h"

#define KIND "bounce_profile"

static const struct {
	const char *key, *value;
} defaults[] = {
#define PARAM_PROFILE(name, type, def, range, help) { #name, def },
#include "tbl/params.h"
};

#define NDEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

const struct bounceconfig_field bounceconfig_fields[] = {
	{ "max_retries", "max_retries", BC_NUMBER,
	    "Please enter the maximum number of retries." },
	{ "max_queue_lifetime", "lifetime", BC_SECONDS,
	    "Please enter the maximum number of seconds a message may stay in "
	    "the queue before being hard bounced." },
	{ "initial_retry", "first_retry", BC_SECONDS,
	    "Please enter the initial number of seconds to wait before "
	    "retrying a message." },
	{ "max_retry_time", "max_retry", BC_SECONDS,
	    "Please enter the maximum number of seconds to wait before "
	    "retrying a message." },
	{ "jitter", "jitter", BC_NUMBER, NULL },
	{ "send_bounces", "send_bounces", BC_YES,
	    "Do you want a message sent for each hard bounce?" },
	{ "use_dsn_bounce_format", "format", BC_DSN,
	    "Do you want bounce messages to use the DSN message format?" },
	{ "send_warnings", "warn", BC_YES,
	    "If a message is undeliverable after some interval, do you want "
	    "to send a delay warning message?" },
	{ "warn_after", "warn_after", BC_SECONDS,
	    "Please enter the number of seconds after which the first delay "
	    "warning is sent." },
	{ "send_warnings_interval", "warn_interval", BC_SECONDS,
	    "Please enter the minimum interval in seconds between delay "
	    "warning messages." },
	{ "send_warnings_count", "warn_count", BC_NUMBER,
	    "Please enter the maximum number of delay warning messages to "
	    "send per recipient." },
	{ "alternate_bounce_address", "alternate", BC_TEXT,
	    "Enter the email address that bounce messages are sent to, or "
	    "NONE for the sender." },
	{ NULL, NULL, BC_TEXT, NULL },
};

const struct conf *
bounceconfig_conf(struct bounceconfig *bc, struct err *why)
{
	const struct conf *c = confedit_conf(bc->ce);

	if (c == NULL)
		(void)err_text(why, "%s", confedit_broken(bc->ce));
	return c;
}

bool
bounceconfig_has(struct bounceconfig *bc, const char *name)
{
	return strcmp(name, BOUNCECONFIG_DEFAULT) == 0 ||
	    confedit_get(bc->ce, KIND, name) != NULL ||
	    confedit_boot(bc->ce, KIND, name) != NULL;
}

const char *
bounceconfig_value(struct bounceconfig *bc, const char *name,
    const struct bounceconfig_field *f)
{
	const char *now = confcmd_now(bc->ce, bc->pool, KIND, name, f->key);
	msec ms;
	size_t i;

	for (i = 0; now == NULL; i++) {
		ASSERT(i < NDEFAULTS);
		if (strcmp(defaults[i].key, f->key) == 0)
			now = defaults[i].value;
	}
	switch (f->type) {
	case BC_SECONDS:
		if (num_duration(str_c(now), &ms) != 0)
			return now;
		return ms % 1000 == 0 ? pool_printf(bc->pool, "%" PRId64,
		    ms / 1000) : pool_printf(bc->pool, "%" PRId64 "ms", ms);
	case BC_YES:
		return strcmp(now, "true") == 0 ? "yes" : "no";
	case BC_DSN:
		return strcmp(now, "dsn") == 0 ? "yes" : "no";
	case BC_NUMBER:
	case BC_TEXT:
		return now;
	}
	panic("type %d", (int)f->type);
}

static json_t *
json_value(struct bounceconfig *bc, const char *name,
    const struct bounceconfig_field *f)
{
	const char *v = bounceconfig_value(bc, name, f);
	uint64_t n;
	msec ms;

	switch (f->type) {
	case BC_NUMBER:
		if (num_u64(str_c(v), UINT32_MAX, &n) == 0)
			return json_integer((json_int_t)n);
		break;
	case BC_SECONDS:
		if (num_duration(str_c(v), &ms) == 0)
			return ms % 1000 == 0 ? json_integer(ms / 1000) :
			    json_real((double)ms / 1000);
		break;
	case BC_YES:
	case BC_DSN:
		return json_boolean(strcmp(v, "yes") == 0);
	case BC_TEXT:
		break;
	}
	return json_string(v);
}

static json_t *
json_of(struct bounceconfig *bc, const char *name, const struct conf *c)
{
	json_t *o = json_pack("{s:s}", "bounce_profile_name", name);
	const struct bounceconfig_field *f;
	const char *const *p = bounceconfig_users(bc->pool, name, c);
	json_t *users = json_array();

	for (f = bounceconfig_fields; f->name != NULL; f++)
		(void)json_object_set_new(o, f->name, json_value(bc, name, f));
	for (; *p != NULL; p++)
		(void)json_array_append_new(users, json_string(*p));
	(void)json_object_set_new(o, "used_by", users);
	return o;
}

/* Who names it; the default is there for all others. */
static const char *
used_by(struct bounceconfig *bc, const char *name, const struct conf *c)
{
	const char *text = bounceconfig_users_text(bc->pool,
	    bounceconfig_users(bc->pool, name, c));

	if (strcmp(name, BOUNCECONFIG_DEFAULT) != 0)
		return text[0] != '\0' ? text : "nobody";
	return pool_printf(bc->pool, "%s%swhatever names no other", text,
	    text[0] != '\0' ? ", " : "");
}

static void
line(const char *what, const char *value)
{
	(void)printf("  %-28s %s\n", what, value);
}

static void
detail(struct bounceconfig *bc, const char *name, const struct conf *c)
{
	const struct bounceconfig_field *f;
	const char *v;

	(void)printf("\n%s\n", name);
	for (f = bounceconfig_fields; f->name != NULL; f++) {
		v = bounceconfig_value(bc, name, f);
		if (f->type == BC_SECONDS && strchr(v, 'm') == NULL)
			v = pool_printf(bc->pool, "%s s", v);
		else if (f->key[0] == 'j')
			v = pool_printf(bc->pool, "%s %%", v);
		line(pool_printf(bc->pool, "%s:", f->name),
		    v[0] != '\0' ? v : "none");
	}
	line("used by:", used_by(bc, name, c));
}

int
bounceconfig_list(struct bounceconfig *bc, struct err *why)
{
	const struct conf *c = bounceconfig_conf(bc, why);
	unsigned i;

	if (c == NULL)
		return -1;
	if (bc->json)
		return bounceconfig_detail(bc, NULL, why);
	(void)printf("Current bounce profiles:\n");
	for (i = 0; i < c->nprofile; i++)
		(void)printf("%u. %s (used by %s)\n", i + 1,
		    c->profile[i].name, used_by(bc, c->profile[i].name, c));
	return 0;
}

int
bounceconfig_detail(struct bounceconfig *bc, const char *name,
    struct err *why)
{
	const struct conf *c = bounceconfig_conf(bc, why);
	json_t *all;
	unsigned i, found = 0;

	if (c == NULL)
		return -1;
	all = json_array();
	for (i = 0; i < c->nprofile; i++) {
		if (name != NULL && strcmp(name, c->profile[i].name) != 0)
			continue;
		found++;
		if (bc->json)
			(void)json_array_append_new(all, json_of(bc,
			    c->profile[i].name, c));
		else
			detail(bc, c->profile[i].name, c);
	}
	if (bc->json && found > 0)
		config_print(json_incref(all));
	json_decref(all);
	return found > 0 ? 0 : err_text(why, "there is no profile %s", name);
}

static const struct bounceconfig_field *
field_of(const char *name)
{
	const struct bounceconfig_field *f;

	for (f = bounceconfig_fields; f->name != NULL; f++) {
		if (strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

int
bounceconfig_set(struct bounceconfig *bc, const char *name, const char *key,
    const char *value, struct err *why)
{
	const struct bounceconfig_field *f = field_of(key);
	struct str s = str_c(value);

	if (f != NULL && f->type == BC_DSN && value[0] != '\0') {
		if (str_ieq_c(s, "yes") || str_ieq_c(s, "on") ||
		    str_ieq_c(s, "true") || str_ieq_c(s, "1"))
			value = "dsn";
		else if (str_ieq_c(s, "no") || str_ieq_c(s, "off") ||
		    str_ieq_c(s, "false") || str_ieq_c(s, "0"))
			value = "plain";
		else
			return err_text(why, "%s must be yes or no", key);
	}
	return confedit_set(bc->ce, KIND, name, f != NULL ? f->key : key,
	    value, why);
}

int
bounceconfig_new(struct bounceconfig *bc, const char *name, struct err *why)
{
	return confedit_new(bc->ce, KIND, name, why);
}

int
bounceconfig_delete(struct bounceconfig *bc, const char *name,
    struct err *why)
{
	bool boot = confedit_boot(bc->ce, KIND, name) != NULL;
	const struct conf *c;
	const char *users;

	if (strcmp(name, BOUNCECONFIG_DEFAULT) == 0)
		return err_text(why, "the profile %s cannot be deleted", name);
	if (confedit_get(bc->ce, KIND, name) == NULL)
		return boot ? err_text(why, "%s is written in %s and can only "
		    "be deleted there", name, confedit_file(bc->ce)) :
		    err_text(why, "there is no profile %s", name);
	/* That of the boot file counts again: they keep theirs. */
	c = confedit_conf(bc->ce);
	users = boot || c == NULL ? "" : bounceconfig_users_text(bc->pool,
	    bounceconfig_users(bc->pool, name, c));
	if (users[0] != '\0')
		return err_text(why, "the profile %s is used by %s", name,
		    users);
	return confedit_delete(bc->ce, KIND, name, why);
}

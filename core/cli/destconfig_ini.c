/*
 * The table of destinations as a file of AsyncOS: [DEFAULT] and a section for
 * each entry, keys and words as there (requirements.md 4.2). What that file has
 * no words for has keys of ours, postern_tls and so on.
 *
 * Import is all or nothing: the whole table becomes that of the file.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/destconfig.h"
#include "cli/plainline.h"

#define NELEM(a) (sizeof(a) / sizeof((a)[0]))

enum key {
	KEY_IP, KEY_CONCURRENCY, KEY_TYPE, KEY_APPLY, KEY_MESSAGES,
	KEY_MINUTES, KEY_RECIPIENTS, KEY_TAG, KEY_TLS, KEY_OUR_TLS,
	KEY_PROFILE, KEY_ALERT, KEY_CERT, KEY_OUR_CERT, KEY_ROUTE, KEYS
};

enum where { BOTH, ONLY_DEFAULT, ONLY_ENTRY };

static const struct {
	const char *name;
	enum where where;
	bool needed; /* in [DEFAULT] */
} keys[KEYS] = {
	[KEY_IP] = { "ip_sort_pref", BOTH, true },
	[KEY_CONCURRENCY] = { "max_host_concurrency", BOTH, true },
	[KEY_TYPE] = { "limit_type", BOTH, true },
	[KEY_APPLY] = { "limit_apply", BOTH, true },
	[KEY_MESSAGES] = { "max_messages_per_connection", BOTH, true },
	[KEY_MINUTES] = { "recipient_minutes", BOTH, false },
	[KEY_RECIPIENTS] = { "recipient_limit", BOTH, false },
	[KEY_TAG] = { "bounce_validation", BOTH, true },
	[KEY_TLS] = { "table_tls", BOTH, true },
	[KEY_OUR_TLS] = { "postern_tls", BOTH, false },
	[KEY_PROFILE] = { "bounce_profile", ONLY_ENTRY, false },
	[KEY_ALERT] = { "send_tls_req_alert", ONLY_DEFAULT, true },
	[KEY_CERT] = { "certificate", ONLY_DEFAULT, false },
	[KEY_OUR_CERT] = { "postern_certificate", ONLY_ENTRY, false },
	[KEY_ROUTE] = { "postern_route", ONLY_ENTRY, false },
};

/* A word there, its other spelling, and ours. The first of ours is written. */
struct word {
	enum key key;
	const char *word, *number, *ours;
};

static const struct word words[] = {
	{ KEY_IP, "PREFER_V6", NULL, "prefer-ipv6" },
	{ KEY_IP, "PREFER_V4", NULL, "prefer-ipv4" },
	{ KEY_IP, "REQUIRE_v6", NULL, "require-ipv6" },
	{ KEY_IP, "REQUIRE_v4", NULL, "require-ipv4" },
	{ KEY_TYPE, "host", "0", "domain" },
	{ KEY_TYPE, "MXIP", "1", "mx" },
	{ KEY_APPLY, "system", "0", "" },
	{ KEY_TAG, "off", "0", "off" },
	{ KEY_TAG, "on", "1", "on" },
	{ KEY_TLS, "off", "0", "none" },
	{ KEY_TLS, "on", "1", "preferred" },
	{ KEY_TLS, "required", "2", "required" },
	{ KEY_TLS, "on_verify", "3", "preferred-verify" },
	{ KEY_TLS, "require_verify", "4", "required-verify" },
	{ KEY_TLS, "require_verify_hosted", "5",
	    "required-verify match=hosted" },
	{ KEY_ALERT, "off", "0", "false" },
	{ KEY_ALERT, "on", "1", "true" },
};

struct section {
	const char *name; /* NULL: before the first */
	int line;
	const char *value[KEYS];
	int at[KEYS];
};

struct reading {
	struct destconfig *dc;
	const struct destconfig_taking *how; /* or NULL */
	const char *file;
	struct section now;
	json_t *seen; /* the names of sections */
	unsigned by_mx; /* of them, with recipients limited by address */
	bool had_default;
};

/* What is written; "" and 0: not there. */
struct entry {
	const struct tlswant *tls;
	const char *certificate, *profile, *route;
	unsigned concurrency, messages, recipients, minutes;
	int limit_by, ip, tag;
};

static void write_entry(struct destconfig *dc, const struct entry *e,
    struct buf *dst);
static void write_tls(struct destconfig *dc, const struct tlswant *w,
    struct buf *dst);
static int refuse(const struct reading *r, int line, struct err *why);
static int all_lines(struct reading *r, struct str text, struct err *why);
static int one_line(struct reading *r, int line, struct str s,
    struct err *why);
static int begin(struct reading *r, int line, struct str name,
    struct err *why);
static int keep(struct reading *r, int line, struct str key, struct str value,
    struct err *why);
static bool left_out(const struct reading *r, int line, struct str word,
    const char *reason);
static bool cannot(struct reading *r, int line, enum key key,
    struct str value);
static void by_mx(struct reading *r);
static int end(struct reading *r, struct err *why);

static void
put(struct buf *dst, enum key key, const char *value)
{
	if (value[0] != '\0')
		(void)buf_printf(dst, "%s = %s\n", keys[key].name, value);
}

static void
put_number(struct buf *dst, enum key key, unsigned v)
{
	if (v != 0)
		(void)buf_printf(dst, "%s = %u\n", keys[key].name, v);
}

/* The i-th word of a key. */
static void
put_word(struct buf *dst, enum key key, int i)
{
	const struct word *w;

	if (i < 0)
		return;
	for (w = words; w->key != key || i-- > 0;)
		w++;
	put(dst, key, w->word);
}

void
destconfig_write(struct destconfig *dc, const struct conf *c, struct buf *dst)
{
	const struct conf_destination *const *v, *d;
	const struct conf_delivery *of = &c->delivery;
	struct entry e = { .tls = &c->relay_conf.tls,
		.certificate = "", .profile = "", .route = "",
		.concurrency = of->concurrency,
		.messages = of->max_messages, .recipients = of->recipients,
		.minutes = of->recipients > 0 ? of->recipient_minutes : 0,
		.limit_by = of->limit_by, .ip = of->ip,
		.tag = of->bounce_verification };
	unsigned i, n;

	(void)buf_add_c(dst, "[DEFAULT]\n");
	write_entry(dc, &e, dst);
	put_word(dst, KEY_ALERT, of->alert_required_tls);
	put(dst, KEY_CERT, of->certificate);
	v = destconfig_sorted(dc, c, &n);
	for (i = 0; i < n; i++) {
		d = v[i];
		e = (struct entry){ .tls = d->tls,
			.certificate = d->certificate,
			.profile = d->bounce_profile, .route = d->route,
			.concurrency = d->concurrency,
			.messages = d->max_messages,
			.recipients = d->recipients,
			.minutes = d->recipient_minutes,
			.limit_by = d->limit_by, .ip = d->ip,
			.tag = d->bounce_verification };
		/* A limit needs these. */
		if (e.recipients > 0 && e.minutes == 0)
			e.minutes = of->recipient_minutes;
		if ((e.recipients > 0 || e.concurrency > 0) &&
		    e.limit_by == -1)
			e.limit_by = of->limit_by;
		(void)buf_printf(dst, "\n[%s]\n", d->name);
		write_entry(dc, &e, dst);
	}
}

static void
write_entry(struct destconfig *dc, const struct entry *e, struct buf *dst)
{
	put_word(dst, KEY_IP, e->ip);
	put_number(dst, KEY_CONCURRENCY, e->concurrency);
	put_word(dst, KEY_TYPE, e->limit_by);
	put_word(dst, KEY_APPLY, e->limit_by == -1 ? -1 : 0);
	put_number(dst, KEY_MESSAGES, e->messages);
	put_number(dst, KEY_MINUTES, e->minutes);
	put_number(dst, KEY_RECIPIENTS, e->recipients);
	put_word(dst, KEY_TAG, e->tag);
	write_tls(dc, e->tls, dst);
	put(dst, KEY_PROFILE, e->profile);
	put(dst, KEY_OUR_CERT, e->certificate);
	put(dst, KEY_ROUTE, e->route);
}

/* The nearest word, and the want itself where that is not all of it. */
static void
write_tls(struct destconfig *dc, const struct tlswant *w, struct buf *dst)
{
	static const int nearest[] = { [TLSWANT_NONE] = 0,
		[TLSWANT_OPPORTUNISTIC] = 1, [TLSWANT_PREFERRED] = 1,
		[TLSWANT_PREFERRED_VERIFY] = 3, [TLSWANT_REQUIRED] = 2,
		[TLSWANT_REQUIRED_VERIFY] = 4 };
	const char *text;
	struct buf b;
	size_t i;

	if (w == NULL)
		return;
	buf_init(&b, CONF_MAX);
	tlswant_write(w, &b);
	text = pool_strdup(dc->pool, buf_p(&b));
	buf_fini(&b);
	for (i = 0; i < NELEM(words); i++) {
		if (words[i].key == KEY_TLS &&
		    strcmp(words[i].ours, text) == 0) {
			put(dst, KEY_TLS, words[i].word);
			return;
		}
	}
	put_word(dst, KEY_TLS, nearest[w->level]);
	put(dst, KEY_OUR_TLS, text);
}

int
destconfig_read(struct destconfig *dc, const char *file, struct str text,
    const struct destconfig_taking *how, struct err *why)
{
	struct reading r = { .dc = dc, .how = how, .file = file };
	int e;

	if ((how == NULL || !how->merge) && destconfig_clear(dc, why) != 0)
		return -1;
	r.seen = json_object();
	e = all_lines(&r, text, why);
	json_decref(r.seen);
	if (e == 0 && r.by_mx > 0)
		(void)fprintf(stderr, "%s: limit_type MXIP is for connections "
		    "only, recipients are counted for the entire domain "
		    "(sections: %u)\n", file, r.by_mx);
	return e;
}

static int
all_lines(struct reading *r, struct str text, struct err *why)
{
	struct str rest = plainline_text(text), s;
	int line;

	for (line = 1; str_split(&rest, '\n', &s); line++) {
		if (s.n > 0 && s.p[s.n - 1] == '\r')
			s.n--;
		s = str_trim(s);
		if (s.n == 0 || s.p[0] == '#' || s.p[0] == ';')
			continue;
		if (plainline_check(s, why) != 0)
			return refuse(r, line, why);
		if (one_line(r, line, s, why) != 0)
			return -1;
	}
	if (end(r, why) != 0)
		return -1;
	if (!r->had_default) {
		(void)err_text(why, "there is no section [DEFAULT]");
		return refuse(r, line - 1, why);
	}
	return 0;
}

static int
refuse(const struct reading *r, int line, struct err *why)
{
	return err_prefix(why, "%s:%d: ", r->file, line);
}

static int
one_line(struct reading *r, int line, struct str s, struct err *why)
{
	size_t at = str_find(s, '=');

	if (s.p[0] == '[') {
		if (end(r, why) != 0)
			return -1;
		if (s.n < 3 || s.p[s.n - 1] != ']') {
			(void)err_text(why, "this is no [section]");
			return refuse(r, line, why);
		}
		return begin(r, line, str_trim(str_n(s.p + 1, s.n - 2)), why);
	}
	if (at == 0 || at == s.n) {
		(void)err_text(why, "this is neither [section] nor key = "
		    "value");
		return refuse(r, line, why);
	}
	return keep(r, line, str_trim(str_n(s.p, at)),
	    str_trim(str_n(s.p + at + 1, s.n - at - 1)), why);
}

static int
begin(struct reading *r, int line, struct str name, struct err *why)
{
	struct conf_object o;
	const char *text = pool_str(r->dc->pool, name).p;

	memset(&r->now, 0, sizeof(r->now));
	r->now.line = line;
	r->now.name = text;
	if (str_eq_c(name, DESTCONFIG_DEFAULT)) {
		if (!r->had_default) {
			r->had_default = true;
			return 0;
		}
		(void)err_text(why, "[DEFAULT] is there already");
		return refuse(r, line, why);
	}
	if (conf_object_new(r->dc->pool, "destination", text, &o, why) != 0)
		return refuse(r, line, why);
	if (json_object_get(r->seen, o.name) != NULL) {
		(void)err_text(why, "[%s] is there already", text);
		return refuse(r, line, why);
	}
	(void)json_object_set_new(r->seen, o.name, json_true());
	return 0;
}

static int
number(struct str s, unsigned least, unsigned most, struct err *why)
{
	uint64_t v;

	if (num_u64(s, most, &v) == 0 && v >= least)
		return 0;
	return err_text(why, "%.*s is no number from %u to %u",
	    STR_FMT(s), least, most);
}

/* To our word; NULL: there is no such. */
static const char *
ours(enum key key, struct str s, struct err *why)
{
	size_t i;

	for (i = 0; i < NELEM(words); i++) {
		if (words[i].key == key && (str_ieq_c(s, words[i].word) ||
			(words[i].number != NULL &&
			    str_eq_c(s, words[i].number))))
			return words[i].ours;
	}
	if (key == KEY_APPLY && (str_ieq_c(s, "VG") || str_eq_c(s, "1")))
		(void)err_text(why, "limit_apply: there are no virtual "
		    "gateways, limits are for the system");
	else
		(void)err_text(why, "%s: \"%.*s\" is none of its words",
		    keys[key].name, STR_FMT(s));
	return NULL;
}

static int
check(struct reading *r, enum key key, struct str s, const char **value_r,
    struct err *why)
{
	struct tlswant w;

	*value_r = pool_str(r->dc->pool, s).p;
	switch (key) {
	case KEY_CONCURRENCY:
		return number(s, 1, 10000, why);
	case KEY_MESSAGES:
		return number(s, 1, 1000000, why);
	case KEY_MINUTES:
		return number(s, 1, 60, why);
	case KEY_RECIPIENTS:
		return number(s, 1, 100000000, why);
	case KEY_OUR_TLS:
		return tlswant_read(&w, s, r->dc->pool, why);
	case KEY_IP:
	case KEY_TYPE:
	case KEY_APPLY:
	case KEY_TAG:
	case KEY_TLS:
	case KEY_ALERT:
		*value_r = ours(key, s, why);
		return *value_r != NULL ? 0 : -1;
	case KEY_PROFILE:
	case KEY_CERT:
	case KEY_OUR_CERT:
	case KEY_ROUTE:
		return 0;
	case KEYS:
		break;
	}
	panic("key %d", (int)key);
}

static bool
left_out(const struct reading *r, int line, struct str word,
    const char *reason)
{
	if (r->how == NULL)
		return false;
	r->how->left(r->how->arg, line, r->now.name,
	    pool_str(r->dc->pool, word).p, reason);
	return true;
}

/* What is right there, and not here. */
static bool
cannot(struct reading *r, int line, enum key key, struct str value)
{
	struct section *now = &r->now;

	if (key == KEY_APPLY &&
	    (str_ieq_c(value, "VG") || str_eq_c(value, "1")) &&
	    left_out(r, line, STR("limit_apply = VG"), "there are no virtual "
		"gateways; the limit is for the system, so not higher")) {
		now->value[key] = "";
		now->at[key] = line;
		return true;
	}
	return key == KEY_PROFILE && !str_eq_c(value, "default") &&
	    confedit_get(r->dc->ce, "bounce_profile",
		pool_str(r->dc->pool, value).p) == NULL &&
	    confedit_boot(r->dc->ce, "bounce_profile",
		pool_str(r->dc->pool, value).p) == NULL &&
	    left_out(r, line, value, "there is no bounce profile of that "
		"name");
}

/* Recipients have no such limit: that of the domain is not higher. */
static void
by_mx(struct reading *r)
{
	const struct section *now = &r->now;
	const char *type = now->value[KEY_TYPE];

	if (now->value[KEY_RECIPIENTS] == NULL || type == NULL ||
	    strcmp(type, "mx") != 0)
		return;
	if (!left_out(r, now->at[KEY_RECIPIENTS], STR("limit_type = MXIP"),
		"recipients are counted for the entire domain; the limit is "
		"not higher"))
		r->by_mx++;
}

static int
keep(struct reading *r, int line, struct str key, struct str value,
    struct err *why)
{
	struct section *now = &r->now;
	bool is_default;
	unsigned i = 0;

	if (now->name == NULL) {
		(void)err_text(why, "a key before the first [section]");
		return refuse(r, line, why);
	}
	is_default = strcmp(now->name, DESTCONFIG_DEFAULT) == 0;
	while (i < KEYS && !str_ieq_c(key, keys[i].name))
		i++;
	if (i == KEYS && left_out(r, line, key, "there is no such setting"))
		return 0;
	if (i == KEYS)
		(void)err_text(why, "there is no key \"%.*s\"", STR_FMT(key));
	else if (now->value[i] != NULL)
		(void)err_text(why, "%s is there already", keys[i].name);
	else if (keys[i].where == (is_default ? ONLY_ENTRY : ONLY_DEFAULT))
		(void)err_text(why, "%s may %sbe in [DEFAULT]%s", keys[i].name,
		    is_default ? "not " : "", is_default ? "" : " only");
	else if (value.n == 0)
		(void)err_text(why, "%s has no value", keys[i].name);
	else if (cannot(r, line, (enum key)i, value))
		return 0;
	else if (check(r, (enum key)i, value, &now->value[i], why) == 0) {
		now->at[i] = line;
		return 0;
	}
	return refuse(r, line, why);
}

/* What needs what. */
static int
complete(const struct reading *r, bool is_default, struct err *why)
{
	static const struct {
		enum key key, needs;
	} pairs[] = {
		{ KEY_CONCURRENCY, KEY_TYPE },
		{ KEY_CONCURRENCY, KEY_APPLY },
		{ KEY_RECIPIENTS, KEY_MINUTES },
		{ KEY_RECIPIENTS, KEY_TYPE },
		{ KEY_RECIPIENTS, KEY_APPLY },
	};
	const struct section *now = &r->now;
	unsigned i;

	for (i = 0; i < NELEM(pairs); i++) {
		if (now->value[pairs[i].key] != NULL &&
		    now->value[pairs[i].needs] == NULL) {
			(void)err_text(why, "%s needs %s",
			    keys[pairs[i].key].name,
			    keys[pairs[i].needs].name);
			return refuse(r, now->at[pairs[i].key], why);
		}
	}
	for (i = 0; is_default && i < KEYS; i++) {
		if (keys[i].needed && now->value[i] == NULL) {
			(void)err_text(why, "[DEFAULT] has no %s",
			    keys[i].name);
			return refuse(r, now->line, why);
		}
	}
	return 0;
}

/* The section is there: its settings. */
static int
end(struct reading *r, struct err *why)
{
	static const struct {
		enum key key;
		const char *ours;
		const char *absent; /* of [DEFAULT] */
	} to[] = {
		{ KEY_IP, "ip", NULL },
		{ KEY_CONCURRENCY, "concurrency", NULL },
		{ KEY_TYPE, "limit_by", NULL },
		{ KEY_MESSAGES, "max_messages", NULL },
		{ KEY_MINUTES, "recipient_minutes", NULL },
		{ KEY_RECIPIENTS, "recipients", "0" },
		{ KEY_TAG, "bounce_verification", NULL },
		{ KEY_TLS, "tls", NULL },
		{ KEY_OUR_TLS, "tls", NULL },
		{ KEY_PROFILE, "bounce_profile", NULL },
		{ KEY_ALERT, "alert_required_tls", NULL },
		{ KEY_CERT, "certificate", "\"\"" },
		{ KEY_OUR_CERT, "certificate", NULL },
		{ KEY_ROUTE, "route", NULL },
	};
	struct pool *pool = confedit_pool(r->dc->ce);
	const struct section *now = &r->now;
	const struct conf_object *old;
	struct conf_object o;
	const char *v, *was;
	bool is_default, merge = r->how != NULL && r->how->merge;
	unsigned i;
	int e = 0;

	if (now->name == NULL)
		return 0;
	is_default = strcmp(now->name, DESTCONFIG_DEFAULT) == 0;
	if (complete(r, is_default, why) != 0)
		return -1;
	if (!is_default &&
	    conf_object_new(pool, "destination", now->name, &o, why) != 0)
		return refuse(r, now->line, why);
	if (!is_default && (old = confedit_get(r->dc->ce, "destination",
		o.name)) != NULL)
		o.items = old->items;
	for (i = 0; e == 0 && i < NELEM(to); i++) {
		v = now->value[to[i].key];
		if (v == NULL && is_default && !merge)
			v = to[i].absent;
		if (v == NULL)
			continue;
		was = is_default ?
		    destconfig_now(r->dc, "delivery", "", to[i].ours) :
		    destconfig_now(r->dc, "destination", o.name, to[i].ours);
		if (r->how != NULL)
			r->how->took(r->how->arg, now->line, now->name,
			    to[i].ours, v, was);
		e = is_default ? confedit_set(r->dc->ce, "delivery", "",
		    to[i].ours, v, why) :
		    conf_object_set(pool, &o, to[i].ours, v, why);
		if (e != 0)
			return refuse(r, now->at[to[i].key], why);
	}
	if (!is_default)
		confedit_put(r->dc->ce, &o);
	by_mx(r);
	return 0;
}

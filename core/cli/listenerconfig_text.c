/*
 * Host access tables and the recipient access table as files. A file becomes,
 * line for line, a text of objects as the boot file has them, so that one
 * parser reads all settings and errors have the file's lines.
 *
 *     $POLICY			a mail flow policy
 *         ACCEPT {
 *             tls = "required",
 *         }
 *     GROUP:			a sender group
 *         192.0.2.0/24
 *         $POLICY (comment)
 *
 *     ours.example ACCEPT	a recipient
 *     ALL REJECT { code = 450, text = "Not here" }
 *
 * Names that are more than letters, digits, "-", "_" and ".", and comments
 * with controls are in quotes, as Lua has them.
 */
#include "cli/listenerconfig.h"

#include <jansson.h>
#include <string.h>

#include "base/file.h"
#include "cli/plainline.h"

enum { TABLE_MAX = 4 * 1024 * 1024 };

enum state {
	BETWEEN,   /* nothing is begun */
	POLICY,	   /* its name was read, not what it does */
	SETTINGS,  /* inside { } */
	GROUP	   /* its policy is still to come */
};

/* ACCEPT and its like, as the setting has it. */
struct did {
	const char *word;
	struct did *next;
};

struct reading {
	struct listenerconfig *lc;
	const char *file;
	bool rat;
	enum state state;
	unsigned line, depth;
	unsigned n;	/* objects that were begun */
	struct did *dids, **last; /* what they do, but for groups */
	struct buf out;
};

typedef int line_fn(struct reading *, struct str, struct err *);

static int	read_lines(struct reading *, struct str, struct err *);
static line_fn	line_between, line_policy, line_settings, line_group,
		line_rcpt;
static int	name_to(struct reading *, struct str *, struct err *);
static int	word_to(struct reading *, const char *, const char *const *,
		    struct str *, struct err *);
static int	braces_to(struct reading *, struct str, struct err *);
static int	take_objects(struct reading *, struct conf_object **,
		    unsigned *, struct err *);
static int	same_word(struct reading *, const struct conf_object *,
		    struct err *);
static int	put_object(struct reading *, struct conf_object *,
		    struct err *);
static int	put_groups(struct listenerconfig *, const struct conf_object *,
		    unsigned, struct err *);
static int	drop_others(struct reading *, const struct conf_object *,
		    unsigned, struct err *);

const char *const listenerconfig_words[] = { [CONF_ACCEPT] = "ACCEPT",
	[CONF_RELAY] = "RELAY", [CONF_REJECT] = "REJECT",
	[CONF_TCPREFUSE] = "TCPREFUSE", [CONF_CONTINUE] = "CONTINUE", NULL };
const char *const listenerconfig_rcpt_words[] = { "ACCEPT", "REJECT", NULL };

/* there: entries that the table has now. */
static int
import(struct listenerconfig *lc, bool rat, const char *file, unsigned there,
    struct err *why)
{
	struct reading rd = { .lc = lc, .file = file, .rat = rat,
		.last = &rd.dids };
	struct conf_object *v = NULL;
	struct buf text;
	unsigned i, n = 0;
	int r;

	buf_init(&text, TABLE_MAX);
	buf_init(&rd.out, SIZE_MAX);
	r = file_read(&text, file, why);
	if (r == 0 && read_lines(&rd, buf_str(&text), why) != 0)
		r = err_prefix(why, "%s:%u: ", file, rd.line);
	if (r == 0 && rd.n == 0 && there > 0)
		r = err_text(why, "%s: there is nothing in it: entries are "
		    "removed by \"delete\"", file);
	if (r == 0)
		r = take_objects(&rd, &v, &n, why);
	for (i = 0; r == 0 && i < n; i++) {
		r = same_word(&rd, &v[i], why);
		if (r == 0)
			r = put_object(&rd, &v[i], why);
	}
	if (r == 0)
		r = rat ? drop_others(&rd, v, n, why) :
		    put_groups(lc, v, n, why);
	buf_fini(&rd.out);
	buf_fini(&text);
	return r;
}

int
hat_import(struct listenerconfig *lc, struct err *why)
{
	const struct conf_listener *l = NULL;

	if (listenerconfig_conf(lc, why) != NULL)
		l = listenerconfig_find(lc, lc->arg[0], why);
	if (l == NULL)
		return -1;
	return import(lc, false, lc->arg[1], l->ngroup, why);
}

int
rat_import(struct listenerconfig *lc, struct err *why)
{
	const struct conf *c = listenerconfig_conf(lc, why);

	return c == NULL ? -1 : import(lc, true, lc->arg[0], c->naccess, why);
}

static int
read_lines(struct reading *rd, struct str rest, struct err *why)
{
	static line_fn *const by_state[] = { [BETWEEN] = line_between,
		[POLICY] = line_policy, [SETTINGS] = line_settings,
		[GROUP] = line_group };
	struct str line, s;
	int r = 0;

	rest = plainline_text(rest);
	while (r == 0 && str_split(&rest, '\n', &line)) {
		rd->line++;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		s = str_trim(line);
		if (s.n > 0 && s.p[0] != '#') {
			r = plainline_check(line, why);
			if (r == 0)
				r = by_state[rd->state](rd, s, why);
		}
		(void)buf_add_char(&rd->out, '\n');
	}
	if (r == 0 && rd->state != BETWEEN)
		r = err_text(why, rd->state == GROUP ? "the last group has no "
		    "$POLICY" : "the last { has no }");
	return r;
}

static int
line_between(struct reading *rd, struct str s, struct err *why)
{
	if (rd->rat)
		return line_rcpt(rd, s, why);
	rd->n++;
	if (s.p[0] == '$') {
		s = str_n(s.p + 1, s.n - 1);
		rd->state = POLICY;
		(void)buf_add_c(&rd->out, "mail_flow_policy ");
		if (name_to(rd, &s, why) != 0)
			return -1;
		return s.n == 0 ? 0 : line_policy(rd, s, why);
	}
	rd->state = GROUP;
	(void)buf_add_c(&rd->out, "sender_group ");
	if (s.p[s.n - 1] != ':')
		return err_text(why, "this is neither NAME: nor $POLICY");
	s.n--;
	if (name_to(rd, &s, why) != 0)
		return -1;
	(void)buf_add_c(&rd->out, " { senders = {");
	return s.n == 0 ? 0 : err_text(why, "this is no NAME:");
}

static int
line_policy(struct reading *rd, struct str s, struct err *why)
{
	if (word_to(rd, "behavior", listenerconfig_words, &s, why) != 0)
		return -1;
	if (s.n == 0 || s.p[0] != '{')
		return err_text(why, "here { is expected");
	rd->state = SETTINGS;
	return braces_to(rd, s, why);
}

static int
line_settings(struct reading *rd, struct str s, struct err *why)
{
	return braces_to(rd, s, why);
}

static int
line_group(struct reading *rd, struct str s, struct err *why)
{
	struct str rest = str_n(s.p + 1, s.n - 1);
	struct sgpat pat;

	if (s.p[0] != '$') {
		/* Another NAME: would be a sender else. */
		if (s.p[s.n - 1] == ':' && sgpat_parse(rd->lc->pool,
		    pool_str(rd->lc->pool, s).p, &pat, NULL) != 0)
			return err_text(why, "the group before this has no "
			    "$POLICY");
		if (sgpat_parse(rd->lc->pool, pool_str(rd->lc->pool, s).p,
		    &pat, why) != 0)
			return -1;
		conf_quote(s, &rd->out);
		(void)buf_add_c(&rd->out, ",");
		return 0;
	}
	(void)buf_add_c(&rd->out, "}, policy = ");
	if (name_to(rd, &rest, why) != 0)
		return -1;
	rd->state = BETWEEN;
	if (rest.n > 0) {
		if (rest.n < 2 || rest.p[0] != '(' ||
		    rest.p[rest.n - 1] != ')')
			return err_text(why, "behind the policy only a "
			    "(comment) can be");
		rest = str_n(rest.p + 1, rest.n - 2);
		(void)buf_add_c(&rd->out, ", comment = ");
		if (rest.n > 0 && rest.p[0] == '"') {
			if (name_to(rd, &rest, why) != 0)
				return -1;
			if (rest.n > 0)
				return err_text(why, "the comment has more "
				    "behind its quotes");
		} else {
			conf_quote(rest, &rd->out);
		}
	}
	(void)buf_add_c(&rd->out, " }");
	return 0;
}

static int
line_rcpt(struct reading *rd, struct str s, struct err *why)
{
	rd->n++;
	(void)buf_add_c(&rd->out, "recipient_access ");
	if (name_to(rd, &s, why) != 0 ||
	    word_to(rd, "access", listenerconfig_rcpt_words, &s, why) != 0)
		return -1;
	if (s.n == 0) {
		(void)buf_add_c(&rd->out, "}");
		return 0;
	}
	if (s.p[0] != '{')
		return err_text(why, "behind ACCEPT or REJECT only { } can "
		    "be");
	rd->state = SETTINGS;
	return braces_to(rd, s, why);
}

/* What stands in quotes goes there as it is. */
static int
name_to(struct reading *rd, struct str *s, struct err *why)
{
	bool quoted = s->n > 0 && s->p[0] == '"';
	size_t n = 0;

	if (quoted) {
		for (n = 1; n < s->n && s->p[n] != '"'; n++)
			n += s->p[n] == '\\';
		if (n >= s->n)
			return err_text(why, "here a \" is missing");
		n++;
		(void)buf_add_str(&rd->out, str_n(s->p, n));
	} else {
		while (n < s->n && s->p[n] != ' ' && s->p[n] != '\t' &&
		    (rd->rat || listenerconfig_plain(s->p[n])))
			n++;
		if (n == 0 || (n < s->n && s->p[n] != ' ' &&
			s->p[n] != '\t' && s->p[n] != '('))
			return err_text(why, "a name with other characters "
			    "than letters, digits, \"-\", \"_\" and \".\" "
			    "stands in quotes");
		conf_quote(str_n(s->p, n), &rd->out);
	}
	*s = str_trim(str_n(s->p + n, s->n - n));
	return 0;
}

/* One of the words, in any case; the setting that it is begins the block. */
static int
word_to(struct reading *rd, const char *key, const char *const *w,
    struct str *s, struct err *why)
{
	struct did *did;
	size_t n = 0;
	char *word;

	while (n < s->n && ch_alpha(s->p[n]))
		n++;
	while (*w != NULL && !str_ieq_c(str_n(s->p, n), *w))
		w++;
	if (*w == NULL)
		return err_text(why, rd->rat ? "here ACCEPT or REJECT is "
		    "expected" : "here ACCEPT, RELAY, REJECT, TCPREFUSE or "
		    "CONTINUE is expected");
	word = pool_strdup(rd->lc->pool, *w);
	str_lower(word, n);
	(void)buf_printf(&rd->out, " { %s = \"%s\", ", key, word);
	did = POOL_NEW(rd->lc->pool, struct did);
	did->word = word;
	*rd->last = did;
	rd->last = &did->next;
	*s = str_trim(str_n(s->p + n, s->n - n));
	return 0;
}

/* The settings, verbatim, up to the } that ends them. The first { is there
 * already. */
static int
braces_to(struct reading *rd, struct str s, struct err *why)
{
	char quote = '\0';
	size_t i;

	if (rd->depth == 0) {
		rd->depth = 1;
		s = str_n(s.p + 1, s.n - 1);
	}
	for (i = 0; i < s.n && rd->depth > 0; i++) {
		if (quote != '\0' && s.p[i] == '\\')
			i++;
		else if (quote != '\0')
			quote = s.p[i] == quote ? '\0' : quote;
		else if (s.p[i] == '"' || s.p[i] == '\'')
			quote = s.p[i];
		else if (s.p[i] == '{')
			rd->depth++;
		else if (s.p[i] == '}')
			rd->depth--;
	}
	if (quote != '\0' || i > s.n)
		return err_text(why, "here a quote is missing");
	(void)buf_add_str(&rd->out, s);
	if (rd->depth > 0)
		return 0;
	rd->state = BETWEEN;
	return i == s.n ? 0 : err_text(why, "this stands behind the }");
}

/* ---- taking over ---- */

static int
take_objects(struct reading *rd, struct conf_object **v_r, unsigned *n_r,
    struct err *why)
{
	if (conf_objects_read(confedit_pool(rd->lc->ce), rd->file,
	    buf_str(&rd->out), v_r, n_r, why) != 0)
		return -1;
	/* Settings that are more than settings. */
	return *n_r == rd->n ? 0 : err_text(why, "%s: these are %u objects in "
	    "place of %u", rd->file, *n_r, rd->n);
}

/* The last setting of a name wins: one in the braces must not undo what stands
 * before them. */
static int
same_word(struct reading *rd, const struct conf_object *o, struct err *why)
{
	const char *key = rd->rat ? "access" : "behavior";
	const struct conf_item *item = conf_object_get(o, key);
	const struct did *did = rd->dids;

	if (strcmp(o->kind, "sender_group") == 0)
		return 0;
	rd->dids = did == NULL ? NULL : did->next;
	if (item != NULL && did != NULL && item->value->type == RAW_STRING &&
	    str_eq(item->value->s, str_c(did->word)))
		return 0;
	return err_text(why, "%s:%d: %s \"%s\": %s is what stands before the "
	    "{ and nothing else", rd->file, item != NULL ? item->line :
	    o->line, o->kind, o->name, key);
}

/* It is the file's, wholly: what the boot file has besides cannot go away. */
static int
put_object(struct reading *rd, struct conf_object *o, struct err *why)
{
	static const struct conf_raw none = { .type = RAW_STRING,
		.s = { "", 0 } };
	const struct conf_object *boot = confedit_boot(rd->lc->ce, o->kind,
	    o->name);
	struct pool *pool = confedit_pool(rd->lc->ce);
	const struct conf_item *item;

	for (item = boot == NULL ? NULL : boot->items; item != NULL;
	     item = item->next) {
		if (conf_object_get(o, item->key) != NULL)
			continue;
		if (strcmp(item->key, "comment") != 0)
			return err_text(why, "%s:%d: %s \"%s\" of the boot "
			    "file has %s, which the store cannot take away",
			    rd->file, o->line, o->kind, o->name, item->key);
		conf_object_put(pool, o, item->key, &none);
	}
	o->file = pool_strdup(pool, rd->file);
	confedit_put(rd->lc->ce, o);
	return 0;
}

/* The listener's table are the groups of the file, in its order. */
static int
put_groups(struct listenerconfig *lc, const struct conf_object *v, unsigned n,
    struct err *why)
{
	const char **names = pool_alloc(lc->pool, (n + 1) * sizeof(*names));
	unsigned i, k = 0;

	for (i = 0; i < n; i++) {
		if (strcmp(v[i].kind, "sender_group") == 0)
			names[k++] = v[i].name;
	}
	hat_tell(lc, names, k);
	return confedit_set_raw(lc->ce, "listener", lc->arg[0],
	    "sender_groups", conf_raw_list(confedit_pool(lc->ce), names, k),
	    why);
}

/* The recipient access table has the entries of the file only. */
static int
drop_others(struct reading *rd, const struct conf_object *v, unsigned n,
    struct err *why)
{
	const struct conf *c = listenerconfig_conf(rd->lc, why);
	struct confedit *ce = rd->lc->ce;
	json_t *here = json_object();
	unsigned i;
	int r = 0;

	for (i = 0; i < n; i++)
		(void)json_object_set_new_nocheck(here, v[i].name,
		    json_true());
	for (i = 0; r == 0 && i < c->naccess; i++) {
		if (json_object_get(here, c->access[i].name) != NULL)
			continue;
		r = confedit_boot(ce, "recipient_access",
		    c->access[i].name) == NULL ?
		    confedit_delete(ce, "recipient_access",
			c->access[i].name, why) :
		    err_text(why, "%s: recipient_access \"%s\" of the boot "
			"file is not in it, but cannot be taken away",
			rd->file, c->access[i].name);
	}
	json_decref(here);
	return r;
}

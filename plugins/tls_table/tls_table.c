/*
 * tls_table: which TLS recipients and domains need, from a list in the
 * configuration and from a file that may change while Postern runs.
 *
 * The nearest entry counts: that of the address, then of the domain, of its
 * nearest parent (".example.net"), then "*". A- and U-labels are the same, and
 * so are cases and quotes of a local part.
 */
#include <postern/plugin.h>
#include <postern/tls_policy.h>

#include <errno.h>
#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/filemark.h"

#define NAME_MAX_OCTETS 600
#define LINE_MAX_OCTETS 20000
#define ENTRIES_MAX 1000000

struct conf {
	const char *const *entries;
	const char *file;
	int64_t reload;
};

struct entry {
	struct entry *next;
	const char *want;
	unsigned line; /* of the file; 0: of the list */
	char name[];
};

struct table {
	struct entry **slot;
	size_t nslot, n;
};

/* Texts of wants live as long as the instance, and are few. */
struct text {
	struct text *next;
	char want[];
};

struct state {
	struct table *table; /* NULL: not started */
	struct text *texts;
	struct filemark mark; /* of the file, when it was read */
};

static const struct pst_option options[] = {
	PST_LIST(struct conf, entries, "",
	    "entries, each \"PATTERN WANT\", such as \"example.com required\""),
	PST_PATH(struct conf, file, "",
	    "a file of such entries, a line each; # begins a comment"),
	PST_DURATION(struct conf, reload, "5s", "100ms..1h",
	    "how often the file is looked at for changes"),
	PST_END
};

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t
hash(const char *s)
{
	size_t h = 1469598103934665603u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h ^ h >> 29;
}

static void
table_free(void *arg)
{
	struct table *t = arg;
	struct entry *e, *next;
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->nslot; i++)
		for (e = t->slot[i]; e != NULL; e = next) {
			next = e->next;
			free(e);
		}
	free(t->slot);
	free(t);
}

static struct table *
table_new(void)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->nslot = 64;
	t->slot = calloc(t->nslot, sizeof(*t->slot));
	if (t->slot != NULL)
		return t;
	free(t);
	return NULL;
}

static const struct entry *
table_find(const struct table *t, const char *name)
{
	const struct entry *e = t->slot[hash(name) % t->nslot];

	while (e != NULL && strcmp(e->name, name) != 0)
		e = e->next;
	return e;
}

static int
table_grow(struct table *t)
{
	size_t i, n = t->nslot * 4;
	struct entry **v = calloc(n, sizeof(struct entry *)), *e, *next;

	if (v == NULL)
		return -1;
	for (i = 0; i < t->nslot; i++)
		for (e = t->slot[i]; e != NULL; e = next) {
			next = e->next;
			e->next = v[hash(e->name) % n];
			v[hash(e->name) % n] = e;
		}
	free(t->slot);
	t->slot = v;
	t->nslot = n;
	return 0;
}

/* want stays where it is. */
static int
table_add(struct table *t, const char *name, const char *want, unsigned line)
{
	struct entry *e;

	if (t->n >= t->nslot && table_grow(t) != 0)
		return -1;
	e = malloc(sizeof(*e) + strlen(name) + 1);
	if (e == NULL)
		return -1;
	e->want = want;
	e->line = line;
	memcpy(e->name, name, strlen(name) + 1);
	e->next = t->slot[hash(name) % t->nslot];
	t->slot[hash(name) % t->nslot] = e;
	t->n++;
	return 0;
}

/* "a.b" and A.B are one mailbox here: what is demanded for one spelling is
 * demanded for all. Returns the octets written. */
static size_t
fold_local(const char *s, size_t n, char *dst, size_t max)
{
	bool quoted = n > 1 && s[0] == '"';
	size_t i, len = 0, end = quoted ? n - 1 : n;

	for (i = quoted; i < end && len < max; i++) {
		if (quoted && s[i] == '\\' && i + 1 < end)
			i++;
		dst[len++] = lower(s[i]);
	}
	return len;
}

/* In A-labels and lower case; a leading dot stays. */
static int
fold_domain(const char *s, char *dst, size_t max)
{
	char *ascii = NULL;
	size_t i, n = strlen(s);

	if (n >= max)
		return -1;
	for (i = 0; s[i] != '\0' && (unsigned char)s[i] < 128; i++)
		dst[i] = lower(s[i]);
	dst[i] = '\0';
	if (i == n)
		return 0;
	if (s[0] == '.')
		*dst++ = *s++, max--;
	if (idn2_to_ascii_8z(s, &ascii, IDN2_NFC_INPUT |
		IDN2_NONTRANSITIONAL) != IDN2_OK)
		return -1;
	n = strlen(ascii);
	if (n < max)
		memcpy(dst, ascii, n + 1);
	idn2_free(ascii);
	return n < max ? 0 : -1;
}

static int
fold_pattern(const char *s, char *dst)
{
	const char *at = strrchr(s, '@');
	size_t n = 0;

	if (at == s || (at != NULL && at[1] == '\0'))
		return -1;
	if (at != NULL) {
		n = fold_local(s, (size_t)(at - s), dst, NAME_MAX_OCTETS / 2);
		dst[n++] = '@';
		s = at + 1;
	}
	return s[0] == '\0' || (s[0] == '.' && (s[1] == '\0' || at != NULL)) ?
	    -1 : fold_domain(s, dst + n, NAME_MAX_OCTETS - n);
}

/* Whether the whole of it makes sense is seen when it is used; a word that
 * cannot be meant is found here. */
static const char *
check_want(const char *want)
{
	static const char *const levels[] = { "none", "opportunistic",
		"preferred", "preferred-verify", "preferred-verify-hosted",
		"required", "required-verify", "required-verify-hosted",
		"forced", NULL };
	static const char *const keys[] = { "match", "names", "pin", "ca",
		"min", "ciphers", "groups", "deadline", "warn_after", NULL };
	const char *const *v = levels;
	size_t n;

	for (; *want != '\0'; v = keys) {
		n = strcspn(want, v == levels ? " " : "= ");
		if (v == keys && want[n] != '=')
			return "a word is no NAME=VALUE";
		while (*v != NULL &&
		    (strlen(*v) != n || strncasecmp(*v, want, n) != 0))
			v++;
		if (*v == NULL)
			return "a word is none of a TLS want";
		want += strcspn(want, " ");
		want += strspn(want, " ");
	}
	return v == levels ? "the TLS is missing" : NULL;
}

static const char *
keep_text(struct pst_event *ev, struct state *s, const char *want)
{
	struct text *t;

	for (t = s->texts; t != NULL; t = t->next)
		if (strcmp(t->want, want) == 0)
			return t->want;
	t = pst_alloc(ev, PST_INSTANCE, sizeof(*t) + strlen(want) + 1);
	if (t == NULL)
		return NULL;
	memcpy(t->want, want, strlen(want) + 1);
	t->next = s->texts;
	s->texts = t;
	return t->want;
}

/* Where a pattern ends: in quotes a blank is part of a local part. */
static size_t
pattern_length(const char *s)
{
	size_t i = 0;

	if (s[0] == '"') {
		for (i = 1; s[i] != '\0' && s[i] != '"'; i++)
			if (s[i] == '\\' && s[i + 1] != '\0')
				i++;
	}
	return i + strcspn(s + i, " ");
}

/* "PATTERN WANT"; NULL, or what is wrong with it. line is changed; no: its
 * number in the file, or 0. */
static const char *
add_line(struct pst_event *ev, struct state *s, struct table *t, char *line,
    unsigned no)
{
	char name[NAME_MAX_OCTETS + 1];
	const char *why, *want;
	size_t n;
	char *p;

	for (p = line; *p != '\0'; p++)
		if (*p == '\t')
			*p = ' ';
	line += strspn(line, " ");
	for (n = strlen(line); n > 0 && line[n - 1] == ' '; n--)
		line[n - 1] = '\0';
	p = line + pattern_length(line);
	if (*p != '\0')
		*p++ = '\0';
	p += strspn(p, " ");
	if (fold_pattern(line, name) != 0)
		return "this is no address, domain, .domain or *";
	why = check_want(p);
	if (why != NULL)
		return why;
	if (table_find(t, name) != NULL)
		return "there is an entry for it already";
	if (t->n >= ENTRIES_MAX)
		return "there are too many entries";
	want = keep_text(ev, s, p);
	return want == NULL || table_add(t, name, want, no) != 0 ?
	    "no memory is left" : NULL;
}

static int
add_entries(struct pst_event *ev, struct state *s, struct table *t)
{
	const struct conf *conf = ev->conf;
	const char *const *p;
	const char *why;
	char *copy;

	for (p = conf->entries; *p != NULL; p++) {
		copy = strdup(*p);
		why = copy != NULL ? add_line(ev, s, t, copy, 0) :
		    "no memory is left";
		free(copy);
		if (why == NULL)
			continue;
		pst_log(ev, PST_ERROR, "entry \"%.200s\": %s", *p, why);
		return -1;
	}
	return 0;
}

static int
add_file(struct pst_event *ev, struct state *s, struct table *t, FILE *f)
{
	const struct conf *conf = ev->conf;
	const char *why = NULL;
	char *line = NULL;
	size_t cap = 0;
	unsigned no = 0;
	ssize_t n;

	while (why == NULL && (n = getline(&line, &cap, f)) != -1) {
		no++;
		if (strlen(line) != (size_t)n || n > LINE_MAX_OCTETS) {
			why = "this is no line of text";
			break;
		}
		line[strcspn(line, "#\r\n")] = '\0';
		if (line[strspn(line, " \t")] != '\0')
			why = add_line(ev, s, t, line, no);
	}
	if (why == NULL && ferror(f))
		why = "it cannot be read";
	free(line);
	if (why != NULL)
		pst_log(ev, PST_ERROR, "%s:%u: %s", conf->file, no, why);
	return why == NULL ? 0 : -1;
}

/* A whole table, or none and the old one stays. */
static int
load(struct pst_event *ev, struct state *s)
{
	const struct conf *conf = ev->conf;
	struct table *t = table_new();
	struct stat st;
	FILE *f = NULL;
	int r = t != NULL ? add_entries(ev, s, t) : -1;

	if (r == 0 && conf->file[0] != '\0') {
		f = fopen(conf->file, "re");
		if (f == NULL || fstat(fileno(f), &st) != 0) {
			pst_log(ev, PST_ERROR, "%s: %s", conf->file,
			    strerror(errno));
			r = -1;
		} else {
			s->mark = filemark_stat(&st);
			r = add_file(ev, s, t, f);
		}
		if (f != NULL)
			(void)fclose(f);
	}
	if (r != 0) {
		table_free(t);
		return -1;
	}
	table_free(s->table);
	s->table = t;
	return 0;
}

static void
state_end(void *arg)
{
	struct state *s = arg;

	table_free(s->table);
	s->table = NULL;
}

static enum pst_verdict
looked(struct pst_event *ev, const struct pst_result *res)
{
	const struct conf *conf = ev->conf;
	struct state *s = ev->arg;
	struct filemark now = filemark_of(conf->file);

	(void)res;
	if (!now.there) {
		if (s->mark.there)
			pst_log(ev, PST_ERROR, "%s: %s: the entries stay as "
			    "they were", conf->file, strerror(errno));
		s->mark = now;
	} else if (!filemark_same(&now, &s->mark)) {
		if (load(ev, s) == 0)
			pst_log(ev, PST_INFO, "%s: %zu entries", conf->file,
			    s->table->n);
		else
			pst_log(ev, PST_ERROR, "the entries stay as they "
			    "were");
	}
	return pst_timer(ev, (uint32_t)conf->reload, looked);
}

static enum pst_verdict
watch(struct pst_event *ev)
{
	const struct conf *conf = ev->conf;

	return pst_timer(ev, (uint32_t)conf->reload, looked);
}

static enum pst_verdict
on_start(struct pst_event *ev)
{
	const struct conf *conf = ev->conf;
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);

	if (s == NULL)
		return PST_TEMPFAIL;
	pst_defer(ev, PST_INSTANCE, state_end, s);
	if (load(ev, s) != 0)
		return pst_reject(ev, 0, NULL, "its entries are not usable");
	if (conf->file[0] != '\0' && pst_task(ev, watch, s) != 0)
		return PST_TEMPFAIL;
	return PST_CONTINUE;
}

static const struct entry *
nearest(const struct table *t, const char *domain, const char *local)
{
	char name[NAME_MAX_OCTETS + 1];
	const struct entry *e = NULL;
	const char *p;
	size_t n;

	if (local[0] != '\0') {
		n = fold_local(local, strlen(local), name,
		    NAME_MAX_OCTETS / 2);
		name[n++] = '@';
		if (strlen(domain) < NAME_MAX_OCTETS - n) {
			memcpy(name + n, domain, strlen(domain) + 1);
			e = table_find(t, name);
		}
	}
	if (e == NULL)
		e = table_find(t, domain);
	for (p = strchr(domain + (domain[0] != '\0'), '.');
	     e == NULL && p != NULL; p = strchr(p + 1, '.'))
		e = table_find(t, p);
	return e != NULL ? e : table_find(t, "*");
}

static enum pst_verdict
on_rcpt(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	struct pst_tls_rcpt *q = ev->arg;
	const struct entry *e;

	if (s == NULL || s->table == NULL)
		return PST_TEMPFAIL;
	e = nearest(s->table, q->domain, q->local);
	if (e != NULL)
		q->want = e->want;
	return PST_CONTINUE;
}

/* "PATTERN" of the list, "FILE:LINE PATTERN" of the file. */
static enum pst_verdict
on_entry(struct pst_event *ev)
{
	struct state *s = pst_data(ev, PST_INSTANCE, struct state);
	const struct conf *conf = ev->conf;
	struct pst_tls_entry *q = ev->arg;
	const struct entry *e;
	size_t room;
	char *text;

	if (s == NULL || s->table == NULL)
		return PST_TEMPFAIL;
	e = nearest(s->table, q->domain, q->local);
	if (e == NULL)
		return PST_CONTINUE;
	room = strlen(conf->file) + strlen(e->name) + 24;
	text = pst_alloc(ev, PST_EVENT, room);
	if (text == NULL)
		return PST_TEMPFAIL;
	if (e->line == 0)
		(void)snprintf(text, room, "%s", e->name);
	else
		(void)snprintf(text, room, "%s:%u %s", conf->file, e->line,
		    e->name);
	q->entry = text;
	return PST_CONTINUE;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_START, on_start),
	PST_HOOK(PST_TLS_POLICY_RCPT, on_rcpt),
	PST_HOOK(PST_TLS_POLICY_ENTRY, on_entry),
	PST_END
};

PST_PLUGIN(tls_table, .version = "1.0",
    .summary = "the TLS that recipients and domains need, from a table",
    .license = "MIT", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct conf));

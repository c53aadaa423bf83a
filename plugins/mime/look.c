#include "look.h"

#include <gmime/gmime.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum {
	NAME_OCTETS = 1024,   /* of a name that are kept: its end */
	SPEND_STEP = 65536,   /* octets between two looks at the clock */
	CHARSETS = 100,
	CHARSET_OCTETS = 64,
	PATH_OCTETS = 200 /* of what something is in: its end */
};

static atomic_ullong said;

static void
swallow(const gchar *domain, GLogLevelFlags level, const gchar *text,
    gpointer arg)
{
	(void)domain, (void)level, (void)text, (void)arg;
	atomic_fetch_add(&said, 1);
}

/* Strangers choose what GMime complains about, and how often. */
void
look_setup(void)
{
	static const char *const domains[] = { "gmime", "GMime", "GLib",
		"GLib-GObject", "GLib-GIO" };
	static bool done;
	size_t i;

	if (done)
		return;
	done = true;
	for (i = 0; i < G_N_ELEMENTS(domains); i++)
		(void)g_log_set_handler(domains[i], G_LOG_LEVEL_CRITICAL |
		    G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE |
		    G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG, swallow, NULL);
	g_mime_init();
}

uint64_t
look_glib_messages(void)
{
	return atomic_load(&said);
}

static int64_t
cpu_now(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
look_init(struct look *k, const struct limits *lim, struct found *f)
{
	memset(k, 0, sizeof(*k));
	k->lim = lim;
	k->found = f;
	k->cpu = lim->cpu;
}

void
look_begin(struct look *k)
{
	k->cpu_mark = cpu_now();
}

void
look_end(struct look *k)
{
	int64_t now = cpu_now();

	k->cpu -= now - k->cpu_mark;
	k->cpu_mark = now;
}

bool
look_spend(struct look *k, size_t n)
{
	if (k->stop)
		return false;
	if (n < SPEND_STEP && k->since + n < SPEND_STEP) {
		k->since += (unsigned)n;
		return true;
	}
	k->since = 0;
	look_end(k);
	if (k->cpu > 0)
		return true;
	k->stop = true;
	k->failed = "looking into the message takes too long";
	return false;
}

static void
row_clear(gpointer arg)
{
	struct row *r = arg;

	g_free(r->name);
	g_free(r->type);
	g_free(r->archive);
}

static void
text_free(gpointer arg)
{
	(void)g_string_free(arg, TRUE);
}

struct found *
found_new(void)
{
	struct found *f = g_new0(struct found, 1);

	f->rows = g_array_new(FALSE, TRUE, sizeof(struct row));
	g_array_set_clear_func(f->rows, row_clear);
	f->texts = g_ptr_array_new_with_free_func(text_free);
	f->charsets = g_ptr_array_new_with_free_func(g_free);
	return f;
}

void
found_free(struct found *f)
{
	if (f == NULL)
		return;
	(void)g_array_free(f->rows, TRUE);
	g_ptr_array_unref(f->texts);
	g_ptr_array_unref(f->charsets);
	g_free(f);
}

size_t
found_octets(const struct found *f)
{
	return f->text + f->rows->len * sizeof(struct row);
}

/* Of what is written from right to left, or is not seen at all. */
static bool
hidden(gunichar c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad ||
	    (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	    (c >= 0x2060 && c <= 0x2069) || c == 0xfeff ||
	    (c >= 0xfe00 && c <= 0xfe0f) || c >= 0xe0000;
}

/* Systems leave out blanks and dots at the end of a name, so "a.exe. " is one
 * more way to write "a.exe". */
char *
clean_name(const char *name)
{
	char *valid = g_utf8_validate(name, -1, NULL) ? g_strdup(name) :
	    g_mime_utils_decode_8bit(NULL, name, strlen(name));
	GString *s = g_string_new(NULL);
	char *utf8 = g_utf8_make_valid(valid, -1), *base;
	const char *p;
	size_t n;

	for (p = utf8; *p != '\0'; p = g_utf8_next_char(p)) {
		if (!hidden(g_utf8_get_char(p)))
			g_string_append_unichar(s, g_utf8_get_char(p));
	}
	g_free(utf8);
	g_free(valid);
	for (n = s->len; n > 0 && strchr(" ./\\", s->str[n - 1]) != NULL;)
		n--;
	(void)g_string_truncate(s, n);
	base = s->str;
	for (p = s->str; *p != '\0'; p++) {
		if (*p == '/' || *p == '\\')
			base = s->str + (p - s->str) + 1;
	}
	base += strspn(base, " ");
	n = strlen(base);
	if (n > NAME_OCTETS) {
		base += n - NAME_OCTETS;
		while ((*base & 0xc0) == 0x80)
			base++;
	}
	base = g_strdup(base);
	(void)g_string_free(s, TRUE);
	return base;
}

unsigned
found_row(struct found *f, const char *name, const char *type,
    const char *archive)
{
	struct row r = { 0 };

	r.name = clean_name(name);
	r.type = g_utf8_make_valid(type, -1);
	r.archive = g_strdup(archive);
	(void)g_array_append_val(f->rows, r);
	return f->rows->len - 1;
}

char *
path_in(const struct row *r)
{
	const char *own = r->name[0] != '\0' ? r->name :
	    r->type[0] != '\0' ? r->type : "?";
	char *path = r->archive[0] == '\0' ? g_strdup(own) :
	    g_strconcat(r->archive, "/", own, NULL), *tail;
	size_t n = strlen(path);

	if (n <= PATH_OCTETS)
		return path;
	for (tail = path + n - PATH_OCTETS; (*tail & 0xc0) == 0x80;)
		tail++;
	memmove(path, tail, strlen(tail) + 1);
	return path;
}

struct row *
found_at(struct found *f, unsigned row)
{
	return &g_array_index(f->rows, struct row, row);
}

void
found_unreadable(struct found *f, unsigned row, const char *why)
{
	struct row *r = found_at(f, row);

	if (r->unreadable == NULL)
		r->unreadable = why;
	if (strcmp(why, WHY_LIMIT) == 0)
		f->limit = true;
	else
		f->broken = true;
}

void
found_encrypted(struct found *f, unsigned row)
{
	found_at(f, row)->encrypted = true;
	f->encrypted = true;
}

void
found_charset(struct found *f, const char *charset)
{
	char *s;
	unsigned i;

	if (f->charsets->len >= CHARSETS || charset[0] == '\0')
		return;
	s = g_strndup(charset, CHARSET_OCTETS);
	for (i = 0; s[i] != '\0'; i++) {
		if (s[i] < 0x21 || s[i] > 0x7e)
			s[i] = '?';
	}
	for (i = 0; i < f->charsets->len; i++) {
		if (g_ascii_strcasecmp(f->charsets->pdata[i], s) == 0) {
			g_free(s);
			return;
		}
	}
	g_ptr_array_add(f->charsets, s);
}

static void
add_text(GString *s, const char *key, const char *value)
{
	const char *p;

	g_string_append_printf(s, "\"%s\":\"", key);
	for (p = value; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			g_string_append_c(s, '\\');
		if ((unsigned char)*p < 0x20)
			g_string_append_printf(s, "\\u%04x", (unsigned)*p);
		else
			g_string_append_c(s, *p);
	}
	g_string_append_c(s, '"');
}

GString *
found_json(const struct row *r)
{
	GString *s = g_string_new("{");

	add_text(s, "name", r->name);
	g_string_append_c(s, ',');
	add_text(s, "type", r->type);
	g_string_append_printf(s, ",\"size\":%" G_GUINT64_FORMAT,
	    (guint64)r->size);
	if (r->archive[0] != '\0') {
		g_string_append_c(s, ',');
		add_text(s, "archive", r->archive);
	}
	if (r->encrypted)
		(void)g_string_append(s, ",\"encrypted\":true");
	if (r->unreadable != NULL) {
		g_string_append_c(s, ',');
		add_text(s, "unreadable", r->unreadable);
	}
	g_string_append_c(s, '}');
	return s;
}

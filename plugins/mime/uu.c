#include "uu.h"

#include <string.h>

#include "content.h"

enum { LINE = 512 /* a longer one is neither a begin nor data */ };

struct uu {
	struct look *k;
	unsigned depth;
	char *archive;
	struct text *text;
	struct content *file; /* that is open */
	char *name;	      /* of one that is if data follows, or NULL */
	char line[LINE];
	size_t n;
	bool midline;
	int state;
	guint32 save;
};

struct uu *
uu_new(struct look *k, unsigned depth, const char *archive, struct text *text)
{
	struct uu *u = g_new0(struct uu, 1);

	u->k = k;
	u->depth = depth;
	u->archive = g_strdup(archive);
	u->text = text;
	return u;
}

static void
say(struct uu *u, const char *p, size_t n)
{
	if (u->text != NULL)
		text_feed(u->text, p, n);
}

/* The name of "begin MODE NAME", or NULL. */
static char *
begins(const char *p, size_t n)
{
	size_t i = 6, digits = 0;

	if (n < 11 || memcmp(p, "begin ", 6) != 0)
		return NULL;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		digits++;
	if (digits < 3 || digits > 4 || i >= n || p[i] != ' ')
		return NULL;
	return g_strstrip(g_strndup(p + i, n - i));
}

/* Length and octets agree, as far as blanks at the end were not lost. */
static bool
is_data(const char *p, size_t n)
{
	size_t i, octets, chars;

	while (n > 0 && (p[n - 1] == '\n' || p[n - 1] == '\r'))
		n--;
	if (n == 0 || p[0] < ' ' || p[0] > '`')
		return false;
	octets = (size_t)(p[0] - ' ') & 63;
	chars = (octets + 2) / 3 * 4;
	if (n > chars + 2 || (octets > 0 && n < 2))
		return false;
	for (i = 1; i < n; i++) {
		if (p[i] < ' ' || p[i] > '`')
			return false;
	}
	return true;
}

static void
close_file(struct uu *u)
{
	if (u->file != NULL)
		content_end(u->file);
	u->file = NULL;
}

static void
open_file(struct uu *u, const char *name)
{
	struct look *k = u->k;
	struct entity *e = entity_of_file(name);

	if (++k->parts > k->lim->parts) {
		found_unreadable(k->found, found_row(k->found, name, "",
		    u->archive), WHY_LIMIT);
		k->stop = true;
	} else {
		u->file = content_new(k, u->depth, u->archive, e);
		u->state = GMIME_UUDECODE_STATE_BEGIN;
		u->save = 0;
	}
	entity_free(e);
}

static void
line(struct uu *u)
{
	unsigned char out[LINE + 8];
	char *name = u->name;
	size_t n;

	u->name = NULL;
	if (name != NULL && u->n > 1 && is_data(u->line, u->n))
		open_file(u, name);
	g_free(name);
	if (u->file != NULL && is_data(u->line, u->n)) {
		n = g_mime_encoding_uudecode_step(
		    (const unsigned char *)u->line, u->n, out, &u->state,
		    &u->save);
		content_feed(u->file, (const char *)out, n);
		return;
	}
	if (u->file != NULL) {
		close_file(u);
		if (u->n >= 3 && memcmp(u->line, "end", 3) == 0 &&
		    strchr("\r\n", u->line[3]) != NULL)
			return;
	}
	u->name = begins(u->line, u->n);
	say(u, u->line, u->n);
}

void
uu_feed(struct uu *u, const char *p, size_t n)
{
	const char *nl;
	size_t take;

	for (; n > 0 && !u->k->stop; p += take, n -= take) {
		nl = memchr(p, '\n', n);
		take = nl != NULL ? (size_t)(nl - p) + 1 : n;
		if (u->midline || u->n + take >= LINE) {
			close_file(u);
			g_free(u->name);
			u->name = NULL;
			say(u, u->line, u->n);
			say(u, p, take);
			u->n = 0;
			u->midline = nl == NULL;
			continue;
		}
		memcpy(u->line + u->n, p, take);
		u->n += take;
		u->line[u->n] = '\0';
		if (nl != NULL) {
			line(u);
			u->n = 0;
		}
	}
}

void
uu_end(struct uu *u)
{
	if (u == NULL)
		return;
	if (u->n > 0 && !u->k->stop)
		line(u);
	if (u->k->stop)
		content_free(u->file);
	else
		close_file(u);
	text_end(u->text);
	g_free(u->name);
	g_free(u->archive);
	g_free(u);
}

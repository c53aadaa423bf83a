#include "content.h"

#include <string.h>

#include "scan.h"
#include "spool.h"
#include "text.h"
#include "unpack.h"
#include "uu.h"

enum { ROWS = 8 };

struct content {
	struct look *k;
	unsigned depth;
	char *archive;
	char *type;
	unsigned row, nrow;   /* its rows; nrow 0: it has none */
	uint64_t size;
	struct text *text;    /* one of these two */
	struct uu *uu;
	struct scan *scan;
	struct spool *spool;
	const char *kind;     /* of archive */
	bool tnef;
	char first[UNPACK_FIRST];
	size_t nfirst;
	bool decided;
};

static const char *
extension(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL ? dot + 1 : "";
}

static bool
one_of(const char *word, const char *const *list)
{
	for (; *list != NULL; list++) {
		if (g_ascii_strcasecmp(word, *list) == 0)
			return true;
	}
	return false;
}

static void
set_text(struct content *c, const struct entity *e)
{
	static const char *const plain[] = { "txt", "text", "csv", "tsv",
		"log", "md", "ini", "json", "xml", "rtf", "asc", "ics", "vcf",
		"sql", "tex", NULL };
	static const char *const html[] = { "htm", "html", "xhtml", "shtml",
		"mht", "mhtml", NULL };
	bool is_text = entity_is(e, "text/"), is_html = false, lines;
	struct text *t = NULL;
	unsigned i;

	is_html = entity_is(e, "text/html") ||
	    entity_is(e, "application/xhtml");
	for (i = 0; i < c->nrow && !is_text; i++) {
		const char *ext = extension(found_at(c->k->found,
		    c->row + i)->name);

		is_text = one_of(ext, plain) || one_of(ext, html);
		is_html = is_html || one_of(ext, html);
	}
	lines = e->encoding == GMIME_CONTENT_ENCODING_UUENCODE;
	if (is_text || is_html) {
		t = text_new(c->k, e->charset, is_html);
		lines = lines || !is_html;
	}
	if (lines)
		c->uu = uu_new(c->k, c->depth, c->archive, t);
	else
		c->text = t;
}

static void
set_scan(struct content *c, const struct entity *e)
{
	static const char *const types[] = { "message/rfc822",
		"message/global", "message/news", NULL };
	static const char *const names[] = { "eml", "mht", "mhtml", "nws",
		NULL };
	bool message = one_of(e->type, types), multi;
	struct entity *inner;
	char *path;
	unsigned i;

	for (i = 0; i < c->nrow && !message; i++)
		message = one_of(extension(found_at(c->k->found,
		    c->row + i)->name), names);
	multi = entity_is(e, "multipart/") && e->boundary != NULL;
	if (!message && !multi)
		return;
	if (c->depth > c->k->lim->depth) {
		content_unreadable(c, WHY_LIMIT);
		return;
	}
	path = multi ? g_strdup(c->archive) :
	    path_in(found_at(c->k->found, c->row));
	if (multi) {
		inner = entity_of_file("");
		g_free(inner->type);
		inner->type = g_strdup(e->type);
		inner->boundary = g_strdup(e->boundary);
		c->scan = scan_new_body(c->k, c->depth, path, inner);
	} else {
		c->scan = scan_new(c->k, c->depth, path);
	}
	g_free(path);
}

struct content *
content_new(struct look *k, unsigned depth, const char *archive,
    const struct entity *e)
{
	struct content *c = g_new0(struct content, 1);
	unsigned i;

	c->k = k;
	c->depth = depth;
	c->archive = g_strdup(archive);
	c->type = g_strdup(e->type);
	for (i = 0; i < e->names->len && i < ROWS; i++) {
		unsigned row = found_row(k->found, e->names->pdata[i],
		    e->type, archive);

		if (c->nrow++ == 0)
			c->row = row;
	}
	if (c->nrow == 0 && (e->attachment || (!entity_is(e, "text/") &&
	    !entity_is(e, "multipart/")))) {
		c->row = found_row(k->found, "", e->type, archive);
		c->nrow = 1;
	}
	set_scan(c, e);
	if (c->scan == NULL)
		set_text(c, e);
	return c;
}

static void
keep(struct content *c, const char *p, size_t n)
{
	if (!spool_add(c->spool, p, n)) {
		c->k->failed = "there is no room for an attachment";
		c->k->stop = true;
	}
}

static void
decide(struct content *c)
{
	unsigned i;

	c->decided = true;
	c->tnef = tnef_is(c->first, c->nfirst);
	c->kind = unpack_kind(NULL, c->first, c->nfirst);
	for (i = 0; i < c->nrow && c->kind == NULL; i++)
		c->kind = unpack_kind(found_at(c->k->found, c->row + i)->name,
		    NULL, 0);
	if (!c->tnef && c->kind == NULL)
		return;
	if (c->depth > c->k->lim->depth) {
		content_unreadable(c, WHY_LIMIT);
		return;
	}
	c->spool = spool_new(c->k->lim->tmp);
	keep(c, c->first, c->nfirst);
}

void
content_feed(struct content *c, const char *p, size_t n)
{
	size_t some = 0;

	c->size += n;
	if (c->scan != NULL)
		scan_feed(c->scan, p, n);
	if (c->text != NULL)
		text_feed(c->text, p, n);
	if (c->uu != NULL)
		uu_feed(c->uu, p, n);
	if (!c->decided) {
		some = sizeof(c->first) - c->nfirst;
		some = n < some ? n : some;
		if (some > 0)
			memcpy(c->first + c->nfirst, p, some);
		c->nfirst += some;
		if (c->nfirst == sizeof(c->first))
			decide(c);
	}
	if (c->spool != NULL && n > some)
		keep(c, p + some, n - some);
}

bool
content_full(const struct content *c)
{
	return c->decided && c->scan == NULL && c->text == NULL &&
	    c->uu == NULL && c->spool == NULL;
}

static void
set_sizes(struct content *c)
{
	unsigned i;

	for (i = 0; i < c->nrow; i++) {
		struct row *r = found_at(c->k->found, c->row + i);

		if (r->size < c->size)
			r->size = c->size;
	}
}

static void
look_inside(struct content *c)
{
	struct found *f = c->k->found;
	unsigned i, row = c->row;

	if (c->nrow == 0) {
		c->row = row = found_row(f, "", c->type, c->archive);
		c->nrow = 1;
		set_sizes(c);
	}
	if (c->tnef)
		tnef(c->k, c->depth, c->spool, row);
	else
		unpack(c->k, c->depth, c->spool, c->kind, row);
	for (i = 1; i < c->nrow; i++) {
		found_at(f, row + i)->encrypted = found_at(f, row)->encrypted;
		found_at(f, row + i)->unreadable =
		    found_at(f, row)->unreadable;
	}
}

void
content_end(struct content *c)
{
	if (!c->decided && !c->k->stop)
		decide(c);
	set_sizes(c);
	if (c->scan != NULL)
		scan_end(c->scan);
	if (c->spool != NULL && !c->k->stop)
		look_inside(c);
	content_free(c);
}

void
content_free(struct content *c)
{
	if (c == NULL)
		return;
	scan_free(c->scan);
	text_end(c->text);
	uu_end(c->uu);
	spool_free(c->spool);
	g_free(c->archive);
	g_free(c->type);
	g_free(c);
}

void
content_declared(struct content *c, uint64_t size)
{
	unsigned i;

	for (i = 0; i < c->nrow; i++)
		found_at(c->k->found, c->row + i)->size = size;
}

void
content_unreadable(struct content *c, const char *why)
{
	unsigned i;

	if (c->nrow == 0) {
		c->row = found_row(c->k->found, "", c->type, c->archive);
		c->nrow = 1;
	}
	for (i = 0; i < c->nrow; i++)
		found_unreadable(c->k->found, c->row + i, why);
}

void
content_encrypted(struct content *c)
{
	unsigned i;

	for (i = 0; i < c->nrow; i++)
		found_encrypted(c->k->found, c->row + i);
}

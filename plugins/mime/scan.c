#include "scan.h"

#include <string.h>

#include "content.h"

enum {
	LINE_OCTETS = 65536,  /* of a line in a header that are kept */
	BOUNDARY_LINE = 1024  /* a longer line is no boundary */
};

enum state { HEAD, BODY, ASIDE /* before the first part, behind the last */ };

struct level {
	struct level *up;
	char *boundary, *type;
	size_t n;
	unsigned nest;
	bool digest;
	bool any; /* there was a part */
};

struct scan {
	struct look *k;
	char *archive;
	enum state state;
	unsigned nest; /* of what is at hand */
	struct level *level; /* the innermost */
	GString *line;	     /* what there is of a line that must be whole */
	bool cut;	     /* and it had more */
	bool midline;	     /* of this one something was passed on */
	char eol[2];	     /* is the boundary's if one follows */
	unsigned neol;
	struct head head;
	GString *field;	     /* one of head's, its name before the value */
	size_t nname;
	bool any; /* the header has had a line */
	const char *dflt;
	struct leaf *leaf;
};

static void begin_body(struct scan *s, struct entity *e);

struct scan *
scan_new(struct look *k, unsigned depth, const char *archive)
{
	struct scan *s = g_new0(struct scan, 1);

	s->k = k;
	s->nest = depth;
	s->archive = g_strdup(archive);
	s->line = g_string_new(NULL);
	s->field = g_string_new(NULL);
	s->dflt = "text/plain";
	head_init(&s->head);
	return s;
}

struct scan *
scan_new_body(struct look *k, unsigned depth, const char *archive,
    struct entity *e)
{
	struct scan *s = scan_new(k, depth, archive);

	k->parts++;
	begin_body(s, e);
	return s;
}

static void
drop(struct scan *s)
{
	struct level *l = s->level;

	s->level = l->up;
	g_free(l->boundary);
	g_free(l->type);
	g_free(l);
}

/* One that never had a part: some programs show such a thing all the same. */
static void
pop(struct scan *s)
{
	struct found *f = s->k->found;

	if (!s->level->any && !s->k->stop)
		found_unreadable(f, found_row(f, "", s->level->type,
		    s->archive), WHY_BROKEN);
	drop(s);
}

void
scan_free(struct scan *s)
{
	if (s == NULL)
		return;
	leaf_free(s->leaf);
	while (s->level != NULL)
		drop(s);
	head_fini(&s->head);
	(void)g_string_free(s->line, TRUE);
	(void)g_string_free(s->field, TRUE);
	g_free(s->archive);
	g_free(s);
}

static void
note(struct scan *s, const struct entity *e, const char *why)
{
	unsigned row = found_row(s->k->found, "", e->type, s->archive);

	found_unreadable(s->k->found, row, why);
}

static void
push(struct scan *s, const struct entity *e)
{
	struct level *l = g_new0(struct level, 1);

	l->boundary = g_strchomp(g_strdup(e->boundary));
	l->n = strlen(l->boundary);
	l->type = g_strdup(e->type);
	l->nest = ++s->nest;
	l->digest = entity_is(e, "multipart/digest");
	l->up = s->level;
	s->level = l;
	s->state = ASIDE;
}

static bool
as_it_is(const struct entity *e)
{
	return e->encoding != GMIME_CONTENT_ENCODING_BASE64 &&
	    e->encoding != GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
}

static void
begin_body(struct scan *s, struct entity *e)
{
	bool multi = entity_is(e, "multipart/");

	s->midline = false;
	s->neol = 0;
	s->state = ASIDE;
	if (e->charset != NULL)
		found_charset(s->k->found, e->charset);
	if (e->over)
		note(s, e, WHY_LIMIT);
	if (multi && e->boundary == NULL) {
		note(s, e, WHY_BROKEN);
		g_free(e->type);
		e->type = g_strdup("text/plain");
		multi = false;
	}
	if (multi && s->nest >= s->k->lim->depth) {
		note(s, e, WHY_LIMIT);
	} else if (multi && as_it_is(e)) {
		push(s, e);
	} else {
		s->leaf = leaf_new(s->k, s->nest + 1, s->archive, e);
		s->state = BODY;
	}
	entity_free(e);
}

static void
field_ends(struct scan *s)
{
	if (s->nname > 0)
		head_add(&s->head, s->field->str, s->nname,
		    s->field->str + s->nname, s->field->len - s->nname);
	s->nname = 0;
	(void)g_string_truncate(s->field, 0);
}

static void
head_ends(struct scan *s)
{
	struct look *k = s->k;
	struct entity *e;

	field_ends(s);
	e = entity_new(&s->head, s->dflt);
	head_clear(&s->head);
	if (++k->parts > k->lim->parts) {
		note(s, e, WHY_LIMIT);
		entity_free(e);
		k->stop = true;
		return;
	}
	begin_body(s, e);
}

static void
head_begins(struct scan *s, const char *dflt)
{
	s->state = HEAD;
	s->any = false;
	s->dflt = dflt;
	s->midline = false;
	s->neol = 0;
}

/* Octets of the body at hand; the line end of the last line waits, since it is
 * the boundary's if one follows. */
static void
body(struct scan *s, const char *p, size_t n)
{
	if (s->state != BODY || n == 0)
		return;
	if (s->neol == 1 && s->eol[0] == '\r' && n == 1 && p[0] == '\n') {
		s->eol[s->neol++] = '\n';
		return;
	}
	leaf_feed(s->leaf, s->eol, s->neol);
	s->neol = 0;
	if (p[n - 1] == '\n' && n > 1 && p[n - 2] == '\r')
		s->neol = 2;
	else if (p[n - 1] == '\n' || p[n - 1] == '\r')
		s->neol = 1;
	memcpy(s->eol, p + n - s->neol, s->neol);
	leaf_feed(s->leaf, p, n - s->neol);
}

static void
body_ends(struct scan *s)
{
	leaf_end(s->leaf);
	s->leaf = NULL;
	s->neol = 0;
	s->state = ASIDE;
}

static void
on_boundary(struct scan *s, const struct level *l, bool closing)
{
	if (s->state == HEAD)
		head_ends(s);
	if (s->leaf != NULL)
		body_ends(s);
	while (s->level != l)
		pop(s);
	s->nest = s->level->nest;
	s->level->any = true;
	/* There may be one more, whatever was said. */
	if (closing)
		s->state = ASIDE;
	else
		head_begins(s, l->digest ? "message/rfc822" : "text/plain");
}

/* Is the line a boundary? Then it is not part of anything. */
static bool
boundary(struct scan *s)
{
	const char *p = s->line->str, *q;
	size_t n = s->line->len, left;
	const struct level *l;

	if (n < 3 || p[0] != '-' || p[1] != '-')
		return false;
	for (l = s->level; l != NULL; l = l->up) {
		if (n - 2 < l->n || memcmp(p + 2, l->boundary, l->n) != 0)
			continue;
		q = p + 2 + l->n;
		left = n - 2 - l->n;
		if (left >= 2 && q[0] == '-' && q[1] == '-') {
			q += 2;
			left -= 2;
		}
		while (left > 0 && strchr(" \t\r\n", *q) != NULL && *q != '\0')
			q++, left--;
		if (left > 0)
			continue;
		q = p + 2 + l->n;
		on_boundary(s, l, n >= l->n + 4 && q[0] == '-' &&
		    q[1] == '-');
		return true;
	}
	return false;
}

static void
field_begins(struct scan *s, size_t colon)
{
	const char *p = s->line->str;
	size_t n = colon;

	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	if (!head_wants(p, n))
		return;
	s->head.over = s->head.over || s->cut;
	(void)g_string_append_len(s->field, p, (gssize)n);
	(void)g_string_append_len(s->field, p + colon + 1,
	    (gssize)(s->line->len - colon - 1));
	s->nname = n;
}

static void
head_line(struct scan *s)
{
	GString *line = s->line;
	const char *colon;
	bool first = !s->any;

	s->any = true;
	while (line->len > 0 && strchr("\r\n", line->str[line->len - 1]) !=
	    NULL && line->str[line->len - 1] != '\0')
		(void)g_string_truncate(line, line->len - 1);
	if (line->len == 0) {
		head_ends(s);
	} else if (line->str[0] == ' ' || line->str[0] == '\t') {
		if (s->nname > 0 && s->field->len < HEAD_OCTETS) {
			(void)g_string_append_len(s->field, line->str,
			    (gssize)line->len);
			s->head.over = s->head.over || s->cut;
		} else if (s->nname > 0) {
			s->head.over = true;
		}
	} else {
		field_ends(s);
		colon = memchr(line->str, ':', line->len);
		if (colon != NULL) {
			field_begins(s, (size_t)(colon - line->str));
		} else if (first) {
			/* A part without a header, and without its end. */
			head_ends(s);
			(void)g_string_append(line, "\r\n");
			if (!s->k->stop)
				body(s, line->str, line->len);
		}
	}
}

static void
line_ends(struct scan *s)
{
	if (!boundary(s)) {
		if (s->state == HEAD)
			head_line(s);
		else
			body(s, s->line->str, s->line->len);
	}
	(void)g_string_truncate(s->line, 0);
	s->cut = false;
}

/* Lines that cannot be boundaries, all at once. */
static size_t
bulk(struct scan *s, const char *p, size_t n)
{
	const char *at = p, *end = p + n;

	while (at < end && (s->midline || *at != '-')) {
		at = memchr(at, '\n', (size_t)(end - at));
		s->midline = at == NULL;
		at = at != NULL ? at + 1 : end;
	}
	body(s, p, (size_t)(at - p));
	return (size_t)(at - p);
}

/* Of a line that must be seen as a whole; in a body not if it is too long. */
static size_t
gather(struct scan *s, const char *p, size_t n)
{
	size_t max = s->state == HEAD ? LINE_OCTETS : BOUNDARY_LINE;
	const char *nl = memchr(p, '\n', n);
	size_t take = nl != NULL ? (size_t)(nl - p) + 1 : n, room, used;

	room = s->line->len < max ? max - s->line->len : 0;
	used = take < room ? take : room;
	(void)g_string_append_len(s->line, p, (gssize)used);
	if (used < take && s->state == HEAD) {
		s->cut = true;
		used = take;
	}
	if (used == take && nl != NULL) {
		line_ends(s);
	} else if (s->state != HEAD && s->line->len >= max) {
		body(s, s->line->str, s->line->len);
		(void)g_string_truncate(s->line, 0);
		s->midline = true;
	}
	return used;
}

void
scan_feed(struct scan *s, const char *p, size_t n)
{
	size_t used;

	while (n > 0 && look_spend(s->k, 0)) {
		if (s->state == BODY && s->level == NULL) {
			/* Nothing but the end ends it. */
			body(s, p, n);
			return;
		}
		if (s->state != HEAD && s->line->len == 0 &&
		    (s->midline || *p != '-'))
			used = bulk(s, p, n);
		else
			used = gather(s, p, n);
		p += used;
		n -= used;
	}
}

void
scan_end(struct scan *s)
{
	if (s->line->len > 0 && !s->k->stop)
		line_ends(s);
	if (s->state == HEAD && !s->k->stop)
		head_ends(s);
	if (s->leaf != NULL && !s->k->stop) {
		leaf_feed(s->leaf, s->eol, s->neol);
		leaf_end(s->leaf);
	} else {
		leaf_free(s->leaf);
	}
	s->leaf = NULL;
	while (s->level != NULL)
		pop(s);
}

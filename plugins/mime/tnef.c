/*
 * winmail.dat: attachments as Microsoft wraps them (MS-OXTNEF). Attributes one
 * behind the other; an attachment begins with its rendering data. Its long name
 * is a MAPI property, its short one an attribute of its own.
 */
#include <string.h>

#include "content.h"
#include "text.h"
#include "unpack.h"

enum {
	ATT_BODY = 0x800c,
	ATT_DATA = 0x800f,
	ATT_TITLE = 0x8010,
	ATT_REND = 0x9002,
	ATT_PROPS = 0x9005,
	PROP_NAME = 0x3704,
	PROP_LONG_NAME = 0x3707,
	PROP_DATA = 0x3701,
	PROPS_OCTETS = 65536, /* of properties that are looked at */
	NAME_OCTETS = 512,
	HEADER = 9,	      /* level, attribute, length */
	PIECE = 8192
};

struct tnef {
	struct look *k;
	unsigned depth, row;
	struct spool *s;
	char *path;
	struct entity *file; /* the attachment at hand; NULL: none */
	uint64_t at, n;	     /* its data */
};

static uint32_t
u32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static unsigned
u16(const unsigned char *p)
{
	return (unsigned)p[0] | (unsigned)p[1] << 8;
}

bool
tnef_is(const char *p, size_t n)
{
	return n >= 6 && memcmp(p, "\x78\x9f\x3e\x22", 4) == 0;
}

static void
give(struct tnef *t, uint64_t at, uint64_t n, struct content *c,
    struct text *text)
{
	char piece[PIECE];
	size_t got;

	for (; n > 0 && look_spend(t->k, PIECE); at += got, n -= got) {
		got = spool_read(t->s, at, piece, n < PIECE ? (size_t)n :
		    PIECE);
		if (got == 0)
			break;
		if (c != NULL)
			content_feed(c, piece, got);
		else
			text_feed(text, piece, got);
	}
}

static void
file_ends(struct tnef *t)
{
	struct content *c;

	if (t->file == NULL)
		return;
	if (t->file->names->len == 0)
		g_ptr_array_add(t->file->names, g_strdup(""));
	c = content_new(t->k, t->depth + 1, t->path, t->file);
	give(t, t->at, t->n, c, NULL);
	content_end(c);
	entity_free(t->file);
	t->file = NULL;
}

static bool
file_begins(struct tnef *t)
{
	file_ends(t);
	if (++t->k->parts > t->k->lim->parts) {
		found_unreadable(t->k->found, t->row, WHY_LIMIT);
		return false;
	}
	t->file = entity_of_file("");
	g_ptr_array_set_size(t->file->names, 0);
	t->at = t->n = 0;
	return true;
}

static void
add_name(struct tnef *t, char *name)
{
	unsigned i;

	for (i = 0; i < t->file->names->len; i++) {
		if (strcmp(t->file->names->pdata[i], name) == 0)
			break;
	}
	if (i == t->file->names->len && name[0] != '\0')
		g_ptr_array_add(t->file->names, name);
	else
		g_free(name);
}

static void
name_property(struct tnef *t, unsigned type, const unsigned char *p, size_t n)
{
	char *s;

	if (n > NAME_OCTETS)
		return;
	if (type == 0x1f)
		s = g_convert((const char *)p, (gssize)n, "UTF-8", "UTF-16LE",
		    NULL, NULL, NULL);
	else
		s = g_strndup((const char *)p, n);
	if (s != NULL)
		add_name(t, s);
}

/* Octets of a value of that type that has no length of its own; 0: it has. */
static size_t
fixed(unsigned type)
{
	switch (type) {
	case 0x02: case 0x03: case 0x04: case 0x0a: case 0x0b:
		return 4;
	case 0x05: case 0x06: case 0x07: case 0x14: case 0x40:
		return 8;
	case 0x48:
		return 16;
	default:
		return 0;
	}
}

/* The name of a named property; how long it is, 0: it is broken. */
static size_t
skip_named(const unsigned char *p, size_t n)
{
	size_t len;

	if (n < 24)
		return 0;
	if (u32(p + 16) == 0)
		return 24;
	len = u32(p + 20);
	return len > n - 24 ? 0 : 24 + (len + 3) / 4 * 4;
}

/* One value; how long it is, 0: it is broken. */
static size_t
value(struct tnef *t, unsigned type, unsigned id, const unsigned char *p,
    size_t n)
{
	size_t len = fixed(type & 0xfff);

	if (len > 0)
		return len;
	if (n < 4 || u32(p) > n - 4)
		return 0;
	len = u32(p);
	if ((id == PROP_NAME || id == PROP_LONG_NAME) &&
	    (type == 0x1e || type == 0x1f))
		name_property(t, type, p + 4, len);
	return 4 + (len + 3) / 4 * 4;
}

static void
properties(struct tnef *t, const unsigned char *p, size_t n)
{
	uint32_t left, values;
	unsigned type, id;
	size_t used;

	if (n < 4)
		return;
	left = u32(p);
	p += 4;
	n -= 4;
	for (; left > 0 && n >= 4; left--) {
		type = u16(p);
		id = u16(p + 2);
		p += 4;
		n -= 4;
		if (id >= 0x8000) {
			used = skip_named(p, n);
			if (used == 0 || used > n)
				return;
			p += used;
			n -= used;
		}
		values = 1;
		if ((type & 0x1000) != 0 || fixed(type & 0xfff) == 0) {
			if (n < 4)
				return;
			values = u32(p);
			p += 4;
			n -= 4;
		}
		for (; values > 0; values--) {
			used = value(t, type, id, p, n);
			if (used == 0 || used > n)
				return;
			p += used;
			n -= used;
		}
	}
}

static void
attribute(struct tnef *t, unsigned id, uint64_t at, uint64_t n)
{
	unsigned char *p;
	size_t len;

	if (id == ATT_BODY) {
		struct text *text = text_new(t->k, NULL, false);

		give(t, at, n, NULL, text);
		text_end(text);
		return;
	}
	if (t->file == NULL)
		return;
	if (id == ATT_DATA) {
		t->at = at;
		t->n = n;
		return;
	}
	if (id != ATT_TITLE && id != ATT_PROPS)
		return;
	len = n < PROPS_OCTETS ? (size_t)n : PROPS_OCTETS;
	p = g_malloc0(len + 1);
	len = spool_read(t->s, at, p, len);
	if (id == ATT_PROPS)
		properties(t, p, len);
	else
		add_name(t, g_strndup((const char *)p, len < NAME_OCTETS ?
		    len : NAME_OCTETS));
	g_free(p);
}

void
tnef(struct look *k, unsigned depth, struct spool *s, unsigned row)
{
	struct tnef t = { .k = k, .depth = depth, .row = row, .s = s };
	uint64_t at = 6, n, size = spool_size(s);
	unsigned char head[HEADER];

	t.path = path_in(found_at(k->found, row));
	while (at < size && look_spend(k, HEADER)) {
		if (spool_read(s, at, head, HEADER) < HEADER ||
		    (head[0] != 1 && head[0] != 2) ||
		    u32(head + 5) > size - at - HEADER) {
			found_unreadable(k->found, row, WHY_BROKEN);
			break;
		}
		n = u32(head + 5);
		if (u16(head + 1) == ATT_REND && !file_begins(&t))
			break;
		attribute(&t, u16(head + 1), at + HEADER, n);
		at += HEADER + n + 2;
	}
	file_ends(&t);
	g_free(t.path);
}

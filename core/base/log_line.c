#include <string.h>

#include "base/codec.h"
#include "base/log_priv.h"
#include "base/mem.h"

/* Octets of one text from outside that a line shows. */
#define SHOWN 2048

/* A piece of a template: literal text, argument, or end of an option. */
struct seg {
	char type;	/* t: text; [ ]: option; else the argument's */
	bool json;	/* the argument is not in the text */
	unsigned arg;	/* its number */
	unsigned end;	/* of '[': the ']' */
	struct str text; /* literal, or the argument's name */
	const char *name; /* the latter as a string */
	struct str none; /* what stands for an empty argument */
};

struct line {
	struct seg *seg;
	unsigned n;
};

static const struct {
	enum log_level level;
	const char *name;
	const char *text;
} events[EV_COUNT] = {
#define EVENT(id, lv, json, line)                                              \
	[EV_##id] = { LOG_LV_##lv, json, line },
#include "tbl/events.h"
#undef EVENT
};

static const struct str levels[] = {
	[LOG_LV_CRITICAL] = STR("Critical"),
	[LOG_LV_WARNING] = STR("Warning"),
	[LOG_LV_INFO] = STR("Info"),
	[LOG_LV_DEBUG] = STR("Debug"),
	[LOG_LV_TRACE] = STR("Trace"),
};

_Static_assert((int)LOG_LV_CRITICAL == (int)PST_LOG_CRITICAL &&
	(int)LOG_LV_TRACE == (int)PST_LOG_TRACE,
    "levels are the interface's");

static struct line lines[EV_COUNT];

static const struct line *line_of(enum log_event ev);
static void compile(struct line *l, const char *text);
static bool empty(const struct seg *s, const struct log_arg *arg);
static void add_arg(struct buf *dst, const struct seg *s,
    const struct log_arg *arg);
static void field_of(struct pst_field *f, struct buf *room,
    const struct seg *s, const struct log_arg *arg);
static void add_rids(struct buf *dst, struct log_rids r);
static void add_u64(struct buf *dst, uint64_t n);

const char *
log_level_name(enum log_level level)
{
	return levels[level].p;
}

int
log_level_parse(struct str s, enum log_level *level_r)
{
	unsigned i;

	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (str_ieq(s, levels[i])) {
			*level_r = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

enum log_level
log_event_level(enum log_event ev)
{
	return events[ev].level;
}

const char *
log_event_name(enum log_event ev)
{
	return events[ev].name;
}

void
log_args(enum log_event ev, struct log_arg *arg, va_list ap)
{
	const struct line *l = line_of(ev);
	unsigned i;

	for (i = 0; i < l->n; i++) {
		struct log_arg *a = &arg[l->seg[i].arg];

		switch (l->seg[i].type) {
		case 'd':
			a->d = va_arg(ap, int64_t);
			break;
		case 'u':
			a->u = va_arg(ap, uint64_t);
			break;
		case 's':
			a->s = str_c(va_arg(ap, const char *));
			break;
		case 'e':
		case 'q':
		case 'l':
			a->s = va_arg(ap, struct str);
			break;
		case 'r':
			a->r = va_arg(ap, struct log_rids);
			break;
		default:
			break;
		}
	}
}

void
log_line_text(struct buf *dst, enum log_event ev, const struct log_arg *arg)
{
	const struct line *l = line_of(ev);
	const struct seg *s;
	unsigned i, j;

	for (i = 0; i < l->n; i++) {
		s = &l->seg[i];
		if (s->type == 't') {
			(void)buf_add_str(dst, s->text);
		} else if (s->type == '[') {
			for (j = i + 1; j < s->end; j++) {
				if (!empty(&l->seg[j], arg))
					break;
			}
			if (j == s->end)
				i = s->end;
		} else if (s->type != ']' && !s->json) {
			add_arg(dst, s, arg);
		}
	}
}

unsigned
log_line_fields(struct pst_field *field_r, struct buf *room,
    enum log_event ev, const struct log_arg *arg)
{
	const struct line *l = line_of(ev);
	const struct seg *s;
	size_t need = 0;
	unsigned i, n = 0;

	/* All the room at once, so that it does not move. */
	for (s = l->seg; s < l->seg + l->n; s++) {
		if (s->type == 'r')
			need += arg[s->arg].r.n * (size_t)12;
		else if (strchr("t[]du", s->type) == NULL)
			need += arg[s->arg].s.n < SHOWN * 2 ?
			    arg[s->arg].s.n : SHOWN * 2;
		need++;
	}
	buf_reset(room);
	if (buf_room(room, need) == NULL)
		return 0;
	for (i = 0; i < l->n; i++) {
		s = &l->seg[i];
		if (s->type == 't' || s->type == '[' || s->type == ']')
			continue;
		field_of(&field_r[n++], room, s, arg);
	}
	return n;
}

void
log_free_text(struct buf *dst, struct str text)
{
	(void)log_clean(dst, text, SHOWN, true);
}

unsigned
log_free_fields(struct pst_field *field_r, struct str text)
{
	*field_r = (struct pst_field){ .name = "text", .type = PST_F_TEXT,
		.text = { text.p, text.n } };
	return 1;
}

static const struct line *
line_of(enum log_event ev)
{
	struct line *l = &lines[ev];

	if (l->seg == NULL) {
		compile(l, events[ev].text);
	}
	return l;
}

/* Once per event, so that a line is put together without reading formats. */
static void
compile(struct line *l, const char *text)
{
	struct str rest = str_c(text), body;
	unsigned args = 0, option = 0, cap = 2;
	struct seg *s;
	size_t n;

	for (n = 0; n < rest.n; n++)
		cap += rest.p[n] == '%' ? 2 : 0;
	l->seg = mem_array(cap, sizeof(l->seg[0]));
	while (rest.n > 0) {
		ASSERT(l->n < cap);
		s = &l->seg[l->n++];
		n = str_find(rest, '%');
		if (n > 0) {
			s->type = 't';
			s->text = str_n(rest.p, n);
			rest = str_n(rest.p + n, rest.n - n);
			continue;
		}
		ASSERT(rest.n >= 2);
		s->json = rest.p[1] == '-';
		if (s->json)
			rest = str_n(rest.p + 1, rest.n - 1);
		s->type = rest.p[1];
		rest = str_n(rest.p + 2, rest.n - 2);
		if (s->type == '[') {
			option = l->n - 1;
			continue;
		}
		if (s->type == ']') {
			l->seg[option].end = l->n - 1;
			continue;
		}
		ASSERT(rest.n > 0 && rest.p[0] == '{');
		n = str_find(rest, '}');
		ASSERT(n < rest.n && args < LOG_ARGS);
		ASSERT(memchr("duseqlr", s->type, 7) != NULL);
		body = str_n(rest.p + 1, n - 1);
		rest = str_n(rest.p + n + 1, rest.n - n - 1);
		s->arg = args++;
		(void)str_split(&body, '|', &s->text);
		s->name = mem_strndup(s->text.p, s->text.n);
		s->none = body;
	}
}

static bool
empty(const struct seg *s, const struct log_arg *arg)
{
	switch (s->type) {
	case 't':
		return true;
	case 'd':
	case 'u':
		return arg[s->arg].u == 0;
	case 'r':
		return arg[s->arg].r.n == 0;
	default:
		return arg[s->arg].s.n == 0;
	}
}

static void
add_list(struct buf *dst, struct str text)
{
	struct str rest, line;
	bool first = true;

	rest = str_n(text.p, text.n < SHOWN * 2 ? text.n : SHOWN * 2);
	while (str_split(&rest, '\n', &line)) {
		if (!first)
			(void)buf_add_c(dst, ", ");
		first = false;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		(void)log_repr(dst, line, SHOWN);
	}
}

static void
add_rids(struct buf *dst, struct log_rids r)
{
	unsigned i;

	for (i = 0; i < r.n; i++) {
		if (i > 0)
			(void)buf_add(dst, ", ", 2);
		add_u64(dst, r.v[i]);
	}
}

static void
add_arg(struct buf *dst, const struct seg *s, const struct log_arg *arg)
{
	const struct log_arg *a = &arg[s->arg];

	if (s->none.n > 0 && empty(s, arg)) {
		(void)buf_add_str(dst, s->none);
		return;
	}
	switch (s->type) {
	case 'd':
		if (a->d < 0)
			(void)buf_add_char(dst, '-');
		add_u64(dst, a->d < 0 ? 0 - (uint64_t)a->d : (uint64_t)a->d);
		break;
	case 'u':
		add_u64(dst, a->u);
		break;
	case 's':
	case 'e':
		(void)log_clean(dst, a->s, SHOWN, true);
		break;
	case 'q':
		(void)log_repr(dst, a->s, SHOWN);
		break;
	case 'l':
		add_list(dst, a->s);
		break;
	case 'r':
		(void)buf_add_char(dst, '[');
		add_rids(dst, a->r);
		(void)buf_add_char(dst, ']');
		break;
	default:
		panic("type %c in the table of events", s->type);
	}
}

/* Text as it came, cut, with a NUL behind it. */
static struct pst_str
keep(struct buf *room, struct str s, size_t max)
{
	const char *p = buf_p(room) + buf_len(room);
	size_t n = s.n < max ? s.n : max;

	(void)buf_add(room, s.p, n);
	(void)buf_add(room, "", 1);
	return (struct pst_str){ p, n };
}

static void
field_of(struct pst_field *f, struct buf *room, const struct seg *s,
    const struct log_arg *arg)
{
	const struct log_arg *a = &arg[s->arg];
	size_t before;

	*f = (struct pst_field){ .name = s->name };
	switch (s->type) {
	case 'd':
		f->type = PST_F_NUMBER;
		f->number = a->d;
		break;
	case 'u':
		f->type = PST_F_NUMBER;
		f->number = a->u < INT64_MAX ? (int64_t)a->u : INT64_MAX;
		break;
	case 'r':
		f->type = PST_F_NUMBERS;
		before = buf_len(room);
		add_rids(room, a->r);
		f->text.p = buf_p(room) + before;
		f->text.n = buf_len(room) - before;
		(void)buf_add(room, "", 1);
		break;
	case 'l':
		f->type = PST_F_LINES;
		f->text = keep(room, a->s, SHOWN * 2);
		break;
	default:
		f->type = s->none.n > 0 && a->s.n == 0 ? PST_F_NULL :
							 PST_F_TEXT;
		f->text = keep(room, a->s, SHOWN);
		break;
	}
}

static void
add_u64(struct buf *dst, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	(void)buf_add(dst, digits + i, sizeof(digits) - i);
}

/*
 * One setting's value: from Lua or from the default text into its field, and
 * back into text.
 */
#include "policy/conf_priv.h"

#include <stdio.h>

#include "base/codec.h"
#include "base/num.h"

#define FIELD(base, p, type) ((type *)(void *)((char *)(base) + (p)->offset))
#define CFIELD(base, p, type)                                                  \
	((const type *)(const void *)((const char *)(base) + (p)->offset))

typedef int element_fn(struct pool *, struct str, void *, unsigned *,
	    struct err *);

static int	set_want(struct pool *, const struct conf_param *, void *,
		    const char *, struct err *);
static void	text_want(const struct tlswant *, struct buf *);
static int	set_number(const struct conf_param *, void *,
		    const struct conf_raw *, struct err *);
static int	number_of(enum conf_type, const struct conf_raw *, uint64_t *,
		    struct err *);
static int	choice_of(const char *, struct str);
static int	set_list(struct pool *, const struct conf_param *, void *,
		    const struct conf_raw *, struct err *);
static int	set_strings(struct pool *, void *, struct str *, unsigned);
static int	set_nets(struct pool *, void *, struct str *, unsigned,
		    struct err *);
static int	set_addrs(struct pool *, void *, struct str *, unsigned,
		    struct err *);
static int	net_of(struct str, struct sock_net *, struct err *);
static void	make_absolute(struct pool *, const char *, const char ***);
static void	text_list(struct buf *, const char *const *, unsigned);
static void	text_number(enum conf_type, uint64_t, struct buf *);

/* A line, or a word of it. */
static bool
is_one(struct pool *pool, struct str s, const char *what)
{
	return str_eq(s, str_c(text_clean(pool, s, s.n + 1))) &&
	    (strcmp(what, "one word") != 0 || str_find(s, ' ') == s.n);
}

int
conf_value_set(struct pool *pool, const char *dir, const struct conf_param *p,
    void *base, const struct conf_raw *raw, struct err *why)
{
	const char *text = "";
	int n;

	if (raw->type == RAW_STRING) {
		if (memchr(raw->s.p, '\0', raw->s.n) != NULL)
			return err_text(why, "a NUL in %s", p->name);
		text = raw->s.p;
	}
	switch (p->type) {
	case CONF_STRING:
	case CONF_PATH:
		if (raw->type != RAW_STRING)
			break;
		if (p->type == CONF_PATH && text[0] != '/' && text[0] != '\0')
			text = pool_printf(pool, "%s/%s", dir, text);
		if (strncmp(p->range, "one ", 4) == 0 &&
		    !is_one(pool, raw->s, p->range))
			return err_text(why, "%s must be %s of UTF-8 without "
			    "control characters", p->name, p->range);
		*FIELD(base, p, const char *) = text;
		return 0;
	case CONF_WANT:
		if (raw->type != RAW_STRING)
			break;
		return set_want(pool, p, base, text, why);
	case CONF_BOOL:
		if (raw->type != RAW_BOOL)
			break;
		*FIELD(base, p, bool) = raw->b;
		return 0;
	case CONF_INT:
	case CONF_SIZE:
	case CONF_DURATION:
		return set_number(p, base, raw, why);
	case CONF_CHOICE:
		n = raw->type == RAW_STRING ? choice_of(p->range, raw->s) : -1;
		if (n < 0)
			return err_text(why, "%s must be one of %s", p->name,
			    p->range);
		*FIELD(base, p, int) = n;
		return 0;
	case CONF_PATHS:
		if (set_list(pool, p, base, raw, why) != 0)
			return -1;
		make_absolute(pool, dir, FIELD(base, p, const char **));
		return 0;
	case CONF_STRINGS:
	case CONF_NETS:
	case CONF_ADDRS:
		return set_list(pool, p, base, raw, why);
	}
	return err_text(why, "%s must be %s", p->name, conf_type_name(p->type));
}

void
conf_value_default(struct pool *pool, const struct conf_param *p, void *base)
{
	struct conf_raw raw = { .type = RAW_STRING, .s = str_c(p->def) };
	struct err why = ERR_INIT;
	struct str rest = raw.s, word;
	struct conf_raw *v;

	switch (p->type) {
	case CONF_BOOL:
		raw.type = RAW_BOOL;
		raw.b = strcmp(p->def, "true") == 0;
		break;
	case CONF_CHOICE:
		if (p->def[0] != '\0')
			break;
		*FIELD(base, p, int) = -1;
		return;
	case CONF_PATHS:
	case CONF_STRINGS:
	case CONF_NETS:
	case CONF_ADDRS:
		raw.type = RAW_LIST;
		raw.v = pool_alloc(pool, (raw.s.n + 1) * sizeof(*raw.v));
		while (str_word(&rest, &word)) {
			v = POOL_NEW(pool, struct conf_raw);
			v->type = RAW_STRING;
			v->s = pool_str(pool, word);
			raw.v[raw.n++] = v;
		}
		break;
	case CONF_STRING:
	case CONF_PATH:
	case CONF_INT:
	case CONF_SIZE:
	case CONF_DURATION:
	case CONF_WANT:
		break;
	}
	if (conf_value_set(pool, "", p, base, &raw, &why) != 0)
		panic("default of %s: %s", p->name, why.text);
}

static int
set_want(struct pool *pool, const struct conf_param *p, void *base,
    const char *text, struct err *why)
{
	const struct tlswant **field = FIELD(base, p, const struct tlswant *);
	struct tlswant *w = POOL_NEW(pool, struct tlswant);

	*field = NULL;
	if (text[0] == '\0')
		return 0;
	if (tlswant_read(w, str_c(text), pool, why) != 0)
		return err_prefix(why, "%s: ", p->name);
	*field = w;
	return 0;
}

static int
set_number(const struct conf_param *p, void *base, const struct conf_raw *raw,
    struct err *why)
{
	struct conf_raw edge = { .type = RAW_STRING };
	struct err none = ERR_INIT;
	uint64_t n, low, high;
	const char *dots = strstr(p->range, "..");

	if (number_of(p->type, raw, &n, why) != 0)
		return err_prefix(why, "%s ", p->name);
	ASSERT(dots != NULL);
	edge.s = str_n(p->range, (size_t)(dots - p->range));
	if (number_of(p->type, &edge, &low, &none) != 0)
		panic("range of %s", p->name);
	edge.s = str_c(dots + 2);
	if (number_of(p->type, &edge, &high, &none) != 0)
		panic("range of %s", p->name);
	if (n < low || n > high)
		return err_text(why, "%s must be within %s", p->name,
		    p->range);
	if (p->type == CONF_INT)
		*FIELD(base, p, unsigned) = (unsigned)n;
	else if (p->type == CONF_SIZE)
		*FIELD(base, p, uint64_t) = n;
	else
		*FIELD(base, p, msec) = (msec)n;
	return 0;
}

/* A bare number is octets, or seconds. */
static int
number_of(enum conf_type type, const struct conf_raw *raw, uint64_t *n_r,
    struct err *why)
{
	msec ms;

	if (raw->type == RAW_INT && raw->i >= 0 && raw->i < INT64_MAX / 1000) {
		*n_r = (uint64_t)raw->i * (type == CONF_DURATION ? 1000 : 1);
		return 0;
	}
	if (raw->type == RAW_STRING) {
		if (type == CONF_INT &&
		    num_u64(raw->s, UINT32_MAX, n_r) == 0)
			return 0;
		if (type == CONF_SIZE && num_size(raw->s, n_r) == 0)
			return 0;
		if (type == CONF_DURATION && num_duration(raw->s, &ms) == 0) {
			*n_r = (uint64_t)ms;
			return 0;
		}
	}
	return err_text(why, "must be %s", conf_type_name(type));
}

/* The place of a word in "a=x|b|c"; x is another word for a. */
static int
choice_of(const char *range, struct str word)
{
	struct str rest = str_c(range), piece, name;
	int i;

	for (i = 0; str_split(&rest, '|', &piece); i++) {
		while (str_split(&piece, '=', &name)) {
			if (str_ieq(name, word))
				return i;
		}
	}
	return -1;
}

static int
set_list(struct pool *pool, const struct conf_param *p, void *base,
    const struct conf_raw *raw, struct err *why)
{
	struct str one, *v = &one;
	unsigned i, n = 1;

	if (raw->type == RAW_STRING) {
		one = raw->s;
	} else if (raw->type == RAW_LIST) {
		n = raw->n;
		v = pool_alloc(pool, (n + 1) * sizeof(*v));
		for (i = 0; i < n; i++) {
			if (raw->v[i]->type != RAW_STRING ||
			    memchr(raw->v[i]->s.p, '\0', raw->v[i]->s.n) !=
				NULL)
				return err_text(why, "%s must be %s", p->name,
				    conf_type_name(p->type));
			v[i] = raw->v[i]->s;
		}
	} else {
		return err_text(why, "%s must be %s", p->name,
		    conf_type_name(p->type));
	}
	if (p->type == CONF_STRINGS || p->type == CONF_PATHS)
		return set_strings(pool, FIELD(base, p, const char *const *),
		    v, n);
	if (p->type == CONF_NETS)
		i = (unsigned)set_nets(pool, FIELD(base, p, struct conf_nets),
		    v, n, why);
	else
		i = (unsigned)set_addrs(pool,
		    FIELD(base, p, struct conf_addrs), v, n, why);
	return i == 0 ? 0 : err_prefix(why, "%s: ", p->name);
}

/* Paths of a list that was made for it. */
static void
make_absolute(struct pool *pool, const char *dir, const char ***field)
{
	const char **p = *field;

	for (; *p != NULL; p++) {
		if (**p != '/')
			*p = pool_printf(pool, "%s/%s", dir, *p);
	}
}

static int
set_strings(struct pool *pool, void *field, struct str *v, unsigned n)
{
	const char **list = pool_alloc(pool, (n + 1) * sizeof(*list));
	unsigned i;

	for (i = 0; i < n; i++)
		list[i] = pool_str(pool, v[i]).p;
	*(const char *const **)field = list;
	return 0;
}

static int
set_nets(struct pool *pool, void *field, struct str *v, unsigned n,
    struct err *why)
{
	struct conf_nets nets = { .n = n };
	struct sock_net *net = pool_alloc(pool, (n + 1) * sizeof(*net));
	unsigned i;

	for (i = 0; i < n; i++) {
		if (net_of(v[i], &net[i], why) != 0)
			return -1;
	}
	nets.v = net;
	(void)set_strings(pool, &nets.text, v, n);
	*(struct conf_nets *)field = nets;
	return 0;
}

/* Brackets around an IPv6 address are common and harmless. */
static int
net_of(struct str s, struct sock_net *net, struct err *why)
{
	char text[SOCK_TEXT_MAX];

	if (s.n > 2 && s.n < sizeof(text) && s.p[0] == '[' &&
	    s.p[s.n - 1] == ']')
		s = str_n(s.p + 1, s.n - 2);
	return sock_net_parse(s, net, why);
}

static int
set_addrs(struct pool *pool, void *field, struct str *v, unsigned n,
    struct err *why)
{
	struct conf_addrs addrs = { .n = 0 };
	struct sock_addr *a = pool_alloc(pool, (2 * n + 1) * sizeof(*a));
	char text[SOCK_TEXT_MAX];
	unsigned i;

	for (i = 0; i < n; i++) {
		if (v[i].n > 0 && v[i].p[0] == '*') {
			(void)snprintf(text, sizeof(text), "0.0.0.0%.*s",
			    STR_FMT(str_n(v[i].p + 1, v[i].n - 1)));
			if (sock_addr_parse(str_c(text), 25,
				&a[addrs.n++], why) != 0)
				return -1;
			(void)snprintf(text, sizeof(text), "[::]%.*s",
			    STR_FMT(str_n(v[i].p + 1, v[i].n - 1)));
			if (sock_addr_parse(str_c(text), 25,
				&a[addrs.n++], why) != 0)
				return -1;
		} else if (sock_addr_parse(v[i], 25, &a[addrs.n++], why) !=
		    0) {
			return -1;
		}
	}
	addrs.v = a;
	*(struct conf_addrs *)field = addrs;
	return 0;
}

void
conf_value_text(const struct conf_param *p, const void *base, struct buf *dst)
{
	const struct conf_addrs *addrs;
	const struct conf_nets *nets;
	const char *const *list;
	char text[SOCK_TEXT_MAX];
	struct str rest, piece, name;
	unsigned i;
	int n;

	switch (p->type) {
	case CONF_STRING:
	case CONF_PATH:
		(void)json_quote(dst, str_c(*CFIELD(base, p, char *)));
		return;
	case CONF_WANT:
		text_want(*CFIELD(base, p, struct tlswant *), dst);
		return;
	case CONF_BOOL:
		(void)buf_add_c(dst, *CFIELD(base, p, bool) ? "true" :
		    "false");
		return;
	case CONF_INT:
		text_number(p->type, *CFIELD(base, p, unsigned), dst);
		return;
	case CONF_SIZE:
		text_number(p->type, *CFIELD(base, p, uint64_t), dst);
		return;
	case CONF_DURATION:
		text_number(p->type, (uint64_t)*CFIELD(base, p, msec), dst);
		return;
	case CONF_CHOICE:
		n = *CFIELD(base, p, int);
		rest = str_c(p->range);
		while (n >= 0 && str_split(&rest, '|', &piece) && n-- > 0)
			;
		if (*CFIELD(base, p, int) >= 0 &&
		    str_split(&piece, '=', &name))
			(void)json_quote(dst, name);
		else
			(void)buf_add_c(dst, "nil");
		return;
	case CONF_PATHS:
	case CONF_STRINGS:
		list = *CFIELD(base, p, char *const *);
		for (i = 0; list[i] != NULL;)
			i++;
		text_list(dst, list, i);
		return;
	case CONF_NETS:
		nets = CFIELD(base, p, struct conf_nets);
		text_list(dst, nets->text, nets->n);
		return;
	case CONF_ADDRS:
		addrs = CFIELD(base, p, struct conf_addrs);
		(void)buf_add_c(dst, "{");
		for (i = 0; i < addrs->n; i++)
			(void)buf_printf(dst, "%s \"%s\"", i > 0 ? "," : "",
			    sock_addr_text(&addrs->v[i], text, sizeof(text)));
		(void)buf_add_c(dst, " }");
		return;
	}
	panic("type %d", (int)p->type);
}

static void
text_list(struct buf *dst, const char *const *v, unsigned n)
{
	unsigned i;

	(void)buf_add_c(dst, "{");
	for (i = 0; i < n; i++) {
		(void)buf_add_c(dst, i > 0 ? ", " : " ");
		(void)json_quote(dst, str_c(v[i]));
	}
	(void)buf_add_c(dst, " }");
}

static void
text_number(enum conf_type type, uint64_t n, struct buf *dst)
{
	char text[32];
	uint64_t same;

	/* A size is shortened only if nothing is lost by it. */
	if (type == CONF_SIZE &&
	    num_size(str_c(num_fmt_size(text, sizeof(text), n)), &same) == 0 &&
	    same == n)
		(void)buf_printf(dst, "\"%s\"", text);
	else if (type != CONF_DURATION)
		(void)buf_printf(dst, "%ju", (uintmax_t)n);
	else
		(void)buf_printf(dst, "\"%s\"",
		    num_fmt_duration(text, sizeof(text), (msec)n));
}

static void
text_want(const struct tlswant *w, struct buf *dst)
{
	struct buf text;

	buf_init(&text, CONF_MAX);
	if (w != NULL)
		tlswant_write(w, &text);
	(void)json_quote(dst, buf_str(&text));
	buf_fini(&text);
}

#include "net/dns_records.h"

#include <stdlib.h>
#include <sys/types.h>
#include <unbound.h>

#include "base/buf.h"
#include "base/coll.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/pool.h"

enum { FILE_MAX = 64 * 1024 * 1024, TTL_DEFAULT = 3600 };

/* A name with a SOA record. */
struct apex {
	struct hash_node node;
	const char *name;
};

struct zone {
	const char *name; /* with its final dot */
	unsigned dots;
};

struct loader {
	struct ub_ctx *ctx;
	struct pool *pool;
	struct hash apexes;
	struct zone *zones; /* names found in the first pass */
	size_t n, cap;
	const char *path;
	bool names_only; /* first pass */
};

static int load_pass(struct loader *ld, struct str text, struct err *why);
static int load_line(struct loader *ld, struct str line, struct err *why);
static bool line_type(struct str *rest, struct str *type_r, unsigned *ttl_r);
static struct str strip_comment(struct str line);
static const char *full_name(struct loader *ld, struct str name);
static void add_name(struct loader *ld, const char *name, bool apex);
static int add_zones(struct loader *ld, struct err *why);
static int by_depth(const void *a, const void *b);
static bool is_apex(struct loader *ld, struct str name);
static bool under_apex(struct loader *ld, const char *name);

int
dns_records_load(struct ub_ctx *ctx, const char *path, struct err *why)
{
	struct loader ld = { .ctx = ctx, .path = path };
	struct buf text;
	int result;

	buf_init(&text, FILE_MAX);
	hash_init(&ld.apexes);
	ld.pool = pool_new(0);
	result = file_read(&text, path, why);
	ld.names_only = true;
	if (result == 0)
		result = load_pass(&ld, buf_str(&text), why);
	if (result == 0)
		result = add_zones(&ld, why);
	ld.names_only = false;
	if (result == 0)
		result = load_pass(&ld, buf_str(&text), why);
	mem_free(ld.zones);
	hash_fini(&ld.apexes);
	pool_destroy(&ld.pool);
	buf_fini(&text);
	return result;
}

static int
load_pass(struct loader *ld, struct str text, struct err *why)
{
	struct str line;
	unsigned n = 0;

	while (str_split(&text, '\n', &line)) {
		n++;
		line = strip_comment(line);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (str_trim(line).n == 0)
			continue;
		if (load_line(ld, line, why) < 0)
			return err_prefix(why, "%s:%u: ", ld->path, n);
	}
	return 0;
}

static int
load_line(struct loader *ld, struct str line, struct err *why)
{
	struct str rest = line, owner, type;
	unsigned ttl = TTL_DEFAULT;
	const char *name;
	char *text;

	if (line.p[0] == ' ' || line.p[0] == '\t' || line.p[0] == '$' ||
	    line.p[0] == '@')
		return err_text(why, "each line begins with a full name");
	if (!str_word(&rest, &owner) || !line_type(&rest, &type, &ttl))
		return err_text(why, "a resource record was expected");
	name = full_name(ld, owner);
	if (ld->names_only) {
		add_name(ld, name, str_ieq_c(type, "SOA"));
		return 0;
	}
	text = pool_printf(ld->pool, "%s %u IN %.*s %.*s", name, ttl,
	    STR_FMT(type), STR_FMT(rest));
	if (ub_ctx_data_add(ld->ctx, text) != 0)
		return err_text(why, "not a resource record");
	return 0;
}

/* TTL and class, in either order or missing, come before the type. */
static bool
line_type(struct str *rest, struct str *type_r, unsigned *ttl_r)
{
	uint64_t ttl;

	while (str_word(rest, type_r)) {
		if (num_u64(*type_r, INT32_MAX, &ttl) == 0)
			*ttl_r = (unsigned)ttl;
		else if (!str_ieq_c(*type_r, "IN"))
			return str_trim(*rest).n > 0;
	}
	return false;
}

/* A ';' inside quotes (TXT) is not a comment. */
static struct str
strip_comment(struct str line)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < line.n; i++) {
		if (line.p[i] == '\\')
			i++;
		else if (line.p[i] == '"')
			quoted = !quoted;
		else if (line.p[i] == ';' && !quoted)
			return str_n(line.p, i);
	}
	return line;
}

static const char *
full_name(struct loader *ld, struct str name)
{
	const char *dot = name.p[name.n - 1] == '.' ? "" : ".";

	return pool_printf(ld->pool, "%.*s%s", STR_FMT(name), dot);
}

static void
add_name(struct loader *ld, const char *name, bool apex)
{
	struct apex *a;
	struct zone *z;
	const char *p;

	if (ld->n == ld->cap) {
		ld->cap = ld->cap == 0 ? 256 : ld->cap * 2;
		ld->zones =
		    mem_realloc(ld->zones, ld->cap * sizeof(*ld->zones));
	}
	z = &ld->zones[ld->n++];
	z->name = name;
	z->dots = 0;
	for (p = name; *p != '\0'; p++)
		z->dots += *p == '.' && p[1] != '\0';
	if (!apex)
		return;
	a = POOL_NEW(ld->pool, struct apex);
	a->name = name;
	hash_add(&ld->apexes, &a->node, hash_istr(str_c(name)));
}

/*
 * Deep names first: libunbound 1.17 does not see that a new zone lies inside
 * one that is there, only that older ones lie inside the new one.
 */
static int
add_zones(struct loader *ld, struct err *why)
{
	const char *name;
	size_t i;

	qsort(ld->zones, ld->n, sizeof(*ld->zones), by_depth);
	for (i = 0; i < ld->n; i++) {
		name = ld->zones[i].name;
		if (under_apex(ld, name) && !is_apex(ld, str_c(name)))
			continue;
		if (ub_ctx_zone_add(ld->ctx, name, "static") != 0)
			return err_text(
			    why, "%s: \"%s\" is not a name", ld->path, name);
	}
	return 0;
}

static int
by_depth(const void *a, const void *b)
{
	const struct zone *x = a, *y = b;

	if (x->dots != y->dots)
		return x->dots > y->dots ? -1 : 1;
	/* The root, "." with no dot inside, is above "com." as well. */
	return (int)strlen(y->name) - (int)strlen(x->name);
}

static bool
is_apex(struct loader *ld, struct str name)
{
	struct hash_node *n = hash_first(&ld->apexes, hash_istr(name));

	for (; n != NULL; n = hash_next(n)) {
		if (str_ieq_c(name, COLL_OF(n, struct apex, node)->name))
			return true;
	}
	return false;
}

static bool
under_apex(struct loader *ld, const char *name)
{
	struct str s = str_c(name);
	size_t dot;

	if (is_apex(ld, STR(".")))
		return true;
	while (s.n > 0) {
		if (is_apex(ld, s))
			return true;
		dot = str_find(s, '.');
		if (dot == s.n)
			break;
		s = str_n(s.p + dot + 1, s.n - dot - 1);
	}
	return false;
}

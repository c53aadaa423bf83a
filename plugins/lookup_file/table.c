#define PCRE2_CODE_UNIT_WIDTH 8

#include "table.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <pcre2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_MAX 4096
#define PREFIXES 129
#define STEPS 100000 /* of an expression */
#define NONE UINT32_MAX

struct entry {
	const char *key, *value; /* in text; for a network key is the address */
	uint32_t nkey, nvalue;
	uint32_t next;		 /* of the same bucket, or of the file's end */
	pcre2_code *code;
};

struct table {
	enum table_kind kind;
	char *text;
	struct entry *entry;
	size_t n, cap;
	uint32_t *bucket;
	size_t nbucket;
	bool v4[PREFIXES], v6[PREFIXES]; /* lengths that there are */
};

/* A network as a key: family, length, address with the rest cleared. */
struct net {
	unsigned char byte[18];
};

static int	read_text(struct table *, const char *, char *);
static int	read_lines(struct table *, const char *, char *);
static int	add(struct table *, const char *, unsigned, char *, char *,
		    char *);
static int	add_net(struct table *, struct entry *, const char *, unsigned,
		    char *);
static int	add_expression(struct entry *, const char *, unsigned, char *);
static void	index_all(struct table *);
static uint32_t hash(const struct table *, const char *, size_t);
static bool	same(const struct table *, const struct entry *, const char *,
		    size_t);
static int	find(const struct table *, const char *, size_t, table_value *,
		    void *);
static int	get_domain(const struct table *, const char *, size_t,
		    table_value *, void *);
static int	get_net(const struct table *, const char *, size_t,
		    table_value *, void *);
static int	get_expression(const struct table *, const char *, size_t,
		    table_value *, void *);
static void	substitute(const struct entry *, const char *,
		    pcre2_match_data *, int, table_value *, void *);
static bool	net_parse(const char *, struct net *, int *);
static void	net_cut(struct net *, int);

struct table *
table_read(const char *file, enum table_kind kind, char *why)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		(void)snprintf(why, TABLE_WHY, "%s: out of memory", file);
		return NULL;
	}
	t->kind = kind;
	if (read_text(t, file, why) != 0 || read_lines(t, file, why) != 0) {
		table_free(t);
		return NULL;
	}
	index_all(t);
	if (kind != TABLE_REGEX && t->n > 0 && t->bucket == NULL) {
		(void)snprintf(why, TABLE_WHY, "%s: out of memory", file);
		table_free(t);
		return NULL;
	}
	return t;
}

void
table_free(struct table *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->n; i++)
		pcre2_code_free(t->entry[i].code);
	free(t->entry);
	free(t->bucket);
	free(t->text);
	free(t);
}

size_t
table_count(const struct table *t)
{
	return t->n;
}

int
table_get(const struct table *t, const char *key, size_t n,
    table_value *value, void *arg)
{
	if (n == 0 || n > KEY_MAX)
		return 0;
	switch (t->kind) {
	case TABLE_EXACT:
		return find(t, key, n, value, arg);
	case TABLE_DOMAIN:
		return get_domain(t, key, n, value, arg);
	case TABLE_CIDR:
		return get_net(t, key, n, value, arg);
	case TABLE_REGEX:
		return get_expression(t, key, n, value, arg);
	}
	return 0;
}

static int
read_text(struct table *t, const char *file, char *why)
{
	struct stat st;
	size_t n = 0;
	FILE *f;

	f = fopen(file, "re");
	if (f == NULL || fstat(fileno(f), &st) != 0) {
		(void)snprintf(why, TABLE_WHY, "%s: %s", file,
		    strerror(errno));
		if (f != NULL)
			(void)fclose(f);
		return -1;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > TABLE_FILE_MAX) {
		(void)snprintf(why, TABLE_WHY, "%s: %s", file,
		    S_ISREG(st.st_mode) ? "too large" : "is not a file");
		(void)fclose(f);
		return -1;
	}
	t->text = malloc((size_t)st.st_size + 1);
	if (t->text != NULL)
		n = fread(t->text, 1, (size_t)st.st_size, f);
	if (t->text == NULL || n != (size_t)st.st_size) {
		(void)snprintf(why, TABLE_WHY, "%s: %s", file,
		    t->text == NULL ? "out of memory" :
				      "it changed while it was read");
		(void)fclose(f);
		return -1;
	}
	(void)fclose(f);
	t->text[n] = '\0';
	if (memchr(t->text, '\0', n) != NULL) {
		(void)snprintf(why, TABLE_WHY, "%s: an octet 0 in it", file);
		return -1;
	}
	return 0;
}

/* Ends the line at p, folds the lines that go on it into it; returns what
 * comes behind and counts the lines. */
static char *
take_line(char *p, unsigned *lines)
{
	char *end = p;

	for (;;) {
		end += strcspn(end, "\n");
		*lines += 1;
		if (*end == '\0')
			return end;
		if (end[1] != ' ' && end[1] != '\t')
			break;
		*end = ' ';
	}
	*end = '\0';
	return end + 1;
}

static int
read_lines(struct table *t, const char *file, char *why)
{
	char *p = t->text, *line, *value, *end;
	unsigned lines = 0, at;

	while (*p != '\0') {
		line = p;
		at = lines + 1;
		p = take_line(p, &lines);
		line += strspn(line, " \t\r");
		if (*line == '\0' || *line == '#')
			continue;
		end = line + strlen(line);
		while (end > line && isspace((unsigned char)end[-1]))
			end--;
		*end = '\0';
		value = line + strcspn(line, " \t");
		if (*value != '\0') {
			*value++ = '\0';
			value += strspn(value, " \t");
		}
		if (add(t, file, at, line, value, why) != 0)
			return -1;
	}
	return 0;
}

static int
add(struct table *t, const char *file, unsigned line, char *key, char *value,
    char *why)
{
	struct entry *e, *more;
	size_t cap;

	if (t->n == (t->kind == TABLE_REGEX ? TABLE_EXPRESSIONS_MAX :
					      TABLE_ENTRIES_MAX)) {
		(void)snprintf(why, TABLE_WHY, "%s:%u: too many entries", file,
		    line);
		return -1;
	}
	if (t->n == t->cap) {
		cap = t->cap == 0 ? 256 : t->cap * 2;
		more = realloc(t->entry, cap * sizeof(*more));
		if (more == NULL) {
			(void)snprintf(why, TABLE_WHY, "%s: out of memory",
			    file);
			return -1;
		}
		t->entry = more;
		t->cap = cap;
	}
	e = &t->entry[t->n];
	*e = (struct entry){ .key = key, .nkey = (uint32_t)strlen(key),
		.value = value, .nvalue = (uint32_t)strlen(value),
		.next = NONE };
	if (e->nkey > KEY_MAX) {
		(void)snprintf(why, TABLE_WHY, "%s:%u: a key of %u octets",
		    file, line, e->nkey);
		return -1;
	}
	if (t->kind == TABLE_CIDR && add_net(t, e, file, line, why) != 0)
		return -1;
	if (t->kind == TABLE_REGEX && add_expression(e, file, line, why) != 0)
		return -1;
	t->n++;
	return 0;
}

/* The address takes the place of its text, which is never shorter: "::/0" has
 * four octets, so what does not fit is kept apart. */
static int
add_net(struct table *t, struct entry *e, const char *file, unsigned line,
    char *why)
{
	struct net net;
	int bits;

	if (!net_parse(e->key, &net, &bits)) {
		(void)snprintf(why, TABLE_WHY, "%s:%u: \"%.80s\" is no "
		    "address or network", file, line, e->key);
		return -1;
	}
	if (net.byte[0] == 4)
		t->v4[bits] = true;
	else
		t->v6[bits] = true;
	return 0;
}

static int
add_expression(struct entry *e, const char *file, unsigned line, char *why)
{
	PCRE2_UCHAR text[256];
	size_t n = e->nkey;
	const char *p = e->key;
	uint32_t flags = PCRE2_CASELESS | PCRE2_NEVER_BACKSLASH_C;
	PCRE2_SIZE at;
	int code;

	/* "/x y/" may have blanks written as \s or \x20; "/…/c": case counts */
	if (n < 2 || p[0] != '/') {
		(void)snprintf(why, TABLE_WHY, "%s:%u: write an expression as "
		    "/.../", file, line);
		return -1;
	}
	if (n > 2 && p[n - 1] == 'c' && p[n - 2] == '/') {
		flags &= ~(uint32_t)PCRE2_CASELESS;
		n--;
	}
	if (n < 2 || p[n - 1] != '/') {
		(void)snprintf(why, TABLE_WHY, "%s:%u: the expression does "
		    "not end with /", file, line);
		return -1;
	}
	e->code = pcre2_compile((PCRE2_SPTR)p + 1, n - 2, flags, &code, &at,
	    NULL);
	if (e->code == NULL) {
		(void)pcre2_get_error_message(code, text, sizeof(text));
		(void)snprintf(why, TABLE_WHY, "%s:%u: at octet %zu: %s", file,
		    line, (size_t)at + 2, (const char *)text);
		return -1;
	}
	(void)pcre2_jit_compile(e->code, PCRE2_JIT_COMPLETE);
	return 0;
}

/* Buckets keep the order of the file. */
static void
index_all(struct table *t)
{
	struct net net;
	uint32_t h;
	size_t i;
	int bits;

	if (t->kind == TABLE_REGEX || t->n == 0)
		return;
	for (t->nbucket = 16; t->nbucket < t->n * 2;)
		t->nbucket *= 2;
	t->bucket = malloc(t->nbucket * sizeof(*t->bucket));
	if (t->bucket == NULL)
		return;
	memset(t->bucket, 0xff, t->nbucket * sizeof(*t->bucket));
	for (i = t->n; i-- > 0;) {
		if (t->kind == TABLE_CIDR) {
			(void)net_parse(t->entry[i].key, &net, &bits);
			h = hash(t, (const char *)net.byte, sizeof(net.byte));
		} else {
			h = hash(t, t->entry[i].key, t->entry[i].nkey);
		}
		t->entry[i].next = t->bucket[h];
		t->bucket[h] = (uint32_t)i;
	}
}

static uint32_t
hash(const struct table *t, const char *p, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (i = 0; i < n; i++) {
		h ^= t->kind == TABLE_CIDR ? (unsigned char)p[i] :
		    (unsigned char)tolower((unsigned char)p[i]);
		h *= UINT64_C(0x100000001b3);
	}
	return (uint32_t)((h ^ (h >> 32)) & (t->nbucket - 1));
}

static bool
same(const struct table *t, const struct entry *e, const char *key, size_t n)
{
	struct net net;
	size_t i;
	int bits;

	if (t->kind == TABLE_CIDR)
		return net_parse(e->key, &net, &bits) &&
		    memcmp(net.byte, key, n) == 0;
	if (e->nkey != n)
		return false;
	for (i = 0; i < n; i++) {
		if (tolower((unsigned char)e->key[i]) !=
		    tolower((unsigned char)key[i]))
			return false;
	}
	return true;
}

static int
find(const struct table *t, const char *key, size_t n, table_value *value,
    void *arg)
{
	const struct entry *e;
	uint32_t i;
	int count = 0;

	if (t->n == 0)
		return 0;
	for (i = t->bucket[hash(t, key, n)]; i != NONE; i = e->next) {
		e = &t->entry[i];
		if (!same(t, e, key, n))
			continue;
		value(arg, e->value, e->nvalue);
		count++;
	}
	return count;
}

static int
get_domain(const struct table *t, const char *key, size_t n,
    table_value *value, void *arg)
{
	const char *end = key + n, *p;
	int count;

	count = find(t, key, n, value, arg);
	if (count > 0)
		return count;
	for (p = end; p > key && p[-1] != '@';)
		p--;
	if (p > key) {
		count = find(t, p, (size_t)(end - p), value, arg);
		if (count > 0)
			return count;
	}
	while ((p = memchr(p, '.', (size_t)(end - p))) != NULL) {
		count = find(t, p, (size_t)(end - p), value, arg);
		if (count > 0)
			return count;
		p++;
	}
	return find(t, "*", 1, value, arg);
}

static int
get_net(const struct table *t, const char *key, size_t n, table_value *value,
    void *arg)
{
	struct net net, part;
	char text[64];
	const bool *have;
	int bits, count;

	if (n >= sizeof(text))
		return 0;
	memcpy(text, key, n);
	text[n] = '\0';
	if (strchr(text, '/') != NULL || !net_parse(text, &net, &bits))
		return 0;
	have = net.byte[0] == 4 ? t->v4 : t->v6;
	for (; bits >= 0; bits--) {
		if (!have[bits])
			continue;
		part = net;
		net_cut(&part, bits);
		count = find(t, (const char *)part.byte, sizeof(part.byte),
		    value, arg);
		if (count > 0)
			return count;
	}
	return 0;
}

static int
get_expression(const struct table *t, const char *key, size_t n,
    table_value *value, void *arg)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data *found = pcre2_match_data_create(10, NULL);
	int r = PCRE2_ERROR_NOMATCH;
	size_t i;

	if (limits == NULL || found == NULL) {
		pcre2_match_context_free(limits);
		pcre2_match_data_free(found);
		return -1;
	}
	(void)pcre2_set_match_limit(limits, STEPS);
	(void)pcre2_set_depth_limit(limits, 1000);
	for (i = 0; i < t->n && r == PCRE2_ERROR_NOMATCH; i++) {
		r = pcre2_match(t->entry[i].code, (PCRE2_SPTR)key, n, 0, 0,
		    found, limits);
		if (r >= 0)
			substitute(&t->entry[i], key, found, r, value, arg);
	}
	pcre2_match_context_free(limits);
	pcre2_match_data_free(found);
	if (r == PCRE2_ERROR_NOMATCH)
		return 0;
	return r < 0 ? -1 : 1;
}

static void
substitute(const struct entry *e, const char *key, pcre2_match_data *found,
    int groups, table_value *value, void *arg)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(found);
	size_t i, n = 0, len;
	char out[8192];
	unsigned g;

	for (i = 0; i < e->nvalue && n < sizeof(out); i++) {
		if (e->value[i] != '\\' || i + 1 == e->nvalue) {
			out[n++] = e->value[i];
			continue;
		}
		i++;
		if (e->value[i] < '0' || e->value[i] > '9') {
			out[n++] = e->value[i];
			continue;
		}
		g = (unsigned)(e->value[i] - '0');
		if (g >= (unsigned)(groups == 0 ? 10 : groups) ||
		    at[2 * g] == PCRE2_UNSET)
			continue;
		len = at[2 * g + 1] - at[2 * g];
		if (len > sizeof(out) - n)
			len = sizeof(out) - n;
		memcpy(out + n, key + at[2 * g], len);
		n += len;
	}
	value(arg, out, n);
}

/* "192.0.2.1", "192.0.2.0/24", "2001:db8::/32"; an IPv4 address inside IPv6
 * is that IPv4 address. */
static bool
net_parse(const char *text, struct net *net, int *bits_r)
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0xff, 0xff };
	const char *slash = strchr(text, '/');
	char address[64], *end;
	unsigned char ip[16];
	int most = 32;
	long bits;
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);

	if (n == 0 || n >= sizeof(address))
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	memset(net, 0, sizeof(*net));
	if (inet_pton(AF_INET, address, ip) == 1) {
		net->byte[0] = 4;
		memcpy(net->byte + 2, ip, 4);
	} else if (inet_pton(AF_INET6, address, ip) != 1) {
		return false;
	} else if (slash == NULL && memcmp(ip, mapped, 12) == 0) {
		net->byte[0] = 4;
		memcpy(net->byte + 2, ip + 12, 4);
	} else {
		net->byte[0] = 6;
		memcpy(net->byte + 2, ip, 16);
		most = 128;
	}
	bits = most;
	if (slash != NULL) {
		if (!isdigit((unsigned char)slash[1]))
			return false;
		bits = strtol(slash + 1, &end, 10);
		if (*end != '\0' || bits < 0 || bits > most)
			return false;
	}
	net_cut(net, (int)bits);
	*bits_r = (int)bits;
	return true;
}

static void
net_cut(struct net *net, int bits)
{
	unsigned i, keep;

	net->byte[1] = (unsigned char)bits;
	for (i = 0; i < 16; i++) {
		keep = (unsigned)bits > 8 * i ? (unsigned)bits - 8 * i : 0;
		if (keep < 8)
			net->byte[2 + i] &=
			    (unsigned char)(0xff00u >> keep);
	}
}

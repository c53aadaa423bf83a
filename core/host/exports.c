/*
 * The linker has the table in memory already and has believed it; it is walked
 * there. How many symbols there are says only the hash table, of which there
 * are two kinds.
 */
#include "host/exports.h"

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct tables {
	const ElfW(Sym) *sym;
	const char *str;
	const uint32_t *hash, *gnu;
};

static bool	find_tables(struct tables *, const void *);
static const void *at(const struct link_map *, ElfW(Addr));
static size_t	count(const struct tables *);
static size_t	count_gnu(const uint32_t *);
static bool	is_exported(const ElfW(Sym) *);
static bool	of_tls(const char *);
static void	note(unsigned *, char *, size_t, const char *);
static void	add_rest(unsigned, char *, size_t);

void
exports_look(struct exports *e, const struct pst_plugin *p, const char *name)
{
	struct tables t = { NULL, NULL, NULL, NULL };
	char own[128];
	const char *s;
	size_t i, n;

	memset(e, 0, sizeof(*e));
	if (!find_tables(&t, p))
		return;
	(void)snprintf(own, sizeof(own), "%s_LTX_postern_plugin", name);
	n = count(&t);
	for (i = 1; i < n; i++) {
		s = t.str + t.sym[i].st_name;
		/* Those of sanitizers, and of the linker itself. */
		if (!is_exported(&t.sym[i]) || s[0] == '_' ||
		    strcmp(s, own) == 0)
			continue;
		if (of_tls(s))
			note(&e->tls, e->tls_names, sizeof(e->tls_names), s);
		else
			note(&e->others, e->other_names,
			    sizeof(e->other_names), s);
	}
	add_rest(e->tls, e->tls_names, sizeof(e->tls_names));
	add_rest(e->others, e->other_names, sizeof(e->other_names));
}

static bool
find_tables(struct tables *t, const void *inside)
{
	struct link_map *map = NULL;
	const ElfW(Dyn) *d;
	Dl_info info;

	if (dladdr1(inside, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 ||
	    map == NULL || map->l_ld == NULL)
		return false;
	for (d = map->l_ld; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_SYMTAB)
			t->sym = at(map, d->d_un.d_ptr);
		else if (d->d_tag == DT_STRTAB)
			t->str = at(map, d->d_un.d_ptr);
		else if (d->d_tag == DT_HASH)
			t->hash = at(map, d->d_un.d_ptr);
		else if (d->d_tag == DT_GNU_HASH)
			t->gnu = at(map, d->d_un.d_ptr);
	}
	return t->sym != NULL && t->str != NULL;
}

/* Most systems' linkers have made it an address; some leave the offset. */
static const void *
at(const struct link_map *map, ElfW(Addr) p)
{
	if (p < map->l_addr)
		p += map->l_addr;
	return (const void *)p;
}

static size_t
count(const struct tables *t)
{
	if (t->gnu != NULL)
		return count_gnu(t->gnu);
	return t->hash != NULL ? t->hash[1] : 0;
}

/* One behind the last symbol of the last chain: what is exported is behind
 * what is wanted, sorted by bucket. */
static size_t
count_gnu(const uint32_t *gnu)
{
	uint32_t nbucket = gnu[0], first = gnu[1], nbloom = gnu[2], last = 0;
	const uint32_t *bucket, *chain;
	uint32_t i;

	bucket = gnu + 4 + nbloom * (sizeof(ElfW(Addr)) / sizeof(*gnu));
	chain = bucket + nbucket;
	for (i = 0; i < nbucket; i++) {
		if (bucket[i] > last)
			last = bucket[i];
	}
	if (last < first)
		return first;
	while ((chain[last - first] & 1) == 0)
		last++;
	return (size_t)last + 1;
}

static bool
is_exported(const ElfW(Sym) *s)
{
	unsigned bind = ELF64_ST_BIND(s->st_info);
	unsigned type = ELF64_ST_TYPE(s->st_info);
	unsigned seen = ELF64_ST_VISIBILITY(s->st_other);

	return s->st_shndx != SHN_UNDEF && s->st_name != 0 &&
	    (bind == STB_GLOBAL || bind == STB_WEAK) &&
	    type != STT_SECTION && type != STT_FILE &&
	    (seen == STV_DEFAULT || seen == STV_PROTECTED);
}

static bool
of_tls(const char *name)
{
	static const char *const heads[] = { "SSL_", "EVP_", "CRYPTO_",
		"OPENSSL_", "X509_", "BIO_" };
	size_t i;

	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		if (strncmp(name, heads[i], strlen(heads[i])) == 0)
			return true;
	}
	return false;
}

/* The first is named. */
static void
note(unsigned *n, char *names, size_t size, const char *name)
{
	if ((*n)++ == 0)
		(void)snprintf(names, size, "%.90s", name);
}

static void
add_rest(unsigned n, char *names, size_t size)
{
	size_t len = strlen(names);

	if (n > 1)
		(void)snprintf(names + len, size - len, " and %u more", n - 1);
}

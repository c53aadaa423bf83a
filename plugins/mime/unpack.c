#define _GNU_SOURCE /* uselocale() */
#include "unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <string.h>

#include "content.h"

enum {
	RATIO_FROM = 1024 * 1024, /* less than that is no bomb */
	STEP = 4096, /* octets that the header of an entry is reckoned as */
	READ = 65536
};

struct unpack {
	struct look *k;
	unsigned depth, row;
	uint64_t size, out, declared;
	char *path; /* the archive's, for the rows of what it holds */
	struct archive *a;
	bool skips; /* what is passed over need not be unpacked */
	bool bare;  /* of a compressed file: no tar is expected in it */
	bool over;
};

static const struct magic {
	const char *kind;
	unsigned at, n;
	const char *octets;
} magics[] = {
	{ "zip", 0, 4, "PK\3\4" },
	{ "zip", 0, 4, "PK\5\6" },
	{ "zip", 0, 4, "PK\7\10" },
	{ "7z", 0, 6, "7z\xbc\xaf\x27\x1c" },
	{ "rar", 0, 6, "Rar!\x1a\7" },
	{ "gz", 0, 3, "\x1f\x8b\x08" },
	{ "gz", 0, 3, "BZh" },
	{ "gz", 0, 6, "\xfd" "7zXZ\0" },
	{ "gz", 0, 4, "\x28\xb5\x2f\xfd" },
	{ "gz", 0, 4, "\x04\x22\x4d\x18" },
	{ "cab", 0, 8, "MSCF\0\0\0\0" },
	{ "lha", 2, 3, "-lh" },
	{ "lha", 2, 3, "-lz" },
	{ "tar", 257, 5, "ustar" },
	{ "ace", 7, 7, "**ACE**" },
};

static const struct { const char *ext, *kind; } names[] = {
	{ "zip", "zip" }, { "zipx", "zip" }, { "jar", "zip" },
	{ "7z", "7z" }, { "rar", "rar" }, { "r00", "rar" },
	{ "gz", "gz" }, { "tgz", "gz" }, { "bz2", "gz" }, { "tbz", "gz" },
	{ "tbz2", "gz" }, { "xz", "gz" }, { "txz", "gz" }, { "lzma", "gz" },
	{ "z", "gz" }, { "zst", "gz" }, { "lz4", "gz" }, { "cab", "cab" },
	{ "lha", "lha" }, { "lzh", "lha" }, { "tar", "tar" },
	{ "iso", "iso" }, { "arj", "arj" }, { "ace", "ace" },
};

static const char *
by_name(const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t i;

	for (i = 0; dot != NULL && i < G_N_ELEMENTS(names); i++) {
		if (g_ascii_strcasecmp(dot + 1, names[i].ext) == 0)
			return names[i].kind;
	}
	return NULL;
}

const char *
unpack_kind(const char *name, const char *p, size_t n)
{
	const struct magic *m;

	if (p == NULL)
		return by_name(name);
	for (m = magics; m < magics + G_N_ELEMENTS(magics); m++) {
		if (n < m->at + m->n ||
		    memcmp(p + m->at, m->octets, m->n) != 0)
			continue;
		if (m->octets[0] == 'B' && (n < 10 || p[3] < '1' ||
		    p[3] > '9' || memcmp(p + 4, "1AY&SY", 6) != 0))
			continue;
		if (m->octets[0] == '-' && (n < 7 || p[6] != '-'))
			continue;
		return m->kind;
	}
	return NULL;
}

/* Where a library is missing libarchive would run a program instead. */
static void
add_filters(struct archive *a)
{
	if (archive_zlib_version() != NULL)
		(void)archive_read_support_filter_gzip(a);
	if (archive_bzlib_version() != NULL)
		(void)archive_read_support_filter_bzip2(a);
	if (archive_liblzma_version() != NULL) {
		(void)archive_read_support_filter_xz(a);
		(void)archive_read_support_filter_lzma(a);
	}
	if (archive_libzstd_version() != NULL)
		(void)archive_read_support_filter_zstd(a);
	if (archive_liblz4_version() != NULL)
		(void)archive_read_support_filter_lz4(a);
	(void)archive_read_support_filter_compress(a);
}

/* Readers of the kind; false: there is none. */
static bool
add_kind(struct unpack *u, const char *kind)
{
	struct archive *a = u->a;

	if (strcmp(kind, "zip") == 0) {
		u->skips = true;
		return archive_read_support_format_zip(a) == ARCHIVE_OK;
	}
	if (strcmp(kind, "7z") == 0)
		return archive_read_support_format_7zip(a) == ARCHIVE_OK;
	if (strcmp(kind, "rar") == 0)
		return archive_read_support_format_rar(a) == ARCHIVE_OK &&
		    archive_read_support_format_rar5(a) == ARCHIVE_OK;
	if (strcmp(kind, "cab") == 0)
		return archive_read_support_format_cab(a) == ARCHIVE_OK;
	if (strcmp(kind, "lha") == 0)
		return archive_read_support_format_lha(a) == ARCHIVE_OK;
	if (strcmp(kind, "iso") == 0) {
		u->skips = true;
		return archive_read_support_format_iso9660(a) == ARCHIVE_OK;
	}
	if (strcmp(kind, "gz") == 0) {
		add_filters(a);
		return (u->bare ||
		    archive_read_support_format_tar(a) == ARCHIVE_OK) &&
		    archive_read_support_format_raw(a) == ARCHIVE_OK;
	}
	if (strcmp(kind, "tar") == 0) {
		add_filters(a);
		return archive_read_support_format_tar(a) == ARCHIVE_OK;
	}
	return false;
}

static bool
wanted(const struct look *k, const char *kind)
{
	const char *const *p;

	for (p = k->lim->archives; *p != NULL; p++) {
		if (strcmp(*p, kind) == 0)
			return true;
	}
	return false;
}

static void
limit(struct unpack *u)
{
	found_unreadable(u->k->found, u->row, WHY_LIMIT);
	u->over = true;
}

/* n octets came out of it; false: it is a bomb. */
static bool
out(struct unpack *u, size_t n)
{
	const struct limits *lim = u->k->lim;

	u->out += n;
	u->k->unpacked += (int64_t)n;
	if (u->k->unpacked <= lim->unpacked && (u->out <= RATIO_FROM ||
	    u->out / (u->size + 1) <= (uint64_t)lim->ratio))
		return look_spend(u->k, n);
	limit(u);
	return false;
}

/* What it says of itself: what nobody will ever unpack is no mail. */
static void
declares(struct unpack *u, struct archive_entry *e)
{
	const struct limits *lim = u->k->lim;
	int64_t n = archive_entry_size_is_set(e) ? archive_entry_size(e) : 0;

	if (n <= 0)
		return;
	u->declared += (uint64_t)n < INT64_MAX - u->declared ? (uint64_t)n :
	    0;
	if (u->declared > RATIO_FROM &&
	    (u->declared > (uint64_t)lim->unpacked ||
	    u->declared / (u->size + 1) > (uint64_t)lim->ratio))
		found_unreadable(u->k->found, u->row, WHY_LIMIT);
}

static void
data(struct unpack *u, struct content *c)
{
	const void *p;
	int64_t at;
	size_t n;
	int r;

	for (;;) {
		r = archive_read_data_block(u->a, &p, &n, &at);
		if (r == ARCHIVE_EOF)
			return;
		if (r < ARCHIVE_WARN) {
			if (archive_read_has_encrypted_entries(u->a) == 1)
				content_encrypted(c);
			else
				content_unreadable(c, WHY_BROKEN);
			return;
		}
		if (!out(u, n)) {
			content_unreadable(c, WHY_LIMIT);
			return;
		}
		content_feed(c, p, n);
		if (u->skips && content_full(c))
			return;
	}
}

/* A file that was only compressed has no name but that of the archive. */
static char *
name_of(struct unpack *u, struct archive_entry *e)
{
	const char *name = archive_entry_pathname_utf8(e), *dot, *base;

	if (name == NULL)
		name = archive_entry_pathname(e);
	if (archive_format(u->a) != ARCHIVE_FORMAT_RAW)
		return g_strdup(name != NULL ? name : "");
	if (name != NULL && name[0] != '\0' && strcmp(name, "data") != 0)
		return g_strdup(name);
	base = found_at(u->k->found, u->row)->name;
	dot = strrchr(base, '.');
	return dot == NULL ? g_strdup(base) :
	    g_strndup(base, (gsize)(dot - base));
}

static void
member(struct unpack *u, struct archive_entry *e)
{
	char *name = name_of(u, e);
	struct entity *file = entity_of_file(name);
	struct content *c = content_new(u->k, u->depth + 1, u->path, file);

	g_free(name);
	entity_free(file);
	if (archive_entry_size_is_set(e))
		content_declared(c, (uint64_t)archive_entry_size(e));
	if (archive_entry_is_encrypted(e)) {
		content_encrypted(c);
		found_encrypted(u->k->found, u->row);
	} else if (!u->over) {
		data(u, c);
	}
	content_end(c);
}

static void
list(struct unpack *u)
{
	struct look *k = u->k;
	struct archive_entry *e;
	int r, tries = 0;

	while (look_spend(k, STEP)) {
		r = archive_read_next_header(u->a, &e);
		if (r == ARCHIVE_EOF)
			break;
		if (r == ARCHIVE_RETRY && tries++ < 10)
			continue;
		if (r < ARCHIVE_WARN) {
			if (archive_read_has_encrypted_entries(u->a) != 1)
				found_unreadable(k->found, u->row, WHY_BROKEN);
			break;
		}
		if (++k->entries > k->lim->entries) {
			limit(u);
			break;
		}
		if (archive_entry_filetype(e) == AE_IFDIR)
			continue;
		declares(u, e);
		member(u, e);
		/* Passing over what is not unpacked costs as much. */
		if (u->over && !u->skips)
			break;
	}
	if (archive_read_has_encrypted_entries(u->a) == 1)
		found_encrypted(k->found, u->row);
}

/* Where an archive does not say what its names are in, most are in UTF-8, and
 * what is not keeps its ASCII. Only the reader of 7z does not know the word. */
static int
open_spool(struct unpack *u, struct spool *s)
{
	const void *p = spool_memory(s);

	(void)archive_read_set_options(u->a, "hdrcharset=UTF-8");
	if (p != NULL)
		return archive_read_open_memory(u->a, p,
		    (size_t)spool_size(s));
	return archive_read_open_fd(u->a, spool_fd(s), READ);
}

/* How many entries there were. */
static int64_t
walk(struct unpack *u, struct spool *s, const char *kind)
{
	int64_t before = u->k->entries;

	u->a = archive_read_new();
	if (u->a == NULL)
		g_error("out of memory");
	if (!add_kind(u, kind))
		found_unreadable(u->k->found, u->row, WHY_UNKNOWN);
	else if (open_spool(u, s) < ARCHIVE_WARN)
		found_unreadable(u->k->found, u->row, WHY_BROKEN);
	else
		list(u);
	(void)archive_read_free(u->a);
	return u->k->entries - before;
}

/*
 * libarchive gives names in the locale's character set, the thread's: that of
 * the process is nobody's business. Zeros alone pass for a tar that is empty.
 */
void
unpack(struct look *k, unsigned depth, struct spool *s, const char *kind,
    unsigned row)
{
	struct unpack u = { .k = k, .depth = depth, .row = row,
		.size = spool_size(s) };
	locale_t utf8, was;

	if (!wanted(k, kind)) {
		found_unreadable(k->found, row, WHY_UNKNOWN);
		return;
	}
	u.path = path_in(found_at(k->found, row));
	utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	was = uselocale(utf8);
	u.bare = strcmp(kind, "gz") == 0 && walk(&u, s, kind) == 0;
	if (u.bare || strcmp(kind, "gz") != 0)
		(void)walk(&u, s, kind);
	(void)uselocale(was);
	if (utf8 != (locale_t)0)
		freelocale(utf8);
	g_free(u.path);
}

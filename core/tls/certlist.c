#include "tls/certlist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tls/certstore.h"

static void	*grow(struct pool *, void *, unsigned, unsigned *, size_t);
static bool	told(const struct certlist *, const char *);
static void	drop_untold(struct certlist *);
static int	take_over(struct certlist *, const struct certlist *,
		    const char *, struct err *);
static int	put_row(struct certlist *, const struct certlist_row *,
		    struct err *);
static void	close_row(struct certlist_row *);
static int	by_place(const void *, const void *);
static bool	below(const char *, const char *);

struct certlist *
certlist_new(void)
{
	struct pool *pool = pool_new(0);
	struct certlist *l = POOL_NEW(pool, struct certlist);

	l->pool = pool;
	return l;
}

void
certlist_destroy(struct certlist **lp)
{
	struct pool *pool;
	unsigned i;

	if (*lp == NULL)
		return;
	for (i = 0; i < (*lp)->nrow; i++)
		close_row(&(*lp)->row[i]);
	pool = (*lp)->pool;
	*lp = NULL;
	pool_destroy(&pool);
}

int
certlist_add(struct certlist *l, const struct certlist_row *row,
    struct err *why)
{
	struct certlist_row r = *row;

	if ((r.chain == NULL) != (r.chain_fd != -1) ||
	    (r.key == NULL) != (r.key_fd != -1)) {
		close_row(&r);
		return err_text(why, "\"%.120s\" has both a file and a text, "
		    "or neither", r.name);
	}
	if ((r.chain != NULL && r.chain[0] != '/') ||
	    (r.key != NULL && r.key[0] != '/')) {
		close_row(&r);
		return err_text(why, "\"%.120s\": a file's path is absolute",
		    r.name);
	}
	if (certstore_check_name(r.name, why) != 0) {
		close_row(&r);
		return -1;
	}
	if (r.chain == NULL)
		r.chain = pool_printf(l->pool, "%s:%s", r.store, r.name);
	if (r.key == NULL)
		r.key = pool_printf(l->pool, "%s:%s (key)", r.store, r.name);
	return put_row(l, &r, why);
}

/* Paths as they are to be. */
static int
put_row(struct certlist *l, const struct certlist_row *row, struct err *why)
{
	struct certlist_row r = *row;

	if (l->nrow == CERTLIST_MAX) {
		close_row(&r);
		return err_text(why, "more than %d certificates",
		    CERTLIST_MAX);
	}
	l->row = grow(l->pool, l->row, l->nrow, &l->row_room, sizeof(*l->row));
	r.nth = l->nrow;
	r.store = pool_strdup(l->pool, r.store);
	r.name = pool_strdup(l->pool, r.name);
	r.chain = pool_strdup(l->pool, r.chain);
	r.key = pool_strdup(l->pool, r.key);
	l->row[l->nrow++] = r;
	return 0;
}

int
certlist_watch(struct certlist *l, const char *store, unsigned at,
    const char *path, struct err *why)
{
	if (path[0] != '/')
		return err_text(why, "\"%.200s\": what is watched is an "
		    "absolute path", path);
	if (l->nwatch == CERTLIST_MAX)
		return err_text(why, "more than %d paths to be watched",
		    CERTLIST_MAX);
	l->watch = grow(l->pool, l->watch, l->nwatch, &l->watch_room,
	    sizeof(*l->watch));
	l->watch[l->nwatch++] = (struct certlist_watch){
		.store = pool_strdup(l->pool, store), .at = at,
		.path = pool_strdup(l->pool, path) };
	return 0;
}

void
certlist_told(struct certlist *l, const char *store, unsigned at)
{
	l->store = grow(l->pool, l->store, l->nstore, &l->store_room,
	    sizeof(*l->store));
	l->store[l->nstore++] = (struct certlist_store){
		.name = pool_strdup(l->pool, store), .at = at };
}

int
certlist_settle(struct certlist *l, const struct certlist *old,
    struct err *why)
{
	unsigned i;

	drop_untold(l);
	for (i = 0; old != NULL && i < old->nstore; i++) {
		if (told(l, old->store[i].name))
			continue;
		if (take_over(l, old, old->store[i].name, why) != 0)
			return -1;
		certlist_told(l, old->store[i].name, old->store[i].at);
	}
	if (l->nrow > 1)
		qsort(l->row, l->nrow, sizeof(*l->row), by_place);
	return 0;
}

static bool
told(const struct certlist *l, const char *store)
{
	unsigned i;

	for (i = 0; i < l->nstore; i++) {
		if (strcmp(l->store[i].name, store) == 0)
			return true;
	}
	return false;
}

static void
drop_untold(struct certlist *l)
{
	unsigned i, n = 0;

	for (i = 0; i < l->nrow; i++) {
		if (told(l, l->row[i].store))
			l->row[n++] = l->row[i];
		else
			close_row(&l->row[i]);
	}
	l->nrow = n;
	n = 0;
	for (i = 0; i < l->nwatch; i++) {
		if (told(l, l->watch[i].store))
			l->watch[n++] = l->watch[i];
	}
	l->nwatch = n;
}

static int
take_over(struct certlist *l, const struct certlist *old, const char *store,
    struct err *why)
{
	struct certlist_row r;
	unsigned i;

	for (i = 0; i < old->nrow; i++) {
		if (strcmp(old->row[i].store, store) != 0)
			continue;
		r = old->row[i];
		if (r.chain_fd != -1)
			r.chain_fd = fcntl(r.chain_fd, F_DUPFD_CLOEXEC, 3);
		if (r.key_fd != -1)
			r.key_fd = fcntl(r.key_fd, F_DUPFD_CLOEXEC, 3);
		if ((r.chain_fd == -1) != (old->row[i].chain_fd == -1) ||
		    (r.key_fd == -1) != (old->row[i].key_fd == -1)) {
			close_row(&r);
			return err_errno(why, "%s", r.name);
		}
		if (put_row(l, &r, why) != 0)
			return -1;
	}
	for (i = 0; i < old->nwatch; i++) {
		if (strcmp(old->watch[i].store, store) == 0 &&
		    certlist_watch(l, store, old->watch[i].at,
			old->watch[i].path, why) != 0)
			return -1;
	}
	return 0;
}

const struct certlist_row *
certlist_find(const struct certlist *l, const char *name)
{
	unsigned i;

	for (i = 0; l != NULL && i < l->nrow; i++) {
		if (strcmp(l->row[i].name, name) == 0)
			return &l->row[i];
	}
	return NULL;
}

/* The first one: what was watched next is below it. */
const char *
certlist_origin(const struct certlist *l, const struct certlist_row *row)
{
	unsigned i;

	for (i = 0; i < l->nwatch; i++) {
		if (strcmp(l->watch[i].store, row->store) == 0 &&
		    below(row->chain, l->watch[i].path))
			return l->watch[i].path;
	}
	return row->store;
}

static bool
below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

int
certlist_fd(const struct certlist *l, const char *path)
{
	unsigned i;

	if (path[0] == '/')
		return -1;
	for (i = 0; l != NULL && i < l->nrow; i++) {
		if (l->row[i].chain_fd != -1 &&
		    strcmp(l->row[i].chain, path) == 0)
			return l->row[i].chain_fd;
		if (l->row[i].key_fd != -1 && strcmp(l->row[i].key, path) == 0)
			return l->row[i].key_fd;
	}
	return -1;
}

int
certlist_read(const struct certlist *l, const char *path, struct buf *dst,
    struct err *why)
{
	int fd = certlist_fd(l, path);
	char piece[4096];
	off_t at = 0;
	ssize_t n;
	int r = 0;

	if (fd == -1)
		return file_read(dst, path, why);
	while (r == 0 && (n = pread(fd, piece, sizeof(piece), at)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			r = err_errno(why, "%s", path);
		else if (buf_add(dst, piece, (size_t)n) != 0)
			r = err_text(why, "%s: too long", path);
		at += n;
	}
	explicit_bzero(piece, sizeof(piece));
	return r;
}

static void *
grow(struct pool *pool, void *v, unsigned n, unsigned *room, size_t size)
{
	void *more;

	if (n < *room)
		return v;
	*room = *room == 0 ? 16 : 2 * *room;
	more = pool_alloc(pool, *room * size);
	if (n > 0)
		memcpy(more, v, n * size);
	return more;
}

static void
close_row(struct certlist_row *r)
{
	file_close(&r->chain_fd);
	file_close(&r->key_fd);
}

/* In the order in which a store gave them. */
static int
by_place(const void *a, const void *b)
{
	const struct certlist_row *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->nth < y->nth ? -1 : x->nth > y->nth;
}

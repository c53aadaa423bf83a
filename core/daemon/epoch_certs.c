#include "daemon/epoch_priv.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "base/obj.h"

#define BUNDLE_MAX (256 * 1024 * 1024)

static struct epoch_cert *cert_find(const struct epoch *, const char *,
		    const char *);
static int	given(const struct certlist *, const char *, int *,
		    struct err *);
static bool	number(struct str *, size_t *);

int
epoch_map_set(struct epoch *e, const struct certmap *map,
    const struct certlist *list, struct err *why)
{
	const struct certmap_row *r;
	struct epoch_cert *c;
	unsigned i;

	OBJ_CHECK(e, EPOCH_MAGIC);
	e->cert = pool_alloc(e->pool, (map->n + 1) * sizeof(*e->cert));
	for (i = 0; i < map->n; i++) {
		r = &map->row[i];
		certmap_add(&e->map, r->use, r->name, r->chain, r->key);
		if (cert_find(e, r->chain, r->key) != NULL)
			continue;
		r = &e->map.row[i];
		c = &e->cert[e->ncert++];
		c->name = r->name;
		c->use = r->use;
		c->chain = r->chain;
		c->key = r->key;
		c->key_fd = -1;
		c->given[0] = c->given[1] = -1;
		if (given(list, c->chain, &c->given[0], why) != 0 ||
		    given(list, c->key, &c->given[1], why) != 0)
			return -1;
	}
	return 0;
}

static int
given(const struct certlist *list, const char *path, int *fd_r,
    struct err *why)
{
	int fd = certlist_fd(list, path);

	if (fd == -1)
		return 0;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd == -1)
		return err_errno(why, "%s", path);
	*fd_r = fd;
	return 0;
}

static struct epoch_cert *
cert_find(const struct epoch *e, const char *chain, const char *key)
{
	unsigned i;

	for (i = 0; i < e->ncert; i++) {
		if (strcmp(e->cert[i].chain, chain) == 0 &&
		    strcmp(e->cert[i].key, key) == 0)
			return &e->cert[i];
	}
	return NULL;
}

const struct certmap *
epoch_map(const struct epoch *e)
{
	return &e->map;
}

struct epoch_cert *
epoch_certs(const struct epoch *e, unsigned *n_r)
{
	*n_r = e->ncert;
	return e->cert;
}

void
epoch_text_add(struct epoch *e, const char *path, struct str text)
{
	struct bundled *b;

	OBJ_CHECK(e, EPOCH_MAGIC);
	if (epoch_bundled(e, path) != NULL)
		return;
	b = POOL_NEW(e->pool, struct bundled);
	b->path = pool_strdup(e->pool, path);
	b->text = pool_str(e->pool, text);
	b->next = e->bundled;
	e->bundled = b;
}

const struct bundled *
epoch_bundled(const struct epoch *e, const char *path)
{
	const struct bundled *b;

	for (b = e->bundled; b != NULL; b = b->next) {
		if (strcmp(b->path, path) == 0)
			return b;
	}
	return NULL;
}

bool
epoch_cert_keep(struct epoch *e, struct epoch_cert *c,
    const struct epoch *old)
{
	const struct bundled *chain = epoch_bundled(old, c->chain);
	const struct bundled *key = epoch_bundled(old, c->key);
	const struct epoch_cert *was = cert_find(old, c->chain, c->key);

	if (was == NULL || !was->loaded || chain == NULL)
		return false;
	epoch_text_add(e, c->chain, chain->text);
	if (key != NULL)
		epoch_text_add(e, c->key, key->text);
	c->id = was->id;
	c->expires = was->expires;
	if (was->key_fd != -1) {
		file_close(&c->key_fd);
		c->key_fd = fcntl(was->key_fd, F_DUPFD_CLOEXEC, 3);
	}
	c->loaded = true;
	return true;
}

/*
 * The bundle: the map and each text, as "OCTETS-OF-PATH OCTETS-OF-TEXT", line
 * end, path, text. The map's path is empty.
 */
int
epoch_seal(struct epoch *e, struct err *why)
{
	const struct epoch_cert *c;
	const struct bundled *b;
	struct buf out, map;
	unsigned i, n = 0;
	int r;

	OBJ_CHECK(e, EPOCH_MAGIC);
	for (i = 0; i < e->map.n; i++) {
		c = cert_find(e, e->map.row[i].chain, e->map.row[i].key);
		if (c != NULL && c->loaded)
			e->map.row[n++] = e->map.row[i];
	}
	e->map.n = n;
	buf_init(&out, BUNDLE_MAX);
	buf_init(&map, BUNDLE_MAX);
	certmap_write(&e->map, &map);
	(void)buf_printf(&out, "0 %zu\n", buf_len(&map));
	(void)buf_add_str(&out, buf_str(&map));
	for (b = e->bundled; b != NULL; b = b->next) {
		(void)buf_printf(&out, "%zu %zu\n%s", strlen(b->path),
		    b->text.n, b->path);
		(void)buf_add_str(&out, b->text);
	}
	r = buf_full(&out) || buf_full(&map) ?
	    err_text(why, "%s: too many certificates", e->file) :
	    epoch_memory_file(buf_str(&out), &e->bundle_fd, why);
	buf_fini(&out);
	buf_fini(&map);
	return r;
}

int
epoch_unbundle(struct epoch *e, struct err *why)
{
	struct str rest, head, path, text;
	struct buf in;
	int r;

	buf_init(&in, BUNDLE_MAX);
	r = epoch_memory_read(e->bundle_fd, &in, why);
	rest = buf_str(&in);
	while (r == 0 && str_split(&rest, '\n', &head)) {
		if (!number(&head, &path.n) || !number(&head, &text.n) ||
		    path.n > rest.n || text.n > rest.n - path.n) {
			r = err_text(why, "a malformed bundle");
			break;
		}
		path.p = rest.p;
		text.p = rest.p + path.n;
		rest = str_n(text.p + text.n, rest.n - path.n - text.n);
		if (path.n == 0)
			r = certmap_read(&e->map, text, why);
		else
			epoch_text_add(e, pool_str(e->pool, path).p, text);
	}
	buf_fini(&in);
	return r;
}

static bool
number(struct str *s, size_t *n_r)
{
	struct str word;
	uint64_t n;

	if (!str_word(s, &word) || num_u64(word, BUNDLE_MAX, &n) != 0)
		return false;
	*n_r = (size_t)n;
	return true;
}

void
epoch_leave_keys(struct epoch *e)
{
	unsigned i;

	for (i = 0; i < e->ncert; i++) {
		file_close(&e->cert[i].key_fd);
		file_close(&e->cert[i].given[0]);
		file_close(&e->cert[i].given[1]);
	}
}

void
epoch_certs_close(struct epoch *e)
{
	epoch_leave_keys(e);
	file_close(&e->bundle_fd);
}

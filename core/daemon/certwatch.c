/*
 * Certificate files that change: looked at by name every tls.watch, since
 * those who renew them replace files, links and whole directories; and what
 * plugins want to be looked at.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/coll.h"
#include "base/log.h"
#include "base/obj.h"
#include "daemon/master_priv.h"

struct looks {
	uint64_t device, inode, size, time;
	int error;
};

static void	on_watch(void *);
static int	look(void *, const char *, struct err *);

/* The same as long as no file of the configuration's TLS has changed. */
uint64_t
certwatch_look(const struct conf *c, const struct epoch *e,
    const struct certlist *list)
{
	const struct epoch_cert *cert;
	struct pool *pool = pool_new(0);
	struct buf b;
	unsigned n, i;
	uint64_t sum;

	buf_init(&b, CONF_FILE_MAX);
	cert = epoch_certs(e, &n);
	for (i = 0; i < n; i++) {
		(void)look(&b, cert[i].chain, NULL);
		(void)look(&b, cert[i].key, NULL);
	}
	(void)conf_tls_files(c, look, &b, NULL);
	(void)look(&b, c->tls.store, NULL);
	(void)look(&b, pool_printf(pool, "%s/assign", c->tls.store), NULL);
	for (i = 0; i < list->nwatch; i++)
		(void)look(&b, list->watch[i].path, NULL);
	sum = hash_bytes(buf_p(&b), buf_len(&b));
	buf_fini(&b);
	pool_destroy(&pool);
	return sum;
}

static int
look(void *arg, const char *path, struct err *why)
{
	struct looks l;
	struct stat st;

	(void)why;
	memset(&l, 0, sizeof(l));
	if (stat(path, &st) != 0) {
		l.error = errno;
	} else {
		l.device = st.st_dev;
		l.inode = st.st_ino;
		l.size = (uint64_t)st.st_size;
		l.time = (uint64_t)st.st_mtim.tv_sec * 1000000000 +
		    (uint64_t)st.st_mtim.tv_nsec;
	}
	(void)buf_add(arg, path, strlen(path));
	(void)buf_add(arg, &l, sizeof(l));
	return 0;
}

void
certwatch_start(struct master *m)
{
	loop_timer_init(m->loop, &m->watch, on_watch, m);
	m->watched = certwatch_look(m->conf, m->epoch, m->list);
	on_watch(m);
}

static void
on_watch(void *arg)
{
	msec every;
	struct master *m;
	uint64_t sum;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	every = m->conf->tls.watch;
	loop_timer_set(&m->watch, every > 0 ? every : SECONDS(10));
	if (every == 0 || m->stopping || m->reloading != RELOAD_NONE)
		return;
	sum = certwatch_look(m->conf, m->epoch, m->list);
	if (sum == m->watched)
		return;
	m->watched = sum; /* once for each change, whatever comes of it */
	reload_start(m, RELOAD_CERTS);
}

/*
 * A spool with three messages (one in a row, one in a shared segment, one in
 * a segment of its own) in which something is overwritten, as the first octet
 * says: 'd' the database file, 's' the shared segment, 'l' the large one (two
 * octets: where, in 256ths and octets), 't' the length of one of them, 'r' a
 * column of the rows. The store must open, list and load without a crash, and
 * what it loads must be what could have been accepted.
 */

#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "store/store.h"

#define LARGE (256 * 1024 + 1)

enum { DB, SHARED, OWN, FILES };

static const char *const names[FILES] = { "store-0.db",
	"seg-0/0000000000000001", "seg-0/0000000000000002" };

static const char *const columns[] = {
	"message SET mid =", "message SET queued =", "message SET hold =",
	"message SET sender =", "message SET size =", "message SET seg =",
	"message SET off =", "message SET len =", "message SET sum =",
	"message SET flags =", "message SET envid =", "message SET client_ip =",
	"message SET helo =", "message SET auth =", "message SET listener =",
	"recipient SET mid =", "recipient SET rid =", "recipient SET state =",
	"recipient SET attempts =", "recipient SET next =",
	"recipient SET addr =", "recipient SET orcpt =",
	"recipient SET notify =", "recipient SET code =",
	"recipient SET status =", "recipient SET reason =",
	"recipient SET remote =", "body SET mid =", "body SET data =",
};
#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct spool {
	char dir[64];
	struct buf file[FILES];
	unsigned answers, loaded;
};

static struct spool the_spool;

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char *
path_of(const struct spool *s, const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	return path;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)f;
	(void)type;
	return f->level == 0 ? 0 : remove(path);
}

static void
remove_spool(void)
{
	(void)nftw(the_spool.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	(void)rmdir(the_spool.dir);
}

static void
on_done(void *arg, const struct err *why)
{
	struct spool *s = arg;

	(void)why;
	s->answers++;
}

static void
await(struct spool *s, struct loop *l, unsigned n)
{
	while (s->answers < n)
		loop_once(l, true);
	s->answers = 0;
}

static struct store *
open_store(struct spool *s, struct loop *l)
{
	struct store_conf conf = { .dir = s->dir, .body_in_row = 100 };
	struct store *store = NULL;
	struct err why = ERR_INIT;

	if (store_open(&store, l, &conf, &why) < 0)
		return NULL;
	return store;
}

static void
put(struct spool *s, struct loop *l, struct store *store, uint64_t mid,
    size_t size)
{
	struct body_ref *body = body_new(store, NULL, NULL);
	struct envelope *e = envelope_new();
	struct store_txn *t = store_txn_new(store);
	char *text = mem_zalloc(size);
	struct addr a = { .full = STR("a@b"), .local = STR("a"),
		.domain = STR("b") };

	e->mid = mid;
	e->sender = a;
	e->envid = e->client_ip = e->helo = e->auth = STR("");
	e->listener = "";
	(void)envelope_add_rcpt(e, &a, STR(""), 0);
	(void)envelope_add_rcpt(e, &a, STR(""), 0);
	(void)body_write(body, text, size);
	body_finish(body);
	store_put(t, e, body, 0);
	body_unref(&body);
	store_commit(t, false, on_done, s);
	await(s, l, 1);
	envelope_destroy(&e);
	mem_free(text);
}

/* The spool as it is before each input, remembered file by file. */
static void
make_spool(struct spool *s)
{
	struct log_conf quiet = { .level = LOG_LV_CRITICAL };
	struct loop *l = loop_new();
	struct store *store;
	struct err why = ERR_INIT;
	int i;

	log_open(&quiet);
	(void)snprintf(s->dir, sizeof(s->dir), "%s/fuzz-store-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(s->dir) == NULL)
		fatal("mkdtemp");
	(void)atexit(remove_spool);
	store = open_store(s, l);
	put(s, l, store, 1, 50);
	put(s, l, store, 2, 300);
	put(s, l, store, 3, LARGE);
	store_close(&store);
	loop_destroy(&l);
	for (i = 0; i < FILES; i++) {
		buf_init(&s->file[i], 1 << 20);
		if (file_read(&s->file[i], path_of(s, names[i]), &why) < 0)
			fatal("%s", why.text);
	}
}

static void
write_spool(struct spool *s)
{
	struct err why = ERR_INIT;
	int i, fd;

	(void)nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	(void)file_mkdirs(path_of(s, "seg-0"), 0700, &why);
	for (i = 0; i < FILES; i++) {
		fd = open(path_of(s, names[i]), O_WRONLY | O_CREAT | O_TRUNC,
		    0600);
		if (fd < 0 || write(fd, buf_p(&s->file[i]),
				  buf_len(&s->file[i])) < 0)
			fatal("cannot write %s", s->dir);
		(void)close(fd);
	}
}

static void
overwrite(struct spool *s, int file, const uint8_t *p, size_t n)
{
	size_t at, size = buf_len(&s->file[file]);
	int fd;

	if (n < 2)
		return;
	at = size / 256 * p[0] + p[1];
	fd = open(path_of(s, names[file]), O_WRONLY);
	if (at >= size)
		at = size - 1;
	if (n - 2 > 0 && pwrite(fd, p + 2, n - 2, (off_t)at) < 0)
		fatal("pwrite");
	(void)close(fd);
}

static void
shorten(struct spool *s, int file, off_t size)
{
	if (truncate(path_of(s, names[file]), size) < 0)
		fatal("truncate");
}

static void
change_row(struct spool *s, const uint8_t *p, size_t n)
{
	sqlite3_stmt *st = NULL;
	sqlite3_int64 number = 0;
	char sql[256];
	sqlite3 *db;

	if (n < 3 || sqlite3_open(path_of(s, names[DB]), &db) != SQLITE_OK)
		return;
	(void)snprintf(sql, sizeof(sql),
	    "UPDATE OR IGNORE %s ?1 WHERE mid = %d",
	    columns[p[0] % N_COLUMNS], 1 + p[1] % 3);
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		fatal("%s: %s", sql, sqlite3_errmsg(db));
	memcpy(&number, p + 3, n - 3 < sizeof(number) ? n - 3 : sizeof(number));
	if (p[2] % 3 == 0)
		(void)sqlite3_bind_int64(st, 1, number);
	else if (p[2] % 3 == 1)
		(void)sqlite3_bind_text(st, 1, (const char *)p + 3,
		    (int)(n - 3), SQLITE_STATIC);
	else
		(void)sqlite3_bind_blob(st, 1, p + 3, (int)(n - 3),
		    SQLITE_STATIC);
	(void)sqlite3_step(st);
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(db);
}

static void
check_clean(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		ASSERT((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f);
}

static void
on_loaded(void *arg, struct store_loaded *m, const struct err *why)
{
	struct spool *s = arg;
	unsigned i;

	s->answers++;
	if (m == NULL)
		return;
	ASSERT(why == NULL);
	s->loaded++;
	check_clean(m->env->sender.full);
	check_clean(m->env->helo);
	ASSERT(m->env->nrcpt > 0);
	for (i = 0; i < m->env->nrcpt; i++) {
		ASSERT(m->env->rcpt[i]->rid == i && m->rcpt[i].rid == i);
		ASSERT(m->env->rcpt[i]->addr.full.n > 0);
		check_clean(m->env->rcpt[i]->addr.full);
		check_clean(m->env->rcpt[i]->orcpt);
	}
	ASSERT(body_size(m->body) == 50 || body_size(m->body) == 300 ||
	    body_size(m->body) == LARGE);
	envelope_destroy(&m->env);
	body_unref(&m->body);
}

static void
on_items(void *arg, const struct store_item *v, size_t n)
{
	size_t i;

	(void)arg;
	for (i = 0; i < n; i++)
		ASSERT(strlen(v[i].domain) + strlen(v[i].sender) < 1 << 20);
}

static void
on_row(void *arg, struct str json)
{
	(void)arg;
	ASSERT(json.n > 2 && json.p[0] == '{');
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct store_filter any = { .hold = -1 };
	struct spool *s = &the_spool;
	struct store *store;
	struct loop *l;
	uint64_t mid;

	if (s->dir[0] == '\0')
		make_spool(s);
	if (n < 2)
		return 0;
	write_spool(s);
	if (p[0] == 'd')
		overwrite(s, DB, p + 1, n - 1);
	else if (p[0] == 's')
		overwrite(s, SHARED, p + 1, n - 1);
	else if (p[0] == 'l')
		overwrite(s, OWN, p + 1, n - 1);
	else if (p[0] == 't' && n >= 3)
		shorten(s, p[1] % FILES, (off_t)p[2] * 256);
	else if (p[0] == 'r')
		change_row(s, p + 1, n - 1);
	l = loop_new();
	store = open_store(s, l);
	if (store != NULL) {
		store_scan(store, on_items, on_done, s);
		store_list(store, &any, on_row, on_done, s);
		for (mid = 1; mid <= 3; mid++)
			store_load(store, mid, on_loaded, s);
		await(s, l, 5);
		put(s, l, store, 9, 300);
		store_load(store, 9, on_loaded, s);
		await(s, l, 1);
		store_close(&store);
	}
	loop_destroy(&l);
	return 0;
}

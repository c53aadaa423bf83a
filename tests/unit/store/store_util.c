#include "store_util.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>

void (*bench_plugin)(struct bench *b);

void
bench_init(struct bench *b, bool memory)
{
	memset(b, 0, sizeof(*b));
	/* Memory, if there is some: no test here is about the power. */
	(void)snprintf(b->dir, sizeof(b->dir), "%s/postern-store-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(b->dir));
	b->loop = loop_new();
	b->conf = (struct store_conf){ .dir = b->dir, .index = 0,
		.body_in_row = 16384, .segment_size = 1 << 20,
		.memory = memory };
	if (bench_plugin != NULL && !memory)
		bench_plugin(b);
}

void
bench_open(struct bench *b)
{
	struct err why = ERR_INIT;

	ck_assert_msg(store_open(&b->store, b->loop, &b->conf, &why) == 0,
	    "%s", why.text);
	store_settle(b->store, bench_done, b);
	bench_wait(b, 1);
	ck_assert_msg(!b->failed, "%s", b->why.text);
}

void
bench_close(struct bench *b)
{
	forget_loaded(b);
	store_close(&b->store);
	ck_assert_ptr_null(b->store);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

void
bench_fini(struct bench *b)
{
	if (b->store != NULL)
		bench_close(b);
	loop_destroy(&b->loop);
	(void)nftw(b->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void
bench_wait(struct bench *b, unsigned answers)
{
	while (b->answers < answers) {
		if (clock_is_fake())
			(void)loop_step_fake(b->loop, clock_now() + 100);
		else
			loop_once(b->loop, true);
	}
	ck_assert_uint_eq(b->answers, answers);
	b->answers = 0;
}

void
bench_done(void *arg, const struct err *why)
{
	struct bench *b = arg;

	b->answers++;
	b->failed = why != NULL;
	if (why != NULL)
		b->why = *why;
}

static void
set_addr(struct pool *pool, struct addr *a, const char *text)
{
	size_t at;

	memset(a, 0, sizeof(*a));
	a->full = pool_str(pool, str_c(text));
	at = str_find(a->full, '@');
	a->local = str_n(a->full.p, at);
	a->domain = at < a->full.n ? str_n(a->full.p + at + 1,
			a->full.n - at - 1) : STR("");
}

struct envelope *
make_env(uint64_t mid, const char *from, unsigned nrcpt)
{
	struct envelope *e = envelope_new();
	struct addr a;
	char text[80];
	unsigned i;

	e->mid = mid;
	e->icid = mid + 7;
	e->queued = clock_wall();
	set_addr(e->pool, &e->sender, from);
	e->envid = STR("an id");
	e->flags = ENV_8BITMIME;
	e->client_ip = STR("127.0.0.1");
	e->helo = STR("client.example");
	e->auth = STR("");
	e->listener = "inbound";
	for (i = 0; i < nrcpt; i++) {
		(void)snprintf(text, sizeof(text), "r%u@d%u.example", i, i);
		set_addr(e->pool, &a, text);
		(void)envelope_add_rcpt(e, &a, STR("rfc822;x@y"),
		    NOTIFY_FAILURE);
	}
	return e;
}

char
octet(uint64_t mid, uint64_t at)
{
	return (char)('!' + (mid * 31 + at * 7 + at / 251) % 90);
}

static void
on_ready(void *arg, const struct err *why)
{
	struct bench *b = arg;

	(void)why;
	b->answers++;
}

struct body_ref *
make_body(struct bench *b, uint64_t mid, uint64_t size)
{
	struct body_ref *body = body_new(b->store, on_ready, b);
	char piece[8192];
	uint64_t at = 0;
	size_t n;

	while (at < size) {
		for (n = 0; n < sizeof(piece) && at < size; n++, at++)
			piece[n] = octet(mid, at);
		if (!body_write(body, piece, n))
			bench_wait(b, 1);
	}
	body_finish(body);
	ck_assert_uint_eq(body_size(body), size);
	return body;
}

void
put(struct bench *b, uint64_t mid, uint64_t size)
{
	struct envelope *env = make_env(mid, "s@a.example", 2);
	struct store_txn *t = store_txn_new(b->store);
	struct body_ref *body = make_body(b, mid, size);

	env->size = size;
	store_put(t, env, body, 1000 + (msec)mid);
	body_unref(&body);
	store_commit(t, false, bench_done, b);
	bench_wait(b, 1);
	envelope_destroy(&env);
}

static void
on_load(void *arg, struct store_loaded *m, const struct err *why)
{
	struct bench *b = arg;

	b->answers++;
	b->failed = why != NULL;
	if (why != NULL)
		b->why = *why;
	b->has_loaded = m != NULL;
	if (m != NULL)
		b->loaded = *m;
}

void
forget_loaded(struct bench *b)
{
	if (!b->has_loaded)
		return;
	envelope_destroy(&b->loaded.env);
	body_unref(&b->loaded.body);
	b->has_loaded = false;
}

bool
load(struct bench *b, uint64_t mid)
{
	forget_loaded(b);
	store_load(b->store, mid, on_load, b);
	bench_wait(b, 1);
	return b->has_loaded;
}

static struct str piece_read;

static void
on_piece(void *arg, struct str piece, const struct err *why)
{
	struct bench *b = arg;

	ck_assert_ptr_null(why);
	piece_read = piece;
	b->answers++;
}

bool
load_whole(struct bench *b, uint64_t mid, uint64_t size)
{
	struct body_ref *r;
	struct str piece;
	uint64_t at = 0;
	size_t i;

	if (!load(b, mid))
		return false;
	ck_assert_uint_eq(body_size(b->loaded.body), size);
	r = body_reader(b->loaded.body);
	for (;;) {
		if (!body_read(r, at, 100000, &piece, on_piece, b)) {
			bench_wait(b, 1);
			piece = piece_read;
		}
		if (piece.n == 0)
			break;
		for (i = 0; i < piece.n; i++, at++) {
			if (piece.p[i] != octet(mid, at))
				ck_abort_msg("octet %llu of MID %llu is wrong",
				    (unsigned long long)at,
				    (unsigned long long)mid);
		}
	}
	body_unref(&r);
	ck_assert_uint_eq(at, size);
	return true;
}

unsigned
count_pages(const char *path)
{
	unsigned char n[4];
	int fd = open(path, O_RDONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, n, sizeof(n), 28), sizeof(n));
	(void)close(fd);
	return (unsigned)n[0] << 24 | (unsigned)n[1] << 16 |
	    (unsigned)n[2] << 8 | n[3];
}

unsigned
count_files(const char *dir)
{
	struct dirent *entry;
	unsigned n = 0;
	DIR *d = opendir(dir);

	if (d == NULL)
		return 0;
	while ((entry = readdir(d)) != NULL)
		n += entry->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

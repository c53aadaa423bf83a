#include "daemon/keyserve.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/coll.h"
#include "base/file.h"
#include "base/obj.h"
#include "daemon/keywire.h"

#define KEYSERVE_MAGIC 0x6c1e4702u
#define CLIENT_MAGIC 0x6c1e4703u

enum {
	FAST_TURN = 32, /* fast signatures of a worker in a turn */
	READ_ROUND = 64
};

struct job {
	TAILQ_ENTRY(job) link;
	struct keywire_request r;
	char *in;
};

TAILQ_HEAD(jobs, job);

struct answer {
	struct keywire_answer head;
	uint8_t sig[KEYWIRE_SIG_MAX];
};

struct client {
	unsigned magic;
	TAILQ_ENTRY(client) link;
	struct keyserve *s;
	int fd;
	struct loop_fd *watch;
	struct jobs fast, slow;
	unsigned n;
	size_t octets;
	bool blocked; /* out waits for room */
	struct answer out;
};

TAILQ_HEAD(clients, client);

struct keyserve {
	unsigned magic;
	struct loop *loop;
	const struct keyserve_ops *ops;
	void *arg;
	struct clients clients; /* the first is the next to be served */
	struct loop_timer turn;
	char *msg; /* room for one request */
};

static void	on_turn(void *);
static bool	serve_slow(struct keyserve *);
static void	serve_fast(struct client *);
static void	serve(struct client *, struct jobs *);
static bool	reply(struct client *);
static void	on_ready(void *, int, unsigned);
static bool	client_read(struct client *);
static bool	request(struct client *, size_t);
static void	cancel(struct client *, uint64_t);
static void	refuse(struct client *, uint64_t);
static void	client_watch(struct client *);
static void	client_end(struct client *);
static void	client_free(void *);
static void	job_free(struct client *, struct jobs *, struct job *);

struct keyserve *
keyserve_new(struct loop *l, const struct keyserve_ops *ops, void *arg)
{
	struct keyserve *s;

	OBJ_NEW(s, KEYSERVE_MAGIC);
	s->loop = l;
	s->ops = ops;
	s->arg = arg;
	TAILQ_INIT(&s->clients);
	loop_timer_init(l, &s->turn, on_turn, s);
	s->msg = mem_alloc(sizeof(struct keywire_request) + KEYWIRE_INPUT_MAX);
	return s;
}

void
keyserve_add(struct keyserve *s, int fd)
{
	struct client *c;

	OBJ_CHECK(s, KEYSERVE_MAGIC);
	OBJ_NEW(c, CLIENT_MAGIC);
	c->s = s;
	c->fd = fd;
	TAILQ_INIT(&c->fast);
	TAILQ_INIT(&c->slow);
	TAILQ_INSERT_TAIL(&s->clients, c, link);
	c->watch = loop_fd_start(s->loop, fd, LOOP_READ, on_ready, c);
}

void
keyserve_destroy(struct keyserve **sp)
{
	struct keyserve *s = *sp;

	if (s == NULL)
		return;
	OBJ_CHECK(s, KEYSERVE_MAGIC);
	*sp = NULL;
	while (!TAILQ_EMPTY(&s->clients))
		client_end(TAILQ_FIRST(&s->clients));
	loop_timer_clear(&s->turn);
	mem_free(s->msg);
	OBJ_FREE(s);
}

/* Between two turns the loop reads what has come. */
static void
on_turn(void *arg)
{
	struct client *c, *next;
	struct keyserve *s;
	bool more;

	OBJ_CAST(s, arg, KEYSERVE_MAGIC);
	TAILQ_FOREACH_SAFE (c, &s->clients, link, next)
		serve_fast(c);
	more = serve_slow(s);
	TAILQ_FOREACH_SAFE (c, &s->clients, link, next) {
		more = more || (!c->blocked && !TAILQ_EMPTY(&c->fast));
		client_watch(c);
	}
	if (more)
		loop_timer_set(&s->turn, 0);
}

/* One, of the first that has any; it is the last then. Are there more? */
static bool
serve_slow(struct keyserve *s)
{
	struct client *c;

	TAILQ_FOREACH (c, &s->clients, link) {
		if (!c->blocked && !TAILQ_EMPTY(&c->slow))
			break;
	}
	if (c == NULL)
		return false;
	TAILQ_REMOVE(&s->clients, c, link);
	TAILQ_INSERT_TAIL(&s->clients, c, link);
	serve(c, &c->slow);
	TAILQ_FOREACH (c, &s->clients, link) {
		if (!c->blocked && !TAILQ_EMPTY(&c->slow))
			return true;
	}
	return false;
}

static void
serve_fast(struct client *c)
{
	unsigned i;

	for (i = 0; i < FAST_TURN && !c->blocked; i++) {
		if (TAILQ_EMPTY(&c->fast))
			return;
		serve(c, &c->fast);
	}
}

/* An error of the connection is told by reading from it. */
static void
serve(struct client *c, struct jobs *from)
{
	struct keyserve *s = c->s;
	struct job *j = TAILQ_FIRST(from);
	size_t n = 0;

	c->out.head = (struct keywire_answer){ .op = j->r.op };
	if (s->ops->sign(s->arg, &j->r.key, (uint16_t)j->r.algorithm,
		str_n(j->in, j->r.n), c->out.sig, &n,
		sizeof(c->out.sig)) == 0)
		c->out.head.n = (uint32_t)n;
	job_free(c, from, j);
	c->blocked = !reply(c);
}

static bool
reply(struct client *c)
{
	size_t n = sizeof(c->out.head) + c->out.head.n;

	return send(c->fd, &c->out, n, MSG_DONTWAIT | MSG_NOSIGNAL) != -1 ||
	    (errno != EAGAIN && errno != ENOBUFS);
}

static void
on_ready(void *arg, int fd, unsigned what)
{
	struct client *c;

	OBJ_CAST(c, arg, CLIENT_MAGIC);
	(void)fd;
	if ((what & LOOP_WRITE) != 0 && c->blocked)
		c->blocked = !reply(c);
	if ((what & LOOP_READ) != 0 && !client_read(c)) {
		client_end(c);
		return;
	}
	if (!c->blocked && (!TAILQ_EMPTY(&c->fast) || !TAILQ_EMPTY(&c->slow)))
		loop_timer_set(&c->s->turn, 0);
	client_watch(c);
}

static bool
client_read(struct client *c)
{
	size_t max = sizeof(struct keywire_request) + KEYWIRE_INPUT_MAX;
	ssize_t n;
	int i;

	for (i = 0; i < READ_ROUND && c->n < KEYSERVE_QUEUE &&
	    c->octets < KEYSERVE_OCTETS && !c->blocked; i++) {
		n = recv(c->fd, c->s->msg, max, MSG_DONTWAIT | MSG_TRUNC);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return true;
		if (n <= 0 || (size_t)n > max || !request(c, (size_t)n))
			return false;
	}
	return true;
}

static bool
request(struct client *c, size_t n)
{
	struct keyserve *s = c->s;
	struct keywire_request r;
	enum keyring_cost cost;
	struct job *j;

	if (n < sizeof(r))
		return false;
	memcpy(&r, s->msg, sizeof(r));
	if (n - sizeof(r) != r.n || r.algorithm > UINT16_MAX)
		return false;
	if (r.algorithm == 0) {
		cancel(c, r.op);
		return true;
	}
	cost = s->ops->cost(s->arg, &r.key);
	if (cost == KEYRING_UNKNOWN) {
		refuse(c, r.op);
		return true;
	}
	j = mem_zalloc(sizeof(*j));
	j->r = r;
	j->in = mem_dup(s->msg + sizeof(r), r.n);
	TAILQ_INSERT_TAIL(cost == KEYRING_SLOW ? &c->slow : &c->fast, j, link);
	c->n++;
	c->octets += r.n;
	return true;
}

static void
cancel(struct client *c, uint64_t op)
{
	struct jobs *in[2] = { &c->fast, &c->slow };
	struct job *j;
	int i;

	for (i = 0; i < 2; i++) {
		TAILQ_FOREACH (j, in[i], link) {
			if (j->r.op == op) {
				job_free(c, in[i], j);
				return;
			}
		}
	}
}

static void
refuse(struct client *c, uint64_t op)
{
	c->out.head = (struct keywire_answer){ .op = op };
	c->blocked = !reply(c);
}

/* With its queue full it is not read, with an answer to be sent as well. */
static void
client_watch(struct client *c)
{
	unsigned what = c->blocked ? LOOP_WRITE :
	    c->n < KEYSERVE_QUEUE && c->octets < KEYSERVE_OCTETS ? LOOP_READ :
	    0;

	loop_fd_change(c->watch, what);
}

static void
client_end(struct client *c)
{
	while (!TAILQ_EMPTY(&c->fast))
		job_free(c, &c->fast, TAILQ_FIRST(&c->fast));
	while (!TAILQ_EMPTY(&c->slow))
		job_free(c, &c->slow, TAILQ_FIRST(&c->slow));
	loop_fd_stop(&c->watch);
	file_close(&c->fd);
	TAILQ_REMOVE(&c->s->clients, c, link);
	loop_defer(c->s->loop, client_free, c);
}

static void
client_free(void *arg)
{
	struct client *c;

	OBJ_CAST(c, arg, CLIENT_MAGIC);
	OBJ_FREE(c);
}

static void
job_free(struct client *c, struct jobs *from, struct job *j)
{
	TAILQ_REMOVE(from, j, link);
	c->n--;
	c->octets -= j->r.n;
	mem_free(j->in);
	mem_free(j);
}

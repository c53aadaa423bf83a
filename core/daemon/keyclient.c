#include "daemon/keyclient.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/coll.h"
#include "base/file.h"
#include "base/obj.h"
#include "daemon/keywire.h"

#define KEYCLIENT_MAGIC 0x6c1e4701u

enum { ROUND = 64 }; /* answers taken at a time */

struct op {
	struct hash_node by_id, by_ticket;
	TAILQ_ENTRY(op) link; /* in unsent or sent */
	void *ticket;	      /* NULL: cancelled, the keeper is to be told */
	bool sent;
	struct keywire_request r;
	char *in;
};

TAILQ_HEAD(ops, op);

struct keyclient {
	unsigned magic;
	struct loop *loop;
	keyclient_done_fn *done;
	int fd;
	struct loop_fd *watch;
	bool writing;
	uint64_t last;
	struct hash by_id, by_ticket;
	struct ops unsent, sent;
	unsigned n;
};

static enum tls_keyop_status key_sign(void *, const struct tlskey_id *,
		    uint16_t, struct str, uint8_t *, size_t *, size_t, void *);
static void	key_cancel(void *, void *);
static void	on_ready(void *, int, unsigned);
static void	answers(struct keyclient *);
static void	answered(struct keyclient *, const char *, size_t);
static void	send_waiting(struct keyclient *);
static int	send_op(const struct keyclient *, const struct op *);
static void	lost(struct keyclient *);
static void	op_done(struct keyclient *, struct op *, bool, const char *,
		    size_t);
static void	op_unlink(struct keyclient *, struct op *);
static void	op_free(struct op *);

const struct tls_keyops keyclient_ops = {
	.sign = key_sign,
	.cancel = key_cancel,
};

struct keyclient *
keyclient_new(struct loop *l, int fd, keyclient_done_fn *done)
{
	struct keyclient *k;

	OBJ_NEW(k, KEYCLIENT_MAGIC);
	k->loop = l;
	k->done = done;
	k->fd = -1;
	hash_init(&k->by_id);
	hash_init(&k->by_ticket);
	TAILQ_INIT(&k->unsent);
	TAILQ_INIT(&k->sent);
	if (fd != -1)
		keyclient_connect(k, fd);
	return k;
}

void
keyclient_connect(struct keyclient *k, int fd)
{
	OBJ_CHECK(k, KEYCLIENT_MAGIC);
	lost(k);
	k->fd = fd;
	k->writing = false;
	k->watch = loop_fd_start(k->loop, fd, LOOP_READ, on_ready, k);
	send_waiting(k);
}

void
keyclient_destroy(struct keyclient **kp)
{
	struct keyclient *k = *kp;
	struct op *op;

	if (k == NULL)
		return;
	OBJ_CHECK(k, KEYCLIENT_MAGIC);
	*kp = NULL;
	lost(k);
	while ((op = TAILQ_FIRST(&k->unsent)) != NULL)
		op_done(k, op, false, NULL, 0);
	hash_fini(&k->by_id);
	hash_fini(&k->by_ticket);
	OBJ_FREE(k);
}

unsigned
keyclient_waiting(const struct keyclient *k)
{
	return k->n;
}

static enum tls_keyop_status
key_sign(void *arg, const struct tlskey_id *key, uint16_t algorithm,
    struct str in, uint8_t *out, size_t *out_len, size_t max, void *ticket)
{
	struct keyclient *k;
	struct op *op;

	OBJ_CAST(k, arg, KEYCLIENT_MAGIC);
	(void)out;
	(void)out_len;
	(void)max;
	if (k->n >= KEYCLIENT_MAX || in.n > KEYWIRE_INPUT_MAX)
		return TLS_KEYOP_FAILED;
	op = mem_zalloc(sizeof(*op));
	op->ticket = ticket;
	op->r.op = ++k->last;
	op->r.key = *key;
	op->r.algorithm = algorithm;
	op->r.n = (uint32_t)in.n;
	op->in = mem_dup(in.p, in.n);
	hash_add(&k->by_id, &op->by_id, hash_u64(op->r.op));
	hash_add(&k->by_ticket, &op->by_ticket, hash_u64((uintptr_t)ticket));
	TAILQ_INSERT_TAIL(&k->unsent, op, link);
	k->n++;
	send_waiting(k);
	return TLS_KEYOP_WAIT;
}

/* What the keeper has not begun yet it need not begin. */
static void
key_cancel(void *arg, void *ticket)
{
	struct hash_node *node;
	struct keyclient *k;
	struct op *op = NULL;

	OBJ_CAST(k, arg, KEYCLIENT_MAGIC);
	node = hash_first(&k->by_ticket, hash_u64((uintptr_t)ticket));
	for (; node != NULL; node = hash_next(node)) {
		op = COLL_OF(node, struct op, by_ticket);
		if (op->ticket == ticket)
			break;
	}
	if (node == NULL)
		return;
	op_unlink(k, op);
	if (!op->sent) {
		op_free(op);
		return;
	}
	op->ticket = NULL;
	op->r.algorithm = 0;
	op->r.n = 0;
	TAILQ_INSERT_TAIL(&k->unsent, op, link);
	send_waiting(k);
}

static void
on_ready(void *arg, int fd, unsigned what)
{
	struct keyclient *k;

	OBJ_CAST(k, arg, KEYCLIENT_MAGIC);
	if ((what & LOOP_READ) != 0)
		answers(k);
	if (k->fd == fd && (what & LOOP_WRITE) != 0)
		send_waiting(k);
}

static void
answers(struct keyclient *k)
{
	char msg[sizeof(struct keywire_answer) + KEYWIRE_SIG_MAX];
	ssize_t n;
	int i;

	for (i = 0; i < ROUND && k->fd != -1; i++) {
		n = recv(k->fd, msg, sizeof(msg), MSG_DONTWAIT);
		if (n > 0) {
			answered(k, msg, (size_t)n);
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			lost(k);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
}

static void
answered(struct keyclient *k, const char *msg, size_t n)
{
	struct keywire_answer a;
	struct hash_node *node;
	struct op *op;

	if (n < sizeof(a))
		return;
	memcpy(&a, msg, sizeof(a));
	if (n - sizeof(a) != a.n)
		return;
	node = hash_first(&k->by_id, hash_u64(a.op));
	for (; node != NULL; node = hash_next(node)) {
		op = COLL_OF(node, struct op, by_id);
		if (op->r.op != a.op)
			continue;
		if (op->sent)
			op_done(k, op, a.n > 0, msg + sizeof(a), a.n);
		return;
	}
}

static void
send_waiting(struct keyclient *k)
{
	struct op *op;
	bool full = false;

	while (k->fd != -1 && (op = TAILQ_FIRST(&k->unsent)) != NULL) {
		if (send_op(k, op) != 0) {
			full = errno == EAGAIN || errno == ENOBUFS;
			if (full || errno != EMSGSIZE)
				break; /* an end is told by reading */
			/* Whoever waits for this one has a timer. */
		}
		TAILQ_REMOVE(&k->unsent, op, link);
		if (op->ticket == NULL) {
			op_free(op);
			continue;
		}
		op->sent = true;
		TAILQ_INSERT_TAIL(&k->sent, op, link);
	}
	if (k->fd == -1 || full == k->writing)
		return;
	k->writing = full;
	loop_fd_change(k->watch, LOOP_READ | (full ? LOOP_WRITE : 0));
}

static int
send_op(const struct keyclient *k, const struct op *op)
{
	struct iovec v[2] = {
		{ (void *)(uintptr_t)&op->r, sizeof(op->r) },
		{ op->in, op->r.n },
	};
	struct msghdr h = { .msg_iov = v, .msg_iovlen = 2 };

	return sendmsg(k->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 ? -1 : 0;
}

/* The keeper is gone: what it had it does not answer any more. */
static void
lost(struct keyclient *k)
{
	struct op *op;

	if (k->fd == -1)
		return;
	loop_fd_stop(&k->watch);
	file_close(&k->fd);
	/* Whoever tries again at once is in unsent: there is no keeper. */
	while ((op = TAILQ_FIRST(&k->sent)) != NULL)
		op_done(k, op, false, NULL, 0);
}

static void
op_done(struct keyclient *k, struct op *op, bool ok, const char *sig,
    size_t n)
{
	void *ticket = op->ticket;

	if (ticket == NULL) {
		TAILQ_REMOVE(&k->unsent, op, link); /* a cancel */
		op_free(op);
		return;
	}
	op_unlink(k, op);
	op_free(op);
	k->done(ticket, ok, (const uint8_t *)sig, n);
}

static void
op_unlink(struct keyclient *k, struct op *op)
{
	hash_remove(&k->by_id, &op->by_id);
	hash_remove(&k->by_ticket, &op->by_ticket);
	if (op->sent)
		TAILQ_REMOVE(&k->sent, op, link);
	else
		TAILQ_REMOVE(&k->unsent, op, link);
	k->n--;
}

static void
op_free(struct op *op)
{
	mem_free(op->in);
	mem_free(op);
}

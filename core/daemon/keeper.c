#include "daemon/keeper.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/control.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "base/obj.h"
#include "daemon/ipc.h"
#include "daemon/keyserve.h"
#include "daemon/privs.h"
#include "tls/keyring.h"

#define KEEPER_MAGIC 0x6c1e4704u

#define KEY_FILE_MAX (1024 * 1024)
/* A chain goes to the master in one message. */
#define CHAIN_MAX (48 * 1024)
/* Sessions that began under an older configuration may still want its keys. */
#define OLD_KEYS MINUTES(10)

struct keeper {
	unsigned magic;
	struct loop *loop;
	struct ipc *master;
	struct keyring *ring;
	struct keyserve *serve;
	uint64_t current; /* generation in force */
	struct loop_timer forget;
};

static int	confine(uid_t, gid_t, struct err *);
static void	on_master(void *, const json_t *, int *, unsigned);
static void	load(struct keeper *, const json_t *, const int *, unsigned);
static int	load_key(struct keeper *, const json_t *, const int *, unsigned,
		    struct buf *, struct tlskey_id *, struct err *);
static void	tell(struct keeper *, json_t *);
static int	read_fd(int, const char *, struct buf *, struct err *);
static void	wipe(struct buf *);
static void	on_forget(void *);
static enum keyring_cost ring_cost(void *, const struct tlskey_id *);
static int	ring_sign(void *, const struct tlskey_id *, uint16_t,
		    struct str, uint8_t *, size_t *, size_t);

static const struct keyserve_ops ops = {
	.cost = ring_cost,
	.sign = ring_sign,
};

int
keeper_main(int argc, char **argv)
{
	struct err why = ERR_INIT;
	uint64_t fd, uid, gid;
	struct keeper *k;

	if (argc != 4 || num_u64(str_c(argv[1]), 1023, &fd) != 0 ||
	    num_u64(str_c(argv[2]), UINT32_MAX, &uid) != 0 ||
	    num_u64(str_c(argv[3]), UINT32_MAX, &gid) != 0) {
		(void)fprintf(stderr, "postern: the keeper is started by "
		    "postern serve\n");
		return 2;
	}
	if (confine((uid_t)uid, (gid_t)gid, &why) != 0) {
		(void)fprintf(stderr, "postern: keeper: %s\n", why.text);
		return EXIT_FAILURE;
	}
	OBJ_NEW(k, KEEPER_MAGIC);
	k->loop = loop_new();
	k->ring = keyring_new();
	k->serve = keyserve_new(k->loop, &ops, k);
	loop_timer_init(k->loop, &k->forget, on_forget, k);
	k->master = ipc_new(k->loop, (int)fd, on_master, k);
	loop_run(k->loop);
	loop_timer_clear(&k->forget);
	keyserve_destroy(&k->serve);
	keyring_destroy(&k->ring);
	ipc_destroy(&k->master);
	loop_once(k->loop, false);
	loop_destroy(&k->loop);
	OBJ_FREE(k);
	/* A leak checker's own end needs what an undumpable process lacks. */
	_exit(EXIT_SUCCESS);
}

/* Before there is a key: nobody may look into us, and we see little. */
static int
confine(uid_t uid, gid_t gid, struct err *why)
{
	static const struct rlimit no_core = { 0, 0 };
	struct privs p = { .change = geteuid() == 0 && uid != 0, .uid = uid,
		.gid = gid, .name = "the keeper's user" };
	pid_t master = getppid();

	(void)prctl(PR_SET_NAME, "postern-keeper");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	if (setrlimit(RLIMIT_CORE, &no_core) != 0)
		return err_errno(why, "setrlimit");
	/* Both are more than is needed, and not allowed everywhere. */
	if (geteuid() == 0) {
		(void)unshare(CLONE_NEWNET);
		if (chroot("/proc/self/fdinfo") == 0 && chdir("/") != 0)
			return err_errno(why, "chdir");
	}
	if (privs_drop(&p, master, why) != 0)
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		return err_errno(why, "dumpable");
	return 0;
}

static void
on_master(void *arg, const json_t *msg, int *fds, unsigned n)
{
	const char *type = control_text(msg, "type");
	struct keeper *k;

	OBJ_CAST(k, arg, KEEPER_MAGIC);
	if (msg == NULL) {
		loop_stop(k->loop);
		return;
	}
	if (type != NULL && strcmp(type, "worker") == 0 && n == 1) {
		keyserve_add(k->serve, fds[0]);
		return;
	}
	if (type != NULL && strcmp(type, "load") == 0) {
		load(k, msg, fds, n);
	} else if (type != NULL && strcmp(type, "ping") == 0) {
		tell(k, json_pack("{s:s}", "type", "pong"));
	} else if (type != NULL && strcmp(type, "current") == 0) {
		k->current = (uint64_t)control_number(msg, "generation", 0);
		loop_timer_set(&k->forget, OLD_KEYS);
	}
	while (n > 0)
		(void)close(fds[--n]);
}

/* Answered in any case, with the names that the request gave. */
static void
load(struct keeper *k, const json_t *msg, const int *fds, unsigned n)
{
	struct err why = ERR_INIT;
	struct tlskey_id id;
	struct buf chain, hex;
	json_t *out;

	buf_init(&chain, CHAIN_MAX);
	buf_init(&hex, 2 * sizeof(id));
	if (load_key(k, msg, fds, n, &chain, &id, &why) != 0) {
		out = json_pack("{s:s, s:I, s:s}", "type", "loaded", "seq",
		    (json_int_t)control_number(msg, "seq", 0), "error",
		    why.text);
	} else {
		(void)hex_encode(&hex, str_n((const char *)&id, sizeof(id)));
		out = json_pack("{s:s, s:I, s:s, s:s, s:i}", "type", "loaded",
		    "seq", (json_int_t)control_number(msg, "seq", 0), "id",
		    buf_p(&hex), "chain", buf_p(&chain), "keys",
		    (int)keyring_count(k->ring));
	}
	tell(k, out);
	buf_fini(&hex);
	buf_fini(&chain);
}

static void
tell(struct keeper *k, json_t *msg)
{
	struct err why = ERR_INIT;

	if (msg == NULL || ipc_send(k->master, msg, NULL, 0, &why) != 0)
		loop_stop(k->loop); /* the next one may do better */
}

static int
load_key(struct keeper *k, const json_t *msg, const int *fds, unsigned n,
    struct buf *public, struct tlskey_id *id_r, struct err *why)
{
	const char *chain_file = control_text(msg, "chain");
	const char *key_file = control_text(msg, "key");
	const char *text = control_text(msg, "text");
	uint64_t gen = (uint64_t)control_number(msg, "generation", 0);
	struct buf key, chain;
	int r;

	if (key_file == NULL || chain_file == NULL ||
	    n != (text != NULL ? 1 : 2))
		return err_text(why, "a malformed request");
	buf_init(&key, KEY_FILE_MAX);
	buf_init(&chain, KEY_FILE_MAX);
	r = read_fd(fds[0], key_file, &key, why);
	if (r == 0 && text != NULL)
		(void)buf_add_c(&chain, text);
	else if (r == 0)
		r = read_fd(fds[1], chain_file, &chain, why);
	if (r == 0)
		r = keyring_add(k->ring, gen, chain_file, buf_str(&chain),
		    key_file, buf_str(&key), public, id_r, why);
	if (r == 0 && buf_full(public))
		r = err_text(why, "%s: the chain is too long", chain_file);
	wipe(&key);
	wipe(&chain); /* it may be the key's file */
	return r;
}

static int
read_fd(int fd, const char *file, struct buf *b, struct err *why)
{
	off_t at = 0;
	ssize_t r;
	char *p;

	/* All room at once: growing would leave copies behind. */
	p = buf_room(b, KEY_FILE_MAX);
	while ((r = pread(fd, p + at, (size_t)(KEY_FILE_MAX - at), at)) > 0)
		at += r;
	buf_added(b, (size_t)at);
	if (r == -1)
		return err_errno(why, "%s", file);
	return at < KEY_FILE_MAX ? 0 : err_text(why, "%s: too long", file);
}

static void
wipe(struct buf *b)
{
	explicit_bzero(buf_p(b), buf_len(b));
	buf_fini(b);
}

static void
on_forget(void *arg)
{
	struct keeper *k;

	OBJ_CAST(k, arg, KEEPER_MAGIC);
	keyring_forget(k->ring, k->current);
}

static enum keyring_cost
ring_cost(void *arg, const struct tlskey_id *id)
{
	struct keeper *k;

	OBJ_CAST(k, arg, KEEPER_MAGIC);
	return keyring_cost(k->ring, id);
}

static int
ring_sign(void *arg, const struct tlskey_id *id, uint16_t algorithm,
    struct str in, uint8_t *out, size_t *out_n, size_t max)
{
	struct keeper *k;

	OBJ_CAST(k, arg, KEEPER_MAGIC);
	return keyring_sign(k->ring, id, algorithm, in, out, out_n, max);
}

/*
 * Private to epoch.c (boot file, files, sockets) and epoch_certs.c.
 */
#ifndef DAEMON_EPOCH_PRIV_H
#define DAEMON_EPOCH_PRIV_H

#include "daemon/epoch.h"

#include "daemon/ipc.h"

#define EPOCH_MAGIC 0xe90c4001u

struct memory_file {
	const char *path;
	int fd;
};

/* A file of certificates or keys, in the bundle. */
struct bundled {
	const char *path;
	struct str text;
	struct bundled *next;
};

struct epoch {
	unsigned magic;
	struct pool *pool;
	const char *file;
	uint64_t generation;
	struct buf text;
	struct conf_over over;	/* strings are the pool's */
	int text_fd, over_fd;	/* -1: the store has nothing */
	struct memory_file mem[IPC_FDS];
	unsigned nmem;
	struct epoch_port port[IPC_FDS];
	unsigned nport;
	struct conf_reader reader;
	/* epoch_certs.c */
	struct certmap map;
	struct epoch_cert *cert; /* the master's */
	unsigned ncert;
	struct bundled *bundled;
	int bundle_fd;
};

/* epoch.c */
int epoch_memory_file(struct str s, int *fd_r, struct err *why);

/* epoch_certs.c */
const struct bundled *epoch_bundled(const struct epoch *e, const char *path);
int epoch_unbundle(struct epoch *e, struct err *why);
void epoch_certs_close(struct epoch *e);

#endif

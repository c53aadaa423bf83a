/*
 * An epoch: a configuration with everything a worker needs to live by it.
 *
 * The master reads the boot file, what the configuration store has over it,
 * and each file they name that a worker may not
 * be able to open (passwords, users, roots) into memory files, and binds the
 * sockets. Certificates are in one such file more, the bundle, together with
 * the map that says what they serve. A new worker inherits the epoch; a
 * running one gets it as a message with the descriptors.
 */
#ifndef DAEMON_EPOCH_H
#define DAEMON_EPOCH_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "policy/conf.h"
#include "tls/certlist.h"
#include "tls/certmap.h"
#include "tls/tlsident.h"

/* A bound socket; address is as the listener's configuration gives it. */
struct epoch_port {
	char address[SOCK_TEXT_MAX];
	char listener[256];
	int fd;
};

struct epoch;

/* Which revision: of which store, and which proposal (0, NULL: the head); and
 * what is set beside it (conf_over). */
struct epoch_store {
	const char *path; /* NULL: where the boot file says */
	uint64_t proposal;
	const char *token;
	const char *shadow; /* NULL: none */
};

/* Reads the boot file's text and the store's, nothing more. */
int epoch_read(struct epoch **ep_r, const char *file, uint64_t generation,
    struct err *why);
int epoch_read_from(struct epoch **ep_r, const char *file,
    const struct epoch_store *from, uint64_t generation, struct err *why);
/* Their texts as old has them, for new certificates. */
int epoch_again(struct epoch **ep_r, const struct epoch *old,
    uint64_t generation, struct err *why);
/* Reads the files that conf names, but for certificates and keys. */
int epoch_files(struct epoch *e, const struct conf *conf, struct err *why);
/* Only those that settings of plugins name. */
int epoch_plugin_files(struct epoch *e, const struct conf *conf,
    struct err *why);
/* One of them as old has it, before epoch_files(). */
int epoch_file_keep(struct epoch *e, const struct epoch *old,
    const char *path, struct err *why);
/* All of a file in memory. */
int epoch_memory_read(int fd, struct buf *dst, struct err *why);
void epoch_destroy(struct epoch **ep); /* closes what it holds */

const char *epoch_file(const struct epoch *e);
struct str epoch_text(const struct epoch *e);
const struct conf_over *epoch_over(const struct epoch *e);
/* The configuration they make. */
int epoch_conf(const struct epoch *e, const struct conf_reader *reader,
    struct conf **c_r, struct err *why);
uint64_t epoch_generation(const struct epoch *e);
/* Reads from the memory files; valid as long as e. */
const struct conf_reader *epoch_reader(struct epoch *e);

/* Takes fd. */
void epoch_port_add(struct epoch *e, const char *listener,
    const char *address, int fd);
const struct epoch_port *epoch_ports(const struct epoch *e, unsigned *n_r);

/*
 * Certificates. The map says which are wanted; each pair of files in it is an
 * epoch_cert, which the master fills in with what may be known to workers:
 * the chain, and the key itself only without a keeper.
 */
struct epoch_cert {
	const char *name, *use;	  /* of the first row that has it */
	const char *chain, *key;  /* files */
	bool loaded;
	int key_fd;		  /* as it was opened for the keeper, or -1 */
	int given[2];		  /* chain and key that are no files, or -1 */
	struct tlskey_id id;
	msec expires;
};

/* list: where the texts are that are no files. */
int epoch_map_set(struct epoch *e, const struct certmap *map,
    const struct certlist *list, struct err *why);
const struct certmap *epoch_map(const struct epoch *e);
struct epoch_cert *epoch_certs(const struct epoch *e, unsigned *n_r);
/* A file's contents. */
void epoch_text_add(struct epoch *e, const char *path, struct str text);
/* Loaded as old has it; false: it has it not. */
bool epoch_cert_keep(struct epoch *e, struct epoch_cert *c,
    const struct epoch *old);
/* Leaves out of the map what was not loaded; no changes after. */
int epoch_seal(struct epoch *e, struct err *why);

/* For a child without keys: it must not close their numbers once they are
 * another's. */
void epoch_leave_keys(struct epoch *e);
/* All descriptors but keys, for the child that keeps them; returns how many. */
unsigned epoch_fds(const struct epoch *e, int *v, unsigned max);

/* As a message {"type":"epoch", …}; fds has room for IPC_FDS. */
json_t *epoch_pack(const struct epoch *e, int *fds, unsigned *n_r,
    struct err *why);
/* Takes the descriptors, whatever happens. */
int epoch_unpack(struct epoch **ep_r, const json_t *msg, int *fds, unsigned n,
    struct err *why);

#endif

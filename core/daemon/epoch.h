/*
 * An epoch: a configuration with everything a worker needs to live by it.
 *
 * The master reads the boot file and each file it names that a worker may not
 * be able to open (keys, passwords, users) into memory files, and binds the
 * sockets. A new worker inherits the epoch; a running one gets it as a
 * message with the descriptors.
 */
#ifndef DAEMON_EPOCH_H
#define DAEMON_EPOCH_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "policy/conf.h"

/* A bound socket; address is as the listener's configuration gives it. */
struct epoch_port {
	char address[SOCK_TEXT_MAX];
	char listener[256];
	int fd;
};

struct epoch;

/* Reads the boot file's text, nothing more. */
int epoch_read(struct epoch **ep_r, const char *file, uint64_t generation,
    struct err *why);
/* Reads the files that conf names. extra: one more, or NULL. */
int epoch_files(struct epoch *e, const struct conf *conf, const char *extra,
    struct err *why);
void epoch_destroy(struct epoch **ep); /* closes what it holds */

const char *epoch_file(const struct epoch *e);
struct str epoch_text(const struct epoch *e);
uint64_t epoch_generation(const struct epoch *e);
/* Reads from the memory files; valid as long as e. */
const struct conf_reader *epoch_reader(struct epoch *e);

/* Takes fd. */
void epoch_port_add(struct epoch *e, const char *listener,
    const char *address, int fd);
const struct epoch_port *epoch_ports(const struct epoch *e, unsigned *n_r);

/* All descriptors, for the child that keeps them; returns how many. */
unsigned epoch_fds(const struct epoch *e, int *v, unsigned max);

/* As a message {"type":"epoch", …}; fds has room for IPC_FDS. */
json_t *epoch_pack(const struct epoch *e, int *fds, unsigned *n_r,
    struct err *why);
/* Takes the descriptors, whatever happens. */
int epoch_unpack(struct epoch **ep_r, const json_t *msg, int *fds, unsigned n,
    struct err *why);

#endif

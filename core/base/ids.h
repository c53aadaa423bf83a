/*
 * ICID, MID and DCID: small decimal numbers, growing, never used twice on a
 * node (requirements.md section 5).
 *
 * The counters live in shared memory; the file SPOOL/ids holds a mark that
 * no id has reached. ids_open() (master, before any worker) reads the mark
 * and starts there; a clean ids_close() writes the exact next numbers, so
 * that only a crash skips the rest of a block (10,000). ids_extend() moves the
 * mark durably; the worker's idle job calls it when ids_low() says so, and
 * ids_next() calls it itself if the block is used up.
 */
#ifndef BASE_IDS_H
#define BASE_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/shm.h"

struct ids;

int ids_open(struct ids **idsp_r, struct shm *shm, const char *path,
    struct err *why);
/* In a worker: ids without the right to write the exact end. */
void ids_forked(struct ids *ids);
int ids_fd(const struct ids *ids); /* what a forked worker keeps open */
void ids_close(struct ids **idsp);
uint64_t ids_next(struct ids *ids, enum shm_id id);
/* What follows is above id: it was found in use. */
void ids_raise(struct ids *ids, enum shm_id which, uint64_t id);
bool ids_low(struct ids *ids);
int ids_extend(struct ids *ids, struct err *why); /* any thread */

#endif

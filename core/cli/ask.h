/*
 * Asking the running relay: one request to every process, answers merged.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

enum ask_whom {
	ASK_MASTER,
	ASK_WORKERS,
	ASK_ONE,      /* a worker, however long it takes to answer */
	ASK_PATIENTLY /* the master, however long it takes to answer */
};

/* A line of an answer; last: {"done":true,…}. from: "worker-0". */
typedef void ask_fn(void *arg, const char *from, const json_t *line,
    int last);

/* run: the directory of the sockets. Steals request. -1: not running, refused
 * or cut off, as why says. */
int ask(const char *run, enum ask_whom whom, json_t *request, ask_fn *fn,
    void *arg, struct err *why);
/* Is anybody behind a socket there? */
bool ask_running(const char *run);
/* The directory of the sockets, as the boot file has it; heap. */
int ask_run_dir(const char *conf_file, char **run_r, struct err *why);

#endif

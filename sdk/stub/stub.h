/*
 * posternstub: one run of a script, on the real plugin host.
 *
 * A run makes everything anew (clock, loop, host, instances) and ends it all,
 * so that a script can be run again with something going wrong (stub_fault) at
 * a place that an earlier run counted. main() runs it once and tells what was
 * expected; with `chaos` in the script chaos_run() repeats it.
 */
#ifndef STUB_STUB_H
#define STUB_STUB_H

#include <stdio.h>

#include "base/buf.h"
#include "script.h"
#include "trial/trial.h"

#define STUB_MAGIC 0x7c61e204U
#define STUB_OUTS 200
#define STUB_SOCKETS 4

/* Lines of the Test Anything Protocol. */
struct tap {
	FILE *out;
	unsigned n, failed;
	bool quiet, verbose;
};

enum stub_fault_kind {
	FAULT_NONE,
	FAULT_GONE,    /* the client goes while a plugin waits */
	FAULT_TIMEOUT, /* a request times out */
	FAULT_ERROR,   /* a request fails for now */
	FAULT_SILENCE, /* a request is never answered: the deadline */
	FAULT_MEMORY,  /* an allocation fails */
	FAULT_KINDS
};

struct stub_fault {
	enum stub_fault_kind kind;
	unsigned at; /* from 1 */
};

struct stub_out {
	const char *name, *value;
};

/* Of `file PATH = socket`. */
struct stub_socket {
	const char *path; /* NULL: none */
	int fd;
	struct buf came;
};

struct stub {
	unsigned magic;
	const struct script *script;
	struct tap *tap; /* NULL: a run with a fault */
	struct trial t;
	const struct opcall *call; /* the operation under way, or NULL */
	struct stub_out out[STUB_OUTS];
	unsigned nout;
	/* how often there was a chance for a fault */
	unsigned waits, requests, memory;
	struct stub_fault fault;
	unsigned memory_left;
	bool struck; /* the fault was met, in this step */
	struct stub_socket socket[STUB_SOCKETS];
	int server; /* the process of `smtp`, or 0 */
	struct buf wrong; /* what a faulty run did that it never may */
};

/* Makes the instances of the script, without their start; each is told to
 * loads before ("3: plugin …"), or NULL. 0, or -1 and why. */
int stub_load(struct stub *st, const struct script *script,
    void (*loads)(void *arg, const char *what), void *arg, struct err *why);
/* Runs it; 0, or -1 and why where that is impossible. */
int stub_run(struct stub *st, const struct script *script, struct tap *tap,
    const struct stub_fault *fault, struct err *why);
void stub_fini(struct stub *st);

/* A line "ok" or "not ok" and, if it is wrong, why. */
void tap_line(struct tap *t, bool ok, const struct script *script,
    const struct stmt *s, const char *why);

void stub_set_out(struct stub *st, const char *name, const char *value);
struct str stub_log(struct stub *st);

/* steps.c: one statement that asks plugins, or changes the world. */
void step_run(struct stub *st, const struct stmt *s);
/* opcall.c */
void opcall_run(struct stub *st, const struct stmt *s);
void opcall_says(void *arg, const void *oparg); /* of struct trial */
/* conftext.c: the boot file that the `plugin` and `lookup` lines come to; its
 * lines are those of the script. */
int conftext(struct stub *st, struct buf *dst, struct err *why);
/* expect.c: of a step's "->", and an `expect` line. */
void expect_want(struct stub *st, const struct stmt *s);
void expect_run(struct stub *st, const struct stmt *s);
void expect_never(struct stub *st, const struct stmt *s);
/* apart.c: loads its plugins in a process of its own; false: one of them ends
 * that, which was told. */
bool apart_loads(const struct script *script, struct tap *tap);
/* chaos.c: repeats a script, once for each chance that its run had (of st,
 * which has ended). */
void chaos_run(const struct stub *st, struct tap *tap);

#endif

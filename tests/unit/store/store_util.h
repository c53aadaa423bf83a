/* What the tests of store and queue share: a spool, a loop, messages. */
#ifndef STORE_UTIL_H
#define STORE_UTIL_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/loop.h"
#include "store/store.h"

struct bench {
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct store_conf conf;
	/* Of the last callbacks. */
	unsigned answers;
	bool failed;
	struct err why;
	struct store_loaded loaded;
	bool has_loaded;
	unsigned items;
	uint64_t last_mid;
	char text[65536];
};

/* Set by a program that tries the engine of a plugin: gives conf what it
 * needs, for a store that is empty. The tests of files are left out then. */
extern void (*bench_plugin)(struct bench *b);

/* A spool of its own; the directory goes with bench_fini(). */
void bench_init(struct bench *b, bool memory);
void bench_open(struct bench *b); /* must succeed */
void bench_close(struct bench *b);
void bench_fini(struct bench *b);
/* Runs the loop until that many answers have come. */
void bench_wait(struct bench *b, unsigned answers);
/* A store_done that counts and remembers; arg is the bench. */
void bench_done(void *arg, const struct err *why);

struct envelope *make_env(uint64_t mid, const char *from, unsigned nrcpt);
char octet(uint64_t mid, uint64_t at); /* of those bodies */
/* size octets that depend on mid and position. */
struct body_ref *make_body(struct bench *b, uint64_t mid, uint64_t size);
void put(struct bench *b, uint64_t mid, uint64_t size); /* and waits */
/* Loads, waits, checks that every octet is there; false: gone. */
bool load_whole(struct bench *b, uint64_t mid, uint64_t size);
bool load(struct bench *b, uint64_t mid);
void forget_loaded(struct bench *b);
unsigned count_files(const char *dir);
/* Pages of a database that are in use; the file may be longer. */
unsigned count_pages(const char *path);

#endif

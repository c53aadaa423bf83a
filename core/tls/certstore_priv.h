/*
 * The certificate store's inside, for the files certstore*.c only.
 */
#ifndef TLS_CERTSTORE_PRIV_H
#define TLS_CERTSTORE_PRIV_H

#include <sys/stat.h>

#include "tls/certstore.h"

struct certstore_row {
	const char *use, *name;
};

struct certstore {
	unsigned magic;
	struct pool *pool;
	const char *dir;
	const char *at; /* how files in dir are reached: certstore_change.c */
	const struct certlist *list; /* NULL: none */
	struct certstore_row *row;
	unsigned nrow;
};

/* The folder of a name: DIR/<encoded>. */
const char *certstore_folder(struct certstore *cs, const char *name);
/* The name behind a file name, or NULL if it is none of ours. */
const char *certstore_decode(struct certstore *cs, const char *file);
/* Reads DIR/assign anew. */
int certstore_read_uses(struct certstore *cs, struct err *why);
/* Could anybody but us and the superuser change it, or put another in its
 * place? What is not there is fine. */
int certstore_guard(const char *path, mode_t type, struct err *why);
/* The same of what is open. */
int certstore_guard_stat(const char *path, const struct stat *st, mode_t type,
    struct err *why);
/* 1: there is such a file, 0: there is not. */
int certstore_has(const char *path, struct err *why);

#endif

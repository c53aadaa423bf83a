/*
 * What is around the plugins of a script and is real: a folder of its own with
 * files and sockets, an address of this machine, clients and a mail server on
 * it.
 *
 * "%/NAME" in a script is a file in the folder, "%" the address and "%:PORT" a
 * port of it, which no other script has meanwhile. The folder is emptied before
 * each run and goes at the end.
 */
#ifndef STUB_OUTSIDE_H
#define STUB_OUTSIDE_H

#include "base/err.h"
#include "base/str.h"

struct stmt;
struct stub;

struct outside {
	char folder[64], ip[16];
};

/* The folder; -1 and why. */
int outside_begin(struct outside *o, struct err *why);
void outside_end(struct outside *o);
/* Before a run. */
void outside_clear(const struct outside *o);

/* Statements; what is wrong with one is in st->t.broken. */
void outside_file(struct stub *st, const struct stmt *s);
void outside_connect(struct stub *st, const struct stmt *s);
void outside_smtp(struct stub *st, const struct stmt *s);
/* What is in a file, or came to a socket; NULL: there is none. */
const char *outside_read(struct stub *st, const char *path);
/* With the run. */
void outside_stop(struct stub *st);

#endif

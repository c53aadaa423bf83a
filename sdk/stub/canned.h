/*
 * The world outside as a script tells it: DNS, HTTP and tables.
 *
 * It stands in for struct host_net. Every question is answered by the fake
 * clock, never from inside the call; one of them, by number, can be made to
 * fail. What is asked and not in the script is a failure, and remembered.
 */
#ifndef STUB_CANNED_H
#define STUB_CANNED_H

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "host/host.h"
#include "script.h"

enum canned_fault {
	CANNED_FINE,
	CANNED_TIMEOUT,
	CANNED_ERROR,
	CANNED_SILENCE /* no answer at all */
};

struct canned;

extern const struct host_net canned_net;
/* lookup/1 from what `lookup` lines say, for host_builtin(). */
extern const struct pst_plugin canned_table;

struct canned *canned_new(struct pool *pool, struct loop *l);
/* A dns, http or lookup line. */
int canned_add(struct canned *c, const struct stmt *s, struct err *why);
/* For struct host_world: the functions of canned_net find it there. */
struct dns *canned_dns(struct canned *c);
/* The n-th question from now on (from 1; 0: none) has that fault. */
void canned_fail(struct canned *c, unsigned n, enum canned_fault how);
unsigned canned_asked(const struct canned *c);
/* HTTP requests so far, as text; and what nothing is said about, lines. */
struct str canned_requests(const struct canned *c);
struct str canned_unknown(const struct canned *c);
void canned_forget(struct canned *c);

#endif

/*
 * The world outside as it is told beforehand: DNS, HTTP and tables.
 *
 * It stands in for struct host_net. Every question is answered by the fake
 * clock, never from inside the call; one of them, by number, can be made to
 * fail. What is asked and was not told is a failure, and remembered.
 */
#ifndef TRIAL_CANNED_H
#define TRIAL_CANNED_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "host/host.h"

enum canned_fault {
	CANNED_FINE,
	CANNED_TIMEOUT,
	CANNED_ERROR,
	CANNED_SILENCE /* no answer at all */
};

/* What is told: "NAME TYPE ANSWER ...", "METHOD URL = STATUS [BODY]", "TABLE
 * KEY = VALUE ...". */
enum canned_kind { CANNED_DNS, CANNED_HTTP, CANNED_LOOKUP };

struct canned_word {
	const char *s;
	bool quoted; /* it means itself, none is a special answer */
};

struct canned;

extern const struct host_net canned_net;
/* So, and it answers for tables, too. */
extern const struct host_net canned_net_tables;
/* lookup/1 from what was told, for host_builtin(). */
extern const struct pst_plugin canned_table;

struct canned *canned_new(struct pool *pool, struct loop *l);
/* The words of such a line of posternstub(1), behind the first; they stay
 * where they are as long as c. */
int canned_add(struct canned *c, enum canned_kind kind,
    const struct canned_word *word, unsigned n, struct err *why);
/* For struct host_world: the functions of canned_net find it there. */
struct dns *canned_dns(struct canned *c);
/* The n-th question from now on (from 1; 0: none) has that fault. */
void canned_fail(struct canned *c, unsigned n, enum canned_fault how);
/* From now on what is told counts before what was told earlier. */
void canned_latest(struct canned *c);
/* Names and keys that nothing was told about do not exist; but the table `but`
 * is none of those that are canned. */
void canned_empty(struct canned *c, const char *but);
unsigned canned_asked(const struct canned *c);
/* HTTP requests so far, as text; and what nothing is said about, lines. */
struct str canned_requests(const struct canned *c);
struct str canned_unknown(const struct canned *c);
void canned_forget(struct canned *c);

#endif

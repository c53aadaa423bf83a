/*
 * What an event is about: the object of the core that plugins read and change.
 *
 * Who asks a hook hands in such a table: the session (daemon/inbound), the
 * delivery, a report, posternstub. It answers facts by number, so that names
 * and rights are looked at in one place (host/facts). rcpt is an index into
 * the recipients, -1 where none is at hand; at the rcpt hook the one asked
 * about has the number of those before it.
 */
#ifndef HOST_ABOUT_H
#define HOST_ABOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"
#include "host/scope.h"
#include "mail/edits.h"
#include "mail/notes.h"

enum fact {
#define FACT(id, name, set, help) FACT_##id,
#include "tbl/facts.h"
#undef FACT
	FACT_COUNT
};

/* A message from us; text has lines with LF between them. */
struct about_notice {
	const char *to, *subject, *text, *by;
};

/* A NULL function: there is nothing of the kind here. */
struct about_ops {
	/* Text of the object's or of pool; NULL: not set. */
	const char *(*get)(void *arg, enum fact f, int rcpt,
	    struct pool *pool);
	/* Only facts whose table entry and hook allow it. */
	int (*set)(void *arg, enum fact f, int rcpt, const char *value,
	    struct err *why);
	struct notes *(*notes)(void *arg);
	bool (*notes_set)(void *arg); /* may they be set now? NULL: no */
	/* How many there were ever: numbers stay when some are dropped. */
	unsigned (*nrcpt)(void *arg);
	bool (*dropped)(void *arg, int rcpt); /* NULL: none is */
	/* flags: enum pst_rcpt_flag; its number, or -1. */
	int (*rcpt_add)(void *arg, const char *address, int flags,
	    struct err *why);
	int (*rcpt_drop)(void *arg, int rcpt, const char *by,
	    struct err *why);
	int (*notify)(void *arg, const struct about_notice *n,
	    struct err *why);
	/* The header as edited so far, ours first. */
	const struct header *(*header)(void *arg, int rcpt);
	int (*edit)(void *arg, int rcpt, enum edit_op op, const char *name,
	    unsigned nth, const char *value, struct err *why);
	/* A piece of what stands behind the header, from off on; false: the
	 * end. Valid until the next call. */
	bool (*body)(void *arg, uint64_t off, struct str *piece_r);
	int (*body_write)(void *arg, int rcpt, const void *p, size_t n,
	    struct err *why);
	/* Whose turn it is; NULL: nobody cares. What one writes is the body
	 * from the next one's turn on. */
	void (*turn)(void *arg, const char *instance);
	/* Where the object keeps the scope (which: enum pst_scope); NULL: it
	 * has none of that kind. */
	struct scope **(*scope)(void *arg, int which, int rcpt);
};

struct about {
	const struct about_ops *ops;
	void *arg;
	uint64_t icid, mid, dcid; /* for log and flight recorder; 0: none */
	int rcpt;
};

#endif

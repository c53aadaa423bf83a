/*
 * The control socket of a process: a local administrator's questions.
 *
 * A unix socket of mode 0600. One connection carries one request, a JSON
 * object on one line with a member "verb", and gets a stream of JSON lines;
 * the last is {"done":true, ...} or {"error":"..."}. What the verbs do is a
 * table that the process hands in. Whatever comes in is bounded: lines of 64
 * KB, 32 connections, 10 s for the request, 16 MB of answers not yet read.
 */
#ifndef ADMIN_CONTROL_H
#define ADMIN_CONTROL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"
#include "net/loop.h"

struct control;
struct control_req;

/* Each request is ended once, now or later, by control_done() or _fail(). */
struct control_verb {
	const char *name;
	void (*run)(void *arg, struct control_req *r, const json_t *args);
};

/* verbs end with a NULL name. A socket that is there is replaced. */
int control_new(struct control **c_r, struct loop *l, const char *path,
    const struct control_verb *verbs, void *arg, struct err *why);
/* Requests that are not ended yet must not be touched afterwards. */
void control_destroy(struct control **cp);

struct pool *control_pool(struct control_req *r); /* until the end */
void control_row(struct control_req *r, struct str json);
void control_row_json(struct control_req *r, json_t *row); /* steals row */
/* more: members for the last line, stolen, or NULL. */
void control_done(struct control_req *r, json_t *more);
void control_fail(struct control_req *r, const char *fmt, ...)
    ATTR_PRINTF(2, 3);
/* Nobody listens any more: the work may be cut short. */
bool control_gone(const struct control_req *r);

/* The member as text or NULL; as a number, or other. */
const char *control_text(const json_t *args, const char *name);
int64_t control_number(const json_t *args, const char *name, int64_t other);

#endif

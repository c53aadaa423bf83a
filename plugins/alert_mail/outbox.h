/*
 * Messages that wait to be sent, over reloads: an instance that follows another
 * of its name has what that one left unsent when it ended. Without any input or
 * output.
 *
 * A reload lets two instances live for a while, and the young one may yet be
 * dropped: each sends what it put in itself, and whoever asks first gets what
 * an instance that is gone had left.
 */
#ifndef OUTBOX_H
#define OUTBOX_H

#include <stdbool.h>

#define OUTBOX_MAX 1000 /* of one instance, and left by those that are gone */

struct letter {
	struct letter *next;
	char *to, *from, *host, *subject, *text;
	char what[64]; /* "System/Warning" */
	unsigned tries;	/* that failed */
	bool extra; /* the next one comes early, and is none of them */
};

struct outbox;

/* NULL: no memory. */
struct letter *letter_new(void);
void letter_free(struct letter *l);

/* Of an instance of that name; NULL: no memory. */
struct outbox *outbox_new(const char *name);
/* As a clean-up of the instance. Without another of its name what is in it is
 * gone. */
void outbox_free(void *outbox);
/* false: it is full, and the letter still the caller's. */
bool outbox_put(struct outbox *o, struct letter *l);
/* NULL: there is none. */
struct letter *outbox_take(struct outbox *o);
/* Taken, and not sent when the instance ended. Of what is left the oldest goes
 * if there is too much. */
void outbox_back(struct outbox *o, struct letter *l);
/* So many went since this was asked. */
unsigned outbox_dropped(struct outbox *o);
unsigned outbox_waiting(const struct outbox *o);
/* Is there no other instance of the name? */
bool outbox_alone(const struct outbox *o);

#endif

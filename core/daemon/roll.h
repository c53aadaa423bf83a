/*
 * New code in old places: worker after worker is stopped gracefully and started
 * again, while the others serve. Nothing that was loaded is ever unloaded, so
 * this is how a plugin's new file comes into force.
 *
 * The listening sockets are the master's: what connects meanwhile is taken by
 * another worker, or waits for the new one. The new files are tried first; when
 * a worker does not come back, those that are left keep what they have.
 */
#ifndef DAEMON_ROLL_H
#define DAEMON_ROLL_H

#include <jansson.h>
#include <stdbool.h>

struct child;
struct control_req;
struct master;

struct roll {
	bool on;
	bool started;	/* the new one at that place, not ready yet */
	unsigned at;	/* place whose turn it is */
	struct control_req *asked;
};

/* The control verb "roll", answered when it has ended. */
void roll_verb(void *master, struct control_req *r, const json_t *args);
/* It was its turn: it is to be started again at once. */
bool roll_ended(struct child *c);
void roll_ready(struct child *c);

#endif

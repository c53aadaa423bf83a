/*
 * What a process may do: user, file descriptors, its tie to the master.
 */
#ifndef DAEMON_PRIVS_H
#define DAEMON_PRIVS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct privs {
	bool change; /* false: not root, stay as we are */
	uid_t uid;
	gid_t gid;
	char name[64];
};

/* user "": postern if there is such a user, else nobody. */
int privs_find(struct privs *p, const char *user, struct err *why);
/* Makes the file or directory the workers', if there is a change. */
int privs_give(const struct privs *p, const char *path, struct err *why);
/* Raises the limit as far as allowed; returns what it is now. */
unsigned privs_files(unsigned wanted);
/* In a worker: the user, no way back, and an end when the master ends. */
int privs_drop(const struct privs *p, pid_t master, struct err *why);
/* Closes every descriptor above 2 but these. */
void privs_close_others(const int *keep, unsigned n);

#endif

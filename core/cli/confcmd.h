/*
 * What alertconfig, bounceconfig and destconfig have in common: the options,
 * a table of commands, and that what a command changes is saved as one and its
 * user told what waits for a commit. Without a command the dialogue begins.
 */
#ifndef CLI_CONFCMD_H
#define CLI_CONFCMD_H

#include <stdio.h>

#include "cli/confedit.h"

struct confcmd_words {
	struct confedit *ce;
	void *of; /* the tool */
	char **arg; /* behind the command */
	int n;
};

/* Number of words; most -1: any. changes: it is saved. */
struct confcmd {
	const char *name;
	int least, most;
	bool changes;
	int (*run)(const struct confcmd_words *, struct err *);
};

/* The struct of the tool, and where in it things are put before a command or
 * the dialogue runs; compat NULL: it has no such option. */
struct confcmd_tool {
	const struct confcmd *commands;
	size_t ncommands;
	int (*usage)(FILE *to, int status);
	int (*menu)(void *of); /* exit status */
	void *of;
	struct confedit **ce;
	struct pool **pool; /* for as long as it runs */
	bool *json, *compat;
};

/* Exit status. */
int confcmd_main(const struct confcmd_tool *t, int argc, char **argv);
/* One word, its key copied. */
int confcmd_pair(struct pool *pool, const char *word, const char **key_r,
    const char **value_r, struct err *why);
/* All words are KEY=VALUE, and set in an object. */
int confcmd_pairs(struct confedit *ce, char *const *arg, int n,
    const char *kind, const char *name, struct err *why);
/* A setting as a person writes it, of the store or else of the boot file;
 * NULL: it has none. */
const char *confcmd_now(struct confedit *ce, struct pool *pool,
    const char *kind, const char *name, const char *key);

#endif

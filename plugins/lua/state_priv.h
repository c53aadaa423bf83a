/*
 * Private to state.c, limit.c, fault.c and sandbox.c.
 */
#ifndef LUA_STATE_PRIV_H
#define LUA_STATE_PRIV_H

#include "state.h"

struct state {
	unsigned magic;
	lua_State *L;
	struct state_limits limits;
	size_t used;	    /* octets that Lua has */
	struct thread *now; /* whose turn it is; NULL: the host's */
	struct thread *all, *idle;
	unsigned nidle;
	struct thread *main;
	char *dir; /* resolved; NULL: nothing can be required */
	bool sealed;
};

/* What an event died of; made when it does. */
struct fault {
	bool limit;
	char place[128];
	char text[512];
	char trace[2048];
};

/* A coroutine. Those of one event share the account of the first, root. */
struct thread {
	struct state *s;
	lua_State *L;
	int ref; /* in the registry */
	void *arg;
	struct thread *root, *next; /* next: idle */
	struct thread *after, **link; /* all */
	/* The account. */
	struct state_use use;
	uint64_t limit;
	int64_t growth;
	bool stopped; /* nothing of it goes on; why, is in fault */
	bool starved; /* gets no more memory */
	bool full;    /* it was the state that was full */
	uint32_t looks; /* instructions between two looks, for all of it */
	/* Of this one. */
	struct fault *fault;
	uint32_t step;
	uint64_t slice; /* used of it */
	uint64_t cpu;	/* when the hook last looked; 0: not yet */
	size_t base;	/* s->used when its turn began */
	bool begun, paused, dead;
};

struct thread *thread_of(lua_State *L);

#define LIMIT_STEP 1000 /* instructions between two looks, at most */

/* limit.c. The two that return int never do. */
void *limit_alloc(void *s, void *p, size_t old, size_t n);
void limit_hook(lua_State *L, lua_Debug *ar);
void limit_check(struct thread *th, lua_State *L);
int limit_stop(struct thread *th, lua_State *L, const char *text);
int limit_memory(struct thread *th, lua_State *L);
void limit_memory_text(const struct thread *root, char *text, size_t n);

/* fault.c */
void fault_died(struct thread *th, int status);
struct fault *fault_new(lua_State *L, const char *text);

/* sandbox.c */
/* Functions and libraries of a script; what is stock stays only if no script
 * can make it run for long, or long unseen. */
void sandbox_open(lua_State *L);
/* "partner.lua:7: " of the nearest Lua function, pushed; empty if none. */
void state_where(lua_State *L);

#endif

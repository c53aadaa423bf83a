/*
 * A scope: memory that plugins hang on an event, session, message, recipient
 * or instance.
 *
 * Owned by that object, made when a plugin first asks for it. When it ends its
 * clean-ups run, the last one first, and the memory goes; both wait for
 * offloaded work that needs them, and for scopes that end before it in any
 * case: a clean-up of an event may look into the message that it was about,
 * one of a message into its session, and each into its plugin's instance.
 */
#ifndef HOST_SCOPE_H
#define HOST_SCOPE_H

#include <stdbool.h>
#include <stddef.h>

struct flight;
struct scope;
struct shm_flight;

struct scope *scope_new(void);
void scope_end(struct scope **sp); /* NULL is fine */
/* Puts the end off: what clean-ups would free may be in use by the work. */
void scope_hold(struct scope *s);
void scope_unhold(struct scope **sp);
/* s ends before outer, whatever their owners do. */
void scope_needs(struct scope *s, struct scope *outer);

/* Zeroed. NULL: above the ceiling (16 MB of a scope; an instance's 256 MB),
 * or because the test of a plugin wants it so (scope_failing()). */
void *scope_alloc(struct scope *s, size_t n);
/* The block of that owner, made with n octets the first time; NULL also if it
 * was made smaller than n. */
void *scope_data(struct scope *s, const void *owner, size_t n);
void scope_defer(struct scope *s, void (*fn)(void *), void *arg);
/* While it runs, by is in the recorder, and needs has not ended (or NULL). */
void scope_defer_by(struct scope *s, void (*fn)(void *), void *arg,
    struct shm_flight *recorder, const struct flight *by,
    struct scope *needs);
size_t scope_size(const struct scope *s);

/* posternstub: of the allocations from now on the n-th (from 1) fails; 0:
 * none. Returns how many there were since the last call. */
unsigned scope_failing(unsigned n);

#endif

/*
 * Objects that travel as void *.
 *
 * A struct that is handed to callbacks begins with `unsigned magic`; its
 * NAME_MAGIC is unique in the tree. The first line of a callback is OBJ_CAST.
 * A wrong or freed object ends the process at once instead of corrupting mail.
 */
#ifndef BASE_OBJ_H
#define BASE_OBJ_H

#include "base/die.h"
#include "base/mem.h"

/* Allocates zeroed memory for *p and sets its magic. Never fails. */
#define OBJ_NEW(p, m)                                                          \
	do {                                                                   \
		(p) = mem_zalloc(sizeof(*(p)));                                \
		(p)->magic = (m);                                              \
	} while (0)

/* Sets the magic of memory that the caller owns. */
#define OBJ_INIT(p, m) ((void)((p)->magic = (m)))

#define OBJ_CHECK(p, m) ASSERT((p) != NULL && (p)->magic == (m))

/* to = from, checked. */
#define OBJ_CAST(to, from, m)                                                  \
	do {                                                                   \
		(to) = (from);                                                 \
		OBJ_CHECK(to, m);                                              \
	} while (0)

/* Clears the magic, then frees. */
#define OBJ_FREE(p)                                                            \
	do {                                                                   \
		(p)->magic = 0;                                                \
		mem_free(p);                                                   \
	} while (0)

/* Clears the magic of memory that the caller owns. */
#define OBJ_FINI(p) ((void)((p)->magic = 0))

#endif

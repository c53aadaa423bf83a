/*
 * Heap memory that is there or ends the process.
 *
 * Requests are bounded before they come here, so running out of memory means
 * that the world is unusable. Nothing else in core calls malloc or free.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n);		 /* not zeroed */
void *mem_zalloc(size_t n);
void *mem_array(size_t count, size_t n); /* zeroed; overflow panics */
void *mem_realloc(void *p, size_t n);
void *mem_dup(const void *p, size_t n);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n); /* always ends with a NUL */
void mem_free(void *p);			 /* NULL is fine */

#endif

/*
 * Octets that are read again: in memory while there are few, then in a file
 * without a name.
 */
#ifndef MIME_SPOOL_H
#define MIME_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool;

struct spool *spool_new(const char *folder);
void spool_free(struct spool *s);
/* false: there is no room for it. */
bool spool_add(struct spool *s, const void *p, size_t n);
uint64_t spool_size(const struct spool *s);
/* Fewer than n: the end. */
size_t spool_read(struct spool *s, uint64_t at, void *p, size_t n);
/* All of it, or NULL if it is in a file; then spool_fd(), from the start. */
const void *spool_memory(const struct spool *s);
int spool_fd(struct spool *s);

#endif

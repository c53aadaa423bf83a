/*
 * What an archive holds, by libarchive: names, and what is inside of the files
 * that are archives, messages or text themselves.
 */
#ifndef MIME_UNPACK_H
#define MIME_UNPACK_H

#include "look.h"
#include "spool.h"

/* The folder of kinds, as the option archives has them; NULL: it is none.
 * By its name ("x.zip") or, if p is not NULL, its first octets. */
const char *unpack_kind(const char *name, const char *p, size_t n);
/* Octets that unpack_kind() wants to see. */
enum { UNPACK_FIRST = 512 };

/* row: the archive's own. */
void unpack(struct look *k, unsigned depth, struct spool *s, const char *kind,
    unsigned row);
/* winmail.dat */
bool tnef_is(const char *p, size_t n);
void tnef(struct look *k, unsigned depth, struct spool *s, unsigned row);

#endif

/*
 * A table read from a file: keys and values, networks, or expressions.
 *
 * One entry a line: KEY, blanks, VALUE; the value is the rest of the line and
 * may be missing. Empty lines and lines that begin with # are passed over, a
 * line that begins with a blank goes on the one before. Reading never changes a
 * table: a new one is made, so that one in use stays whole.
 */
#ifndef LOOKUP_FILE_TABLE_H
#define LOOKUP_FILE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum table_kind {
	TABLE_EXACT,  /* the key as it is, whatever its case */
	TABLE_DOMAIN, /* then domain and parents: see table_get() */
	TABLE_CIDR,   /* addresses and networks; the longest prefix counts */
	TABLE_REGEX   /* the first expression that matches counts */
};

#define TABLE_FILE_MAX (256 * 1024 * 1024) /* octets of a file */
#define TABLE_ENTRIES_MAX (16 * 1000 * 1000)
#define TABLE_EXPRESSIONS_MAX 10000
#define TABLE_WHY 512

struct table;

/* NULL: why tells, with FILE:LINE. Waits for the disk. */
struct table *table_read(const char *file, enum table_kind kind, char *why);
void table_free(struct table *t);
size_t table_count(const struct table *t);

/*
 * The values of a key, in the order of the file: calls value() for each and
 * returns how many. For a domain table the nearest counts: the key itself, of
 * an address its domain, then ".parent" of each parent, then "*". In the value
 * of an expression \1 to \9 are its groups. -1: an expression took too long.
 */
typedef void table_value(void *arg, const char *p, size_t n);
int table_get(const struct table *t, const char *key, size_t n,
    table_value *value, void *arg);

#endif

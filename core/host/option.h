/*
 * Private to core/host: one option of a plugin, by its own table.
 */
#ifndef HOST_OPTION_H
#define HOST_OPTION_H

#include <postern/plugin.h>

#include "base/err.h"
#include "base/pool.h"
#include "policy/conf.h"

/* The i-th of a table: name, type, place, range and default are sound. */
int option_check(const struct pst_option *table, unsigned i,
    uint32_t conf_size, struct err *why);
/* A value as it was written; why does not name place or option's value. */
int option_set(struct pool *pool, const struct pst_option *o, void *conf,
    const struct conf_raw *raw, const struct conf *file,
    const struct conf_reader *reader, struct err *why);
/* Its default; -1: it must be given, or the default is no value of it. */
int option_default(struct pool *pool, const struct pst_option *o, void *conf,
    struct err *why);
/* For people: "a duration such as …". */
const char *option_type(enum pst_type type);
/* For programs: "duration". */
const char *option_word(enum pst_type type);

#endif

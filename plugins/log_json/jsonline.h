/*
 * A record as a JSON object on a line. Whatever is in it, the line is UTF-8,
 * shows what it says, and cannot end early.
 */
#ifndef LOG_JSON_JSONLINE_H
#define LOG_JSON_JSONLINE_H

#include "../common/logkeep.h"

/* The stamp of the last line, for those of the same millisecond. */
struct jsonline {
	int64_t last;
	char stamp[48];
	size_t n; /* 0: none yet */
};

/* False: there is no room. */
bool jsonline_add(struct jsonline *s, struct logkeep *k,
    const struct pst_log_record *r);

#endif
